#include "worker.h"

#include "clock.h"
#include "workload.h"

#include <errno.h>
#include <unistd.h>

void lanes_worker_init(struct lanes_worker *worker, struct lanes_batch *batch,
                       int index, bool is_caller)
{
    *worker = (struct lanes_worker){
        .batch = batch,
        .index = index,
        .is_caller = is_caller,
        .asked = lanes_clock_now(),
        .cpu = lanes_clock_cpu(),
        .process = getpid(),
        .thread = lanes_clock_thread(),
    };
}

int lanes_worker_open(struct lanes_worker *worker)
{
    const struct lanes_workload *workload = worker->batch->workload;

    return workload->open ? workload->open(worker) : 0;
}

void lanes_worker_close(struct lanes_worker *worker)
{
    const struct lanes_workload *workload = worker->batch->workload;

    if (workload->close)
        workload->close(worker);
}

void lanes_worker_main(struct lanes_batch *batch, int index, bool is_caller)
{
    struct lanes_worker worker;
    struct lanes_task *task;
    int rc;

    lanes_worker_init(&worker, batch, index, is_caller);
    rc = lanes_worker_open(&worker);
    if (rc < 0) {
        lanes_batch_stop(batch, rc);
        return;
    }
    lanes_worker_look(&worker); /* opening is not part of the first task */
    while ((task = lanes_batch_claim(batch, index)) != NULL)
        lanes_worker_do(&worker, task);
    lanes_worker_close(&worker);
}

void lanes_worker_do(struct lanes_worker *worker, struct lanes_task *task)
{
    lanes_worker_begin(worker, task);
    worker->batch->workload->run(worker, task);
    lanes_worker_look(worker);
    lanes_worker_end(worker, task);
}

void lanes_worker_look(struct lanes_worker *worker)
{
    worker->cpu = lanes_clock_cpu();
}

void lanes_worker_begin(struct lanes_worker *worker, struct lanes_task *task)
{
    struct lanes_span *span = &task->span;

    span->process = worker->process;
    span->thread = worker->thread;
    span->processor = lanes_clock_processor();
    span->claimed = span->started = lanes_clock_now();
    /* One look a task: it starts where the one before it ended. */
    span->cpu = worker->cpu;
}

void lanes_worker_end(struct lanes_worker *worker, struct lanes_task *task)
{
    struct lanes_span *span = &task->span;

    if (task->status == LANES_PENDING) /* given up: the run is stopping */
        return;
    span->cpu = worker->cpu - span->cpu;
    /* `finished` says that all the rest is there, also to the parent of a
     * worker killed at this very instruction. */
    atomic_signal_fence(memory_order_release);
    span->finished = lanes_clock_now();
}

bool lanes_worker_stopping(struct lanes_worker *worker)
{
    struct lanes_batch *batch = worker->batch;
    int64_t now;

    if (worker->is_caller && !lanes_batch_stopped(batch)) {
        now = lanes_clock_now();
        if (now - worker->asked >= LANES_SLICE_MS * LANES_MS) {
            worker->asked = now;
            if (!batch->keep_going(batch->ctx))
                lanes_batch_stop(batch, -EINTR);
        }
    }
    return lanes_batch_stopped(batch) != 0;
}

int lanes_worker_patience(const struct lanes_worker *worker, int ms)
{
    return worker->is_caller && ms > LANES_SLICE_MS ? LANES_SLICE_MS : ms;
}
