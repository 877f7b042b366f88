#include "peer.h"

#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void *thread_main(void *arg)
{
    struct lanes_peer *peer = arg;

    pthread_setname_np(pthread_self(), "peer");
    peer->main(peer->ctx);
    return NULL;
}

static _Noreturn void child_main(struct lanes_peer *peer, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before we could ask */
        _exit(1);
    prctl(PR_SET_NAME, "peer");
    peer->main(peer->ctx);
    _exit(0);
}

static int start_child(struct lanes_peer *peer)
{
    const pid_t parent = getpid();

    peer->pid = fork();
    if (peer->pid == 0)
        child_main(peer, parent);
    return peer->pid < 0 ? -errno : 0;
}

/* It blocks all signals: those are for Python's threads. */
static int start_thread(struct lanes_peer *peer)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = pthread_create(&peer->thread, NULL, thread_main, peer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

int lanes_peer_start(struct lanes_peer *peer, const struct lanes_worker *worker,
                     void (*main)(void *ctx), void *ctx)
{
    int rc;

    *peer = (struct lanes_peer){
        .main = main, .ctx = ctx, .is_apart = worker->batch->forks};
    rc = peer->is_apart ? start_child(peer) : start_thread(peer);
    peer->is_there = rc == 0;
    return rc;
}

bool lanes_peer_is_alive(struct lanes_peer *peer)
{
    if (peer->is_there && peer->is_apart)
        peer->is_there = waitpid(peer->pid, NULL, WNOHANG) == 0;
    return peer->is_there;
}

void lanes_peer_end(struct lanes_peer *peer)
{
    if (!peer->is_there)
        return;
    peer->is_there = false;
    if (!peer->is_apart) {
        pthread_join(peer->thread, NULL);
        return;
    }
    kill(peer->pid, SIGKILL);
    while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
