/* Counter.add: what runs per call. Only for the extension that owns the threads' numbers. */
#ifndef JUMPTABLE_ADDING_H
#define JUMPTABLE_ADDING_H

#include "cells.h"
#include "immortal.h"
#include "threads.h"

static int64_t *jt_own_word(const jt_cells *cells) {
    return jt_nth_word(cells, cells->mask == 0 ? 0 : jt_number_of_thread() & cells->mask);
}

static void jt_add_to(const jt_cells *cells, int64_t n) { jt_word_add(jt_own_word(cells), n); }

/* Whether this is an int of one digit, as amounts mostly are; what it is. */
static inline int jt_small_amount(PyObject *given, int64_t *n) {
    if (!PyLong_CheckExact(given))
        return 0;
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)given))
        return 0;
    *n = PyUnstable_Long_CompactValue((PyLongObject *)given);
#else
    if (Py_SIZE(given) < -1 || Py_SIZE(given) > 1)
        return 0;
    *n = Py_SIZE(given) * (int64_t)((PyLongObject *)given)->ob_digit[0];
#endif
    return 1;
}

/* What is to be added; -1 with an exception for what is no int64. */
static JT_COLD int jt_other_amount(PyObject *given, const char *function, int64_t *n) {
    PyObject *number;
    int overflow;
    if (!PyIndex_Check(given)) {
        PyErr_Format(PyExc_TypeError, "%s takes an int, and got %.200s", function,
                     Py_TYPE(given)->tp_name);
        return -1;
    }
    number = PyNumber_Index(given);
    if (number == NULL)
        return -1;
    *n = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow)
        PyErr_Format(PyExc_OverflowError,
                     "%s takes what an int64_t can hold, -2**63 to 2**63 - 1, and got %.100R",
                     function, number);
    Py_DECREF(number);
    return overflow || (*n == -1 && PyErr_Occurred()) ? -1 : 0;
}

static inline int jt_amount(PyObject *given, const char *function, int64_t *n) {
    return jt_small_amount(given, n) ? 0 : jt_other_amount(given, function, n);
}

static JT_NOINLINE PyObject *jt_add_given(PyObject *self, PyObject *const *args,
                                          Py_ssize_t given) {
    int64_t n;
    if (given != 1)
        return PyErr_Format(PyExc_TypeError,
                            "add() takes at most 1 argument, how much to add (%zd given)", given);
    if (jt_amount(args[0], "add()", &n) < 0)
        return NULL;
    jt_add_to(&((jt_counting *)self)->cells, n);
    Py_RETURN_NONE;
}

/* Without an argument nothing needs room on the stack. */
static PyObject *jt_counter_method(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    if (given != 0)
        return jt_add_given(self, args, given);
    jt_add_to(&((jt_counting *)self)->cells, 1);
    Py_RETURN_NONE;
}

static PyMethodDef jt_counter_definition = {
    "add", (PyCFunction)(void (*)(void))jt_counter_method, METH_FASTCALL,
    "add($self, n=1, /)\n--\n\n"
    "Add ``n``, an int that an int64_t can hold, in one atomic step.\n\n"
    "Raises TypeError for anything else, OverflowError for an int beyond. Safe to use from any\n"
    "thread, and in a signal handler of Python's; the value wraps around."};

/* Cython's own methods take keywords, which costs more than the addition. All threads load the
 * method from the type, so it must not be counted. */
static int jt_install_add(PyTypeObject *type) {
    PyObject *method = PyDescr_NewMethod(type, &jt_counter_definition);
    int failed;
    if (method == NULL)
        return -1;
    failed = PyDict_SetItemString(type->tp_dict, "add", method);
    jt_make_immortal(method);
    Py_DECREF(method);
    PyType_Modified(type);
    return failed;
}

#endif
