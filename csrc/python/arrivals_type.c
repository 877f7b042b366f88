/* arrivals_type.c - the type Arrivals: tasks that come with time, as producers
 * and workers in Python see them, and whoever looks on.
 */
#include "binding.h"

#include "clock.h"

#include <stdlib.h>

static struct lanes_arrivals *arrivals_of(PyObject *self)
{
    return &((struct lanes_arrivals_object *)self)->arrivals;
}

/* ---- made, attached to, freed ---- */

/* The times of a sequence, for the caller to free; NULL with an exception. */
static int64_t *times_of(PyObject *sequence, Py_ssize_t *n)
{
    PyObject *tuple = PySequence_Tuple(sequence);
    int64_t *times = NULL;

    if (tuple == NULL)
        return NULL;
    *n = PyTuple_GET_SIZE(tuple);
    times = PyMem_Calloc((size_t)*n + 1, sizeof(*times));
    for (Py_ssize_t i = 0; times != NULL && i < *n; i++) {
        times[i] = PyLong_AsLongLong(PyTuple_GET_ITEM(tuple, i));
        if (PyErr_Occurred() || times[i] < (i > 0 ? times[i - 1] : 0)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError,
                                "arrivals are due in order, from 0 on");
            PyMem_Free(times);
            times = NULL;
        }
    }
    Py_DECREF(tuple);
    if (times == NULL && !PyErr_Occurred())
        PyErr_NoMemory();
    return times;
}

static PyObject *arrivals_new(PyTypeObject *type, PyObject *args,
                              PyObject *kwargs)
{
    static char *names[] = {"due", "bound", "rejects", "open", NULL};
    PyObject *due, *self;
    Py_ssize_t bound, n;
    long long open;
    int64_t *times;
    int rejects;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OnpL:Arrivals", names, &due,
                                     &bound, &rejects, &open))
        return NULL;
    if (bound < 0)
        return PyErr_Format(PyExc_ValueError,
                            "a queue has room for 1 task or more, or for any "
                            "number with 0, not for %zd",
                            bound);
    times = times_of(due, &n);
    if (times == NULL)
        return NULL;
    self = type->tp_alloc(type, 0);
    if (self != NULL)
        self = lanes_object_checked(
            self, "the arrivals",
            lanes_arrivals_open(
                arrivals_of(self), times, (size_t)n,
                (struct lanes_terms){(size_t)bound, rejects, open}));
    PyMem_Free(times);
    return self;
}

static int attach(PyObject *self, int fd)
{
    return lanes_arrivals_attach(arrivals_of(self), fd);
}

static PyObject *arrivals_attach(PyObject *type, PyObject *descriptor)
{
    return lanes_object_attach(type, descriptor, "the arrivals", attach);
}

static void arrivals_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    lanes_arrivals_close(arrivals_of(self));
    type->tp_free(self);
    Py_DECREF(type);
}

int lanes_arrivals_lend(struct lanes_state *state, PyObject *arrivals,
                        struct lanes_batch *batch)
{
    if (arrivals == Py_None)
        return 0;
    if (!Py_IS_TYPE(arrivals, state->arrivals_type)) {
        PyErr_SetString(PyExc_TypeError, "arrivals must be Arrivals or None");
        return -1;
    }
    if (lanes_arrivals_length(arrivals_of(arrivals)) != batch->n_tasks) {
        PyErr_Format(PyExc_ValueError, "%zu arrivals are not %zu tasks",
                     lanes_arrivals_length(arrivals_of(arrivals)),
                     batch->n_tasks);
        return -1;
    }
    batch->arrivals = arrivals_of(arrivals);
    return 0;
}

/* ---- what takes part ---- */

/* The number of an arrival; -1 with an exception for what is none. */
static Py_ssize_t number_of(PyObject *self, PyObject *arg)
{
    Py_ssize_t n = PyLong_AsSsize_t(arg);

    if (n == -1 && PyErr_Occurred())
        return -1;
    if (n >= 0 && (size_t)n < lanes_arrivals_length(arrivals_of(self)))
        return n;
    PyErr_SetString(PyExc_IndexError, "there is no such arrival");
    return -1;
}

static PyObject *arrivals_fileno(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(arrivals_of(self)->area.fd);
}

static PyObject *arrivals_begin(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLongLong(lanes_arrivals_begin(arrivals_of(self)));
}

static PyObject *arrivals_began(PyObject *self, PyObject *unused)
{
    int64_t began = lanes_arrivals_began(arrivals_of(self));

    (void)unused;
    return began == 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(began);
}

static PyObject *arrivals_end(PyObject *self, PyObject *unused)
{
    (void)unused;
    lanes_arrivals_end(arrivals_of(self));
    Py_RETURN_NONE;
}

static PyObject *arrivals_ended(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(lanes_arrivals_ended(arrivals_of(self)));
}

static PyObject *arrivals_claim(PyObject *self, PyObject *unused)
{
    size_t n;

    (void)unused;
    return lanes_arrivals_claim(arrivals_of(self), 0, &n) ? PyLong_FromSize_t(n)
                                                          : Py_NewRef(Py_None);
}

static PyObject *arrivals_due(PyObject *self, PyObject *arg)
{
    Py_ssize_t n = number_of(self, arg);

    return n < 0 ? NULL
                 : PyLong_FromLongLong(
                       lanes_arrivals_due(arrivals_of(self), (size_t)n));
}

