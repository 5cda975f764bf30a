"""Plan: which argument goes where in each implementation of a hook, worked out before the call."""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject

from .stock import KEYWORD_ARGUMENTS, HookImpl, member

cdef extern from "Python.h":
    bint PyFunction_Check(object)
    bint PyMethod_Check(object)
    PyObject *PyMethod_GET_FUNCTION(object)
    PyObject *PyMethod_GET_SELF(object)
    PyObject *PyTuple_GET_ITEM(tuple, Py_ssize_t)
    Py_ssize_t PyTuple_GET_SIZE(tuple)
    bint PyUnicode_Check(object)
    int PyUnicode_Compare(object, object)
    int CO_GENERATOR

cdef extern from "plan.h":
    jt_plan *jt_plan_of(PyObject *) noexcept

cdef extern from *:
    """
    #include <structmember.h>
    #define jt_items(tuple) (((PyTupleObject *)(tuple))->ob_item)

    /* What a slot of an object holds, by the slot's descriptor. */
    static PyObject *jt_field(PyObject *object, PyObject *member) {
        return PyMember_GetOne((const char *)object, ((PyMemberDescrObject *)member)->d_member);
    }
    """
    PyObject **jt_items(PyObject *) noexcept
    object jt_field(object, object)

cdef object IMPL = HookImpl
cdef bint KEYWORDS = KEYWORD_ARGUMENTS
cdef object FUNCTION = member(HookImpl, "function")
cdef object ARGNAMES = member(HookImpl, "argnames")
cdef object KWARGNAMES = member(HookImpl, "kwargnames")
cdef object HOOKWRAPPER = member(HookImpl, "hookwrapper")
cdef object WRAPPER = member(HookImpl, "wrapper")


@cython.final
@cython.no_gc_clear  # a call may be running it; its cycles pass through what owns it
cdef class Plan:
    """What one hook call does. Made by `new_plan`, and never changed afterwards."""

    def __dealloc__(self):
        PyMem_Free(self.c.steps)
        PyMem_Free(self.c.sources)


cdef bint is_generator_function(object function):
    if PyMethod_Check(function):
        function = <object>PyMethod_GET_FUNCTION(function)
    return PyFunction_Check(function) and function.__code__.co_flags & CO_GENERATOR


cdef Py_ssize_t position(tuple names, object name) noexcept:
    """Where a name is; -1 for nowhere. A scan: there are few, and the same strings mostly."""
    cdef Py_ssize_t index
    if not PyUnicode_Check(name):
        return -1
    for index in range(PyTuple_GET_SIZE(names)):
        if PyTuple_GET_ITEM(names, index) == <PyObject *>name:
            return index
    for index in range(PyTuple_GET_SIZE(names)):
        if PyUnicode_Compare(<object>PyTuple_GET_ITEM(names, index), name) == 0:
            return index
    return -1


cdef Plan new_plan(
    object hook, tuple names, tuple impls, object removed, object spec, bint firstresult,
    bint contain,
):
    """The plan for a call with the keywords ``names``, each of them just a str.

    It is refused, so that pluggy's own code must run, where an argument is missing, because that
    must warn or raise, and where a wrapper is no generator function or an implementation no
    HookImpl. ``removed`` is the plugins that a subset caller leaves out, or None.
    """
    cdef Plan plan = Plan.__new__(Plan)
    plan.hook, plan.names, plan.impls, plan.spec = hook, names, impls, spec
    plan.c.owner = <PyObject *>plan
    plan.c.names = <PyObject *>plan.names
    plan.c.impls = <PyObject *>plan.impls
    plan.c.spec = <PyObject *>plan.spec
    plan.c.hook = <PyObject *>plan.hook
    plan.c.given = len(names)
    plan.c.firstresult = firstresult
    plan.c.contain = contain
    plan.c.refused = not fill(plan, removed)
    return plan


