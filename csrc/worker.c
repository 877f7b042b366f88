#include "worker.h"

#include "clock.h"
#include "ledger.h"
#include "workload.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MOMENT_NS 10000 /* how far a span's CPU time may be off */

void lanes_worker_init(struct lanes_worker *worker, struct lanes_batch *batch,
                       int index, bool is_caller)
{
    *worker = (struct lanes_worker){
        .batch = batch,
        .index = index,
        .is_caller = is_caller,
        .asked = lanes_clock_now(),
        .looked = lanes_clock_now(),
        .cpu = lanes_clock_cpu(),
        .process = getpid(),
        .thread = lanes_clock_thread(),
    };
}

void lanes_worker_name(const char *model, int index)
{
    char name[16], number[12]; /* room for what the kernel keeps; for an int */
    int n = snprintf(number, sizeof(number), "/%d", index);

    snprintf(name, sizeof(name), "%.*s%s", (int)sizeof(name) - 1 - n, model,
             number);
    prctl(PR_SET_NAME, name);
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

/* Do the batch's warm-up, if it has one, off the record. */
static void warm_up(struct lanes_worker *worker)
{
    struct lanes_notes notes;
    struct lanes_task task = {.notes = &notes};

    if (worker->batch->warm_up == NULL)
        return;
    task.input = *worker->batch->warm_up;
    worker->batch->workload->run(worker, &task);
}

void lanes_worker_main(struct lanes_batch *batch, int index, bool is_caller)
{
    struct lanes_worker worker;
    struct lanes_entry *entry;
    struct lanes_task *task;
    size_t from = 0;
    int rc;

    lanes_worker_init(&worker, batch, index, is_caller);
    rc = lanes_worker_open(&worker);
    if (rc < 0) {
        lanes_batch_stop(batch, rc);
        return;
    }
    warm_up(&worker);
    entry = lanes_ledger_enter(batch->ledger);
    while ((task = lanes_batch_claim(batch, index, &from)) != NULL &&
           lanes_worker_sleep(&worker, lanes_batch_due(batch, task)))
        lanes_worker_do(&worker, task);
    lanes_entry_look(entry);
    lanes_worker_close(&worker);
}

void lanes_worker_do(struct lanes_worker *worker, struct lanes_task *task)
{
    lanes_worker_begin(worker, task);
    worker->batch->workload->run(worker, task);
    lanes_worker_end(worker, task);
}

/* Its CPU clock as of now. Reading that is a system call which takes longer
 * than a short task, so for a moment after a look the worker is taken to have
 * been busy all the time. */
static int64_t cpu_as_of(struct lanes_worker *worker, int64_t now)
{
    if (now - worker->looked >= MOMENT_NS) {
        worker->cpu = lanes_clock_cpu();
        worker->looked = now;
    }
    return worker->cpu + (now - worker->looked);
}

void lanes_worker_begin(struct lanes_worker *worker, struct lanes_task *task)
{
    struct lanes_span *span = &task->span;

    span->process = worker->process;
    span->thread = worker->thread;
    span->processor = lanes_clock_processor();
    span->claimed = span->started = lanes_clock_now();
    span->cpu = cpu_as_of(worker, span->started);
    lanes_batch_tell_start(worker->batch, task);
}

void lanes_worker_end(struct lanes_worker *worker, struct lanes_task *task)
{
    struct lanes_span *span = &task->span;
    int64_t now, cpu;

    if (task->status == LANES_PENDING) /* given up: the run is stopping */
        return;
    now = lanes_clock_now();
    cpu = cpu_as_of(worker, now);
    span->cpu = cpu > span->cpu ? cpu - span->cpu : 0;
    /* `finished` says that all the rest is there, also to the parent of a
     * worker killed at this very instruction. */
    atomic_signal_fence(memory_order_release);
    span->finished = now;
    lanes_batch_tell_finish(worker->batch, task);
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

bool lanes_worker_sleep(struct lanes_worker *worker, int64_t until)
{
    struct pollfd stop = {.fd = worker->batch->stop_fd, .events = POLLIN};
    const int64_t slice = lanes_worker_patience(worker, INT32_MAX) * LANES_MS;
    int64_t left = until > 0 ? until - lanes_clock_now() : 0;

    while (left > 0) {
        int64_t nap = left < slice ? left : slice;
        struct timespec timeout = {nap / LANES_SECOND, nap % LANES_SECOND};

        ppoll(&stop, 1, &timeout, NULL);
        if (lanes_worker_stopping(worker))
            return false;
        left = until - lanes_clock_now();
    }
    return true;
}

int lanes_worker_patience(const struct lanes_worker *worker, int ms)
{
    return worker->is_caller && ms > LANES_SLICE_MS ? LANES_SLICE_MS : ms;
}
