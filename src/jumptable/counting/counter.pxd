from libc.stdint cimport int64_t

cdef extern from "../counting/cells.h":
    ctypedef struct jt_cells:
        int64_t *(*word)(const jt_cells *) noexcept nogil
        char *first
        size_t stride
        size_t mask
    int64_t *jt_nth_word(const jt_cells *, size_t) noexcept nogil
    int64_t jt_sum(const jt_cells *) noexcept nogil
    int64_t jt_take(const jt_cells *) noexcept nogil
    void *jt_new_stripes(size_t) noexcept
    void jt_free_stripes(void *) noexcept
    void jt_word_add(int64_t *, int64_t) noexcept nogil
    int64_t jt_word_load(const int64_t *) noexcept nogil


cdef class Memory:
    cdef void *first


cdef class Counter:
    cdef jt_cells cells  # first: cells.h finds it there
    cdef object owner  # of the memory
    cdef object shared  # the SharedFile that knows what other processes counted, or None
    cdef Py_ssize_t index  # in the SharedFile
    cdef readonly str name
    cdef readonly object plugin


cdef Counter new_counter(
    str name, void *first, size_t stride, size_t stripes, object owner, object plugin
)


cdef void set_cells(jt_cells *cells, void *first, size_t stride, size_t stripes) noexcept
