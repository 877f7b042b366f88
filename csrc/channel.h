/* channel.h - two ends that hand each other messages, each end a thread, a
 * process or a place of a loop. It must not know what a message is for, nor who
 * holds the other end.
 *
 * A message is bytes, and really copied: into the channel by one end, out of it
 * by the other. An end does one thing at a time, sends or receives; step() takes
 * it as far as it can come without waiting, so that a loop can hold an end as
 * well as a thread that waits.
 */
#ifndef LANES_CHANNEL_H
#define LANES_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By what the bytes go, and how an end that has nothing to do is woken. */
enum lanes_way {
    LANES_CONDITION, /* a ring; a mutex and a condition: for threads */
    LANES_FUTEX,     /* a ring; a futex, which outlives who sleeps on it */
    LANES_EVENTFD,   /* a ring; an eventfd, which a loop can wait for, too */
    LANES_PIPE,      /* a pipe each way */
    LANES_FILE,      /* a file each way, and pipes that tell of it */
};

struct lanes_channel {
    enum lanes_way way;
    struct lanes_pair *pair; /* owned, shared memory: rings and bells */
    int pipes[2][2];         /* owned, by sender; -1: none */
    int files[2];            /* owned, by sender; -1: none */
};

/* What a message is received into; grows as it must. */
struct lanes_buffer {
    char *bytes; /* owned */
    size_t size; /* of the message */
    size_t room;
};
void lanes_buffer_free(struct lanes_buffer *buffer);

struct lanes_end {
    struct lanes_channel *channel; /* borrowed */
    int side;                      /* 0 or 1 */

    /* Asked again and again while it waits: is there something to wait for? */
    bool (*may_wait)(void *ctx);
    void *ctx; /* borrowed */

    /* What it is doing: the size travels with the message, in `head` bytes. */
    bool is_sending;
    uint64_t size;
    size_t head, done;           /* bytes of either that are through */
    const char *data;            /* borrowed: what is sent */
    struct lanes_buffer *buffer; /* borrowed: what is received into */

    uint64_t at[2]; /* bytes received and sent through rings, since ever */
    unsigned most_spins, spins; /* how often it looks before it sleeps */
    unsigned waits;
};

/* To be made before a child is forked that shall have an end. Returns 0 or a
 * negative errno. */
int lanes_channel_open(struct lanes_channel *channel, enum lanes_way way);

/* No end may be in use any more. */
void lanes_channel_close(struct lanes_channel *channel);

/* In two processes each keeps one end alone: when one process ends, the other is
 * told where the way can tell. */
void lanes_channel_keep(struct lanes_channel *channel, int side);

/* Whoever waits at the other end, or will, gets -EPIPE. This end is of no use
 * from then on. */
void lanes_channel_hang_up(struct lanes_channel *channel, int side);

/* Its descriptors that a loop may be asked to watch, and how many there are. */
#define LANES_CHANNEL_FDS 6
size_t lanes_channel_fds(const struct lanes_channel *channel, int *fds);

/* Nanoseconds that both ends have spent copying since the channel was opened. A
 * copy of less than 4 KiB takes less than reading the clock, and is not timed. */
int64_t lanes_channel_copying(const struct lanes_channel *channel);

void lanes_end_init(struct lanes_end *end, struct lanes_channel *channel,
                    int side);

/* Begin to send these bytes, at least one, which must stay as they are until
 * they are through; or to receive what the other end sends. */
void lanes_end_send(struct lanes_end *end, const void *data, size_t size);
void lanes_end_receive(struct lanes_end *end, struct lanes_buffer *buffer);

/* Get on without waiting. Returns 0 when the message is through, -EAGAIN when
 * the other end must do something first, 1 when there is more to do at once, or
 * the negative errno for which it never will be through: -EPIPE when the other
 * end hung up. */
int lanes_end_step(struct lanes_end *end);

/* After -EAGAIN: the descriptor to wait for, and for which EPOLL* events; -1
 * where the way has none. */
int lanes_end_fd(const struct lanes_end *end, uint32_t *events);

/* Step and wait until the message is through. Returns 0, a negative errno as
 * step() does, or -ECANCELED when it may not wait any longer. */
int lanes_end_finish(struct lanes_end *end);

#endif
