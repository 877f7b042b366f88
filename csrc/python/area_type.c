/* area_type.c - the type Area: memory that the workers of a run share, as Python
 * reads and writes it: through the buffer protocol.
 */
#include "binding.h"

static struct lanes_area *area_of(PyObject *self)
{
    return &((struct lanes_area_object *)self)->area;
}

static PyObject *area_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"size", NULL};
    PyObject *self;
    Py_ssize_t size;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n:Area", names, &size))
        return NULL;
    if (size < 1)
        return PyErr_Format(PyExc_ValueError,
                            "an area has 1 byte or more, not %zd", size);
    self = type->tp_alloc(type, 0);
    return self == NULL ? NULL
                        : lanes_object_checked(self, "the area",
                                               lanes_area_open(area_of(self),
                                                               "lanes-area",
                                                               (size_t)size));
}

static int attach(PyObject *self, int fd)
{
    return lanes_area_attach(area_of(self), fd);
}

static PyObject *area_attach(PyObject *type, PyObject *descriptor)
{
    return lanes_object_attach(type, descriptor, "the area", attach);
}

static void area_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    lanes_area_close(area_of(self));
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *area_fileno(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromLong(area_of(self)->fd);
}

static Py_ssize_t area_length(PyObject *self)
{
    return (Py_ssize_t)area_of(self)->size;
}

/* A view keeps the area alive, and the area its memory where it is. */
static int area_view(PyObject *self, Py_buffer *view, int flags)
{
    return PyBuffer_FillInfo(view, self, area_of(self)->memory,
                             area_length(self), false, flags);
}

int lanes_area_lend(struct lanes_state *state, PyObject *area,
                    struct lanes_batch *batch)
{
    if (area == Py_None)
        return 0;
    if (!Py_IS_TYPE(area, state->area_type)) {
        PyErr_SetString(PyExc_TypeError, "area must be an Area or None");
        return -1;
    }
    batch->area = area_of(area)->memory;
    batch->area_size = area_of(area)->size;
    return 0;
}

static PyMethodDef area_methods[] = {
    {"attach", area_attach, METH_O | METH_CLASS,
     "attach($type, descriptor, /)\n--\n\n"
     "The area whose file this is, which it takes over."},
    {"fileno", area_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nThe descriptor of its file."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot area_slots[] = {
    {Py_tp_doc, "Area(size)\n--\n\nMemory that the workers of a run share, "
                "forked processes too; zeros at first."},
    {Py_tp_new, area_new},
    {Py_tp_dealloc, area_dealloc},
    {Py_tp_methods, area_methods},
    {Py_sq_length, area_length},
    {Py_bf_getbuffer, area_view},
    {0, NULL},
};

PyType_Spec lanes_area_spec = {
    .name = "lanes._core.Area",
    .basicsize = sizeof(struct lanes_area_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = area_slots,
};
