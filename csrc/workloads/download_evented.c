/* download_evented: many downloads on one loop, by curl_multi_socket_action.
 *
 * DESIGN. Each place has an easy handle for as long as the loop flies, and no
 * more handles are ever given to libcurl than there are places: a queue within
 * libcurl costs ten times what ours does. libcurl says which sockets it waits
 * for and when it wants to be called anyway; the loop does the waiting. One
 * timer stands for libcurl's own, another for the first server that may have been
 * silent for too long, looked at again only when it fires.
 */
#include "download_evented.h"

#include "clock.h"
#include "loop.h"
#include "transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct swarm {
    struct lanes_timer due;      /* when libcurl wants to be called */
    struct lanes_timer silent;   /* when the first deadline may have passed */
    struct lanes_flight *flight; /* borrowed */
    CURLM *multi;                /* owned */
    struct lanes_transfer transfers[];
};

static struct swarm *swarm_of_silent(struct lanes_timer *timer)
{
    return (struct swarm *)((char *)timer - offsetof(struct swarm, silent));
}

static void land(struct swarm *swarm, struct lanes_transfer *transfer)
{
    curl_multi_remove_handle(swarm->multi, transfer->easy);
    swarm->flight->landed(swarm->flight, (size_t)(transfer - swarm->transfers));
}

static void collect(struct swarm *swarm)
{
    struct lanes_transfer *transfer;
    CURLMsg *message;
    CURLcode code;
    int left;

    while ((message = curl_multi_info_read(swarm->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        code = message->data.result; /* gone with the handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        lanes_transfer_finish(transfer, code);
        land(swarm, transfer);
    }
}

static void act(struct swarm *swarm, curl_socket_t fd, int what)
{
    int running;

    if (curl_multi_socket_action(swarm->multi, fd, what, &running) != CURLM_OK)
        swarm->flight->error = -EIO;
    collect(swarm);
}

/* ---- what the loop calls ---- */

static void on_ready(void *ctx, int fd, uint32_t events)
{
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

    act(ctx, fd, what);
}

static void on_due(struct lanes_timer *timer)
{
    act((struct swarm *)timer, CURL_SOCKET_TIMEOUT, 0);
}

static void on_silent(struct lanes_timer *timer)
{
    struct swarm *swarm = swarm_of_silent(timer);
    int64_t first = INT64_MAX;

    for (size_t n = 0; n < swarm->flight->n_places; n++) {
        struct lanes_transfer *transfer = &swarm->transfers[n];
        int64_t left;

        if (transfer->task == NULL)
            continue;
        left = lanes_transfer_patience(transfer);
        if (left > 0) {
            first = left < first ? left : first;
        } else {
            lanes_transfer_expire(transfer);
            land(swarm, transfer);
        }
    }
    if (first != INT64_MAX)
        lanes_loop_set_timer(swarm->flight->loop, timer,
                             lanes_clock_now() + first);
}

/* ---- what libcurl calls ---- */

/* A callback that fails leaves a multi handle that nobody may use any more; so
 * none does, and the flight is told instead. */

static int socket_callback(CURL *easy, curl_socket_t fd, int what, void *arg,
                           void *unused)
{
    struct lanes_flight *flight = ((struct swarm *)arg)->flight;
    uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                      (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    int rc = 0;

    (void)easy, (void)unused;
    if (what == CURL_POLL_REMOVE)
        lanes_loop_unwatch(flight->loop, fd);
    else
        rc = lanes_loop_watch(flight->loop, fd, events, on_ready, arg);
    if (rc < 0)
        flight->error = rc;
    return 0;
}

static int timer_callback(CURLM *multi, long timeout_ms, void *arg)
{
    struct swarm *swarm = arg;
    struct lanes_loop *loop = swarm->flight->loop;
    int64_t due;

    (void)multi;
    if (timeout_ms < 0) {
        lanes_loop_clear_timer(loop, &swarm->due);
        return 0;
    }
    /* At once, for every request begun: no need to ask what time it is. */
    due = timeout_ms == 0 ? 0 : lanes_clock_now() + timeout_ms * LANES_MS;
    if (lanes_loop_set_timer(loop, &swarm->due, due) < 0)
        swarm->flight->error = -ENOMEM;
    return 0;
}

/* ---- the contract ---- */

static void set_multi_options(struct swarm *swarm)
{
    CURLM *multi = swarm->multi;

    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_callback);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, swarm);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_callback);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, swarm);
    /* Room for every place's connection to be kept. */
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                      (long)swarm->flight->n_places + 16);
}

/* Connections are closed with the multi handle, so it goes first. */
static void dissolve(struct swarm *swarm, size_t n_open)
{
    curl_multi_cleanup(swarm->multi);
    while (n_open-- > 0)
        lanes_transfer_close(&swarm->transfers[n_open]);
    free(swarm);
}

static int open_evented(struct lanes_flight *flight)
{
    struct swarm *swarm;
    size_t n = 0;
    int rc = 0;

    swarm = calloc(1, sizeof(*swarm) +
                          flight->n_places * sizeof(swarm->transfers[0]));
    if (swarm == NULL)
        return -ENOMEM;
    swarm->due.fire = on_due;
    swarm->silent.fire = on_silent;
    swarm->flight = flight;
    flight->state = swarm;
    while (n < flight->n_places && rc == 0) {
        rc = lanes_transfer_open(&swarm->transfers[n], flight->loop);
        n += rc == 0;
    }
    swarm->multi = rc == 0 ? lanes_transfer_multi() : NULL;
    if (swarm->multi == NULL) {
        dissolve(swarm, n);
        return rc < 0 ? rc : -ENOMEM;
    }
    set_multi_options(swarm);
    return 0;
}

static void start(struct lanes_flight *flight, size_t place,
                  struct lanes_task *task)
{
    struct swarm *swarm = flight->state;
    struct lanes_transfer *transfer = &swarm->transfers[place];
    int64_t due;

    lanes_transfer_begin(transfer, task);
    if (curl_multi_add_handle(swarm->multi, transfer->easy) != CURLM_OK) {
        lanes_transfer_finish(transfer, CURLE_FAILED_INIT);
        flight->landed(flight, place);
        return;
    }
    due = lanes_clock_tick() + lanes_transfer_patience(transfer);
    if (swarm->silent.place == 0 || swarm->silent.due > due)
        lanes_loop_set_timer(flight->loop, &swarm->silent, due);
}

static void close_evented(struct lanes_flight *flight)
{
    struct swarm *swarm = flight->state;

    for (size_t n = 0; n < flight->n_places; n++)
        if (swarm->transfers[n].task != NULL)
            curl_multi_remove_handle(swarm->multi, swarm->transfers[n].easy);
    dissolve(swarm, flight->n_places);
}

const struct lanes_evented lanes_download_evented = {
    .open = open_evented,
    .start = start,
    .close = close_evented,
};
