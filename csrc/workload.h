/* workload.h - the contract of a row: one kind of work. It knows one task at
 * a time; never Python, and never whether its worker is a thread, a process
 * or a loop.
 */
#ifndef LANES_WORKLOAD_H
#define LANES_WORKLOAD_H

#include "task.h"

#include <stdbool.h>
#include <stddef.h>

struct lanes_worker;
struct lanes_loop;

/* What an event loop lends to the work on it: places, each for one task. */
struct lanes_flight {
    struct lanes_loop *loop; /* borrowed */
    size_t n_places;
    void *state; /* owned by the workload, from open to close */
    int error;   /* 0, or why the workload cannot go on: a negative errno */

    /* The workload says that the task in this place is finished. The place is
     * filled again later, never from within this call. */
    void (*landed)(struct lanes_flight *flight, size_t place);

    /* Is the run to stop? Long work asks every millisecond or so. A task that is
     * given up for it lands without an outcome, or not at all. */
    bool (*stopping)(struct lanes_flight *flight);
};

/* The same work without blocking. */
struct lanes_evented {
    int (*open)(struct lanes_flight *flight);
    void (*start)(struct lanes_flight *flight, size_t place,
                  struct lanes_task *task);
    void (*close)(struct lanes_flight *flight); /* tasks may be under way */
};

struct lanes_workload {
    const char *name;

    /* NULL, or what is wrong with an input and what is allowed. */
    const char *(*check)(const struct lanes_input *input);

    /* NULL, or how many bytes of batch->area a task with this input needs. All
     * workers of a run share the area, which is zeros when it begins and lies on
     * pages of its own; where there are no tasks there may be none. */
    size_t (*area)(const struct lanes_input *input);

    /* What a blocking worker keeps from task to task goes to worker->state;
     * both may be NULL. Returns 0 or a negative errno. */
    int (*open)(struct lanes_worker *worker);
    void (*close)(struct lanes_worker *worker);

    /* Do one task from start to end. May block, but gives up soon after
     * lanes_worker_stopping(). Cannot fail: a failure of the work is an
     * outcome. */
    void (*run)(struct lanes_worker *worker, struct lanes_task *task);

    /* NULL if the work never waits: a loop gains nothing and calls run(). */
    const struct lanes_evented *evented;
};

extern const struct lanes_workload lanes_workload_compute;
extern const struct lanes_workload lanes_workload_download;

/* Where module.c finds the row that comes with a library of its own. */
#define LANES_DOWNLOAD_CAPSULE "lanes._download.workload"
extern const struct lanes_workload lanes_workload_wait;
extern const struct lanes_workload lanes_workload_counter;
extern const struct lanes_workload lanes_workload_exchange;

#endif
