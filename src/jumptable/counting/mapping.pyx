"""Mapping: a part of a file, as memory that processes share.

Invariants
- The address never changes: other threads, and C, may use it at any time. What is mapped there can
  be replaced, in one step and in a child process alone, where no other thread is.
- Nothing is read or written beyond its size. That the file is still as long is the caller's
  business: the system ends a process that touches a mapping where there is no file.
"""

cimport cython
from libc.stdint cimport int64_t, intptr_t, uint64_t

import os

cdef extern from "../include/jumptable/counter.h":
    int64_t jt_word_load(const int64_t *) noexcept nogil

cdef extern from "mapping.h":
    int jt_map(int, int64_t, size_t, bint, void *, void **) noexcept
    void jt_unmap(void *, size_t) noexcept
    int jt_try_lock(int, int64_t, int *) noexcept
    int64_t jt_word_load_in_order(const int64_t *) noexcept
    bint jt_word_swap(int64_t *, int64_t, int64_t) noexcept


cdef failure(int error, path):
    if os.name == "nt":
        return OSError(0, os.strerror(0), path, error)
    return OSError(error, os.strerror(error), path)


@cython.final
cdef class Mapping:
    """``size`` bytes of the file ``path``, open as ``fd``, from ``offset`` on.

    Raises OSError.
    """

    cdef char *start
    cdef readonly size_t size
    cdef readonly object path

    def __cinit__(self, int fd, int64_t offset, size_t size, path, *, bint writable=False):
        cdef void *address = NULL
        cdef int error = jt_map(fd, offset, size, writable, NULL, &address)
        if error:
            raise failure(error, path)
        self.start = <char *>address
        self.size = size
        self.path = path

    def __dealloc__(self):
        if self.start != NULL:
            jt_unmap(self.start, self.size)

    @property
    def address(self):
        return <intptr_t>self.start

    def replace(self, int fd, int64_t offset):
        """Map another part of the file, writable, in this one's place."""
        cdef void *address = NULL
        cdef int error = jt_map(fd, offset, self.size, True, self.start, &address)
        if error:
            raise failure(error, self.path)

    def load(self, size_t offset):
        """The word at an offset, a multiple of 8; in order with `sum` before and after."""
        return jt_word_load_in_order(self.word(offset))

    def swap(self, size_t offset, int64_t expected, int64_t value):
        """Store ``value`` if the word is ``expected``, in one step; whether it was."""
        return jt_word_swap(self.word(offset), expected, value)

    def sum(self, size_t offset, size_t stride, size_t count):
        """The sum of ``count`` words, ``stride`` bytes apart, modulo 2**64."""
        cdef uint64_t total = 0
        cdef size_t index
        cdef const int64_t *word
        if count:
            self.word(offset + (count - 1) * stride)  # inside, and so is what comes before
        for index in range(count):
            word = <const int64_t *>(self.start + offset + index * stride)
            total += <uint64_t>jt_word_load(word)
        return <int64_t>total

    cdef int64_t *word(self, size_t offset) except NULL:
        if offset % sizeof(int64_t) or offset > self.size - sizeof(int64_t):
            raise IndexError(f"offset {offset} of a mapping of {self.size} bytes")
        return <int64_t *>(self.start + offset)


def try_lock(int fd, int64_t index, path):
    """Lock byte ``index`` for this open file, if nobody else has; whether it was free."""
    cdef int error = 0
    cdef int locked = jt_try_lock(fd, index, &error)
    if locked < 0:
        raise failure(error, path)
    return locked == 1
