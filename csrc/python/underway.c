/* underway.c - the native runs that this process is in, and the tasks they have
 * begun and not finished: for whoever wants to know where a run stands that does
 * not end. It only looks: a task may finish while it is looked at.
 */
#include "binding.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lanes_records *newest; /* by `lock` */

void lanes_under_way_enter(struct lanes_records *run,
                           const struct lanes_model *model)
{
    run->model = model;
    pthread_mutex_lock(&lock);
    run->next = newest;
    newest = run;
    pthread_mutex_unlock(&lock);
}

void lanes_under_way_leave(struct lanes_records *run)
{
    struct lanes_records **link = &newest;

    pthread_mutex_lock(&lock);
    while (*link != NULL && *link != run)
        link = &(*link)->next;
    if (*link != NULL)
        *link = run->next;
    pthread_mutex_unlock(&lock);
}

void lanes_under_way_forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    newest = NULL;
}

/* ---- a look ---- */

/* A task as it was when it was looked at. */
struct sight {
    const char *model; /* borrowed: static */
    size_t index;
    int worker;
    struct lanes_span span;
};

struct sights {
    struct sight *items; /* owned */
    size_t n, room;
};

static int add(struct sights *sights, struct sight sight)
{
    if (sights->n == sights->room) {
        size_t room = 2 * sights->room + 16;
        struct sight *items =
            realloc(sights->items, room * sizeof(*sights->items));

        if (items == NULL)
            return -1;
        sights->items = items;
        sights->room = room;
    }
    sights->items[sights->n++] = sight;
    return 0;
}

static int look_at(const struct lanes_records *run, struct sights *sights)
{
    const struct lanes_batch *batch = &run->batch;

    for (size_t n = lanes_batch_under_way(batch, 0); n < batch->n_tasks;
         n = lanes_batch_under_way(batch, n + 1)) {
        const struct lanes_task *task = &batch->tasks[n];
        struct sight sight = {run->model->name, n,
                              atomic_load(&task->owner) - 1, task->span};

        if (add(sights, sight) < 0)
            return -1;
    }
    return 0;
}

/* All under the lock, where nothing of Python's runs: no object may be made, as
 * that may free others, and end their runs. */
static int look(struct sights *sights)
{
    int rc = 0;

    pthread_mutex_lock(&lock);
    for (const struct lanes_records *run = newest; run != NULL && rc == 0;
         run = run->next)
        rc = look_at(run, sights);
    pthread_mutex_unlock(&lock);
    return rc;
}

static PyObject *list_of(const struct sights *sights)
{
    PyObject *list = PyList_New((Py_ssize_t)sights->n);

    for (size_t n = 0; list != NULL && n < sights->n; n++) {
        const struct sight *sight = &sights->items[n];
        PyObject *item = Py_BuildValue(
            "(sniiiL)", sight->model, (Py_ssize_t)sight->index, sight->worker,
            (int)sight->span.process, (int)sight->span.thread,
            (long long)sight->span.started);

        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)n, item);
    }
    return list;
}

PyObject *lanes_under_way_list(void)
{
    struct sights sights = {0};
    PyObject *list = look(&sights) < 0 ? PyErr_NoMemory() : list_of(&sights);

    free(sights.items);
    return list;
}
