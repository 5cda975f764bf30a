/* A host in C: loops that call a double(double) in every way that C has, and by way of a slot.
 *
 * Each loop is a builtin function (address, count), where address is that of a function, a slot, or
 * unused. Each is timed from Python, around some 50,000 calls. All hold x and the loop in the same
 * form; only the call differs. The compiler cannot drop a call or hoist it, for it cannot see what
 * is called, and it cannot hoist the load of a pointer that is volatile or atomic.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <jumptable/host.h>

#include "direct.h"
#include "plugin.h"

typedef double (*unary)(double);

/* A loop starts at the same offset in a cache line everywhere, as far as compilers can be told. */
#if defined(__GNUC__)
#define APART __attribute__((noinline, aligned(64)))
#else
#define APART __declspec(noinline)
#endif

#define LOOP(name, setup, call)                                                 \
    static APART double run_##name(void *address, Py_ssize_t count, double x) { \
        double y = 0;                                                           \
        setup;                                                                  \
        (void)address;                                                          \
        while (count-- > 0)                                                     \
            y = call;                                                           \
        return y;                                                               \
    }

#define SLOT const jt_slot *slot = (const jt_slot *)address
#define NOTHING ((void)0)

/* Reads its operand again for each call, as a slot's caller does, and unlike a local pointer. */
#define POINTER unary volatile pointer = (unary)address

/* Hidden from the optimiser, loaded once: what a host has that never swaps. */
#if defined(__GNUC__)
#define LOADED                         \
    unary pointer = (unary)address;    \
    __asm__ volatile("" : "+r"(pointer))
#else
#define LOADED unary pointer = (unary)address
#endif

LOOP(direct, NOTHING, direct(x))
LOOP(linked, NOTHING, half(x))
LOOP(held, LOADED, pointer(x))
LOOP(pointer, POINTER, pointer(x))
LOOP(slot, SLOT, JT_CALL(slot, unary)(x))
LOOP(read, SLOT; uint64_t generation, ((unary)jt_read(slot, &generation))(x))

typedef double (*loop)(void *, Py_ssize_t, double);

static PyObject *timed(loop run, PyObject *const *args, Py_ssize_t given, int release) {
    if (given != 2) {
        PyErr_Format(PyExc_TypeError, "takes (address, count), got %zd arguments", given);
        return NULL;
    }
    void *address = PyLong_AsVoidPtr(args[0]);
    Py_ssize_t count = PyLong_AsSsize_t(args[1]);
    double y;
    if (PyErr_Occurred())
        return NULL;
    if (release) {
        Py_BEGIN_ALLOW_THREADS
        y = run(address, count, 1.5);
        Py_END_ALLOW_THREADS
    } else {
        y = run(address, count, 1.5);
    }
    return PyFloat_FromDouble(y);
}

#define BUILTIN(name, run, release)                                                              \
    static PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t given) {             \
        return timed(run, args, given, release);                                                 \
    }

BUILTIN(b_direct, run_direct, 0)
BUILTIN(b_linked, run_linked, 0)
BUILTIN(b_held, run_held, 0)
BUILTIN(b_pointer, run_pointer, 0)
BUILTIN(b_pointer_nogil, run_pointer, 1)
BUILTIN(b_slot, run_slot, 0)
BUILTIN(b_slot_nogil, run_slot, 1)
BUILTIN(b_read, run_read, 0)

static PyObject *get_slot(PyObject *self, PyObject *args) {
    PyObject *table;
    const char *name, *signature;
    if (!PyArg_ParseTuple(args, "Oss", &table, &name, &signature))
        return NULL;
    jt_slot *slot = jt_get_slot(table, name, signature);
    return slot == NULL ? NULL : PyLong_FromVoidPtr(slot);
}

#define ENTRY(name) {#name, (PyCFunction)(void (*)(void))b_##name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    ENTRY(direct), ENTRY(linked), ENTRY(held), ENTRY(pointer), ENTRY(pointer_nogil),
    ENTRY(slot),   ENTRY(slot_nogil), ENTRY(read),
    {"get_slot", get_slot, METH_VARARGS, "get_slot(table, name, signature) -> address"},
    {NULL, NULL, 0, NULL},
};

static int prepare(PyObject *module) { return jt_import(); }

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)prepare},
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "host",
                                    .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_host(void) { return PyModuleDef_Init(&module); }
