#include "usage.h"

#include "clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* A kept descriptor makes reading eight times cheaper than opening anew. */
static _Thread_local struct {
    int schedstat; /* owned: descriptor + 1; 0 if not open, -1 if there is none */
    int64_t lock_wait, lock_waits, lock_queued;
} self;

static pthread_key_t at_exit; /* its value is self.schedstat */

static void close_at_exit(void *value)
{
    close((int)(intptr_t)value - 1);
}

/* The child's one thread is another than the one that has counted here. */
static void forget(void)
{
    lanes_usage_rest();
    self.lock_wait = self.lock_waits = self.lock_queued = 0;
}

static void set_up(void)
{
    pthread_key_create(&at_exit, close_at_exit);
    pthread_atfork(NULL, NULL, forget);
}

static int schedstat(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (self.schedstat == 0) {
        pthread_once(&once, set_up);
        self.schedstat =
            open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC) + 1;
        if (self.schedstat == 0)
            self.schedstat = -1;
        else
            pthread_setspecific(at_exit, (void *)(intptr_t)self.schedstat);
    }
    return self.schedstat - 1;
}

void lanes_usage_rest(void)
{
    if (self.schedstat > 0) {
        close(self.schedstat - 1);
        pthread_setspecific(at_exit, NULL);
    }
    self.schedstat = 0;
}

/* "CPU-ns run-queue-ns slices", where the first is behind by up to a tick. */
int64_t lanes_usage_run_queue(void)
{
    char text[64], *second;
    int fd = schedstat();
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

    if (n <= 0)
        return 0;
    text[n] = '\0';
    strtoll(text, &second, 10);
    return strtoll(second, NULL, 10);
}

void lanes_usage_add_lock_wait(int64_t ns, int64_t queued_ns)
{
    self.lock_wait += ns;
    self.lock_waits++;
    self.lock_queued += queued_ns;
}

static int64_t ns_of(struct timeval t)
{
    return t.tv_sec * LANES_SECOND + t.tv_usec * 1000;
}

void lanes_usage_read(struct lanes_usage *usage)
{
    struct rusage spent = {0};

    getrusage(RUSAGE_THREAD, &spent);
    *usage = (struct lanes_usage){
        .at = lanes_clock_now(),
        .cpu = lanes_clock_cpu(),
        .user = ns_of(spent.ru_utime),
        .system = ns_of(spent.ru_stime),
        .run_queue = lanes_usage_run_queue() - self.lock_queued,
        .lock_wait = self.lock_wait,
        .lock_waits = self.lock_waits,
        .voluntary = spent.ru_nvcsw,
        .involuntary = spent.ru_nivcsw,
    };
}
