/* arrivals.h - tasks that come with time: when each is due, which of them the
 * queue has room for, and how far each has come; in memory shared by threads,
 * by processes and by whoever looks on. It must not know what a task does.
 *
 * DESIGN. Where workers take the tasks themselves there is no producer. Order
 * and times are known, so a worker that is free claims the next arrival ahead
 * and waits for its time, and nobody is woken in vain. What a full queue does to
 * arrivals while all are busy is made up for at the next claim, and comes out as
 * at their time: between two claims the queue can only grow. Where a library has
 * a queue of its own, a producer admits each arrival to it at its time. Either
 * way a worker says when it starts a task and when it has finished it.
 */
#ifndef LANES_ARRIVALS_H
#define LANES_ARRIVALS_H

#include "area.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has become of an arrival; above these, the index + 1 of the worker that
 * has claimed it. One word, so that a worker that is killed right after its
 * claim is still known. */
enum { LANES_COMING = 0, LANES_QUEUED = -1, LANES_REJECTED = -2 };

/* One arrival. Times are CLOCK_MONOTONIC in nanoseconds, 0 while it has not come
 * so far; one writer each. */
struct lanes_arrival {
    int64_t due; /* since the beginning */
    _Atomic int32_t state;
    _Atomic int64_t admitted; /* by a producer; 0 where there is none */
    _Atomic int64_t claimed;  /* by a worker itself: out of the queue or, if
                               * that is before it is due, ahead of it */
    _Atomic int64_t started;
    _Atomic int64_t finished;
};

struct lanes_board;

struct lanes_arrivals {
    struct lanes_area area;    /* owned */
    struct lanes_board *board; /* what lies in it */
};

/* How it is to be. */
struct lanes_terms {
    size_t bound; /* tasks that may wait in the queue; 0: any number */
    bool rejects; /* what comes to a full queue, which else makes it wait */
    int64_t open; /* nothing is begun so long after the beginning, or later */
};

/* How far it has come. */
struct lanes_progress {
    size_t arrived, rejected, started, finished;
    int64_t latency; /* of the finished, since they were due: the sum */
};

/* These arrivals, due in order. Returns 0 or a negative errno. */
int lanes_arrivals_open(struct lanes_arrivals *arrivals, const int64_t *due,
                        size_t n, struct lanes_terms terms);

/* The same in a process that was not forked: as lanes_area_attach(). */
int lanes_arrivals_attach(struct lanes_arrivals *arrivals, int fd);
void lanes_arrivals_close(struct lanes_arrivals *arrivals);

size_t lanes_arrivals_length(const struct lanes_arrivals *arrivals);
const struct lanes_arrival *
lanes_arrivals_at(const struct lanes_arrivals *arrivals, size_t n);

/* Begin, unless that is done, and say when that was. */
int64_t lanes_arrivals_begin(struct lanes_arrivals *arrivals);

/* When it began; 0: not yet. */
int64_t lanes_arrivals_began(const struct lanes_arrivals *arrivals);

/* When the n-th is due. */
int64_t lanes_arrivals_due(const struct lanes_arrivals *arrivals, size_t n);

/* Nothing more is to be begun, from now on or for so long already. */
void lanes_arrivals_end(struct lanes_arrivals *arrivals);
bool lanes_arrivals_ended(const struct lanes_arrivals *arrivals);

/* For workers that take tasks themselves: the first one in the queue, else the
 * next to come, which is not due yet. False when there is none. */
bool lanes_arrivals_claim(struct lanes_arrivals *arrivals, int worker,
                          size_t *n);

/* Whether there is one left. Waits for nobody. */
bool lanes_arrivals_has_free(const struct lanes_arrivals *arrivals);

/* For a producer: enter the queue; false when it is full. Then either reject it,
 * or ask again once a task has started. */
bool lanes_arrivals_admit(struct lanes_arrivals *arrivals, size_t n);
void lanes_arrivals_reject(struct lanes_arrivals *arrivals, size_t n);

/* The n-th has left the queue, is finished: at these times. What was never
 * started, as its worker died waiting for its time, does not finish either. */
void lanes_arrivals_start(struct lanes_arrivals *arrivals, size_t n,
                          int64_t now);
void lanes_arrivals_finish(struct lanes_arrivals *arrivals, size_t n,
                           int64_t now);

struct lanes_progress
lanes_arrivals_progress(const struct lanes_arrivals *arrivals, int64_t now);

#endif
