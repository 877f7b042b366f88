/* transfer.h - one download after another on one libcurl easy handle: its
 * options, the body as it arrives, the outcome. It must not know who drives
 * it; a loop that waits for its sockets is told of new ones.
 */
#ifndef LANES_TRANSFER_H
#define LANES_TRANSFER_H

#include "loop.h"
#include "task.h"

#include <curl/curl.h>
#include <stdbool.h>

struct lanes_transfer {
    CURL *easy;              /* owned */
    struct lanes_loop *loop; /* borrowed: to be told of sockets; may be NULL */
    CURLU *url;              /* owned: where it points */
    struct curl_slist *headers; /* owned: sent with every request */
    struct lanes_task *task;    /* borrowed; NULL when idle */
    int64_t size;               /* bytes of the body so far */
    uint32_t crc;               /* CRC-32 of them */
    int64_t heard;  /* when it began, connected, or last got bytes */
    char site[128]; /* scheme and host of `url`; empty if too long */
    bool connected;
    bool use_proxy; /* as the handle stands */
    char words[CURL_ERROR_SIZE];
};

const char *lanes_transfer_check(const struct lanes_input *input);

/* libcurl is set up in the process while any transfer is open. The loop may be
 * NULL. Returns 0 or a negative errno. */
int lanes_transfer_open(struct lanes_transfer *transfer,
                        struct lanes_loop *loop);
void lanes_transfer_close(struct lanes_transfer *transfer);

/* Point the handle at the task's URL; the caller then drives it. */
void lanes_transfer_begin(struct lanes_transfer *transfer,
                          struct lanes_task *task);

/* How long, in nanoseconds, until the server may have been silent for too
 * long, and it is worth asking again; 0 when it has been. */
int64_t lanes_transfer_patience(const struct lanes_transfer *transfer);

/* Store the outcome: libcurl has finished, or the patience is at its end. */
void lanes_transfer_finish(struct lanes_transfer *transfer, CURLcode code);
void lanes_transfer_expire(struct lanes_transfer *transfer);

/* A multi handle that does not wait for look-ups under way, NULL if there is
 * no memory. */
CURLM *lanes_transfer_multi(void);

#endif
