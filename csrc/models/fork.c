/* fork: one child process per worker, in C from its first to its last step.
 *
 * DESIGN. Tasks lie in shared memory, so a child writes its outcomes where a
 * thread would and the parent only supervises: it holds a pidfd per child and
 * polls them, and never waits on a count that a dead child cannot make. A
 * child that is killed costs the one task it owned; another is forked in its
 * place while free tasks remain. A child dies with the parent
 * (PR_SET_PDEATHSIG: the forking thread stays in run() as long as any child
 * lives). On a stop the children get a short grace, then SIGKILL, which also
 * ends one that was stopped by SIGSTOP.
 */
#include "clock.h"
#include "model.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 20 /* for children to leave by themselves on a stop */

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

struct nursery {
    struct lanes_batch *batch; /* borrowed */
    pid_t *children;           /* owned: by worker; 0 when there is none */
    struct pollfd *pidfds;     /* owned: by worker; fd -1 when there is none */
    size_t n_alive;
    size_t idle_deaths; /* children that died before they owned a task */
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
    char name[16];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before we could ask */
        _exit(1);
    reset_signals();
    close_inherited(batch->stop_fd);
    snprintf(name, sizeof(name), "fork/%d", index);
    prctl(PR_SET_NAME, name);
    lanes_worker_main(batch, index, false);
    _exit(0);
}

/* ---- the parent ---- */

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
        child_main(nursery->batch, (int)index, parent);
    rc = -errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return rc;
    nursery->children[index] = pid;
    nursery->n_alive++;
    nursery->pidfds[index].fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (nursery->pidfds[index].fd >= 0 || errno == ESRCH)
        return 0; /* watched; or ended already and reaped by somebody else */
    rc = -errno;
    kill(pid, SIGKILL); /* there is no way to watch it */
    return rc;
}

/* The tasks a dead child has begun and not finished: at most one. */
static bool bury_task(struct nursery *nursery, size_t index, pid_t pid,
                      const char *cause)
{
    struct lanes_batch *batch = nursery->batch;
    bool lost = false;

    for (size_t n = 0; n < batch->n_tasks; n++) {
        struct lanes_task *task = &batch->tasks[n];

        if (atomic_load(&task->owner) != (int32_t)index + 1 ||
            task->span.finished != 0)
            continue;
        lanes_task_fail(task, "WorkerKilled", cause);
        task->status = LANES_KILLED;
        task->n_values = 0;
        task->span.process = task->span.thread = pid;
        task->span.finished = lanes_clock_now();
        if (task->span.claimed == 0) /* died before the first stamp */
            task->span.claimed = task->span.started = task->span.finished;
        task->span.cpu = 0;
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

static void reap(struct nursery *nursery, size_t index)
{
    struct lanes_batch *batch = nursery->batch;
    pid_t pid = nursery->children[index];
    int status = 0;
    pid_t got;
    char cause[80];
    int rc;

    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (nursery->pidfds[index].fd >= 0)
        close(nursery->pidfds[index].fd);
    /* An interrupted poll() leaves `revents` as they were. */
    nursery->pidfds[index] = (struct pollfd){.fd = -1, .events = POLLIN};
    nursery->children[index] = 0;
    nursery->n_alive--;
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

static void kill_all(struct nursery *nursery)
{
    /* By pidfd: the number may be a stranger's if somebody else reaped it. */
    for (size_t n = 0; n < nursery->batch->n_workers; n++)
        if (nursery->pidfds[n].fd >= 0)
            syscall(SYS_pidfd_send_signal, nursery->pidfds[n].fd, SIGKILL, NULL,
                    0);
}

static void reap_ended(struct nursery *nursery)
{
    for (size_t n = 0; n < nursery->batch->n_workers; n++)
        if (nursery->children[n] > 0 &&
            (nursery->pidfds[n].fd < 0 || nursery->pidfds[n].revents != 0))
            reap(nursery, n);
}

static void supervise(struct nursery *nursery)
{
    struct lanes_batch *batch = nursery->batch;
    int64_t deadline;

    while (nursery->n_alive > 0 &&
           lanes_batch_pause(batch, nursery->pidfds, batch->n_workers,
                             LANES_SLICE_MS) == 0)
        reap_ended(nursery);
    deadline = lanes_clock_now() + GRACE_MS * LANES_MS;
    while (nursery->n_alive > 0 && lanes_clock_now() < deadline) {
        lanes_batch_pause(batch, nursery->pidfds, batch->n_workers, 5);
        reap_ended(nursery);
    }
    kill_all(nursery);
    for (size_t n = 0; n < batch->n_workers; n++)
        if (nursery->children[n] > 0)
            reap(nursery, n);
}

static int run(struct lanes_batch *batch)
{
    struct nursery nursery = {.batch = batch};
    int rc = 0;

    nursery.children = calloc(batch->n_workers, sizeof(*nursery.children));
    nursery.pidfds = calloc(batch->n_workers, sizeof(*nursery.pidfds));
    if (nursery.children == NULL || nursery.pidfds == NULL) {
        lanes_batch_stop(batch, -ENOMEM);
        goto free_nursery;
    }
    for (size_t n = 0; n < batch->n_workers; n++)
        nursery.pidfds[n] = (struct pollfd){.fd = -1, .events = POLLIN};
    for (size_t n = 0; n < batch->n_workers && rc == 0; n++)
        rc = spawn(&nursery, n);
    if (rc < 0)
        lanes_batch_stop(batch, rc);
    supervise(&nursery);
free_nursery:
    free(nursery.pidfds);
    free(nursery.children);
    return lanes_batch_stopped(batch);
}

const struct lanes_model lanes_model_fork = {
    .name = "native-fork",
    .forks = true,
    .run = run,
};
