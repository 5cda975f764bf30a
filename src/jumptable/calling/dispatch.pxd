from libc.stdint cimport uintptr_t

from .typetable cimport TypeTable, jt_typetable


cdef class Dispatcher:
    # In this order first: dispatch.h finds them.
    cdef void *call
    cdef jt_typetable *table
    cdef TypeTable types
    cdef object registry
    cdef object stock
    cdef object name
    cdef uintptr_t without_abstract  # registrations that were looked at for one
    cdef dict __dict__
    cdef object __weakref__
