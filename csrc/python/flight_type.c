/* flight_type.c - the type Flight: a run that goes on while its caller waits for
 * other things, too, such as a thread with a loop.
 */
#include "binding.h"

#include "clock.h"

#include <unistd.h>

struct flight {
    PyObject_HEAD
    struct lanes_order order; /* owned */
    struct lanes_run *run;    /* owned: NULL once it has ended */
    int rc;                   /* then: 0, or why it did not come to its end */
    int32_t process, thread;  /* that began it */
    bool is_over;             /* there is nothing more to wait for */
    atomic_bool is_busy;      /* shared: a thread is inside */
};

/* In a forked child the run is a copy, of workers that are not there. */
static bool is_copy(const struct flight *self)
{
    return self->process != getpid();
}

static void flight_end(struct flight *self)
{
    const struct lanes_model *model = self->order.model;
    struct lanes_run *run = self->run;

    if (run == NULL || is_copy(self))
        return;
    self->run = NULL;
    Py_BEGIN_ALLOW_THREADS
    self->rc = model->end(run);
    Py_END_ALLOW_THREADS
    lanes_under_way_leave(self->order.records);
    lanes_native_leave(model->forks);
}

static int flight_open(struct flight *self)
{
    const struct lanes_model *model = self->order.model;
    struct lanes_batch *batch = &self->order.records->batch;

    if (lanes_native_enter(model->forks) < 0)
        return -1;
    lanes_under_way_enter(self->order.records, model);
    Py_BEGIN_ALLOW_THREADS
    self->run = model->begin(batch);
    Py_END_ALLOW_THREADS
    if (self->run != NULL)
        return 0;
    lanes_under_way_leave(self->order.records);
    lanes_native_leave(model->forks);
    lanes_error_raise(model->name, lanes_batch_stopped(batch));
    return -1;
}

PyObject *lanes_flight_begin(struct lanes_state *state,
                             struct lanes_order *order)
{
    const struct lanes_workload *workload = order->records->batch.workload;
    PyTypeObject *type = state->flight_type;
    struct flight *self;

    if (!lanes_model_can_begin(order->model, workload)) {
        PyErr_Format(PyExc_ValueError,
                     "%s would do %s on the calling thread, which is to wait "
                     "for other things: take native-pthreads or native-fork",
                     order->model->name, workload->name);
        return NULL;
    }
    self = (struct flight *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->order = *order;
    *order = (struct lanes_order){0};
    self->process = getpid();
    self->thread = lanes_clock_thread();
    if (flight_open(self) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void flight_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    struct flight *self = (struct flight *)op;

    flight_end(self);
    lanes_order_drop(&self->order);
    type->tp_free(op);
    Py_DECREF(type);
}

/* ---- one thread at a time, and in the process that began it ---- */

static int flight_enter(struct flight *self)
{
    if (is_copy(self)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "the flight was begun in another process");
        return -1;
    }
    if (!atomic_exchange(&self->is_busy, true))
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "the flight is busy in another thread");
    return -1;
}

static PyObject *flight_leave(struct flight *self, PyObject *result)
{
    atomic_store(&self->is_busy, false);
    return result;
}

static PyObject *ended(void)
{
    PyErr_SetString(PyExc_RuntimeError, "the flight has ended");
    return NULL;
}

/* ---- methods ---- */

static PyObject *flight_fileno(PyObject *op, PyObject *unused)
{
    struct flight *self = (struct flight *)op;

    (void)unused;
    return self->run != NULL ? PyLong_FromLong(self->run->fd) : ended();
}

static PyObject *do_step(struct flight *self)
{
    if (self->run == NULL)
        return ended();
    if (self->thread != lanes_clock_thread())
        return PyErr_Format(PyExc_RuntimeError,
                            "the flight was begun by another thread");
    Py_BEGIN_ALLOW_THREADS
    self->is_over = self->order.model->step(self->run);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(self->is_over);
}

static PyObject *flight_step(PyObject *op, PyObject *unused)
{
    struct flight *self = (struct flight *)op;

    (void)unused;
    if (flight_enter(self) < 0)
        return NULL;
    return flight_leave(self, do_step(self));
}

static PyObject *do_finish(struct flight *self)
{
    PyObject *records;

    if (self->run == NULL)
        return ended();
    if (!self->is_over)
        return PyErr_Format(PyExc_RuntimeError,
                            "the flight is under way: step until it is over");
    flight_end(self);
    records = lanes_order_finish(&self->order, self->rc);
    lanes_order_drop(&self->order);
    return records;
}

static PyObject *flight_finish(PyObject *op, PyObject *unused)
{
    struct flight *self = (struct flight *)op;

    (void)unused;
    if (flight_enter(self) < 0)
        return NULL;
    return flight_leave(self, do_finish(self));
}

static PyObject *flight_cancel(PyObject *op, PyObject *unused)
{
    struct flight *self = (struct flight *)op;

    (void)unused;
    if (is_copy(self))
        Py_RETURN_NONE;
    if (flight_enter(self) < 0)
        return NULL;
    flight_end(self);
    lanes_order_drop(&self->order);
    return flight_leave(self, Py_NewRef(Py_None));
}

static PyObject *flight_dunder_enter(PyObject *op, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(op);
}

static PyObject *flight_dunder_exit(PyObject *op, PyObject *args)
{
    return flight_cancel(op, args);
}

static PyMethodDef flight_methods[] = {
    {"fileno", flight_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\n"
     "The descriptor that is readable when a step has something to do."},
    {"step", flight_step, METH_NOARGS,
     "step($self, /)\n--\n\n"
     "Do what is due, without waiting; True once all is over."},
    {"finish", flight_finish, METH_NOARGS,
     "finish($self, /)\n--\n\nEnd what is over: its records."},
    {"cancel", flight_cancel, METH_NOARGS,
     "cancel($self, /)\n--\n\n"
     "Stop what is under way, and see its workers off."},
    {"__enter__", flight_dunder_enter, METH_NOARGS, NULL},
    {"__exit__", flight_dunder_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot flight_slots[] = {
    {Py_tp_doc, "A native run that goes on while its caller waits for other "
                "things, too."},
    {Py_tp_dealloc, flight_dealloc},
    {Py_tp_methods, flight_methods},
    {0, NULL},
};

PyType_Spec lanes_flight_spec = {
    .name = "lanes._core.Flight",
    .basicsize = sizeof(struct flight),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = flight_slots,
};
