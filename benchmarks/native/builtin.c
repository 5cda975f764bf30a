/* The floor: what a careful author writes by hand for each signature, and the compiler inlines.
 *
 * It accepts what jumptable accepts and refuses what jumptable refuses, down to the range of an
 * int32_t and a NUL inside a string; only its error messages are poorer. The common case of every
 * conversion, an exact float or an int of one digit, is tested in line. */
#include <Python.h>
#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif
#include <math.h>
#include <string.h>

#include "plugin.h"

#if defined(__GNUC__)
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define LIKELY(condition) (condition)
#endif

static inline int to_double(PyObject *value, double *out) {
    if (LIKELY(PyFloat_CheckExact(value))) {
        *out = PyFloat_AS_DOUBLE(value);
        return 1;
    }
    *out = PyFloat_AsDouble(value);
    return !(*out == -1.0 && PyErr_Occurred());
}

static inline int to_float(PyObject *value, float *out) {
    double wide;
    if (!to_double(value, &wide))
        return 0;
    *out = (float)wide;
    if (LIKELY(!isinf(*out)) || isinf(wide))
        return 1;
    PyErr_SetString(PyExc_OverflowError, "out of range for 'float'");
    return 0;
}

static inline int to_int(PyObject *value, int64_t low, int64_t high, int64_t *out) {
    if (LIKELY(PyLong_CheckExact(value))) {
#if PY_VERSION_HEX >= 0x030C0000
        if (LIKELY(PyUnstable_Long_IsCompact((PyLongObject *)value))) {
            *out = PyUnstable_Long_CompactValue((PyLongObject *)value);
            goto found;
        }
#else
        Py_ssize_t size = Py_SIZE(value);
        if (LIKELY(size >= -1 && size <= 1)) {
            *out = size * (int64_t)((PyLongObject *)value)->ob_digit[0];
            goto found;
        }
#endif
    }
    PyObject *number = PyNumber_Index(value);
    if (number == NULL)
        return 0;
    *out = PyLong_AsLongLong(number);
    Py_DECREF(number);
    if (*out == -1 && PyErr_Occurred())
        return 0;
found:
    if (LIKELY(*out >= low && *out <= high))
        return 1;
    PyErr_SetString(PyExc_OverflowError, "out of range");
    return 0;
}

static inline int has(Py_ssize_t given, Py_ssize_t wanted) {
    if (LIKELY(given == wanted))
        return 1;
    PyErr_Format(PyExc_TypeError, "takes %zd arguments, got %zd", wanted, given);
    return 0;
}

static PyObject *b_half(PyObject *self, PyObject *value) {
    double x;
    return to_double(value, &x) ? PyFloat_FromDouble(half(x)) : NULL;
}

static PyObject *b_successor(PyObject *self, PyObject *value) {
    int64_t n;
    return to_int(value, INT64_MIN, INT64_MAX, &n) ? PyLong_FromLongLong(successor(n)) : NULL;
}

static PyObject *b_add(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    double x, y;
    if (!has(given, 2) || !to_double(args[0], &x) || !to_double(args[1], &y))
        return NULL;
    return PyFloat_FromDouble(add(x, y));
}

static PyObject *b_scale(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    double x;
    int64_t factor;
    if (!has(given, 2) || !to_double(args[0], &x) ||
        !to_int(args[1], INT32_MIN, INT32_MAX, &factor))
        return NULL;
    return PyFloat_FromDouble(scale(x, (int32_t)factor));
}

static PyObject *b_nothing(PyObject *self, PyObject *ignored) {
    nothing();
    Py_RETURN_NONE;
}

/* METH_NOARGS is what one writes; some interpreters specialise only on this. */
static PyObject *fast_nothing(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    if (!has(given, 0))
        return NULL;
    nothing();
    Py_RETURN_NONE;
}

static PyObject *b_add3f(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    float x, y, z;
    if (!has(given, 3) || !to_float(args[0], &x) || !to_float(args[1], &y) ||
        !to_float(args[2], &z))
        return NULL;
    return PyFloat_FromDouble(add3f(x, y, z));
}

static PyObject *b_add4(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    double a, b, c, d;
    if (!has(given, 4) || !to_double(args[0], &a) || !to_double(args[1], &b) ||
        !to_double(args[2], &c) || !to_double(args[3], &d))
        return NULL;
    return PyFloat_FromDouble(add4(a, b, c, d));
}

