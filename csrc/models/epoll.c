/* epoll: one thread, the calling one, and many tasks in flight.
 *
 * DESIGN. The batch's workers are places, each with at most one task. A place
 * whose task has landed goes to a queue and is filled from there, never from
 * within the callback that emptied it, so the stack stays flat however fast
 * tasks land. Work that never waits gains nothing from a loop and runs as in
 * serial, which is what the table then shows.
 */
#include "clock.h"
#include "ledger.h"
#include "loop.h"
#include "model.h"
#include "worker.h"
#include "workload.h"

#include <errno.h>
#include <stdlib.h>

struct sky {
    struct lanes_flight flight; /* first: what the workload sees of us */
    struct lanes_worker worker;
    struct lanes_loop loop;
    struct lanes_task **tasks; /* owned array: by place */
    size_t *empty;             /* owned: places to be filled */
    size_t n_empty;
    size_t n_under_way;
    size_t from; /* where to look for the next free task */
};

static void landed(struct lanes_flight *flight, size_t place)
{
    struct sky *sky = (struct sky *)flight;

    lanes_worker_end(&sky->worker, sky->tasks[place]);
    sky->tasks[place] = NULL;
    sky->empty[sky->n_empty++] = place;
    sky->n_under_way--;
}

static void fill(struct sky *sky)
{
    struct lanes_batch *batch = sky->worker.batch;

    while (sky->n_empty > 0) {
        size_t place = sky->empty[sky->n_empty - 1];
        struct lanes_task *task =
            lanes_batch_claim(batch, (int)place, &sky->from);

        if (task == NULL)
            return;
        sky->n_empty--;
        sky->tasks[place] = task;
        sky->n_under_way++;
        lanes_worker_begin(&sky->worker, task);
        batch->workload->evented->start(&sky->flight, place, task);
    }
}

static int fly(struct sky *sky)
{
    const struct lanes_evented *evented = sky->worker.batch->workload->evented;
    struct lanes_entry *entry;
    int rc;

    rc = evented->open(&sky->flight);
    if (rc < 0)
        return rc;
    entry = lanes_ledger_enter(sky->worker.batch->ledger);
    fill(sky);
    while (rc == 0 && sky->n_under_way > 0 &&
           !lanes_worker_stopping(&sky->worker)) {
        rc = lanes_loop_step(&sky->loop, LANES_SLICE_MS);
        if (rc == 0)
            rc = sky->flight.error;
        fill(sky);
    }
    lanes_entry_look(entry);
    evented->close(&sky->flight);
    return rc;
}

static int take_off(struct lanes_batch *batch)
{
    size_t n = batch->n_workers;
    struct sky sky = {
        .flight = {.loop = &sky.loop, .n_places = n, .landed = landed},
        .tasks = calloc(n, sizeof(struct lanes_task *)),
        .empty = calloc(n, sizeof(size_t)),
    };
    int rc = -ENOMEM;

    if (sky.tasks == NULL || sky.empty == NULL)
        goto free_places;
    while (sky.n_empty < n) { /* the last is filled first: place 0 */
        sky.empty[sky.n_empty] = n - 1 - sky.n_empty;
        sky.n_empty++;
    }
    rc = lanes_loop_open(&sky.loop);
    if (rc < 0)
        goto free_places;
    lanes_worker_init(&sky.worker, batch, 0, true);
    rc = fly(&sky);
    lanes_loop_close(&sky.loop);
free_places:
    free(sky.empty);
    free(sky.tasks);
    return rc;
}

static int run(struct lanes_batch *batch)
{
    int rc;

    if (batch->workload->evented == NULL)
        return lanes_model_serial.run(batch);
    rc = take_off(batch);
    if (rc < 0)
        lanes_batch_stop(batch, rc);
    return lanes_batch_stopped(batch);
}

const struct lanes_model lanes_model_epoll = {
    .name = "native-epoll",
    .run = run,
};
