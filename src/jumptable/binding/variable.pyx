"""A plugin's global variables: its own memory, read and written by the conversions of calls."""

cimport cython
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from .plan cimport (
    JT_ADDRESS,
    JT_BUFFER,
    JT_DOUBLE,
    JT_FLOAT,
    JT_OBJECT,
    JT_STRING,
    Plan,
    jt_native,
    jt_type,
    jt_views,
    jt_word,
)

from .signatures import Signature

cdef extern from "Python.h":
    void Py_XDECREF(PyObject *) noexcept

cdef extern from *:
    """
    /* Reading a pointer and counting the reference must be one step for other threads. */
    #ifdef Py_BEGIN_CRITICAL_SECTION
    #define JT_BEGIN(object) Py_BEGIN_CRITICAL_SECTION(object)
    #define JT_END() Py_END_CRITICAL_SECTION()
    #else
    #define JT_BEGIN(object) {
    #define JT_END() }
    #endif

    static PyObject *jt_get_object(PyObject *variable, void *address) {
        PyObject *held;
        JT_BEGIN(variable);
        held = *(PyObject **)address;
        Py_XINCREF(held);
        JT_END();
        return held;
    }

    static void jt_set_object(PyObject *variable, void *address, PyObject *value) {
        PyObject *old;
        Py_INCREF(value);
        JT_BEGIN(variable);
        old = *(PyObject **)address;
        *(PyObject **)address = value;
        JT_END();
        Py_XDECREF(old);
    }
    """
    PyObject *jt_get_object(PyObject *, void *) noexcept
    void jt_set_object(PyObject *, void *, object) noexcept

cdef extern from "convert.h":
    int jt_convert(const jt_native *, Py_ssize_t, PyObject *, jt_word *, jt_views *) except -1
    object jt_result(const jt_native *, jt_word)


# What only this module can pass: a Variable that nobody filled in must not exist.
cdef object PRIVATE = object()


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

    def __cinit__(self, key=None):
        if key is not PRIVATE:
            raise TypeError("a Variable is made by a look-up, jumptable.open(target).lookup(...)")

    cdef fill(self, str name, ctype, address, plugin, bint writable):
        self.plan = Plan(Signature(ctype, (ctype,), False), variable=True)
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
            held = jt_get_object(<PyObject *>self, address)
            if held == NULL:
                raise AttributeError(f"{self.name} is NULL: the plugin has not set it")
            value = <object>held
            Py_XDECREF(held)
            return value
        load(&word, address, &self.plan.plan.result)
        return jt_result(&self.native, word)

    @value.setter
    def value(self, value):
        cdef jt_word word
        cdef jt_views none
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
            jt_set_object(<PyObject *>self, self.native.address, value)
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


def make_variable(str name not None, ctype, address, plugin, *, bint writable):
    """The variable of type ``ctype``, a `CType`, at ``address``, which must be in the plugin."""
    cdef Variable variable = Variable.__new__(Variable, PRIVATE)
    variable.fill(name, ctype, address, plugin, writable)
    return variable


def variable_of(plugin, name, ctype):
    """A plugin's variable; how variables are unpickled."""
    return plugin.lookup(name, ctype)


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
