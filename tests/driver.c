/* driver.c - every native model on every workload, and their faults, with no
 * interpreter, so that sanitizers see the engine and nothing else.
 *
 * It brings its own origin: a child that answers /N with N bytes, and /stall
 * never. Prints what went wrong and ends with the number of checks.
 */
#include "area.h"
#include "arrivals.h"
#include "batch.h"
#include "channel.h"
#include "clock.h"
#include "ledger.h"
#include "lock.h"
#include "lockwait.h"
#include "loop.h"
#include "model.h"
#include "peer.h"
#include "syscalls.h"
#include "worker.h"
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define N_TASKS 12
#define PROMPT                                                                 \
    (2 * LANES_SECOND) /* sanitizers are slow; 100 ms is Python's test */

static int n_checks, n_failed;

#define CHECK(what, ...)                                                       \
    do {                                                                       \
        n_checks++;                                                            \
        if (!(what)) {                                                         \
            n_failed++;                                                        \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #what);                  \
            printf(__VA_ARGS__);                                               \
            printf("\n");                                                      \
        }                                                                      \
    } while (0)

static const struct lanes_model *const models[] = {
    &lanes_model_serial,
    &lanes_model_pthreads,
    &lanes_model_fork,
    &lanes_model_epoll,
};

/* ---- the origin ---- */

#define CLIENTS 128

static void answer(int fd)
{
    static char body[70000];
    char request[4096], head[128];
    ssize_t n = read(fd, request, sizeof(request) - 1);
    int size;

    if (n <= 0) {
        close(fd);
        return;
    }
    request[n] = '\0';
    if (strncmp(request, "GET /stall", 10) == 0)
        return;
    size = atoi(request + 5);
    memset(body, 'x', sizeof(body));
    n = snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size);
    (void)!send(fd, head, (size_t)n, MSG_NOSIGNAL | (size > 0 ? MSG_MORE : 0));
    (void)!send(fd, body, (size_t)size, MSG_NOSIGNAL);
}

static _Noreturn void serve(int listener)
{
    int epoll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        if (epoll_wait(epoll_fd, &event, 1, -1) < 1)
            continue;
        if (event.data.fd != listener) {
            answer(event.data.fd);
            continue;
        }
        event.events = EPOLLIN;
        event.data.fd = accept(listener, NULL, NULL);
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event);
    }
}

static pid_t origin_start(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pid_t pid;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, CLIENTS) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("origin");
        exit(2);
    }
    pid = fork();
    if (pid == 0)
        serve(listener);
    close(listener);
    *port = ntohs(address.sin_port);
    return pid;
}

/* ---- a workload that does harm ---- */

enum { HARMLESS, RAISE, EXIT, IDLE_FAIL };

static int mortal_open(struct lanes_worker *worker)
{
    return worker->batch->tasks[0].input.args[0] == IDLE_FAIL ? -EMFILE : 0;
}

static void mortal_run(struct lanes_worker *worker, struct lanes_task *task)
{
    const int64_t *args = task->input.args;

    (void)worker;
    if (args[0] == RAISE)
        raise((int)args[1]);
    else if (args[0] == EXIT)
        _exit((int)args[1]);
    lanes_task_succeed(task, 1, &args[1]);
}

static const struct lanes_workload mortal = {
    .name = "mortal",
    .open = mortal_open,
    .run = mortal_run,
};

/* ---- a workload that shares and measures ---- */

static size_t sharing_area(const struct lanes_input *input)
{
    return (size_t)input->args[0];
}

static void sharing_run(struct lanes_worker *worker, struct lanes_task *task)
{
    atomic_int *numbers = worker->batch->area;
    int64_t had = atomic_fetch_add(&numbers[1], 1);

    lanes_task_measured(task, 2, (int64_t[]){had, -had});
    lanes_task_succeed(task, 0, NULL);
}

static const struct lanes_workload sharing = {
    .name = "sharing",
    .area = sharing_area,
    .run = sharing_run,
};

/* ---- helpers ---- */

/* What the workers of a run share, if they share something. */
static struct lanes_area area;

static void open_batch(struct lanes_batch *batch,
                       const struct lanes_model *model,
                       const struct lanes_workload *workload, size_t n_workers)
{
    if (lanes_batch_open(batch, workload, N_TASKS, n_workers, model->forks) <
        0) {
        perror("batch");
        exit(2);
    }
    memset(area.memory, 0, area.size);
    batch->area = area.memory;
    batch->area_size = area.size;
}

static char urls[N_TASKS][64];

/* The CRC-32 of a payload of so many bytes that begins with this one. */
static int64_t payload_crc(int64_t size, int64_t first)
{
    static Bytef period[251];
    uLong crc = crc32(0, NULL, 0);

    for (int64_t n = 0; n < 251; n++)
        period[n] = (Bytef)((first + n) % 251);
    for (; size > 0; size -= 251)
        crc = crc32(crc, period, size < 251 ? (uInt)size : 251);
    return (int64_t)crc;
}

static void fill(struct lanes_batch *batch, const char *text, int64_t a,
                 int64_t b, int64_t c)
{
    for (int64_t n = 0; n < N_TASKS; n++) {
        struct lanes_input *input = &batch->tasks[n].input;

        *input = (struct lanes_input){text, {a, b, c}};
        if (batch->workload == &lanes_workload_download)
            input->text = urls[n];
        else if (batch->workload == &lanes_workload_exchange)
            input->args[2] = payload_crc(a, b);
        else if (strcmp(text, "mandelbrot") == 0)
            input->args[0] = n;
        CHECK(!batch->workload->check || !batch->workload->check(input), "%s",
              batch->workload->check(input));
    }
}

static void point_urls(int port, const char *path)
{
    for (int n = 0; n < N_TASKS; n++)
        if (path)
            snprintf(urls[n], sizeof(urls[n]), "http://127.0.0.1:%d/%s", port,
                     path);
        else
            snprintf(urls[n], sizeof(urls[n]), "http://127.0.0.1:%d/%d", port,
                     n * 5000);
}

static void check_span(const struct lanes_batch *batch, size_t n)
{
    const struct lanes_task *task = &batch->tasks[n];
    const struct lanes_span *span = &task->span;
    int owner = atomic_load(&task->owner);

    CHECK(owner >= 1 && owner <= (int)batch->n_workers, "task %zu: %d", n,
          owner);
    CHECK(span->claimed <= span->started && span->started <= span->finished,
          "task %zu", n);
    CHECK(span->cpu >= 0 && span->process > 0 && span->thread > 0, "task %zu",
          n);
}

/* ---- the two ways through a run ---- */

/* As a loop would: it waits for the descriptor and for nothing else. */
static int step_through(const struct lanes_model *model,
                        struct lanes_batch *batch)
{
    const int64_t began = lanes_clock_now();
    struct lanes_run *run = model->begin(batch);
    struct pollfd due = {.events = POLLIN};
    size_t n_steps = 1;

    if (run == NULL)
        return lanes_batch_stopped(batch);
    due.fd = run->fd;
    while (!model->step(run)) {
        CHECK(poll(&due, 1, 10000) == 1, "%s: nobody is told", model->name);
        n_steps++;
    }
    /* Woken for a reason each time: by workers that end, by what lands. */
    CHECK(n_steps <= 30 * (N_TASKS + batch->n_workers), "%s: %zu steps in %ld",
          model->name, n_steps, (long)(lanes_clock_now() - began));
    return model->end(run);
}

/* Through a run in either way, where there are two. */
static int go(const struct lanes_model *model, struct lanes_batch *batch,
              bool stepped)
{
    return stepped && lanes_model_can_begin(model, batch->workload)
               ? step_through(model, batch)
               : lanes_model_run(model, batch);
}

