# Call the slots of a jumptable.Table from Cython; include/jumptable/host.h says what holds.
#
#     from jumptable cimport jt_get_slot, jt_import, jt_load, jt_slot
#
#     jt_import()                                   # once, when the module is imported
#     cdef jt_slot *slot = jt_get_slot(table, "apply", "double(double) nogil")
#     with nogil:
#         y = (<double (*)(double) noexcept nogil>jt_load(slot))(1.5)
#
# Compile with include_dirs=[jumptable.get_include()].

from libc.stdint cimport int64_t, uint64_t

cdef extern from "jumptable/host.h":
    ctypedef void (*jt_function)() noexcept nogil
    ctypedef struct jt_slot:
        const char *name
        const char *signature

    int jt_import() except -1
    jt_slot *jt_get_slot(object table, const char *name, const char *signature) except NULL
    jt_function jt_load(const jt_slot *slot) noexcept nogil
    jt_function jt_read(const jt_slot *slot, uint64_t *generation) noexcept nogil

# Counters, with include/jumptable/counter.h: plain words, which need neither jt_import nor the GIL.
cdef extern from "jumptable/counter.h":
    ctypedef struct jt_counter:
        int64_t value

    void jt_counter_add(jt_counter *counter, int64_t n) noexcept nogil
    int64_t jt_counter_load(const jt_counter *counter) noexcept nogil
    void jt_word_add(int64_t *word, int64_t n) noexcept nogil
    int64_t jt_word_load(const int64_t *word) noexcept nogil
