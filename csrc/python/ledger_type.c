/* ledger_type.c - the type Ledger: what the workers of a run have used. */
#include "binding.h"

#include <unistd.h>

static struct lanes_ledger *ledger_of(PyObject *self)
{
    return &((struct lanes_ledger_object *)self)->ledger;
}

static PyObject *ledger_new(PyTypeObject *type, PyObject *args,
                            PyObject *kwargs)
{
    static char *names[] = {"workers", NULL};
    PyObject *self;
    int workers;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i:Ledger", names, &workers))
        return NULL;
    if (workers < 1)
        return PyErr_Format(PyExc_ValueError,
                            "a ledger is for 1 worker or "
                            "more, not %d",
                            workers);
    self = type->tp_alloc(type, 0);
    return self == NULL
               ? NULL
               : lanes_object_checked(
                     self, "the ledger",
                     lanes_ledger_open(ledger_of(self), (size_t)workers));
}

static void ledger_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    lanes_ledger_close(ledger_of(op));
    type->tp_free(op);
    Py_DECREF(type);
}

static int attach(PyObject *self, int fd)
{
    return lanes_ledger_attach(ledger_of(self), fd);
}

static PyObject *ledger_attach(PyObject *type, PyObject *descriptor)
{
    return lanes_object_attach(type, descriptor, "the ledger", attach);
}

static PyObject *ledger_fileno(PyObject *op, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(ledger_of(op)->area.fd);
}

static PyObject *ledger_look(PyObject *op, PyObject *const *args,
                             Py_ssize_t n_args)
{
    int now = n_args > 0 ? PyObject_IsTrue(args[0]) : 0;

    if (n_args > 1)
        return PyErr_Format(PyExc_TypeError, "look() takes at most one flag");
    if (now < 0)
        return NULL;
    lanes_ledger_look(ledger_of(op), now);
    Py_RETURN_NONE;
}

static PyObject *ledger_begin(PyObject *op, PyObject *unused)
{
    (void)unused;
    lanes_ledger_begin(ledger_of(op));
    Py_RETURN_NONE;
}

static PyObject *ledger_add(PyObject *op, PyObject *args)
{
    long long bytes, ns;

    if (!PyArg_ParseTuple(args, "LL:add", &bytes, &ns))
        return NULL;
    lanes_ledger_add(ledger_of(op), (struct lanes_tally){bytes, ns});
    Py_RETURN_NONE;
}

static PyObject *ledger_tally(PyObject *op, PyObject *unused)
{
    struct lanes_tally tally = lanes_ledger_tally(ledger_of(op));

    (void)unused;
    return Py_BuildValue("(LL)", (long long)tally.bytes, (long long)tally.ns);
}

static PyObject *entry_make(const struct lanes_entry *entry)
{
    const struct lanes_usage *first = &entry->first, *last = &entry->last;

    return Py_BuildValue("(iiLLLLLLLLLL)", entry->process, entry->thread,
                         (long long)first->at, (long long)last->at,
                         (long long)(last->cpu - first->cpu),
                         (long long)(last->user - first->user),
                         (long long)(last->system - first->system),
                         (long long)(last->run_queue - first->run_queue),
                         (long long)(last->lock_wait - first->lock_wait),
                         (long long)(last->lock_waits - first->lock_waits),
                         (long long)(last->voluntary - first->voluntary),
                         (long long)(last->involuntary - first->involuntary));
}

static PyObject *ledger_entries(PyObject *op, PyObject *unused)
{
    struct lanes_ledger *ledger = ledger_of(op);
    Py_ssize_t n_entries = (Py_ssize_t)lanes_ledger_length(ledger);
    PyObject *entries = PyList_New(n_entries);

    (void)unused;
    for (Py_ssize_t n = 0; entries != NULL && n < n_entries; n++) {
        PyObject *entry = entry_make(lanes_ledger_entry(ledger, (size_t)n));

        if (entry == NULL)
            Py_CLEAR(entries);
        else
            PyList_SET_ITEM(entries, n, entry);
    }
    return entries;
}

static PyMethodDef ledger_methods[] = {
    {"attach", ledger_attach, METH_O | METH_CLASS,
     "attach($type, descriptor, /)\n--\n\n"
     "The ledger whose file this is, which it takes over."},
    {"fileno", ledger_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nThe descriptor of its file."},
    {"look", (PyCFunction)(void (*)(void))ledger_look, METH_FASTCALL,
     "look($self, now=False, /)\n--\n\n"
     "Note what the calling thread has used so far."},
    {"begin", ledger_begin, METH_NOARGS,
     "begin($self, /)\n--\n\n"
     "What the calling thread has used so far was no work."},
    {"add", ledger_add, METH_VARARGS,
     "add($self, size, ns, /)\n--\n\n"
     "Note that so many bytes were pickled or unpickled, in so long."},
    {"tally", ledger_tally, METH_NOARGS,
     "tally($self, /)\n--\n\nBytes and nanoseconds added so far."},
    {"entries", ledger_entries, METH_NOARGS,
     "entries($self, /)\n--\n\nWhat each worker has used, in the order in "
     "which they came."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ledger_slots[] = {
    {Py_tp_doc, "Ledger(workers)\n--\n\nWhat the workers of a run have used, "
                "shared with forked processes."},
    {Py_tp_new, ledger_new},
    {Py_tp_dealloc, ledger_dealloc},
    {Py_tp_methods, ledger_methods},
    {0, NULL},
};

PyType_Spec lanes_ledger_spec = {
    .name = "lanes._core.Ledger",
    .basicsize = sizeof(struct lanes_ledger_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = ledger_slots,
};
