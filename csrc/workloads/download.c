/* download: an HTTP GET by libcurl, blocking here, on a loop in
 * download_evented.c.
 *
 * A blocking worker drives its one easy handle by a multi handle of its own
 * rather than by curl_easy_perform(), which looks at a stop flag only about
 * once a second: curl_multi_poll() takes the batch's stop descriptor along.
 */
#include "clock.h"
#include "download_evented.h"
#include "transfer.h"
#include "worker.h"
#include "workload.h"

#include <errno.h>
#include <stdlib.h>

struct client {
    struct lanes_transfer transfer;
    CURLM *multi; /* owned */
};

static int open_client(struct lanes_worker *worker)
{
    struct client *client = calloc(1, sizeof(*client));
    int rc;

    if (client == NULL)
        return -ENOMEM;
    rc = lanes_transfer_open(&client->transfer, NULL);
    if (rc < 0)
        goto free_client;
    client->multi = lanes_transfer_multi();
    if (client->multi == NULL) {
        rc = -ENOMEM;
        goto close_transfer;
    }
    worker->state = client;
    return 0;

close_transfer:
    lanes_transfer_close(&client->transfer);
free_client:
    free(client);
    return rc;
}

static void close_client(struct lanes_worker *worker)
{
    struct client *client = worker->state;

    curl_multi_cleanup(client->multi);
    lanes_transfer_close(&client->transfer);
    free(client);
}

static void collect(struct client *client)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(client->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            lanes_transfer_finish(&client->transfer, message->data.result);
}

/* Wait for the socket, the stop, the end of patience, or the next slice. */
static void wait_for_more(struct client *client, struct lanes_worker *worker)
{
    struct curl_waitfd stop = {.fd = worker->batch->stop_fd,
                               .events = CURL_WAIT_POLLIN};
    int64_t left = lanes_transfer_patience(&client->transfer);
    int ms = left < LANES_SECOND ? (int)(left / LANES_MS) + 1 : 1000;

    if (left == 0)
        lanes_transfer_expire(&client->transfer);
    else
        curl_multi_poll(client->multi, &stop, 1,
                        lanes_worker_patience(worker, ms), NULL);
}

static void run(struct lanes_worker *worker, struct lanes_task *task)
{
    struct client *client = worker->state;
    struct lanes_transfer *transfer = &client->transfer;
    int running;

    lanes_transfer_begin(transfer, task);
    if (curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
        lanes_transfer_finish(transfer, CURLE_FAILED_INIT);
    while (transfer->task != NULL && !lanes_worker_stopping(worker)) {
        if (curl_multi_perform(client->multi, &running) != CURLM_OK)
            lanes_transfer_finish(transfer, CURLE_FAILED_INIT);
        collect(client);
        if (transfer->task != NULL)
            wait_for_more(client, worker);
    }
    transfer->task = NULL;
    curl_multi_remove_handle(client->multi, transfer->easy);
}

const struct lanes_workload lanes_workload_download = {
    .name = "download",
    .check = lanes_transfer_check,
    .open = open_client,
    .close = close_client,
    .run = run,
    .evented = &lanes_download_evented,
};