static bool stop_soon(void *ctx)
{
    int64_t *until = ctx;

    return lanes_clock_now() < *until;
}

/* ---- the checks ---- */

static const struct cell {
    const struct lanes_workload *workload;
    const char *text;
    int64_t a, b, c;
} cells[] = {
    {&lanes_workload_wait, "", 3 * LANES_MS, 0, 0},
    {&lanes_workload_wait, "", 0, 0, 0},
    {&lanes_workload_compute, "primes", 100000, 100500, 0},
    {&lanes_workload_compute, "squares", 0, 50000, 0},
    {&lanes_workload_compute, "mandelbrot", 0, N_TASKS, 16},
    {&lanes_workload_download, "", LANES_SECOND, LANES_SECOND, 0},
    {&lanes_workload_counter, "plain", 5000, 0, 0},
    {&lanes_workload_counter, "atomic", 5000, 0, 0},
    {&lanes_workload_counter, "locked", 5000, 0, 0},
    {&lanes_workload_counter, "locked", 5, 10000, 0},
    {&lanes_workload_exchange, "pipe", 1, 250, 0},
    {&lanes_workload_exchange, "pipe", 300000, 1, 0},
    {&lanes_workload_exchange, "file", 300000, 0, 0},
    {&lanes_workload_exchange, "eventfd", 3 << 20, 7, 0},
};

/* Of a worker that ended by itself; a place of a loop has none of its own. */
static void check_entries(const struct lanes_ledger *ledger, size_t n_workers)
{
    size_t length = lanes_ledger_length(ledger);

    CHECK(length >= 1 && length <= n_workers, "%zu of %zu", length, n_workers);
    for (size_t n = 0; n < length; n++) {
        const struct lanes_entry *entry = lanes_ledger_entry(ledger, n);
        const struct lanes_usage *first = &entry->first, *last = &entry->last;
        int64_t wall = last->at - first->at, cpu = last->cpu - first->cpu;

        CHECK(entry->process > 0 && entry->thread > 0, "entry %zu", n);
        CHECK(wall > 0 && cpu > 0 && cpu <= wall + 20 * LANES_MS, "%ld of %ld",
              (long)cpu, (long)wall);
        CHECK(last->run_queue >= first->run_queue, "entry %zu", n);
        CHECK(last->lock_wait == first->lock_wait, "nobody has a lock");
    }
}

static void check_cell(const struct lanes_model *model, const struct cell *cell,
                       size_t n_workers, bool stepped,
                       const struct lanes_batch *serial)
{
    struct lanes_batch batch;
    struct lanes_ledger ledger;
    int rc;

    open_batch(&batch, model, cell->workload, n_workers);
    CHECK(lanes_ledger_open(&ledger, n_workers) == 0, "ledger");
    batch.ledger = &ledger;
    fill(&batch, cell->text, cell->a, cell->b, cell->c);
    if (n_workers > 1)
        batch.warm_up = &batch.tasks[0].input;
    rc = go(model, &batch, stepped);
    CHECK(rc == 0, "%s/%s: %d", model->name, cell->workload->name, rc);
    check_entries(&ledger, n_workers);
    lanes_ledger_close(&ledger);
    for (size_t n = 0; n < N_TASKS; n++) {
        const struct lanes_task *got = &batch.tasks[n];
        const struct lanes_task *want = &serial->tasks[n];

        check_span(&batch, n);
        CHECK(got->status == LANES_OK, "%s/%s/%s task %zu: %s", model->name,
              cell->workload->name, cell->text, n, got->notes->text);
        CHECK(got->n_values == want->n_values &&
                  memcmp(got->values, want->values, sizeof(got->values)) == 0,
              "%s/%s/%s task %zu differs", model->name, cell->workload->name,
              cell->text, n);
    }
    lanes_batch_close(&batch);
}

static void check_grid(bool stepped)
{
    for (size_t c = 0; c < COUNT(cells); c++) {
        struct lanes_batch serial;

        open_batch(&serial, &lanes_model_serial, cells[c].workload, 1);
        fill(&serial, cells[c].text, cells[c].a, cells[c].b, cells[c].c);
        CHECK(lanes_model_run(&lanes_model_serial, &serial) == 0, "serial");
        for (size_t m = 0; m < COUNT(models); m++)
            for (size_t workers = 1; workers <= 16; workers *= 4)
                check_cell(models[m], &cells[c], workers, stepped, &serial);
        lanes_batch_close(&serial);
    }
}

static const struct cell endless[] = {
    {&lanes_workload_wait, "", 3600 * LANES_SECOND, 0, 0},
    {&lanes_workload_compute, "primes", INT64_C(1) << 60,
     (INT64_C(1) << 60) + 1000, 0},
    {&lanes_workload_compute, "squares", 0, INT64_C(1) << 60, 0},
    {&lanes_workload_compute, "mandelbrot", 0, N_TASKS, 65536},
    {&lanes_workload_download, "", LANES_SECOND, 3600 * LANES_SECOND, 0},
    {&lanes_workload_counter, "plain", INT64_C(1) << 40, 0, 0},
    {&lanes_workload_counter, "atomic", INT64_C(1) << 40, 0, 0},
    {&lanes_workload_counter, "locked", INT64_C(1) << 40, 0, 0},
    {&lanes_workload_counter, "locked", 1, 3600 * LANES_SECOND, 0},
    {&lanes_workload_exchange, "pipe", 1 << 25, 0, 0},
};

/* Whatever they are doing, all models stop when asked to. */
static void check_stop(int port)
{
    point_urls(port, "stall");
    for (size_t m = 0; m < COUNT(models); m++) {
        for (size_t c = 0; c < COUNT(endless); c++) {
            int64_t until = lanes_clock_now() + 50 * LANES_MS;
            struct lanes_batch batch;
            int rc;

            open_batch(&batch, models[m], endless[c].workload, 3);
            fill(&batch, endless[c].text, endless[c].a, endless[c].b,
                 endless[c].c);
            batch.keep_going = stop_soon;
            batch.ctx = &until;
            rc = lanes_model_run(models[m], &batch);
            CHECK(rc == -EINTR, "%s: %d", models[m]->name, rc);
            CHECK(lanes_clock_now() - until < PROMPT, "%s/%s is late",
                  models[m]->name, endless[c].workload->name);
            lanes_batch_close(&batch);
        }
    }
    point_urls(port, NULL);
}

/* A run that is ended half-way, at once or after some steps, stops as soon. */
static void check_end(int port)
{
    point_urls(port, "stall");
    for (size_t m = 0; m < COUNT(models); m++) {
        for (size_t c = 0; c < 2 * COUNT(endless); c++) {
            const struct cell *cell = &endless[c / 2];
            const struct lanes_model *model = models[m];
            struct pollfd due = {.events = POLLIN};
            struct lanes_batch batch;
            struct lanes_run *run;
            int64_t until;

            if (!lanes_model_can_begin(model, cell->workload))
                continue;
            open_batch(&batch, model, cell->workload, 3);
            fill(&batch, cell->text, cell->a, cell->b, cell->c);
            run = model->begin(&batch);
            CHECK(run != NULL, "%s", model->name);
            due.fd = run->fd;
            until = lanes_clock_now() + (int64_t)(c % 2) * 50 * LANES_MS;
            while (lanes_clock_now() < until) {
                CHECK(!model->step(run), "%s is over", model->name);
                poll(&due, 1, 10);
            }
            CHECK(model->end(run) == -ECANCELED, "%s: %d", model->name,
                  lanes_batch_stopped(&batch));
            CHECK(lanes_clock_now() - until < PROMPT, "%s/%s is late",
                  model->name, cell->workload->name);
            lanes_batch_close(&batch);
        }
    }
    CHECK(waitpid(-1, NULL, WNOHANG) <= 0, "a zombie is left");
    point_urls(port, NULL);
}

