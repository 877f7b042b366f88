/* binding.h - what the files that know Python share: the module's state, and
 * what they hand each other. Nothing in csrc/ outside these files and the two
 * *module.c includes it.
 */
#ifndef LANES_BINDING_H
#define LANES_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "area.h"
#include "arrivals.h"
#include "ledger.h"
#include "model.h"
#include "worker.h"
#include "workload.h"

#define LANES_ROWS 5 /* workloads */
#define LANES_STATUSES (LANES_KILLED + 1)

struct lanes_state {
    PyTypeObject *records_type;                         /* owned */
    PyTypeObject *worker_type;                          /* owned */
    PyTypeObject *ledger_type;                          /* owned */
    PyTypeObject *area_type;                            /* owned */
    PyTypeObject *arrivals_type;                        /* owned */
    PyTypeObject *flight_type;                          /* owned */
    PyObject *model_names;                              /* owned: a tuple */
    PyObject *workload_names;                           /* owned: a tuple */
    const struct lanes_workload *workloads[LANES_ROWS]; /* once found */
    PyObject *statuses[LANES_STATUSES];                 /* owned: their words */
};

/* What came of a run, one record per task. */
struct lanes_records {
    PyObject_HEAD
    struct lanes_batch batch; /* owned once open */
    bool is_open;
    struct lanes_input warm_up; /* what the batch borrows, if it has one */

    /* From lanes_under_way_enter() to leave(). Here and not on the stack of
     * whoever runs it: when the interpreter ends, it may end the thread, and the
     * stack with it, while others still look. */
    const struct lanes_model *model; /* borrowed: what it runs on */
    struct lanes_records *next;      /* borrowed: one more that is under way */
};

/* What the workers of a run have used. */
struct lanes_ledger_object {
    PyObject_HEAD
    struct lanes_ledger ledger; /* owned */
};

/* Memory that the workers of a run share. */
struct lanes_area_object {
    PyObject_HEAD
    struct lanes_area area; /* owned */
};

/* Tasks that come with time. */
struct lanes_arrivals_object {
    PyObject_HEAD
    struct lanes_arrivals arrivals; /* owned */
};

/* What Python asked for: a model, and a batch ready to run on it. */
struct lanes_order {
    const struct lanes_model *model;
    struct lanes_records *records; /* owned: with the batch */
    PyObject *tasks;               /* owned: a tuple that keeps their texts */
    PyObject *warm_up;             /* owned: keeps its text, too; or None */
    PyObject *ledger;              /* owned: or None */
    PyObject *area;                /* owned: or None */
    PyObject *arrivals;            /* owned: or None */
};

extern PyType_Spec lanes_records_spec;
extern PyType_Spec lanes_worker_spec;
extern PyType_Spec lanes_ledger_spec;
extern PyType_Spec lanes_area_spec;
extern PyType_Spec lanes_arrivals_spec;
extern PyType_Spec lanes_flight_spec;

/* The one place where an error of the engine becomes an exception. */
void lanes_error_raise(const char *who, int rc);

/* A new object, once it is known what came of opening it: the object itself; or
 * NULL, with the object let go and the error raised. */
PyObject *lanes_object_checked(PyObject *self, const char *who, int rc);

/* A new object of this type, attached to what lies behind a descriptor. */
PyObject *lanes_object_attach(PyObject *type, PyObject *descriptor,
                              const char *who,
                              int (*attach)(PyObject *self, int fd));

/* The model of this name; NULL with an exception. */
const struct lanes_model *lanes_model_find(struct lanes_state *state,
                                           const char *name);

/* The workload of this name, its library loaded; NULL with an exception. */
const struct lanes_workload *lanes_row_find(struct lanes_state *state,
                                            const char *name);

/* Native work begins or ends in this process; -1 with an exception when that
 * must wait for other work, because one of them forks. */
int lanes_native_enter(bool forks);
void lanes_native_leave(bool forks);

/* Children that somebody else forks start anew. To be called once. */
void lanes_native_watch_forks(void);

/* The run that makes these records can be looked at from enter to leave. */
void lanes_under_way_enter(struct lanes_records *run,
                           const struct lanes_model *model);
void lanes_under_way_leave(struct lanes_records *run);

/* In a forked child no run of its parent's is under way. */
void lanes_under_way_forget(void);

/* A list with a tuple for each task that is under way in these runs. */
PyObject *lanes_under_way_list(void);

/* Time waits for this interpreter's GIL from now on; returns whether that can
 * be done, and then must be ended as often. How often its GIL has gone from one
 * thread to another, -1 where that is not known. */
bool lanes_gil_watch(void);
void lanes_gil_unwatch(void);
long long lanes_gil_handovers(void);

/* Python in: a task is a tuple of a text and at most four integers, which the
 * batch's workload can read, and has the area for. */
int lanes_input_parse(PyObject *item, const struct lanes_batch *batch,
                      struct lanes_input *input);

/* An Area, or None, for the batch to borrow; -1 with an exception for anything
 * else. */
int lanes_area_lend(struct lanes_state *state, PyObject *area,
                    struct lanes_batch *batch);
/* Arrivals, or None, for the batch to borrow, one for each of its tasks; -1 with
 * an exception for anything else. */
int lanes_arrivals_lend(struct lanes_state *state, PyObject *arrivals,
                        struct lanes_batch *batch);

/* Python out. A tuple of n values, which it steals, NULLs included. */
PyObject *lanes_tuple_make(Py_ssize_t n, PyObject *const *values);
PyObject *lanes_record_make(struct lanes_state *state,
                            const struct lanes_task *task);
struct lanes_records *lanes_records_make(struct lanes_state *state,
                                         Py_ssize_t n_tasks,
                                         const struct lanes_workload *workload,
                                         long workers, bool forks);

/* Read the arguments of a function, whose name the format ends with. Returns 0,
 * or -1 with an exception; an order taken must be dropped. */
int lanes_order_take(struct lanes_order *order, struct lanes_state *state,
                     PyObject *args, const char *format);
void lanes_order_drop(struct lanes_order *order);

/* It has run: the records, for the caller to own; or NULL with the exception
 * that this reason stands for. */
PyObject *lanes_order_finish(struct lanes_order *order, int rc);

/* A Flight on its way; it takes over the order. NULL with an exception. */
PyObject *lanes_flight_begin(struct lanes_state *state,
                             struct lanes_order *order);

/* keep_going for a caller that holds the GIL, and for one that released it and
 * whose thread state ctx points to. */
bool lanes_python_ask(void *ctx);
bool lanes_python_attach_and_ask(void *ctx);

#endif
