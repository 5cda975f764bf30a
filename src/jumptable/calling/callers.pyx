"""Compiled hook callers: pluggy's, with a call that runs plans. callers.h says how."""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t, uint64_t

from ..counting.counter cimport Memory, jt_cells, set_cells
from .multicall cimport contains, forget_plan, run
from .plans cimport Plan, jt_plan, new_plan

import copyreg
import types
from weakref import ref

from ..counting.counter import stripe_count
from . import stock
from .multicall import is_multicall

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept

cdef extern from "found.h":
    object jt_found(object, object)

cdef extern from "../include/jumptable/counter.h":
    size_t JT_COUNTER_SIZE

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
        jt_cells running[2]
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
        void sweep(PyObject *) noexcept
        void restart(PyObject *) noexcept
    jt_callers_t jt_callers
    bint JT_HAS_GIL
    void jt_store_plan(jt_hook *, int, jt_plan *, int) noexcept
    void jt_forget_plans(jt_hook *) noexcept
    void jt_set_retired(jt_hook *, int) noexcept
    int jt_watch_forks() except -1
    bint jt_is_inherited(jt_hook *) noexcept
    void jt_start_waiting(jt_hook *) noexcept
    bint jt_have_ended(jt_hook *) noexcept
    bint jt_count_anew(jt_hook *) noexcept
    int jt_examine_lists() except -1
    object jt_new_type(const char *, const char *, PyTypeObject *, int, PyGetSetDef *)
    void jt_adopt(PyObject *, PyObject *, int) noexcept
    void jt_call_compiled(int) noexcept
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
    cdef tuple plans
    cdef list retired  # plans that calls may be using, or None
    cdef list later  # those that were replaced while others were waited for, or None
    cdef object inherited  # what calls that were under way at a fork may be using
    cdef unsigned int forgotten  # how often all plans were let go of
    cdef Memory stripes  # that `c.running` counts in, without a GIL
    cdef object removed  # the plugins that a subset caller leaves out, or None
    cdef object multicall  # the manager's, which may be below what monitors it
    cdef list subsets  # weak references to the States of subset callers, or None
    cdef int next
    cdef object __weakref__


cdef State new_state(home, removed):
    cdef State state = State.__new__(State)
    state.home, state.removed = home, removed
    state.c.home = <PyObject *>state.home
    state.plans = (None,) * JT_PLANS
    cdef size_t stripes
    cdef int side
    if not JT_HAS_GIL:
        stripes = stripe_count(None)
        state.stripes = Memory(stripes * JT_COUNTER_SIZE)
        for side in range(2):
            set_cells(
                &state.c.running[side], <int64_t *>state.stripes.first + side, JT_COUNTER_SIZE,
                stripes,
            )
        jt_count_anew(&state.c)
    return state


cdef bint is_managed(home):
    """Whether a caller of pluggy's is run by a manager in pluggy's own way."""
    hookexec = home._hookexec
    return (
        type(hookexec) is METHOD
        and hookexec.__func__ is EXECUTE
        and isinstance(hookexec.__self__, MANAGER)
    )


cdef int settle(State state, hookexec, dict attributes) except -1:
    with cython.critical_section(state):
        if state.attributes is None:
            state.hookexec, state.attributes = hookexec, attributes
            state.c.hookexec = <PyObject *>state.hookexec
            state.c.attributes = <PyObject *>state.attributes
    return 0


cdef object prepare(PyObject *self, PyObject *names):
    """A plan for a call with these keywords, kept for the next one; None where there can be none.
    """
    cdef State state = <State><object>self
    cdef tuple keywords = () if names == NULL else <tuple><object>names
    for name in keywords:
        # pluggy's __call__ has a parameter of that name.
        if type(name) is not str or name == "self":
            return None
    home = state.home
    cdef unsigned int forgotten
    with cython.critical_section(state):
        forgotten = state.forgotten
    # Not before the first call: a home that is being copied gets its fields late.
    if state.attributes is None:
        if not is_managed(home):
            return None
        settle(state, home._hookexec, home._hookexec.__self__.__dict__)
    executor = jt_found(state.attributes, EXECUTOR_NAME)
    cdef int contain = contains(executor, home.name)
    if contain >= 0:
        with cython.critical_section(state):
            state.multicall = executor
    elif executor is STOCK_MULTICALL:
        contain = False
    else:
        return None
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
    plan.list, plan.executor = impls, executor
    plan.c.list = <PyObject *>plan.list
    plan.c.executor = <PyObject *>plan.executor
    keep(state, plan, forgotten)
    return plan


