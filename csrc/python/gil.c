/* gil.c - where this interpreter keeps its GIL: the one file that reads what
 * CPython keeps to itself, for each of its minor versions.
 *
 * The headers are those of the very version that is compiled for, so the
 * layout is right or the build fails. What cannot be known is not guessed.
 */
#define Py_BUILD_CORE 1
#include "binding.h"

#include "lockwait.h"

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x03100000 &&             \
    !defined(Py_GIL_DISABLED) && !defined(LANES_NO_INTERNALS)
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>

static const struct _gil_runtime_state *gil(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyInterpreterState_Get()->ceval.gil;
#else
    return &_PyRuntime.ceval.gil;
#endif
}

bool lanes_gil_watch(bool on)
{
    if (!on) {
        lanes_lockwait_watch(NULL, NULL);
        return false;
    }
    if (lanes_lockwait_install((const void *)PyEval_RestoreThread) < 0)
        return false;
    lanes_lockwait_watch(&gil()->cond, &gil()->switch_cond);
    return true;
}

long long lanes_gil_handovers(void)
{
    return (long long)gil()->switch_number;
}
#else
bool lanes_gil_watch(bool on)
{
    (void)on;
    return false;
}

long long lanes_gil_handovers(void)
{
    return -1;
}
#endif