/* Silence past the read time-out is an outcome, and the others go on. */
static void check_silence(int port, bool stepped)
{
    for (size_t m = 0; m < COUNT(models); m++) {
        struct lanes_batch batch;

        snprintf(urls[1], sizeof(urls[1]), "http://127.0.0.1:%d/stall", port);
        open_batch(&batch, models[m], &lanes_workload_download, 3);
        fill(&batch, "", LANES_SECOND, 300 * LANES_MS, 0);
        CHECK(go(models[m], &batch, stepped) == 0, "%s", models[m]->name);
        for (size_t n = 0; n < N_TASKS; n++)
            CHECK(batch.tasks[n].status == (n == 1 ? LANES_FAILED : LANES_OK),
                  "%s task %zu", models[m]->name, n);
        CHECK(strcmp(batch.tasks[1].notes->kind, "ReadTimeout") == 0, "%s",
              batch.tasks[1].notes->kind);
        lanes_batch_close(&batch);
        point_urls(port, NULL);
    }
}

/* A killed child costs its own task and no other. */
static void check_killed(int harm, int how, bool stepped)
{
    struct lanes_batch batch;

    open_batch(&batch, &lanes_model_fork, &mortal, 2);
    for (int64_t n = 0; n < N_TASKS; n++)
        batch.tasks[n].input.args[1] = n;
    for (int n = 3; n < 6;
         n++) { /* three in a row: more than there are workers */
        batch.tasks[n].input.args[0] = harm;
        batch.tasks[n].input.args[1] = how;
    }
    CHECK(go(&lanes_model_fork, &batch, stepped) == 0, "signal %d", how);
    for (size_t n = 0; n < N_TASKS; n++) {
        bool hit = n >= 3 && n < 6;

        check_span(&batch, n);
        CHECK(batch.tasks[n].status == (hit ? LANES_KILLED : LANES_OK),
              "task %zu: %d", n, batch.tasks[n].status);
    }
    CHECK(waitpid(-1, NULL, WNOHANG) <= 0, "a zombie is left");
    lanes_batch_close(&batch);
}

/* All workers have the same area, and each task its own figures. */
static void check_sharing(bool stepped)
{
    for (size_t m = 0; m < COUNT(models); m++) {
        struct lanes_batch batch;
        struct lanes_area own, other;
        int64_t sum = 0;

        open_batch(&batch, models[m], &sharing, 3);
        fill(&batch, "", 2 * sizeof(atomic_int), 0, 0);
        CHECK(lanes_area_open(&own, "driver",
                              sharing_area(&batch.tasks[0].input)) == 0,
              "area");
        CHECK(lanes_area_attach(&other, dup(own.fd)) == 0, "attach");
        batch.area = own.memory;
        batch.area_size = own.size;
        CHECK(go(models[m], &batch, stepped) == 0, "%s", models[m]->name);
        CHECK(((int *)other.memory)[1] == N_TASKS, "%s", models[m]->name);
        for (size_t n = 0; n < N_TASKS; n++) {
            const struct lanes_task *task = &batch.tasks[n];

            CHECK(task->n_figures == 2 &&
                      task->notes->figures[0] == -task->notes->figures[1],
                  "task %zu", n);
            sum += task->notes->figures[0];
        }
        CHECK(sum == N_TASKS * (N_TASKS - 1) / 2, "%ld", (long)sum);
        lanes_batch_rewind(&batch);
        CHECK(batch.tasks[0].n_figures == 0, "measured anew");
        lanes_area_close(&other);
        lanes_area_close(&own);
        lanes_batch_close(&batch);
    }
}

static void check_area(void)
{
    struct lanes_area own;
    int empty = memfd_create("empty", MFD_CLOEXEC);

    CHECK(lanes_area_open(&own, "driver", SIZE_MAX) == -ENOMEM, "too large");
    CHECK(lanes_area_open(&own, "driver", INT64_MAX) < 0, "too large as well");
    CHECK(lanes_area_attach(&own, empty) == -EINVAL, "it is empty");
    lanes_area_close(&own);
    CHECK(close(empty) == 0, "it was left to us");
    CHECK(lanes_area_attach(&own, empty) == -EBADF, "it is closed");
    CHECK(lanes_area_open(&own, "driver", 1) == 0, "a byte");
    CHECK(*(char *)own.memory == 0, "of zero");
    lanes_area_close(&own);
    lanes_area_close(&own);
}

/* ---- locks, and the number that they protect ---- */

/* In a child: whether the lock can be had at once, or in a moment; one that is
 * taken is not given back. */
static bool child_takes(struct lanes_lock *lock)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(lanes_lock_open(lock) != 0
                  ? 2
                  : lanes_lock_try(lock) || lanes_lock_take(lock, 20));
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
              WEXITSTATUS(status) < 2,
          "%d", status);
    return WEXITSTATUS(status) == 1;
}

static void check_lock(void)
{
    struct lanes_lock *lock = area.memory;

    memset(area.memory, 0, area.size);
    CHECK(lanes_lock_open(lock) == 0, "the first makes it");
    CHECK(lanes_lock_open(lock) == 0, "the second finds it");
    CHECK(lanes_lock_try(lock), "it is free");
    CHECK(!child_takes(lock), "it is ours");
    lanes_lock_give(lock);
    CHECK(child_takes(lock), "it is free again");
    CHECK(lanes_lock_try(lock), "the dead have left it");
    lanes_lock_give(lock);
    CHECK(child_takes(lock), "and it is as good as before");
    CHECK(lanes_lock_take(lock, 0), "once more");
    lanes_lock_give(lock);
    memset(area.memory, 0, area.size);
    atomic_store(&lock->state, 1);
    CHECK(lanes_lock_open(lock) == -ENOTRECOVERABLE, "its maker has died");
}

static int64_t number(void)
{
    return *(int64_t *)area.memory;
}

static void check_counter(bool stepped)
{
    static const char *const steps[] = {"locked", "atomic", "plain"};
    struct lanes_batch batch;

    for (size_t m = 0; m < COUNT(models); m++)
        for (size_t s = 0; s < COUNT(steps); s++) {
            open_batch(&batch, models[m], &lanes_workload_counter, 3);
            fill(&batch, steps[s], 3000, 0, 0);
            CHECK(go(models[m], &batch, stepped) == 0, "%s", models[m]->name);
            CHECK(s < 2 ? number() == N_TASKS * 3000
                        : number() > 0 && number() <= N_TASKS * 3000,
                  "%s/%s: %ld", models[m]->name, steps[s], (long)number());
            CHECK(batch.tasks[0].n_figures == (s == 0 ? 2 : 0), "%s", steps[s]);
            lanes_batch_close(&batch);
        }
}

/* Kill, one after another, the children that have begun a task. */
static bool kill_one(void *ctx)
{
    static size_t n;
    struct lanes_batch *batch = ctx;
    const struct lanes_span *span = &batch->tasks[n++ % N_TASKS].span;

    if (span->process > 0 && span->finished == 0)
        kill(span->process, SIGKILL);
    return true;
}

/* Whoever is killed while it holds the lock leaves it to the others. */
static void check_killed_holder(void)
{
    struct lanes_batch batch;
    int64_t n_ok = 0;

    open_batch(&batch, &lanes_model_fork, &lanes_workload_counter, 3);
    fill(&batch, "locked", 1, 40 * LANES_MS, 0);
    batch.keep_going = kill_one;
    batch.ctx = &batch;
    CHECK(lanes_model_run(&lanes_model_fork, &batch) == 0, "it ends");
    for (size_t n = 0; n < N_TASKS; n++) {
        CHECK(batch.tasks[n].status == LANES_OK ||
                  batch.tasks[n].status == LANES_KILLED,
              "task %zu", n);
        n_ok += batch.tasks[n].status == LANES_OK;
    }
    CHECK(n_ok < N_TASKS, "somebody was killed");
    CHECK(number() >= n_ok && number() <= N_TASKS, "%ld of %ld", (long)number(),
          (long)n_ok);
    lanes_batch_close(&batch);
}

