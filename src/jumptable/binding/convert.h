/* From Python's values to C's and back: what every trampoline and every variable shares.
 *
 * Invariants
 * - Arguments are borrowed from the caller's stack for the whole call. A `const char *` points
 *   into the str or bytes object itself; a buffer stays exported until the result is converted.
 * - Conversions may run Python code (__index__, __float__, __buffer__): nothing of the call is
 *   shared with another call, so re-entry and other threads see nothing half done.
 */
#ifndef JUMPTABLE_CONVERT_H
#define JUMPTABLE_CONVERT_H

#include "native.h"
#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif
#include <math.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------------------------ */

/* The Python type that a C type is written with. */
static const char *jt_expected(const jt_type *type) {
    switch (type->kind) {
    case JT_BOOL: return "bool";
    case JT_SIGNED:
    case JT_UNSIGNED: return "int";
    case JT_FLOAT:
    case JT_DOUBLE: return "float";
    case JT_STRING: return "str, bytes or None";
    case JT_ADDRESS: return "a buffer, an int address or None";
    default: return "a buffer";
    }
}

/* Where a conversion failed: "scale() argument 2" or "abi_version.value". */
static JT_COLD PyObject *jt_place(const jt_native *native, Py_ssize_t index) {
    if (native->plan->variable)
        return PyUnicode_FromFormat("%s.value", native->method.ml_name);
    return PyUnicode_FromFormat("%s() argument %zd", native->method.ml_name, index + 1);
}

static JT_COLD void jt_wrong_type(const jt_native *native, Py_ssize_t index, PyObject *value) {
    const jt_type *type = &native->plan->params[index];
    PyObject *place = jt_place(native, index);
    if (place != NULL)
        PyErr_Format(PyExc_TypeError, "%U: expected %s for '%s', got %.100s", place,
                     jt_expected(type), type->ctype, Py_TYPE(value)->tp_name);
    Py_XDECREF(place);
}

static JT_COLD void jt_wrong_buffer(const jt_native *native, Py_ssize_t index, PyObject *value,
                                    const char *found) {
    const jt_type *type = &native->plan->params[index];
    PyErr_Format(PyExc_TypeError,
                 "%s() argument %zd: expected a C-contiguous%s buffer for '%s', got a %s %.100s",
                 native->method.ml_name, index + 1, type->constant ? "" : ", writable", type->ctype,
                 found, Py_TYPE(value)->tp_name);
}

/* A long int is not printed: its digits could be millions. */
static JT_COLD void jt_out_of_range(const jt_native *native, Py_ssize_t index, PyObject *value) {
    const jt_type *type = &native->plan->params[index];
    int overflow = 0;
    PyErr_Clear();
    if (PyLong_Check(value))
        (void)PyLong_AsLongLongAndOverflow(value, &overflow);
    PyObject *place = jt_place(native, index);
    PyObject *shown = overflow == 0  ? PyObject_Repr(value)
                      : overflow > 0 ? PyUnicode_FromString("a huge int")
                                     : PyUnicode_FromString("a huge negative int");
    if (place != NULL && shown != NULL)
        PyErr_Format(PyExc_OverflowError, "%U: %U is out of range for '%s'", place, shown,
                     type->ctype);
    Py_XDECREF(place);
    Py_XDECREF(shown);
}

/* A conversion that Python refused, said in our words; the refusal is the cause. What a value's own
 * methods raise of other kinds passes through. */
static JT_COLD void jt_locate(const jt_native *native, Py_ssize_t index, PyObject *value) {
    PyObject *type, *cause, *traceback, *new_type, *error, *new_traceback;
    PyErr_Fetch(&type, &cause, &traceback);
    PyErr_NormalizeException(&type, &cause, &traceback);
    if (type == PyExc_OverflowError) {
        jt_out_of_range(native, index, value);
    } else if (type == PyExc_TypeError || type == PyExc_ValueError || type == PyExc_BufferError) {
        jt_wrong_type(native, index, value);
    } else {
        PyErr_Restore(type, cause, traceback);
        return;
    }
    if (traceback != NULL)
        PyException_SetTraceback(cause, traceback);
    PyErr_Fetch(&new_type, &error, &new_traceback);
    PyErr_NormalizeException(&new_type, &error, &new_traceback);
    PyException_SetCause(error, cause); /* takes the reference over */
    PyErr_Restore(new_type, error, new_traceback);
    Py_DECREF(type);
    Py_XDECREF(traceback);
}

/* ---- numbers ----------------------------------------------------------------------------- */

