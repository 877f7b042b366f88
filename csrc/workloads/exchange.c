/* exchange: each task hands a payload to a partner, which answers with it.
 *
 * What is timed is the way there and back. Checking the answer comes after it:
 * the CRC-32 of a payload takes about as long as copying it.
 *
 * On a loop the partner is on the loop as well, at the other end of the place's
 * own channel; else it is a peer of the worker, started with its first task.
 */
#include "channel.h"
#include "clock.h"
#include "loop.h"
#include "peer.h"
#include "worker.h"
#include "workload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MOST (INT64_C(1) << 26) /* bytes; in so many no step takes long */
#define PERIOD 251    /* of the bytes of a payload; no power of two fits it */
#define STINT 1048576 /* bytes: what takes longer asks whether to stop */
#define COPIES 4      /* into the channel and out of it, there and back */

/* ---- by what, and between whom ---- */

static const struct way {
    const char *name;
    enum lanes_way way;
    bool refers;      /* hands over a reference: one memory is needed */
    bool apart, loop; /* whether it serves two processes, or a loop */
} ways[] = {
    {"queue", LANES_CONDITION, true, false, true},
    {"condition", LANES_CONDITION, false, false, false},
    {"shared-memory", LANES_FUTEX, false, true, false},
    {"eventfd", LANES_EVENTFD, false, true, true},
    {"pipe", LANES_PIPE, false, true, true},
    {"file", LANES_FILE, false, true, true},
};

static const struct way *find(const char *name)
{
    for (size_t n = 0; n < sizeof(ways) / sizeof(ways[0]); n++)
        if (strcmp(ways[n].name, name) == 0)
            return &ways[n];
    return NULL;
}

static const char *check(const struct lanes_input *input)
{
    const int64_t *args = input->args;

    if (find(input->text) == NULL)
        return "the ways are queue, condition, shared-memory, eventfd, pipe "
               "and file";
    if (args[0] < 1 || args[0] > MOST)
        return "a payload has 1 byte to 64 MiB";
    return args[1] < 0 || args[1] >= PERIOD || args[2] < 0 ||
                   args[2] > UINT32_MAX
               ? "a payload begins with a byte of 0 to 250, and has a CRC-32"
               : NULL;
}

/* ---- what a worker or a place keeps ---- */

/* What goes through the channel where a reference does. */
struct reference {
    const char *bytes;
    size_t size;
};

struct desk {
    const struct way *way; /* NULL while there is no channel */
    struct lanes_channel channel;
    struct lanes_end own, others;
    struct lanes_buffer answer, taken; /* what these receive into */
    struct reference payload;          /* what is handed over */
    char *stock;                       /* owned: of which payloads are parts */
    size_t stocked;
    bool (*is_stopping)(void *ctx);
    void *ctx; /* borrowed */
};

static int open_channel(struct desk *desk, const struct way *way,
                        enum lanes_way by)
{
    int rc = lanes_channel_open(&desk->channel, by);

    if (rc < 0)
        return rc;
    desk->way = way;
    lanes_end_init(&desk->own, &desk->channel, 0);
    lanes_end_init(&desk->others, &desk->channel, 1);
    return 0;
}

static void free_desk(struct desk *desk)
{
    lanes_buffer_free(&desk->answer);
    lanes_buffer_free(&desk->taken);
    free(desk->stock);
}

/* Have payloads of so many bytes in stock, whatever they begin with. */
static int stock_up(struct desk *desk, size_t size)
{
    const size_t needed = size + PERIOD;
    char *stock;

    if (desk->stocked >= needed)
        return 0;
    stock = malloc(needed);
    if (stock == NULL)
        return -ENOMEM;
    for (size_t n = 0; n < PERIOD; n++)
        stock[n] = (char)n;
    for (size_t n = PERIOD, more; n < needed; n += more) {
        if (n > STINT && desk->is_stopping(desk->ctx)) {
            free(stock);
            return -ECANCELED;
        }
        more = n < STINT ? n - n % PERIOD : STINT - STINT % PERIOD;
        if (more > needed - n)
            more = needed - n;
        memcpy(stock + n, stock, more);
    }
    free(desk->stock);
    desk->stock = stock;
    desk->stocked = needed;
    return 0;
}