cdef bint fill(Plan plan, object removed) except -1:
    """Lay out the steps of a plan; False where it is to be refused."""
    cdef jt_plan *c = &plan.c
    cdef tuple known = plan.names, impls = plan.impls
    cdef list kept = []
    plan.defaults = ()
    if plan.spec is not None:
        if KEYWORDS:
            for name, value in plan.spec.kwargdefaults.items():
                if type(name) is not str:
                    return False
                if position(known, name) < 0:
                    known += (name,)
                    plan.defaults += (value,)
        for name in plan.spec.argnames:
            if position(known, name) < 0:
                return False
    c.defaults = jt_items(<PyObject *>plan.defaults)
    # An implementation names each parameter once.
    c.steps = <jt_step *>PyMem_Calloc(len(impls) + 1, sizeof(jt_step))
    c.sources = <Py_ssize_t *>PyMem_Calloc(len(impls) * len(known) + 1, sizeof(Py_ssize_t))
    if c.steps == NULL or c.sources == NULL:
        raise MemoryError
    c.simple = not c.contain
    cdef Py_ssize_t index, used = 0
    for index in range(len(impls) - 1, -1, -1):
        impl = <object>PyTuple_GET_ITEM(impls, index)
        if type(impl) is not IMPL:
            return False
        if removed is not None and impl.plugin in removed:
            continue
        used = add_step(plan, kept, impl, known, used)
        if used < 0:
            return False
    plan.kept = tuple(kept)
    c.room = c.widest + c.count
    return True


cdef Py_ssize_t add_step(
    Plan plan, list kept, object impl, tuple known, Py_ssize_t used
) except -2:
    """Add one implementation; returns how many sources are used then, -1 where it cannot be."""
    cdef jt_plan *c = &plan.c
    cdef jt_step *step = &c.steps[c.count]
    cdef object function = jt_field(impl, FUNCTION)
    cdef object names = jt_field(impl, ARGNAMES)
    cdef object defaulted = jt_field(impl, KWARGNAMES) if KEYWORDS else ()
    cdef tuple argnames, keywords = ()
    cdef Py_ssize_t source
    cdef Py_ssize_t room = used + PyTuple_GET_SIZE(known)
    # Somebody may have set them, to anything.
    if type(names) is not tuple or type(defaulted) is not tuple:
        return -1
    argnames = names
    step.first = used
    for name in argnames:
        source = position(known, name)
        if source < 0 or used == room:
            return -1
        c.sources[used] = source
        used += 1
    if KEYWORDS:
        for name in <tuple>defaulted:
            source = position(known, name)
            if source >= 0:
                if used == room:
                    return -1
                keywords += (name,)
                c.sources[used] = source
                used += 1
    if jt_field(impl, HOOKWRAPPER):
        step.kind = JT_OLD_WRAPPER
    elif jt_field(impl, WRAPPER):
        step.kind = JT_WRAPPER
    else:
        step.kind = JT_PLAIN
        c.plain += 1
    if step.kind != JT_PLAIN and not is_generator_function(function):
        return -1
    # The implementations themselves are kept by plan.impls.
    kept.append(function)
    step.impl = <PyObject *>impl
    step.function = step.callable = <PyObject *>function
    if PyMethod_Check(function):
        step.callable = PyMethod_GET_FUNCTION(function)
        step.self = PyMethod_GET_SELF(function)
    step.python = PyFunction_Check(<object>step.callable)
    if not step.python or step.kind != JT_PLAIN:
        c.simple = False
    if keywords:
        kept.append(keywords)
        step.keywords = <PyObject *>keywords
    step.arguments = used - step.first
    step.positional = len(argnames) + (step.self != NULL)
    # One more, before the first: the callee may use it.
    c.widest = max(c.widest, step.arguments + 2)
    c.count += 1
    return used


cdef Plan probe = Plan.__new__(Plan)
if jt_plan_of(<PyObject *>probe) != &probe.c:
    raise ImportError("the layout of Plan is not what plan.h says: rebuild jumptable")