/* Ints of one digit, without a call. Anything else: 0. */
static inline int jt_one_digit(PyObject *value, int64_t *out) {
    if (!PyLong_CheckExact(value))
        return 0;
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)value))
        return 0;
    *out = (int64_t)PyUnstable_Long_CompactValue((PyLongObject *)value);
#else
    Py_ssize_t size = Py_SIZE(value);
    if (size < -1 || size > 1)
        return 0;
    *out = size == 0 ? 0 : (int64_t)size * (int64_t)((PyLongObject *)value)->ob_digit[0];
#endif
    return 1;
}

static JT_COLD int jt_int_slow(const jt_native *native, Py_ssize_t index, PyObject *value,
                               int64_t *out) {
    const jt_type *type = &native->plan->params[index];
    if (!PyIndex_Check(value)) {
        jt_wrong_type(native, index, value);
        return -1;
    }
    PyObject *number = PyNumber_Index(value);
    if (number == NULL) {
        jt_locate(native, index, value);
        return -1;
    }
    int overflow = 0, status = 0;
    int64_t narrow = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow == 0 && (uint64_t)narrow - (uint64_t)type->low <= type->span) {
        *out = narrow;
    } else if (overflow > 0 && type->kind != JT_SIGNED && type->size == 8) {
        uint64_t large = PyLong_AsUnsignedLongLong(number);
        if (large == UINT64_MAX && PyErr_Occurred()) {
            jt_out_of_range(native, index, number);
            status = -1;
        }
        *out = (int64_t)large;
    } else {
        jt_out_of_range(native, index, number);
        status = -1;
    }
    Py_DECREF(number);
    return status;
}

/* Ints of several digits: pointers, hashes, times. */
static JT_NOINLINE int jt_int_wide(const jt_native *native, Py_ssize_t index, PyObject *value,
                                   int64_t *out) {
    const jt_type *type = &native->plan->params[index];
    int overflow;
    if (PyLong_CheckExact(value)) {
        int64_t wide = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow == 0 && (uint64_t)wide - (uint64_t)type->low <= type->span) {
            *out = wide;
            return 0;
        }
    }
    return jt_int_slow(native, index, value, out);
}

/* An integer of any width, as the 64 bits of its register. */
static inline int jt_int(const jt_native *native, Py_ssize_t index, PyObject *value, int64_t *out) {
    const jt_type *type = &native->plan->params[index];
    int64_t digit;
    if (JT_LIKELY(jt_one_digit(value, &digit)) &&
        JT_LIKELY((uint64_t)digit - (uint64_t)type->low <= type->span)) {
        *out = digit;
        return 0;
    }
    return jt_int_wide(native, index, value, out);
}

static JT_COLD int jt_double_slow(const jt_native *native, Py_ssize_t index, PyObject *value,
                                  double *out) {
    PyNumberMethods *number = Py_TYPE(value)->tp_as_number;
    if (!PyFloat_Check(value) && !PyLong_Check(value) &&
        (number == NULL || (number->nb_float == NULL && number->nb_index == NULL))) {
        jt_wrong_type(native, index, value);
        return -1;
    }
    double result = PyFloat_AsDouble(value);
    if (result == -1.0 && PyErr_Occurred()) {
        jt_locate(native, index, value);
        return -1;
    }
    *out = result;
    return 0;
}

static inline int jt_double(const jt_native *native, Py_ssize_t index, PyObject *value,
                            double *out) {
    if (JT_LIKELY(PyFloat_CheckExact(value))) {
        *out = PyFloat_AS_DOUBLE(value);
        return 0;
    }
    return jt_double_slow(native, index, value, out);
}

static inline int jt_float(const jt_native *native, Py_ssize_t index, PyObject *value,
                           float *out) {
    double wide;
    if (jt_double(native, index, value, &wide) < 0)
        return -1;
    float narrow = (float)wide;
    if (isinf(narrow) && !isinf(wide)) {
        jt_out_of_range(native, index, value);
        return -1;
    }
    *out = narrow;
    return 0;
}

static inline int jt_bool(const jt_native *native, Py_ssize_t index, PyObject *value,
                          int64_t *out) {
    if (value == Py_True || value == Py_False) {
        *out = value == Py_True;
        return 0;
    }
    return jt_int(native, index, value, out);
}

/* ---- strings, buffers, addresses --------------------------------------------------------- */