/* Begin to hand over the task's payload, which is in stock, or a reference to
 * it. */
static void hand_over(struct desk *desk, const struct lanes_input *input)
{
    const size_t size = (size_t)input->args[0];

    desk->payload = (struct reference){desk->stock + input->args[1], size};
    if (desk->way->refers)
        lanes_end_send(&desk->own, &desk->payload, sizeof(desk->payload));
    else
        lanes_end_send(&desk->own, desk->payload.bytes, size);
}

/* ---- what came of it ---- */

/* The payload that came back; a reference leads to it. */
static struct reference answer_of(const struct desk *desk)
{
    struct reference answer = {desk->answer.bytes, desk->answer.size};

    if (desk->way->refers && answer.size == sizeof(answer))
        memcpy(&answer, desk->answer.bytes, sizeof(answer));
    return answer;
}

/* Its CRC-32; -1 when the run is to stop first. */
static int64_t crc_of(const struct desk *desk, struct reference answer)
{
    uLong crc = 0;

    for (size_t n = 0; n < answer.size; n += STINT) {
        size_t left = answer.size - n;

        if (n > 0 && desk->is_stopping(desk->ctx))
            return -1;
        crc = crc32(crc, (const Bytef *)answer.bytes + n,
                    (uInt)(left < STINT ? left : STINT));
    }
    return (int64_t)crc;
}

static void conclude(const struct desk *desk, struct lanes_task *task,
                     int64_t took, int64_t copying)
{
    const int64_t *args = task->input.args;
    struct reference answer = answer_of(desk);
    int64_t crc = crc_of(desk, answer);
    int64_t copied = desk->way->refers ? 0 : COPIES * args[0];

    if (crc < 0)
        return;
    if ((int64_t)answer.size != args[0] || crc != args[2]) {
        lanes_task_fail(task, "Corrupted", "the answer is not the payload");
        return;
    }
    lanes_task_measured(task, 3, (int64_t[]){took, copied, copying});
    lanes_task_succeed(task, 2, (int64_t[]){args[0], crc});
}

static void fail(struct lanes_task *task, int rc)
{
    if (rc == -EPIPE || rc == -ECANCELED)
        lanes_task_fail(task, "PartnerKilled", "its partner ended under it");
    else if (rc == -ENOTSUP)
        lanes_task_fail(task, "Unsupported", "there is no such way here");
    else
        lanes_task_fail(task, "ExchangeError", strerror(-rc));
}

/* ---- a worker, which waits, and its partner ---- */

struct office {
    struct desk desk;
    struct lanes_peer peer;
    struct lanes_worker *worker; /* borrowed */
};

/* The partner: answers with what it is handed until the worker hangs up. */
static void answer(void *ctx)
{
    struct office *office = ctx;
    struct desk *desk = &office->desk;
    int rc = 0;

    if (office->peer.is_apart)
        lanes_channel_keep(&desk->channel, 1);
    while (rc == 0) {
        lanes_end_receive(&desk->others, &desk->taken);
        rc = lanes_end_finish(&desk->others);
        if (rc < 0)
            break;
        lanes_end_send(&desk->others, desk->taken.bytes, desk->taken.size);
        rc = lanes_end_finish(&desk->others);
    }
    lanes_channel_hang_up(&desk->channel, 1);
}

static bool may_wait(void *ctx)
{
    struct office *office = ctx;

    return !lanes_worker_stopping(office->worker) &&
           lanes_peer_is_alive(&office->peer);
}

static void shut(struct office *office)
{
    if (office->desk.way == NULL)
        return;
    lanes_channel_hang_up(&office->desk.channel, 0);
    lanes_peer_end(&office->peer);
    lanes_channel_close(&office->desk.channel);
    office->desk.way = NULL;
}

/* Have a channel of this kind and a partner at its other end. */
static int set_up(struct office *office, const struct way *way)
{
    struct desk *desk = &office->desk;
    int rc;

    if (desk->way == way)
        return 0;
    shut(office);
    if (office->worker->batch->forks && !way->apart)
        return -ENOTSUP;
    rc = open_channel(desk, way, way->way);
    if (rc < 0)
        return rc;
    desk->own.may_wait = may_wait;
    desk->own.ctx = office;
    rc = lanes_peer_start(&office->peer, office->worker, answer, office);
    if (rc < 0)
        shut(office);
    else if (office->peer.is_apart)
        lanes_channel_keep(&desk->channel, 0);
    return rc;
}

