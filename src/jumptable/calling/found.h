/* A dictionary's value as a reference of one's own: a borrowed one would do only with a GIL. */
#ifndef JUMPTABLE_FOUND_H
#define JUMPTABLE_FOUND_H

#include <Python.h>

/* None for what is not there. */
static PyObject *jt_found(PyObject *dict, PyObject *key) {
    PyObject *value;
#if PY_VERSION_HEX >= 0x030D0000
    if (PyDict_GetItemRef(dict, key, &value) < 0)
        return NULL;
#else
    value = PyDict_GetItemWithError(dict, key);
    if (value == NULL && PyErr_Occurred())
        return NULL;
    Py_XINCREF(value);
#endif
    if (value == NULL) {
        value = Py_None;
        Py_INCREF(value);
    }
    return value;
}

#endif
