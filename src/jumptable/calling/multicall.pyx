"""One hook call over any implementations: pluggy's ``_multicall``, compiled.

Compiled hook callers run the plans that they keep. A multicall is for all others: callers of
pluggy's own that a manager still has, ``call_extra`` and ``call_historic``, and calls that are
monitored. Each manager has one.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF

from .plans cimport Plan, jt_plan, new_plan

from . import stock
from .containment import call_contained, group_of

cdef object STOCK = stock.MULTICALL
cdef object CONTAINED = call_contained

cdef extern from "../counting/immortal.h":
    void jt_make_immortal(PyObject *) noexcept

cdef extern from "found.h":
    object jt_found(object, object)

cdef extern from "multicall.h":
    ctypedef struct jt_pluggy_t:
        Py_ssize_t function
        PyTypeObject *Result
        PyObject *raise_wrapfail
        PyObject *warn_of_teardown
        PyObject *group_of
        PyObject *function_name
        PyObject *throw_name
        PyObject *close_name
        PyObject *exception_name
        PyObject *result_name
        PyObject *traceback_name
        int shared_outcome
        int step_over_stop_iteration
        PyObject *instead(PyObject *, PyObject *, PyObject *) except NULL
        object plan_call(PyObject *, PyObject *, PyObject *, int, PyObject *, PyObject **)
    jt_pluggy_t jt_pluggy
    PyObject *jt_run(jt_plan *, PyObject **, int) noexcept
    object jt_new_multicall(PyObject *)
    bint jt_is_multicall(object)
    PyObject *PyCFunction_GET_SELF(object)

cdef extern from *:
    """
    #define jt_offset_of(member) (((PyMemberDescrObject *)(member))->d_member->offset)

    static int jt_same_items(PyObject *one, PyObject *other) {
        Py_ssize_t count = PyTuple_GET_SIZE(one), index = 0;
        if (PyTuple_GET_SIZE(other) != count)
            return 0;
        while (index < count && PyTuple_GET_ITEM(one, index) == PyTuple_GET_ITEM(other, index))
            index++;
        return index == count;
    }
    """
    Py_ssize_t jt_offset_of(PyObject *) noexcept
    bint jt_same_items(PyObject *, PyObject *) noexcept


cdef PyObject *run(jt_plan *plan, PyObject **values, int level) noexcept:
    """Run a plan, which the caller keeps alive; ``level`` is the frame to blame in warnings."""
    return jt_run(plan, values, level)


@cython.final
cdef class Executor:
    """What the multicall of one manager keeps: its last plan for each hook, and which it contains.

    ``contained`` is True or False for all hooks, or a set of their names.
    """

    cdef object contained
    cdef dict plans

    def __cinit__(self, contained):
        self.contained = contained
        self.plans = {}

    @property
    def multicall(self):
        """The function that managers call; pickles as this attribute.

        All threads load it from the manager, so it lives as long as the process without a GIL.
        """
        function = jt_new_multicall(<PyObject *>self)
        jt_make_immortal(<PyObject *>function)
        return function

    def __reduce__(self):
        return Executor, (self.contained,)

    cdef bint contains(self, hook) except -1:
        if isinstance(self.contained, bool):
            return self.contained
        return hook in self.contained


cdef int contains(object executor, object hook) except -2:
    if not jt_is_multicall(executor):
        return -1
    return (<Executor>PyCFunction_GET_SELF(executor)).contains(hook)


cdef int forget_plan(object executor, object hook) except -1:
    if jt_is_multicall(executor):
        (<Executor>PyCFunction_GET_SELF(executor)).plans.pop(hook, None)
    return 0


cdef object plan_call(
    PyObject *hook, PyObject *impls, PyObject *kwargs, int firstresult, PyObject *own,
    PyObject **values,
):
    """The plan for a call, or None; sets ``values`` to a new tuple."""
    if type(<object>kwargs) is not dict:
        return None
    # One look at the dictionary, so that names and values belong together.
    cdef dict seen = (<dict>kwargs).copy()
    cdef tuple passed = tuple(seen.values()), names = tuple(seen), called = tuple(<object>impls)
    for name in names:
        if type(name) is not str:
            return None
    Py_INCREF(passed)
    values[0] = <PyObject *>passed
    cdef Executor executor = <Executor>own
    cdef Plan plan = jt_found(executor.plans, <object>hook)
    if (
        plan is not None
        and plan.c.firstresult == firstresult
        and plan.names == names
        and jt_same_items(<PyObject *>plan.impls, <PyObject *>called)
    ):
        return plan
    plan = new_plan(
        <object>hook, names, called, None, None, firstresult, executor.contains(<object>hook)
    )
    for impl in called:
        if getattr(impl, "plugin", None) is None:  # of a call_extra: never the same again
            return plan
    executor.plans[<object>hook] = plan
    return plan


cdef PyObject *instead(PyObject *own, PyObject *hook, PyObject *plan) except NULL:
    """What is to run a call that was refused, by a plan or without one, None."""
    cdef bint contain
    if <object>plan is None:
        contain = (<Executor>own).contains(<object>hook)
    else:
        contain = (<Plan>plan).c.contain
    return <PyObject *>(CONTAINED if contain else STOCK)


def new_multicall(contained):
    """A multicall for one manager: to be called as pluggy's ``_multicall``.

    ``contained`` says for which hooks it contains faults: True, False, or a set of their names.
    """
    return Executor(contained).multicall


def is_multicall(executor):
    """Whether `new_multicall` made this."""
    return jt_is_multicall(executor)


cdef PyObject *forever(object held) noexcept:
    Py_INCREF(held)
    return <PyObject *>held


cdef object function = stock.member(stock.HookImpl, "function")
jt_pluggy.function = jt_offset_of(<PyObject *>function)
jt_pluggy.Result = <PyTypeObject *>forever(stock.Result)
jt_pluggy.raise_wrapfail = forever(stock.raise_wrapfail)
jt_pluggy.warn_of_teardown = forever(stock.warn_of_teardown)
jt_pluggy.group_of = forever(group_of)
jt_pluggy.function_name = forever("function")
jt_pluggy.throw_name = forever("throw")
jt_pluggy.close_name = forever("close")
jt_pluggy.exception_name = forever("_exception")
jt_pluggy.result_name = forever("_result")
if stock.RESULT_KEEPS_TRACEBACK:
    jt_pluggy.traceback_name = forever("_traceback")
jt_pluggy.shared_outcome = stock.SHARED_OUTCOME
jt_pluggy.step_over_stop_iteration = stock.STEP_OVER_STOP_ITERATION
jt_pluggy.instead = instead
jt_pluggy.plan_call = plan_call
