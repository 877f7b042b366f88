/* model.h - the contract of a column: a way to run a batch on workers.
 * It must not know what a task is.
 */
#ifndef LANES_MODEL_H
#define LANES_MODEL_H

#include <stdbool.h>

struct lanes_batch;

struct lanes_model {
    const char *name;
    bool forks; /* needs a process in which fork is safe */

    /* Finish every task, or stop when the batch says so. Returns 0, -EINTR
     * when stopped, or the negative errno of a worker that could not be had;
     * all threads, children and descriptors are gone by then, but for a
     * look-up that libcurl gave up and the system has not. A task that failed
     * is a result, not an error. */
    int (*run)(struct lanes_batch *batch);
};

extern const struct lanes_model lanes_model_serial;
extern const struct lanes_model lanes_model_pthreads;
extern const struct lanes_model lanes_model_fork;
extern const struct lanes_model lanes_model_epoll;

#endif
