"""What generic functions and methods are made of. Their calls are in dispatch.h and methods.h."""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uintptr_t

from .typetable cimport (
    JT_STAMPED,
    TypeTable,
    forget_all,
    jt_typefound,
    jt_typetable_find,
    jt_typetable_generation,
    jt_typetable_stamp,
    keep,
    restamp,
)

import functools
import types
from abc import get_cache_token
from itertools import islice

cdef extern from "dispatch.h":
    enum:
        JT_ASKS
    ctypedef struct jt_dispatcher:
        void *call
        void *table
    ctypedef struct jt_dispatch_t:
        object resolve(PyObject *, PyObject *)
        object refuse(PyObject *)
    jt_dispatch_t jt_dispatch
    void jt_find_abc_token(PyObject *) noexcept
    uintptr_t jt_abc_token() noexcept
    bint jt_holds(jt_typefound *) noexcept
    object jt_call_generic(PyObject *, PyObject *const *, size_t, PyObject *)
    void jt_call_directly(PyTypeObject *, Py_ssize_t) noexcept
    int jt_call_as_function(PyTypeObject *, Py_ssize_t) except -1

cdef extern from "methods.h":
    ctypedef struct jt_bound:
        void *call
        PyObject *method
        PyObject *instance
        PyObject *owner
    ctypedef struct jt_methods_t:
        PyTypeObject *dispatcher
        object bind(PyObject *, PyObject *, PyObject *)
        object bind_stock(PyObject *, PyObject *, PyObject *)
    jt_methods_t jt_methods
    object jt_call_bound(PyObject *, PyObject *const *, size_t, PyObject *)
    object jt_new_method_type(const char *, PyTypeObject *)
    PyObject *jt_swap_dispatcher(PyObject *, PyObject *) noexcept
    void jt_bind_as_function(PyTypeObject *) noexcept

cdef extern from "../binding/atomics.h":
    void jt_store_number(uintptr_t *, uintptr_t) noexcept
    uintptr_t jt_load_number(uintptr_t *) noexcept

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept

cdef extern from "Python.h":
    object PyVectorcall_Call(object, object, object)
    bint PyType_Check(object)
    void Py_XDECREF(PyObject *)

# Taken here, since this module is not loaded again where jumptable.functools is reloaded.
STOCK = functools.singledispatch, functools.singledispatchmethod

cdef object TOKEN = get_cache_token
cdef object find_implementation = functools._find_impl
cdef object MISSING = object()
cdef uintptr_t ABSTRACT = <uintptr_t>-1
cdef uintptr_t NO_TOKEN = <uintptr_t>-1
cdef object mro_of = type.__dict__["__mro__"].__get__


cdef extern from *:
    """
    /* Attributes are looked up as those of most objects are: data of the type come first. */
    static int jt_looks_up_usually(PyObject *type) {
        return ((PyTypeObject *)type)->tp_getattro == PyObject_GenericGetAttr;
    }

    /* 1, 0, or -1 with an error. */
    static int jt_defines(PyObject *type, PyObject *name) {
    #if PY_VERSION_HEX >= 0x030C0000
        PyObject *names = PyType_GetDict((PyTypeObject *)type);
    #else
        PyObject *names = ((PyTypeObject *)type)->tp_dict;
        Py_XINCREF(names);
    #endif
        int defines = names == NULL ? 0 : PyDict_Contains(names, name);
        Py_XDECREF(names);
        return defines;
    }
    """
    bint jt_looks_up_usually(object) noexcept
    bint jt_defines(object, object) except -1


cdef bint has_own_class(object cls) except -1:
    """Whether an instance can give another ``__class__`` than its type."""
    cdef tuple mro = mro_of(cls)
    for base in mro:
        if base is not object and jt_defines(base, "__class__"):
            return True
    if jt_looks_up_usually(cls):
        return False
    for base in mro:
        if jt_defines(base, "__getattribute__"):
            # Modules and types find `__class__` where others do.
            return not jt_looks_up_usually(base) and base not in (type, types.ModuleType)
    return True


