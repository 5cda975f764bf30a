/* A host in C, and as it stands in C++: calls slots of every type. Slots are passed as addresses.
 *
 * Compiled with NO_IMPORT it leaves out what every host has to call first. */
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include <jumptable/host.h>

static PyObject *get_slot(PyObject *self, PyObject *args) {
    PyObject *table;
    const char *name, *signature;
    jt_slot *slot;
    (void)self;
    if (!PyArg_ParseTuple(args, "Ozz", &table, &name, &signature))
        return NULL;
    slot = jt_get_slot(table, name, signature);
    return slot == NULL ? NULL : PyLong_FromVoidPtr(slot);
}

/* As a host does that looked for its table, failed, and did not notice. */
static PyObject *get_slot_of_null(PyObject *self, PyObject *failed) {
    if (failed != Py_None)
        PyErr_SetObject(PyExc_KeyError, failed);
    (void)self;
    return (PyObject *)jt_get_slot(NULL, "apply", "double(double)");
}

static jt_slot *slot_at(unsigned long long address) {
    return (jt_slot *)(uintptr_t)address;
}

static PyObject *describe(PyObject *self, PyObject *args) {
    unsigned long long address, loaded, read;
    uint64_t generation;
    (void)self;
    if (!PyArg_ParseTuple(args, "K", &address))
        return NULL;
    loaded = (uintptr_t)jt_load(slot_at(address));
    read = (uintptr_t)jt_read(slot_at(address), &generation);
    return Py_BuildValue("{s:s,s:s,s:K,s:K,s:K}", "name", slot_at(address)->name, "signature",
                         slot_at(address)->signature, "generation",
                         (unsigned long long)generation, "load", loaded, "read", read);
}

/* Without the GIL if the caller says so; a function called directly may have set an exception. */
#define CALL(nogil, statement)                                                                     \
    do {                                                                                           \
        PyThreadState *saved_ = (nogil) ? PyEval_SaveThread() : NULL;                              \
        statement;                                                                                 \
        if (saved_ != NULL)                                                                        \
            PyEval_RestoreThread(saved_);                                                          \
        if (PyErr_Occurred())                                                                      \
            return NULL;                                                                           \
    } while (0)

#define ECHO(name, type, parsed, format, back)                                                     \
    static PyObject *echo_##name(PyObject *self, PyObject *args) {                                 \
        unsigned long long address;                                                                \
        int nogil;                                                                                 \
        parsed given;                                                                              \
        type result;                                                                               \
        (void)self;                                                                                \
        if (!PyArg_ParseTuple(args, "Kp" format, &address, &nogil, &given))                        \
            return NULL;                                                                           \
        CALL(nogil, result = JT_CALL(slot_at(address), type (*)(type))((type)given));              \
        return back;                                                                               \
    }

#define SIGNED(name, type)                                                                         \
    ECHO(name, type, long long, "L", PyLong_FromLongLong((long long)result))
#define UNSIGNED(name, type)                                                                       \
    ECHO(name, type, unsigned long long, "K", PyLong_FromUnsignedLongLong(result))

ECHO(bool, bool, int, "p", PyBool_FromLong(result))
SIGNED(char, char)
SIGNED(int8, int8_t)
SIGNED(int16, int16_t)
SIGNED(int32, int32_t)
SIGNED(int64, int64_t)
UNSIGNED(uint8, uint8_t)
UNSIGNED(uint16, uint16_t)
UNSIGNED(uint32, uint32_t)
UNSIGNED(uint64, uint64_t)
ECHO(float, float, float, "f", PyFloat_FromDouble((double)result))
ECHO(double, double, double, "d", PyFloat_FromDouble(result))
ECHO(string, const char *, const char *, "z", Py_BuildValue("z", result))
ECHO(object, PyObject *, PyObject *, "O", result ? result : PyUnicode_FromString("NULL"))

static PyObject *echo_pointer(PyObject *self, PyObject *args) {
    unsigned long long address, given;
    int nogil;
    void *result;
    (void)self;
    if (!PyArg_ParseTuple(args, "KpK", &address, &nogil, &given))
        return NULL;
    CALL(nogil,
         result = JT_CALL(slot_at(address), void *(*)(void *))((void *)(uintptr_t)given));
    return result == NULL ? Py_BuildValue("") : PyLong_FromVoidPtr(result);
}