static int exchange(struct desk *desk, const struct lanes_input *input)
{
    int rc;

    hand_over(desk, input);
    rc = lanes_end_finish(&desk->own);
    if (rc < 0)
        return rc;
    lanes_end_receive(&desk->own, &desk->answer);
    return lanes_end_finish(&desk->own);
}

static bool is_worker_stopping(void *ctx)
{
    return lanes_worker_stopping(ctx);
}

static int open_office(struct lanes_worker *worker)
{
    struct office *office = calloc(1, sizeof(*office));

    worker->state = office;
    if (office == NULL)
        return -ENOMEM;
    office->worker = worker;
    office->desk.is_stopping = is_worker_stopping;
    office->desk.ctx = worker;
    return 0;
}

static void close_office(struct lanes_worker *worker)
{
    struct office *office = worker->state;

    shut(office);
    free_desk(&office->desk);
    free(office);
}

static void run(struct lanes_worker *worker, struct lanes_task *task)
{
    struct office *office = worker->state;
    int64_t began, copying;
    int rc = set_up(office, find(task->input.text));

    if (rc == 0)
        rc = stock_up(&office->desk, (size_t)task->input.args[0]);
    if (rc < 0) {
        if (!lanes_worker_stopping(worker))
            fail(task, rc);
        return;
    }
    copying = lanes_channel_copying(&office->desk.channel);
    began = lanes_clock_now();
    rc = exchange(&office->desk, &task->input);
    if (rc == 0) {
        conclude(&office->desk, task, lanes_clock_now() - began,
                 lanes_channel_copying(&office->desk.channel) - copying);
        return;
    }
    shut(office); /* with half a message in it the channel is of no use */
    if (!lanes_worker_stopping(worker))
        fail(task, rc);
}

/* ---- a place on a loop, and its partner there ---- */

struct party {
    struct lanes_timer again; /* first: the loop gives it back */
    struct seat *seat;        /* borrowed */
    struct lanes_end *end;    /* borrowed */
    int watched;              /* the descriptor it waits for; -1: none */
};

struct seat {
    struct lanes_flight *flight; /* borrowed */
    struct lanes_task *task;     /* borrowed while under way */
    struct desk desk;
    struct party own, others;
    int64_t began, copying;
};

static void leave(struct seat *seat)
{
    struct lanes_loop *loop = seat->flight->loop;
    int fds[LANES_CHANNEL_FDS];

    if (seat->desk.way == NULL)
        return;
    lanes_loop_clear_timer(loop, &seat->own.again);
    lanes_loop_clear_timer(loop, &seat->others.again);
    for (size_t n = lanes_channel_fds(&seat->desk.channel, fds); n-- > 0;)
        lanes_loop_drop(loop, fds[n]);
    lanes_channel_close(&seat->desk.channel);
    seat->desk.way = NULL;
}

static void land(struct seat *seat, int rc)
{
    struct lanes_task *task = seat->task;

    seat->task = NULL;
    if (rc == 0) {
        conclude(&seat->desk, task, lanes_clock_now() - seat->began,
                 lanes_channel_copying(&seat->desk.channel) - seat->copying);
    } else {
        leave(seat);
        if (!seat->flight->stopping(seat->flight))
            fail(task, rc);
    }
    seat->flight->landed(seat->flight,
                         (size_t)(seat - (struct seat *)seat->flight->state));
}

/* Take the end as far as it comes: through as many messages as it sends and
 * receives in turn, until it must wait, or has done so much that others on the
 * loop are due. Returns 0 when the answer is there, else as lanes_end_step(). */
static int get_on(struct party *party)
{
    struct desk *desk = &party->seat->desk;
    bool is_own = party->end == &desk->own;
    int rc;

    while ((rc = lanes_end_step(party->end)) == 0) {
        if (is_own && !party->end->is_sending)
            return 0;
        if (party->end->is_sending)
            lanes_end_receive(party->end,
                              is_own ? &desk->answer : &desk->taken);
        else
            lanes_end_send(party->end, desk->taken.bytes, desk->taken.size);
    }
    return rc;
}

