/* worker_type.c - the type Worker: one C body, one task a call. */
#include "binding.h"

#include "clock.h"

#include <unistd.h>

struct worker {
    PyObject_HEAD
    struct lanes_batch batch; /* owned while open: one task, over and over */
    struct lanes_worker worker;
    PyObject *area;      /* owned: what the batch borrows; or None */
    atomic_bool is_busy; /* shared: a thread is inside */
    bool is_open;
};

/* In a forked child what the workload keeps is a copy of the parent's, such as
 * a libcurl handle on the parent's connection: let it be. */
static void worker_shut(struct worker *self)
{
    if (!self->is_open)
        return;
    if (self->worker.process == getpid()) {
        lanes_worker_close(&self->worker);
        lanes_native_leave(false);
    }
    lanes_batch_close(&self->batch);
    self->is_open = false;
}

static int worker_open(struct worker *self, struct lanes_state *state,
                       const struct lanes_workload *workload)
{
    int rc;

    if (lanes_native_enter(false) < 0)
        return -1;
    rc = lanes_batch_open(&self->batch, workload, 1, 1, false);
    if (rc < 0)
        goto leave;
    rc = lanes_area_lend(state, self->area, &self->batch);
    if (rc < 0)
        goto close_batch;
    lanes_worker_init(&self->worker, &self->batch, 0, true);
    rc = lanes_worker_open(&self->worker);
    if (rc < 0)
        goto close_batch;
    self->is_open = true;
    return 0;

close_batch:
    lanes_batch_close(&self->batch);
leave:
    lanes_native_leave(false);
    lanes_error_raise("the worker", rc);
    return -1;
}

static PyObject *worker_new(PyTypeObject *type, PyObject *args,
                            PyObject *kwargs)
{
    static char *names[] = {"workload", "area", NULL};
    struct lanes_state *state = PyType_GetModuleState(type);
    const struct lanes_workload *workload;
    const char *name;
    PyObject *area = Py_None;
    struct worker *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|O:Worker", names, &name,
                                     &area))
        return NULL;
    workload = lanes_row_find(state, name);
    if (workload == NULL)
        return NULL;
    self = (struct worker *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->area = Py_NewRef(area);
    if (worker_open(self, state, workload) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void worker_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    worker_shut((struct worker *)self);
    Py_XDECREF(((struct worker *)self)->area);
    type->tp_free(self);
    Py_DECREF(type);
}

static void do_held(struct worker *self, struct lanes_task *task)
{
    self->batch.keep_going = lanes_python_ask;
    lanes_worker_do(&self->worker, task);
}

static void do_released(struct worker *self, struct lanes_task *task)
{
    PyThreadState *saved;

    self->batch.keep_going = lanes_python_attach_and_ask;
    self->batch.ctx = &saved;
    saved = PyEval_SaveThread();
    lanes_worker_do(&self->worker, task);
    PyEval_RestoreThread(saved);
}

static PyObject *worker_do(struct worker *self, PyObject *item, bool release)
{
    struct lanes_task *task;
    size_t from = 0;

    lanes_batch_rewind(&self->batch);
    if (lanes_input_parse(item, &self->batch, &self->batch.tasks[0].input) < 0)
        return NULL;
    /* Another thread of this process may be the worker this time. */
    self->worker.thread = lanes_clock_thread();
    self->worker.looked = 0; /* its CPU clock is another */
    task = lanes_batch_claim(&self->batch, 0, &from);
    if (release)
        do_released(self, task);
    else
        do_held(self, task);
    if (PyErr_Occurred())
        return NULL;
    return lanes_record_make(PyType_GetModuleState(Py_TYPE((PyObject *)self)),
                             task);
}

static PyObject *worker_run(PyObject *op, PyObject *const *args,
                            Py_ssize_t n_args)
{
    struct worker *self = (struct worker *)op;
    PyObject *record;
    int release;

    if (n_args != 2)
        return PyErr_Format(PyExc_TypeError,
                            "run() takes a task and whether to release");
    release = PyObject_IsTrue(args[1]);
    if (release < 0)
        return NULL;
    if (atomic_exchange(&self->is_busy, true))
        return PyErr_Format(PyExc_RuntimeError,
                            "the worker is busy in another thread");
    if (self->is_open && self->worker.process == getpid())
        record = worker_do(self, args[0], release);
    else
        record = PyErr_Format(PyExc_RuntimeError,
                              self->is_open
                                  ? "the worker was opened in another process"
                                  : "the worker is closed");
    atomic_store(&self->is_busy, false);
    return record;
}

static PyObject *worker_close(PyObject *op, PyObject *unused)
{
    struct worker *self = (struct worker *)op;

    (void)unused;
    if (atomic_exchange(&self->is_busy, true))
        return PyErr_Format(PyExc_RuntimeError,
                            "the worker is busy in another thread");
    worker_shut(self);
    atomic_store(&self->is_busy, false);
    Py_RETURN_NONE;
}

static PyObject *worker_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(self);
}

static PyObject *worker_exit(PyObject *self, PyObject *args)
{
    return worker_close(self, args);
}

static PyMethodDef worker_methods[] = {
    {"run", (PyCFunction)(void (*)(void))worker_run, METH_FASTCALL,
     "run($self, task, release, /)\n--\n\n"
     "Do one task, with the GIL released or kept."},
    {"close", worker_close, METH_NOARGS,
     "close($self, /)\n--\n\nFree what the worker keeps."},
    {"__enter__", worker_enter, METH_NOARGS, NULL},
    {"__exit__", worker_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot worker_slots[] = {
    {Py_tp_doc, "Worker(workload, area=None)\n--\n\nOne worker's C body: one "
                "task a call, and what is kept between calls."},
    {Py_tp_new, worker_new},
    {Py_tp_dealloc, worker_dealloc},
    {Py_tp_methods, worker_methods},
    {0, NULL},
};

PyType_Spec lanes_worker_spec = {
    .name = "lanes._core.Worker",
    .basicsize = sizeof(struct worker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = worker_slots,
};
