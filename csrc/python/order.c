/* order.c - what Python asks of the engine: a model, and the tasks of a run. */
#include "binding.h"

#define WORKERS_MAX 1000000

static int check_workers(long workers)
{
    if (workers >= 1 && workers <= WORKERS_MAX)
        return 0;
    PyErr_Format(PyExc_ValueError, "workers must be from 1 to %d, not %ld",
                 WORKERS_MAX, workers);
    return -1;
}

/* The batch borrows what the order owns. */
static int lend(struct lanes_order *order, struct lanes_state *state)
{
    struct lanes_batch *batch = &order->records->batch;

    if (order->ledger != Py_None &&
        !Py_IS_TYPE(order->ledger, state->ledger_type)) {
        PyErr_SetString(PyExc_TypeError, "ledger must be a Ledger or None");
        return -1;
    }
    if (order->ledger != Py_None)
        batch->ledger = &((struct lanes_ledger_object *)order->ledger)->ledger;
    if (lanes_area_lend(state, order->area, batch) < 0)
        return -1;
    return lanes_arrivals_lend(state, order->arrivals, batch);
}

static int fill(struct lanes_order *order)
{
    struct lanes_batch *batch = &order->records->batch;

    for (size_t n = 0; n < batch->n_tasks; n++)
        if (lanes_input_parse(PyTuple_GET_ITEM(order->tasks, (Py_ssize_t)n),
                              batch, &batch->tasks[n].input) < 0)
            return -1;
    if (order->warm_up == Py_None)
        return 0;
    batch->warm_up = &order->records->warm_up;
    return lanes_input_parse(order->warm_up, batch, &order->records->warm_up);
}

int lanes_order_take(struct lanes_order *order, struct lanes_state *state,
                     PyObject *args, const char *format)
{
    PyObject *tasks, *ledger = Py_None, *warm_up = Py_None;
    PyObject *area = Py_None, *arrivals = Py_None;
    const struct lanes_workload *workload;
    const char *model, *name;
    long workers;

    *order = (struct lanes_order){0};
    if (!PyArg_ParseTuple(args, format, &model, &name, &tasks, &workers,
                          &ledger, &warm_up, &area, &arrivals))
        return -1;
    order->model = lanes_model_find(state, model);
    workload = order->model ? lanes_row_find(state, name) : NULL;
    if (workload == NULL || check_workers(workers) < 0)
        return -1;
    order->ledger = Py_NewRef(ledger);
    order->warm_up = Py_NewRef(warm_up);
    order->area = Py_NewRef(area);
    order->arrivals = Py_NewRef(arrivals);
    order->tasks = PySequence_Tuple(tasks);
    if (order->tasks != NULL)
        order->records =
            lanes_records_make(state, PyTuple_GET_SIZE(order->tasks), workload,
                               workers, order->model->forks);
    if (order->records != NULL && lend(order, state) == 0 && fill(order) == 0)
        return 0;
    lanes_order_drop(order);
    return -1;
}

void lanes_order_drop(struct lanes_order *order)
{
    Py_CLEAR(order->records);
    Py_CLEAR(order->tasks);
    Py_CLEAR(order->warm_up);
    Py_CLEAR(order->ledger);
    Py_CLEAR(order->area);
    Py_CLEAR(order->arrivals);
}

PyObject *lanes_order_finish(struct lanes_order *order, int rc)
{
    struct lanes_records *records = order->records;

    if (rc < 0) {
        lanes_error_raise(order->model->name, rc);
        return NULL;
    }
    lanes_batch_finish(&records->batch);
    order->records = NULL;
    return (PyObject *)records;
}
