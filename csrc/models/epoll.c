/* epoll: one thread, the calling one, and many tasks in flight.
 *
 * DESIGN. The batch's workers are places, each with at most one task. A place
 * whose task has landed goes to a queue and is filled from there, never from
 * within the callback that emptied it, so the stack stays flat however fast
 * tasks land. Work that never waits gains nothing from a loop and runs as in
 * serial, which is what the table then shows.
 *
 * A blocking run waits in its own loop, where each turn waits; one that is
 * stepped takes the same turns without waiting, and lends the loop's descriptor.
 */
#include "clock.h"
#include "ledger.h"
#include "loop.h"
#include "model.h"
#include "worker.h"
#include "workload.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TURNS 16 /* in one step: the caller has other things to do */

struct sky {
    struct lanes_run run;       /* first: what the caller sees of us */
    struct lanes_flight flight; /* what the workload sees of us */
    struct lanes_worker worker;
    struct lanes_loop loop;
    struct lanes_entry *entry; /* borrowed: of the ledger; NULL until warm */
    struct lanes_timer dawn;   /* set for a task that is still to come */
    size_t dawn_place;         /* it has this place already */
    struct lanes_task **tasks; /* owned array: by place */
    size_t *empty;             /* owned: places to be filled */
    size_t n_empty;
    size_t n_under_way;
    size_t from;                 /* where to look for the next free task */
    bool is_warm;                /* the warm-ups, if any, have landed */
    struct lanes_task *warm_ups; /* owned array */
    struct lanes_notes notes;    /* of the warm-ups: nobody reads them */
};

static struct sky *sky_of(struct lanes_flight *flight)
{
    return (struct sky *)((char *)flight - offsetof(struct sky, flight));
}

static bool stopping(struct lanes_flight *flight)
{
    return lanes_worker_stopping(&sky_of(flight)->worker);
}

static void landed(struct lanes_flight *flight, size_t place)
{
    struct sky *sky = sky_of(flight);

    lanes_worker_end(&sky->worker, sky->tasks[place]);
    sky->tasks[place] = NULL;
    sky->empty[sky->n_empty++] = place;
    sky->n_under_way--;
}

/* The task has this place from now on, which is the next one to be filled. */
static void enter(struct sky *sky, size_t place, struct lanes_task *task)
{
    sky->tasks[place] = task;
    sky->n_empty--;
    sky->n_under_way++;
}

static void start(struct sky *sky, size_t place)
{
    sky->run.batch->workload->evented->start(&sky->flight, place,
                                             sky->tasks[place]);
}

static void launch(struct sky *sky, size_t place)
{
    lanes_worker_begin(&sky->worker, sky->tasks[place]);
    start(sky, place);
}

static void dawns(struct lanes_timer *timer)
{
    struct sky *sky =
        (struct sky *)((char *)timer - offsetof(struct sky, dawn));

    launch(sky, sky->dawn_place);
}

/* Launch the task that has just been given this place, at its time; false when
 * that is still to come. */
static bool launch_when_due(struct sky *sky, size_t place)
{
    int64_t due = lanes_batch_due(sky->run.batch, sky->tasks[place]);
    int rc;

    if (due == 0 || due <= lanes_clock_now()) {
        launch(sky, place);
        return true;
    }
    sky->dawn.fire = dawns;
    sky->dawn_place = place;
    rc = lanes_loop_set_timer(&sky->loop, &sky->dawn, due);
    if (rc < 0)
        lanes_batch_stop(sky->run.batch, rc);
    return false;
}

/* Whether it waits for a task that is still to come: no other comes before. */
static bool is_waiting(const struct sky *sky)
{
    return sky->dawn.place != 0;
}

static void fill(struct sky *sky)
{
    while (sky->n_empty > 0 && !is_waiting(sky)) {
        size_t place = sky->empty[sky->n_empty - 1];
        struct lanes_task *task =
            lanes_batch_claim(sky->run.batch, (int)place, &sky->from);

        if (task == NULL)
            return;
        enter(sky, place, task);
        if (!launch_when_due(sky, place))
            return;
    }
}

/* The same task in every place that will be filled, off the record. */
static int warm_up(struct sky *sky)
{
    const struct lanes_batch *batch = sky->run.batch;
    size_t n = sky->flight.n_places, place;

    if (batch->warm_up == NULL)
        return 0;
    if (n > batch->n_tasks)
        n = batch->n_tasks;
    sky->warm_ups =
        aligned_alloc(_Alignof(struct lanes_task), n * sizeof(*sky->warm_ups));
    if (sky->warm_ups == NULL)
        return -ENOMEM;
    memset(sky->warm_ups, 0, n * sizeof(*sky->warm_ups));
    while (n-- > 0) {
        sky->warm_ups[n].input = *batch->warm_up;
        sky->warm_ups[n].notes = &sky->notes;
        place = sky->empty[sky->n_empty - 1];
        enter(sky, place, &sky->warm_ups[n]);
        start(sky, place);
    }
    return 0;
}