cdef bint has_abstract(Dispatcher self, dict registry) except -1:
    """Whether an abstract base class is registered. Only new registrations are looked at: they are
    never taken back."""
    cdef uintptr_t looked_at = jt_load_number(&self.without_abstract)
    if looked_at == ABSTRACT:
        return True
    if looked_at < <uintptr_t>len(registry):
        for each in islice(registry, looked_at, None):
            if PyType_Check(each) and jt_defines(each, "__abstractmethods__"):
                jt_store_number(&self.without_abstract, ABSTRACT)
                return True
        jt_store_number(&self.without_abstract, len(registry))
    return False


cdef object search(Dispatcher self, object cls, uintptr_t *flags):
    """The implementation for a class that has none of its own, as functools finds it."""
    cdef dict registry = self.registry.copy()  # others may register while this one is searched
    if has_abstract(self, registry):
        flags[0] |= JT_STAMPED
    return find_implementation(cls, registry)


cdef object implementation(Dispatcher self, object cls):
    cdef void *key = <void *>cls
    cdef jt_typefound found
    cdef uintptr_t generation, token, flags = 0
    if not PyType_Check(cls):
        return self.stock(cls)
    if jt_typetable_find(self.table, 1, &key, &found):
        found.flags &= JT_STAMPED
        if jt_holds(&found):
            return <object>found.value
    generation = jt_typetable_generation(self.table)
    token = jt_abc_token()
    value = self.registry.get(cls, MISSING)
    if value is MISSING:
        value = search(self, cls, &flags)
    if flags & JT_STAMPED and jt_typetable_stamp(self.table) != token:
        if token == NO_TOKEN or not restamp(self.types, token, &generation):
            return value
    if has_own_class(cls):
        flags |= JT_ASKS
    keep(self.types, (cls,), value, flags, generation)
    return value


cdef object resolve(PyObject *dispatcher, PyObject *first):
    return implementation(<Dispatcher>dispatcher, (<object>first).__class__)


cdef object refuse(PyObject *dispatcher):
    raise TypeError(f"{(<Dispatcher>dispatcher).name} requires at least 1 positional argument")


@cython.final
@cython.no_gc_clear
cdef class Dispatcher:
    """A generic function. Its attributes are those that functools gives it, in its ``__dict__``.

    ``registry`` is functools' own; ``stock`` is its dispatch(), for what is no class.
    """

    def __cinit__(self, registry, stock, name):
        self.types = TypeTable()
        self.table = &self.types.table
        self.registry = registry
        self.stock = stock
        self.name = name
        self.call = <void *>jt_call_generic

    def __call__(self, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)

    def dispatch(self, cls):
        """generic_func.dispatch(cls) -> <function implementation>

        The best implementation that is registered for ``cls``.
        """
        return implementation(self, cls)

    def _clear_cache(self):
        forget_all(self.types)

    def __get__(self, instance, owner):
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self):
        name = getattr(self, "__qualname__", self.name)
        return f"<generic function {name} at {id(self):#x}>"

    def __reduce__(self):
        return self.__qualname__


cdef object STOCK_BIND = STOCK[1].__get__
# What is a Bound's own; the other attributes are those of what functools makes for the same.
cdef frozenset OWN = frozenset(
    ["__call__", "__class__", "__eq__", "__hash__", "__reduce__", "__reduce_ex__", "__repr__"]
)

GenericMethod = jt_new_method_type(
    "jumptable.calling.dispatch.GenericMethod", <PyTypeObject *>STOCK[1]
)


cdef object stock_of(Bound self):
    """What functools makes for the same; a new one, as there, unless one has attributes."""
    with cython.critical_section(self):
        if self.stock is not None:
            return self.stock
    return STOCK_BIND(self.method, self.instance, self.owner)


cdef object keep_stock(Bound self, name):
    if name in OWN:
        raise AttributeError(f"cannot change {name} of {self!r}")
    made = stock_of(self)
    with cython.critical_section(self):
        if self.stock is None:
            self.stock = made
        return self.stock


