#include "lock.h"

#include "clock.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

/* The thread sanitizer knows neither how to wait by a clock that nobody sets nor
 * that a wait may end because the owner is dead; so it is told. */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define tell(mutex)                                                            \
    (__tsan_mutex_pre_lock(mutex, __tsan_mutex_try_lock),                      \
     __tsan_mutex_post_lock(mutex, __tsan_mutex_try_lock, 0))
#else
#define tell(mutex) ((void)(mutex))
#endif
#if defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
#if __GLIBC_PREREQ(2, 30)
#define CLOCK CLOCK_MONOTONIC
#define wait_until(mutex, until) pthread_mutex_clocklock(mutex, CLOCK, until)
#endif
#endif
#ifndef CLOCK
#define CLOCK CLOCK_REALTIME
#define wait_until(mutex, until) pthread_mutex_timedlock(mutex, until)
#endif

#define PATIENCE_NS LANES_SECOND /* making a mutex takes a microsecond */

enum { RAW, MAKING, MADE };

int lanes_lock_make(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t kind;
    int rc = pthread_mutexattr_init(&kind);

    if (rc != 0)
        return -rc;
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    rc = pthread_mutex_init(mutex, &kind);
    pthread_mutexattr_destroy(&kind);
    return -rc;
}

int lanes_lock_open(struct lanes_lock *lock)
{
    int64_t until = lanes_clock_now() + PATIENCE_NS;
    int32_t raw = RAW;
    int rc;

    if (atomic_compare_exchange_strong(&lock->state, &raw, MAKING)) {
        rc = lanes_lock_make(&lock->mutex);
        atomic_store(&lock->state, rc == 0 ? MADE : RAW);
        return rc;
    }
    /* Who makes it may be killed meanwhile. */
    while (atomic_load(&lock->state) != MADE && lanes_clock_now() < until)
        sched_yield();
    return atomic_load(&lock->state) == MADE ? 0 : -ENOTRECOVERABLE;
}

/* What came of an attempt: whether the lock is ours now. */
static bool taken(struct lanes_lock *lock, int rc)
{
    return rc == 0 ||
           (rc == EOWNERDEAD && pthread_mutex_consistent(&lock->mutex) == 0);
}

bool lanes_lock_try(struct lanes_lock *lock)
{
    return taken(lock, pthread_mutex_trylock(&lock->mutex));
}

bool lanes_lock_take(struct lanes_lock *lock, int ms)
{
    struct timespec until;
    int rc;

    clock_gettime(CLOCK, &until);
    until.tv_nsec += ms % 1000 * LANES_MS;
    until.tv_sec += ms / 1000 + until.tv_nsec / LANES_SECOND;
    until.tv_nsec %= LANES_SECOND;
    rc = wait_until(&lock->mutex, &until);
    if (rc == EOWNERDEAD)
        tell(&lock->mutex);
    return taken(lock, rc);
}

void lanes_lock_give(struct lanes_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}