static void unwatch(struct party *party)
{
    if (party->watched >= 0)
        lanes_loop_unwatch(party->seat->flight->loop, party->watched);
    party->watched = -1;
}

static void go_on(struct party *party);

static void stirs(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    go_on(ctx);
}

static void comes_back(struct lanes_timer *timer)
{
    go_on((struct party *)timer);
}

/* Have it go on when there is something to do, which is at once where a step has
 * said so. */
static int come_back(struct party *party, int rc)
{
    struct lanes_loop *loop = party->seat->flight->loop;
    uint32_t wanted;
    int fd;

    if (rc > 0) {
        party->again.fire = comes_back;
        return lanes_loop_set_timer(loop, &party->again, lanes_clock_now());
    }
    if (rc != -EAGAIN)
        return rc;
    fd = lanes_end_fd(party->end, &wanted);
    if (fd != party->watched)
        unwatch(party);
    party->watched = fd;
    return lanes_loop_watch(loop, fd, wanted, stirs, party);
}

static void go_on(struct party *party)
{
    int rc;

    lanes_loop_clear_timer(party->seat->flight->loop, &party->again);
    rc = get_on(party);
    if (rc == 0) {
        unwatch(party);
        land(party->seat, 0);
        return;
    }
    rc = come_back(party, rc);
    if (rc < 0)
        land(party->seat, rc);
}

static int take_seat(struct seat *seat, const struct way *way)
{
    int fds[LANES_CHANNEL_FDS];
    int rc;

    if (seat->desk.way == way)
        return 0;
    leave(seat);
    if (!way->loop)
        return -ENOTSUP;
    rc = open_channel(&seat->desk, way, way->refers ? LANES_EVENTFD : way->way);
    if (rc < 0)
        return rc;
    for (size_t n = lanes_channel_fds(&seat->desk.channel, fds); n-- > 0;)
        lanes_loop_adopt(seat->flight->loop, fds[n]);
    seat->own = (struct party){{0}, seat, &seat->desk.own, -1};
    seat->others = (struct party){{0}, seat, &seat->desk.others, -1};
    lanes_end_receive(&seat->desk.others, &seat->desk.taken);
    return come_back(&seat->others, get_on(&seat->others));
}

static bool is_flight_stopping(void *ctx)
{
    struct lanes_flight *flight = ctx;

    return flight->stopping(flight);
}

static int open_evented(struct lanes_flight *flight)
{
    struct seat *seats = calloc(flight->n_places, sizeof(*seats));

    flight->state = seats;
    if (seats == NULL)
        return -ENOMEM;
    for (size_t n = 0; n < flight->n_places; n++) {
        seats[n].flight = flight;
        seats[n].desk.is_stopping = is_flight_stopping;
        seats[n].desk.ctx = flight;
    }
    return 0;
}

static void start(struct lanes_flight *flight, size_t place,
                  struct lanes_task *task)
{
    struct seat *seat = (struct seat *)flight->state + place;
    int rc = take_seat(seat, find(task->input.text));

    seat->task = task;
    if (rc == 0)
        rc = stock_up(&seat->desk, (size_t)task->input.args[0]);
    if (rc < 0) {
        land(seat, rc);
        return;
    }
    seat->copying = lanes_channel_copying(&seat->desk.channel);
    seat->began = lanes_clock_now();
    hand_over(&seat->desk, &task->input);
    go_on(&seat->own);
}

static void close_evented(struct lanes_flight *flight)
{
    struct seat *seats = flight->state;

    for (size_t n = 0; n < flight->n_places; n++) {
        leave(&seats[n]);
        free_desk(&seats[n].desk);
    }
    free(seats);
}

static const struct lanes_evented evented = {
    .open = open_evented,
    .start = start,
    .close = close_evented,
};

const struct lanes_workload lanes_workload_exchange = {
    .name = "exchange",
    .check = check,
    .open = open_office,
    .close = close_office,
    .run = run,
    .evented = &evented,
};
