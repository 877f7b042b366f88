/* records.c - the type Records: what came of a run, one record per task. */
#include "binding.h"

static void records_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    struct lanes_records *records = (struct lanes_records *)self;

    if (records->is_open)
        lanes_batch_close(&records->batch);
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t records_length(PyObject *self)
{
    return (Py_ssize_t)((struct lanes_records *)self)->batch.n_tasks;
}

static PyObject *records_item(PyObject *self, Py_ssize_t index)
{
    struct lanes_records *records = (struct lanes_records *)self;

    if (index < 0 || index >= records_length(self)) {
        PyErr_SetString(PyExc_IndexError, "there is no such task");
        return NULL;
    }
    return lanes_record_make(PyType_GetModuleState(Py_TYPE(self)),
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

PyType_Spec lanes_records_spec = {
    .name = "lanes._core.Records",
    .basicsize = sizeof(struct lanes_records),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = records_slots,
};

struct lanes_records *lanes_records_make(struct lanes_state *state,
                                         Py_ssize_t n_tasks,
                                         const struct lanes_workload *workload,
                                         long workers, bool forks)
{
    PyTypeObject *type = state->records_type;
    struct lanes_records *records =
        (struct lanes_records *)type->tp_alloc(type, 0);
    int rc;

    if (records == NULL)
        return NULL;
    rc = lanes_batch_open(&records->batch, workload, (size_t)n_tasks,
                          (size_t)workers, forks);
    if (rc < 0) {
        lanes_error_raise("the batch", rc);
        Py_DECREF(records);
        return NULL;
    }
    records->is_open = true;
    return records;
}
