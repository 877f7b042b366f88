/* model.h - the contract of a column: a way to run a batch on workers.
 * It must not know what a task is.
 *
 * There are two ways through a run. A caller that may wait calls
 * lanes_model_run(). One that must not, such as a thread with a loop of its
 * own, begins it, waits for its descriptor beside all else it waits for, steps,
 * and ends it.
 */
#ifndef LANES_MODEL_H
#define LANES_MODEL_H

#include <stdbool.h>

struct lanes_batch;
struct lanes_workload;

/* A run that was begun and has not been ended. The model keeps more behind it. */
struct lanes_run {
    struct lanes_batch *batch; /* borrowed */
    int fd; /* owned by the model: readable when step() has something to do */
};

struct lanes_model {
    const char *name;
    bool forks;     /* needs a process in which fork is safe */
    bool on_caller; /* works on the calling thread: of what is begun and
                     * stepped, only work that need not wait */

    /* Finish every task, or stop when the batch says so, as lanes_model_run().
     * NULL: what follows is all there is to it. */
    int (*run)(struct lanes_batch *batch);

    /* Start the workers, and return at once; NULL when they could not be had,
     * with the batch stopped for the reason. */
    struct lanes_run *(*begin)(struct lanes_batch *batch);

    /* Do what is due, without waiting; true once there is nothing more to wait
     * for. To be called once after begin() and then whenever the descriptor is
     * readable, on the same thread: forked workers die with it. */
    bool (*step)(struct lanes_run *run);

    /* Stop what is still under way (-ECANCELED) and let go of everything.
     * Returns as lanes_model_run(). */
    int (*end)(struct lanes_run *run);
};

/* Finish every task, or stop when the batch says so. Returns 0, -EINTR when
 * stopped, or the negative errno of a worker that could not be had; all threads,
 * children and descriptors are gone by then, but for a look-up that libcurl gave
 * up and the system has not. A task that failed is a result, not an error. */
int lanes_model_run(const struct lanes_model *model, struct lanes_batch *batch);

/* Whether this work may be begun and stepped on this model: whether the caller
 * will not be made to wait. */
bool lanes_model_can_begin(const struct lanes_model *model,
                           const struct lanes_workload *workload);

extern const struct lanes_model lanes_model_serial;
extern const struct lanes_model lanes_model_pthreads;
extern const struct lanes_model lanes_model_fork;
extern const struct lanes_model lanes_model_epoll;

#endif
