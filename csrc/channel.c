/* channel: rings, bells, pipes and files.
 *
 * DESIGN. A ring has one writer and one reader, so two counters are all that they
 * share, and no lock is taken to move bytes. A long message goes through it in
 * pieces: while one end copies a piece in, the other copies the one before out,
 * on another processor, and both find the ring in their caches.
 *
 * Only who has nothing to do looks for a way to sleep, and each end has a bell
 * of its own for that. First it looks again for some microseconds, which is what
 * sleeping and being woken would cost: with a processor for each end the answer
 * comes within them. Where looking was in vain it looks half as long the next
 * time, and no longer at all after some; every sixteenth wait tries again. On one
 * processor it never does, and for an eventfd neither: that one is here to show
 * what a system call each way costs.
 *
 * Who is about to sleep says so and then looks once more; who has moved bytes
 * moves them and then looks whether somebody sleeps. Both orders are sequentially
 * consistent, so at least one of them sees the other.
 *
 * The C library's own condition is for threads. A process that is killed while
 * it waits on one leaves itself counted there, and who signals or destroys it
 * waits for the dead. On a futex nothing is counted.
 */
#include "channel.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RING 524288   /* bytes, each way: both are in a second-level cache */
#define PIECE 65536   /* of a message: of what both ends work on at once */
#define FILED 1048576 /* bytes written to a file in one go */
#define STINT 64      /* pieces in one step */
#define TIMED 4096    /* bytes: shorter copies are not timed */
#define SPINS 1000    /* looks before it sleeps: some 20 us */
#define SOON 50000    /* ns: a sleep this short was as good as looking */
#define PROBE 16      /* waits: of so many one looks again */
#define SLICE_MS 10   /* it sleeps no longer without asking */
#define HEAD sizeof(uint64_t) /* the size, which goes before the bytes */
#define LEAST_ROOM 4096

struct ring {
    _Alignas(64) _Atomic uint64_t sent;  /* shared: bytes since the beginning */
    _Alignas(64) _Atomic uint64_t taken; /* shared */
    _Alignas(64) char bytes[RING];
};

struct bell {
    _Alignas(64) _Atomic uint32_t is_asleep; /* shared; itself the futex */
    pthread_mutex_t mutex;                   /* of a condition only */
    pthread_cond_t rung;
    int fd; /* owned: of an eventfd only, else -1 */
};

struct lanes_pair {
    struct ring rings[2]; /* by sender */
    struct bell bells[2]; /* by side */
    _Alignas(64) _Atomic bool is_over;
    _Alignas(64) _Atomic int64_t copying[2]; /* ns, by side */
};

/* ---- what is copied, and how long that takes ---- */

static int64_t began(size_t size)
{
    return size >= TIMED ? lanes_clock_now() : 0;
}

static void count(const struct lanes_end *end, int64_t since)
{
    if (since != 0)
        atomic_fetch_add_explicit(&end->channel->pair->copying[end->side],
                                  lanes_clock_now() - since,
                                  memory_order_relaxed);
}

int64_t lanes_channel_copying(const struct lanes_channel *channel)
{
    return atomic_load(&channel->pair->copying[0]) +
           atomic_load(&channel->pair->copying[1]);
}

/* ---- buffers ---- */

void lanes_buffer_free(struct lanes_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct lanes_buffer){0};
}

/* Room for so many bytes; what is there already stays. */
static int make_room(struct lanes_buffer *buffer, size_t size, size_t there)
{
    char *bytes;

    if (size < LEAST_ROOM)
        size = LEAST_ROOM;
    if (size <= buffer->room)
        return 0;
    bytes = malloc(size); /* realloc would copy what was there before, too */
    if (bytes == NULL)
        return -ENOMEM;
    if (there > 0)
        memcpy(bytes, buffer->bytes, there);
    free(buffer->bytes);
    buffer->bytes = bytes;
    buffer->room = size;
    return 0;
}

/* ---- bells ---- */

