/* loop.h - descriptors and timers on one thread: epoll and a timerfd. It must
 * not know what waits behind a descriptor.
 *
 * Two system calls are saved wherever that is possible. A watcher that leaves
 * an adopted descriptor leaves it registered: the next transfer on a kept
 * connection finds it there (libcurl leaves and comes back for every request).
 * And the timerfd is set only when the next timer is due before it would fire
 * anyway.
 */
#ifndef LANES_LOOP_H
#define LANES_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void lanes_ready_fn(void *ctx, int fd, uint32_t events);

struct lanes_timer {
    void (*fire)(struct lanes_timer *timer);
    int64_t due;  /* CLOCK_MONOTONIC, nanoseconds */
    size_t place; /* in the heap, from 1; 0 when not set */
};

struct lanes_loop {
    int epoll_fd;  /* owned; itself pollable */
    int timer_fd;  /* owned */
    int64_t armed; /* when timer_fd fires, INT64_MAX if it does not */
    struct lanes_watch *watches; /* owned: one per descriptor number */
    size_t n_watches;
    struct lanes_timer **heap; /* owned array of borrowed timers, from 1 */
    size_t n_timers;
    size_t heap_room;
};

int lanes_loop_open(struct lanes_loop *loop);
void lanes_loop_close(struct lanes_loop *loop);

/* Have ready() called when the descriptor has one of these EPOLL* events.
 * Returns 0 or a negative errno. */
int lanes_loop_watch(struct lanes_loop *loop, int fd, uint32_t events,
                     lanes_ready_fn *ready, void *ctx);
void lanes_loop_unwatch(struct lanes_loop *loop, int fd);

/* The descriptor is new, and the loop will be told before it is closed: it may
 * stay registered while nobody watches. Of any other it is not known when it is
 * closed, and its number used again. */
void lanes_loop_adopt(struct lanes_loop *loop, int fd);

/* It is about to be closed. Another process may hold it open for longer, and it
 * would go on to report. */
void lanes_loop_drop(struct lanes_loop *loop, int fd);

/* Have timer->fire() called at `due`, once; a timer already set is moved. */
int lanes_loop_set_timer(struct lanes_loop *loop, struct lanes_timer *timer,
                         int64_t due);
void lanes_loop_clear_timer(struct lanes_loop *loop, struct lanes_timer *timer);

/* Fire the timers that are due, then wait for at most timeout_ms, or not at all
 * if any was, and call back what became ready. Returns 0 or a negative errno. */
int lanes_loop_step(struct lanes_loop *loop, int timeout_ms);

/* For a caller that waits for epoll_fd by its own means: have it become
 * readable when the next timer is due. */
void lanes_loop_arm(struct lanes_loop *loop);

/* Whether a timer is due, so that a step would not wait. */
bool lanes_loop_is_due(const struct lanes_loop *loop);

#endif
