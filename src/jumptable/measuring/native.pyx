"""A C caller: what a call through the pointer costs when no interpreter is involved."""

from libc.stdint cimport uintptr_t

ctypedef double (*function)(double) noexcept


def repeat_call(uintptr_t address, double argument, Py_ssize_t count):
    """Call the ``double(double)`` at ``address`` this many times, with the GIL held."""
    # The compiler cannot know what the pointer leads to, so it can neither hoist nor drop a call.
    cdef function call = <function><void *>address
    cdef Py_ssize_t _
    if call == NULL:
        raise ValueError("the address is NULL: there is no function to call")
    for _ in range(count):
        call(argument)
