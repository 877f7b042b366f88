/* worker.h - one worker of a batch: it claims tasks, runs them one after the
 * other and stamps their spans. It must not know what the work is, nor whether
 * it lives in a thread or a process.
 */
#ifndef LANES_WORKER_H
#define LANES_WORKER_H

#include "batch.h"

struct lanes_worker {
    struct lanes_batch *batch; /* borrowed */
    void *state;               /* owned by the workload */
    int index;
    bool is_caller; /* runs on the thread that called run(), so it must ask */
    int64_t asked;  /* when it last asked keep_going */
    int64_t looked; /* when it last looked at its CPU clock */
    int64_t cpu;    /* what that said */
    int32_t process;
    int32_t thread;
};

/* Fill in the worker; it belongs to the calling thread from here on. */
void lanes_worker_init(struct lanes_worker *worker, struct lanes_batch *batch,
                       int index, bool is_caller);

/* Have the kernel call the calling thread "model/index": what ps, top and gdb
 * show, in 15 characters. For a thread or a process that lanes has started. */
void lanes_worker_name(const char *model, int index);

/* Open the workload's state, do tasks until none is left, close. A failure to
 * open stops the batch with the reason. */
void lanes_worker_main(struct lanes_batch *batch, int index, bool is_caller);

/* Open or close what the workload keeps. */
int lanes_worker_open(struct lanes_worker *worker);
void lanes_worker_close(struct lanes_worker *worker);

/* Run one claimed task, span included. */
void lanes_worker_do(struct lanes_worker *worker, struct lanes_task *task);

/* The two halves of that, for work that is begun and finished apart. */
void lanes_worker_begin(struct lanes_worker *worker, struct lanes_task *task);
void lanes_worker_end(struct lanes_worker *worker, struct lanes_task *task);

/* Is the run to stop? Long work asks every millisecond or so. */
bool lanes_worker_stopping(struct lanes_worker *worker);

/* Wait until this moment of the monotonic clock; false when the run is to stop
 * first. */
bool lanes_worker_sleep(struct lanes_worker *worker, int64_t until);

/* How long this worker may block before it must ask again, at most `ms`. It
 * need not ask at all, and wakes by stop_fd, unless it is the caller. */
int lanes_worker_patience(const struct lanes_worker *worker, int ms);

#endif
