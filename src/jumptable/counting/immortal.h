/* Objects that all threads call, on builds without a GIL.
 *
 * There, threads that use one object share its reference count, and one count that two threads
 * write costs more than a call. A plugin's functions, the facades that hold them and the slots
 * that follow a table live as long as the process, so theirs need not be counted. The fields are
 * those of 3.13 and 3.14; later versions count until somebody has looked. With a GIL, nothing is
 * made immortal. */
#ifndef JUMPTABLE_IMMORTAL_H
#define JUMPTABLE_IMMORTAL_H

#include <Python.h>

/* To be called by the thread that made the object, before any other has seen it. */
static inline void jt_make_immortal(PyObject *object) {
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX < 0x030F0000
    if (PyObject_GC_IsTracked(object))
        PyObject_GC_UnTrack(object);
    object->ob_tid = _Py_UNOWNED_TID;
    object->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
    object->ob_ref_shared = 0;
#else
    (void)object;
#endif
}

#endif
