/* Exceptions as objects in hand, for code that must do in C what except and raise statements do. */
#ifndef JUMPTABLE_RAISING_H
#define JUMPTABLE_RAISING_H

#include <Python.h>

/* The exception that was raised, with its traceback; clears the indicator. */
static PyObject *jt_take_error(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* Raises an exception that jt_take_error gave; takes the reference. */
static void jt_raise(PyObject *exception) {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    Py_INCREF(Py_TYPE(exception));
    PyErr_Restore((PyObject *)Py_TYPE(exception), exception, PyException_GetTraceback(exception));
#endif
}

/* Makes `exception` the one that is being handled, as in an except block: what is raised until
 * jt_handled gets it as its context. Returns the one before, which jt_handled takes. */
static PyObject *jt_handle(PyObject *exception) {
#if PY_VERSION_HEX >= 0x030B0000
    PyObject *before = PyErr_GetHandledException();
    PyErr_SetHandledException(exception);
    return before;
#else
    PyObject *type, *before, *traceback;
    PyErr_GetExcInfo(&type, &before, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    Py_XINCREF(exception);
    type = exception == NULL ? NULL : (PyObject *)Py_TYPE(exception);
    Py_XINCREF(type);
    PyErr_SetExcInfo(type, exception,
                     exception == NULL ? NULL : PyException_GetTraceback(exception));
    return before;
#endif
}

static void jt_handled(PyObject *before) {
    PyObject *ours = jt_handle(before);
    Py_XDECREF(ours);
    Py_XDECREF(before);
}

/* Raises as `raise error` would: what is being handled becomes its context. Takes `error`. */
static void jt_raise_anew(PyObject *error) {
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

#endif
