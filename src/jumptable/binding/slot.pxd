from ..counting.counter cimport Counter, jt_cells


cdef class Slot:
    # In this order first: follow.h finds them.
    cdef void *call
    cdef object facade
    cdef object member
    cdef const jt_cells *calls
    cdef Counter counter  # which owns what calls points to
    cdef readonly str __name__


cdef class Pending:
    cdef object facade
    cdef object member
    cdef object opening  # its ``open()`` binds what is pending, or raises
    cdef object interface
    cdef readonly str __name__


cdef Slot new_slot(object facade, object member, str name, Counter counter)
