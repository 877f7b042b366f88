/* pthreads: one thread per worker; the calling thread only waits, so that it
 * can be interrupted. */
#include "model.h"
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
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
    struct lanes_run run; /* first: what the caller sees of us; its descriptor
                           * is readable once none is busy */
    _Atomic size_t busy;  /* shared: workers that have not ended */
    size_t n_started;
    struct member members[];
};

static void *member_main(void *arg)
{
    const uint64_t one = 1;
    struct member *member = arg;
    struct crew *crew = member->crew;

    lanes_worker_name("native-pthr", member->index);
    lanes_worker_main(crew->run.batch, member->index, false);
    if (atomic_fetch_sub(&crew->busy, 1) == 1)
        (void)!write(crew->run.fd, &one, sizeof(one));
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

static int muster(struct crew *crew, size_t n_workers)
{
    int rc = 0;

    while (crew->n_started < n_workers && rc == 0) {
        struct member *member = &crew->members[crew->n_started];

        member->crew = crew;
        member->index = (int)crew->n_started;
        rc = start(member);
        if (rc == 0)
            crew->n_started++;
    }
    return rc;
}

static bool step(struct lanes_run *run)
{
    return atomic_load(&((struct crew *)run)->busy) == 0;
}

static int end(struct lanes_run *run)
{
    struct crew *crew = (struct crew *)run;
    struct lanes_batch *batch = run->batch;

    if (!step(run))
        lanes_batch_stop(batch, -ECANCELED);
    while (crew->n_started > 0)
        pthread_join(crew->members[--crew->n_started].thread, NULL);
    close(run->fd);
    free(crew);
    return lanes_batch_stopped(batch);
}

static struct lanes_run *begin(struct lanes_batch *batch)
{
    struct crew *crew;
    int rc = -ENOMEM;

    crew =
        calloc(1, sizeof(*crew) + batch->n_workers * sizeof(crew->members[0]));
    if (crew == NULL)
        goto stop;
    crew->run.batch = batch;
    crew->run.fd = eventfd(0, EFD_CLOEXEC);
    rc = -errno;
    if (crew->run.fd < 0)
        goto free_crew;
    crew->busy = batch->n_workers;
    rc = muster(crew, batch->n_workers);
    if (rc == 0)
        return &crew->run;
    lanes_batch_stop(batch, rc);
    end(&crew->run);
    return NULL;

free_crew:
    free(crew);
stop:
    lanes_batch_stop(batch, rc);
    return NULL;
}

const struct lanes_model lanes_model_pthreads = {
    .name = "native-pthreads",
    .begin = begin,
    .step = step,
    .end = end,
};
