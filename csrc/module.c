/* module.c - Python in, structs down, structs up, Python out.
 *
 * DESIGN. Only this file, download_module.c, which hands over a row, and the
 * files in python/ know Python. The GIL is released at two places: here around
 * a model's run, in worker_type.c around one task of a released body. Native
 * workers never attach to the interpreter: the calling thread attaches between
 * its waits, asks for signals, and makes objects when all is over.
 */
#include "python/binding.h"

#include "clock.h"
#include "lockwait.h"
#include "model.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WORKERS_MAX 1000000

static const struct lanes_model *const models[] = {
    &lanes_model_serial,
    &lanes_model_pthreads,
    &lanes_model_fork,
    &lanes_model_epoll,
};

/* A row is here, or in a module that is imported when it is first asked for. */
static const struct row {
    const char *name;
    const struct lanes_workload *workload;
    const char *module, *capsule;
} rows[] = {
    {"download", NULL, "lanes._download", LANES_DOWNLOAD_CAPSULE},
    {"compute", &lanes_workload_compute, NULL, NULL},
    {"wait", &lanes_workload_wait, NULL, NULL},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(COUNT(rows) == LANES_ROWS, "the state has room for all");

static struct lanes_state *state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

/* ---- names ---- */

static const struct lanes_workload *import_row(const struct row *row)
{
    PyObject *module = PyImport_ImportModule(row->module);

    if (module == NULL)
        return NULL;
    Py_DECREF(module); /* sys.modules keeps it */
    return PyCapsule_Import(row->capsule, 0);
}

const struct lanes_workload *lanes_row_find(struct lanes_state *state,
                                            const char *name)
{
    for (size_t n = 0; n < COUNT(rows); n++) {
        if (strcmp(rows[n].name, name) != 0)
            continue;
        if (state->workloads[n] == NULL)
            state->workloads[n] =
                rows[n].workload ? rows[n].workload : import_row(&rows[n]);
        return state->workloads[n];
    }
    PyErr_Format(PyExc_ValueError, "unknown workload '%s': the engine has %R",
                 name, state->workload_names);
    return NULL;
}

static const struct lanes_model *find_model(struct lanes_state *state,
                                            const char *name)
{
    for (size_t n = 0; n < COUNT(models); n++)
        if (strcmp(models[n]->name, name) == 0)
            return models[n];
    PyErr_Format(PyExc_ValueError,
                 "unknown native model '%s': the engine has %R", name,
                 state->model_names);
    return NULL;
}

/* ---- run(): all tasks on one model ---- */

static int run_model(const struct lanes_model *model, struct lanes_batch *batch)
{
    PyThreadState *saved;
    int rc;

    if (lanes_native_enter(model->forks) < 0)
        return -EBUSY;
    batch->keep_going = lanes_python_attach_and_ask;
    batch->ctx = &saved;
    saved = PyEval_SaveThread();
    rc = model->run(batch);
    PyEval_RestoreThread(saved);
    lanes_native_leave(model->forks);
    return rc;
}

static int parse_tasks(PyObject *tasks, struct lanes_batch *batch)
{
    for (size_t n = 0; n < batch->n_tasks; n++)
        if (lanes_input_parse(PyTuple_GET_ITEM(tasks, (Py_ssize_t)n),
                              batch->workload, &batch->tasks[n].input) < 0)
            return -1;
    return 0;
}

PyDoc_STRVAR(run_doc,
             "run(model, workload, tasks, workers, ledger=None, warm_up=None, "
             "/)\n--\n\n"
             "Run all tasks on one native model, with the GIL released.");

/* What Python asked for, found or borrowed. */
struct order {
    const struct lanes_model *model;
    const struct lanes_workload *workload;
    PyObject *tasks; /* owned: a tuple, which keeps the texts alive */
    long workers;
    PyObject *ledger, *warm_up;
};

static PyObject *run_order(struct lanes_state *state, const struct order *order)
{
    struct lanes_input warm_up;
    struct lanes_records *records;
    int rc;

    records = lanes_records_make(state, PyTuple_GET_SIZE(order->tasks),
                                 order->workload, order->workers);
    if (records == NULL)
        return NULL;
    if (parse_tasks(order->tasks, &records->batch) < 0)
        goto fail;
    if (order->warm_up != Py_None) {
        if (lanes_input_parse(order->warm_up, order->workload, &warm_up) < 0)
            goto fail;
        records->batch.warm_up = &warm_up;
    }
    if (order->ledger != Py_None)
        records->batch.ledger =
            &((struct lanes_ledger_object *)order->ledger)->ledger;
    rc = run_model(order->model, &records->batch);
    if (rc < 0) {
        lanes_error_raise(order->model->name, rc);
        goto fail;
    }
    lanes_batch_finish(&records->batch);
    return (PyObject *)records;

fail:
    Py_DECREF(records);
    return NULL;
}

static PyObject *run(PyObject *module, PyObject *args)
{
    struct lanes_state *state = state_of(module);
    struct order order = {.ledger = Py_None, .warm_up = Py_None};
    const char *model, *workload;
    PyObject *records;

    if (!PyArg_ParseTuple(args, "ssOl|OO:run", &model, &workload, &order.tasks,
                          &order.workers, &order.ledger, &order.warm_up))
        return NULL;
    if (order.ledger != Py_None &&
        !Py_IS_TYPE(order.ledger, state->ledger_type))
        return PyErr_Format(PyExc_TypeError, "ledger must be a Ledger or None");
    order.model = find_model(state, model);
    order.workload = order.model ? lanes_row_find(state, workload) : NULL;
    if (order.workload == NULL)
        return NULL;
    if (order.workers < 1 || order.workers > WORKERS_MAX)
        return PyErr_Format(PyExc_ValueError,
                            "workers must be from 1 to %d, not %ld",
                            WORKERS_MAX, order.workers);
    order.tasks = PySequence_Tuple(order.tasks);
    if (order.tasks == NULL)
        return NULL;
    records = run_order(state, &order);
    Py_DECREF(order.tasks);
    return records;
}

/* ---- the rest of the module ---- */

static PyObject *here(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return Py_BuildValue("(iiiLL)", (int)getpid(), lanes_clock_thread(),
                         lanes_clock_processor(), (long long)lanes_clock_now(),
                         (long long)lanes_clock_cpu());
}

static PyObject *load(PyObject *module, PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);

    if (text == NULL || lanes_row_find(state_of(module), text) == NULL)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *watch_gil(PyObject *module, PyObject *on)
{
    int wanted = PyObject_IsTrue(on);

    (void)module;
    if (wanted < 0)
        return NULL;
    if (wanted)
        return PyBool_FromLong(lanes_gil_watch());
    lanes_gil_unwatch();
    Py_RETURN_FALSE;
}

static PyObject *gil_handovers(PyObject *module, PyObject *unused)
{
    long long n = lanes_gil_handovers();

    (void)module, (void)unused;
    return n < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(n);
}

static PyObject *gil_wait_cost(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromLongLong(lanes_lockwait_cost());
}

static PyObject *rest(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    lanes_usage_rest();
    Py_RETURN_NONE;
}

static PyObject *die_with_parent(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", run, METH_VARARGS, run_doc},
    {"here", here, METH_NOARGS,
     "here()\n--\n\nProcess, thread, processor, time and CPU time."},
    {"load", load, METH_O,
     "load(workload, /)\n--\n\n"
     "Load what a workload needs, before anything is forked."},
    {"watch_gil", watch_gil, METH_O,
     "watch_gil(on, /)\n--\n\nTime waits for the GIL from now on, or no "
     "longer; says whether they are timed."},
    {"gil_handovers", gil_handovers, METH_NOARGS,
     "gil_handovers()\n--\n\nHow often the GIL has gone from one thread to "
     "another."},
    {"gil_wait_cost", gil_wait_cost, METH_NOARGS,
     "gil_wait_cost()\n--\n\nNanoseconds that timing one wait for the GIL "
     "takes."},
    {"rest", rest, METH_NOARGS,
     "rest()\n--\n\nGive back the descriptor that counting took on this "
     "thread."},
    {"die_with_parent", die_with_parent, METH_NOARGS,
     "die_with_parent()\n--\n\nEnd when the thread that started this process "
     "ends."},
    {NULL, NULL, 0, NULL},
};

static PyObject *tuple_of_names(const char *const *names, size_t n)
{
    PyObject *values[COUNT(models) + COUNT(rows)];

    for (size_t i = 0; i < n; i++)
        values[i] = PyUnicode_FromString(names[i]);
    return lanes_tuple_make((Py_ssize_t)n, values);
}

static int add_registries(PyObject *module, struct lanes_state *state)
{
    const char *model_names[COUNT(models)];
    const char *workload_names[COUNT(rows)];

    for (size_t n = 0; n < COUNT(models); n++)
        model_names[n] = models[n]->name;
    for (size_t n = 0; n < COUNT(rows); n++)
        workload_names[n] = rows[n].name;
    state->model_names = tuple_of_names(model_names, COUNT(models));
    state->workload_names = tuple_of_names(workload_names, COUNT(rows));
    if (state->model_names == NULL || state->workload_names == NULL)
        return -1;
    if (PyModule_AddObjectRef(module, "MODELS", state->model_names) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "WORKLOADS", state->workload_names);
}

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type)
{
    *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type != NULL ? PyModule_AddType(module, *type) : -1;
}

