"""A thread that adds to a word, without the GIL, while another thread is timed that does the same.

Invariants
- Between turns it sleeps on a lock, and needs neither the GIL nor a processor.
- `begin` returns when it is adding, and `end` when it no longer is; so what is done in between was
  done beside it. One thread alone calls them and `close`; another one calls `run`, once.
- What both threads use is passed on by locks, except for ``stop``, which is atomic and has its
  cache line to itself: to look at it costs the adding thread next to nothing.
"""

from cpython.pythread cimport (
    WAIT_LOCK,
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)
from libc.stdint cimport int64_t, uintptr_t

cdef extern from "loops.h":
    """
    typedef struct {
        char before[JT_COUNTER_SIZE];
        int64_t stop;
        char after[JT_COUNTER_SIZE];
    } jt_ending;
    """
    ctypedef struct jt_ending:
        int64_t stop
    void jt_word_add(int64_t *word, int64_t n) nogil
    int64_t jt_word_load(const int64_t *word) nogil
    void run_add(int64_t *word, Py_ssize_t count) nogil

cdef enum:
    FIRST = 1000  # before a turn has begun
    MORE = 100    # between two looks at whether it has ended


cdef class Adder:
    """What such a thread does."""

    cdef jt_ending ending
    cdef int64_t *word
    cdef bint runs, adds, closed
    cdef PyThread_type_lock wake, ready, idle

    def __cinit__(self):
        self.wake = _new_lock()
        self.ready = _new_lock()
        self.idle = _new_lock()

    def __dealloc__(self):
        _free_lock(self.wake)
        _free_lock(self.ready)
        _free_lock(self.idle)

    def run(self):
        """Take turns until `close`; what the thread is made for."""
        if self.runs or self.closed:
            raise RuntimeError("an adder runs once, in one thread")
        self.runs = True
        with nogil:
            self.take_turns()

    cdef void take_turns(self) noexcept nogil:
        while True:
            PyThread_acquire_lock(self.wake, WAIT_LOCK)
            if self.word == NULL:
                return
            run_add(self.word, FIRST)
            PyThread_release_lock(self.ready)
            while not jt_word_load(&self.ending.stop):
                run_add(self.word, MORE)
            PyThread_release_lock(self.idle)

    def begin(self, uintptr_t address):
        """Have it add to the ``int64_t`` at ``address``, and wait until it does."""
        if address == 0:
            raise ValueError("the address is NULL: there is nothing to add to")
        if self.closed or self.adds:
            raise RuntimeError("the adder is closed" if self.closed else "the adder adds already")
        self.adds = True
        self.word = <int64_t *>address
        self.ending.stop = 0
        with nogil:
            PyThread_release_lock(self.wake)
            PyThread_acquire_lock(self.ready, WAIT_LOCK)

    def end(self):
        """Have it stop, and wait until it has."""
        if not self.adds:
            raise RuntimeError("the adder does not add")
        self.adds = False
        with nogil:
            jt_word_add(&self.ending.stop, 1)
            PyThread_acquire_lock(self.idle, WAIT_LOCK)

    def close(self):
        """Have `run` return; may be called again."""
        if self.adds:
            self.end()
        if not self.closed:
            self.closed = True
            self.word = NULL
            PyThread_release_lock(self.wake)


cdef PyThread_type_lock _new_lock() except NULL:
    """A lock that is held."""
    cdef PyThread_type_lock lock = PyThread_allocate_lock()
    if lock == NULL:
        raise MemoryError("the system has no more locks")
    PyThread_acquire_lock(lock, WAIT_LOCK)
    return lock


cdef void _free_lock(PyThread_type_lock lock) noexcept:
    if lock != NULL:
        PyThread_release_lock(lock)  # some systems refuse to free what is held
        PyThread_free_lock(lock)
