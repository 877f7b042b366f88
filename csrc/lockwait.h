/* lockwait.h - how long threads wait for one lock that is made of condition
 * variables, such as Python's GIL. It must not know whose lock it is.
 *
 * DESIGN. The object that uses the lock (an executable or a library) calls
 * pthread_cond_timedwait and pthread_cond_wait through its table of imported
 * functions. Two entries of that table are redirected here, once and for good.
 * While a lock is watched, waits for its conditions are timed on the waiting
 * thread; every other wait, and every wait while none is watched, costs one
 * comparison. A thread that finds the lock free never comes here at all.
 */
#ifndef LANES_LOCKWAIT_H
#define LANES_LOCKWAIT_H

#include <stdint.h>

/* Redirect the waits of the object that contains this address. Calling again
 * is harmless. Returns 0, or -ENOTSUP where the object has no such table. */
int lanes_lockwait_install(const void *inside);

/* Time waits for these two conditions from now on; NULL for none: the one that
 * tells that the lock is free, and the one that tells who gave it away that
 * another has taken it. */
void lanes_lockwait_watch(const void *freed, const void *taken);

/* What timing one wait costs the thread that waits, in nanoseconds, measured
 * now. */
int64_t lanes_lockwait_cost(void);

#endif
