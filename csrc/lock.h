/* lock.h - a mutex in memory that threads and processes share, which outlives
 * whoever is killed while holding it. It must not know what it protects.
 *
 * Zeros are a lock that nobody has opened yet. One that is left by the dead is
 * taken as if they had given it back: what it protects must be right between any
 * two instructions, or be seen to by whoever protects it.
 */
#ifndef LANES_LOCK_H
#define LANES_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct lanes_lock {
    _Alignas(64) pthread_mutex_t mutex; /* shared */
    _Atomic int32_t state;              /* shared: whether it is there yet */
};

/* For whoever makes it before anybody can want it: a mutex between processes that
 * outlives them, whose dead owner is for the next to see to. Returns 0 or a
 * negative errno. */
int lanes_lock_make(pthread_mutex_t *mutex);

/* To be called by every worker before it takes the lock; the first one makes it.
 * Returns 0 or a negative errno. */
int lanes_lock_open(struct lanes_lock *lock);

/* Take it if it is free. */
bool lanes_lock_try(struct lanes_lock *lock);

/* Wait for it for at most so long; false when it could not be had. */
bool lanes_lock_take(struct lanes_lock *lock, int ms);
void lanes_lock_give(struct lanes_lock *lock);

#endif
