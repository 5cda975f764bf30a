/* What C's callbacks call: a Python function whose exceptions go no further.
 *
 * A `try` in Python would not do: the interpreter runs signal handlers, and checks the recursion
 * limit, before the function's first line. ctypes then leaves the result undefined. */
#ifndef JUMPTABLE_GUARD_H
#define JUMPTABLE_GUARD_H

#include <Python.h>

/* The head of Guarded, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *function;
    PyObject *zero;  /* the result instead of an exception */
    PyObject *where; /* what the report of an exception names */
} jt_guarded;

static PyObject *jt_guard(PyObject *self, PyObject *const *args, size_t given, PyObject *names) {
    jt_guarded *guarded = (jt_guarded *)self;
    PyObject *result = PyObject_Vectorcall(guarded->function, args, given, names);
    if (result == NULL) {
        PyErr_WriteUnraisable(guarded->where);
        Py_INCREF(guarded->zero);
        result = guarded->zero;
    }
    return result;
}

#endif
