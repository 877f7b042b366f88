/* syscalls.h - what the kernel calls the system calls in which a thread may
 * wait. It must not know which thread, nor why anybody asks.
 */
#ifndef LANES_SYSCALLS_H
#define LANES_SYSCALLS_H

/* NULL for one that hardly waits, or that is not known. */
const char *lanes_syscall_name(long number);

#endif