static PyObject *call_void(PyObject *self, PyObject *args) {
    unsigned long long address;
    int nogil;
    (void)self;
    if (!PyArg_ParseTuple(args, "Kp", &address, &nogil))
        return NULL;
    CALL(nogil, JT_CALL(slot_at(address), void (*)(void))());
    return Py_BuildValue("");
}

/* double(const double *, size_t) */
static PyObject *call_total(PyObject *self, PyObject *args) {
    unsigned long long address;
    int nogil;
    double numbers[3], result;
    (void)self;
    if (!PyArg_ParseTuple(args, "Kpddd", &address, &nogil, &numbers[0], &numbers[1], &numbers[2]))
        return NULL;
    CALL(nogil, result = JT_CALL(slot_at(address), double (*)(const double *, size_t))(numbers, 3));
    return PyFloat_FromDouble(result);
}

/* int64_t(int64_t x 7): more than travels in registers. */
static PyObject *call_seven(PyObject *self, PyObject *args) {
    typedef int64_t (*seven)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
    unsigned long long address;
    int nogil;
    int64_t result;
    (void)self;
    if (!PyArg_ParseTuple(args, "Kp", &address, &nogil))
        return NULL;
    CALL(nogil, result = JT_CALL(slot_at(address), seven)(1, 2, 3, 4, 5, 6, 7));
    return PyLong_FromLongLong(result);
}

/* double(int32_t, double, const char *, float, uint8_t, bool, double, int64_t, int16_t) */
static PyObject *call_mixed(PyObject *self, PyObject *args) {
    typedef double (*mixed)(int32_t, double, const char *, float, uint8_t, bool, double, int64_t,
                            int16_t);
    unsigned long long address;
    int nogil;
    double result;
    (void)self;
    if (!PyArg_ParseTuple(args, "Kp", &address, &nogil))
        return NULL;
    CALL(nogil, result = JT_CALL(slot_at(address), mixed)(-1, 0.5, "four", 2.25f, 200, true, 1e3,
                                                          (int64_t)1 << 40, -30000));
    return PyFloat_FromDouble(result);
}

static PyMethodDef methods[] = {
    {"get_slot", get_slot, METH_VARARGS, NULL},
    {"get_slot_of_null", get_slot_of_null, METH_O, NULL},
    {"describe", describe, METH_VARARGS, NULL},
    {"echo_bool", echo_bool, METH_VARARGS, NULL},
    {"echo_char", echo_char, METH_VARARGS, NULL},
    {"echo_int8", echo_int8, METH_VARARGS, NULL},
    {"echo_int16", echo_int16, METH_VARARGS, NULL},
    {"echo_int32", echo_int32, METH_VARARGS, NULL},
    {"echo_int64", echo_int64, METH_VARARGS, NULL},
    {"echo_uint8", echo_uint8, METH_VARARGS, NULL},
    {"echo_uint16", echo_uint16, METH_VARARGS, NULL},
    {"echo_uint32", echo_uint32, METH_VARARGS, NULL},
    {"echo_uint64", echo_uint64, METH_VARARGS, NULL},
    {"echo_float", echo_float, METH_VARARGS, NULL},
    {"echo_double", echo_double, METH_VARARGS, NULL},
    {"echo_string", echo_string, METH_VARARGS, NULL},
    {"echo_object", echo_object, METH_VARARGS, NULL},
    {"echo_pointer", echo_pointer, METH_VARARGS, NULL},
    {"call_void", call_void, METH_VARARGS, NULL},
    {"call_total", call_total, METH_VARARGS, NULL},
    {"call_seven", call_seven, METH_VARARGS, NULL},
    {"call_mixed", call_mixed, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "host", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_host(void) {
    PyObject *module;
#ifndef NO_IMPORT
    if (jt_import() < 0 || jt_import() < 0)
        return NULL;
#endif
    module = PyModule_Create(&definition);
#ifdef Py_GIL_DISABLED
    if (module != NULL)
        PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    return module;
}
