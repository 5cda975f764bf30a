from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc

cdef extern from "native.h":
    ctypedef enum jt_kind:
        JT_VOID
        JT_BOOL
        JT_SIGNED
        JT_UNSIGNED
        JT_FLOAT
        JT_DOUBLE
        JT_STRING
        JT_ADDRESS
        JT_BUFFER
        JT_OBJECT
        JT_CHAR
        JT_ZERO
    ctypedef struct jt_type:
        const char *ctype
        uint8_t kind, size, item, item_size, constant, shift
        int64_t low
        uint64_t span
    ctypedef struct jt_plan:
        jt_type result
        Py_ssize_t count, visible
        PyObject *owner
        void *trampoline
        int flags
        uint8_t nogil, checked, variable
        jt_type *params
    ctypedef struct jt_extras:
        PyObject *generic
        PyObject *defaults
    ctypedef struct jt_native:
        PyMethodDef method
        void *address
        const jt_plan *plan
        jt_extras *extras
    ctypedef struct jt_symbol:
        jt_native native
    ctypedef union jt_word:
        int64_t i
        uint64_t u
        void *p
    ctypedef struct jt_views:
        Py_ssize_t held


cdef class Plan:
    cdef jt_plan *plan
    cdef readonly object signature
    cdef tuple texts
    cdef readonly object prototype
