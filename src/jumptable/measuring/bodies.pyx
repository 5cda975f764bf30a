"""A function's body without the boundary, and the boundary without a body.

`repeat` calls through a C pointer in a compiled loop; `nothing` is the address of a function that
does nothing, which takes any arguments. `Reference` has what a profiler's own cost is found
out with.
"""

cimport cython
from libc.stdint cimport int64_t, uintptr_t

cdef extern from "bodies.h":
    const int JT_WORD_CALLS
    const int JT_INT_WORDS
    const int JT_FLOAT_WORDS
    int jt_repeat(uintptr_t, const int64_t *, int, const double *, int, Py_ssize_t) except -1
    int64_t jt_no_word() noexcept
    double jt_no_number() noexcept
    object jt_no_object()

# How many arguments `repeat` can pass: none where their order decides in which register each goes.
MOST_INTS = JT_INT_WORDS if JT_WORD_CALLS else 0
MOST_FLOATS = JT_FLOAT_WORDS if JT_WORD_CALLS else 0


def repeat(uintptr_t address, tuple ints not None, tuple floats not None, Py_ssize_t count):
    """Call the function at ``address`` this many times, with the GIL held.

    ``ints`` are its integers and pointers, as signed words, ``floats`` its floating-point numbers,
    each in its order. An exception that the function leaves is raised at the end.
    """
    cdef int64_t words[6]
    cdef double numbers[8]
    cdef Py_ssize_t index
    if address == 0:
        raise ValueError("the address is NULL: there is no function to call")
    if len(ints) > MOST_INTS or len(floats) > MOST_FLOATS:
        raise ValueError(
            f"{len(ints)} integers and {len(floats)} floating-point numbers: here at most "
            f"{MOST_INTS} and {MOST_FLOATS} can be passed"
        )
    for index in range(6):
        words[index] = ints[index] if index < len(ints) else 0
    for index in range(8):
        numbers[index] = floats[index] if index < len(floats) else 0.0
    jt_repeat(address, words, <int>len(ints), numbers, <int>len(floats), count)


def nothing(str kind not None):
    """The address of an empty function whose result is of this kind, as `CType.kind` names it."""
    if kind in ("float", "double"):
        return <uintptr_t>&jt_no_number
    return <uintptr_t>&jt_no_object if kind == "object" else <uintptr_t>&jt_no_word


@cython.final
cdef class Reference:
    """Methods of C of known cost, as `Plugin.lookup` is one."""

    def nothing(self):
        """Costs no more than being called."""

    def call(self, function, Py_ssize_t count):
        """Call a function without arguments this many times."""
        cdef Py_ssize_t _
        for _ in range(count):
            function()