@cython.final
@cython.freelist(16)
@cython.no_gc_clear
cdef class Bound:
    """``obj.method`` or ``Class.method``, where it is not called at once."""

    # In this order first: methods.h finds them.
    cdef void *call
    cdef object method
    cdef object instance
    cdef object owner
    cdef object stock  # what has been given attributes
    cdef object __weakref__

    def __call__(self, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)

    def __getattribute__(self, name):
        if name in OWN:
            return object.__getattribute__(self, name)
        return getattr(stock_of(self), name)

    def __setattr__(self, name, value):
        setattr(keep_stock(self, name), name, value)

    def __delattr__(self, name):
        delattr(keep_stock(self, name), name)

    def __get__(self, instance, owner):
        return self if instance is None else types.MethodType(self, instance)

    @property
    def __doc__(self):  # pydoc looks for it past __getattribute__
        return stock_of(self).__doc__

    def __eq__(self, other):
        if not isinstance(other, Bound):
            return NotImplemented
        cdef Bound bound = other
        return (
            self.method is bound.method
            and self.instance is bound.instance
            and self.owner is bound.owner
        )

    def __hash__(self):
        return hash((id(self.method), id(self.instance), id(self.owner)))

    def __repr__(self):
        name = getattr(self.method.func, "__qualname__", "?")
        bound_to = self.owner if self.instance is None else self.instance
        return f"<bound generic method {name} of {bound_to!r}>"

    def __reduce__(self):
        return self.__qualname__


cdef object bind(PyObject *method, PyObject *instance, PyObject *owner):
    cdef Bound bound = Bound.__new__(Bound)
    bound.call = <void *>jt_call_bound
    bound.method = <object>method
    bound.instance = <object>instance
    bound.owner = <object>owner
    return bound


cdef object bind_stock(PyObject *method, PyObject *instance, PyObject *owner):
    return STOCK_BIND(<object>method, <object>instance, <object>owner)


def bind_as_function(type cls not None):
    """Have the interpreter call instances of ``cls``, a GenericMethod, without binding them."""
    if not issubclass(cls, GenericMethod):
        raise TypeError(f"found {cls!r}; expected a subclass of GenericMethod")
    jt_bind_as_function(<PyTypeObject *>cls)


def adopt(method, Dispatcher dispatcher not None):
    """Replace what functools has put into ``method``, which nobody else has seen so far."""
    if not isinstance(method, GenericMethod):
        raise TypeError(f"found {method!r}; expected a GenericMethod")
    Py_XDECREF(jt_swap_dispatcher(<PyObject *>method, <PyObject *>dispatcher))


def share(generic):
    """Leave ``generic``, just made, uncounted where threads would wait for its count."""
    if not isinstance(generic, (Dispatcher, GenericMethod)):
        raise TypeError(f"found {generic!r}; expected a Dispatcher or a GenericMethod")
    jt_make_immortal(<PyObject *>generic)


cdef int set_up() except -1:
    cdef Dispatcher dispatcher = Dispatcher({}, None, "")
    cdef jt_dispatcher *head = <jt_dispatcher *><PyObject *>dispatcher
    cdef Bound bound = Bound.__new__(Bound)
    cdef jt_bound *start = <jt_bound *><PyObject *>bound
    if (
        <void *>&dispatcher.call != <void *>&head.call
        or <void *>&dispatcher.table != <void *>&head.table
        or <void *>&bound.call != <void *>&start.call
        or <PyObject *>bound.method != start.method
        or <PyObject *>bound.instance != start.instance
        or <PyObject *>bound.owner != start.owner
    ):
        raise ImportError(
            "the layout of Dispatcher or Bound is not what dispatch.h and methods.h say: "
            "rebuild jumptable"
        )
    jt_call_as_function(<PyTypeObject *>Dispatcher, <char *>&dispatcher.call - <char *>head)
    jt_call_directly(<PyTypeObject *>Bound, <char *>&bound.call - <char *>start)
    jt_find_abc_token(<PyObject *>TOKEN)
    jt_dispatch.resolve = resolve
    jt_dispatch.refuse = refuse
    jt_methods.dispatcher = <PyTypeObject *>Dispatcher
    jt_methods.bind = bind
    jt_methods.bind_stock = bind_stock
    return 0


set_up()
