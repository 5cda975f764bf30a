from cpython.object cimport PyObject
from libc.stdint cimport uintptr_t

cdef extern from "typetable.h":
    enum:
        JT_MAX_ARITY
        JT_STAMPED
    ctypedef struct jt_typetable:
        int arity
    ctypedef struct jt_typefound:
        PyObject *value
        uintptr_t flags
        uintptr_t stamp
    bint jt_typetable_find(jt_typetable *, int, void **, jt_typefound *) noexcept
    uintptr_t jt_typetable_generation(jt_typetable *) noexcept
    uintptr_t jt_typetable_stamp(jt_typetable *) noexcept


cdef class TypeTable:
    cdef jt_typetable table
    cdef object forget
    cdef dict kept
    cdef object __weakref__


cdef bint keep(
    TypeTable self, tuple types, object value, uintptr_t flags, uintptr_t generation
) except -1
cdef void forget_all(TypeTable self) noexcept
cdef bint restamp(TypeTable self, uintptr_t stamp, uintptr_t *generation) noexcept
