#include "lockwait.h"

#include "clock.h"
#include "usage.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the waits ---- */

static int (*wait_for)(pthread_cond_t *, pthread_mutex_t *);
static int (*wait_until)(pthread_cond_t *, pthread_mutex_t *,
                         const struct timespec *);

static _Atomic(const void *) watched_freed, watched_taken; /* shared */

struct moment {
    int64_t now, run_queue;
};

static bool tells_taken(const void *cond)
{
    return cond == atomic_load_explicit(&watched_taken, memory_order_relaxed);
}

static bool is_watched(const void *cond)
{
    return cond == atomic_load_explicit(&watched_freed, memory_order_relaxed) ||
           tells_taken(cond);
}

static struct moment moment(void)
{
    return (struct moment){lanes_clock_now(), lanes_usage_run_queue()};
}

/* Who was woken because the lock is free, and then waits for a processor, no
 * longer waits for the lock. Who only woke to look again has missed nothing,
 * nor has who was told that another has it. */
static void count_since(struct moment before, bool in_vain)
{
    struct moment after = moment();
    int64_t queued = after.run_queue - before.run_queue;
    int64_t all = after.now - before.now;

    if (in_vain)
        lanes_usage_add_lock_wait(all, queued);
    else
        lanes_usage_add_lock_wait(all - queued, 0);
}

static int timed_wait_for(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    struct moment before;
    int rc;

    if (!is_watched(cond))
        return wait_for(cond, mutex);
    before = moment();
    rc = wait_for(cond, mutex);
    count_since(before, tells_taken(cond));
    return rc;
}

static int timed_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex,
                            const struct timespec *until)
{
    struct moment before;
    int rc;

    if (!is_watched(cond))
        return wait_until(cond, mutex, until);
    before = moment();
    rc = wait_until(cond, mutex, until);
    count_since(before, rc == ETIMEDOUT || tells_taken(cond));
    return rc;
}

int64_t lanes_lockwait_cost(void)
{
    int64_t least = INT64_MAX;

    for (int n = 0; n < 16; n++) {
        struct moment before = moment(), after = moment();

        if (after.now - before.now < least)
            least = after.now - before.now;
    }
    return 2 * least; /* before the wait and after it */
}

void lanes_lockwait_watch(const void *freed, const void *taken)
{
    atomic_store(&watched_freed, freed);
    atomic_store(&watched_taken, taken);
}

/* ---- the table of imported functions ---- */

struct object {
    uintptr_t inside; /* an address of it */
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *names;
    uintptr_t sealed, sealed_end; /* read-only once it is loaded */
    int n_redirected;
};

static void redirect(struct object *object, uintptr_t *entry, uintptr_t to)
{
    const uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)((uintptr_t)entry & ~(page_size - 1));
    bool is_sealed = (uintptr_t)entry >= object->sealed &&
                     (uintptr_t)entry < object->sealed_end;

    if (is_sealed && mprotect(page, page_size, PROT_READ | PROT_WRITE) < 0)
        return;
    __atomic_store_n(entry, to, __ATOMIC_RELEASE);
    if (is_sealed)
        mprotect(page, page_size, PROT_READ);
    object->n_redirected++;
}

static void search(struct object *object, const ElfW(Rela) * entries,
                   size_t bytes)
{
    for (size_t n = 0; n < bytes / sizeof(*entries); n++) {
        size_t symbol = sizeof(void *) == 8 ? entries[n].r_info >> 32
                                            : entries[n].r_info >> 8;
        const char *name = object->names + object->symbols[symbol].st_name;
        uintptr_t *entry = (uintptr_t *)(object->base + entries[n].r_offset);

        if (strcmp(name, "pthread_cond_timedwait") == 0)
            redirect(object, entry, (uintptr_t)timed_wait_until);
        else if (strcmp(name, "pthread_cond_wait") == 0)
            redirect(object, entry, (uintptr_t)timed_wait_for);
    }
}

/* glibc has made these addresses absolute, other C libraries have not. */
static const void *at(const struct object *object, ElfW(Addr) address)
{
    return (const void *)(address < object->base ? object->base + address
                                                 : address);
}

static void search_all(struct object *object, const ElfW(Dyn) * dynamic)
{
    const ElfW(Rela) *plt = NULL, *other = NULL;
    size_t plt_bytes = 0, other_bytes = 0;

    for (; dynamic->d_tag != DT_NULL; dynamic++)
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            object->symbols = at(object, dynamic->d_un.d_ptr);
            break;
        case DT_STRTAB:
            object->names = at(object, dynamic->d_un.d_ptr);
            break;
        case DT_JMPREL:
            plt = at(object, dynamic->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            plt_bytes = dynamic->d_un.d_val;
            break;
        case DT_RELA:
            other = at(object, dynamic->d_un.d_ptr);
            break;
        case DT_RELASZ:
            other_bytes = dynamic->d_un.d_val;
            break;
        case DT_REL: /* no addends: 32-bit machines of old */
            return;
        }
    if (object->symbols == NULL || object->names == NULL)
        return;
    if (plt != NULL)
        search(object, plt, plt_bytes);
    if (other != NULL)
        search(object, other, other_bytes);
}

static bool contains(const struct dl_phdr_info *info, uintptr_t address)
{
    for (size_t n = 0; n < info->dlpi_phnum; n++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[n];

        if (segment->p_type == PT_LOAD &&
            address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz)
            return true;
    }
    return false;
}

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
    const uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct object *object = arg;
    const ElfW(Dyn) *dynamic = NULL;

    (void)size;
    if (!contains(info, object->inside))
        return 0;
    object->base = info->dlpi_addr;
    for (size_t n = 0; n < info->dlpi_phnum; n++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[n];
        uintptr_t start = object->base + segment->p_vaddr;

        if (segment->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)start;
        if (segment->p_type == PT_GNU_RELRO) {
            object->sealed = start & ~(page_size - 1);
            object->sealed_end = (start + segment->p_memsz) & ~(page_size - 1);
        }
    }
    if (dynamic != NULL)
        search_all(object, dynamic);
    return 1;
}

static pthread_mutex_t installing = PTHREAD_MUTEX_INITIALIZER;

int lanes_lockwait_install(const void *inside)
{
    static bool is_installed; /* by `installing` */
    struct object object = {.inside = (uintptr_t)inside};

    pthread_mutex_lock(&installing);
    if (!is_installed) {
        wait_for = pthread_cond_wait;
        wait_until = pthread_cond_timedwait;
        dl_iterate_phdr(visit, &object);
        is_installed = object.n_redirected > 0;
    }
    inside = is_installed ? inside : NULL;
    pthread_mutex_unlock(&installing);
    return inside != NULL ? 0 : -ENOTSUP;
}
