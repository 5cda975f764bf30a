"""Counter: a number that any thread adds to, and no add is lost.

Invariants
- What a counter counts with (cells.h) is filled in before anybody sees it, and never changes. The
  memory is kept by its owner, which the counter keeps.
- A counter of a shared file has words of this process alone; the file knows the sum of all.
- On free-threaded builds a counter lives as long as the process: threads that use one object write
  its reference count, which would cost more than what the padding saves.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport intptr_t, uint64_t

import os

cdef extern from "Python.h":
    bint PyIndex_Check(object) noexcept

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept
    void jt_make_own_immortal(PyObject *) noexcept

cdef extern from "adding.h":
    ctypedef struct jt_counting:
        jt_cells cells
    int JT_COUNTER_SIZE
    int JT_THREAD_NUMBERS
    int64_t *jt_own_word(const jt_cells *) noexcept nogil
    void jt_add_to(const jt_cells *, int64_t) noexcept nogil
    int jt_amount(PyObject *, const char *, int64_t *) except -1
    int jt_install_add(PyTypeObject *) except -1
    void jt_set_up_threads() noexcept
    size_t jt_number_of_thread() noexcept nogil


# What only this package can pass: a Counter that nobody filled in must not exist.
cdef object PRIVATE = object()


@cython.final
cdef class Memory:
    """Zeroed bytes at a multiple of 128, freed with their owner."""

    def __cinit__(self, size_t size):
        self.first = jt_new_stripes(size)
        if self.first == NULL:
            raise MemoryError

    def __dealloc__(self):
        jt_free_stripes(self.first)


@cython.final
@cython.no_gc  # what it refers to never refers to it, or lives as long as the process
cdef class Counter:
    """Counter(*, stripes=1)\n--\n
    A number that any thread adds to: no add is lost, and no neighbour in memory slows it down.

    It starts at 0, in 128 bytes of its own. ``stripes=None`` gives it one such cell per CPU, and
    another number of stripes (1 to 64) is rounded up to a power of two; threads then add to
    different cells, and ``value`` is their sum. Without stripes, two threads that add at the same
    time wait for one another's cache line.

    ``counter += n`` is ``counter.add(n)``. Values are int64_t and wrap around. ``addresses`` are
    those of the words, one per stripe, and ``address`` the first of them: C code may add to them
    with ``jumptable/counter.h``, and must keep the counter alive for as long. ``name`` and
    ``plugin`` say whose counter it is, if it has a name or is a plugin's own.

    Raises TypeError or ValueError for a number of stripes that cannot be, MemoryError. Safe to use
    from any thread. On free-threaded builds a counter lives as long as the process.
    """

    def __cinit__(self, *args, stripes=1, **others):
        cdef size_t count
        if args and args[0] is PRIVATE:
            return
        if args or others:
            raise TypeError(
                "Counter() starts at 0 and takes nothing but stripes=, as in Counter(stripes=None)"
            )
        count = stripe_count(stripes)
        self.owner = Memory(count * JT_COUNTER_SIZE)
        set_cells(&self.cells, (<Memory>self.owner).first, JT_COUNTER_SIZE, count)
        jt_make_immortal(<PyObject *>self)

    @property
    def value(self):
        """The sum of what was added; every add that has returned is in it."""
        if self.shared is not None:
            return self.shared.value(self.index)
        return jt_sum(&self.cells)

    def reset(self):
        """Count from 0 again, and return what was there.

        What others add meanwhile is in what is returned or in what is left: the sum of all that was
        returned and of the value is what was added.
        """
        if self.shared is not None:
            return self.shared.reset(self.index)
        return jt_take(&self.cells)

    @property
    def stripes(self):
        """How many words it counts with."""
        return self.cells.mask + 1

    @property
    def address(self):
        """Where its first word is, an int64_t, as an int."""
        return <intptr_t>self.cells.first

    @property
    def addresses(self):
        """Where its words are, one per stripe, as ints."""
        cdef size_t stripe
        found = []
        for stripe in range(self.cells.mask + 1):
            found.append(<intptr_t>jt_nth_word(&self.cells, stripe))
        return tuple(found)

    def __iadd__(self, n):
        cdef int64_t amount
        if not PyIndex_Check(n):
            return NotImplemented
        jt_amount(<PyObject *>n, "counter +=", &amount)
        jt_add_to(&self.cells, amount)
        return self

    def __isub__(self, n):
        cdef int64_t amount
        if not PyIndex_Check(n):
            return NotImplemented
        jt_amount(<PyObject *>n, "counter -=", &amount)
        jt_add_to(&self.cells, <int64_t>-<uint64_t>amount)
        return self

    def __int__(self):
        return self.value

    def __repr__(self):
        name = "" if self.name is None else f" {self.name!r}"
        try:
            value = self.value
        except (OSError, ValueError) as error:
            value = error  # the file behind it is damaged or gone
        return f"<Counter{name}: {value}>"

    def __reduce__(self):
        if self.shared is not None:
            return self.shared.reduced(self.name)
        if self.plugin is not None:
            return self.plugin.lookup, (self.name, "jt_counter")
        raise TypeError(
            "cannot pickle or copy a Counter: it is memory of this process; send counter.value, or "
            "share Counters(names, path=...) between processes"
        )


cdef void set_cells(jt_cells *cells, void *first, size_t stride, size_t stripes) noexcept:
    """Count in memory that somebody keeps for as long."""
    cells.word = jt_own_word
    cells.first = <char *>first
    cells.stride = stride
    cells.mask = stripes - 1


cdef Counter new_counter(
    str name, void *first, size_t stride, size_t stripes, object owner, object plugin
):
    """A counter on memory that ``owner`` keeps."""
    cdef Counter counter = Counter.__new__(Counter, PRIVATE)
    counter.name = name
    set_cells(&counter.cells, first, stride, stripes)
    counter.owner = owner
    counter.plugin = plugin
    jt_make_immortal(<PyObject *>counter)
    return counter


def stripe_count(stripes):
    """How many stripes are meant: a power of two, at most 64. None is one for each CPU."""
    most = JT_THREAD_NUMBERS
    if stripes is None:
        stripes = min(os.cpu_count() or 1, most)
    elif not PyIndex_Check(stripes):
        raise TypeError(
            "stripes= is a number, or None for one per CPU, and not "
            f"{type(stripes).__name__}"
        )
    count = stripes.__index__()
    if not 1 <= count <= most:
        raise ValueError(
            f"stripes={count}: expected 1 to {most}, or None for one per CPU"
        )
    return 1 << (count - 1).bit_length()


def stripe_size(Py_ssize_t counters):
    """The bytes of a stripe that holds one word of each of so many counters."""
    cdef Py_ssize_t used = counters * <Py_ssize_t>sizeof(int64_t)
    return max(used + JT_COUNTER_SIZE - 1, JT_COUNTER_SIZE) // JT_COUNTER_SIZE * JT_COUNTER_SIZE


def counters_at(tuple names not None, owner not None, first, size_t stripes, shared=None):
    """One Counter for each name, side by side in stripes that begin at the address ``first``.

    ``owner`` keeps the memory. ``shared`` is the SharedFile that it belongs to, if it does.
    """
    cdef size_t stride = stripe_size(len(names))
    cdef Py_ssize_t index
    cdef Counter counter
    made = []
    for index in range(len(names)):
        counter = new_counter(
            names[index],
            <char *><intptr_t>first + index * sizeof(int64_t), stride, stripes, owner, None,
        )
        counter.shared = shared
        counter.index = index
        made.append(counter)
    return made


def new_counters(tuple names not None, stripes=None):
    """One Counter for each name, side by side in each of their stripes."""
    cdef size_t count = stripe_count(stripes)
    cdef Memory memory = Memory(count * stripe_size(len(names)))
    return counters_at(names, memory, <intptr_t>memory.first, count)


def plugin_counter(str name not None, address, plugin):
    """The counter that a plugin has at this address, which must be a ``jt_counter``."""
    return new_counter(name, <void *><intptr_t>address, JT_COUNTER_SIZE, 1, plugin, plugin)


def keep(thing):
    """Have threads use ``thing``, which nobody else has seen, without counting; returns it."""
    jt_make_immortal(<PyObject *>thing)
    return thing


def keep_own(*things):
    """Like `keep`, for things that others may know: those that this thread has made."""
    for thing in things:
        jt_make_own_immortal(<PyObject *>thing)


def thread_number():
    """The number of the calling thread: from 0 on, and below 64."""
    return jt_number_of_thread()


cdef int set_up() except -1:
    cdef Counter counter = Counter.__new__(Counter, PRIVATE)
    if <void *>&counter.cells != <void *>&(<jt_counting *><void *>counter).cells:
        raise ImportError("jumptable was built with a Counter whose layout its add doesn't know")
    jt_set_up_threads()
    return jt_install_add(<PyTypeObject *>Counter)


set_up()