static JT_NOINLINE int jt_string(const jt_native *native, Py_ssize_t index, PyObject *value,
                                 void **out) {
    const char *text;
    Py_ssize_t length;
    if (value == Py_None) {
        *out = NULL;
        return 0;
    }
    if (PyUnicode_Check(value)) {
        text = PyUnicode_AsUTF8AndSize(value, &length);
        if (text == NULL)
            return -1;
    } else if (PyBytes_Check(value)) {
        text = PyBytes_AS_STRING(value);
        length = PyBytes_GET_SIZE(value);
    } else {
        jt_wrong_type(native, index, value);
        return -1;
    }
    const char *nul = memchr(text, 0, (size_t)length);
    if (nul != NULL) {
        PyErr_Format(PyExc_ValueError,
                     "%s() argument %zd: NUL at byte %zd of the %.100s; C would end '%s' there",
                     native->method.ml_name, index + 1, (Py_ssize_t)(nul - text),
                     Py_TYPE(value)->tp_name, native->plan->params[index].ctype);
        return -1;
    }
    *out = (void *)text;
    return 0;
}

/* What a character of the struct module stands for; JT_VOID if it is none of the number types. */
static inline jt_kind jt_item_kind(char format) {
    switch (format) {
    case '?': return JT_BOOL;
    case 'c': return JT_CHAR;
    case 'b': case 'h': case 'i': case 'l': case 'q': case 'n': return JT_SIGNED;
    case 'B': case 'H': case 'I': case 'L': case 'Q': case 'N': return JT_UNSIGNED;
    case 'f': return JT_FLOAT;
    case 'd': return JT_DOUBLE;
    default: return JT_VOID;
    }
}

/* Does an item of this struct-module format, this many bytes long, hold the item type? */
static int jt_same_item(const jt_type *type, const char *format, Py_ssize_t size) {
    if (size != type->item_size)
        return 0;
    if (format == NULL)
        format = "B";
    switch (format[0]) {
    case '@': case '=': format++; break;
    case '<': format += !PY_BIG_ENDIAN || size == 1; break;
    case '>': case '!': format += PY_BIG_ENDIAN || size == 1; break;
    default: break;
    }
    jt_kind kind = jt_item_kind(format[0]);
    if (kind == JT_VOID || format[1] != '\0')
        return 0;
    if (type->item == JT_CHAR)
        return kind == JT_CHAR || kind == JT_SIGNED || kind == JT_UNSIGNED;
    return kind == type->item;
}

/* Why an object gave no buffer of the right kind, as the exception that says so. */
static JT_COLD void jt_explain_buffer(const jt_native *native, Py_ssize_t index, PyObject *value) {
    PyObject *type, *error, *traceback;
    Py_buffer view;
    PyErr_Fetch(&type, &error, &traceback);
    if (PyObject_GetBuffer(value, &view, PyBUF_FULL_RO) < 0) {
        PyErr_Clear();
        PyErr_Restore(type, error, traceback);
        jt_locate(native, index, value);
        return;
    }
    if (view.readonly && !native->plan->params[index].constant) {
        jt_wrong_buffer(native, index, value, "read-only");
    } else if (!PyBuffer_IsContiguous(&view, 'C')) {
        jt_wrong_buffer(native, index, value, "non-contiguous");
    } else {
        PyBuffer_Release(&view);
        PyErr_Restore(type, error, traceback);
        jt_locate(native, index, value);
        return;
    }
    PyBuffer_Release(&view);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
}

static JT_NOINLINE int jt_buffer(const jt_native *native, Py_ssize_t index, PyObject *value,
                                 void **out, jt_views *held) {
    const jt_type *type = &native->plan->params[index];
    Py_buffer *view = &held->views[held->held];
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (type->constant ? 0 : PyBUF_WRITABLE);
    if (!PyObject_CheckBuffer(value)) {
        jt_wrong_type(native, index, value);
        return -1;
    }
    if (PyObject_GetBuffer(value, view, flags) < 0) {
        jt_explain_buffer(native, index, value);
        return -1;
    }
    held->held++;
    if (type->kind == JT_BUFFER && !jt_same_item(type, view->format, view->itemsize)) {
        PyErr_Format(PyExc_TypeError,
                     "%s() argument %zd: expected a buffer of that type for '%s', got %.100s with "
                     "items of format '%.20s' (%zd bytes each)",
                     native->method.ml_name, index + 1, type->ctype, Py_TYPE(value)->tp_name,
                     view->format ? view->format : "B", view->itemsize);
        return -1;
    }
    *out = view->buf;
    return 0;
}