cdef int keep(State state, Plan plan, unsigned int forgotten) except -1:
    """Put a plan in the place of an earlier one for the same names, or of the oldest.

    Not if all were let go of since it was begun: it may be of the plugin that was to be forgotten.
    """
    cdef int index
    with cython.critical_section(state):
        if state.forgotten != forgotten:
            return 0
        for index in range(state.c.used):
            if (<Plan>state.plans[index]).names == plan.names:
                break
        else:
            index = state.next
            state.next = (state.next + 1) % JT_PLANS
        retire(state, state.plans[index])
        # A new tuple: the old one may be in use.
        plans = (*state.plans[:index], plan, *state.plans[index + 1 :])
        jt_store_plan(&state.c, index, &plan.c, max(state.c.used, index + 1))
        state.plans = plans
    sweep(<PyObject *>state)
    return 0


cdef int retire(State state, plan) except -1:
    """Keep a plan that is being replaced from its calls; in the State's critical section.

    It may be in use until the section ends, so only `sweep`, in a later one, starts to wait for it.
    """
    if JT_HAS_GIL or plan is None:
        return 0
    if state.later is None:
        state.later = []
    state.later.append(plan)
    jt_set_retired(&state.c, True)
    return 0


cdef void sweep(PyObject *self) noexcept:
    """Let go of the plans that were replaced, if no call is using them."""
    cdef State state = <State>self
    cdef object _gone = None  # released after the section
    if JT_HAS_GIL:
        return
    with cython.critical_section(state):
        restart_in_section(state)
        while True:
            if state.retired is not None:
                if not jt_have_ended(&state.c):
                    break
                _gone = (_gone, state.retired)
            state.retired, state.later = state.later, None
            if state.retired is None:
                jt_set_retired(&state.c, False)
                break
            jt_start_waiting(&state.c)


cdef void restart(PyObject *self) noexcept:
    """Count calls from 0 in a child process."""
    cdef State state = <State>self
    with cython.critical_section(state):
        restart_in_section(state)


cdef int restart_in_section(State state) except -1:
    if jt_is_inherited(&state.c):
        inherited = (state.inherited, state.plans, state.retired, state.later)
        if jt_count_anew(&state.c):
            state.inherited = inherited
    return 0


cdef int forget(State state) except -1:
    """Let go of all plans, and so of the plugins that they call."""
    cdef object _plans  # released after the section
    cdef object multicall
    with cython.critical_section(state):
        for plan in state.plans:
            retire(state, plan)
        jt_forget_plans(&state.c)
        _plans, multicall = state.plans, state.multicall
        state.next = 0
        state.forgotten += 1
        state.plans = (None,) * JT_PLANS
    _plans = None
    sweep(<PyObject *>state)
    if multicall is not None:
        forget_plan(multicall, state.home.name)
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
    if type(home) is not STOCK_CALLER or not is_managed(home):
        return home
    if STOCK_CALLER.__call__ is CALL:
        jt_call_compiled(JT_CALLER)
        jt_call_compiled(JT_SUBSET_CALLER)
    cdef State state = new_state(home, None)
    # Now, while nothing monitors it: plans are made there before the first call here.
    executor = getattr(home._hookexec.__self__, EXECUTOR_NAME, None)
    if is_multicall(executor):
        state.multicall = executor
    caller = HookCaller.__new__(HookCaller)
    jt_adopt(<PyObject *>caller, <PyObject *>state, JT_CALLER)
    jt_make_immortal(<PyObject *>caller)
    return caller


