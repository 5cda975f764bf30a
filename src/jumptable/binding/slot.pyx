"""Slot: a callable that follows a table's swaps. Also what unbound slots hold, and what C calls."""

cimport cython
from cpython.object cimport PyObject, PyTypeObject

from ..counting.counter cimport Counter, jt_cells
from .facade cimport jt_load_member

from ..errors import UnboundSlotError

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept

cdef extern from "follow.h":
    ctypedef struct jt_follower:
        void *call
        PyObject *facade
        void *member
        const jt_cells *calls
    object jt_follow(object, PyObject *const *, size_t, object)

cdef extern from "guard.h":
    ctypedef struct jt_guarded:
        void *call
        PyObject *function
        PyObject *zero
        PyObject *where
    object jt_guard(object, PyObject *const *, size_t, object)

cdef extern from "Python.h":
    object PyVectorcall_Call(object, object, object)
    unsigned long Py_TPFLAGS_HAVE_VECTORCALL

cdef extern from *:
    """
    static void jt_enable_vectorcall(PyTypeObject *type, Py_ssize_t offset) {
        type->tp_vectorcall_offset = offset;
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
        PyType_Modified(type);
    }
    """
    void jt_enable_vectorcall(PyTypeObject *, Py_ssize_t) noexcept


# What only this module can pass: a Slot that nobody filled in must not exist.
cdef object PRIVATE = object()


@cython.final
@cython.no_gc_clear
cdef class Slot:
    """Calls whatever its table has bound to one name at the moment of the call.

    Made by `Table.slot`. Unlike a function that was read from the facade, it follows swaps. Safe to
    call from any thread.
    """

    def __cinit__(self, key=None):
        if key is not PRIVATE:
            raise TypeError("a Slot is made by Table.slot(name)")

    def __call__(self, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)

    @property
    def __wrapped__(self):
        """The target of this moment; what `inspect.signature` looks at."""
        return jt_load_member(<PyObject *>self.facade, <PyObject *>self.member)

    def __repr__(self):
        return f"<slot {self.__name__!r} of {type(self.facade).__name__}: {self.__wrapped__!r}>"

    def __reduce__(self):
        raise TypeError(f"cannot pickle the slot {self.__name__!r}: it belongs to this process")


cdef Slot new_slot(object facade, object member, str name, Counter counter):
    """A Slot that calls an attribute of ``facade``, and counts that if there is a ``counter``."""
    cdef Slot slot = Slot.__new__(Slot, PRIVATE)
    slot.facade = facade
    slot.member = member
    slot.counter = counter
    slot.calls = NULL if counter is None else &counter.cells
    slot.__name__ = name
    slot.call = <void *>jt_follow
    jt_make_immortal(<PyObject *>slot)
    return slot


@cython.final
cdef class Unbound:
    """What a slot holds until it is bound: every call raises UnboundSlotError."""

    cdef readonly str __name__
    cdef str table

    def __init__(self, str table not None, str name not None):
        self.table = table
        self.__name__ = name

    def __call__(self, *args, **kwargs):
        raise UnboundSlotError(
            f"{self.__name__}() was called, and nothing is bound to that slot of the table "
            f"{self.table}; call table.bind(plugin) first"
        )

    def __repr__(self):
        return f"<unbound slot {self.__name__!r} of {self.table}>"


@cython.final
cdef class Pending:
    """What a slot of a lazy table holds until its plugin is bound: the first call does that.

    One that was read from the facade before calls whatever is bound, as a Slot does.
    """

    def __init__(self, facade, member, opening, interface, str name not None):
        self.facade = facade
        self.member = member
        self.opening = opening
        self.interface = interface
        self.__name__ = name

    def __call__(self, *args, **kwargs):
        target = jt_load_member(<PyObject *>self.facade, <PyObject *>self.member)
        if target is self:
            self.opening.open(self.__name__)
            target = jt_load_member(<PyObject *>self.facade, <PyObject *>self.member)
        return target(*args, **kwargs)

    @property
    def __signature__(self):
        """The interface's own, for `inspect.signature`: asking the plugin would open it."""
        from .shapes import method_signature

        return method_signature(self.interface.type, self.__name__)

    def __repr__(self):
        return f"<slot {self.__name__!r} of {type(self.facade).__name__}, not loaded yet>"

    def __reduce__(self):
        raise TypeError(f"cannot pickle the slot {self.__name__!r}: it belongs to this process")


@cython.final
@cython.no_gc_clear
cdef class Guarded:
    """Calls ``function``; reports what it raises, as an exception in ``where``, and gives ``zero``.

    Only for callers by vectorcall, such as ctypes: see guard.h.
    """

    # In this order first: guard.h finds them.
    cdef void *call
    cdef object function
    cdef object zero
    cdef object where

    def __cinit__(self, function, zero, where):
        self.function = function
        self.zero = zero
        self.where = where
        self.call = <void *>jt_guard

    def __call__(self, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)


cdef int set_up() except -1:
    cdef Slot slot = Slot.__new__(Slot, PRIVATE)
    cdef Guarded guarded = Guarded.__new__(Guarded, "function", "zero", "where")
    cdef jt_follower *head = <jt_follower *><void *>slot
    cdef jt_guarded *start = <jt_guarded *><void *>guarded
    slot.facade, slot.member = "facade", "member"
    if (
        <void *>&slot.call != <void *>&head.call
        or <PyObject *>slot.facade != head.facade
        or <PyObject *>slot.member != <PyObject *>head.member
        or <void *>&slot.calls != <void *>&head.calls
    ):
        raise ImportError("jumptable was built with a Slot whose layout its call doesn't know")
    if (
        <void *>&guarded.call != <void *>&start.call
        or <PyObject *>guarded.function != start.function
        or <PyObject *>guarded.zero != start.zero
        or <PyObject *>guarded.where != start.where
    ):
        raise ImportError("jumptable was built with a Guarded whose layout its call doesn't know")
    jt_enable_vectorcall(<PyTypeObject *>Slot, <char *>&slot.call - <char *>head)
    jt_enable_vectorcall(<PyTypeObject *>Guarded, <char *>&guarded.call - <char *>start)
    return 0


set_up()