static void check_failing_open(bool stepped)
{
    for (size_t m = 0; m < COUNT(models); m++) {
        struct lanes_batch batch;
        int rc;

        open_batch(&batch, models[m], &mortal, 2);
        batch.tasks[0].input.args[0] = IDLE_FAIL;
        rc = go(models[m], &batch, stepped);
        CHECK(rc == -EMFILE, "%s: %d", models[m]->name, rc);
        lanes_batch_close(&batch);
    }
}

/* ---- the loop by itself ---- */

static int fired[200], n_fired;

struct numbered {
    struct lanes_timer timer;
    int number;
};

static void note(struct lanes_timer *timer)
{
    fired[n_fired++] = ((struct numbered *)timer)->number;
}

static void check_timers(void)
{
    static struct numbered timers[200];
    struct lanes_loop loop;
    int64_t start = lanes_clock_now() + LANES_MS;

    CHECK(lanes_loop_open(&loop) == 0, "loop");
    for (int n = 0; n < 200; n++) {
        int number = n * 77 % 200; /* every number once, out of order */

        timers[n] = (struct numbered){{.fire = note}, number};
        lanes_loop_set_timer(&loop, &timers[n].timer,
                             start + number * LANES_MS / 20);
    }
    for (int n = 0; n < 200; n++)
        if (timers[n].number % 10 == 3)
            lanes_loop_clear_timer(&loop, &timers[n].timer);
        else if (timers[n].number % 10 == 4) /* from late to first */
            lanes_loop_set_timer(&loop, &timers[n].timer, start - LANES_MS / 2);
    while (loop.n_timers > 0)
        CHECK(lanes_loop_step(&loop, 1000) == 0, "step");
    CHECK(n_fired == 180, "%d fired", n_fired);
    for (int n = 21; n < n_fired; n++)
        CHECK(fired[n] > fired[n - 1], "timer %d after %d", fired[n],
              fired[n - 1]);
    lanes_loop_close(&loop);
}

static void count_ready(void *ctx, int fd, uint32_t events)
{
    char byte;

    (void)events;
    (void)!read(fd, &byte, 1);
    ++*(int *)ctx;
}

/* A descriptor left and taken up again; then its number used by another file,
 * with the loop told of both (adopted) or of neither. */
static void check_watches(bool adopted)
{
    struct lanes_loop loop;
    int ends[2], n = 0;

    CHECK(lanes_loop_open(&loop) == 0, "loop");
    for (int round = 1; round <= 2; round++) {
        CHECK(pipe(ends) == 0, "pipe");
        if (adopted)
            lanes_loop_adopt(&loop, ends[0]);
        CHECK(lanes_loop_watch(&loop, ends[0], EPOLLIN, count_ready, &n) == 0,
              "watch");
        (void)!write(ends[1], "abc", 3);
        lanes_loop_step(&loop, 1000);
        CHECK(n == 3 * round - 2, "%d", n);
        lanes_loop_unwatch(&loop, ends[0]);
        lanes_loop_step(&loop, 0); /* unwatched: dropped from epoll */
        lanes_loop_step(&loop, 0);
        CHECK(n == 3 * round - 2, "%d", n);
        CHECK(lanes_loop_watch(&loop, ends[0], EPOLLIN, count_ready, &n) == 0,
              "watch again");
        lanes_loop_step(&loop, 1000);
        lanes_loop_step(&loop, 1000);
        CHECK(n == 3 * round, "%d", n);
        if (adopted)
            lanes_loop_drop(&loop, ends[0]);
        else
            lanes_loop_unwatch(&loop, ends[0]);
        close(ends[0]);
        close(ends[1]);
    }
    lanes_loop_close(&loop);
}

/* A timer that is always due does not keep descriptors waiting. */

struct restless {
    struct lanes_timer timer;
    struct lanes_loop *loop;
};

static void again(struct lanes_timer *timer)
{
    lanes_loop_set_timer(((struct restless *)timer)->loop, timer,
                         lanes_clock_now());
}

static void check_fairness(void)
{
    struct lanes_loop loop;
    struct restless restless = {{.fire = again}, &loop};
    int ends[2], n = 0;

    CHECK(lanes_loop_open(&loop) == 0 && pipe(ends) == 0, "loop");
    lanes_loop_watch(&loop, ends[0], EPOLLIN, count_ready, &n);
    lanes_loop_set_timer(&loop, &restless.timer, 0);
    (void)!write(ends[1], "a", 1);
    for (int step = 0; step < 3; step++)
        lanes_loop_step(&loop, 1000);
    CHECK(n == 1, "%d", n);
    lanes_loop_clear_timer(&loop, &restless.timer);
    lanes_loop_close(&loop);
    close(ends[0]);
    close(ends[1]);
}

/* ---- what is used, and waiting for a lock ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t lock_cond = PTHREAD_COND_INITIALIZER;
static pthread_cond_t other_cond = PTHREAD_COND_INITIALIZER;

static int64_t lock_wait_of(pthread_cond_t *cond, int ms)
{
    struct lanes_usage before, after;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * LANES_MS;
    until.tv_sec += until.tv_nsec / LANES_SECOND;
    until.tv_nsec %= LANES_SECOND;
    lanes_usage_read(&before);
    pthread_mutex_lock(&mutex);
    while (pthread_cond_timedwait(cond, &mutex, &until) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&mutex);
    lanes_usage_read(&after);
    return after.lock_wait - before.lock_wait;
}

/* A thread that is woken and then gets no processor for a while. How long it
 * was in the run queue is read twice: close about its wait, and about all. */
struct sleeper {
    bool is_waiting; /* by `mutex` */
    struct lanes_usage before, after;
    int64_t inner, outer;
};

static void *wait_for_lock(void *arg)
{
    struct sleeper *sleeper = arg;

    setpriority(PRIO_PROCESS, (id_t)lanes_clock_thread(), 19);
    pthread_mutex_lock(&mutex);
    sleeper->is_waiting = true;
    sleeper->outer = -lanes_usage_run_queue();
    lanes_usage_read(&sleeper->before);
    sleeper->inner = -lanes_usage_run_queue();
    pthread_cond_wait(&lock_cond, &mutex);
    sleeper->inner += lanes_usage_run_queue();
    lanes_usage_read(&sleeper->after);
    sleeper->outer += lanes_usage_run_queue();
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void spin(int64_t ns)
{
    int64_t until = lanes_clock_now() + ns;

    while (lanes_clock_now() < until)
        continue;
}

static void wake_up(struct sleeper *sleeper)
{
    const struct timespec nap = {.tv_nsec = 20 * LANES_MS};
    pthread_t thread;
    bool is_waiting = false;

    pthread_create(&thread, NULL, wait_for_lock, sleeper);
    while (!is_waiting) {
        nanosleep(&nap, NULL);
        pthread_mutex_lock(&mutex);
        is_waiting = sleeper->is_waiting;
        pthread_mutex_unlock(&mutex);
    }
    nanosleep(&nap, NULL);
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&lock_cond);
    pthread_mutex_unlock(&mutex);
    spin(20 * LANES_MS);
    pthread_join(thread, NULL);
}

/* On one processor with whoever wakes it. */
static struct sleeper sleep_here(void)
{
    struct sleeper sleeper = {0};
    cpu_set_t allowed, one;