def take_over_subset(subset):
    """A compiled form of a subset caller of pluggy's, where what it leaves out of is compiled."""
    if type(subset) is not STOCK_SUBSET_CALLER:
        return subset
    return subset_of(subset._orig, subset._remove_plugins)


def subset_of(original, removed):
    """A caller of what the caller ``original`` calls, but for some plugins; compiled if that is."""
    found = <object>jt_state_of(<PyObject *>original, JT_CALLER)
    if found is None:
        return STOCK_SUBSET_CALLER(original, removed)
    cdef State state = <State?>found
    cdef State subset = new_state(state.home, removed)
    caller = SubsetHookCaller(original, removed)
    jt_adopt(<PyObject *>caller, <PyObject *>subset, JT_SUBSET_CALLER)
    cdef list subsets = []
    with cython.critical_section(state):
        if state.subsets is None:
            state.subsets = subsets
        subsets = state.subsets
    subsets.append(ref(subset, subsets.remove))
    return caller


@cython.binding(True)  # a method of the types
def set_home(self, home):
    """Make a caller that was made without one, as copies are, call what ``home`` calls."""
    if type(home) is not STOCK_CALLER:
        raise TypeError(f"found {type(home).__name__!r}, expected a pluggy.HookCaller")
    if type(self) is not HookCaller or <object>jt_state_of(<PyObject *>self, JT_CALLER) is not None:
        raise TypeError("expected a compiled HookCaller that was made without a home")
    cdef State state = new_state(home, None)
    jt_adopt(<PyObject *>self, <PyObject *>state, JT_CALLER)


@cython.binding(True)  # a method of the types
def remove_plugin(self, plugin):
    """pluggy's own, after which no plan keeps the plugin alive."""
    STOCK_CALLER._remove_plugin(self, plugin)
    found = <object>jt_state_of(<PyObject *>self, JT_CALLER)
    if found is None:
        return
    cdef State state = <State?>found
    forget(state)
    if state.subsets is not None:
        for subset in state.subsets.copy():
            left = subset()
            if left is not None:
                forget(<State?>left)


@cython.binding(True)  # a method of the types
def reduce_caller(self):
    """Copied and pickled as its home."""
    found = <object>jt_state_of(<PyObject *>self, JT_CALLER)
    if found is None:
        raise TypeError(f"cannot pickle or copy {type(self).__name__!r}: it calls no hook")
    # The home comes after the caller exists: through its manager it leads to the caller.
    return copyreg.__newobj__, (HookCaller,), (<State?>found).home


@cython.binding(True)  # a method of the types
def reduce_subset_caller(self):
    """Copied and pickled as what it is made from."""
    return subset_of, (self._orig, self._remove_plugins)


HookCaller._remove_plugin = remove_plugin
HookCaller.__reduce__ = reduce_caller
HookCaller.__setstate__ = set_home
SubsetHookCaller.__reduce__ = reduce_subset_caller
jt_call_compiled(JT_CALLER)
jt_call_compiled(JT_SUBSET_CALLER)


cdef Py_ssize_t offset_of(str field):
    return jt_member_of(<PyObject *>MEMBERS[FIELDS.index(field)]).offset


jt_callers.specification = offset_of("spec")
jt_callers.impls = offset_of("_hookimpls")
jt_callers.history = offset_of("_call_history")
jt_callers.hookexec = offset_of("_hookexec")
jt_callers.executor_name = <PyObject *>EXECUTOR_NAME
jt_callers.call = <PyObject *>CALL
jt_callers.prepare = prepare
jt_callers.run = run
jt_callers.sweep = sweep
jt_callers.restart = restart
jt_watch_forks()
jt_examine_lists()

cdef State probe = State.__new__(State)
if <void *>&(<jt_state_object *><PyObject *>probe).hook != <void *>&probe.c:
    raise ImportError("the layout of State is not what callers.h says: rebuild jumptable")
