/* The call of a generic method, obj.method(x, ...): look up the type of x, bind what is found to
 * obj, pass everything on.
 *
 * A generic method is an instance of a heap type that extends functools' own class, with one more
 * attribute, its Dispatcher, and one field for the interpreter. The type says of itself that it
 * binds as functions do, so that the interpreter calls `method(obj, x, ...)` and makes no bound
 * method. Where it must, on a class, or where somebody keeps `obj.method`, there is a Bound.
 *
 * Invariants:
 *   - `dispatcher` is what Python code sees as an attribute, and may be replaced. Only a
 *     Dispatcher is used here; with anything else functools' own code runs.
 *   - Nothing is remembered of an instance or a class: what is found is bound at each call. */
#ifndef JUMPTABLE_METHODS_H
#define JUMPTABLE_METHODS_H

#include <Python.h>
#include <structmember.h>

#include "dispatch.h"

typedef struct {
    PyObject *dispatcher;
    vectorcallfunc call;
} jt_method;

/* The head of Bound, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *method;
    PyObject *instance; /* None: bound to no instance, only to the class */
    PyObject *owner;
} jt_bound;

typedef struct {
    PyTypeObject *dispatcher;
    /* A new Bound. */
    PyObject *(*bind)(PyObject *method, PyObject *instance, PyObject *owner);
    /* What functools' own __get__ gives; a new reference. */
    PyObject *(*bind_stock)(PyObject *method, PyObject *instance, PyObject *owner);
} jt_methods_t;

static jt_methods_t jt_methods;
static Py_ssize_t jt_method_offset;

static inline jt_method *jt_method_of(PyObject *self) {
    return (jt_method *)((char *)self + jt_method_offset);
}

/* functools' own code. `instance` may be NULL. */
static PyObject *jt_call_stock(PyObject *self, PyObject *instance, PyObject *owner,
                               PyObject *const *args, size_t given, PyObject *names) {
    PyObject *bound = jt_methods.bind_stock(self, instance == NULL ? Py_None : instance, owner);
    if (bound == NULL)
        return NULL;
    PyObject *result = PyObject_Vectorcall(bound, args, given, names);
    Py_DECREF(bound);
    return result;
}

static inline PyObject *jt_dispatcher_of(PyObject *self) {
    return jt_read((void *const *)&jt_method_of(self)->dispatcher);
}

static inline int jt_is_dispatcher(PyObject *object) {
    return object != NULL && Py_IS_TYPE(object, jt_methods.dispatcher);
}

/* Calls `callable` as what its own __get__ makes of it. A function of a class is left to functools,
 * because versions differ in which argument they dispatch on. */
static PyObject *jt_call_bound_to(PyObject *self, PyObject *callable, PyObject *instance,
                                  PyObject *owner, PyObject *const *args, size_t given,
                                  PyObject *names) {
    descrgetfunc bind = Py_TYPE(callable)->tp_descr_get;
    if (bind == NULL || (instance == NULL && Py_IS_TYPE(callable, &PyFunction_Type)))
        return jt_call_stock(self, instance, owner, args, given, names);
    PyObject *bound = bind(callable, instance, owner == Py_None ? NULL : owner);
    if (bound == NULL)
        return NULL;
    PyObject *result = jt_pass_on(bound, args, given, names);
    Py_DECREF(bound);
    return result;
}

/* method(obj, x, ...), which is what the interpreter makes of obj.method(x, ...). */
static PyObject *jt_call_method(PyObject *self, PyObject *const *args, size_t given,
                                PyObject *names) {
    Py_ssize_t count = PyVectorcall_NARGS(given);
    if (count == 0) {
        PyErr_SetString(PyExc_TypeError, "a singledispatchmethod was called without an instance; "
                                         "expected instance.method(argument, ...)");
        return NULL;
    }
    PyObject *instance = args[0], *owner = (PyObject *)Py_TYPE(instance);
    PyObject *dispatcher = jt_dispatcher_of(self), *held, *result;
    size_t rest = (size_t)(count - 1); /* without the right to write before them */
    if (count == 1 || !jt_is_dispatcher(dispatcher))
        return jt_call_stock(self, instance, owner, args + 1, rest, names);
    PyObject *callable = jt_function_for(dispatcher, args[1]);
    if (callable != NULL)
        return jt_call_function(callable, args, given, names);
    callable = jt_implementation(dispatcher, args[1], &held);
    if (callable == NULL)
        return NULL;
    if (Py_IS_TYPE(callable, &PyFunction_Type))
        result = jt_call_function(callable, args, given, names);
    else
        result = jt_call_bound_to(self, callable, instance, owner, args + 1, rest, names);
    Py_XDECREF(held);
    return result;
}

