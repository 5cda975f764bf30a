/* Opening a library with dlopen: ELF and Mach-O platforms. */
#ifndef JUMPTABLE_SYSTEM_DLOPEN_H
#define JUMPTABLE_SYSTEM_DLOPEN_H

#include <dlfcn.h>

static int jt_load(PyObject *path, int release_gil, PyObject *refusal, void **handle) {
    PyObject *encoded = PyUnicode_EncodeFSDefault(path);
    PyThreadState *state = NULL;
    if (encoded == NULL)
        return -1;
    if (release_gil)
        state = PyEval_SaveThread();
    *handle = dlopen(PyBytes_AS_STRING(encoded), RTLD_NOW | RTLD_LOCAL);
    const char *message = *handle == NULL ? dlerror() : NULL;
    if (release_gil)
        PyEval_RestoreThread(state);
    if (*handle == NULL)
        jt_refuse(refusal,
                  PyUnicode_DecodeFSDefault(message != NULL ? message : "no reason was given"));
    Py_DECREF(encoded);
    return PyErr_Occurred() ? -1 : 0;
}

static void *jt_loaded(PyObject *name) {
    PyObject *encoded = PyUnicode_EncodeFSDefault(name);
    void *handle = NULL;
    if (encoded != NULL)
        handle = dlopen(PyBytes_AS_STRING(encoded), RTLD_LAZY | RTLD_NOLOAD);
    Py_XDECREF(encoded);
    PyErr_Clear();
    return handle;
}

#endif
