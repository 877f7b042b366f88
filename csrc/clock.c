#include "clock.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * LANES_SECOND + t.tv_nsec;
}

int64_t lanes_clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t lanes_clock_tick(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t lanes_clock_cpu(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int lanes_clock_processor(void)
{
    return sched_getcpu();
}

int lanes_clock_thread(void)
{
    return (int)syscall(SYS_gettid); /* gettid() itself needs glibc 2.30 */
}
