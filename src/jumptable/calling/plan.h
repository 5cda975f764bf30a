/* What a hook call has to do, worked out once for one set of implementations and one tuple of
 * keyword names. A plan is never changed after it was made (but for `shared`), and everything that
 * it points to is owned by the Plan object around it, so whoever keeps that may run it. */
#ifndef JUMPTABLE_PLAN_H
#define JUMPTABLE_PLAN_H

#include <Python.h>

/* What a field of an object holds, to be compared only: without a GIL it may be gone by now. */
static inline PyObject *jt_peek(PyObject *object, Py_ssize_t offset) {
    PyObject **field = (PyObject **)((char *)object + offset);
#ifdef Py_GIL_DISABLED
    return _Py_atomic_load_ptr_acquire(field);
#else
    return *field;
#endif
}

typedef enum { JT_PLAIN, JT_WRAPPER, JT_OLD_WRAPPER } jt_kind;

/* One implementation. Its arguments are the values that `sources[first ... first + arguments]`
 * name, the last ones by keyword. */
typedef struct {
    PyObject *impl;      /* pluggy's HookImpl */
    PyObject *function;  /* impl.function when the plan was made */
    PyObject *callable;  /* the same, or the function of a bound method ... */
    PyObject *self;      /* ... and its object, or NULL */
    PyObject *keywords;  /* a tuple of names, or NULL */
    int python;          /* callable is a Python function */
    size_t positional;   /* how many are passed by position, self among them */
    Py_ssize_t first, arguments;
    jt_kind kind;
} jt_step;

typedef struct {
    PyObject *owner;
    /* Valid for calls with just these names, in this order, while all of these are the same. */
    PyObject *names;     /* tuple */
    PyObject *list;      /* the caller's _hookimpls ... */
    PyObject *impls;     /* ... and what it held: a tuple */
    PyObject *spec;      /* or None */
    PyObject *executor;  /* the manager's _inner_hookexec */

    PyObject *hook;      /* its name */
    jt_step *steps;      /* in the order of the calls */
    Py_ssize_t count;
    Py_ssize_t *sources; /* below `given` the call's own value, from there on a default */
    Py_ssize_t given;
    PyObject *const *defaults;
    int refused;         /* pluggy's own code must run these calls; nothing below is filled in */
    int firstresult;
    int contain;         /* an implementation that raises does not keep the others from running */
    int simple;          /* Python functions only, none a wrapper, and nothing to contain */
    /* The scratch room that a call needs, in pointers: arguments, results, generators. */
    Py_ssize_t widest, plain, room;
    int shared;          /* without a GIL: the list is known to be read by several threads */
} jt_plan;

/* The head of Plan, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    jt_plan plan;
} jt_plan_object;

static inline jt_plan *jt_plan_of(PyObject *owner) {
    return &((jt_plan_object *)owner)->plan;
}

#endif
