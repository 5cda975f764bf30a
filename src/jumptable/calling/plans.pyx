"""Plan: which argument goes where in each implementation of a hook, worked out before the call."""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject

from .stock import KEYWORD_ARGUMENTS, HookImpl

cdef extern from "Python.h":
    bint PyFunction_Check(object)
    bint PyMethod_Check(object)
    PyObject *PyMethod_GET_FUNCTION(object)
    PyObject *PyMethod_GET_SELF(object)
    int CO_GENERATOR

cdef extern from "plan.h":
    jt_plan *jt_plan_of(PyObject *) noexcept

cdef extern from *:
    """
    #define jt_items(tuple) (((PyTupleObject *)(tuple))->ob_item)
    """
    PyObject **jt_items(PyObject *) noexcept

cdef object IMPL = HookImpl
cdef bint KEYWORDS = KEYWORD_ARGUMENTS


@cython.final
@cython.no_gc_clear  # a call may be running it; its cycles pass through what owns it
cdef class Plan:
    """What one hook call does. Made by `new_plan`, and never changed afterwards."""

    def __cinit__(self):
        self.kept = []

    def __dealloc__(self):
        PyMem_Free(self.c.steps)
        PyMem_Free(self.c.sources)


cdef bint is_generator_function(object function):
    if PyMethod_Check(function):
        function = <object>PyMethod_GET_FUNCTION(function)
    return PyFunction_Check(function) and function.__code__.co_flags & CO_GENERATOR


cdef Plan new_plan(
    object hook, tuple names, tuple impls, object removed, object spec, bint firstresult,
    bint contain,
):
    """The plan for a call with the keywords ``names``; None where pluggy's own code must run.

    That is where an argument is missing, so that it must warn or raise, and where a wrapper is no
    generator function or an implementation no HookImpl, so that it must find out what happens.
    ``removed`` is the plugins that a subset caller leaves out, or None.
    """
    cdef Plan plan = Plan.__new__(Plan)
    cdef dict where = {}
    cdef list defaults = [], chosen = [], passed = []
    cdef Py_ssize_t wanted = 0
    for name in names:
        where[name] = len(where)
    if spec is not None:
        if KEYWORDS:
            for name, value in spec.kwargdefaults.items():
                if name not in where:
                    where[name] = len(where)
                    defaults.append(value)
        for name in spec.argnames:
            if name not in where:
                return None
    for impl in reversed(impls):
        if type(impl) is not IMPL:
            return None
        if removed is not None and impl.plugin in removed:
            continue
        keywords = ()
        if KEYWORDS:
            for name in impl.kwargnames:
                if name in where:
                    keywords += (name,)
        for name in impl.argnames:
            if name not in where:
                return None
        if (impl.hookwrapper or impl.wrapper) and not is_generator_function(impl.function):
            return None
        chosen.append(impl)
        passed.append(keywords)
        wanted += len(impl.argnames) + len(keywords)
    plan.hook, plan.names, plan.impls, plan.spec = hook, names, impls, spec
    plan.defaults = tuple(defaults)
    fill(plan, chosen, passed, where, wanted)
    plan.c.given = len(names)
    plan.c.firstresult = firstresult
    plan.c.contain = contain
    return plan


cdef int fill(Plan plan, list chosen, list passed, dict where, Py_ssize_t wanted) except -1:
    """Lay the steps out, in the order of the calls."""
    cdef jt_plan *c = &plan.c
    cdef jt_step *step
    cdef Py_ssize_t used = 0, wrappers = 0
    c.steps = <jt_step *>PyMem_Calloc(len(chosen) + 1, sizeof(jt_step))
    c.sources = <Py_ssize_t *>PyMem_Calloc(wanted + 1, sizeof(Py_ssize_t))
    if c.steps == NULL or c.sources == NULL:
        raise MemoryError
    for impl, keywords in zip(chosen, passed):
        step = &c.steps[c.count]
        function = impl.function
        step.impl = <PyObject *>impl
        step.function = step.callable = <PyObject *>function
        if PyMethod_Check(function):
            step.callable = PyMethod_GET_FUNCTION(function)
            step.self = PyMethod_GET_SELF(function)
        # The implementations themselves are kept by plan.impls.
        plan.kept.append(function)
        if keywords:
            step.keywords = <PyObject *>keywords
            plan.kept.append(keywords)
        step.first = used
        for name in (*impl.argnames, *keywords):
            c.sources[used] = where[name]
            used += 1
        step.arguments = used - step.first
        step.positional = len(impl.argnames) + (step.self != NULL)
        step.kind = (
            JT_OLD_WRAPPER if impl.hookwrapper else JT_WRAPPER if impl.wrapper else JT_PLAIN
        )
        wrappers += step.kind != JT_PLAIN
        # One more, before the first: the callee may use it.
        c.widest = max(c.widest, step.arguments + 2)
        c.count += 1
    c.plain = c.count - wrappers
    c.room = c.widest + c.count
    c.owner = <PyObject *>plan
    c.names = <PyObject *>plan.names
    c.impls = <PyObject *>plan.impls
    c.spec = <PyObject *>plan.spec
    c.hook = <PyObject *>plan.hook
    c.defaults = jt_items(<PyObject *>plan.defaults)
    return 0


cdef Plan probe = Plan.__new__(Plan)
if jt_plan_of(<PyObject *>probe) != &probe.c:
    raise ImportError("the layout of Plan is not what plan.h says: rebuild jumptable")
