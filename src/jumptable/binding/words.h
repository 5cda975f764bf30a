/* Calls of any signature: one loop converts the arguments, then a word per argument is passed.
 *
 * On System V x86-64 and AAPCS64 the integer arguments and the floating-point arguments fill two
 * separate rows of registers, each in order, whatever the order in which they are mixed. Loading
 * both rows therefore reaches every function with at most six of one and eight of the other, and
 * registers that a function does not take are ignored by it.
 *   System V ABI, AMD64 supplement, 3.2.3; Procedure Call Standard for the Arm 64-bit
 *   Architecture, 6.8.2.
 *
 * Longer signatures, and other platforms, go through libffi by way of ctypes: the arguments are
 * converted by the same code, then handed over as exact Python numbers.
 */
#ifndef JUMPTABLE_WORDS_H
#define JUMPTABLE_WORDS_H

#include "convert.h"

/* Clang and GCC both leave these exact-register calls alone; -fsanitize=function would not. */
typedef int64_t (*jt_ints_int)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
typedef int64_t (*jt_words_int)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, double,
                                double, double, double, double, double, double, double);
typedef double (*jt_words_double)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, double,
                                  double, double, double, double, double, double, double);
typedef float (*jt_words_float)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, double,
                                double, double, double, double, double, double, double);

static inline int jt_is_floating(const jt_type *type) {
    return type->kind == JT_FLOAT || type->kind == JT_DOUBLE;
}

static JT_COLD PyObject *jt_wrong_count(const jt_native *native, Py_ssize_t given) {
    Py_ssize_t count = native->plan->visible;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd argument%s, got %zd; it is declared as: %s",
                 native->method.ml_name, count, count == 1 ? "" : "s", given,
                 strstr(native->method.ml_doc, "--\n\n") + 4);
    return NULL;
}

static jt_word jt_call_registers(const jt_native *native, const int64_t *i, const double *d,
                                 int floats) {
    jt_word word;
    word.u = 0;
    if (native->plan->result.kind == JT_DOUBLE)
        word.d = ((jt_words_double)native->address)(i[0], i[1], i[2], i[3], i[4], i[5], d[0], d[1],
                                                    d[2], d[3], d[4], d[5], d[6], d[7]);
    else if (native->plan->result.kind == JT_FLOAT)
        word.f = ((jt_words_float)native->address)(i[0], i[1], i[2], i[3], i[4], i[5], d[0], d[1],
                                                   d[2], d[3], d[4], d[5], d[6], d[7]);
    else if (floats)
        word.i = ((jt_words_int)native->address)(i[0], i[1], i[2], i[3], i[4], i[5], d[0], d[1],
                                                 d[2], d[3], d[4], d[5], d[6], d[7]);
    else
        word.i = ((jt_ints_int)native->address)(i[0], i[1], i[2], i[3], i[4], i[5]);
    return word;
}

static PyObject *jt_words(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    const jt_native *native = JT_NATIVE(self);
    const jt_plan *plan = native->plan;
    int64_t ints[JT_INT_WORDS] = {0}, *next_int = ints;
    double floats[JT_FLOAT_WORDS] = {0}, *next_float = floats;
    Py_buffer buffers[JT_INT_WORDS];
    jt_views held = {buffers, 0};
    PyObject *result = NULL;
    float narrow = 0;
    jt_word word;

    if (!JT_LIKELY(given == plan->visible))
        return jt_wrong_count(native, given);
    for (Py_ssize_t index = 0; index < given; index++) {
        PyObject *value = args[index];
        int status;
        switch (plan->params[index].kind) { /* in line what jt_convert would do, for numbers */
        case JT_DOUBLE: status = jt_double(native, index, value, next_float++); break;
        case JT_SIGNED:
        case JT_UNSIGNED: status = jt_int(native, index, value, next_int++); break;
        case JT_FLOAT:
            status = jt_float(native, index, value, &narrow);
            *next_float++ = jt_float_word(narrow).d;
            break;
        default:
            status = jt_convert(native, index, value, &word, &held);
            *next_int++ = word.i;
        }
        if (!JT_LIKELY(status == 0))
            goto done;
    }
    if (plan->nogil) {
        PyThreadState *state = PyEval_SaveThread();
        word = jt_call_registers(native, ints, floats, next_float != floats);
        PyEval_RestoreThread(state);
    } else {
        word = jt_call_registers(native, ints, floats, next_float != floats);
    }
    if (jt_raised(native)) {
        if (plan->result.kind == JT_OBJECT)
            Py_XDECREF((PyObject *)word.p);
        goto done;
    }
    /* Before the buffers go: a returned pointer may point into one of them. */
    result = jt_result(native, word);
done:
    jt_release(&held);
    return result;
}

static PyObject *jt_words_one(PyObject *self, PyObject *value) {
    return jt_words(self, &value, 1);
}

/* ---- by way of ctypes -------------------------------------------------------------------- */

/* The converted argument as the exact Python number that ctypes passes on. */
static PyObject *jt_boxed(const jt_type *type, jt_word word) {
    switch (type->kind) {
    case JT_BOOL:
    case JT_SIGNED: return PyLong_FromLongLong(word.i);
    case JT_UNSIGNED: return PyLong_FromUnsignedLongLong(word.u);
    case JT_FLOAT: return PyFloat_FromDouble((double)word.f);
    case JT_DOUBLE: return PyFloat_FromDouble(word.d);
    case JT_ZERO: return PyLong_FromLong(0);
    default: return PyLong_FromVoidPtr(word.p);
    }
}

/* ctypes returns numbers as they are, and addresses as an int or None. */
static PyObject *jt_unboxed(const jt_native *native, PyObject *raw) {
    int kind = native->plan->result.kind;
    if (raw == NULL || (kind != JT_STRING && kind != JT_OBJECT))
        return raw;
    void *pointer = raw == Py_None ? NULL : PyLong_AsVoidPtr(raw);
    Py_DECREF(raw);
    return kind == JT_STRING ? jt_from_string(pointer) : jt_from_object(native, pointer);
}

static PyObject *jt_generic(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    const jt_native *native = JT_NATIVE(self);
    const jt_plan *plan = native->plan;
    jt_views held = {NULL, 0};
    PyObject **boxed = NULL, *result = NULL;
    Py_ssize_t filled = 0;

    if (given != plan->visible)
        return jt_wrong_count(native, given);
    held.views = PyMem_New(Py_buffer, plan->count + 1);
    boxed = PyMem_New(PyObject *, plan->count + 1);
    if (held.views == NULL || boxed == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (; filled < plan->count; filled++) {
        jt_word word;
        word.u = 0;
        if (filled < given && jt_convert(native, filled, args[filled], &word, &held) < 0)
            goto done;
        boxed[filled] = jt_boxed(&plan->params[filled], word);
        if (boxed[filled] == NULL)
            goto done;
    }
    result = jt_unboxed(native, PyObject_Vectorcall(native->extras->generic, boxed, filled, NULL));
done:
    while (filled > 0)
        Py_DECREF(boxed[--filled]);
    jt_release(&held);
    PyMem_Free(boxed);
    PyMem_Free(held.views);
    return result;
}

static PyObject *jt_generic_one(PyObject *self, PyObject *value) {
    return jt_generic(self, &value, 1);
}

#endif
