/* counter: all workers add to one number, again and again.
 *
 * `plain` reads it and writes it back, two steps between which another worker
 * may do the same: one of the two updates is lost. `locked` does that under a
 * lock, where it may be held for a while, and `atomic` in one step of the
 * processor. The number may be read and written at any time, also by `plain`:
 * its parts are relaxed atomics, which cost what an ordinary load and store do.
 *
 * Of the lock it is measured how long was waited for it, each time that it was
 * not free at once, and how long it was held: one time in EACH where that is not
 * asked for, as two looks at the clock take longer than the update. What a look
 * takes is not counted; and a hold in which the holder lost its processor counts
 * once, and not for those beside it that were not timed.
 */
#include "clock.h"
#include "lock.h"
#include "worker.h"
#include "workload.h"

#include <string.h>

#define INTERRUPTED_NS 20000
#define EACH 64     /* so many holds to one that is timed */
#define FUEL 4096   /* updates between two looks at the stop flag */
#define SLICE_MS 20 /* a wait for the lock, until the next look */
#define MOST_UPDATES (INT64_C(1) << 40)

/* What lies in the area. */
struct total {
    _Alignas(64) _Atomic int64_t number; /* shared; first: Python reads it */
    struct lanes_lock lock;
};

/* One task under way. */
struct count {
    struct lanes_worker *worker; /* borrowed */
    struct total *total;         /* shared */
    int64_t updates, hold;
    int64_t look; /* the time that a look at the clock takes */
    int64_t waited, held, n_timed;
    int64_t interrupted; /* in holds that are not among these */
};

static int64_t load(struct total *total)
{
    return atomic_load_explicit(&total->number, memory_order_relaxed);
}

static void store(struct total *total, int64_t number)
{
    atomic_store_explicit(&total->number, number, memory_order_relaxed);
}

static bool is_due(const struct count *count, int64_t n)
{
    return n % FUEL == 0 && lanes_worker_stopping(count->worker);
}

/* ---- the steps: false when the run is to stop first ---- */

static bool plain(struct count *count)
{
    for (int64_t n = 0; n < count->updates; n++) {
        if (is_due(count, n))
            return false;
        store(count->total, load(count->total) + 1);
    }
    return true;
}

static bool atomic(struct count *count)
{
    for (int64_t n = 0; n < count->updates; n++) {
        if (is_due(count, n))
            return false;
        atomic_fetch_add_explicit(&count->total->number, 1,
                                  memory_order_relaxed);
    }
    return true;
}

static bool take(struct count *count)
{
    struct lanes_lock *lock = &count->total->lock;
    int64_t since;

    if (lanes_lock_try(lock))
        return true;
    since = lanes_clock_now();
    while (!lanes_lock_take(lock, SLICE_MS))
        if (lanes_worker_stopping(count->worker))
            return false;
    count->waited += lanes_clock_now() - since;
    return true;
}

static void note(struct count *count, int64_t ns)
{
    if (count->hold == 0 && ns > INTERRUPTED_NS) {
        count->interrupted += ns;
        return;
    }
    count->held += ns;
    count->n_timed++;
}

/* The update, and what else is to be done before the lock is given back. */
static bool hold(struct count *count)
{
    int64_t since = lanes_clock_now(), now;

    store(count->total, load(count->total) + 1);
    do
        now = lanes_clock_now();
    while (now - since < count->hold && !lanes_worker_stopping(count->worker));
    note(count, now - since > count->look ? now - since - count->look : 0);
    return now - since >= count->hold;
}

static int64_t cost_of_look(void)
{
    int64_t least = INT64_MAX;

    for (int n = 0; n < 8; n++) {
        int64_t since = lanes_clock_now();
        int64_t cost = lanes_clock_now() - since;

        least = cost < least ? cost : least;
    }
    return least;
}

static bool locked(struct count *count)
{
    bool goes_on = true;

    count->look = cost_of_look();
    for (int64_t n = 0; n < count->updates && goes_on; n++) {
        if (is_due(count, n) || !take(count))
            return false;
        if (count->hold > 0 || n % EACH == 0)
            goes_on = hold(count);
        else
            store(count->total, load(count->total) + 1);
        lanes_lock_give(&count->total->lock);
    }
    return goes_on;
}

static const struct step {
    const char *name;
    bool (*run)(struct count *count);
} steps[] = {
    {"plain", plain},
    {"atomic", atomic},
    {"locked", locked},
};

static const struct step *find(const char *name)
{
    for (size_t n = 0; n < sizeof(steps) / sizeof(steps[0]); n++)
        if (strcmp(steps[n].name, name) == 0)
            return &steps[n];
    return NULL;
}

/* ---- the workload ---- */

static const char *check(const struct lanes_input *input)
{
    if (find(input->text) == NULL)
        return "the steps are plain, atomic and locked";
    if (input->args[0] < 1 || input->args[0] > MOST_UPDATES)
        return "a task makes from 1 to 2**40 updates";
    return input->args[1] < 0 || input->args[1] > LANES_LONGEST
               ? "a lock is held for 0 to 2**51 ns (26 days)"
               : NULL;
}

static size_t area(const struct lanes_input *input)
{
    (void)input;
    return sizeof(struct total);
}

/* Without an area there are no tasks either. */
static int open_lock(struct lanes_worker *worker)
{
    const struct lanes_batch *batch = worker->batch;
    struct total *total = batch->area;

    return batch->area_size < sizeof(*total) ? 0
                                             : lanes_lock_open(&total->lock);
}

/* All holds together, as far as those that were timed can tell. */
static void measured(struct lanes_task *task, const struct count *count)
{
    double many = count->n_timed > 0
                      ? (double)count->updates / (double)count->n_timed
                      : 0.0;
    int64_t held = (int64_t)((double)count->held * many) + count->interrupted;

    lanes_task_measured(task, 2, (int64_t[]){count->waited, held});
}

static void run(struct lanes_worker *worker, struct lanes_task *task)
{
    const struct step *step = find(task->input.text);
    struct count count = {
        .worker = worker,
        .total = worker->batch->area,
        .updates = task->input.args[0],
        .hold = task->input.args[1],
    };

    if (!step->run(&count))
        return;
    if (step->run == locked)
        measured(task, &count);
    lanes_task_succeed(task, 1, &count.updates);
}

const struct lanes_workload lanes_workload_counter = {
    .name = "counter",
    .check = check,
    .area = area,
    .open = open_lock,
    .run = run,
};
