/* fork: one child process per worker, in C from its first to its last step.
 *
 * DESIGN. Tasks lie in shared memory, so a child writes its outcomes where a
 * thread would and the parent only supervises: it holds a pidfd per child, all
 * of them in one epoll descriptor, and never waits on a count that a dead child
 * cannot make. A child that is killed costs the one task it owned; another is
 * forked in its place while free tasks remain. A child dies with the thread
 * that forked it (PR_SET_PDEATHSIG), which is the one that steps. On a stop the
 * children get a short grace, then SIGKILL, which also ends one that was stopped
 * by SIGSTOP.
 */
#include "clock.h"
#include "model.h"
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 20 /* for children to leave by themselves on a stop */
#define EVENTS 64   /* taken from the kernel in one go */

/* The same numbers on every architecture, for older headers. pidfds need Linux
 * 5.3; without close_range() (5.9) children keep what they inherit. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

struct child {
    pid_t pid; /* 0: there is none */
    int pidfd; /* owned; -1: it ended before it could be watched */
};

struct nursery {
    struct lanes_run run; /* first: what the caller sees of us; its descriptor
                           * is an epoll of the pidfds */
    size_t n_alive;
    size_t idle_deaths;      /* children that died before they owned a task */
    struct child children[]; /* by worker */
};

/* ---- the child ---- */

/* Python's handlers write to Python's descriptors: none may run here. Ctrl-C
 * reaches the whole group, but it is the parent who decides to stop; any other
 * signal may end a child, so none stays blocked. */
static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGPIPE, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A descriptor the parent closes must not stay open here, unseen. */
static void close_inherited(int keep)
{
    unsigned after = keep > STDERR_FILENO ? (unsigned)keep + 1 : 3U;

    if (keep > STDERR_FILENO + 1)
        syscall(SYS_close_range, 3U, (unsigned)keep - 1, 0U);
    syscall(SYS_close_range, after, ~0U, 0U);
}

static _Noreturn void child_main(struct lanes_batch *batch, int index,
                                 pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before we could ask */
        _exit(1);
    reset_signals();
    close_inherited(batch->stop_fd);
    lanes_worker_name("native-fork", index);
    lanes_worker_main(batch, index, false);
    _exit(0);
}

/* ---- the parent ---- */

/* Have the end of a child make the nursery's descriptor readable. */
static int watch(struct nursery *nursery, size_t index)
{
    struct child *child = &nursery->children[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};

    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->pidfd < 0) /* reaped by somebody else already: no failure */
        return errno == ESRCH ? 0 : -errno;
    return epoll_ctl(nursery->run.fd, EPOLL_CTL_ADD, child->pidfd, &event) < 0
               ? -errno
               : 0;
}

static int spawn(struct nursery *nursery, size_t index)
{
    pid_t parent = getpid();
    sigset_t all, before;
    pid_t pid;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid = fork();
    if (pid == 0)
        child_main(nursery->run.batch, (int)index, parent);
    rc = -errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return rc;
    nursery->children[index].pid = pid;
    nursery->n_alive++;
    rc = watch(nursery, index);
    if (rc < 0)
        kill(pid, SIGKILL); /* there is no way to watch it */
    return rc;
}

/* The tasks a dead child has begun and not finished: at most one. */
static bool bury_task(struct nursery *nursery, size_t index, pid_t pid,
                      const char *cause)
{
    struct lanes_batch *batch = nursery->run.batch;
    bool lost = false;

    lanes_batch_settle(batch, (int)index);
    for (size_t n = 0; n < batch->n_tasks; n++) {
        struct lanes_task *task = &batch->tasks[n];

        if (atomic_load(&task->owner) != (int32_t)index + 1 ||
            task->span.finished != 0)
            continue;
        lanes_task_fail(task, "WorkerKilled", cause);
        task->status = LANES_KILLED;
        task->n_values = task->n_figures = 0;
        task->span.process = task->span.thread = pid;
        task->span.finished = lanes_clock_now();
        if (task->span.claimed == 0) /* died before the first stamp */
            task->span.claimed = task->span.started = task->span.finished;
        task->span.cpu = 0;
        lanes_batch_tell_finish(batch, task);
        lost = true;
    }
    return lost;
}

static void tell_cause(char *text, size_t size, bool known, int status)
{
    if (!known)
        snprintf(text, size, "worker ended, reaped by somebody else");
    else if (WIFSIGNALED(status))
        snprintf(text, size, "worker killed by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "worker exited with status %d",
                 WEXITSTATUS(status));
}

