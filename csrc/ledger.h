/* ledger.h - what each worker of a run has used of the machine, in memory
 * shared by threads and forked children. It must not know what the workers do,
 * nor which model they belong to.
 *
 * Every entry has one writer, its worker; the caller reads them after the run.
 */
#ifndef LANES_LEDGER_H
#define LANES_LEDGER_H

#include "area.h"
#include "usage.h"

#include <stdbool.h>
#include <stddef.h>

struct lanes_entry {
    _Alignas(64) int32_t process;
    int32_t thread;
    struct lanes_usage first; /* when the worker was ready */
    struct lanes_usage last;  /* as of its last look */
};

struct lanes_book;

struct lanes_ledger {
    struct lanes_area area;  /* owned */
    struct lanes_book *book; /* borrowed: what lies there */
};

/* Room for so many workers. Returns 0 or a negative errno. */
int lanes_ledger_open(struct lanes_ledger *ledger, size_t n_entries);

/* The same ledger in a process that was not forked, by a descriptor of its file,
 * which belongs to the ledger from then on. Returns 0, or a negative errno and
 * leaves the descriptor to the caller. */
int lanes_ledger_attach(struct lanes_ledger *ledger, int fd);
void lanes_ledger_close(struct lanes_ledger *ledger);

/* A new entry for the calling thread, with its first look taken; NULL when
 * there is no ledger or no room, which lanes_entry_look() takes as well. */
struct lanes_entry *lanes_ledger_enter(struct lanes_ledger *ledger);
void lanes_entry_look(struct lanes_entry *entry);

/* A look by a thread that keeps no entry of its own: the first one enters it,
 * later ones are skipped while the last is younger than a tenth of a
 * millisecond, unless `now` insists. Other threads of the process that opened
 * the ledger are its workers from their start, and all they have used counts:
 * Python's wait for the GIL before they can look for the first time. */
void lanes_ledger_look(struct lanes_ledger *ledger, bool now);

/* What the calling thread has used so far was no work. */
void lanes_ledger_begin(struct lanes_ledger *ledger);

/* The entries made so far. */
size_t lanes_ledger_length(const struct lanes_ledger *ledger);
const struct lanes_entry *lanes_ledger_entry(const struct lanes_ledger *ledger,
                                             size_t index);

/* Data was turned into bytes or back, by whichever thread or process. */
struct lanes_tally {
    int64_t bytes, ns;
};
void lanes_ledger_add(struct lanes_ledger *ledger, struct lanes_tally more);
struct lanes_tally lanes_ledger_tally(const struct lanes_ledger *ledger);

#endif
