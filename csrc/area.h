/* area.h - a piece of memory that threads and processes share, in a memory file:
 * forked children have it, others attach to it by a descriptor. It must not know
 * what lies in it, nor who writes to it.
 */
#ifndef LANES_AREA_H
#define LANES_AREA_H

#include <stddef.h>

struct lanes_area {
    void *memory; /* owned, shared memory; NULL: there is none */
    size_t size;  /* in bytes, more than none */
    int fd;       /* owned while there is memory: its file */
};

/* Zeros, on pages of their own. `name` is what the kernel calls the file.
 * Returns 0 or a negative errno. */
int lanes_area_open(struct lanes_area *area, const char *name, size_t size);

/* The same memory in a process that was not forked, by a descriptor of its file,
 * which belongs to the area from then on. Returns 0, or a negative errno and
 * leaves the descriptor to the caller. */
int lanes_area_attach(struct lanes_area *area, int fd);
void lanes_area_close(struct lanes_area *area);

/* Close it but for its descriptor, which goes back to whoever gave it. */
void lanes_area_leave(struct lanes_area *area);

#endif