/* Closing the pidfd does not end the watch while a child holds a copy of it, as
 * each does until it has closed what it inherits. */
static void forget(struct nursery *nursery, size_t index)
{
    struct child *child = &nursery->children[index];

    if (child->pidfd >= 0) {
        epoll_ctl(nursery->run.fd, EPOLL_CTL_DEL, child->pidfd, NULL);
        close(child->pidfd);
    }
    *child = (struct child){.pidfd = -1};
    nursery->n_alive--;
}

static void reap(struct nursery *nursery, size_t index)
{
    struct lanes_batch *batch = nursery->run.batch;
    pid_t pid = nursery->children[index].pid;
    int status = 0;
    pid_t got;
    char cause[80];
    int rc;

    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    forget(nursery, index);
    if (lanes_batch_stopped(batch))
        return;
    tell_cause(cause, sizeof(cause), got == pid, status);
    if (!bury_task(nursery, index, pid, cause) && (got != pid || status != 0) &&
        ++nursery->idle_deaths > batch->n_workers) {
        lanes_batch_stop(batch, -ECHILD);
        return;
    }
    if (lanes_batch_has_free(batch)) {
        rc = spawn(nursery, index);
        if (rc < 0)
            lanes_batch_stop(batch, rc);
    }
}

/* Of these nobody will be told; and one that takes the place of another may be
 * such a one again. */
static void reap_unwatched(struct nursery *nursery)
{
    size_t n = 0;

    while (n < nursery->run.batch->n_workers)
        if (nursery->children[n].pid > 0 && nursery->children[n].pidfd < 0)
            reap(nursery, n);
        else
            n++;
}

static void reap_ended(struct nursery *nursery)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(nursery->run.fd, events, EVENTS, 0);

    while (n-- > 0)
        reap(nursery, (size_t)events[n].data.u64);
    reap_unwatched(nursery);
}

static void kill_all(struct nursery *nursery)
{
    /* By pidfd: the number may be a stranger's if somebody else reaped it. */
    for (size_t n = 0; n < nursery->run.batch->n_workers; n++)
        if (nursery->children[n].pid > 0 && nursery->children[n].pidfd >= 0)
            syscall(SYS_pidfd_send_signal, nursery->children[n].pidfd, SIGKILL,
                    NULL, 0);
}

/* The batch is stopped: see all children off. */
static void disband(struct nursery *nursery)
{
    struct pollfd ended = {.fd = nursery->run.fd, .events = POLLIN};
    int64_t deadline = lanes_clock_now() + GRACE_MS * LANES_MS;

    while (nursery->n_alive > 0 && lanes_clock_now() < deadline) {
        poll(&ended, 1, 5);
        reap_ended(nursery);
    }
    kill_all(nursery);
    for (size_t n = 0; n < nursery->run.batch->n_workers; n++)
        if (nursery->children[n].pid > 0)
            reap(nursery, n);
}

/* ---- the contract ---- */

/* Once it is to stop, only end() can wait for children that will not. */
static bool step(struct lanes_run *run)
{
    struct nursery *nursery = (struct nursery *)run;

    reap_ended(nursery);
    return nursery->n_alive == 0 || lanes_batch_stopped(run->batch);
}

static int end(struct lanes_run *run)
{
    struct nursery *nursery = (struct nursery *)run;
    struct lanes_batch *batch = run->batch;

    if (nursery->n_alive > 0) {
        lanes_batch_stop(batch, -ECANCELED);
        disband(nursery);
    }
    close(run->fd);
    free(nursery);
    return lanes_batch_stopped(batch);
}

static struct lanes_run *begin(struct lanes_batch *batch)
{
    struct nursery *nursery;
    int rc = -ENOMEM;

    nursery = calloc(1, sizeof(*nursery) +
                            batch->n_workers * sizeof(nursery->children[0]));
    if (nursery == NULL)
        goto stop;
    nursery->run.batch = batch;
    nursery->run.fd = epoll_create1(EPOLL_CLOEXEC);
    rc = -errno;
    if (nursery->run.fd < 0)
        goto free_nursery;
    rc = 0;
    for (size_t n = 0; n < batch->n_workers && rc == 0; n++)
        rc = spawn(nursery, n);
    if (rc == 0)
        return &nursery->run;
    lanes_batch_stop(batch, rc);
    end(&nursery->run);
    return NULL;

free_nursery:
    free(nursery);
stop:
    lanes_batch_stop(batch, rc);
    return NULL;
}

const struct lanes_model lanes_model_fork = {
    .name = "native-fork",
    .forks = true,
    .begin = begin,
    .step = step,
    .end = end,
};
