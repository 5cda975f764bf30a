from .typetable cimport TypeTable, jt_typetable


cdef class Dispatcher:
    # In this order first: dispatch.h finds them.
    cdef void *call
    cdef jt_typetable *table
    cdef TypeTable types
    cdef object registry
    cdef object stock
    cdef str name
    cdef dict __dict__
    cdef object __weakref__
