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
)

import functools
import types
from abc import get_cache_token

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
    void jt_call_as_function(PyTypeObject *, Py_ssize_t) noexcept

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

cdef extern from "../binding/immortal.h":
    void jt_make_immortal(PyObject *) noexcept

cdef extern from "Python.h":
    object PyVectorcall_Call(object, object, object)
    bint PyType_Check(object)
    void Py_XDECREF(PyObject *)

cdef object TOKEN = get_cache_token
cdef object find_implementation = functools._find_impl
cdef object MISSING = object()
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


cdef object search(Dispatcher self, object cls, uintptr_t *flags):
    """The implementation for a class that has none of its own, as functools finds it."""
    registry = self.registry.copy()  # others may register while this one is searched
    for each in registry:
        if PyType_Check(each) and jt_defines(each, "__abstractmethods__"):
            flags[0] |= JT_STAMPED
            break
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
        if jt_typetable_generation(self.table) != generation:
            return value
        generation = forget_all(self.types, &token)
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

    def __cinit__(self, registry, stock, str name not None):
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
        forget_all(self.types, NULL)

    def __get__(self, instance, owner):
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self):
        name = getattr(self, "__qualname__", self.name)
        return f"<generic function {name} at {id(self):#x}>"

    def __reduce__(self):
        return self.__qualname__


STOCK_BIND = functools.singledispatchmethod.__get__
# What is a Bound's own; the other attributes are those of what functools makes for the same.
cdef frozenset OWN = frozenset(
    ["__call__", "__class__", "__eq__", "__hash__", "__reduce__", "__reduce_ex__", "__repr__"]
)

GenericMethod = jt_new_method_type(
    "jumptable.calling.dispatch.GenericMethod", <PyTypeObject *>functools.singledispatchmethod
)


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
    cdef dict assigned  # attributes

    def __call__(self, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)

    def __setattr__(self, name, value):
        with cython.critical_section(self):
            if self.assigned is None:
                self.assigned = {}
            self.assigned[name] = value

    def __getattribute__(self, name):
        if name in OWN:
            return object.__getattribute__(self, name)
        with cython.critical_section(self):
            if self.assigned is not None and name in self.assigned:
                return self.assigned[name]
        return getattr(STOCK_BIND(self.method, self.instance, self.owner), name)

    def __get__(self, instance, owner):
        return self if instance is None else types.MethodType(self, instance)

    @property
    def __doc__(self):  # pydoc looks for it past __getattribute__
        return STOCK_BIND(self.method, self.instance, self.owner).__doc__

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
    jt_bind_as_function(<PyTypeObject *>cls)


def adopt(method, Dispatcher dispatcher not None):
    """Replace what functools has put into ``method``, which nobody else has seen so far."""
    if not isinstance(method, GenericMethod):
        raise TypeError(f"found {method!r}; expected a GenericMethod")
    Py_XDECREF(jt_swap_dispatcher(<PyObject *>method, <PyObject *>dispatcher))


def share(generic):
    """Leave ``generic``, just made, uncounted where threads would wait for its count."""
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
