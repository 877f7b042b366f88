/* pthreads: one thread per worker; the calling thread only waits, so that it
 * can be interrupted. */
#include "model.h"
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct member {
    struct crew *crew; /* borrowed */
    int index;
    pthread_t thread;
};

/* On the heap: when the interpreter ends, it may end the calling thread within
 * keep_going(), and the stack with it, while workers still work. */
struct crew {
    struct lanes_batch *batch; /* borrowed */
    _Atomic size_t busy;       /* shared: workers that have not ended */
    int done_fd;               /* owned: readable once none is busy */
    struct member members[];
};

static void *member_main(void *arg)
{
    const uint64_t one = 1;
    struct member *member = arg;
    struct crew *crew = member->crew;
    char name[16];

    snprintf(name, sizeof(name), "pthreads/%d", member->index);
    pthread_setname_np(pthread_self(), name);
    lanes_worker_main(crew->batch, member->index, false);
    if (atomic_fetch_sub(&crew->busy, 1) == 1)
        (void)!write(crew->done_fd, &one, sizeof(one));
    return NULL;
}

/* Workers block all signals: those are for Python's threads. */
static int start(struct member *member)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = pthread_create(&member->thread, NULL, member_main, member);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

static void muster(struct crew *crew)
{
    struct lanes_batch *batch = crew->batch;
    struct pollfd done = {.fd = crew->done_fd, .events = POLLIN};
    size_t started = 0;
    int rc = 0;

    while (started < batch->n_workers && rc == 0) {
        crew->members[started].crew = crew;
        crew->members[started].index = (int)started;
        rc = start(&crew->members[started]);
        if (rc == 0)
            started++;
    }
    if (rc < 0) {
        lanes_batch_stop(batch, rc);
        atomic_fetch_sub(&crew->busy, batch->n_workers - started);
    }
    while (atomic_load(&crew->busy) > 0 &&
           lanes_batch_pause(batch, &done, 1, LANES_SLICE_MS) == 0)
        continue;
    while (started-- > 0)
        pthread_join(crew->members[started].thread, NULL);
}

static int run(struct lanes_batch *batch)
{
    struct crew *crew;

    crew =
        calloc(1, sizeof(*crew) + batch->n_workers * sizeof(crew->members[0]));
    if (crew == NULL) {
        lanes_batch_stop(batch, -ENOMEM);
        return -ENOMEM;
    }
    crew->batch = batch;
    crew->busy = batch->n_workers;
    crew->done_fd = eventfd(0, EFD_CLOEXEC);
    if (crew->done_fd < 0) {
        lanes_batch_stop(batch, -errno);
        goto free_crew;
    }
    muster(crew);
    close(crew->done_fd);
free_crew:
    free(crew);
    return lanes_batch_stopped(batch);
}

const struct lanes_model lanes_model_pthreads = {
    .name = "native-pthreads",
    .run = run,
};
