/* module.c - Python in, structs down, structs up, Python out.
 *
 * DESIGN. Below this file (and download_module.c, which only hands over a row)
 * nothing knows Python. The GIL is released at two
 * places: around a model's run and around one task of a released body. Native
 * workers never attach to the interpreter: the calling thread attaches between
 * its waits, asks for signals, and makes objects when all is over.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "clock.h"
#include "model.h"
#include "worker.h"
#include "workload.h"

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

#define N_STATUSES (LANES_KILLED + 1)

struct state {
    PyTypeObject *records_type;                          /* owned */
    PyTypeObject *worker_type;                           /* owned */
    PyObject *model_names;                               /* owned: a tuple */
    PyObject *workload_names;                            /* owned: a tuple */
    const struct lanes_workload *workloads[COUNT(rows)]; /* once found */
    PyObject *statuses[N_STATUSES]; /* owned: their words */
};

static struct state *state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

/* ---- errors ---- */

/* The one place where an error of the engine becomes an exception. */
static void raise_engine_error(const char *who, int rc)
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

static const struct lanes_workload *import_row(const struct row *row)
{
    PyObject *module = PyImport_ImportModule(row->module);

    if (module == NULL)
        return NULL;
    Py_DECREF(module); /* sys.modules keeps it */
    return PyCapsule_Import(row->capsule, 0);
}

static const struct lanes_workload *find_workload(struct state *state,
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

static const struct lanes_model *find_model(struct state *state,
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

/* ---- who may fork ----
 *
 * A fork copies libcurl handles and held locks of other threads, so it must
 * not happen while any of our own are alive. Counted for the whole process.
 */
#define FORKING (-1)

static _Atomic int native_work; /* shared: runs and workers alive, or FORKING */

static int enter_native_work(bool forks)
{
    int before = atomic_load(&native_work);

    if (forks && PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "native-fork runs in the main interpreter only");
        return -1;
    }
    while (before != FORKING && !(forks && before > 0))
        if (atomic_compare_exchange_weak(&native_work, &before,
                                         forks ? FORKING : before + 1))
            return 0;
    PyErr_SetString(PyExc_RuntimeError,
                    "native-fork and other native work of this process must "
                    "follow one another, not overlap");
    return -1;
}

static void leave_native_work(bool forks)
{
    if (forks)
        atomic_store(&native_work, 0);
    else
        atomic_fetch_sub(&native_work, 1);
}

/* A child that somebody else forked has none of our threads, and its workers
 * are dead: nothing is under way in it. */
static void forget_native_work(void)
{
    atomic_store(&native_work, 0);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_native_work);
}

/* ---- Python in: a task is a tuple of a text and at most four integers ---- */

static int parse_input(PyObject *item, const struct lanes_workload *workload,
                       struct lanes_input *input)
{
    Py_ssize_t size = PyTuple_Check(item) ? PyTuple_GET_SIZE(item) : 0;
    Py_ssize_t length;
    const char *wrong;

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
    wrong = strlen(input->text) == (size_t)length
                ? (workload->check ? workload->check(input) : NULL)
                : "a text must not contain a null character";
    if (wrong != NULL)
        PyErr_Format(PyExc_ValueError, "%s: %s", workload->name, wrong);
    return wrong == NULL ? 0 : -1;
}

/* ---- Python out: a record per task ---- */

/* Put the n values at the end of a new tuple; steals them, NULLs included. */
static PyObject *tuple_of(Py_ssize_t n, PyObject *const *values)
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

static PyObject *values_of(const struct lanes_task *task)
{
    PyObject *values[LANES_VALUES];

    for (int n = 0; n < task->n_values; n++)
        values[n] = PyLong_FromLongLong(task->values[n]);
    return tuple_of(task->n_values, values);
}

static PyObject *failure_kind(const struct lanes_task *task)
{
    return task->status >= LANES_FAILED
               ? PyUnicode_FromString(task->failure->kind)
               : Py_NewRef(Py_None);
}

