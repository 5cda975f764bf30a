"""From a resolved address to what Python holds: a builtin function, or a variable.

A native symbol becomes a real ``PyCFunction``, because the interpreter has specialised
instructions for calling those and for nothing else that can be made at run time. Its
``__self__`` is the `Symbol`, which holds all that the trampoline reads.

Invariants
- A `Plan` never changes after ``__cinit__``; a `Symbol` never changes after `make_function`.
  Any number of threads may call, on builds with and without the GIL.
- The function keeps its Symbol alive, the Symbol its plan (a reference that is counted by hand,
  to keep Symbols small), name, ``ml_doc`` and owner. The Symbol does not refer to the function,
  so both die by reference count.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_CheckExact, PyCapsule_GetName, PyCapsule_GetPointer
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.limits cimport CHAR_MIN
from libc.stdint cimport (
    INT64_MIN,
    UINT64_MAX,
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
    uint64_t,
    uintptr_t,
)
from libc.string cimport memcpy

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    object PyCFunction_NewEx(PyMethodDef *, PyObject *, PyObject *)
    void Py_XDECREF(PyObject *) noexcept

cdef extern from "choose.h":
    ctypedef enum jt_kind:
        JT_VOID
        JT_BOOL
        JT_SIGNED
        JT_UNSIGNED
        JT_FLOAT
        JT_DOUBLE
        JT_STRING
        JT_ADDRESS
        JT_BUFFER
        JT_OBJECT
        JT_CHAR
        JT_ZERO
    ctypedef struct jt_type:
        const char *ctype
        uint8_t kind, size, item, item_size, constant, shift
        int64_t low
        uint64_t span
    ctypedef struct jt_plan:
        jt_type result
        Py_ssize_t count, visible
        PyObject *owner
        void *trampoline
        int flags
        uint8_t nogil, checked, variable
        jt_type *params
    ctypedef struct jt_native:
        PyMethodDef method
        void *address
        const jt_plan *plan
        PyObject *generic
    ctypedef struct jt_symbol:
        jt_native native
    ctypedef union jt_word:
        int64_t i
        uint64_t u
        void *p
    ctypedef struct jt_views:
        Py_ssize_t held
    int jt_choose(jt_plan *, int) noexcept
    int jt_convert(const jt_native *, Py_ssize_t, PyObject *, jt_word *, jt_views *) except -1
    object jt_result(const jt_native *, jt_word)

cdef extern from *:
    """
    #define jt_sizeof_plan(count) (sizeof(jt_plan) + (size_t)(count) * sizeof(jt_type))

    /* Without a GIL, threads that call one function would share its reference count. A plugin's
     * functions live as long as the process, so theirs need not be counted. */
    static void jt_make_immortal(PyObject *function) {
    #ifdef Py_GIL_DISABLED
        PyObject_GC_UnTrack(function);
        function->ob_tid = _Py_UNOWNED_TID;
        function->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
        function->ob_ref_shared = 0;
    #else
        (void)function;
    #endif
    }
    """
    size_t jt_sizeof_plan(Py_ssize_t) noexcept
    void jt_make_immortal(PyObject *) noexcept


# The number types of the grammar: their kind and their size in bytes, as this C compiler has them.
cdef str SIGN_OF_CHAR = "signed" if CHAR_MIN < 0 else "unsigned"
NUMBERS = {
    "bool": ("bool", 1),
    "float": ("float", sizeof(float)),
    "double": ("double", sizeof(double)),
    "int8_t": ("signed", 1),
    "int16_t": ("signed", 2),
    "int32_t": ("signed", 4),
    "int64_t": ("signed", 8),
    "uint8_t": ("unsigned", 1),
    "uint16_t": ("unsigned", 2),
    "uint32_t": ("unsigned", 4),
    "uint64_t": ("unsigned", 8),
    "char": (SIGN_OF_CHAR, 1),
    "signed char": ("signed", 1),
    "unsigned char": ("unsigned", 1),
    "short": ("signed", sizeof(short)),
    "unsigned short": ("unsigned", sizeof(short)),
    "int": ("signed", sizeof(int)),
    "unsigned int": ("unsigned", sizeof(int)),
    "long": ("signed", sizeof(long)),
    "unsigned long": ("unsigned", sizeof(long)),
    "long long": ("signed", sizeof(long long)),
    "unsigned long long": ("unsigned", sizeof(long long)),
    "size_t": ("unsigned", sizeof(size_t)),
    "ssize_t": ("signed", sizeof(Py_ssize_t)),
    "intptr_t": ("signed", sizeof(uintptr_t)),
    "uintptr_t": ("unsigned", sizeof(uintptr_t)),
}

cdef dict KINDS = {
    "void": JT_VOID,
    "bool": JT_BOOL,
    "signed": JT_SIGNED,
    "unsigned": JT_UNSIGNED,
    "float": JT_FLOAT,
    "double": JT_DOUBLE,
    "string": JT_STRING,
    "address": JT_ADDRESS,
    "buffer": JT_BUFFER,
    "object": JT_OBJECT,
    "char": JT_CHAR,
}


cdef int describe(jt_type *out, ctype) except -1:
    """Fill in a parameter or a result; the caller keeps ``ctype.text`` alive."""
    cdef int kind = KINDS[ctype.kind], bits = 8 * <int>ctype.size
    out.ctype = PyUnicode_AsUTF8(ctype.text)
    out.kind = kind
    out.size = ctype.size
    out.item = KINDS[ctype.item]
    out.item_size = ctype.item_size
    out.constant = ctype.constant
    out.shift = 64 - bits if kind in (JT_SIGNED, JT_UNSIGNED) else 0
    if kind == JT_BOOL:
        out.low, out.span = 0, 1
    elif kind == JT_SIGNED:
        out.low = INT64_MIN >> (64 - bits)
        out.span = UINT64_MAX >> (64 - bits)
    elif kind in (JT_UNSIGNED, JT_ADDRESS):
        # A uint64_t beyond INT64_MAX is left to the conversion's slow half.
        out.low, out.span = 0, UINT64_MAX >> max(64 - bits, 1)
    return 0


@cython.final
@cython.no_gc
cdef class Plan:
    """What all functions of one signature share: types, and the trampoline for them.

    ``checked``: the callee uses Python's C API, so its exceptions are looked for after the call.
    ``generic`` forces the path through libffi, for tests.
    """

    cdef jt_plan *plan
    cdef readonly object signature
    cdef readonly bint needs_generic

    def __cinit__(self, signature, *, bint checked=False, bint generic=False):
        cdef Py_ssize_t index, visible = len(signature.params)
        cdef Py_ssize_t count = visible + signature.hidden
        self.plan = <jt_plan *>PyMem_Calloc(1, jt_sizeof_plan(count))
        if self.plan == NULL:
            raise MemoryError
        self.signature = signature
        self.plan.owner = <PyObject *>self
        self.plan.count = count
        self.plan.visible = visible
        self.plan.nogil = signature.nogil
        describe(&self.plan.result, signature.result)
        for index in range(visible):
            describe(&self.plan.params[index], signature.params[index])
        for index in range(visible, count):
            self.plan.params[index].kind = JT_ZERO
        self.plan.checked = checked or "object" in signature.text
        self.needs_generic = jt_choose(self.plan, generic)

    def __dealloc__(self):
        PyMem_Free(self.plan)


EVIDENCE = ("asserted", "capsule")


cdef Plan plan_of(const jt_native *native):
    return <Plan>native.plan.owner


# What only this module can pass: a Symbol that nobody filled in must not exist.
cdef object PRIVATE = object()


@cython.final
@cython.no_gc_clear
cdef class Symbol:
    """Where a native function comes from; the ``__self__`` of every function that is looked up.

    ``name`` is the function's; ``plugin`` is None for `from_pointer`. ``evidence`` says what
    vouches for the signature: "asserted" (only the caller) or "capsule" (the module that exports
    the function). Immutable, and safe to use from any thread.
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
        Py_XDECREF(self.native.generic)
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
        """What vouches for the signature: "asserted" or "capsule"."""
        return EVIDENCE[self.evidence_index]

    def __repr__(self):
        origin = f" of {self.owner!r}" if self.from_plugin else f" at {self.address:#x}"
        declaration = plan_of(&self.native).signature.declaration(self.name)
        return f"<Symbol {declaration!r}{origin}>"

    def __getattr__(self, attribute):
        # A builtin function pickles as getattr(its __self__, its __name__).
        if self.from_plugin and attribute == self.name:
            return self.owner.lookup(self.name, self.signature)
        raise AttributeError(f"'Symbol' object has no attribute {attribute!r}")

    def __reduce__(self):
        if not self.from_plugin:
            raise TypeError(
                f"cannot pickle {self.name}(): it was made from a pointer, and an address means "
                "nothing in another process; look it up in a plugin instead"
            )
        reference = (self.owner, self.name, self.signature)
        # Where the function's name is one of our own attributes, getattr would find that.
        return (FunctionReference if hasattr(type(self), self.name) else symbol_of, reference)