static JT_NOINLINE int jt_address(const jt_native *native, Py_ssize_t index, PyObject *value,
                                  void **out, jt_views *held) {
    if (value == Py_None) {
        *out = NULL;
        return 0;
    }
    if (PyLong_Check(value)) {
        int64_t address;
        if (jt_int(native, index, value, &address) < 0)
            return -1;
        *out = (void *)(uintptr_t)address;
        return 0;
    }
    if (jt_buffer(native, index, value, out, held) < 0)
        return -1;
    /* An integer scalar of NumPy is a buffer of its own bytes. Who passes one means an address. */
    if (held->views[held->held - 1].ndim == 0 && PyIndex_Check(value)) {
        jt_wrong_type(native, index, value);
        return -1;
    }
    return 0;
}

static inline int jt_pointer(const jt_native *native, Py_ssize_t index, PyObject *value,
                             void **out, jt_views *held) {
    if (native->plan->params[index].kind == JT_BUFFER)
        return jt_buffer(native, index, value, out, held);
    return jt_address(native, index, value, out, held);
}

/* ---- any argument, any result ------------------------------------------------------------ */

/* A float's bits are the low half of its register. */
static inline jt_word jt_float_word(float value) {
    uint32_t bits;
    jt_word word;
    memcpy(&bits, &value, sizeof(bits));
    word.u = bits; /* all 8 bytes at once: a wider load after a narrower store would stall */
    return word;
}

static int jt_convert(const jt_native *native, Py_ssize_t index, PyObject *value, jt_word *out,
                      jt_views *held) {
    float narrow = 0;
    int status;
    out->u = 0;
    switch (native->plan->params[index].kind) {
    case JT_BOOL: return jt_bool(native, index, value, &out->i);
    case JT_SIGNED:
    case JT_UNSIGNED: return jt_int(native, index, value, &out->i);
    case JT_FLOAT:
        status = jt_float(native, index, value, &narrow);
        *out = jt_float_word(narrow);
        return status;
    case JT_DOUBLE: return jt_double(native, index, value, &out->d);
    case JT_STRING: return jt_string(native, index, value, &out->p);
    case JT_ADDRESS:
    case JT_BUFFER: return jt_pointer(native, index, value, &out->p, held);
    default: out->p = value; return 0;
    }
}

static inline void jt_release(jt_views *held) {
    while (held->held > 0)
        PyBuffer_Release(&held->views[--held->held]);
}

static inline PyObject *jt_from_signed(const jt_native *native, int64_t word) {
    int shift = native->plan->result.shift; /* the rest of the register is undefined */
    return PyLong_FromLongLong((int64_t)((uint64_t)word << shift) >> shift);
}

static inline PyObject *jt_from_unsigned(const jt_native *native, uint64_t word) {
    int shift = native->plan->result.shift;
    return PyLong_FromUnsignedLongLong((word << shift) >> shift);
}

static PyObject *jt_from_address(const void *address) {
    if (address == NULL)
        Py_RETURN_NONE;
    return PyLong_FromVoidPtr((void *)address);
}

static PyObject *jt_from_string(const char *text) {
    if (text == NULL)
        Py_RETURN_NONE;
    return PyUnicode_FromString(text);
}

/* The callee's reference becomes ours, as with every function of the C API that returns one. */
static PyObject *jt_from_object(const jt_native *native, PyObject *object) {
    if (object == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_SystemError, "%s() returned NULL without setting an exception",
                     native->method.ml_name);
    return object;
}

/* A callee that uses Python's C API reports failure through the thread's exception. */
static inline int jt_raised(const jt_native *native) {
    return native->plan->checked && PyErr_Occurred() != NULL;
}

/* The Python value of a result. A float is in the low half of its register. */
static JT_NOINLINE PyObject *jt_result(const jt_native *native, jt_word word) {
    switch (native->plan->result.kind) {
    case JT_VOID: Py_RETURN_NONE;
    case JT_BOOL: return PyBool_FromLong((word.u & 0xFF) != 0);
    case JT_SIGNED: return jt_from_signed(native, word.i);
    case JT_UNSIGNED: return jt_from_unsigned(native, word.u);
    case JT_FLOAT: return PyFloat_FromDouble((double)word.f);
    case JT_DOUBLE: return PyFloat_FromDouble(word.d);
    case JT_OBJECT: return jt_from_object(native, word.p);
    case JT_STRING: return jt_from_string(word.p);
    default: return jt_from_address(word.p);
    }
}

static inline PyObject *jt_from_word(const jt_native *native, uint64_t result) {
    jt_word word;
    word.u = result;
    return jt_result(native, word);
}

#endif