static PyObject *arrivals_admit(PyObject *self, PyObject *arg)
{
    Py_ssize_t n = number_of(self, arg);

    return n < 0 ? NULL
                 : PyBool_FromLong(
                       lanes_arrivals_admit(arrivals_of(self), (size_t)n));
}

static PyObject *arrivals_reject(PyObject *self, PyObject *arg)
{
    Py_ssize_t n = number_of(self, arg);

    if (n < 0)
        return NULL;
    lanes_arrivals_reject(arrivals_of(self), (size_t)n);
    Py_RETURN_NONE;
}

static PyObject *arrivals_start(PyObject *self, PyObject *arg)
{
    Py_ssize_t n = number_of(self, arg);
    bool may = n >= 0 && !lanes_arrivals_ended(arrivals_of(self));

    if (n < 0)
        return NULL;
    if (may)
        lanes_arrivals_start(arrivals_of(self), (size_t)n, lanes_clock_now());
    return PyBool_FromLong(may);
}

static PyObject *arrivals_finish(PyObject *self, PyObject *arg)
{
    Py_ssize_t n = number_of(self, arg);

    if (n < 0)
        return NULL;
    lanes_arrivals_finish(arrivals_of(self), (size_t)n, lanes_clock_now());
    Py_RETURN_NONE;
}

/* ---- what is to be seen ---- */

static Py_ssize_t arrivals_length(PyObject *self)
{
    return (Py_ssize_t)lanes_arrivals_length(arrivals_of(self));
}

/* A time as one since the beginning, or None while it has not come so far. */
static PyObject *time_since(int64_t began, int64_t time)
{
    return time == 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(time - began);
}

static PyObject *arrivals_item(PyObject *self, Py_ssize_t index)
{
    struct lanes_arrivals *arrivals = arrivals_of(self);
    const struct lanes_arrival *arrival;
    int64_t began;

    if (index < 0 || index >= arrivals_length(self)) {
        PyErr_SetString(PyExc_IndexError, "there is no such arrival");
        return NULL;
    }
    arrival = lanes_arrivals_at(arrivals, (size_t)index);
    began = lanes_arrivals_began(arrivals);
    return lanes_tuple_make(
        6, (PyObject *[]){
               PyLong_FromLongLong(arrival->due),
               time_since(began, atomic_load(&arrival->admitted)),
               time_since(began, atomic_load(&arrival->started)),
               time_since(began, atomic_load(&arrival->finished)),
               PyBool_FromLong(atomic_load(&arrival->state) == LANES_REJECTED),
               time_since(began, atomic_load(&arrival->claimed)),
           });
}

static PyObject *arrivals_progress(PyObject *self, PyObject *unused)
{
    struct lanes_progress progress =
        lanes_arrivals_progress(arrivals_of(self), lanes_clock_now());

    (void)unused;
    return Py_BuildValue(
        "(nnnnL)", (Py_ssize_t)progress.arrived, (Py_ssize_t)progress.rejected,
        (Py_ssize_t)progress.started, (Py_ssize_t)progress.finished,
        (long long)progress.latency);
}

static PyMethodDef arrivals_methods[] = {
    {"attach", arrivals_attach, METH_O | METH_CLASS,
     "attach($type, descriptor, /)\n--\n\n"
     "The arrivals whose file this is, which they take over."},
    {"fileno", arrivals_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nThe descriptor of their file."},
    {"begin", arrivals_begin, METH_NOARGS,
     "begin($self, /)\n--\n\nBegin, unless that is done; when that was."},
    {"began", arrivals_began, METH_NOARGS,
     "began($self, /)\n--\n\nWhen it began, or None."},
    {"end", arrivals_end, METH_NOARGS,
     "end($self, /)\n--\n\nHave nothing more begun."},
    {"ended", arrivals_ended, METH_NOARGS,
     "ended($self, /)\n--\n\nWhether nothing more is to be begun."},
    {"claim", arrivals_claim, METH_NOARGS,
     "claim($self, /)\n--\n\nThe first in the queue, else the next to come; "
     "None when there is none."},
    {"due", arrivals_due, METH_O, "due($self, n, /)\n--\n\nWhen one is due."},
    {"admit", arrivals_admit, METH_O,
     "admit($self, n, /)\n--\n\nEnter the queue, or say that it is full."},
    {"reject", arrivals_reject, METH_O,
     "reject($self, n, /)\n--\n\nSend one away."},
    {"start", arrivals_start, METH_O,
     "start($self, n, /)\n--\n\nOne is started; or is not to be."},
    {"finish", arrivals_finish, METH_O,
     "finish($self, n, /)\n--\n\nOne is finished."},
    {"progress", arrivals_progress, METH_NOARGS,
     "progress($self, /)\n--\n\nHow many have arrived, were rejected, have "
     "started and finished, and these ones' latency in all."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot arrivals_slots[] = {
    {Py_tp_doc, "Arrivals(due, bound, rejects, open)\n--\n\nTasks that come "
                "with time, and what becomes of each."},
    {Py_tp_new, arrivals_new},
    {Py_tp_dealloc, arrivals_dealloc},
    {Py_tp_methods, arrivals_methods},
    {Py_sq_length, arrivals_length},
    {Py_sq_item, arrivals_item},
    {Py_tp_iter, PySeqIter_New},
    {0, NULL},
};

PyType_Spec lanes_arrivals_spec = {
    .name = "lanes._core.Arrivals",
    .basicsize = sizeof(struct lanes_arrivals_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = arrivals_slots,
};
