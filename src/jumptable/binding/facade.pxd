from cpython.object cimport PyObject


cdef extern from *:
    """
    #include <structmember.h>
    #include "atomics.h"

    /* Where a member descriptor's attribute is in an object. */
    static inline PyObject **jt_word_of(PyObject *object, PyObject *member) {
        return (PyObject **)((char *)object + ((PyMemberDescrObject *)member)->d_member->offset);
    }
    /* A new reference, taken as the interpreter takes it: safe while others store. */
    static inline PyObject *jt_load_member(PyObject *object, PyObject *member) {
        return PyMember_GetOne((const char *)object, ((PyMemberDescrObject *)member)->d_member);
    }
    """
    PyObject **jt_word_of(PyObject *, PyObject *) noexcept
    void jt_store_pointer(void **, void *) noexcept
    object jt_load_member(PyObject *, PyObject *)
