/* usage.h - what a thread has used of the machine so far, and for what it
 * waited. It must not know what the thread works at, nor who asks.
 */
#ifndef LANES_USAGE_H
#define LANES_USAGE_H

#include <stdint.h>

/* Counted since the thread began; times in nanoseconds. */
struct lanes_usage {
    int64_t at;     /* CLOCK_MONOTONIC */
    int64_t cpu;    /* on a processor, exactly */
    int64_t user;   /* the same as the kernel's ticks divide it: what share */
    int64_t system; /* of cpu was whose */
    int64_t run_queue;   /* ready to run, and no processor free; 0 if unknown */
    int64_t lock_wait;   /* waited for the watched lock */
    int64_t lock_waits;  /* so many times */
    int64_t voluntary;   /* context switches: it waited */
    int64_t involuntary; /* it had to give way */
};

/* Of the calling thread. */
void lanes_usage_read(struct lanes_usage *usage);

/* The kernel's count of the time in the run queue: one short system call. */
int64_t lanes_usage_run_queue(void);

/* The calling thread has waited for the watched lock; so much of that it also
 * spent in the run queue, and without missing the processor. */
void lanes_usage_add_lock_wait(int64_t ns, int64_t queued_ns);

/* Give back the descriptor that reading takes, which else stays open until the
 * thread ends. */
void lanes_usage_rest(void);

#endif
