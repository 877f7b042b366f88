/* peer.h - a companion of a worker, of the same kind as its worker: a thread, or
 * a forked child where workers are children. It must not know what the two do
 * together.
 */
#ifndef LANES_PEER_H
#define LANES_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

struct lanes_worker;

struct lanes_peer {
    void (*main)(void *ctx);
    void *ctx;        /* borrowed */
    bool is_apart;    /* a process: it has copies of its worker's descriptors */
    bool is_there;    /* started, and not seen to have ended */
    pid_t pid;        /* of a process */
    pthread_t thread; /* owned while it is there */
};

/* Have main(ctx) called beside the worker. A child has its parent's memory as of
 * now, shares with it what is mapped as shared, and dies with it. Returns 0 or a
 * negative errno. */
int lanes_peer_start(struct lanes_peer *peer, const struct lanes_worker *worker,
                     void (*main)(void *ctx), void *ctx);

/* Whether it has not ended, as a child does that is killed. */
bool lanes_peer_is_alive(struct lanes_peer *peer);

/* See it off: a child is killed; a thread must have been told to leave. */
void lanes_peer_end(struct lanes_peer *peer);

#endif
