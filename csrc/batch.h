/* batch.h - the tasks of one run, in memory shared by threads and, if need be,
 * forked children: who claims which, and when to stop. It must not know what a
 * task does, who the workers are or that Python exists.
 */
#ifndef LANES_BATCH_H
#define LANES_BATCH_H

#include "task.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define LANES_SLICE_MS 30 /* the calling thread waits no longer in one go */

struct lanes_workload;
struct lanes_shared;
struct lanes_ledger;
struct lanes_arrivals;

struct lanes_batch {
    const struct lanes_workload *workload; /* borrowed */
    struct lanes_task *tasks; /* owned, shared memory; one writer each */
    size_t n_tasks;
    size_t n_workers;
    bool forks;                  /* its workers are children, and not threads */
    struct lanes_shared *shared; /* owned, shared memory: claims and stop */
    int stop_fd; /* owned: readable for all once the run is to stop */

    const struct lanes_input *warm_up; /* borrowed: what each worker does
                                        * before its first task; may be NULL */
    struct lanes_ledger *ledger; /* borrowed: where workers enter what they
                                  * use; may be NULL */
    void *area; /* borrowed, shared memory: the workload's own; may be NULL */
    size_t area_size;                /* in bytes */
    struct lanes_arrivals *arrivals; /* borrowed: when each task comes; NULL:
                                      * all are there from the first */

    /* Asked between waits, on the thread that called run() and no other:
     * may the run go on? */
    bool (*keep_going)(void *ctx);
    void *ctx; /* borrowed */
};

/* Tasks start out free and without input; a model that forks needs them where
 * its children share them. Returns 0 or a negative errno. */
int lanes_batch_open(struct lanes_batch *batch,
                     const struct lanes_workload *workload, size_t n_tasks,
                     size_t n_workers, bool forks);
void lanes_batch_close(struct lanes_batch *batch);

/* The run is over and will not be repeated: keep what came of the tasks, and no
 * descriptor. */
void lanes_batch_finish(struct lanes_batch *batch);

/* Make every task free again, keeping its input. No worker may be alive. */
void lanes_batch_rewind(struct lanes_batch *batch);

/* Take the next free task, in order, or NULL when there is none or the run is
 * to stop. The claim is one atomic step: a worker that is killed right after
 * it is still known as the owner. `from` is the worker's own: how far it has
 * come, 0 at first. */
struct lanes_task *lanes_batch_claim(struct lanes_batch *batch, int worker,
                                     size_t *from);
bool lanes_batch_has_free(const struct lanes_batch *batch);

/* When a task that was claimed is to be started: 0 is at once. */
int64_t lanes_batch_due(const struct lanes_batch *batch,
                        const struct lanes_task *task);

/* Tell whoever looks on that the task is started, or finished, at its time. */
void lanes_batch_tell_start(const struct lanes_batch *batch,
                            const struct lanes_task *task);
void lanes_batch_tell_finish(const struct lanes_batch *batch,
                             const struct lanes_task *task);

/* A worker is dead: what it claimed, down to its last instruction, is known as
 * its own from here on, and what it finished as finished. */
void lanes_batch_settle(struct lanes_batch *batch, int worker);

/* The first task at or after `from` that was begun and is not finished, n_tasks
 * when there is none: a look from outside, at what may change meanwhile. */
size_t lanes_batch_under_way(const struct lanes_batch *batch, size_t from);

/* End the run early for the reason given (a negative errno); the first reason
 * stands. Callable from every worker. */
void lanes_batch_stop(struct lanes_batch *batch, int why);

/* 0 while the run goes on, else the reason why it is to stop. */
int lanes_batch_stopped(const struct lanes_batch *batch);

/* Wait on the calling thread for a descriptor, for at most timeout_ms and a
 * slice, then ask keep_going. Returns lanes_batch_stopped(). */
int lanes_batch_pause(struct lanes_batch *batch, struct pollfd *fds, nfds_t n,
                      int timeout_ms);

#endif
