"""Compiled timing loops, for what is cheaper than an interpreter's own instructions.

Each repeats one thing ``count`` times, with the GIL held; `empty` is what to subtract. What they
measure, and how the compiler is kept from cheating, is said in loops.h. Where there is a result it
is the last one.
"""

from libc.stdint cimport int64_t, uintptr_t

cdef extern from "loops.h":
    ctypedef struct jt_slot:
        pass
    int jt_import() except -1
    jt_slot *jt_get_slot(object table, const char *name, const char *signature) except NULL
    int64_t jt_busy(int64_t steps) nogil
    void run_empty(Py_ssize_t count) nogil
    double run_direct(double x, Py_ssize_t count) nogil
    double run_call(void *address, double x, Py_ssize_t count) nogil
    double run_slot(const jt_slot *slot, double x, Py_ssize_t count) nogil
    void run_add(int64_t *word, Py_ssize_t count) nogil
    int64_t run_busy(int64_t steps, Py_ssize_t count) nogil
    int64_t run_crowd(int64_t steps, Py_ssize_t count) nogil


def empty(Py_ssize_t count):
    """The loop itself, around nothing."""
    run_empty(count)


def direct(double argument, Py_ssize_t count):
    """Call a ``double(double)`` that the compiler knows, and does not inline."""
    return run_direct(argument, count)


def call(uintptr_t address, double argument, Py_ssize_t count):
    """Call the ``double(double)`` at ``address`` by way of a pointer in memory."""
    if address == 0:
        raise ValueError("the address is NULL: there is no function to call")
    return run_call(<void *>address, argument, count)


def slot_address(table, str name not None, str signature not None):
    """A slot of a `jumptable.Table`, as a host in C gets it; it lives as long as the process."""
    jt_import()
    return <uintptr_t>jt_get_slot(table, name.encode(), signature.encode())


def slot(uintptr_t address, double argument, Py_ssize_t count):
    """Call the ``double(double)`` that the slot at ``address`` holds: a load and a call."""
    if address == 0:
        raise ValueError("the address is NULL: there is no slot to call")
    return run_slot(<const jt_slot *>address, argument, count)


def add(uintptr_t address, Py_ssize_t count):
    """Add 1 to the ``int64_t`` at ``address``, atomically, as jumptable/counter.h does."""
    if address == 0:
        raise ValueError("the address is NULL: there is nothing to add to")
    run_add(<int64_t *>address, count)


def busy(int64_t steps, Py_ssize_t count):
    """Call a function that takes a time proportional to ``steps``, about a nanosecond for each."""
    return run_busy(steps, count)


def crowd(int64_t steps, Py_ssize_t count):
    """Call a function that keeps all arithmetic units of the core busy for ``steps`` steps."""
    return run_crowd(steps, count)


def busy_address():
    """Of that function, an ``int64_t(int64_t)``, to be called in other ways."""
    return <uintptr_t><void *>&jt_busy