static inline int to_six(PyObject *const *args, int64_t *i) {
    for (int k = 0; k < 6; k++)
        if (!to_int(args[k], INT64_MIN, INT64_MAX, &i[k]))
            return 0;
    return 1;
}

static PyObject *b_add6(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    int64_t i[6];
    if (!has(given, 6) || !to_six(args, i))
        return NULL;
    return PyLong_FromLongLong(add6(i[0], i[1], i[2], i[3], i[4], i[5]));
}

static PyObject *b_add14(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    double d[8];
    int64_t i[6];
    if (!has(given, 14))
        return NULL;
    for (int k = 0; k < 8; k++)
        if (!to_double(args[k], &d[k]))
            return NULL;
    if (!to_six(args + 8, i))
        return NULL;
    return PyFloat_FromDouble(add14(d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], i[0], i[1],
                                    i[2], i[3], i[4], i[5]));
}

static PyObject *b_length(PyObject *self, PyObject *value) {
    const char *text;
    Py_ssize_t size;
    if (LIKELY(PyUnicode_Check(value))) {
        text = PyUnicode_AsUTF8AndSize(value, &size);
        if (text == NULL)
            return NULL;
    } else if (value == Py_None) {
        return PyLong_FromSize_t(length(NULL));
    } else if (PyBytes_Check(value)) {
        text = PyBytes_AS_STRING(value);
        size = PyBytes_GET_SIZE(value);
    } else {
        PyErr_SetString(PyExc_TypeError, "expected str, bytes or None");
        return NULL;
    }
    if (memchr(text, 0, (size_t)size) != NULL) {
        PyErr_SetString(PyExc_ValueError, "embedded NUL");
        return NULL;
    }
    return PyLong_FromSize_t(length(text));
}

static PyObject *b_same(PyObject *self, PyObject *value) {
    void *pointer = NULL;
    Py_buffer view = {0};
    if (PyLong_Check(value)) {
        pointer = PyLong_AsVoidPtr(value);
        if (pointer == NULL && PyErr_Occurred())
            return NULL;
    } else if (value != Py_None) {
        if (PyObject_GetBuffer(value, &view, PyBUF_WRITABLE) < 0)
            return NULL;
        pointer = view.buf;
    }
    pointer = same(pointer);
    PyObject *result = pointer == NULL ? Py_NewRef(Py_None) : PyLong_FromVoidPtr(pointer);
    if (view.obj != NULL)
        PyBuffer_Release(&view);
    return result;
}

static PyObject *b_negate(PyObject *self, PyObject *value) {
    int64_t flag;
    if (value == Py_True || value == Py_False)
        flag = value == Py_True;
    else if (!to_int(value, 0, 1, &flag))
        return NULL;
    return PyBool_FromLong(negate(flag != 0));
}

static PyObject *b_sum(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    Py_buffer view;
    int64_t count;
    if (!has(given, 2) || !to_int(args[1], 0, PY_SSIZE_T_MAX, &count) ||
        PyObject_GetBuffer(args[0], &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
        return NULL;
    PyObject *result = NULL;
    if (view.format != NULL && strcmp(view.format, "d") == 0)
        result = PyFloat_FromDouble(sum(view.buf, (size_t)count));
    else
        PyErr_SetString(PyExc_TypeError, "expected a buffer of double");
    PyBuffer_Release(&view);
    return result;
}

#define FAST(function) (PyCFunction)(void (*)(void))function

static PyMethodDef methods[] = {
    {"half", b_half, METH_O, NULL},
    {"successor", b_successor, METH_O, NULL},
    {"add", FAST(b_add), METH_FASTCALL, NULL},
    {"scale", FAST(b_scale), METH_FASTCALL, NULL},
    {"nothing", b_nothing, METH_NOARGS, NULL},
    {"fast_nothing", FAST(fast_nothing), METH_FASTCALL, NULL},
    {"add3f", FAST(b_add3f), METH_FASTCALL, NULL},
    {"add4", FAST(b_add4), METH_FASTCALL, NULL},
    {"add6", FAST(b_add6), METH_FASTCALL, NULL},
    {"add14", FAST(b_add14), METH_FASTCALL, NULL},
    {"length", b_length, METH_O, NULL},
    {"same", b_same, METH_O, NULL},
    {"negate", b_negate, METH_O, NULL},
    {"sum", FAST(b_sum), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "builtin",
                                    .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_builtin(void) { return PyModuleDef_Init(&module); }
