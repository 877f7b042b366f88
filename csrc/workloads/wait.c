/* wait: a pure timer, so that the ideal time is known. */
#include "clock.h"
#include "loop.h"
#include "worker.h"
#include "workload.h"

#include <errno.h>
#include <stdlib.h>

static const char *check(const struct lanes_input *input)
{
    return input->args[0] < 0 || input->args[0] > LANES_LONGEST
               ? "a wait takes a duration of 0 to 2**51 ns (26 days)"
               : NULL;
}

static void run(struct lanes_worker *worker, struct lanes_task *task)
{
    const int64_t ns = task->input.args[0];

    /* Whoever waits for nothing need not look at the clock, which takes as long
     * as all the rest of an empty task does. */
    if (ns == 0 || lanes_worker_sleep(worker, lanes_clock_now() + ns))
        lanes_task_succeed(task, 0, NULL);
}

/* ---- without blocking: one timer a place ---- */

struct nap {
    struct lanes_timer timer;    /* first: the loop gives it back */
    struct lanes_flight *flight; /* borrowed */
    struct lanes_task *task;     /* borrowed while under way */
    size_t place;
};

static void wake(struct lanes_timer *timer)
{
    struct nap *nap = (struct nap *)timer;

    lanes_task_succeed(nap->task, 0, NULL);
    nap->flight->landed(nap->flight, nap->place);
}

static int open_evented(struct lanes_flight *flight)
{
    flight->state = calloc(flight->n_places, sizeof(struct nap));
    return flight->state != NULL ? 0 : -ENOMEM;
}

static void start(struct lanes_flight *flight, size_t place,
                  struct lanes_task *task)
{
    struct nap *nap = (struct nap *)flight->state + place;

    *nap = (struct nap){{.fire = wake}, flight, task, place};
    if (lanes_loop_set_timer(flight->loop, &nap->timer,
                             lanes_clock_now() + task->input.args[0]) < 0) {
        lanes_task_fail(task, "OutOfMemory", "no memory for a timer");
        flight->landed(flight, place);
    }
}

static void close_evented(struct lanes_flight *flight)
{
    struct nap *naps = flight->state;

    for (size_t n = 0; n < flight->n_places; n++)
        lanes_loop_clear_timer(flight->loop, &naps[n].timer);
    free(naps);
}

static const struct lanes_evented evented = {
    .open = open_evented,
    .start = start,
    .close = close_evented,
};

const struct lanes_workload lanes_workload_wait = {
    .name = "wait",
    .check = check,
    .run = run,
    .evented = &evented,
};
