/* Comparing a list that other threads may change with a tuple, without the list's lock.
 *
 * The lock is one word that all readers would write. CPython's own reads of a list, without a GIL,
 * go by these rules, and so does this:
 *   - An array of items that was replaced is kept until all threads have passed a point between two
 *     instructions, if the list is marked as shared. A thread that did not make the list marks it by
 *     its first PyList_GetItemRef; the one that did need not, as others mark it when they resize.
 *   - Ahead of an array's items is how many there is room for. That is not in CPython's headers, so
 *     it is looked whether it is so; where it is not, lists are compared under their lock.
 * Items are compared and never followed. While somebody inserts one, the list may have, for that
 * moment, an item that was removed before: as if the comparison had been made then. */
#ifndef JUMPTABLE_SAMELIST_H
#define JUMPTABLE_SAMELIST_H

#include <Python.h>

#ifdef Py_GIL_DISABLED
static int jt_arrays_know_their_room;

static int jt_list_is_under_lock(PyObject *list, PyObject *tuple) {
    Py_ssize_t count = PyTuple_GET_SIZE(tuple), index = 0;
    Py_BEGIN_CRITICAL_SECTION(list);
    if (PyList_GET_SIZE(list) == count)
        while (index < count && PyList_GET_ITEM(list, index) == PyTuple_GET_ITEM(tuple, index))
            index++;
    else
        index = -1;
    Py_END_CRITICAL_SECTION();
    return index == count;
}

static void jt_mark_as_shared(PyObject *list, int *shared) {
    PyObject *raised = PyErr_GetRaisedException();
    PyObject *item = PyList_GetItemRef(list, 0);
    Py_XDECREF(item);
    PyErr_SetRaisedException(raised); /* an empty list has no item, which is an error */
    _Py_atomic_store_int_relaxed(shared, 1);
}

/* Whether the list has the tuple's items now; `shared` is 0 until this has marked the list. */
static inline int jt_list_is(PyObject *list, PyObject *tuple, int *shared) {
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    if (!jt_arrays_know_their_room)
        return jt_list_is_under_lock(list, tuple);
    if (!_Py_atomic_load_int_relaxed(shared) && !_Py_IsOwnedByCurrentThread(list))
        jt_mark_as_shared(list, shared);
    if (_Py_atomic_load_ssize_relaxed(&((PyVarObject *)list)->ob_size) != count)
        return 0;
    if (count == 0)
        return 1;
    PyObject **items = _Py_atomic_load_ptr_acquire(&((PyListObject *)list)->ob_item);
    if (items == NULL || ((Py_ssize_t *)items)[-1] < count)
        return 0;
    for (Py_ssize_t index = 0; index < count; index++)
        if (_Py_atomic_load_ptr_relaxed(&items[index]) != PyTuple_GET_ITEM(tuple, index))
            return 0;
    return 1;
}

/* Looks at lists of several sizes and histories; -1 with an exception. */
static int jt_examine_lists(void) {
    PyObject *list = PyList_New(3);
    int known = list != NULL;
    if (list == NULL)
        return -1;
    for (Py_ssize_t index = 0; index < 3; index++)
        PyList_SET_ITEM(list, index, Py_NewRef(Py_None));
    for (int index = 0; index < 100; index++) {
        PyListObject *object = (PyListObject *)list;
        known = known && ((Py_ssize_t *)object->ob_item)[-1] == object->allocated &&
                object->allocated >= PyList_GET_SIZE(list);
        if (PyList_Append(list, Py_None) < 0) {
            Py_DECREF(list);
            return -1;
        }
    }
    Py_DECREF(list);
    jt_arrays_know_their_room = known;
    return 0;
}
#else
static int jt_examine_lists(void) { return 0; }
#endif

#endif
