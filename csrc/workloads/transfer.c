#include "transfer.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define REDIRECTS_MAX 10L
#define BUFFER_SIZE 32768L /* twice the default: fewer calls for large bodies */

/* What a task's numbers mean. */
enum { CONNECT_TIMEOUT_NS, READ_TIMEOUT_NS, USE_PROXY };

/* ---- libcurl's own process-wide state ----
 *
 * It is given back when the last transfer closes, so that a process which has
 * finished its downloads has no libcurl state to hand to a forked child.
 */
static pthread_mutex_t global_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_libcurl(void)
{
    pthread_mutex_lock(&global_lock);
}

static void unlock_libcurl(void)
{
    pthread_mutex_unlock(&global_lock);
}

/* Who forks beside us must not copy the lock, or libcurl's own, held. */
static void guard_forks(void)
{
    pthread_atfork(lock_libcurl, unlock_libcurl, unlock_libcurl);
}

static int acquire_libcurl(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CURLcode code;

    pthread_once(&once, guard_forks);
    lock_libcurl();
    code = curl_global_init(CURL_GLOBAL_DEFAULT); /* counts its calls */
    unlock_libcurl();
    return code == CURLE_OK ? 0 : -ENOMEM;
}

static void release_libcurl(void)
{
    lock_libcurl();
    curl_global_cleanup();
    unlock_libcurl();
}

/* ---- callbacks ---- */

static size_t take_body(char *bytes, size_t one, size_t n, void *arg)
{
    struct lanes_transfer *transfer = arg;

    (void)one;
    transfer->crc =
        (uint32_t)crc32(transfer->crc, (const Bytef *)bytes, (uInt)n);
    transfer->size += (int64_t)n;
    transfer->heard = lanes_clock_tick();
    return n;
}

static size_t take_header(char *bytes, size_t one, size_t n, void *arg)
{
    struct lanes_transfer *transfer = arg;

    (void)bytes, (void)one;
    transfer->heard = lanes_clock_tick();
    return n;
}

/* Called once the connection stands, new or kept, before the request. */
static int note_connected(void *arg, char *to, char *from, int to_port,
                          int from_port)
{
    struct lanes_transfer *transfer = arg;

    (void)to, (void)from, (void)to_port, (void)from_port;
    transfer->connected = true;
    transfer->heard = lanes_clock_tick();
    return CURL_PREREQFUNC_OK;
}

/* A connection begins, perhaps a second one after a redirect. libcurl sets
 * CLOEXEC by itself only since 8.17. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    struct lanes_transfer *transfer = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                    address->protocol);

    (void)purpose;
    transfer->connected = false;
    transfer->heard = lanes_clock_tick();
    if (fd >= 0 && transfer->loop != NULL)
        lanes_loop_adopt(transfer->loop, fd);
    return fd;
}

static int close_socket(void *arg, curl_socket_t fd)
{
    struct lanes_transfer *transfer = arg;

    if (transfer->loop != NULL)
        lanes_loop_drop(transfer->loop, fd);
    return close(fd);
}

/* ---- the handle ---- */

const char *lanes_transfer_check(const struct lanes_input *input)
{
    if (strncasecmp(input->text, "http://", 7) != 0 &&
        strncasecmp(input->text, "https://", 8) != 0)
        return "a download takes an http:// or https:// URL";
    for (const char *c = input->text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "a URL has neither spaces nor control characters";
    for (int n = CONNECT_TIMEOUT_NS; n <= READ_TIMEOUT_NS; n++)
        if (input->args[n] < LANES_MS || input->args[n] > LANES_LONGEST)
            return "a download takes time-outs of 1 ms to 2**51 ns (26 days)";
    return NULL;
}

static void set_callbacks(struct lanes_transfer *transfer)
{
    CURL *easy = transfer->easy;

    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, note_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer);
}

static void set_options(struct lanes_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const char *bundle = getenv("SSL_CERT_FILE");

    /* A worker resolves each name once; libcurl looks for old ones in vain. */
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
#if LIBCURL_VERSION_NUM >= 0x075700 /* 7.87 */
    /* A time-out during a look-up does not wait for the look-up. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
    /* No SIGALRM, and 6 system calls a transfer less. */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CURLU, transfer->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    /* CURLOPT_USERAGENT would be formatted twice for every request. */
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->words);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    /* Debian gives libcurl both a bundle and a directory of certificates, and
     * with a directory each new connection parses them all: 16 ms for 0.5. */
    if (curl_version_info(CURLVERSION_NOW)->cainfo != NULL)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (bundle != NULL && *bundle != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
}

int lanes_transfer_open(struct lanes_transfer *transfer,
                        struct lanes_loop *loop)
{
    int rc = acquire_libcurl();

    if (rc < 0)
        return rc;
    memset(transfer, 0, sizeof(*transfer));
    transfer->loop = loop;
    transfer->url = curl_url();
    transfer->headers = curl_slist_append(NULL, "User-Agent: lanes");
    transfer->easy = curl_easy_init();
    if (transfer->url == NULL || transfer->headers == NULL ||
        transfer->easy == NULL) {
        lanes_transfer_close(transfer);
        return -ENOMEM;
    }
    set_options(transfer);
    set_callbacks(transfer);
    return 0;
}

void lanes_transfer_close(struct lanes_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    curl_url_cleanup(transfer->url);
    release_libcurl();
}

/* ---- where it points ----
 *
 * A URL handle of our own is parsed once a transfer, CURLOPT_URL twice. And
 * most URLs of a run name the same site: then only what follows is set anew.
 * Together that is a sixth of libcurl's work for a small body.
 */

