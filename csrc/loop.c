#include "loop.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS 256 /* taken from the kernel in one go */

struct lanes_watch {
    lanes_ready_fn *ready; /* NULL: nobody is watching */
    void *ctx;             /* borrowed */
    uint32_t wanted;       /* by the watcher */
    uint32_t registered;   /* with the kernel; 0: not at all */
    bool is_adopted;       /* we shall be told before it is closed */
};

int lanes_loop_open(struct lanes_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN};
    int rc;

    memset(loop, 0, sizeof(*loop));
    loop->armed = INT64_MAX;
    loop->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->timer_fd < 0)
        return -errno;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = loop->timer_fd;
    if (loop->epoll_fd >= 0 &&
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) == 0)
        return 0;
    rc = -errno;
    lanes_loop_close(loop);
    return rc;
}

void lanes_loop_close(struct lanes_loop *loop)
{
    free(loop->heap);
    free(loop->watches);
    close(loop->timer_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
}

/* ---- descriptors ---- */

static struct lanes_watch *watch_of(struct lanes_loop *loop, int fd)
{
    return (size_t)fd < loop->n_watches ? &loop->watches[fd] : NULL;
}

static int make_room(struct lanes_loop *loop, int fd)
{
    size_t n = loop->n_watches ? loop->n_watches : 64;
    struct lanes_watch *watches;

    while (n <= (size_t)fd)
        n *= 2;
    watches = realloc(loop->watches, n * sizeof(*watches));
    if (watches == NULL)
        return -ENOMEM;
    memset(watches + loop->n_watches, 0,
           (n - loop->n_watches) * sizeof(*watches));
    loop->watches = watches;
    loop->n_watches = n;
    return 0;
}

static int enroll(struct lanes_loop *loop, int fd, struct lanes_watch *watch)
{
    struct epoll_event event = {.events = watch->wanted, .data.fd = fd};
    int op = watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int rc = epoll_ctl(loop->epoll_fd, op, fd, &event);

    /* Someone closed the number and opened it again behind our back. */
    if (rc < 0 && errno == ENOENT)
        rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    else if (rc < 0 && errno == EEXIST)
        rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
    if (rc < 0)
        return -errno;
    watch->registered = watch->wanted;
    return 0;
}

/* The watch of a descriptor, made if need be; NULL if there is no memory. */
static struct lanes_watch *watch_for(struct lanes_loop *loop, int fd)
{
    if (watch_of(loop, fd) == NULL && make_room(loop, fd) < 0)
        return NULL;
    return watch_of(loop, fd);
}

static void withdraw(struct lanes_loop *loop, int fd, struct lanes_watch *watch)
{
    if (watch->registered != 0)
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    watch->registered = 0;
}

int lanes_loop_watch(struct lanes_loop *loop, int fd, uint32_t events,
                     lanes_ready_fn *ready, void *ctx)
{
    struct lanes_watch *watch = watch_for(loop, fd);

    if (watch == NULL)
        return -ENOMEM;
    watch->ready = ready;
    watch->ctx = ctx;
    watch->wanted = events;
    return watch->registered == events ? 0 : enroll(loop, fd, watch);
}

void lanes_loop_unwatch(struct lanes_loop *loop, int fd)
{
    struct lanes_watch *watch = watch_of(loop, fd);

    if (watch == NULL)
        return;
    watch->ready = NULL;
    if (!watch->is_adopted)
        withdraw(loop, fd, watch);
}

void lanes_loop_adopt(struct lanes_loop *loop, int fd)
{
    struct lanes_watch *watch = watch_for(loop, fd);

    if (watch != NULL) /* else it is not adopted, which only costs calls */
        *watch = (struct lanes_watch){.is_adopted = true};
}

void lanes_loop_drop(struct lanes_loop *loop, int fd)
{
    struct lanes_watch *watch = watch_of(loop, fd);

    if (watch == NULL)
        return;
    withdraw(loop, fd, watch);
    memset(watch, 0, sizeof(*watch));
}

static void dispatch(struct lanes_loop *loop, int fd, uint32_t events)
{
    struct lanes_watch *watch = watch_of(loop, fd);

    if (watch == NULL || !watch->registered)
        return; /* dropped by a callback in this same batch of events */
    if (watch->ready != NULL) {
        watch->ready(watch->ctx, fd, events);
        return;
    }
    /* Something stirs on a descriptor nobody watches, such as a server that
     * closes an idle connection: now it is worth a system call. */
    withdraw(loop, fd, watch);
}

/* ---- timers: a binary heap, counted from 1 ---- */

static void put(struct lanes_loop *loop, size_t place,
                struct lanes_timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

static void sift_up(struct lanes_loop *loop, struct lanes_timer *timer)
{
    size_t place = timer->place;

    while (place > 1 && loop->heap[place / 2]->due > timer->due) {
        put(loop, place, loop->heap[place / 2]);
        place /= 2;
    }
    put(loop, place, timer);
}

static void sift_down(struct lanes_loop *loop, struct lanes_timer *timer)
{
    size_t place = timer->place;

    for (;;) {
        size_t child = 2 * place;

        if (child < loop->n_timers &&
            loop->heap[child + 1]->due < loop->heap[child]->due)
            child++;
        if (child > loop->n_timers || loop->heap[child]->due >= timer->due)
            break;
        put(loop, place, loop->heap[child]);
        place = child;
    }
    put(loop, place, timer);
}

int lanes_loop_set_timer(struct lanes_loop *loop, struct lanes_timer *timer,
                         int64_t due)
{
    if (timer->place == 0) {
        if (loop->n_timers + 1 >= loop->heap_room) {
            size_t room = loop->heap_room ? 2 * loop->heap_room : 64;
            struct lanes_timer **heap =
                realloc(loop->heap, room * sizeof(struct lanes_timer *));

            if (heap == NULL)
                return -ENOMEM;
            loop->heap = heap;
            loop->heap_room = room;
        }
        put(loop, ++loop->n_timers, timer);
    }
    timer->due = due;
    sift_up(loop, timer);
    sift_down(loop, timer);
    return 0;
}

void lanes_loop_clear_timer(struct lanes_loop *loop, struct lanes_timer *timer)
{
    size_t place = timer->place;
    struct lanes_timer *last;

    if (place == 0)
        return;
    timer->place = 0;
    last = loop->heap[loop->n_timers--];
    if (last == timer)
        return;
    put(loop, place, last);
    sift_up(loop, last);
    sift_down(loop, last);
}

/* Fire what is due by now; what callbacks set for later waits for the next
 * step. */
static bool fire_due(struct lanes_loop *loop)
{
    int64_t now;
    bool fired = false;

    if (loop->n_timers == 0)
        return false;
    now = lanes_clock_now();
    while (loop->n_timers > 0 && loop->heap[1]->due <= now) {
        struct lanes_timer *timer = loop->heap[1];

        lanes_loop_clear_timer(loop, timer);
        timer->fire(timer);
        fired = true;
    }
    return fired;
}

bool lanes_loop_is_due(const struct lanes_loop *loop)
{
    return loop->n_timers > 0 && loop->heap[1]->due <= lanes_clock_now();
}

void lanes_loop_arm(struct lanes_loop *loop)
{
    struct itimerspec when = {0};
    int64_t due;

    if (loop->n_timers == 0 || loop->heap[1]->due >= loop->armed)
        return;
    due = loop->heap[1]->due;
    if (due < 1) /* at once; to the kernel 0 would mean never */
        due = 1;
    when.it_value.tv_sec = due / LANES_SECOND;
    when.it_value.tv_nsec = due % LANES_SECOND;
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    loop->armed = due;
}

int lanes_loop_step(struct lanes_loop *loop, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    uint64_t count;
    int n;

    if (fire_due(loop))
        timeout_ms = 0;
    else
        lanes_loop_arm(loop);
    n = epoll_wait(loop->epoll_fd, events, EVENTS, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == loop->timer_fd) {
            (void)!read(loop->timer_fd, &count, sizeof(count));
            loop->armed = INT64_MAX;
        } else {
            dispatch(loop, events[i].data.fd, events[i].events);
        }
    }
    return 0;
}
