/* convert.c - errors, tasks and records between C and Python. */
#include "binding.h"

#include <errno.h>
#include <string.h>

void lanes_error_raise(const char *who, int rc)
{
    PyObject *args;

    if (PyErr_Occurred()) /* a signal handler raised; keep its exception */
        return;
    if (rc == -ENOMEM) {
        PyErr_NoMemory();
        return;
    }
    args = Py_BuildValue("(iN)", -rc,
                         PyUnicode_FromFormat("%s: %s", who, strerror(-rc)));
    if (args == NULL)
        return;
    PyErr_SetObject(PyExc_OSError, args);
    Py_DECREF(args);
}

PyObject *lanes_object_checked(PyObject *self, const char *who, int rc)
{
    if (rc < 0) {
        lanes_error_raise(who, rc);
        Py_CLEAR(self);
    }
    return self;
}

PyObject *lanes_object_attach(PyObject *type, PyObject *descriptor,
                              const char *who,
                              int (*attach)(PyObject *self, int fd))
{
    long fd = PyLong_AsLong(descriptor);
    PyObject *self;

    if (fd == -1 && PyErr_Occurred())
        return NULL;
    self = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    return self == NULL
               ? NULL
               : lanes_object_checked(self, who, attach(self, (int)fd));
}

/* ---- Python in: a task is a tuple of a text and at most four integers ---- */

static int check(const struct lanes_batch *batch,
                 const struct lanes_input *input)
{
    const struct lanes_workload *workload = batch->workload;
    const char *wrong = workload->check ? workload->check(input) : NULL;
    size_t needed = !wrong && workload->area ? workload->area(input) : 0;

    if (wrong != NULL)
        PyErr_Format(PyExc_ValueError, "%s: %s", workload->name, wrong);
    else if (needed > batch->area_size)
        PyErr_Format(PyExc_ValueError,
                     "%s: a task needs an area of %zu bytes, and there are %zu",
                     workload->name, needed, batch->area_size);
    else
        return 0;
    return -1;
}

int lanes_input_parse(PyObject *item, const struct lanes_batch *batch,
                      struct lanes_input *input)
{
    Py_ssize_t size = PyTuple_Check(item) ? PyTuple_GET_SIZE(item) : 0;
    Py_ssize_t length;

    if (size < 1 || size > 1 + LANES_ARGS ||
        !PyUnicode_Check(PyTuple_GET_ITEM(item, 0))) {
        PyErr_Format(PyExc_TypeError,
                     "a task is a tuple of a str and at most %d integers",
                     LANES_ARGS);
        return -1;
    }
    input->text = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(item, 0), &length);
    if (input->text == NULL)
        return -1;
    memset(input->args, 0, sizeof(input->args));
    for (Py_ssize_t n = 1; n < size; n++) {
        input->args[n - 1] = PyLong_AsLongLong(PyTuple_GET_ITEM(item, n));
        if (input->args[n - 1] == -1 && PyErr_Occurred())
            return -1;
    }
    if (strlen(input->text) == (size_t)length)
        return check(batch, input);
    PyErr_Format(PyExc_ValueError,
                 "%s: a text must not contain a null character",
                 batch->workload->name);
    return -1;
}

/* ---- Python out: a record per task ---- */

PyObject *lanes_tuple_make(Py_ssize_t n, PyObject *const *values)
{
    PyObject *tuple = PyTuple_New(n);
    bool whole = tuple != NULL;

    for (Py_ssize_t i = 0; i < n; i++) {
        whole = whole && values[i] != NULL;
        if (tuple != NULL)
            PyTuple_SET_ITEM(tuple, i, values[i]);
        else
            Py_XDECREF(values[i]);
    }
    if (!whole)
        Py_CLEAR(tuple);
    return tuple;
}

static PyObject *integers(int n, const int64_t *numbers)
{
    PyObject *integers[LANES_VALUES + LANES_FIGURES]; /* room for either */

    for (int i = 0; i < n; i++)
        integers[i] = PyLong_FromLongLong(numbers[i]);
    return lanes_tuple_make(n, integers);
}

static PyObject *failure_kind(const struct lanes_task *task)
{
    return task->status >= LANES_FAILED
               ? PyUnicode_FromString(task->notes->kind)
               : Py_NewRef(Py_None);
}

/* The text may have been cut within a character. */
static PyObject *failure_text(const struct lanes_task *task)
{
    const char *text = task->status >= LANES_FAILED ? task->notes->text : "";

    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

PyObject *lanes_record_make(struct lanes_state *state,
                            const struct lanes_task *task)
{
    const struct lanes_span *span = &task->span;

    return lanes_tuple_make(13,
                            (PyObject *[]){
                                Py_NewRef(state->statuses[task->status]),
                                failure_kind(task),
                                failure_text(task),
                                integers(task->n_values, task->values),
                                PyLong_FromLong(atomic_load(&task->owner) - 1),
                                PyLong_FromLong(span->thread),
                                PyLong_FromLong(span->process),
                                PyLong_FromLong(span->processor),
                                PyLong_FromLongLong(span->claimed),
                                PyLong_FromLongLong(span->started),
                                PyLong_FromLongLong(span->finished),
                                PyLong_FromLongLong(span->cpu),
                                integers(task->n_figures, task->notes->figures),
                            });
}