/* Bytes of "scheme://authority"; the URL has passed the check. */
static size_t site_length(const char *url)
{
    const char *authority = strstr(url, "://") + 3;

    return (size_t)(authority - url) + strcspn(authority, "/?#");
}

/* What the parser would rewrite is left to it: dot segments, fragments, an
 * empty query; and escapes, which only a part set by itself has changed. */
static bool aim_within_site(struct lanes_transfer *transfer, const char *url)
{
    size_t site = strlen(transfer->site);
    const char *path = url + site;
    size_t length;
    char copy[512];

    if (site == 0 || strncmp(url, transfer->site, site) != 0 || *path != '/' ||
        strpbrk(path, "#%") != NULL || strstr(path, "/.") != NULL)
        return false;
    length = strcspn(path, "?");
    if (length >= sizeof(copy) || strcmp(path + length, "?") == 0)
        return false;
    memcpy(copy, path, length);
    copy[length] = '\0';
    return curl_url_set(transfer->url, CURLUPART_PATH, copy, 0) == CURLUE_OK &&
           curl_url_set(transfer->url, CURLUPART_QUERY,
                        path[length] == '?' ? path + length + 1 : NULL,
                        0) == CURLUE_OK;
}

/* What libcurl cannot read must not stay: without a URL it says so. */
static void aim(struct lanes_transfer *transfer, const char *url)
{
    size_t site = site_length(url);

    if (aim_within_site(transfer, url))
        return;
    curl_url_set(transfer->url, CURLUPART_URL, NULL, 0);
    transfer->site[0] = '\0';
    if (curl_url_set(transfer->url, CURLUPART_URL, url, 0) == CURLUE_OK &&
        site < sizeof(transfer->site)) {
        memcpy(transfer->site, url, site);
        transfer->site[site] = '\0';
    }
}

void lanes_transfer_begin(struct lanes_transfer *transfer,
                          struct lanes_task *task)
{
    CURL *easy = transfer->easy;
    const int64_t *args = task->input.args;

    transfer->task = task;
    transfer->size = 0;
    transfer->crc = 0;
    transfer->connected = false;
    transfer->heard = lanes_clock_tick();
    transfer->words[0] = '\0';
    aim(transfer, task->input.text);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(args[CONNECT_TIMEOUT_NS] / LANES_MS));
    if (transfer->use_proxy != (args[USE_PROXY] != 0)) {
        transfer->use_proxy = args[USE_PROXY] != 0;
        /* NULL: as the environment says; empty: none, whatever it says. */
        curl_easy_setopt(easy, CURLOPT_PROXY, transfer->use_proxy ? NULL : "");
    }
}

int64_t lanes_transfer_patience(const struct lanes_transfer *transfer)
{
    const int64_t *args = transfer->task->input.args;
    int64_t limit = args[READ_TIMEOUT_NS];
    int64_t left = transfer->heard + limit - lanes_clock_tick();

    if (left > 0)
        return left;
    if (transfer->connected)
        return 0;
    /* Until then libcurl keeps the time; this only bounds the worst. Once it
     * is connected, a whole read time-out lies before it. */
    left += args[CONNECT_TIMEOUT_NS];
    return left > limit ? limit : left > 0 ? left : 0;
}

/* ---- the outcome ---- */

/* The classes are lanes' own, the same on every client. */
static const char *classify(const struct lanes_transfer *transfer,
                            CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        return "DNSError";
    case CURLE_COULDNT_CONNECT:
        return "ConnectError";
    case CURLE_OPERATION_TIMEDOUT:
        return transfer->connected ? "ReadTimeout" : "ConnectTimeout";
    case CURLE_TOO_MANY_REDIRECTS:
        return "TooManyRedirects";
    case CURLE_UNSUPPORTED_PROTOCOL: /* a redirect's, or it was not HTTP */
        return strstr(transfer->words, "HTTP/0.9") ? "ProtocolError"
                                                   : "UnsafeRedirect";
    case CURLE_PARTIAL_FILE:
        return "PartialBody";
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
        return "ConnectionReset";
    case CURLE_RECV_ERROR: /* 7.88 has no other code for a bad chunk */
        return strstr(transfer->words, "chunk") ? "ProtocolError"
                                                : "ConnectionReset";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_BAD_CONTENT_ENCODING:
        return "ProtocolError";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_ISSUER_ERROR:
        return "TLSError";
    default:
        return "DownloadError";
    }
}

void lanes_transfer_finish(struct lanes_transfer *transfer, CURLcode code)
{
    struct lanes_task *task = transfer->task;
    long status = 0;

    if (task == NULL) /* expired in the same moment */
        return;
    transfer->task = NULL;
    if (code != CURLE_OK) {
        lanes_task_fail(task, classify(transfer, code),
                        transfer->words[0] != '\0' ? transfer->words
                                                   : curl_easy_strerror(code));
        return;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    lanes_task_succeed(
        task, 3, (int64_t[]){status, transfer->size, (int64_t)transfer->crc});
}

void lanes_transfer_expire(struct lanes_transfer *transfer)
{
    struct lanes_task *task = transfer->task;

    transfer->task = NULL;
    lanes_task_fail(task,
                    transfer->connected ? "ReadTimeout" : "ConnectTimeout",
                    "the server was silent for too long");
}

/* CURLMOPT_QUICK_EXIT, of 8.20. An older libcurl does not know it, and has no
 * look-ups that belong to a multi handle. */
#define MULTI_QUICK_EXIT ((CURLMoption)21)

CURLM *lanes_transfer_multi(void)
{
    CURLM *multi = curl_multi_init();

    if (multi != NULL)
        curl_multi_setopt(multi, MULTI_QUICK_EXIT, 1L);
    return multi;
}
