/* Calling a table's slot: load the target that is bound now, and pass the arguments on.
 *
 * Invariant: the target is held by a reference of its own for the duration of the call, so a swap
 * in another thread, or one that the target itself makes, cannot free it. */
#ifndef JUMPTABLE_FOLLOW_H
#define JUMPTABLE_FOLLOW_H

#include <Python.h>
#include <structmember.h>

#include "../counting/cells.h"

/* The head of Slot, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *facade;        /* whose attribute is called */
    PyMemberDescrObject *member; /* which of its attributes */
    const jt_cells *calls;       /* where calls are counted, or NULL */
} jt_follower;

static PyObject *jt_follow(PyObject *self, PyObject *const *args, size_t given, PyObject *names) {
    jt_follower *slot = (jt_follower *)self;
    PyObject *target, *result;
#ifdef Py_GIL_DISABLED
    target = PyMember_GetOne((const char *)slot->facade, slot->member->d_member);
#else
    target = *(PyObject **)((char *)slot->facade + slot->member->d_member->offset);
    Py_XINCREF(target);
#endif
    if (slot->calls != NULL)
        jt_word_add(slot->calls->word(slot->calls), 1);
    if (target == NULL) { /* only where the garbage collector has already cleared the facade */
        PyErr_SetString(PyExc_RuntimeError, "the table of this slot is being collected");
        return NULL;
    }
    /* A slot can be bound to a slot, and so, by way of another table, to itself. */
    if (Py_EnterRecursiveCall(" while calling a slot")) {
        Py_DECREF(target);
        return NULL;
    }
    result = PyObject_Vectorcall(target, args, given, names);
    Py_LeaveRecursiveCall();
    Py_DECREF(target);
    return result;
}

#endif