/* The work begins when all warm-ups have landed. */
static void go_on(struct sky *sky)
{
    if (!sky->is_warm && sky->n_under_way == 0) {
        sky->is_warm = true;
        sky->entry = lanes_ledger_enter(sky->run.batch->ledger);
    }
    if (sky->is_warm)
        fill(sky);
}

static void turn(struct sky *sky, int timeout_ms)
{
    int rc = lanes_loop_step(&sky->loop, timeout_ms);

    if (rc == 0)
        rc = sky->flight.error;
    if (rc == 0)
        go_on(sky);
    else
        lanes_batch_stop(sky->run.batch, rc);
}

static bool is_over(const struct sky *sky)
{
    return sky->n_under_way == 0 || lanes_batch_stopped(sky->run.batch);
}

/* ---- the contract ---- */

static void free_sky(struct sky *sky)
{
    free(sky->warm_ups);
    free(sky->empty);
    free(sky->tasks);
    free(sky);
}

static struct sky *make_sky(struct lanes_batch *batch)
{
    struct sky *sky = calloc(1, sizeof(*sky));
    size_t n = batch->n_workers;

    if (sky == NULL)
        return NULL;
    sky->run.batch = batch;
    sky->flight.loop = &sky->loop;
    sky->flight.n_places = n;
    sky->flight.landed = landed;
    sky->flight.stopping = stopping;
    sky->tasks = calloc(n, sizeof(struct lanes_task *));
    sky->empty = calloc(n, sizeof(size_t));
    if (sky->tasks == NULL || sky->empty == NULL) {
        free_sky(sky);
        return NULL;
    }
    while (sky->n_empty < n) { /* the last is filled first: place 0 */
        sky->empty[sky->n_empty] = n - 1 - sky->n_empty;
        sky->n_empty++;
    }
    return sky;
}

static struct lanes_run *begin(struct lanes_batch *batch)
{
    struct sky *sky = make_sky(batch);
    int rc = -ENOMEM;

    if (sky == NULL)
        goto stop;
    rc = lanes_loop_open(&sky->loop);
    if (rc < 0)
        goto free_sky;
    sky->run.fd = sky->loop.epoll_fd;
    lanes_worker_init(&sky->worker, batch, 0, true);
    rc = batch->workload->evented->open(&sky->flight);
    if (rc < 0)
        goto close_loop;
    rc = warm_up(sky);
    if (rc < 0)
        goto close_flight;
    go_on(sky);
    return &sky->run;

close_flight:
    batch->workload->evented->close(&sky->flight);
close_loop:
    lanes_loop_close(&sky->loop);
free_sky:
    free_sky(sky);
stop:
    lanes_batch_stop(batch, rc);
    return NULL;
}

static bool step(struct lanes_run *run)
{
    struct sky *sky = (struct sky *)run;
    int left = TURNS;

    do
        turn(sky, 0);
    while (!is_over(sky) && --left > 0 && lanes_loop_is_due(&sky->loop));
    lanes_loop_arm(&sky->loop);
    return is_over(sky);
}

static int end(struct lanes_run *run)
{
    struct sky *sky = (struct sky *)run;
    struct lanes_batch *batch = run->batch;

    if (!is_over(sky))
        lanes_batch_stop(batch, -ECANCELED);
    lanes_entry_look(sky->entry);
    batch->workload->evented->close(&sky->flight);
    lanes_loop_close(&sky->loop);
    free_sky(sky);
    return lanes_batch_stopped(batch);
}

static int run(struct lanes_batch *batch)
{
    struct lanes_run *begun;
    struct sky *sky;

    if (batch->workload->evented == NULL)
        return lanes_model_serial.run(batch);
    begun = begin(batch);
    if (begun == NULL)
        return lanes_batch_stopped(batch);
    sky = (struct sky *)begun;
    while (!is_over(sky) && !lanes_worker_stopping(&sky->worker))
        turn(sky, LANES_SLICE_MS);
    return end(begun);
}

const struct lanes_model lanes_model_epoll = {
    .name = "native-epoll",
    .on_caller = true,
    .run = run,
    .begin = begin,
    .step = step,
    .end = end,
};
