"""What C calls: one `jt_slot` for each slot of a table that C has asked for.

Invariants
- A line is filled in before `table` enters it into ``lines``, and never freed or moved: threads
  that Python knows nothing of may read it at any time. The table lives from then on.
- Only `jt_store_function` changes a line, and one thread at a time: the facade's critical section
  is held. ``lines`` and ``made`` change under it as well.
- A callback follows the table by itself, so a slot needs only one, whatever it is bound to next;
  it is kept for as long as the table lives.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uintptr_t

from .symbol import direct_address

cdef extern from *:
    """
    #if defined(_WIN32)
    #include <malloc.h>
    #define JT_ALIGNED(size) _aligned_malloc(size, 128)
    #else
    #include <stdlib.h>
    #define JT_ALIGNED(size) jt_aligned(size)
    static void *jt_aligned(size_t size) {
        void *memory = NULL;
        return posix_memalign(&memory, 128, size) == 0 ? memory : NULL;
    }
    #endif
    /* A slot's 128 bytes, whatever the size of a pointer. */
    static jt_slot *jt_nth_line(jt_slot *first, Py_ssize_t index) {
        return (jt_slot *)((char *)first + 128 * index);
    }
    static jt_slot *jt_new_lines(Py_ssize_t count) {
        void *memory = JT_ALIGNED(128 * (size_t)count);
        return (jt_slot *)(memory == NULL ? NULL : memset(memory, 0, 128 * (size_t)count));
    }
    """
    jt_slot *jt_nth_line(jt_slot *, Py_ssize_t) noexcept
    jt_slot *jt_new_lines(Py_ssize_t) noexcept

# Lines are allocated so many at a time: alone, the alignment of each would double its size.
cdef enum:
    TOGETHER = 32


@cython.final
@cython.no_gc_clear
cdef class Records:
    """The lines of one table's slots, for callers with the GIL and for those without."""

    def __cinit__(self, Py_ssize_t slots):
        self.count = 2 * slots
        self.callbacks = {}
        self.kept = {}
        self.lines = <jt_slot **>PyMem_Calloc(self.count, sizeof(jt_slot *))
        if self.lines == NULL:
            raise MemoryError

    def __dealloc__(self):
        # Without lines: a table that has one is never collected.
        PyMem_Free(self.lines)

    cdef jt_slot *new_line(
        self, const char *name, const char *signature, uintptr_t function, uintptr_t generation
    ) noexcept:
        """A line, for the caller to enter; NULL where memory has run out.

        The texts live as long as the table. The facade's critical section is held.
        """
        cdef jt_slot *line
        if self.free_lines == 0:
            self.next_line = jt_new_lines(min(TOGETHER, self.count - self.made))
            if self.next_line == NULL:
                return NULL
            self.free_lines = min(TOGETHER, self.count - self.made)
        line = self.next_line
        self.next_line = jt_nth_line(line, 1)
        self.free_lines -= 1
        line.name = name
        line.signature = signature
        jt_store_function(line, function, generation)
        return line

    cdef uintptr_t function_for(
        self, Py_ssize_t index, bint nogil, target, follower, signature
    ) except 0:
        """What C shall call while slot ``index`` is bound to ``target``.

        ``follower`` is the slot as Python calls it, for a target that C cannot call.
        """
        cdef uintptr_t address
        address, owner = direct_address(target, signature, nogil)
        if address != 0:
            if owner is not None:  # who may free this code, and C may still be in it after a swap
                self.kept.setdefault(id(owner), owner)
            return address
        callback = self.callbacks.get(index)
        if callback is None:
            from .callbacks import Callback

            callback = self.callbacks.setdefault(index, Callback(signature, follower))
        return callback.address


def new_reference(value):
    """The address of an object, as an int, with a reference that the receiver owns."""
    Py_INCREF(value)
    return <uintptr_t><PyObject *>value


def object_at(address):
    """The object at an address that C passed, which ctypes shows as None if it is NULL.

    The reference is borrowed from the caller.
    """
    if not address:
        raise ValueError("C passed NULL for an object")
    return <object><PyObject *><uintptr_t>address
