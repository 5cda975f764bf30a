from cpython.object cimport PyObject

cdef extern from "plan.h":
    ctypedef enum jt_kind:
        JT_PLAIN
        JT_WRAPPER
        JT_OLD_WRAPPER
    ctypedef struct jt_step:
        PyObject *impl
        PyObject *function
        PyObject *callable
        PyObject *self
        PyObject *keywords
        int python
        size_t positional
        Py_ssize_t first
        Py_ssize_t arguments
        jt_kind kind
    ctypedef struct jt_plan:
        PyObject *owner
        PyObject *names
        PyObject *list
        PyObject *impls
        PyObject *spec
        PyObject *executor
        PyObject *hook
        jt_step *steps
        Py_ssize_t count
        Py_ssize_t *sources
        Py_ssize_t given
        PyObject **defaults
        int refused
        int firstresult
        int contain
        int simple
        Py_ssize_t widest
        Py_ssize_t plain
        Py_ssize_t room


cdef class Plan:
    cdef jt_plan c
    # What the pointers of `c` borrow from.
    cdef object list, spec, executor, hook
    cdef tuple names, impls, defaults, kept


cdef Plan new_plan(
    object hook, tuple names, tuple impls, object removed, object spec, bint firstresult,
    bint contain,
)
