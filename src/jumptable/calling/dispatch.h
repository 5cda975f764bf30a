/* The call of a generic function: look the type of the first argument up, pass everything on.
 *
 * Invariants:
 *   - A table belongs to one Dispatcher, which holds it for as long as it lives itself; it is not
 *     given up to the garbage collector before that.
 *   - What the table has for a type is what instances of the type are called with, unless it is
 *     JT_ASKS: then it says that an instance's `__class__` must be asked.
 *   - An entry that was found by way of abstract base classes is stamped with their token, the
 *     number of their registrations so far; that of a class that is registered itself is not.
 *   - With a GIL a call holds a reference to the implementation. Without one the table keeps all
 *     that it ever had, and the caller holds the Dispatcher. */
#ifndef JUMPTABLE_DISPATCH_H
#define JUMPTABLE_DISPATCH_H

#include <Python.h>

#include "../counting/compiler.h"
#include "typetable.h"

#define JT_ASKS ((uintptr_t)2)

/* The head of Dispatcher, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    jt_typetable *table;
} jt_dispatcher;

typedef struct {
    PyObject *get_token; /* abc.get_cache_token */
    PyCFunction token;   /* its C function, where that takes no arguments, and its first one */
    PyObject *module;
    /* What is not in the table; a new reference. */
    PyObject *(*resolve)(PyObject *dispatcher, PyObject *first);
    /* Raises what a call without arguments raises. */
    PyObject *(*refuse)(PyObject *dispatcher);
} jt_dispatch_t;

static jt_dispatch_t jt_dispatch;

/* A failure gives what nothing is stamped with, and no error. */
static JT_NOINLINE uintptr_t jt_abc_token(void) {
    PyObject *token = jt_dispatch.token == NULL ? PyObject_CallNoArgs(jt_dispatch.get_token)
                                                : jt_dispatch.token(jt_dispatch.module, NULL);
    if (token == NULL) {
        PyErr_Clear();
        return UINTPTR_MAX;
    }
    uintptr_t value = (uintptr_t)PyLong_AsUnsignedLongLongMask(token);
    Py_DECREF(token);
    return value;
}

static void jt_find_abc_token(PyObject *get_token) {
    jt_dispatch.get_token = get_token;
    if (PyCFunction_CheckExact(get_token) && PyCFunction_GET_FLAGS(get_token) == METH_NOARGS) {
        jt_dispatch.token = PyCFunction_GET_FUNCTION(get_token);
        jt_dispatch.module = PyCFunction_GET_SELF(get_token);
    }
}

/* Whether what was found holds now for an instance of a type. */
static inline int jt_holds(const jt_typefound *found) {
    return found->flags == 0 ||
           (found->flags == JT_STAMPED && found->stamp == jt_abc_token());
}

/* The implementation for `first` where nothing has to be asked or held: a Python function, whose
 * frame holds it. Else NULL, without an error. */
static inline PyObject *jt_function_for(PyObject *dispatcher, PyObject *first) {
#if PY_VERSION_HEX >= 0x030B0000 /* before that, frames do not hold the function */
    jt_typefound found;
    void *type = Py_TYPE(first);
    if (jt_typetable_find(((jt_dispatcher *)dispatcher)->table, 1, &type, &found) &&
        found.flags == 0 && Py_IS_TYPE(found.value, &PyFunction_Type))
        return found.value;
#else
    (void)dispatcher, (void)first;
#endif
    return NULL;
}

/* What `first` is called with, or NULL with an error; *held is what is to be released afterwards,
 * if anything. */
static JT_NOINLINE PyObject *jt_implementation(PyObject *dispatcher, PyObject *first,
                                               PyObject **held) {
    jt_typefound found;
    void *type = Py_TYPE(first);
    if (jt_typetable_find(((jt_dispatcher *)dispatcher)->table, 1, &type, &found)) {
#ifdef Py_GIL_DISABLED
        *held = NULL;
#else
        *held = found.value;
        Py_INCREF(found.value);
#endif
        if (jt_holds(&found))
            return found.value;
        Py_XDECREF(*held);
    }
    Py_INCREF(dispatcher); /* Python code may take it away from the method that has it */
    *held = jt_dispatch.resolve(dispatcher, first);
    Py_DECREF(dispatcher);
    return *held;
}

static inline PyObject *jt_call_function(PyObject *function, PyObject *const *args, size_t given,
                                         PyObject *names) {
    return ((PyFunctionObject *)function)->vectorcall(function, args, given, names);
}

/* Python functions count recursion themselves; others may come back here without doing so. */
static PyObject *jt_pass_on(PyObject *callable, PyObject *const *args, size_t given,
                            PyObject *names) {
    if (Py_IS_TYPE(callable, &PyFunction_Type))
        return jt_call_function(callable, args, given, names);
    if (Py_EnterRecursiveCall(" while calling a generic function"))
        return NULL;
    PyObject *result = PyObject_Vectorcall(callable, args, given, names);
    Py_LeaveRecursiveCall();
    return result;
}

static JT_NOINLINE PyObject *jt_call_any(PyObject *self, PyObject *const *args, size_t given,
                                         PyObject *names) {
    if (PyVectorcall_NARGS(given) == 0)
        return jt_dispatch.refuse(self);
    PyObject *held, *callable = jt_implementation(self, args[0], &held);
    if (callable == NULL)
        return NULL;
    PyObject *result = jt_pass_on(callable, args, given, names);
    Py_XDECREF(held);
    return result;
}

static PyObject *jt_call_generic(PyObject *self, PyObject *const *args, size_t given,
                                 PyObject *names) {
    if (PyVectorcall_NARGS(given) != 0) {
        PyObject *function = jt_function_for(self, args[0]);
        if (function != NULL)
            return jt_call_function(function, args, given, names);
    }
    return jt_call_any(self, args, given, names);
}

/* What Cython cannot say of a class: its instances are called by vectorcall ... */
static void jt_call_directly(PyTypeObject *type, Py_ssize_t offset) {
    type->tp_vectorcall_offset = offset;
    type->tp_call = PyVectorcall_Call;
    type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    PyType_Modified(type);
}

/* ... bound as functions are, and known by the name of what they stand in for: pydantic, among
 * others, takes an object in a class for a method if its type comes from functools. */
static int jt_call_as_function(PyTypeObject *type, Py_ssize_t offset) {
    jt_call_directly(type, offset);
    type->tp_flags |= Py_TPFLAGS_METHOD_DESCRIPTOR;
    type->tp_name = "functools.singledispatch";
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE))
        return 0;
    PyObject *module = PyUnicode_FromString("functools");
    int failed = module == NULL ||
                 PyObject_SetAttrString((PyObject *)type, "__module__", module) < 0;
    Py_XDECREF(module);
    return failed ? -1 : 0;
}

#endif