/* The text may have been cut within a character. */
static PyObject *failure_text(const struct lanes_task *task)
{
    const char *text = task->status >= LANES_FAILED ? task->failure->text : "";

    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *record_of(struct state *state, const struct lanes_task *task)
{
    const struct lanes_span *span = &task->span;

    return tuple_of(12, (PyObject *[]){
                            Py_NewRef(state->statuses[task->status]),
                            failure_kind(task),
                            failure_text(task),
                            values_of(task),
                            PyLong_FromLong(atomic_load(&task->owner) - 1),
                            PyLong_FromLong(span->thread),
                            PyLong_FromLong(span->process),
                            PyLong_FromLong(span->processor),
                            PyLong_FromLongLong(span->claimed),
                            PyLong_FromLongLong(span->started),
                            PyLong_FromLongLong(span->finished),
                            PyLong_FromLongLong(span->cpu),
                        });
}

/* ---- Records: what came of a run ---- */

struct records {
    PyObject_HEAD
    struct lanes_batch batch; /* owned once open */
    bool is_open;
};

static void records_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    struct records *records = (struct records *)self;

    if (records->is_open)
        lanes_batch_close(&records->batch);
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t records_length(PyObject *self)
{
    return (Py_ssize_t)((struct records *)self)->batch.n_tasks;
}

static PyObject *records_item(PyObject *self, Py_ssize_t index)
{
    struct records *records = (struct records *)self;

    if (index < 0 || index >= records_length(self)) {
        PyErr_SetString(PyExc_IndexError, "there is no such task");
        return NULL;
    }
    return record_of(PyType_GetModuleState(Py_TYPE(self)),
                     &records->batch.tasks[index]);
}

static PyType_Slot records_slots[] = {
    {Py_tp_doc, "What came of a native run: one record per task, made when "
                "it is asked for."},
    {Py_tp_dealloc, records_dealloc},
    {Py_sq_length, records_length},
    {Py_sq_item, records_item},
    {Py_tp_iter, PySeqIter_New},
    {0, NULL},
};

static PyType_Spec records_spec = {
    .name = "lanes._core.Records",
    .basicsize = sizeof(struct records),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = records_slots,
};

static struct records *new_records(struct state *state, Py_ssize_t n_tasks,
                                   const struct lanes_workload *workload,
                                   long workers)
{
    PyTypeObject *type = state->records_type;
    struct records *records = (struct records *)type->tp_alloc(type, 0);
    int rc;

    if (records == NULL)
        return NULL;
    rc = lanes_batch_open(&records->batch, workload, (size_t)n_tasks,
                          (size_t)workers);
    if (rc < 0) {
        raise_engine_error("the batch", rc);
        Py_DECREF(records);
        return NULL;
    }
    records->is_open = true;
    return records;
}

/* ---- run(): all tasks on one model ---- */

static bool ask_python(void)
{
    return !PyErr_Occurred() && PyErr_CheckSignals() == 0;
}

/* keep_going while the GIL is released: attach, ask, detach. */
static bool attach_and_ask(void *ctx)
{
    PyThreadState **saved = ctx;
    bool yes;

    PyEval_RestoreThread(*saved);
    yes = ask_python();
    *saved = PyEval_SaveThread();
    return yes;
}

static int run_model(const struct lanes_model *model, struct lanes_batch *batch)
{
    PyThreadState *saved;
    int rc;

    if (enter_native_work(model->forks) < 0)
        return -EBUSY;
    batch->keep_going = attach_and_ask;
    batch->ctx = &saved;
    saved = PyEval_SaveThread();
    rc = model->run(batch);
    PyEval_RestoreThread(saved);
    leave_native_work(model->forks);
    return rc;
}

static int parse_tasks(PyObject *tasks, struct lanes_batch *batch)
{
    for (size_t n = 0; n < batch->n_tasks; n++)
        if (parse_input(PyTuple_GET_ITEM(tasks, (Py_ssize_t)n), batch->workload,
                        &batch->tasks[n].input) < 0)
            return -1;
    return 0;
}

PyDoc_STRVAR(run_doc,
             "run(model, workload, tasks, workers, /)\n--\n\n"
             "Run all tasks on one native model, with the GIL released.");

static PyObject *run_tasks(struct state *state, const struct lanes_model *model,
                           const struct lanes_workload *workload,
                           PyObject *tasks, long workers)
{
    struct records *records;
    int rc;

    records = new_records(state, PyTuple_GET_SIZE(tasks), workload, workers);
    if (records == NULL)
        return NULL;
    if (parse_tasks(tasks, &records->batch) < 0)
        goto fail;
    rc = run_model(model, &records->batch);
    if (rc < 0) {
        raise_engine_error(model->name, rc);
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
    struct state *state = state_of(module);
    const char *model_name, *workload_name;
    const struct lanes_model *model;
    const struct lanes_workload *workload;
    PyObject *tasks, *records;
    long workers;

    if (!PyArg_ParseTuple(args, "ssOl:run", &model_name, &workload_name, &tasks,
                          &workers))
        return NULL;
    model = find_model(state, model_name);
    workload = model ? find_workload(state, workload_name) : NULL;
    if (workload == NULL)
        return NULL;
    if (workers < 1 || workers > WORKERS_MAX)
        return PyErr_Format(PyExc_ValueError,
                            "workers must be from 1 to %d, not %ld",
                            WORKERS_MAX, workers);
    tasks = PySequence_Tuple(tasks); /* keeps the texts alive and unchanged */
    if (tasks == NULL)
        return NULL;
    records = run_tasks(state, model, workload, tasks, workers);
    Py_DECREF(tasks);
    return records;
}

/* ---- Worker: one task a call ---- */

struct worker {
    PyObject_HEAD
    struct lanes_batch batch; /* owned while open: one task, over and over */
    struct lanes_worker worker;
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
        leave_native_work(false);
    }
    lanes_batch_close(&self->batch);
    self->is_open = false;
}

static int worker_open(struct worker *self,
                       const struct lanes_workload *workload)
{
    int rc;

    if (enter_native_work(false) < 0)
        return -1;
    rc = lanes_batch_open(&self->batch, workload, 1, 1);
    if (rc < 0)
        goto leave;
    lanes_worker_init(&self->worker, &self->batch, 0, true);
    rc = lanes_worker_open(&self->worker);
    if (rc < 0)
        goto close_batch;
    self->is_open = true;
    return 0;

close_batch:
    lanes_batch_close(&self->batch);
leave:
    leave_native_work(false);
    raise_engine_error("the worker", rc);
    return -1;
}

static PyObject *worker_new(PyTypeObject *type, PyObject *args,
                            PyObject *kwargs)
{
    static char *names[] = {"workload", NULL};
    const struct lanes_workload *workload;
    const char *name;
    PyObject *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s:Worker", names, &name))
        return NULL;
    workload = find_workload(PyType_GetModuleState(type), name);
    if (workload == NULL)
        return NULL;
    self = type->tp_alloc(type, 0);
    if (self != NULL && worker_open((struct worker *)self, workload) < 0)
        Py_CLEAR(self);
    return self;
}

static void worker_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    worker_shut((struct worker *)self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* keep_going while the GIL is held. */
static bool just_ask(void *ctx)
{
    (void)ctx;
    return ask_python();
}

static void do_held(struct worker *self, struct lanes_task *task)
{
    self->batch.keep_going = just_ask;
    lanes_worker_do(&self->worker, task);
}

static void do_released(struct worker *self, struct lanes_task *task)
{
    PyThreadState *saved;

    self->batch.keep_going = attach_and_ask;
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
    if (parse_input(item, self->batch.workload, &self->batch.tasks[0].input) <
        0)
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
    return record_of(PyType_GetModuleState(Py_TYPE((PyObject *)self)), task);
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
    {Py_tp_doc, "Worker(workload)\n--\n\nOne worker's C body: one task a "
                "call, and what is kept between calls."},
    {Py_tp_new, worker_new},
    {Py_tp_dealloc, worker_dealloc},
    {Py_tp_methods, worker_methods},
    {0, NULL},
};

static PyType_Spec worker_spec = {
    .name = "lanes._core.Worker",
    .basicsize = sizeof(struct worker),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = worker_slots,
};

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

    if (text == NULL || find_workload(state_of(module), text) == NULL)
        return NULL;
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
    return tuple_of((Py_ssize_t)n, values);
}

static int add_registries(PyObject *module, struct state *state)
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

static int add_statuses(struct state *state)
{
    static const char *const words[N_STATUSES] = {"pending", "ok", "failed",
                                                  "killed"};

    for (int n = 0; n < N_STATUSES; n++) {
        state->statuses[n] = PyUnicode_InternFromString(words[n]);
        if (state->statuses[n] == NULL)
            return -1;
    }
    return 0;
}

static int exec_module(PyObject *module)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* for all interpreters */
    struct state *state = state_of(module);

    pthread_once(&once, watch_forks);
    if (add_type(module, &records_spec, &state->records_type) < 0)
        return -1;
    if (add_type(module, &worker_spec, &state->worker_type) < 0)
        return -1;
    if (add_statuses(state) < 0)
        return -1;
    return add_registries(module, state);
}

static int traverse_module(PyObject *module, visitproc visit, void *arg)
{
    struct state *state = state_of(module);

    Py_VISIT(state->records_type);
    Py_VISIT(state->worker_type);
    Py_VISIT(state->model_names);
    Py_VISIT(state->workload_names);
    for (int n = 0; n < N_STATUSES; n++)
        Py_VISIT(state->statuses[n]);
    return 0;
}

static int clear_module(PyObject *module)
{
    struct state *state = state_of(module);

    Py_CLEAR(state->records_type);
    Py_CLEAR(state->worker_type);
    Py_CLEAR(state->model_names);
    Py_CLEAR(state->workload_names);
    for (int n = 0; n < N_STATUSES; n++)
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
    .m_size = sizeof(struct state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
