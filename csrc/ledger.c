#include "ledger.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define FRESH_NS 100000 /* a look this young need not be taken again */

struct lanes_book {
    _Alignas(64) size_t bytes;
    size_t n_entries;
    int32_t process, thread;  /* that opened it */
    uint64_t number;          /* of all books of this process and its parents */
    _Atomic size_t n_entered; /* shared; may exceed n_entries */
    _Atomic int64_t n_bytes;  /* shared */
    _Atomic int64_t n_bytes_ns; /* shared */
    struct lanes_entry entries[];
};

/* Where the calling thread writes, and in which book. */
static _Thread_local struct {
    uint64_t number;
    struct lanes_entry *entry;
} own;

static void forget(void)
{
    own.number = 0;
}

static void set_up(void)
{
    pthread_atfork(NULL, NULL, forget);
}

static void ready(struct lanes_ledger *ledger)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, set_up);
    ledger->book = ledger->area.memory;
}

int lanes_ledger_open(struct lanes_ledger *ledger, size_t n_entries)
{
    static _Atomic uint64_t n_books;
    size_t bytes =
        sizeof(struct lanes_book) + n_entries * sizeof(struct lanes_entry);
    int rc = lanes_area_open(&ledger->area, "lanes-ledger", bytes);

    if (rc < 0)
        return rc;
    ready(ledger);
    ledger->book->bytes = bytes;
    ledger->book->n_entries = n_entries;
    ledger->book->process = getpid();
    ledger->book->thread = lanes_clock_thread();
    ledger->book->number = atomic_fetch_add(&n_books, 1) + 1;
    return 0;
}

int lanes_ledger_attach(struct lanes_ledger *ledger, int fd)
{
    int rc = lanes_area_attach(&ledger->area, fd);

    if (rc < 0)
        return rc;
    ready(ledger);
    if (ledger->area.size >= sizeof(*ledger->book) &&
        ledger->book->bytes == ledger->area.size)
        return 0;
    lanes_area_leave(&ledger->area);
    return -EINVAL;
}

void lanes_ledger_close(struct lanes_ledger *ledger)
{
    lanes_area_close(&ledger->area);
}

struct lanes_entry *lanes_ledger_enter(struct lanes_ledger *ledger)
{
    struct lanes_entry *entry;
    size_t n;

    if (ledger == NULL)
        return NULL;
    n = atomic_fetch_add(&ledger->book->n_entered, 1);
    if (n >= ledger->book->n_entries)
        return NULL;
    entry = &ledger->book->entries[n];
    entry->process = getpid();
    entry->thread = lanes_clock_thread();
    lanes_usage_read(&entry->last);
    entry->first = entry->last;
    return entry;
}

void lanes_entry_look(struct lanes_entry *entry)
{
    if (entry != NULL)
        lanes_usage_read(&entry->last);
}

/* Whether the calling thread had an entry already, or has been refused one. */
static bool enter(struct lanes_ledger *ledger)
{
    if (own.number == ledger->book->number)
        return true;
    own.number = ledger->book->number;
    own.entry = lanes_ledger_enter(ledger);
    return false;
}

static bool is_born_here(const struct lanes_entry *entry,
                         const struct lanes_ledger *ledger)
{
    return entry->process == ledger->book->process &&
           entry->thread != ledger->book->thread;
}

void lanes_ledger_look(struct lanes_ledger *ledger, bool now)
{
    bool is_new = !enter(ledger);

    if (own.entry == NULL)
        return;
    if (!is_new) {
        if (now || lanes_clock_now() - own.entry->last.at >= FRESH_NS)
            lanes_entry_look(own.entry);
    } else if (is_born_here(own.entry, ledger)) {
        /* At its start all else was zero. */
        own.entry->first = (struct lanes_usage){.at = own.entry->last.at};
    }
}

void lanes_ledger_begin(struct lanes_ledger *ledger)
{
    if (enter(ledger))
        lanes_entry_look(own.entry);
    if (own.entry != NULL)
        own.entry->first = own.entry->last;
}

size_t lanes_ledger_length(const struct lanes_ledger *ledger)
{
    size_t n = atomic_load(&ledger->book->n_entered);

    return n < ledger->book->n_entries ? n : ledger->book->n_entries;
}

const struct lanes_entry *lanes_ledger_entry(const struct lanes_ledger *ledger,
                                             size_t index)
{
    return &ledger->book->entries[index];
}

void lanes_ledger_add(struct lanes_ledger *ledger, struct lanes_tally more)
{
    atomic_fetch_add(&ledger->book->n_bytes, more.bytes);
    atomic_fetch_add(&ledger->book->n_bytes_ns, more.ns);
}

struct lanes_tally lanes_ledger_tally(const struct lanes_ledger *ledger)
{
    return (struct lanes_tally){
        atomic_load(&ledger->book->n_bytes),
        atomic_load(&ledger->book->n_bytes_ns),
    };
}
