from cpython.object cimport PyObject
from libc.stdint cimport uintptr_t

cdef extern from *:
    """
    #ifndef JUMPTABLE_RECORDS
    #define JUMPTABLE_RECORDS
    #include "atomics.h"
    #include "../include/jumptable/host.h"

    /* `sequence` is odd meanwhile: jt_read tells by it whether what it read belongs together. */
    static inline void jt_store_function(jt_slot *slot, uintptr_t function, uintptr_t generation) {
        jt_store_number(&slot->sequence, slot->sequence + 1);
        jt_store_pointer((void *volatile *)&slot->function, (void *)function);
        jt_store_number(&slot->generation, generation);
        jt_store_number(&slot->sequence, slot->sequence + 1);
    }

    /* One slot's part of a bind. */
    typedef struct {
        PyObject **word;       /* the attribute of the facade */
        PyObject *target;      /* owned: the new target; after jt_store_all, the old one */
        jt_slot *lines[2];     /* for C with the GIL and without; NULL where C has not asked */
        uintptr_t functions[2];
    } jt_bind;

    static inline void jt_store_all(jt_bind *binds, Py_ssize_t count, uintptr_t generation) {
        for (Py_ssize_t index = 0; index < count; index++) {
            jt_bind *bind = &binds[index];
            PyObject *old = *bind->word;
            jt_store_pointer((void *volatile *)bind->word, bind->target);
            bind->target = old;
            for (int line = 0; line < 2; line++)
                if (bind->lines[line] != NULL)
                    jt_store_function(bind->lines[line], bind->functions[line], generation);
        }
    }
    #endif
    """
    ctypedef struct jt_slot:
        const char *name
        const char *signature
    ctypedef struct jt_bind:
        PyObject **word
        PyObject *target
        jt_slot *lines[2]
        uintptr_t functions[2]
    void jt_store_function(jt_slot *, uintptr_t, uintptr_t) noexcept
    void jt_store_all(jt_bind *, Py_ssize_t, uintptr_t) noexcept


cdef class Records:
    # By 2 * the slot's index, and one more for callers without the GIL; NULL where C has not asked.
    cdef jt_slot **lines
    cdef Py_ssize_t count
    cdef Py_ssize_t made  # counts the lines
    cdef jt_slot *next_line  # of those that were allocated together, the first that is free
    cdef Py_ssize_t free_lines
    cdef dict callbacks, kept
    cdef jt_slot *new_line(
        self, const char *name, const char *signature, uintptr_t function, uintptr_t generation
    ) noexcept
    cdef uintptr_t function_for(
        self, Py_ssize_t index, bint nogil, target, follower, signature
    ) except 0
