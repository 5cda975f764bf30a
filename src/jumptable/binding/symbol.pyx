"""From a resolved address to a builtin function.

A native symbol becomes a real ``PyCFunction``, because the interpreter has specialised
instructions for calling those and for nothing else that can be made at run time. Its
``__self__`` is the `Symbol`, which holds all that the trampoline reads.

Invariants
- A `Symbol` never changes after `make_function`. Any number of threads may call, on builds with
  and without the GIL.
- The function keeps its Symbol alive, the Symbol its plan (a reference that is counted by hand,
  to keep Symbols small), name, ``ml_doc`` and owner. The Symbol does not refer to the function,
  so both die by reference count.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.number cimport PyNumber_Index
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_CheckExact, PyCapsule_GetName, PyCapsule_GetPointer
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.math cimport isfinite, isnan
from libc.stdint cimport uint8_t, uintptr_t
from libc.string cimport memcpy

from .plan cimport Plan, PyMethodDef, jt_extras, jt_native, jt_plan

cdef extern from "Python.h":
    object PyCFunction_NewEx(PyMethodDef *, PyObject *, PyObject *)
    bint PyCFunction_CheckExact(object) noexcept
    PyObject *PyCFunction_GET_SELF(object) noexcept
    void Py_XDECREF(PyObject *) noexcept
    int METH_FASTCALL

cdef extern from "native.h":
    ctypedef struct jt_symbol:
        jt_native native

cdef extern from *:
    """
    static PyMethodDef *jt_definition(PyObject *function) {
        return ((PyCFunctionObject *)function)->m_ml;
    }
    """
    PyMethodDef *jt_definition(object) noexcept

cdef extern from "defaults.h":
    void *jt_filled_method() noexcept
    int jt_check_default(const jt_native *, Py_ssize_t, PyObject *) except -1

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept


EVIDENCE = ("asserted", "capsule", "embedded", "dwarf")


cdef Plan plan_of(const jt_native *native):
    return <Plan>native.plan.owner


# What only this module can pass: a Symbol that nobody filled in must not exist.
cdef object PRIVATE = object()


@cython.final
@cython.no_gc_clear
cdef class Symbol:
    """Where a native function comes from; the ``__self__`` of every function that is looked up.

    ``name`` is the function's; ``plugin`` is None for `from_pointer`. ``evidence`` says what
    vouches for the signature: "embedded" (the library's own declaration), "capsule" (the module
    that exports the function), "dwarf" (the library's debug information) or "asserted" (only the
    caller). Immutable, and safe to use from any thread.
    """

    # First, and there is no vtable: trampolines find it by jt_symbol's layout.
    cdef jt_native native
    cdef readonly str name
    cdef object owner
    cdef uint8_t from_plugin
    cdef uint8_t evidence_index

    def __cinit__(self, key=None):
        if key is not PRIVATE:
            raise TypeError("a Symbol is made by a look-up, jumptable.open(target).lookup(...)")

    def __dealloc__(self):
        if self.native.extras != NULL:
            Py_XDECREF(self.native.extras.generic)
            Py_XDECREF(self.native.extras.defaults)
            PyMem_Free(self.native.extras)
        PyMem_Free(<void *>self.native.method.ml_doc)
        if self.native.plan != NULL:
            Py_XDECREF(self.native.plan.owner)

    @property
    def plugin(self):
        """The Plugin that the function was looked up in."""
        return self.owner if self.from_plugin else None

    @property
    def signature(self):
        """The C signature, spelled canonically: ``double(double, int32_t)``."""
        return plan_of(&self.native).signature.text

    @property
    def address(self):
        """Where the code is, as an int."""
        return <uintptr_t>self.native.address

    @property
    def evidence(self):
        """What vouches for the signature: "embedded", "capsule", "dwarf" or "asserted"."""
        return EVIDENCE[self.evidence_index]

    def __repr__(self):
        origin = f" of {self.owner!r}" if self.from_plugin else f" at {self.address:#x}"
        declaration = plan_of(&self.native).signature.declaration(self.name)
        return f"<Symbol {declaration!r}{origin}>"

    def __getattr__(self, attribute):
        # A builtin function pickles as getattr(its __self__, its __name__).
        if self.from_plugin and attribute == self.name:
            return looked_up(self.owner, self.name, self.signature, defaults_of(self))
        raise AttributeError(f"'Symbol' object has no attribute {attribute!r}")

    def __reduce__(self):
        if not self.from_plugin:
            raise TypeError(
                f"cannot pickle {self.name}(): it was made from a pointer, and an address means "
                "nothing in another process; look it up in a plugin instead"
            )
        reference = (self.owner, self.name, self.signature)
        defaults = defaults_of(self)
        if defaults:
            reference += (defaults,)
        # Where the function's name is one of our own attributes, getattr would find that.
        return (FunctionReference if hasattr(type(self), self.name) else symbol_of, reference)


cdef tuple defaults_of(Symbol symbol):
    cdef jt_extras *extras = symbol.native.extras
    return () if extras == NULL or extras.defaults == NULL else <tuple>extras.defaults


cdef looked_up(plugin, name, signature, defaults):
    if defaults:
        return plugin._with_defaults(name, signature, defaults)
    return plugin.lookup(name, signature)


def symbol_of(plugin, name, signature, defaults=()):
    """The Symbol of a function; how symbols are unpickled."""
    return looked_up(plugin, name, signature, defaults).__self__


class FunctionReference:
    """Stands for a Symbol while a function is unpickled whose name is an attribute of Symbol."""

    def __init__(self, plugin, name, signature, defaults=()):
        setattr(self, name, looked_up(plugin, name, signature, defaults))


def make_function(
    str name not None,
    Plan plan not None,
    address,
    owner,
    *,
    bint from_plugin,
    str evidence="asserted",
    tuple defaults=(),
):
    """A builtin function that calls the code at ``address`` as ``plan`` says.

    ``owner`` is kept alive with the function; ``from_plugin`` says that it is a Plugin.
    ``defaults``, of the last parameters, are what `checked_defaults` gave.
    """
    cdef Symbol symbol = Symbol.__new__(Symbol, PRIVATE)
    cdef bytes doc
    cdef char *kept
    cdef Py_ssize_t size
    if "\0" in name:
        raise ValueError(f"a function's name cannot hold a NUL: {name!r}")
    Py_INCREF(plan)
    symbol.native.plan = plan.plan
    symbol.name = name
    symbol.owner = owner
    symbol.from_plugin = from_plugin
    symbol.evidence_index = EVIDENCE.index(evidence)
    symbol.native.address = <void *><uintptr_t>address
    if defaults or plan.prototype is not None:
        symbol.native.extras = <jt_extras *>PyMem_Calloc(1, sizeof(jt_extras))
        if symbol.native.extras == NULL:
            raise MemoryError
    if plan.prototype is not None:
        function = plan.prototype(address)
        Py_INCREF(function)
        symbol.native.extras.generic = <PyObject *>function
        if from_plugin:  # as the function that calls it, which threads share
            jt_make_immortal(<PyObject *>function)
    names = []
    for k in range(plan.plan.visible):
        names.append(f"arg{k + 1}")
    if defaults:
        for index, value in enumerate(defaults, len(names) - len(defaults)):
            names[index] += f"={expression(value)}"
        Py_INCREF(defaults)
        symbol.native.extras.defaults = <PyObject *>defaults
    listed = ", ".join(names)
    if listed:
        listed += ", /"
    # In the form from which CPython makes __text_signature__; it compares the part after a dot.
    doc = (
        f"{name.rpartition('.')[2]}({listed})\n--\n\n{plan.signature.declaration(name)}"
    ).encode()
    size = len(doc) + 1
    kept = <char *>PyMem_Malloc(size)
    if kept == NULL:
        raise MemoryError
    memcpy(kept, PyBytes_AS_STRING(doc), size)
    symbol.native.method.ml_doc = kept
    symbol.native.method.ml_name = PyUnicode_AsUTF8(name)
    symbol.native.method.ml_meth = jt_filled_method() if defaults else plan.plan.trampoline
    symbol.native.method.ml_flags = METH_FASTCALL if defaults else plan.plan.flags
    function = PyCFunction_NewEx(&symbol.native.method, <PyObject *>symbol, NULL)
    if from_plugin:
        jt_make_immortal(<PyObject *>function)
    return function


def direct_address(function, signature, bint nogil):
    """Where C may call ``function`` as ``signature`` says, and what owns the code there.

    The address is 0 where the call has to go through Python. The owner is None for what is never
    freed. ``nogil``: the caller does not hold the GIL. A function that may use Python's C API is
    then called directly only if it was looked up as ``nogil``: who did so says that it can be.
    """
    cdef Symbol symbol
    cdef const jt_plan *plan
    if not PyCFunction_CheckExact(function):
        return 0, None
    own = PyCFunction_GET_SELF(function)
    if own == NULL or type(<object>own) is not Symbol:
        return 0, None
    symbol = <Symbol><object>own
    if jt_definition(function) != &symbol.native.method:
        return 0, None  # a method of the Symbol itself
    plan = symbol.native.plan
    if plan.count != plan.visible or (nogil and plan.checked and not plan.nogil):
        return 0, None
    declared = plan_of(&symbol.native).signature
    if declared.text != signature.text and declared.machine != signature.machine:
        return 0, None
    owned = not symbol.from_plugin and not isinstance(symbol.owner, int)
    return <uintptr_t>symbol.native.address, symbol.owner if owned else None


cdef str nan_module():
    import math  # so that the name means something to inspect

    return math.__name__


cdef str expression(value):
    """A default as inspect.signature reads it back; it evaluates literals, and names of modules."""
    if type(value) is float and not isfinite(value):
        if isnan(value):
            return f"{nan_module()}.nan"
        return "1e999" if value > 0 else "-1e999"
    return ascii(value)  # inspect reads no other text


def checked_defaults(function, tuple defaults not None):
    """Defaults for the last parameters of a native function, as plain values that never change.

    TypeError, OverflowError or ValueError, as a call would raise, for what a parameter refuses.
    """
    cdef Symbol symbol = function.__self__
    cdef Py_ssize_t first = plan_of(&symbol.native).plan.visible - len(defaults)
    if first < 0:
        raise TypeError(f"{symbol.name}() has fewer parameters than the {len(defaults)} defaults")
    checked = []
    for index, value in enumerate(defaults, first):
        checked.append(plain(value, f"{symbol.name}() argument {index + 1}"))
        jt_check_default(&symbol.native, index, <PyObject *>checked[-1])
    return tuple(checked)


cdef plain(value, str place):
    """The exact int, float, str or bytes that a default is, without what a subclass adds."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if value is ...:
        raise TypeError(f"{place}: the default is '...', which is no value; write the value itself")
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes.__add__(value, b"")
    if isinstance(value, float):
        return float.__float__(value)
    failed = ""
    try:
        if hasattr(type(value), "__index__"):
            return PyNumber_Index(value)
        if hasattr(type(value), "__float__"):
            return float(value)
    except Exception as error:  # of an array, or whatever a class of the interface raises
        failed = f", which raised {type(error).__name__} when it was converted to a number"
    raise TypeError(
        f"{place}: the default is of type {type(value).__name__}{failed}; one that every call "
        "shares is a number, str, bytes or None"
    )


def with_defaults(function, tuple defaults not None):
    """A native function like ``function``, with defaults that `checked_defaults` gave."""
    cdef Symbol symbol = function.__self__
    return make_function(
        symbol.name,
        plan_of(&symbol.native),
        symbol.address,
        symbol.owner,
        from_plugin=symbol.from_plugin,
        evidence=EVIDENCE[symbol.evidence_index],
        defaults=defaults,
    )


def is_capsule(candidate):
    """Whether this is a PyCapsule."""
    return PyCapsule_CheckExact(candidate)


def capsule_contents(capsule):
    """A capsule's pointer, as an int, and its name, or None; ValueError if it isn't one."""
    cdef const char *name = PyCapsule_GetName(capsule)
    cdef void *pointer = PyCapsule_GetPointer(capsule, name)
    return <uintptr_t>pointer, None if name == NULL else name.decode()


cdef int check_layout() except -1:
    cdef Symbol symbol = Symbol.__new__(Symbol, PRIVATE)
    if <void *>&symbol.native != <void *>&(<jt_symbol *><PyObject *>symbol).native:
        raise ImportError("jumptable was built with a Symbol whose layout trampolines don't know")
    return 0


check_layout()