def symbol_of(plugin, name, signature):
    """The Symbol of a function; how symbols are unpickled."""
    return plugin.lookup(name, signature).__self__


class FunctionReference:
    """Stands for a Symbol while a function is unpickled whose name is an attribute of Symbol."""

    def __init__(self, plugin, name, signature):
        setattr(self, name, plugin.lookup(name, signature))


def make_function(
    str name not None,
    Plan plan not None,
    address,
    owner,
    *,
    bint from_plugin,
    str evidence="asserted",
):
    """A builtin function that calls the code at ``address`` as ``plan`` says.

    ``owner`` is kept alive with the function; ``from_plugin`` says that it is a Plugin.
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
    if plan.needs_generic:
        from .generic import ctypes_function

        function = ctypes_function(plan.signature, address)
        Py_INCREF(function)
        symbol.native.generic = <PyObject *>function
    listed = ", ".join([f"arg{k + 1}" for k in range(plan.plan.visible)])
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
    symbol.native.method.ml_meth = plan.plan.trampoline
    symbol.native.method.ml_flags = plan.plan.flags
    function = PyCFunction_NewEx(&symbol.native.method, <PyObject *>symbol, NULL)
    if from_plugin:
        jt_make_immortal(<PyObject *>function)
    return function


@cython.final
cdef class Variable:
    """A plugin's global variable: ``value`` reads and writes the plugin's own memory.

    Reading and writing is C's plain access: nothing orders it with what other threads do. A
    variable in read-only memory has ``writable`` false and cannot be written (AttributeError); a
    value that the type cannot hold is OverflowError or TypeError, and changes nothing. ``name``
    and ``plugin`` say whose variable it is.
    """

    cdef jt_native native
    cdef Plan plan
    cdef readonly str name
    cdef readonly object plugin
    cdef readonly bint writable

    def __cinit__(self, str name not None, ctype, address, plugin, *, bint writable):
        self.plan = variable_plan(ctype)
        self.name = name
        self.plugin = plugin
        self.writable = writable
        self.native.plan = self.plan.plan
        self.native.method.ml_name = PyUnicode_AsUTF8(name)
        self.native.address = <void *><uintptr_t>address

    @property
    def type(self):
        """The C type, spelled canonically: ``int32_t``."""
        return self.plan.signature.result.text

    @property
    def address(self):
        """Where the variable is, as an int."""
        return <uintptr_t>self.native.address

    @property
    def value(self):
        """What the variable holds now, as a function that returned it would give it."""
        cdef jt_word word
        cdef void *address = self.native.address
        cdef PyObject *held
        if self.plan.plan.result.kind == JT_OBJECT:
            held = (<PyObject **>address)[0]
            if held == NULL:
                raise AttributeError(f"{self.name} is NULL: the plugin has not set it")
            return <object>held
        load(&word, address, &self.plan.plan.result)
        return jt_result(&self.native, word)

    @value.setter
    def value(self, value):
        cdef jt_word word
        cdef jt_views none
        cdef PyObject *old
        cdef int kind = self.plan.plan.result.kind
        if not self.writable:
            raise AttributeError(
                f"{self.name} cannot be written: it is constant, in the plugin's read-only memory"
            )
        if kind in (JT_STRING, JT_BUFFER) or (
            kind == JT_ADDRESS and not isinstance(value, int) and value is not None
        ):
            raise TypeError(
                f"{self.name}.value: expected an int address or None for a 'void *', got "
                f"{type(value).__name__} for '{self.type}'; the plugin would keep a pointer to "
                "memory that Python may free: look the variable up as 'void *', and keep the "
                "memory alive yourself"
            )
        if kind == JT_OBJECT:
            Py_INCREF(value)
            old = (<PyObject **>self.native.address)[0]
            (<PyObject **>self.native.address)[0] = <PyObject *>value
            Py_XDECREF(old)
            return
        none.held = 0
        jt_convert(&self.native, 0, <PyObject *>value, &word, &none)
        store(self.native.address, word, &self.plan.plan.result)

    @value.deleter
    def value(self):
        raise AttributeError(f"{self.name} cannot be deleted: it is the plugin's own memory")

    def __repr__(self):
        return f"<Variable '{self.type} {self.name}' of {self.plugin!r}>"

    def __reduce__(self):
        return variable_of, (self.plugin, self.name, self.type)


def variable_of(plugin, name, ctype):
    """A plugin's variable; how variables are unpickled."""
    return plugin.lookup(name, ctype)


