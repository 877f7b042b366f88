#include "arrivals.h"

#include "clock.h"
#include "lock.h"

#include <errno.h>
#include <pthread.h>

struct lanes_board {
    pthread_mutex_t lock; /* of claims; outlives a process that dies with it */
    size_t bytes;
    size_t n;
    struct lanes_terms terms;
    _Atomic int64_t began; /* shared; 0: not yet */
    _Atomic bool is_ended; /* shared */

    /* Written under the lock. All before `head` have left the queue or never
     * entered it, and of those from `next` on nothing is decided. */
    _Alignas(64) size_t head;
    _Atomic size_t next, n_queued;

    _Alignas(64) _Atomic size_t n_admitted, n_rejected, n_started, n_finished;
    _Atomic int64_t latency;

    struct lanes_arrival arrivals[];
};

static size_t size_of(size_t n)
{
    return sizeof(struct lanes_board) + n * sizeof(struct lanes_arrival);
}

int lanes_arrivals_open(struct lanes_arrivals *arrivals, const int64_t *due,
                        size_t n, struct lanes_terms terms)
{
    int rc = lanes_area_open(&arrivals->area, "lanes-arrivals", size_of(n));

    if (rc < 0)
        return rc;
    arrivals->board = arrivals->area.memory;
    rc = lanes_lock_make(&arrivals->board->lock);
    if (rc < 0) {
        lanes_area_close(&arrivals->area);
        return rc;
    }
    arrivals->board->bytes = arrivals->area.size;
    arrivals->board->n = n;
    arrivals->board->terms = terms;
    for (size_t i = 0; i < n; i++)
        arrivals->board->arrivals[i].due = due[i];
    return 0;
}

int lanes_arrivals_attach(struct lanes_arrivals *arrivals, int fd)
{
    int rc = lanes_area_attach(&arrivals->area, fd);

    if (rc < 0)
        return rc;
    arrivals->board = arrivals->area.memory;
    if (arrivals->area.size >= sizeof(struct lanes_board) &&
        arrivals->board->bytes == arrivals->area.size)
        return 0;
    lanes_area_leave(&arrivals->area);
    return -EINVAL;
}

void lanes_arrivals_close(struct lanes_arrivals *arrivals)
{
    lanes_area_close(&arrivals->area);
    arrivals->board = NULL;
}

size_t lanes_arrivals_length(const struct lanes_arrivals *arrivals)
{
    return arrivals->board->n;
}

const struct lanes_arrival *
lanes_arrivals_at(const struct lanes_arrivals *arrivals, size_t n)
{
    return &arrivals->board->arrivals[n];
}

/* ---- time ---- */

int64_t lanes_arrivals_begin(struct lanes_arrivals *arrivals)
{
    int64_t began = lanes_arrivals_began(arrivals);
    int64_t now = lanes_clock_now();

    if (began == 0 &&
        atomic_compare_exchange_strong(&arrivals->board->began, &began, now))
        return now;
    return began;
}

int64_t lanes_arrivals_began(const struct lanes_arrivals *arrivals)
{
    return atomic_load(&arrivals->board->began);
}

int64_t lanes_arrivals_due(const struct lanes_arrivals *arrivals, size_t n)
{
    return lanes_arrivals_began(arrivals) + arrivals->board->arrivals[n].due;
}

void lanes_arrivals_end(struct lanes_arrivals *arrivals)
{
    atomic_store(&arrivals->board->is_ended, true);
}

bool lanes_arrivals_ended(const struct lanes_arrivals *arrivals)
{
    const struct lanes_board *board = arrivals->board;
    int64_t began = lanes_arrivals_began(arrivals);

    return atomic_load(&board->is_ended) ||
           (began != 0 && lanes_clock_now() - began >= board->terms.open);
}

/* ---- workers that take tasks themselves ---- */

/* Its last owner died within: what it was at is seen by what is done. Entries
 * are decided one by one, so all that counts them can be counted again. */
static void recover(struct lanes_board *board)
{
    size_t n = 0, queued = 0, rejected = 0;

    for (; n < board->n; n++) {
        int32_t state = atomic_load(&board->arrivals[n].state);

        if (state == LANES_COMING)
            break;
        queued += state == LANES_QUEUED;
        rejected += state == LANES_REJECTED;
    }
    board->head = 0;
    board->n_queued = queued; /* first: else it may seem that none is left */
    board->next = n;
    board->n_rejected = rejected;
}

static void lock(struct lanes_board *board)
{
    if (pthread_mutex_lock(&board->lock) != EOWNERDEAD)
        return;
    recover(board);
    pthread_mutex_consistent(&board->lock);
}

/* All that has arrived before a worker became free enters the queue, or finds
 * it full. */
