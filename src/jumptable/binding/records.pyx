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
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.stdint cimport uintptr_t

from .symbol import direct_address

cdef extern from *:
    """
    #if defined(_WIN32)
    #include <malloc.h>
    static jt_slot *jt_allocate_line(void) {
        return (jt_slot *)_aligned_malloc(128, 128);
    }
    static void jt_free_line(jt_slot *line) {
        _aligned_free(line);
    }
    #else
    #include <stdlib.h>
    static jt_slot *jt_allocate_line(void) {
        void *memory = NULL;
        return posix_memalign(&memory, 128, 128) == 0 ? (jt_slot *)memory : NULL;
    }
    static void jt_free_line(jt_slot *line) {
        free(line);
    }
    #endif
    static jt_slot *jt_new_line(const char *name, const char *signature, uintptr_t function) {
        jt_slot *line = jt_allocate_line();
        if (line != NULL) {
            memset(line, 0, 128);
            line->name = name;
            line->signature = signature;
            jt_store_function(line, function, 0);
        }
        return line;
    }
    """
    jt_slot *jt_new_line(const char *, const char *, uintptr_t) noexcept
    void jt_free_line(jt_slot *) noexcept


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

    cdef jt_slot *new_line(self, str name, str signature, uintptr_t function) except NULL:
        """A line that nobody knows yet, of no generation.

        ``name`` and ``signature`` live as long as the table.
        """
        cdef jt_slot *line = jt_new_line(
            PyUnicode_AsUTF8(name), PyUnicode_AsUTF8(signature), function
        )
        if line == NULL:
            raise MemoryError
        return line

    cdef void drop_line(self, jt_slot *line) noexcept:
        """Free a line that was not entered after all."""
        jt_free_line(line)

    cdef uintptr_t function_for(
        self, Py_ssize_t index, bint nogil, target, follower, signature
    ) except 0:
        """What C shall call while slot ``index`` is bound to ``target``.

        ``follower`` is the slot as Python calls it, for a target that C cannot call.
        """
        cdef uintptr_t address = direct_address(target, signature, nogil)
        if address != 0:
            if target.__self__.plugin is None:
                # What owns this code may free it, and C may still be in it after a swap.
                self.kept.setdefault(id(target), target)
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
