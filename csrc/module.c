/* module.c - Python in, structs down, structs up, Python out.
 *
 * DESIGN. Only this file, download_module.c, which hands over a row, and the
 * files in python/ know Python. The GIL is released at three places: here around
 * a model's run, in flight_type.c around each part of one that is stepped, in
 * worker_type.c around one task of a released body. Native workers never attach
 * to the interpreter: the calling thread attaches between its waits, asks for
 * signals, and makes objects when all is over.
 */
#include "python/binding.h"

#include "clock.h"
#include "lockwait.h"
#include "syscalls.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

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
    {"counter", &lanes_workload_counter, NULL, NULL},
    {"exchange", &lanes_workload_exchange, NULL, NULL},
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

const struct lanes_model *lanes_model_find(struct lanes_state *state,
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

/* ---- all tasks on one model ---- */

static int run_model(const struct lanes_model *model,
                     struct lanes_records *records)
{
    struct lanes_batch *batch = &records->batch;
    PyThreadState *saved;
    int rc;

    if (lanes_native_enter(model->forks) < 0)
        return -EBUSY;
    lanes_under_way_enter(records, model);
    batch->keep_going = lanes_python_attach_and_ask;
    batch->ctx = &saved;
    saved = PyEval_SaveThread();
    rc = lanes_model_run(model, batch);
    PyEval_RestoreThread(saved);
    lanes_under_way_leave(records);
    lanes_native_leave(model->forks);
    return rc;
}

PyDoc_STRVAR(run_doc,
             "run(model, workload, tasks, workers, ledger=None, warm_up=None, "
             "area=None, arrivals=None, /)\n--\n\n"
             "Run all tasks on one native model, with the GIL released.");

static PyObject *run(PyObject *module, PyObject *args)
{
    struct lanes_order order;
    PyObject *records;
    int rc;

    if (lanes_order_take(&order, state_of(module), args, "ssOl|OOOO:run") < 0)
        return NULL;
    rc = run_model(order.model, order.records);
    records = lanes_order_finish(&order, rc);
    lanes_order_drop(&order);
    return records;
}

PyDoc_STRVAR(begin_doc,
             "begin(model, workload, tasks, workers, ledger=None, "
             "warm_up=None, area=None, arrivals=None, /)\n--\n\n"
             "Start to run all tasks on one native model, and return at once.");

static PyObject *begin(PyObject *module, PyObject *args)
{
    struct lanes_state *state = state_of(module);
    struct lanes_order order;
    PyObject *flight;

    if (lanes_order_take(&order, state, args, "ssOl|OOOO:begin") < 0)
        return NULL;
    flight = lanes_flight_begin(state, &order);
    lanes_order_drop(&order);
    return flight;
}

static PyObject *can_begin(PyObject *module, PyObject *args)
{
    struct lanes_state *state = state_of(module);
    const struct lanes_workload *workload;
    const struct lanes_model *model;
    const char *model_name, *workload_name;

    if (!PyArg_ParseTuple(args, "ss:can_begin", &model_name, &workload_name))
        return NULL;
    model = lanes_model_find(state, model_name);
    workload = model != NULL ? lanes_row_find(state, workload_name) : NULL;
    return workload == NULL
               ? NULL
               : PyBool_FromLong(lanes_model_can_begin(model, workload));
}

static PyObject *under_way(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return lanes_under_way_list();
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

static PyObject *system_call(PyObject *module, PyObject *number)
{
    long wanted = PyLong_AsLong(number);
    const char *name;

    (void)module;
    if (wanted == -1 && PyErr_Occurred())
        return NULL;
    name = lanes_syscall_name(wanted);
    return name != NULL ? PyUnicode_FromString(name) : Py_NewRef(Py_None);
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

static PyObject *name_thread(PyObject *module, PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);

    (void)module;
    if (text == NULL)
        return NULL;
    if (prctl(PR_SET_NAME, text) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", run, METH_VARARGS, run_doc},
    {"begin", begin, METH_VARARGS, begin_doc},
    {"can_begin", can_begin, METH_VARARGS,
     "can_begin(model, workload, /)\n--\n\n"
     "Whether a run of this workload on this model can be begun."},
    {"under_way", under_way, METH_NOARGS,
     "under_way()\n--\n\nThe tasks of native runs of this process that were "
     "begun and have not been finished."},
    {"system_call", system_call, METH_O,
     "system_call(number, /)\n--\n\nThe name of a system call that may wait."},
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
    {"name_thread", name_thread, METH_O,
     "name_thread(name, /)\n--\n\nName the calling thread for the kernel."},
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
    if (add_type(module, &lanes_area_spec, &state->area_type) < 0)
        return -1;
    if (add_type(module, &lanes_arrivals_spec, &state->arrivals_type) < 0)
        return -1;
    if (add_type(module, &lanes_flight_spec, &state->flight_type) < 0)
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
    Py_VISIT(state->area_type);
    Py_VISIT(state->arrivals_type);
    Py_VISIT(state->flight_type);
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
    Py_CLEAR(state->area_type);
    Py_CLEAR(state->arrivals_type);
    Py_CLEAR(state->flight_type);
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