    sched_getaffinity(0, sizeof(allowed), &allowed);
    CPU_ZERO(&one);
    CPU_SET(lanes_clock_processor(), &one);
    sched_setaffinity(0, sizeof(one), &one);
    wake_up(&sleeper);
    sched_setaffinity(0, sizeof(allowed), &allowed);
    return sleeper;
}

/* Whether it was in the run queue for long once it was woken, and for hardly any
 * time else: on a crowded machine it may be the other way round. */
static bool is_telling(const struct sleeper *sleeper)
{
    return sleeper->inner >= 2 * LANES_MS &&
           sleeper->outer - sleeper->inner < LANES_MS / 2;
}

/* Who is told that the lock is free waits for a processor from then on; who is
 * told that it has been taken still waits for the lock. */
static void check_wake_up(bool is_free)
{
    struct sleeper sleeper = sleep_here();
    int64_t waited, queued;

    for (int tries = 1; tries < 50 && !is_telling(&sleeper); tries++)
        sleeper = sleep_here();
    CHECK(is_telling(&sleeper), "queued %ld of %ld ns", (long)sleeper.inner,
          (long)sleeper.outer);
    waited = sleeper.after.lock_wait - sleeper.before.lock_wait;
    queued = sleeper.after.run_queue - sleeper.before.run_queue;
    CHECK(sleeper.after.lock_waits == sleeper.before.lock_waits + 1, "once");
    CHECK(waited >= 15 * LANES_MS, "waited %ld ns", (long)waited);
    CHECK(is_free || queued < LANES_MS, "queued %ld ns", (long)queued);
    CHECK(!is_free || queued >= sleeper.inner, "queued %ld ns", (long)queued);
}

static void check_lock_wait(void)
{
    int64_t waited;

    CHECK(lanes_lockwait_install((const void *)check_lock_wait) == 0, "none");
    CHECK(lanes_lockwait_install((const void *)check_lock_wait) == 0, "again");
    CHECK(lock_wait_of(&lock_cond, 5) == 0, "nothing is watched");
    lanes_lockwait_watch(&lock_cond, NULL);
    waited = lock_wait_of(&lock_cond, 30);
    CHECK(waited >= 29 * LANES_MS && waited < PROMPT, "%ld", (long)waited);
    CHECK(lock_wait_of(&other_cond, 5) == 0, "another is watched");
    check_wake_up(true);
    lanes_lockwait_watch(&other_cond, &lock_cond);
    check_wake_up(false);
    lanes_lockwait_watch(NULL, NULL);
    CHECK(lock_wait_of(&lock_cond, 5) == 0, "no longer watched");
}

static void check_ledger(void)
{
    struct lanes_ledger ledger;
    int other = memfd_create("no ledger", MFD_CLOEXEC);
    int status;
    pid_t pid;

    CHECK(other >= 0 && ftruncate(other, 4096) == 0, "a file of zeros");
    CHECK(lanes_ledger_open(&ledger, 2) == 0, "ledger");
    lanes_ledger_look(&ledger, false);
    lanes_ledger_look(&ledger, true);
    CHECK(lanes_ledger_length(&ledger) == 1, "one thread");
    lanes_ledger_begin(&ledger);
    CHECK(lanes_ledger_entry(&ledger, 0)->first.at ==
              lanes_ledger_entry(&ledger, 0)->last.at,
          "it begins anew");
    pid = fork();
    if (pid == 0) {
        lanes_ledger_look(&ledger, false);
        lanes_ledger_add(&ledger, (struct lanes_tally){3, 4});
        _exit(lanes_ledger_enter(&ledger) == NULL ? 0
                                                  : 1); /* there is no room */
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "%d", status);
    lanes_ledger_add(&ledger, (struct lanes_tally){5, 6});
    CHECK(lanes_ledger_length(&ledger) == 2, "and a child");
    CHECK(lanes_ledger_entry(&ledger, 0)->process == getpid(), "we");
    CHECK(lanes_ledger_entry(&ledger, 1)->process == pid, "the child");
    CHECK(lanes_ledger_tally(&ledger).bytes == 8, "bytes");
    CHECK(lanes_ledger_tally(&ledger).ns == 10, "ns");
    lanes_ledger_close(&ledger);
    CHECK(lanes_ledger_attach(&ledger, other) == -EINVAL, "no ledger's");
    lanes_ledger_close(&ledger);
    CHECK(close(other) == 0, "it was left to us");
    CHECK(lanes_ledger_open(&ledger, 1) == 0,
          "another, perhaps at its address");
    lanes_ledger_look(&ledger, false);
    CHECK(lanes_ledger_length(&ledger) == 1, "has entries of its own");
    lanes_ledger_close(&ledger);
    lanes_usage_rest();
}

/* ---- arrivals ---- */

static void open_arrivals(struct lanes_arrivals *arrivals, int64_t every,
                          struct lanes_terms terms)
{
    int64_t due[N_TASKS];

    for (int n = 0; n < N_TASKS; n++)
        due[n] = n * every;
    CHECK(lanes_arrivals_open(arrivals, due, N_TASKS, terms) == 0, "arrivals");
    CHECK(lanes_arrivals_length(arrivals) == N_TASKS, "all of them");
}

/* Twelve naps that come with time, through a model. */
static struct lanes_progress load(const struct lanes_model *model,
                                  const struct cell *cell, size_t n_workers,
                                  bool stepped, struct lanes_batch *batch,
                                  struct lanes_arrivals *arrivals)
{
    int rc;

    open_batch(batch, model, cell->workload, n_workers);
    fill(batch, cell->text, cell->a, cell->b, cell->c);
    batch->arrivals = arrivals;
    rc = go(model, batch, stepped);
    CHECK(rc == 0, "%s: %d", model->name, rc);
    return lanes_arrivals_progress(arrivals, lanes_clock_now());
}

/* The most that were admitted and not started at the same time. */
static size_t most_queued(const struct lanes_arrivals *arrivals)
{
    int64_t began = lanes_arrivals_began(arrivals);
    size_t most = 0;

    for (size_t n = 0; n < N_TASKS; n++) {
        int64_t at = began + lanes_arrivals_at(arrivals, n)->due;
        size_t queued = 0;

        for (size_t i = 0; i <= n; i++) {
            const struct lanes_arrival *other = lanes_arrivals_at(arrivals, i);

            queued += atomic_load(&other->state) > 0 &&
                      atomic_load(&other->claimed) > at;
        }
        if (queued > most)
            most = queued;
    }
    return most;
}