static PyObject *jt_call_bound(PyObject *self, PyObject *const *args, size_t given,
                               PyObject *names) {
    jt_bound *bound = (jt_bound *)self;
    PyObject *instance = bound->instance == Py_None ? NULL : bound->instance;
    PyObject *dispatcher = jt_dispatcher_of(bound->method), *held;
    if (PyVectorcall_NARGS(given) == 0 || !jt_is_dispatcher(dispatcher))
        return jt_call_stock(bound->method, instance, bound->owner, args, given, names);
    PyObject *callable = jt_implementation(dispatcher, args[0], &held);
    if (callable == NULL)
        return NULL;
    PyObject *result;
    if (instance != NULL && given & PY_VECTORCALL_ARGUMENTS_OFFSET &&
        Py_IS_TYPE(callable, &PyFunction_Type)) {
        PyObject **all = (PyObject **)args - 1, *before = all[0]; /* ours while this call lasts */
        all[0] = instance;
        result = jt_call_function(callable, all, (size_t)PyVectorcall_NARGS(given) + 1, names);
        all[0] = before;
    } else
        result =
            jt_call_bound_to(bound->method, callable, instance, bound->owner, args, given, names);
    Py_XDECREF(held);
    return result;
}

static PyObject *jt_new_method(PyTypeObject *type, PyObject *args, PyObject *names) {
    (void)args, (void)names;
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL)
        jt_method_of(self)->call = jt_call_method;
    return self;
}

static PyObject *jt_get_method(PyObject *self, PyObject *instance, PyObject *owner) {
    return jt_methods.bind(self, instance == NULL ? Py_None : instance,
                           owner == NULL ? Py_None : owner);
}

static PyObject *jt_get_dispatcher(PyObject *self, void *closure) {
    PyObject *dispatcher = jt_dispatcher_of(self);
    (void)closure;
    if (dispatcher == NULL) {
        PyErr_SetString(PyExc_AttributeError, "dispatcher");
        return NULL;
    }
    Py_INCREF(dispatcher);
    return dispatcher;
}

/* Gives the old one back, to be released if nobody else can have seen it. */
static PyObject *jt_swap_dispatcher(PyObject *self, PyObject *value) {
    PyObject **place = &jt_method_of(self)->dispatcher, *old = jt_dispatcher_of(self);
    Py_XINCREF(value);
    jt_store_pointer((void *volatile *)place, value);
    return old;
}

/* Without a GIL the old one is never released: a call, which does not count it, may be using it. */
static int jt_set_dispatcher(PyObject *self, PyObject *value, void *closure) {
    (void)closure;
    if (value == NULL && jt_dispatcher_of(self) == NULL) {
        PyErr_SetString(PyExc_AttributeError, "dispatcher");
        return -1;
    }
    PyObject *old = jt_swap_dispatcher(self, value);
#ifndef Py_GIL_DISABLED
    Py_XDECREF(old);
#else
    (void)old;
#endif
    return 0;
}

/* A subclass of functools' own class, whose instances have a jt_method. The dispatcher is the
 * interpreter's to traverse and clear, as an attribute in __slots__ is: it finds it among the
 * members. */
static PyObject *jt_new_method_type(const char *name, PyTypeObject *base) {
    static PyGetSetDef attributes[] = {
        {"dispatcher", jt_get_dispatcher, jt_set_dispatcher, NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    Py_ssize_t offset = jt_method_offset = base->tp_basicsize;
    PyMemberDef members[] = {
        {"_dispatcher", T_OBJECT_EX, offset + (Py_ssize_t)offsetof(jt_method, dispatcher), 0, NULL},
        {"__vectorcalloffset__", T_PYSSIZET, offset + (Py_ssize_t)offsetof(jt_method, call),
         READONLY, NULL},
        {NULL, 0, 0, 0, NULL},
    };
    PyType_Slot slots[] = {
        {Py_tp_new, jt_new_method},
        {Py_tp_call, PyVectorcall_Call},
        {Py_tp_descr_get, jt_get_method},
        {Py_tp_members, members},
        {Py_tp_getset, attributes},
        {0, NULL},
    };
    PyType_Spec spec = {name, (int)(offset + (Py_ssize_t)sizeof(jt_method)), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
    PyObject *bases = PyTuple_Pack(1, base);
    if (bases == NULL)
        return NULL;
    PyObject *type = PyType_FromSpecWithBases(&spec, bases);
    Py_DECREF(bases);
    if (type != NULL && (PyObject_DelAttrString(type, "_dispatcher") < 0 ||
                         PyObject_DelAttrString(type, "__vectorcalloffset__") < 0))
        Py_CLEAR(type);
    return type;
}

/* Flags that Python classes do not inherit. METHOD_DESCRIPTOR promises more than is true here: on a
 * class, where there is no instance to put first, Class.method(x) is not method(x). The interpreter
 * relies on that part only for types that cannot change, which this one must therefore not become. */
static void jt_bind_as_function(PyTypeObject *type) {
    type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR;
    PyType_Modified(type);
}

#endif