/* How often to look before sleeping, at most. */
static unsigned most_spins(enum lanes_way way)
{
    cpu_set_t allowed;

    if (way != LANES_CONDITION && way != LANES_FUTEX)
        return 0;
    return sched_getaffinity(0, sizeof(allowed), &allowed) == 0 &&
                   CPU_COUNT(&allowed) > 1
               ? SPINS
               : 0;
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value,
                  const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static struct bell *bell_of(const struct lanes_end *end, int side)
{
    return &end->channel->pair->bells[side];
}

static void ring_bell(struct bell *bell, enum lanes_way way)
{
    const uint64_t one = 1;

    switch (way) {
    case LANES_CONDITION:
        pthread_mutex_lock(&bell->mutex);
        atomic_store(&bell->is_asleep, 0);
        pthread_cond_signal(&bell->rung);
        pthread_mutex_unlock(&bell->mutex);
        break;
    case LANES_FUTEX:
        atomic_store(&bell->is_asleep, 0);
        futex(&bell->is_asleep, FUTEX_WAKE, 1, NULL);
        break;
    default:
        atomic_store(&bell->is_asleep, 0);
        (void)!write(bell->fd, &one, sizeof(one));
    }
}

/* ---- rings ---- */

/* The side that sends what this end is about to move. */
static int sender(const struct lanes_end *end)
{
    return end->is_sending ? end->side : !end->side;
}

static struct ring *ring_of(const struct lanes_end *end)
{
    return &end->channel->pair->rings[sender(end)];
}

/* Bytes that can be moved now. */
static size_t movable(const struct lanes_end *end)
{
    struct ring *ring = ring_of(end);

    return end->is_sending ? RING - (end->at[1] - atomic_load(&ring->taken))
                           : atomic_load(&ring->sent) - end->at[0];
}

static bool is_over(const struct lanes_end *end)
{
    return atomic_load(&end->channel->pair->is_over);
}

/* Whether it is worth while to go on. Who waits for room waits for half of the
 * ring: to be woken for every piece costs more than the piece. */
static bool is_stirring(const struct lanes_end *end)
{
    return movable(end) >= (end->is_sending ? RING / 2 : 1) || is_over(end);
}

/* Bytes have moved: wake the other end if it sleeps, and this is what it waits
 * for. */
static void tell_other(const struct lanes_end *end)
{
    struct bell *bell = bell_of(end, !end->side);
    struct ring *ring = ring_of(end);

    if (!atomic_load(&bell->is_asleep))
        return;
    if (end->is_sending || atomic_load(&ring->sent) - end->at[0] <= RING / 2)
        ring_bell(bell, end->channel->way);
}

static char *bytes_of(const struct lanes_end *end)
{
    return end->is_sending ? (char *)end->data : end->buffer->bytes;
}

static bool is_through(const struct lanes_end *end)
{
    return end->head == HEAD && end->done == end->size;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Move at most so many bytes between the ring and here; how many it were. */
static size_t move(struct lanes_end *end, char *here, size_t most)
{
    uint64_t *at = &end->at[end->is_sending];
    size_t offset = *at % RING;
    size_t n = least(most, RING - offset);
    char *there = ring_of(end)->bytes + offset;
    int64_t since = began(n);

    if (end->is_sending)
        memcpy(there, here, n);
    else
        memcpy(here, there, n);
    count(end, since);
    *at += n;
    return n;
}

/* The next piece of the message; or of its size, of which alone nobody is told,
 * for the message follows. */
static int move_piece(struct lanes_end *end, size_t most)
{
    struct ring *ring = ring_of(end);

    if (end->head < HEAD) {
        end->head += move(end, (char *)&end->size + end->head,
                          least(most, HEAD - end->head));
        return end->head == HEAD && !end->is_sending
                   ? make_room(end->buffer, end->size, 0)
                   : 0;
    }
    most = least(most, least(end->size - end->done, PIECE));
    end->done += move(end, bytes_of(end) + end->done, most);
    atomic_store(end->is_sending ? &ring->sent : &ring->taken,
                 end->at[end->is_sending]);
    tell_other(end);
    return 0;
}

static int step_ring(struct lanes_end *end)
{
    for (int n = 0; n < STINT; n++) {
        size_t most = movable(end);
        int rc;

        if (is_over(end))
            return -EPIPE;
        if (most == 0)
            return -EAGAIN;
        rc = move_piece(end, most);
        if (rc < 0 || is_through(end))
            return rc;
    }
    return 1;
}

/* Before it waits by an eventfd: say so, and look once more. */
static int step_belled(struct lanes_end *end)
{
    struct bell *bell = bell_of(end, end->side);
    uint64_t times;
    int rc = step_ring(end);

    if (rc != -EAGAIN)
        return rc;
    (void)!read(bell->fd, &times, sizeof(times)); /* rung before, not now */
    atomic_store(&bell->is_asleep, 1);
    if (!is_stirring(end))
        return -EAGAIN;
    atomic_store(&bell->is_asleep, 0);
    return 1;
}

/* ---- pipes and files ---- */

static int pipe_end(const struct lanes_end *end)
{
    return end->channel->pipes[sender(end)][end->is_sending];
}

/* What a call that moves bytes has come to: how many, or a negative errno. */
static ssize_t moved(struct lanes_end *end, ssize_t n, int64_t since)
{
    if (n <= 0)
        return n == 0 ? -EPIPE : -errno;
    count(end, since);
    return n;
}

/* Move bytes of the size and, unless that goes alone, of the message: a short
 * one comes with its size. */
static int move_piped(struct lanes_end *end, bool alone)
{
    struct iovec parts[2] = {
        {(char *)&end->size + end->head, HEAD - end->head},
        {.iov_len = 0},
    };
    bool is_known = end->is_sending || end->head == HEAD;
    size_t whole = is_known ? end->size : end->buffer->room;
    int64_t since = began(is_known ? end->size : 0);
    size_t n;
    ssize_t rc;

    if (!alone)
        parts[1] = (struct iovec){bytes_of(end) + end->done, whole - end->done};
    rc = end->is_sending ? writev(pipe_end(end), parts, 2)
                         : readv(pipe_end(end), parts, 2);
    rc = moved(end, rc, since);
    if (rc < 0)
        return (int)rc;
    n = least((size_t)rc, HEAD - end->head);
    end->head += n;
    end->done += (size_t)rc - n;
    return 0;
}

static int step_pipe(struct lanes_end *end)
{
    for (int n = 0; n < STINT; n++) {
        int rc = 0;

        if (is_over(end))
            return -EPIPE;
        if (!end->is_sending)
            rc = make_room(end->buffer, end->head < HEAD ? 0 : end->size,
                           end->done);
        if (rc == 0)
            rc = move_piped(end, false);
        if (rc < 0 || is_through(end))
            return rc;
    }
    return 1;
}

/* Write or read a piece of the file. */
static int move_filed(struct lanes_end *end)
{
    const int fd = end->channel->files[sender(end)];
    size_t n = least(end->size - end->done, FILED);
    char *bytes = bytes_of(end) + end->done;
    int64_t since = began(n);
    ssize_t rc = end->is_sending ? pwrite(fd, bytes, n, (off_t)end->done)
                                 : pread(fd, bytes, n, (off_t)end->done);

    rc = moved(end, rc, since);
    if (rc < 0)
        return (int)rc;
    end->done += (size_t)rc;
    return 0;
}

/* The size tells that the file is there: it goes last, and comes first. */
static int step_file(struct lanes_end *end)
{
    bool is_told = end->is_sending ? end->done == end->size : end->head < HEAD;
    int rc;

    if (is_over(end))
        return -EPIPE;
    rc = is_told ? move_piped(end, true) : move_filed(end);
    if (rc < 0 || is_through(end))
        return rc;
    if (!end->is_sending && end->head == HEAD)
        rc = make_room(end->buffer, end->size, end->done);
    return rc < 0 ? rc : 1;
}

/* ---- the contract: an end ---- */

void lanes_end_init(struct lanes_end *end, struct lanes_channel *channel,
                    int side)
{
    *end = (struct lanes_end){
        .channel = channel,
        .side = side,
        .most_spins = most_spins(channel->way),
    };
    end->spins = end->most_spins;
}

void lanes_end_send(struct lanes_end *end, const void *data, size_t size)
{
    end->is_sending = true;
    end->data = data;
    end->size = size;
    end->head = end->done = 0;
}

void lanes_end_receive(struct lanes_end *end, struct lanes_buffer *buffer)
{
    end->is_sending = false;
    end->buffer = buffer;
    end->size = 0;
    end->head = end->done = 0;
}

static int step(struct lanes_end *end)
{
    switch (end->channel->way) {
    case LANES_EVENTFD:
        return step_belled(end);
    case LANES_PIPE:
        return step_pipe(end);
    case LANES_FILE:
        return step_file(end);
    default:
        return step_ring(end);
    }
}

int lanes_end_step(struct lanes_end *end)
{
    int rc = step(end);

    if (rc == 0 && !end->is_sending)
        end->buffer->size = end->size;
    return rc == -EINTR ? 1 : rc;
}

int lanes_end_fd(const struct lanes_end *end, uint32_t *events)
{
    *events = EPOLLIN;
    switch (end->channel->way) {
    case LANES_EVENTFD:
        return bell_of(end, end->side)->fd;
    case LANES_PIPE:
    case LANES_FILE:
        *events = end->is_sending ? EPOLLOUT : EPOLLIN;
        return pipe_end(end);
    default:
        return -1;
    }
}

/* ---- waiting ---- */

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Look for a while whether something stirs. */
static bool look(struct lanes_end *end)
{
    if (++end->waits % PROBE == 0)
        end->spins = end->most_spins;
    for (unsigned n = 0; n < end->spins; n++) {
        if (is_stirring(end))
            return true;
        pause_briefly();
    }
    return false;
}

static void sleep_by_condition(struct lanes_end *end, struct bell *bell)
{
    int64_t until = lanes_clock_now() + SLICE_MS * LANES_MS;
    struct timespec time = {until / LANES_SECOND, until % LANES_SECOND};
    int rc = 0;

    pthread_mutex_lock(&bell->mutex);
    atomic_store(&bell->is_asleep, 1);
    while (!is_stirring(end) && atomic_load(&bell->is_asleep) && rc == 0)
        rc = pthread_cond_timedwait(&bell->rung, &bell->mutex, &time);
    atomic_store(&bell->is_asleep, 0);
    pthread_mutex_unlock(&bell->mutex);
}

static void sleep_by_futex(struct lanes_end *end, struct bell *bell)
{
    const struct timespec slice = {.tv_nsec = SLICE_MS * LANES_MS};

    atomic_store(&bell->is_asleep, 1);
    if (!is_stirring(end))
        futex(&bell->is_asleep, FUTEX_WAIT, 1, &slice);
    atomic_store(&bell->is_asleep, 0);
}

static void sleep_by_poll(const struct lanes_end *end)
{
    struct pollfd due = {0};
    uint32_t events;

    due.fd = lanes_end_fd(end, &events);
    due.events = events == EPOLLIN ? POLLIN : POLLOUT;
    poll(&due, 1, SLICE_MS);
}

/* Sleep until the other end has done something, or for a slice. */
static void nap(struct lanes_end *end)
{
    struct bell *bell = bell_of(end, end->side);
    int64_t since = lanes_clock_now();

    switch (end->channel->way) {
    case LANES_CONDITION:
        sleep_by_condition(end, bell);
        break;
    case LANES_FUTEX:
        sleep_by_futex(end, bell);
        break;
    default:
        sleep_by_poll(end);
    }
    if (lanes_clock_now() - since > SOON)
        end->spins /= 2;
}

int lanes_end_finish(struct lanes_end *end)
{
    int rc;

    while ((rc = lanes_end_step(end)) == -EAGAIN || rc == 1) {
        if (rc == -EAGAIN) {
            if (end->most_spins > 0 && look(end))
                continue;
            nap(end);
        }
        if (end->may_wait != NULL && !end->may_wait(end->ctx))
            return -ECANCELED;
    }
    return rc;
}

/* ---- the contract: a channel ---- */

static int open_pipes(struct lanes_channel *channel)
{
    for (int side = 0; side < 2; side++)
        if (pipe2(channel->pipes[side], O_CLOEXEC | O_NONBLOCK) < 0)
            return -errno;
    return 0;
}

/* A file that has no name and goes with its last descriptor. */
static int open_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[PATH_MAX];
    int fd;

    if (folder == NULL || *folder == '\0')
        folder = P_tmpdir;
    fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (snprintf(path, sizeof(path), "%s/lanes-XXXXXX", folder) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC); /* not every file system can */
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

static int open_files(struct lanes_channel *channel)
{
    int rc = open_pipes(channel);

    for (int side = 0; side < 2 && rc == 0; side++) {
        int fd = open_file();

        if (fd < 0)
            rc = fd;
        else
            channel->files[side] = fd;
    }
    return rc;
}

static int open_bell(struct bell *bell, enum lanes_way way)
{
    pthread_condattr_t attributes;

    if (way == LANES_EVENTFD) {
        bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return bell->fd < 0 ? -errno : 0;
    }
    if (way != LANES_CONDITION)
        return 0;
    pthread_mutex_init(&bell->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&bell->rung, &attributes);
    pthread_condattr_destroy(&attributes);
    return 0;
}

int lanes_channel_open(struct lanes_channel *channel, enum lanes_way way)
{
    struct lanes_pair *pair = mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rc = 0;

    if (pair == MAP_FAILED)
        return -errno;
    *channel = (struct lanes_channel){
        .way = way,
        .pair = pair,
        .pipes = {{-1, -1}, {-1, -1}},
        .files = {-1, -1},
    };
    pair->bells[0].fd = pair->bells[1].fd = -1;
    if (way == LANES_PIPE)
        rc = open_pipes(channel);
    else if (way == LANES_FILE)
        rc = open_files(channel);
    for (int side = 0; side < 2 && rc == 0; side++)
        rc = open_bell(&pair->bells[side], way);
    if (rc < 0)
        lanes_channel_close(channel);
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_bell(struct bell *bell, enum lanes_way way)
{
    close_fd(&bell->fd);
    if (way != LANES_CONDITION)
        return;
    pthread_cond_destroy(&bell->rung);
    pthread_mutex_destroy(&bell->mutex);
}

void lanes_channel_close(struct lanes_channel *channel)
{
    for (int side = 0; side < 2; side++) {
        close_fd(&channel->pipes[side][0]);
        close_fd(&channel->pipes[side][1]);
        close_fd(&channel->files[side]);
        close_bell(&channel->pair->bells[side], channel->way);
    }
    munmap(channel->pair, sizeof(*channel->pair));
    channel->pair = NULL;
}

void lanes_channel_keep(struct lanes_channel *channel, int side)
{
    close_fd(&channel->pipes[side][0]);
    close_fd(&channel->pipes[!side][1]);
}

void lanes_channel_hang_up(struct lanes_channel *channel, int side)
{
    atomic_store(&channel->pair->is_over, true);
    close_fd(&channel->pipes[side][1]);
    close_fd(&channel->pipes[!side][0]);
    if (channel->way < LANES_PIPE)
        ring_bell(&channel->pair->bells[!side], channel->way);
}

size_t lanes_channel_fds(const struct lanes_channel *channel, int *fds)
{
    size_t n = 0;

    for (int side = 0; side < 2; side++) {
        fds[n] = channel->pair->bells[side].fd;
        n += fds[n] >= 0;
        fds[n] = channel->pipes[side][side];
        n += fds[n] >= 0;
        fds[n] = channel->pipes[side][!side];
        n += fds[n] >= 0;
    }
    return n;
}