/* None is started before it is due, in order, each once. */
static void check_coming(const struct lanes_model *model,
                         const struct cell *cell, size_t n_workers,
                         bool stepped)
{
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;
    struct lanes_progress progress;

    open_arrivals(&arrivals, 4 * LANES_MS,
                  (struct lanes_terms){.open = LANES_SECOND * 60});
    progress = load(model, cell, n_workers, stepped, &batch, &arrivals);
    CHECK(progress.arrived == N_TASKS && progress.rejected == 0 &&
              progress.started == N_TASKS && progress.finished == N_TASKS,
          "%s: %zu started, %zu finished", model->name, progress.started,
          progress.finished);
    for (size_t n = 0; n < N_TASKS; n++) {
        const struct lanes_arrival *arrival = lanes_arrivals_at(&arrivals, n);
        int64_t due = lanes_arrivals_due(&arrivals, n);

        check_span(&batch, n);
        CHECK(batch.tasks[n].status == LANES_OK, "task %zu", n);
        CHECK(arrival->started >= due && arrival->finished >= arrival->started,
              "%s: task %zu", model->name, n);
        CHECK(atomic_load(&arrival->state) ==
                  atomic_load(&batch.tasks[n].owner),
              "task %zu", n);
        CHECK(n_workers > 1 || n == 0 ||
                  arrival->started >=
                      lanes_arrivals_at(&arrivals, n - 1)->started,
              "%s: task %zu before its time", model->name, n);
    }
    CHECK(!lanes_arrivals_has_free(&arrivals), "%s", model->name);
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

/* One worker, twelve arrivals within its first task, room for three. */
static void check_full(const struct lanes_model *model, bool rejects)
{
    static const struct cell nap = {&lanes_workload_wait, "", 200 * LANES_MS, 0,
                                    0};
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;
    struct lanes_progress progress;

    open_arrivals(&arrivals, 8 * LANES_MS,
                  (struct lanes_terms){3, rejects, LANES_SECOND * 60});
    progress = load(model, &nap, 1, false, &batch, &arrivals);
    CHECK(progress.rejected + progress.finished == N_TASKS, "%s: %zu and %zu",
          model->name, progress.rejected, progress.finished);
    CHECK(progress.rejected == (rejects ? N_TASKS - 4 : 0), "%s: %zu rejected",
          model->name, progress.rejected);
    CHECK(!rejects || most_queued(&arrivals) <= 3, "%s: %zu queued",
          model->name, most_queued(&arrivals));
    for (size_t n = 0; n < N_TASKS; n++)
        CHECK(batch.tasks[n].status ==
                  (rejects && n >= 4 ? LANES_PENDING : LANES_OK),
              "%s: task %zu", model->name, n);
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

/* What has not begun by then is left, and the run comes to its end. */
static void check_closing(const struct lanes_model *model)
{
    static const struct cell nap = {&lanes_workload_wait, "", 50 * LANES_MS, 0,
                                    0};
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;
    struct lanes_progress progress;

    open_arrivals(&arrivals, LANES_MS,
                  (struct lanes_terms){.open = 120 * LANES_MS});
    progress = load(model, &nap, 1, false, &batch, &arrivals);
    CHECK(progress.started >= 1 && progress.started <= 3, "%s: %zu started",
          model->name, progress.started);
    CHECK(progress.finished == progress.started, "%s", model->name);
    CHECK(lanes_arrivals_ended(&arrivals), "%s", model->name);
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

/* Workers that wait for an arrival in an hour stop when asked to. */
static void check_impatience(const struct lanes_model *model)
{
    static const struct cell nap = {&lanes_workload_wait, "", 0, 0, 0};
    int64_t until = lanes_clock_now() + 50 * LANES_MS;
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;

    open_arrivals(&arrivals, 3600 * LANES_SECOND,
                  (struct lanes_terms){.open = LANES_LONGEST});
    open_batch(&batch, model, nap.workload, 3);
    fill(&batch, nap.text, 0, 0, 0);
    batch.arrivals = &arrivals;
    batch.keep_going = stop_soon;
    batch.ctx = &until;
    CHECK(lanes_model_run(model, &batch) == -EINTR, "%s", model->name);
    CHECK(lanes_clock_now() - until < PROMPT, "%s is late", model->name);
    CHECK(lanes_arrivals_has_free(&arrivals), "%s", model->name);
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

/* A worker that is killed takes one arrival with it, and no other. */
static void check_killed_arrivals(void)
{
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;
    struct lanes_progress progress;

    open_arrivals(&arrivals, LANES_MS,
                  (struct lanes_terms){.open = LANES_SECOND * 60});
    open_batch(&batch, &lanes_model_fork, &mortal, 2);
    batch.tasks[4].input.args[0] = RAISE;
    batch.tasks[4].input.args[1] = SIGKILL;
    batch.arrivals = &arrivals;
    CHECK(lanes_model_run(&lanes_model_fork, &batch) == 0, "fork");
    progress = lanes_arrivals_progress(&arrivals, lanes_clock_now());
    CHECK(progress.started == N_TASKS && progress.finished == N_TASKS,
          "%zu, %zu", progress.started, progress.finished);
    for (size_t n = 0; n < N_TASKS; n++)
        CHECK(batch.tasks[n].status == (n == 4 ? LANES_KILLED : LANES_OK),
              "task %zu", n);
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

/* Kill the child that has the task at hand, once it is asleep. */
static bool kill_waiting(void *ctx)
{
    const struct lanes_batch *batch = ctx;
    pid_t pid = batch->tasks[0].span.process;

    if (pid > 0 && atomic_load(&batch->tasks[1].owner) != 0 &&
        batch->tasks[1].span.finished == 0)
        kill(pid, SIGKILL);
    return atomic_load(&batch->tasks[2].owner) == 0; /* nobody waits for that */
}

/* A worker that is killed while it waits for an arrival takes that with it, and
 * what never started does not finish. */
static void check_killed_waiting(void)
{
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;
    struct lanes_progress progress;

    open_arrivals(&arrivals, 3600 * LANES_SECOND,
                  (struct lanes_terms){.open = 3601 * LANES_SECOND});
    open_batch(&batch, &lanes_model_fork, &lanes_workload_wait, 1);
    fill(&batch, "", 0, 0, 0);
    batch.arrivals = &arrivals;
    batch.keep_going = kill_waiting;
    batch.ctx = &batch;
    CHECK(lanes_model_run(&lanes_model_fork, &batch) == 0, "it ends");
    progress = lanes_arrivals_progress(&arrivals, lanes_clock_now());
    CHECK(batch.tasks[1].status == LANES_KILLED, "%d", batch.tasks[1].status);
    CHECK(progress.started == 1 && progress.finished == 1 &&
              progress.latency >= 0,
          "%zu, %zu, %ld", progress.started, progress.finished,
          (long)progress.latency);
    CHECK(atomic_load(&lanes_arrivals_at(&arrivals, 1)->finished) == 0,
          "it never started");
    CHECK(atomic_load(&batch.tasks[2].owner) == 0, "it comes when all is over");
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

/* A worker that is killed between having finished and having said so. */
static void check_settled(void)
{
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;
    size_t from = 0;

    open_arrivals(&arrivals, 0, (struct lanes_terms){.open = LANES_LONGEST});
    open_batch(&batch, &lanes_model_fork, &lanes_workload_wait, 1);
    batch.arrivals = &arrivals;
    CHECK(lanes_batch_claim(&batch, 3, &from) == &batch.tasks[0], "the first");
    atomic_store(&batch.tasks[0].owner, 0);
    batch.tasks[0].span.started = lanes_clock_now();
    lanes_batch_tell_start(&batch, &batch.tasks[0]);
    batch.tasks[0].span.finished = lanes_clock_now();
    lanes_batch_settle(&batch, 3);
    lanes_batch_settle(&batch, 3);
    CHECK(atomic_load(&batch.tasks[0].owner) == 4, "its claim is known");
    CHECK(lanes_arrivals_at(&arrivals, 0)->finished ==
              batch.tasks[0].span.finished,
          "and that it has finished");
    CHECK(lanes_arrivals_progress(&arrivals, lanes_clock_now()).finished == 1,
          "once");
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

/* What is due when all is over is not begun, nor waited for. */
static void check_too_late(const struct lanes_model *model)
{
    static const struct cell nap = {&lanes_workload_wait, "", 0, 0, 0};
    struct lanes_arrivals arrivals;
    struct lanes_batch batch;
    struct lanes_progress progress;

    open_arrivals(&arrivals, 10 * LANES_MS,
                  (struct lanes_terms){.open = 15 * LANES_MS});
    progress = load(model, &nap, 3, false, &batch, &arrivals);
    CHECK(progress.started <= 2 && progress.finished == progress.started,
          "%s: %zu started", model->name, progress.started);
    lanes_batch_close(&batch);
    lanes_arrivals_close(&arrivals);
}

#define MANY 20000

/* Processes that claim as fast as they can and are killed anywhere, in the
 * midst of a claim too: nobody hangs, and nothing is claimed twice or lost. */
static void check_robust(void)
{
    static int64_t due[MANY];
    static int32_t last;
    struct lanes_arrivals arrivals;
    size_t n, claimed = 0;

    CHECK(lanes_arrivals_open(&arrivals, due, MANY,
                              (struct lanes_terms){.open = LANES_LONGEST}) == 0,
          "arrivals");
    for (int worker = 0; worker < 40; worker++) {
        const struct timespec nap = {.tv_nsec = 50000 * worker};
        pid_t pid = fork();

        while (pid == 0) /* ends by the signal alone */
            lanes_arrivals_claim(&arrivals, worker, &n);
        nanosleep(&nap, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (lanes_arrivals_claim(&arrivals, 1000, &n))
            claimed++;
    }
    while (lanes_arrivals_claim(&arrivals, 1000, &n))
        claimed++;
    for (n = 0; n < MANY; n++) {
        last = atomic_load(&lanes_arrivals_at(&arrivals, n)->state);
        CHECK(last > 0, "arrival %zu: %d", n, last);
        claimed -= last == 1001;
    }
    CHECK(claimed == 0, "%zu were claimed twice", claimed);
    lanes_arrivals_close(&arrivals);
}

/* A producer: into a queue with room for two, and out of it. */
static void check_producer(void)
{
    struct lanes_arrivals arrivals, other;
    int file;

    open_arrivals(&arrivals, 0, (struct lanes_terms){2, true, LANES_LONGEST});
    file = dup(arrivals.area.fd);
    CHECK(lanes_arrivals_attach(&other, file) == 0, "attach");
    CHECK(lanes_arrivals_began(&other) == 0, "not yet");
    CHECK(lanes_arrivals_begin(&arrivals) == lanes_arrivals_begin(&other),
          "once");
    CHECK(lanes_arrivals_admit(&arrivals, 0), "room for two");
    CHECK(lanes_arrivals_admit(&arrivals, 1), "room for one");
    CHECK(!lanes_arrivals_admit(&arrivals, 2), "full");
    lanes_arrivals_reject(&arrivals, 2);
    lanes_arrivals_start(&other, 0, lanes_clock_now());
    CHECK(lanes_arrivals_admit(&arrivals, 3), "room for one");
    lanes_arrivals_finish(&other, 0, lanes_clock_now());
    CHECK(lanes_arrivals_at(&other, 3)->admitted >=
              lanes_arrivals_at(&other, 0)->started,
          "later than what made room");
    lanes_arrivals_end(&other);
    CHECK(lanes_arrivals_ended(&arrivals), "for all");
    lanes_arrivals_close(&other);
    lanes_arrivals_close(&arrivals);
    file = memfd_create("no arrivals", MFD_CLOEXEC);
    CHECK(file >= 0 && ftruncate(file, 4096) == 0, "a file of zeros");
    CHECK(lanes_arrivals_attach(&other, file) == -EINVAL, "no arrivals'");
    CHECK(close(file) == 0, "it was left to us");
}

static void check_arrivals(bool stepped)
{
    for (size_t m = 0; m < COUNT(models); m++) {
        for (size_t workers = 1; workers <= 4; workers *= 4)
            for (size_t c = 0; c < COUNT(cells); c++)
                check_coming(models[m], &cells[c], workers, stepped);
        check_full(models[m], true);
        check_full(models[m], false);
        check_closing(models[m]);
        check_too_late(models[m]);
        check_impatience(models[m]);
    }
    check_killed_arrivals();
    check_killed_waiting();
    check_settled();
    check_robust();
    check_producer();
}

/* Begun, and not finished: neither before nor after, nor one that is only
 * claimed. */
static void check_under_way(void)
{
    struct lanes_batch batch;
    struct lanes_worker worker;
    struct lanes_task *task;
    size_t from = 0;

    open_batch(&batch, &lanes_model_serial, &lanes_workload_wait, 1);
    lanes_worker_init(&worker, &batch, 0, true);
    lanes_batch_claim(&batch, 0, &from);
    task = lanes_batch_claim(&batch, 0, &from);
    CHECK(lanes_batch_under_way(&batch, 0) == N_TASKS, "only claimed");
    lanes_worker_begin(&worker, task);
    CHECK(lanes_batch_under_way(&batch, 0) == 1, "the second");
    CHECK(lanes_batch_under_way(&batch, 1) == 1, "the second, from there");
    CHECK(lanes_batch_under_way(&batch, 2) == N_TASKS, "no other");
    lanes_task_succeed(task, 0, NULL);
    lanes_worker_end(&worker, task);
    CHECK(lanes_batch_under_way(&batch, 0) == N_TASKS, "finished");
    lanes_batch_close(&batch);
    CHECK(strcmp(lanes_syscall_name(SYS_futex), "futex") == 0, "a name");
    CHECK(lanes_syscall_name(SYS_getpid) == NULL, "that never waits");
    CHECK(lanes_syscall_name(-1) == NULL, "none at all");
}

/* ---- exchanges, and the channel by itself ---- */

/* By a way that not every model has, with several sizes at once. */
static void check_exchange(const struct lanes_model *model, const char *way,
                           bool is_there, bool stepped)
{
    static const int64_t sizes[] = {1, 64, 70000, 2 << 20};
    struct lanes_batch batch;

    open_batch(&batch, model, &lanes_workload_exchange, 3);
    for (size_t n = 0; n < N_TASKS; n++) {
        int64_t size = sizes[n % COUNT(sizes)], first = (int64_t)(n / 4);

        batch.tasks[n].input =
            (struct lanes_input){way, {size, first, payload_crc(size, first)}};
    }
    CHECK(go(model, &batch, stepped) == 0, "%s/%s", model->name, way);
    for (size_t n = 0; n < N_TASKS; n++) {
        const struct lanes_task *task = &batch.tasks[n];
        bool refers = strcmp(way, "queue") == 0;
        int64_t copied = refers ? 0 : 4 * task->input.args[0];

        CHECK(task->status == (is_there ? LANES_OK : LANES_FAILED),
              "%s/%s task %zu: %s", model->name, way, n, task->notes->text);
        if (!is_there)
            continue;
        CHECK(task->n_figures == 3 && task->notes->figures[0] > 0, "%d",
              task->n_figures);
        CHECK(task->notes->figures[1] == copied, "%s task %zu copied %ld", way,
              n, (long)task->notes->figures[1]);
        CHECK((task->notes->figures[2] > 0) == (copied > 4 * 4096),
              "%s task %zu for %ld ns", way, n, (long)task->notes->figures[2]);
    }
    lanes_batch_close(&batch);
}

static void check_exchanges(bool stepped)
{
    for (size_t m = 0; m < COUNT(models); m++) {
        const struct lanes_model *model = models[m];
        bool loop = model == &lanes_model_epoll;

        check_exchange(model, "queue", !model->forks, stepped);
        check_exchange(model, "condition", !model->forks && !loop, stepped);
        check_exchange(model, "shared-memory", !loop, stepped);
    }
    CHECK(waitpid(-1, NULL, WNOHANG) <= 0, "a zombie is left");
}

/* An answer that is not the payload is found out. */
static void check_corrupted(void)
{
    struct lanes_batch batch;

    open_batch(&batch, &lanes_model_pthreads, &lanes_workload_exchange, 2);
    fill(&batch, "condition", 100, 0, 0);
    batch.tasks[3].input.args[2] ^= 1;
    CHECK(lanes_model_run(&lanes_model_pthreads, &batch) == 0, "run");
    for (size_t n = 0; n < N_TASKS; n++)
        CHECK(batch.tasks[n].status == (n == 3 ? LANES_FAILED : LANES_OK),
              "task %zu", n);
    CHECK(strcmp(batch.tasks[3].notes->kind, "Corrupted") == 0, "%s",
          batch.tasks[3].notes->kind);
    lanes_batch_close(&batch);
}

/* Whoever is below this process and is called so by the kernel; 0: nobody. */
static pid_t find_below(pid_t pid, const char *name)
{
    char path[64], line[256] = "";
    pid_t found = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    (void)!fgets(line, sizeof(line), file);
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, name) == 0)
        return pid;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    file = fopen(path, "r");
    while (file != NULL && found == 0 && fscanf(file, "%d", &pid) == 1)
        found = find_below(pid, name);
    if (file != NULL)
        fclose(file);
    return found;
}

/* What strikes a partner so many times while a run goes on, and lets it go on for
 * so long afterwards. */
struct striker {
    int signal, n_left;
    int64_t patience, until;
};

static bool strike(void *ctx)
{
    struct striker *striker = ctx;
    pid_t partner = striker->n_left > 0 ? find_below(getpid(), "peer") : 0;

    if (partner > 0) {
        striker->n_left--;
        kill(partner, striker->signal);
        striker->until = lanes_clock_now() + striker->patience;
    }
    return striker->n_left > 0 || lanes_clock_now() < striker->until;
}

/* A partner that is killed costs the task that it was at; the worker gets
 * another, and goes on. */
static void check_killed_partner(const char *way)
{
    struct striker striker = {SIGKILL, 3, 3600 * LANES_SECOND, 0};
    struct lanes_batch batch;
    size_t n_failed_tasks = 0;

    if (lanes_batch_open(&batch, &lanes_workload_exchange, 400, 1, true) < 0)
        exit(2);
    for (size_t n = 0; n < batch.n_tasks; n++)
        batch.tasks[n].input =
            (struct lanes_input){way, {1 << 20, 0, payload_crc(1 << 20, 0)}};
    batch.keep_going = strike;
    batch.ctx = &striker;
    CHECK(lanes_model_run(&lanes_model_fork, &batch) == 0, "%s", way);
    for (size_t n = 0; n < batch.n_tasks; n++) {
        const struct lanes_task *task = &batch.tasks[n];

        n_failed_tasks += task->status != LANES_OK;
        CHECK(task->status == LANES_OK ||
                  strcmp(task->notes->kind, "PartnerKilled") == 0,
              "%s task %zu: %s", way, n, task->notes->text);
    }
    CHECK(n_failed_tasks <= 3, "%s: %zu failed", way, n_failed_tasks);
    CHECK(striker.n_left < 3, "%s: it was too quick to be killed", way);
    lanes_batch_close(&batch);
}

/* One that stands still keeps nobody from stopping the run. */
static void check_still_partner(const char *way)
{
    struct striker striker = {SIGSTOP, 1, 100 * LANES_MS, 0};
    struct lanes_batch batch;

    if (lanes_batch_open(&batch, &lanes_workload_exchange, 100000, 1, true) < 0)
        exit(2);
    for (size_t n = 0; n < batch.n_tasks; n++)
        batch.tasks[n].input =
            (struct lanes_input){way, {64, 0, payload_crc(64, 0)}};
    batch.keep_going = strike;
    batch.ctx = &striker;
    CHECK(lanes_model_run(&lanes_model_fork, &batch) == -EINTR, "%s", way);
    CHECK(lanes_clock_now() - striker.until < PROMPT, "%s is late", way);
    lanes_batch_close(&batch);
}

/* A thread that answers until it is hung up on. */
struct echo {
    struct lanes_channel channel;
    struct lanes_end end;
    struct lanes_buffer buffer;
    int rc;
};

static void *echo(void *arg)
{
    struct echo *self = arg;

    do {
        lanes_end_receive(&self->end, &self->buffer);
        self->rc = lanes_end_finish(&self->end);
        if (self->rc == 0) {
            lanes_end_send(&self->end, self->buffer.bytes, self->buffer.size);
            self->rc = lanes_end_finish(&self->end);
        }
    } while (self->rc == 0);
    return NULL;
}

static bool once(void *ctx)
{
    return (*(int *)ctx)-- > 0;
}

static void check_channel(enum lanes_way way)
{
    static char data[3 << 20];
    struct lanes_buffer answer = {0};
    struct echo other = {0};
    struct lanes_end end;
    pthread_t thread;
    int patience = 1;

    for (size_t n = 0; n < sizeof(data); n++)
        data[n] = (char)(n * n >> 7);
    CHECK(lanes_channel_open(&other.channel, way) == 0, "way %d", way);
    lanes_end_init(&end, &other.channel, 0);
    lanes_end_init(&other.end, &other.channel, 1);
    lanes_end_receive(&end, &answer);
    end.may_wait = once;
    end.ctx = &patience;
    CHECK(lanes_end_step(&end) == -EAGAIN, "there is nothing yet");
    CHECK(lanes_end_finish(&end) == -ECANCELED, "and it will not wait");
    end.may_wait = NULL;
    pthread_create(&thread, NULL, echo, &other);
    for (size_t size = 1; size < sizeof(data); size = size * 3 + 1) {
        lanes_end_send(&end, data, size);
        CHECK(lanes_end_finish(&end) == 0, "way %d: %zu bytes", way, size);
        lanes_end_receive(&end, &answer);
        CHECK(lanes_end_finish(&end) == 0, "way %d: %zu bytes", way, size);
        CHECK(answer.size == size && memcmp(answer.bytes, data, size) == 0,
              "way %d: %zu bytes came back as %zu", way, size, answer.size);
    }
    CHECK(lanes_channel_copying(&other.channel) > 0, "way %d", way);
    lanes_channel_hang_up(&other.channel, 0);
    pthread_join(thread, NULL);
    CHECK(other.rc == -EPIPE, "way %d: %d", way, other.rc);
    lanes_buffer_free(&answer);
    lanes_buffer_free(&other.buffer);
    lanes_channel_close(&other.channel);
}

static void check_channels(void)
{
    static const char *const apart[] = {"shared-memory", "eventfd", "pipe",
                                        "file"};

    for (int way = LANES_CONDITION; way <= LANES_FILE; way++)
        check_channel((enum lanes_way)way);
    check_corrupted();
    for (size_t n = 0; n < COUNT(apart); n++) {
        check_killed_partner(apart[n]);
        check_still_partner(apart[n]);
    }
}

int main(void)
{
    int port;
    pid_t origin = origin_start(&port);

    point_urls(port, NULL);
    check_timers();
    check_watches(true);
    check_watches(false);
    check_fairness();
    check_lock_wait();
    CHECK(lanes_area_open(&area, "driver", 4096) == 0, "area");
    check_area();
    check_lock();
    check_killed_holder();
    check_ledger();
    check_under_way();
    for (int stepped = 0; stepped < 2; stepped++) {
        check_grid(stepped);
        check_silence(port, stepped);
        check_sharing(stepped);
        check_counter(stepped);
        check_exchanges(stepped);
        check_failing_open(stepped);
        check_killed(RAISE, SIGKILL, stepped);
        check_killed(RAISE, SIGTERM, stepped);
        check_killed(EXIT, 7, stepped);
    }
    check_arrivals(false);
    check_arrivals(true);
    check_channels();
    check_stop(port);
    check_end(port);
    check_grid(false); /* all again, after all that */
    lanes_area_close(&area);
    kill(origin, SIGKILL);
    waitpid(origin, NULL, 0);
    printf("driver: %d checks, %d failed\n", n_checks, n_failed);
    return n_failed > 0;
}
