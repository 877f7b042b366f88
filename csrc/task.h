/* task.h - one unit of work: an input, and in the end an outcome and a span.
 * It must not know which workload reads it or which model runs it.
 *
 * Tasks lie in memory shared by threads and forked children alike. Whoever
 * claims a task is its one writer; the caller reads it after the run.
 */
#ifndef LANES_TASK_H
#define LANES_TASK_H

#include <stdatomic.h>
#include <stdint.h>

#define LANES_ARGS 4    /* numbers of an input */
#define LANES_VALUES 3  /* numbers of an outcome */
#define LANES_FIGURES 4 /* numbers that the work measured of itself */

enum lanes_status {
    LANES_PENDING, /* not finished (yet) */
    LANES_OK,
    LANES_FAILED, /* the work failed, as work may */
    LANES_KILLED, /* its worker died under it */
};

/* What few tasks have to say, and so lies apart from them: what the work
 * measured of itself, and why it failed, in words. */
struct lanes_notes {
    int64_t figures[LANES_FIGURES];
    const char *kind; /* borrowed: a static word, such as "ConnectError" */
    char text[152];   /* up to whole cache lines, as tasks have them */
};

/* What to do and how much of it; the workload says what it means. */
struct lanes_input {
    const char *text; /* borrowed: outlives the run */
    int64_t args[LANES_ARGS];
};

/* Where and when it ran. Times are CLOCK_MONOTONIC, in nanoseconds. */
struct lanes_span {
    int64_t claimed;
    int64_t started;
    int64_t finished;
    int64_t cpu; /* of the worker's thread from started to finished, to 10 us */
    int32_t process;
    int32_t thread;
    int32_t processor;
};

/* Two cache lines: neighbours, done by different workers, share none. */
struct lanes_task {
    _Alignas(64) struct lanes_input input;
    _Atomic int32_t owner; /* shared: index of the worker + 1, 0 if free */
    int16_t status;        /* enum lanes_status */
    int8_t n_values;
    int8_t n_figures;
    struct lanes_notes *notes; /* borrowed: room for them, in shared memory */
    int64_t values[LANES_VALUES];
    struct lanes_span span;
};

/* Say what came of the task; the last word stands. */
void lanes_task_succeed(struct lanes_task *task, int n_values,
                        const int64_t *values);
void lanes_task_fail(struct lanes_task *task, const char *kind,
                     const char *text);

/* Say what the work measured of itself besides its time, before or after what
 * came of it. What each figure means is the workload's to know. */
void lanes_task_measured(struct lanes_task *task, int n_figures,
                         const int64_t *figures);

#endif
