"""Compiled hook callers: pluggy's, with a call that runs plans. callers.h says how."""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uint64_t

from .multicall cimport contains, forget, run
from .plans cimport Plan, jt_plan, new_plan

import types

from . import stock

cdef extern from "callers.h":
    enum:
        JT_PLANS
        JT_CALLER
        JT_SUBSET_CALLER
    ctypedef struct jt_hook:
        PyObject *home
        PyObject *hookexec
        PyObject *attributes
        PyObject *executor
        uint64_t version
        jt_plan *plans[JT_PLANS]
        int used
    ctypedef struct jt_state_object:
        jt_hook hook
    ctypedef struct jt_callers_t:
        Py_ssize_t specification
        Py_ssize_t impls
        Py_ssize_t history
        Py_ssize_t hookexec
        PyObject *executor_name
        PyObject *call
        object prepare(PyObject *, PyObject *)
        PyObject *run(jt_plan *, PyObject **, int) noexcept
    jt_callers_t jt_callers
    object jt_new_type(const char *, const char *, PyTypeObject *, int, PyGetSetDef *)
    void jt_adopt(PyObject *, PyObject *, int) noexcept
    PyObject *jt_state_of(PyObject *, int) noexcept
    ctypedef struct PyGetSetDef:
        const char *name
        void *get
        void *set
        const char *doc
        void *closure
    void *jt_get_of_home
    void *jt_set_of_home

cdef extern from *:
    """
    #define jt_member_of(descriptor) (((PyMemberDescrObject *)(descriptor))->d_member)
    """
    ctypedef struct PyMemberDef:
        const char *name
        Py_ssize_t offset
    PyMemberDef *jt_member_of(PyObject *) noexcept

cdef object STOCK_CALLER = stock.HookCaller
cdef object STOCK_SUBSET_CALLER = stock.SubsetHookCaller
cdef object STOCK_MULTICALL = stock.MULTICALL
cdef object EXECUTE = stock.EXECUTE
cdef object CALL = stock.CALL
cdef object MANAGER = stock.PluginManager
cdef object METHOD = types.MethodType
cdef object EXECUTOR_NAME = "_inner_hookexec"

# pluggy's slots, as they are in its class.
cdef tuple FIELDS = ("spec", "_hookimpls", "_call_history", "_hookexec", "name")
cdef int field
cdef PyGetSetDef forwarded[6]
cdef tuple MEMBERS = tuple(map(stock.member, [STOCK_CALLER] * len(FIELDS), FIELDS))


@cython.final
@cython.no_gc_clear  # a call may be using it; its cycles pass through the caller
cdef class State:
    """What a compiled caller calls by: its home, and the plans that were made so far."""

    cdef jt_hook c
    # What the pointers of `c` borrow from.
    cdef object home, hookexec
    cdef dict attributes
    cdef list plans
    cdef object removed  # the plugins that a subset caller leaves out, or None
    cdef int next


cdef State new_state(home, hookexec, dict attributes, removed):
    cdef State state = State.__new__(State)
    state.home, state.hookexec, state.removed = home, hookexec, removed
    state.attributes = attributes
    state.plans = [None] * JT_PLANS
    state.c.home = <PyObject *>state.home
    state.c.hookexec = <PyObject *>state.hookexec
    state.c.attributes = <PyObject *>state.attributes
    return state


cdef object prepare(PyObject *self, PyObject *names):
    """A plan for a call with these keywords, kept for the next one; None where there can be none.
    """
    cdef State state = <State><object>self
    cdef tuple keywords = () if names == NULL else <tuple><object>names
    if "self" in keywords:  # pluggy's __call__ has a parameter of that name
        return None
    home = state.home
    executor = state.attributes.get(EXECUTOR_NAME)
    cdef int contain = contains(executor, home.name)
    if contain < 0:
        if executor is not STOCK_MULTICALL:
            return None
        contain = False
    impls = home._hookimpls
    if (
        home._hookexec is not state.hookexec
        or home._call_history is not None
        or type(impls) is not list
    ):
        return None
    spec = home.spec
    firstresult = spec is not None and bool(spec.opts.get("firstresult", False))
    cdef Plan plan = new_plan(
        home.name, keywords, tuple(impls), state.removed, spec, firstresult, contain
    )
    if plan is None:
        return None
    plan.list, plan.executor = impls, executor
    plan.c.list = <PyObject *>plan.list
    plan.c.executor = <PyObject *>plan.executor
    keep(state, plan)
    return plan


