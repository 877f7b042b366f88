#include "batch.h"

#include "arrivals.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* How many claims pass before the others are told. Rarely, as each telling is
 * a cache line that all must fetch; but a worker that comes late must not look
 * at every task from the first. */
#define STRIDE 64

/* Head of the shared memory; tasks and their notes follow. Claims and the
 * stop flag are read by all workers, so they do not share a cache line. */
struct lanes_shared {
    _Alignas(64) _Atomic size_t next; /* no task before this is free; a hint */
    _Alignas(64) _Atomic int why;     /* 0, or the reason to stop */
    size_t bytes;
    void *heap; /* owned: what all this lies in; NULL if it is mapped */
};

_Static_assert(sizeof(struct lanes_shared) % 64 == 0, "tasks start aligned");

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

/* Memory that is mapped stays one for forked children and their parent. Where
 * nobody forks the heap does as well, and takes a tenth of the time. */
static struct lanes_shared *make_shared(size_t bytes, bool forks)
{
    const size_t line = _Alignof(struct lanes_shared);
    struct lanes_shared *shared;
    char *heap;

    if (forks) {
        shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
            return NULL;
        shared->bytes = bytes;
        return shared;
    }
    heap = calloc(1, bytes + line - 1);
    if (heap == NULL)
        return NULL;
    shared = (struct lanes_shared *)(heap + (-(uintptr_t)heap & (line - 1)));
    shared->heap = heap;
    return shared;
}

static void free_shared(struct lanes_shared *shared)
{
    if (shared->heap != NULL)
        free(shared->heap);
    else
        munmap(shared, shared->bytes);
}

int lanes_batch_open(struct lanes_batch *batch,
                     const struct lanes_workload *workload, size_t n_tasks,
                     size_t n_workers, bool forks)
{
    struct lanes_notes *notes;
    size_t bytes = sizeof(*batch->shared) +
                   n_tasks * (sizeof(*batch->tasks) + sizeof(*notes));
    int rc;

    *batch = (struct lanes_batch){
        .workload = workload,
        .n_tasks = n_tasks,
        .n_workers = n_workers,
        .forks = forks,
        .keep_going = always,
    };
    batch->shared = make_shared(bytes, forks);
    if (batch->shared == NULL)
        return -ENOMEM;
    batch->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (batch->stop_fd < 0) {
        rc = -errno;
        free_shared(batch->shared);
        return rc;
    }
    batch->tasks = (struct lanes_task *)(batch->shared + 1);
    notes = (struct lanes_notes *)(batch->tasks + n_tasks);
    for (size_t n = 0; n < n_tasks; n++)
        batch->tasks[n].notes = &notes[n];
    return 0;
}

void lanes_batch_finish(struct lanes_batch *batch)
{
    if (batch->stop_fd >= 0)
        close(batch->stop_fd);
    batch->stop_fd = -1;
    batch->warm_up = NULL;
    batch->ledger = NULL;
    batch->area = NULL;
    batch->area_size = 0;
    batch->arrivals = NULL;
}

void lanes_batch_close(struct lanes_batch *batch)
{
    lanes_batch_finish(batch);
    free_shared(batch->shared);
    batch->shared = NULL;
}

void lanes_batch_rewind(struct lanes_batch *batch)
{
    uint64_t count;

    for (size_t n = 0; n < batch->n_tasks; n++) {
        struct lanes_task *task = &batch->tasks[n];

        atomic_store(&task->owner, 0);
        task->status = LANES_PENDING;
        task->n_values = task->n_figures = 0;
        task->span.finished = 0;
    }
    atomic_store(&batch->shared->next, 0);
    if (atomic_exchange(&batch->shared->why, 0) != 0)
        (void)!read(batch->stop_fd, &count, sizeof(count));
}

static struct lanes_task *claim_arrival(struct lanes_batch *batch, int worker)
{
    size_t n;

    if (lanes_batch_stopped(batch) ||
        !lanes_arrivals_claim(batch->arrivals, worker, &n))
        return NULL;
    atomic_store(&batch->tasks[n].owner, worker + 1);
    return &batch->tasks[n];
}

