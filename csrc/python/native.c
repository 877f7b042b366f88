/* native.c - when native work may begin, and whether it may go on: the two
 * questions asked of Python.
 */
#include "binding.h"

#include <pthread.h>

/* ---- who may fork ----
 *
 * A fork copies libcurl handles and held locks of other threads, so it must
 * not happen while any of our own are alive. Counted for the whole process.
 */
#define FORKING (-1)

static _Atomic int native_work; /* shared: runs and workers alive, or FORKING */

int lanes_native_enter(bool forks)
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

void lanes_native_leave(bool forks)
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
    lanes_under_way_forget();
}

void lanes_native_watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_native_work);
}

/* ---- may it go on? ---- */

bool lanes_python_ask(void *ctx)
{
    (void)ctx;
    return !PyErr_Occurred() && PyErr_CheckSignals() == 0;
}

bool lanes_python_attach_and_ask(void *ctx)
{
    PyThreadState **saved = ctx;
    bool yes;

    PyEval_RestoreThread(*saved);
    yes = lanes_python_ask(NULL);
    *saved = PyEval_SaveThread();
    return yes;
}