static void let_in(struct lanes_board *board, int64_t since)
{
    const struct lanes_terms *terms = &board->terms;

    while (board->next < board->n && board->arrivals[board->next].due < since) {
        bool is_full =
            terms->rejects && terms->bound && board->n_queued >= terms->bound;

        atomic_store(&board->arrivals[board->next].state,
                     is_full ? LANES_REJECTED : LANES_QUEUED);
        if (is_full)
            board->n_rejected++;
        else
            board->n_queued++;
        board->next++;
    }
}

/* Whether there is an n-th, and it comes before all is over. */
static bool may_begin(const struct lanes_board *board, size_t n)
{
    return n < board->n && board->arrivals[n].due < board->terms.open;
}

/* The first in the queue, else the next to come; board->n when none is left that
 * may be begun. */
static size_t first(struct lanes_board *board)
{
    while (board->head < board->next &&
           atomic_load(&board->arrivals[board->head].state) != LANES_QUEUED)
        board->head++;
    return may_begin(board, board->head) ? board->head : board->n;
}

static void take(struct lanes_board *board, size_t n, int worker, int64_t now)
{
    atomic_store(&board->arrivals[n].claimed, now);
    atomic_store(&board->arrivals[n].state, worker + 1);
    if (n < board->next) {
        board->head = n + 1;
        board->n_queued--;
    } else {
        board->next++;
    }
}

bool lanes_arrivals_claim(struct lanes_arrivals *arrivals, int worker,
                          size_t *n)
{
    struct lanes_board *board = arrivals->board;
    int64_t began = lanes_arrivals_begin(arrivals);
    int64_t now;

    if (lanes_arrivals_ended(arrivals))
        return false;
    lock(board);
    now = lanes_clock_now(); /* in the order of the claims */
    let_in(board, now - began);
    *n = first(board);
    if (*n < board->n)
        take(board, *n, worker, now);
    pthread_mutex_unlock(&board->lock);
    return *n < board->n;
}

bool lanes_arrivals_has_free(const struct lanes_arrivals *arrivals)
{
    const struct lanes_board *board = arrivals->board;
    size_t n_queued = atomic_load(&board->n_queued);
    size_t next = atomic_load(&board->next);

    return !lanes_arrivals_ended(arrivals) &&
           (n_queued > 0 || may_begin(board, next));
}

/* ---- a producer ---- */

bool lanes_arrivals_admit(struct lanes_arrivals *arrivals, size_t n)
{
    struct lanes_board *board = arrivals->board;
    size_t n_queued =
        atomic_load(&board->n_admitted) - atomic_load(&board->n_started);

    if (board->terms.bound && n_queued >= board->terms.bound)
        return false;
    atomic_store(&board->arrivals[n].state, LANES_QUEUED);
    atomic_store(&board->arrivals[n].admitted, lanes_clock_now());
    atomic_fetch_add(&board->n_admitted, 1);
    return true;
}

void lanes_arrivals_reject(struct lanes_arrivals *arrivals, size_t n)
{
    atomic_store(&arrivals->board->arrivals[n].state, LANES_REJECTED);
    atomic_fetch_add(&arrivals->board->n_rejected, 1);
}

/* ---- all ---- */

void lanes_arrivals_start(struct lanes_arrivals *arrivals, size_t n,
                          int64_t now)
{
    /* First the time: what a producer then admits is later. */
    atomic_store(&arrivals->board->arrivals[n].started, now);
    atomic_fetch_add(&arrivals->board->n_started, 1);
}

void lanes_arrivals_finish(struct lanes_arrivals *arrivals, size_t n,
                           int64_t now)
{
    struct lanes_board *board = arrivals->board;

    if (atomic_load(&board->arrivals[n].started) == 0)
        return;
    atomic_store(&board->arrivals[n].finished, now);
    atomic_fetch_add(&board->latency, now - lanes_arrivals_due(arrivals, n));
    atomic_fetch_add(&board->n_finished, 1);
}

/* How many are due by then: they stand in order. */
static size_t arrived(const struct lanes_board *board, int64_t since)
{
    size_t low = 0, high = board->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (board->arrivals[middle].due <= since)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct lanes_progress
lanes_arrivals_progress(const struct lanes_arrivals *arrivals, int64_t now)
{
    const struct lanes_board *board = arrivals->board;
    int64_t began = lanes_arrivals_began(arrivals);

    /* Each by the ones it is made of first: finished have started. */
    size_t finished = atomic_load(&board->n_finished);
    size_t started = atomic_load(&board->n_started);

    return (struct lanes_progress){
        .arrived = began != 0 ? arrived(board, now - began) : 0,
        .rejected = atomic_load(&board->n_rejected),
        .started = started,
        .finished = finished,
        .latency = atomic_load(&board->latency),
    };
}