cdef int keep(State state, Plan plan) except -1:
    """Put a plan in the place of an earlier one for the same names, or of the oldest."""
    cdef int index
    with cython.critical_section(state):
        for index in range(state.c.used):
            if (<Plan>state.plans[index]).names == plan.names:
                break
        else:
            index = state.next
            state.next = (state.next + 1) % JT_PLANS
            state.c.used = max(state.c.used, index + 1)
        state.c.plans[index] = &plan.c
        state.plans[index] = plan
    return 0


for field in range(len(FIELDS)):
    forwarded[field].name = jt_member_of(<PyObject *>MEMBERS[field]).name
    forwarded[field].get = jt_get_of_home
    forwarded[field].set = jt_set_of_home
    forwarded[field].closure = jt_member_of(<PyObject *>MEMBERS[field])

HookCaller = jt_new_type(
    b"jumptable.calling.callers.HookCaller",
    b"A hook of a plugin manager, compiled: pluggy's HookCaller, with a faster call.",
    <PyTypeObject *>STOCK_CALLER,
    JT_CALLER,
    forwarded,
)
SubsetHookCaller = jt_new_type(
    b"jumptable.calling.callers.SubsetHookCaller",
    b"A compiled hook caller that leaves some plugins out.",
    <PyTypeObject *>STOCK_SUBSET_CALLER,
    JT_SUBSET_CALLER,
    NULL,
)


def take_over(home):
    """A compiled caller of the hook that ``home``, a caller of pluggy's, calls.

    Both share everything but their speed. What is no plain HookCaller of a plugin manager is
    returned as it is.
    """
    if type(home) is not STOCK_CALLER:
        return home
    hookexec = home._hookexec
    if (
        type(hookexec) is not METHOD
        or hookexec.__func__ is not EXECUTE
        or not isinstance(hookexec.__self__, MANAGER)
    ):
        return home
    cdef State state = new_state(home, hookexec, hookexec.__self__.__dict__, None)
    caller = HookCaller.__new__(HookCaller)
    jt_adopt(<PyObject *>caller, <PyObject *>state, JT_CALLER)
    return caller


def take_over_subset(subset):
    """A compiled form of a subset caller of pluggy's, where what it leaves out of is compiled."""
    if type(subset) is not STOCK_SUBSET_CALLER or type(subset._orig) is not HookCaller:
        return subset
    return subset_of(subset._orig, subset._remove_plugins)


def subset_of(original, removed):
    """A compiled caller of what the compiled caller ``original`` calls, but for some plugins."""
    cdef State state = <State?><object>jt_state_of(<PyObject *>original, JT_CALLER)
    state = new_state(state.home, state.hookexec, state.attributes, removed)
    caller = SubsetHookCaller(original, removed)
    jt_adopt(<PyObject *>caller, <PyObject *>state, JT_SUBSET_CALLER)
    return caller


def remove_plugin(self, plugin):
    """pluggy's own, after which no plan keeps the plugin alive."""
    STOCK_CALLER._remove_plugin(self, plugin)
    cdef PyObject *found = jt_state_of(<PyObject *>self, JT_CALLER)
    cdef State state
    if <object>found is None:
        return
    state = <State?><object>found
    with cython.critical_section(state):
        state.c.used = state.next = 0
        state.plans = [None] * JT_PLANS
    forget(state.attributes.get(EXECUTOR_NAME), self.name)


def reduce_caller(self):
    """Copied and pickled as its home, and taken over again."""
    cdef State state = <State?><object>jt_state_of(<PyObject *>self, JT_CALLER)
    return take_over, (state.home,)


def reduce_subset_caller(self):
    """Copied and pickled as what it is made from."""
    return subset_of, (self._orig, self._remove_plugins)


HookCaller._remove_plugin = remove_plugin
HookCaller.__reduce__ = reduce_caller
SubsetHookCaller.__reduce__ = reduce_subset_caller

jt_callers.specification = jt_member_of(<PyObject *>MEMBERS[FIELDS.index("spec")]).offset
jt_callers.impls = jt_member_of(<PyObject *>MEMBERS[FIELDS.index("_hookimpls")]).offset
jt_callers.history = jt_member_of(<PyObject *>MEMBERS[FIELDS.index("_call_history")]).offset
jt_callers.hookexec = jt_member_of(<PyObject *>MEMBERS[FIELDS.index("_hookexec")]).offset
jt_callers.executor_name = <PyObject *>EXECUTOR_NAME
jt_callers.call = <PyObject *>CALL
jt_callers.prepare = prepare
jt_callers.run = run

cdef State probe = State.__new__(State)
if <void *>&(<jt_state_object *><PyObject *>probe).hook != <void *>&probe.c:
    raise ImportError("the layout of State is not what callers.h says: rebuild jumptable")
