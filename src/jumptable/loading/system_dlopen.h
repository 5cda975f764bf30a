/* Opening a library with dlopen: ELF and Mach-O platforms. */
#ifndef JUMPTABLE_SYSTEM_DLOPEN_H
#define JUMPTABLE_SYSTEM_DLOPEN_H

#include <dlfcn.h>

static void *jt_load(PyObject *path, int release_gil, PyObject *refusal) {
    PyObject *encoded = PyUnicode_EncodeFSDefault(path);
    PyThreadState *state = NULL;
    if (encoded == NULL)
        return NULL;
    if (release_gil)
        state = PyEval_SaveThread();
    void *handle = dlopen(PyBytes_AS_STRING(encoded), RTLD_NOW | RTLD_LOCAL);
    const char *message = handle == NULL ? dlerror() : NULL;
    if (release_gil)
        PyEval_RestoreThread(state);
    if (handle == NULL)
        jt_refuse(refusal,
                  PyUnicode_DecodeFSDefault(message != NULL ? message : "no reason was given"));
    Py_DECREF(encoded);
    return handle;
}

#endif