static int add_statuses(struct lanes_state *state)
{
    static const char *const words[LANES_STATUSES] = {"pending", "ok", "failed",
                                                      "killed"};

    for (int n = 0; n < LANES_STATUSES; n++) {
        state->statuses[n] = PyUnicode_InternFromString(words[n]);
        if (state->statuses[n] == NULL)
            return -1;
    }
    return 0;
}

static int exec_module(PyObject *module)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* for all interpreters */
    struct lanes_state *state = state_of(module);

    pthread_once(&once, lanes_native_watch_forks);
    if (add_type(module, &lanes_records_spec, &state->records_type) < 0)
        return -1;
    if (add_type(module, &lanes_worker_spec, &state->worker_type) < 0)
        return -1;
    if (add_type(module, &lanes_ledger_spec, &state->ledger_type) < 0)
        return -1;
    if (add_statuses(state) < 0)
        return -1;
    return add_registries(module, state);
}

static int traverse_module(PyObject *module, visitproc visit, void *arg)
{
    struct lanes_state *state = state_of(module);

    Py_VISIT(state->records_type);
    Py_VISIT(state->worker_type);
    Py_VISIT(state->ledger_type);
    Py_VISIT(state->model_names);
    Py_VISIT(state->workload_names);
    for (int n = 0; n < LANES_STATUSES; n++)
        Py_VISIT(state->statuses[n]);
    return 0;
}

static int clear_module(PyObject *module)
{
    struct lanes_state *state = state_of(module);

    Py_CLEAR(state->records_type);
    Py_CLEAR(state->worker_type);
    Py_CLEAR(state->ledger_type);
    Py_CLEAR(state->model_names);
    Py_CLEAR(state->workload_names);
    for (int n = 0; n < LANES_STATUSES; n++)
        Py_CLEAR(state->statuses[n]);
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_module},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "lanes._core",
    .m_doc = "The engine in C: native models, C bodies, clocks.",
    .m_size = sizeof(struct lanes_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
