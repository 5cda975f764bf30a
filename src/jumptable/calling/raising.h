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
 * jt_handled gets it as its context. In the innermost frame's own place only: that of a generator
 * is kept while it waits. */
static _PyErr_StackItem jt_handle(PyObject *exception) {
    _PyErr_StackItem *place = PyThreadState_Get()->exc_info, before = *place;
    Py_INCREF(exception);
    place->exc_value = exception;
#if PY_VERSION_HEX < 0x030B0000
    place->exc_type = (PyObject *)Py_TYPE(exception);
    Py_INCREF(place->exc_type);
    place->exc_traceback = PyException_GetTraceback(exception);
#endif
    return before;
}

static void jt_handled(_PyErr_StackItem before) {
    _PyErr_StackItem *place = PyThreadState_Get()->exc_info, ours = *place;
    place->exc_value = before.exc_value;
#if PY_VERSION_HEX < 0x030B0000
    place->exc_type = before.exc_type;
    place->exc_traceback = before.exc_traceback;
    Py_XDECREF(ours.exc_type);
    Py_XDECREF(ours.exc_traceback);
#endif
    Py_XDECREF(ours.exc_value);
}

/* Raises as `raise error` would: what is being handled becomes its context. Takes `error`. */
static void jt_raise_anew(PyObject *error) {
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

#endif
