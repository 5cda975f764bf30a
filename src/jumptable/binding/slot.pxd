from libc.stdint cimport uintptr_t


cdef class Counts:
    cdef uintptr_t *cells


cdef class Slot:
    # In this order first: follow.h finds them.
    cdef void *call
    cdef object facade
    cdef object member
    cdef uintptr_t *calls
    cdef Counts counts  # which owns what calls points to
    cdef readonly str __name__


cdef Slot new_slot(object facade, object member, str name, Counts counts, Py_ssize_t index)
