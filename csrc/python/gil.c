/* gil.c - where this interpreter keeps its GIL: the one file that reads what
 * CPython keeps to itself, for each of its minor versions.
 *
 * The headers are those of the version that is compiled for. The library in use
 * may be of another patch release; so before a GIL is watched, it must look like
 * one: held, as its finder holds it, and with the interval that Python tells.
 * What cannot be known is not guessed.
 */
#define Py_BUILD_CORE 1
#include "binding.h"

#include "lockwait.h"

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x03100000 &&             \
    !defined(Py_GIL_DISABLED) && !defined(LANES_NO_INTERNALS)
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>

#include <pthread.h>

static const struct _gil_runtime_state *gil(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyInterpreterState_Get()->ceval.gil;
#else
    return &_PyRuntime.ceval.gil;
#endif
}

static int is_locked(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return gil()->locked;
#else
    return gil()->locked._value;
#endif
}

/* Python tells it in seconds; -1 with an exception. */
static double interval_told(void)
{
    PyObject *get = PySys_GetObject("getswitchinterval"); /* borrowed */
    PyObject *told = get != NULL ? PyObject_CallNoArgs(get) : NULL;
    double seconds = told != NULL ? PyFloat_AsDouble(told) : -1.0;

    Py_XDECREF(told);
    return seconds;
}

static bool looks_like_a_gil(void)
{
    double told = interval_told();

    if (PyErr_Occurred()) {
        PyErr_Clear();
        return false;
    }
    return is_locked() == 1 &&
           (unsigned long)(1e6 * told + 0.5) == gil()->interval;
}

/* Runs may overlap, in threads of one interpreter; a second one has another
 * GIL, and has to do without. */
static pthread_mutex_t watching = PTHREAD_MUTEX_INITIALIZER;
static const void *watched; /* by `watching` */
static size_t n_watchers;   /* by `watching` */

static bool watch(const struct _gil_runtime_state *mine)
{
    bool yes;

    pthread_mutex_lock(&watching);
    yes = n_watchers == 0 || watched == mine;
    if (yes && n_watchers++ == 0) {
        watched = mine;
        lanes_lockwait_watch(&mine->cond, &mine->switch_cond);
    }
    pthread_mutex_unlock(&watching);
    return yes;
}

bool lanes_gil_watch(void)
{
    return looks_like_a_gil() &&
           lanes_lockwait_install((const void *)PyEval_RestoreThread) == 0 &&
           watch(gil());
}

void lanes_gil_unwatch(void)
{
    pthread_mutex_lock(&watching);
    if (n_watchers > 0 && --n_watchers == 0)
        lanes_lockwait_watch(NULL, NULL);
    pthread_mutex_unlock(&watching);
}

long long lanes_gil_handovers(void)
{
    return (long long)gil()->switch_number;
}
#else
bool lanes_gil_watch(void)
{
    return false;
}

void lanes_gil_unwatch(void)
{
}

long long lanes_gil_handovers(void)
{
    return -1;
}
#endif