struct lanes_task *lanes_batch_claim(struct lanes_batch *batch, int worker,
                                     size_t *from)
{
    size_t next =
        atomic_load_explicit(&batch->shared->next, memory_order_relaxed);

    if (batch->arrivals != NULL)
        return claim_arrival(batch, worker);

    for (size_t n = next > *from ? next : *from;
         n < batch->n_tasks && !lanes_batch_stopped(batch); n++) {
        struct lanes_task *task = &batch->tasks[n];
        int32_t nobody = 0;

        if (atomic_load_explicit(&task->owner, memory_order_relaxed) != 0 ||
            !atomic_compare_exchange_strong(&task->owner, &nobody, worker + 1))
            continue;
        *from = n + 1;
        if (n % STRIDE == 0)
            atomic_store_explicit(&batch->shared->next, n,
                                  memory_order_relaxed);
        return task;
    }
    return NULL;
}

bool lanes_batch_has_free(const struct lanes_batch *batch)
{
    size_t n = atomic_load(&batch->shared->next);

    if (batch->arrivals != NULL)
        return lanes_arrivals_has_free(batch->arrivals);
    while (n < batch->n_tasks && atomic_load(&batch->tasks[n].owner) != 0)
        n++;
    return n < batch->n_tasks;
}

int64_t lanes_batch_due(const struct lanes_batch *batch,
                        const struct lanes_task *task)
{
    return batch->arrivals == NULL
               ? 0
               : lanes_arrivals_due(batch->arrivals,
                                    (size_t)(task - batch->tasks));
}

void lanes_batch_tell_start(const struct lanes_batch *batch,
                            const struct lanes_task *task)
{
    if (batch->arrivals != NULL)
        lanes_arrivals_start(batch->arrivals, (size_t)(task - batch->tasks),
                             task->span.started);
}

void lanes_batch_tell_finish(const struct lanes_batch *batch,
                             const struct lanes_task *task)
{
    if (batch->arrivals != NULL)
        lanes_arrivals_finish(batch->arrivals, (size_t)(task - batch->tasks),
                              task->span.finished);
}

void lanes_batch_settle(struct lanes_batch *batch, int worker)
{
    if (batch->arrivals == NULL)
        return;
    for (size_t n = 0; n < batch->n_tasks; n++) {
        const struct lanes_arrival *arrival =
            lanes_arrivals_at(batch->arrivals, n);
        struct lanes_task *task = &batch->tasks[n];

        if (atomic_load(&arrival->state) != worker + 1)
            continue;
        atomic_store(&task->owner, worker + 1);
        if (task->span.finished != 0 && atomic_load(&arrival->finished) == 0)
            lanes_batch_tell_finish(batch, task);
    }
}

size_t lanes_batch_under_way(const struct lanes_batch *batch, size_t from)
{
    for (; from < batch->n_tasks; from++) {
        const struct lanes_task *task = &batch->tasks[from];

        if (atomic_load(&task->owner) != 0 && task->span.started != 0 &&
            task->span.finished == 0)
            break;
    }
    return from;
}

void lanes_batch_stop(struct lanes_batch *batch, int why)
{
    const uint64_t one = 1;
    int none = 0;

    /* The eventfd is never read while the run lasts, so one write wakes all. */
    if (atomic_compare_exchange_strong(&batch->shared->why, &none, why))
        (void)!write(batch->stop_fd, &one, sizeof(one));
}

int lanes_batch_stopped(const struct lanes_batch *batch)
{
    return atomic_load_explicit(&batch->shared->why, memory_order_relaxed);
}

int lanes_batch_pause(struct lanes_batch *batch, struct pollfd *fds, nfds_t n,
                      int timeout_ms)
{
    poll(fds, n, timeout_ms < LANES_SLICE_MS ? timeout_ms : LANES_SLICE_MS);
    if (!lanes_batch_stopped(batch) && !batch->keep_going(batch->ctx))
        lanes_batch_stop(batch, -EINTR);
    return lanes_batch_stopped(batch);
}
