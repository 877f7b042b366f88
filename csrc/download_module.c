/* download_module.c - the workload that needs libcurl, as a module of its own.
 *
 * DESIGN. libcurl brings some thirty libraries, and every fork copies their
 * mappings: that doubles the price of a process, also for work that downloads
 * nothing. So module.c asks for this row when it is first named. What is shared
 * with it in C (worker, batch, loop, ...) has no state of its own and is linked
 * into both.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "workload.h"

#include <curl/curl.h>

#define OLDEST 0x075500 /* 7.85 */

static PyObject *libcurl_version(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_FromString(curl_version_info(CURLVERSION_NOW)->version);
}

static PyMethodDef methods[] = {
    {"libcurl_version", libcurl_version, METH_NOARGS,
     "libcurl_version()\n--\n\nThe version of the libcurl in use."},
    {NULL, NULL, 0, NULL},
};

static int exec_module(PyObject *module)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    PyObject *capsule;
    int rc;

    if (info->version_num < OLDEST) {
        PyErr_Format(PyExc_ImportError,
                     "lanes needs libcurl 7.85 or later; this process has %s",
                     info->version);
        return -1;
    }
    capsule = PyCapsule_New((void *)&lanes_workload_download,
                            LANES_DOWNLOAD_CAPSULE, NULL);
    if (capsule == NULL)
        return -1;
    rc = PyModule_AddObjectRef(module, "workload", capsule);
    Py_DECREF(capsule);
    return rc;
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
    .m_name = "lanes._download",
    .m_doc = "The download workload of the engine, with libcurl.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__download(void)
{
    return PyModuleDef_Init(&definition);
}