def is_capsule(candidate):
    """Whether this is a PyCapsule."""
    return PyCapsule_CheckExact(candidate)


def capsule_contents(capsule):
    """A capsule's pointer, as an int, and its name, or None; ValueError if it isn't one."""
    cdef const char *name = PyCapsule_GetName(capsule)
    cdef void *pointer = PyCapsule_GetPointer(capsule, name)
    return <uintptr_t>pointer, None if name == NULL else name.decode()


cdef Plan variable_plan(ctype):
    from .signatures import Signature

    cdef Plan plan = Plan(Signature(ctype, (ctype,), False))
    plan.plan.variable = True
    plan.plan.checked = False
    return plan


cdef void load(jt_word *word, const void *address, const jt_type *type) noexcept:
    word.u = 0
    if type.kind in (JT_FLOAT, JT_DOUBLE):
        memcpy(word, address, type.size)
    elif type.size == 1:
        word.u = (<const uint8_t *>address)[0]
    elif type.size == 2:
        word.u = (<const uint16_t *>address)[0]
    elif type.size == 4:
        word.u = (<const uint32_t *>address)[0]
    else:
        word.u = (<const uint64_t *>address)[0]


cdef void store(void *address, jt_word word, const jt_type *type) noexcept:
    if type.kind in (JT_FLOAT, JT_DOUBLE):
        memcpy(address, &word, type.size)
    elif type.size == 1:
        (<uint8_t *>address)[0] = <uint8_t>word.u
    elif type.size == 2:
        (<uint16_t *>address)[0] = <uint16_t>word.u
    elif type.size == 4:
        (<uint32_t *>address)[0] = <uint32_t>word.u
    else:
        (<uint64_t *>address)[0] = word.u


cdef int check_layout() except -1:
    cdef Symbol symbol = Symbol.__new__(Symbol, PRIVATE)
    if <void *>&symbol.native != <void *>&(<jt_symbol *><PyObject *>symbol).native:
        raise ImportError("jumptable was built with a Symbol whose layout trampolines don't know")
    return 0


check_layout()
