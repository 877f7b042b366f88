/* clock.h - the times a span is made of. It must not know who asks. */
#ifndef LANES_CLOCK_H
#define LANES_CLOCK_H

#include <stdint.h>

#define LANES_MS INT64_C(1000000)
#define LANES_SECOND INT64_C(1000000000)

/* The longest time a task may name, 26 days: sums of a few do not overflow. */
#define LANES_LONGEST (INT64_C(1) << 51)

/* CLOCK_MONOTONIC in nanoseconds: one clock for all threads and processes. */
int64_t lanes_clock_now(void);

/* The same clock as of its last tick, some milliseconds old: five times cheaper
 * and good enough for time-outs. */
int64_t lanes_clock_tick(void);

/* CPU time of the calling thread in nanoseconds. */
int64_t lanes_clock_cpu(void);

/* The processor the calling thread is on. */
int lanes_clock_processor(void);

/* Kernel id of the calling thread. */
int lanes_clock_thread(void);

#endif
