/* Running a plan: the loop over a hook's implementations, and what wrappers do around it.
 *
 * Invariants:
 *   - The caller holds a reference to the plan's owner and to every value for the whole call, so
 *     implementations may register, unregister and call hooks, this one too.
 *   - An implementation's function is read from its HookImpl at the moment of its call, as pluggy
 *     reads it; the plan's own reference serves only while it is the same one.
 *   - A generator is in `generators` from its first yield until it was resumed or closed. */
#ifndef JUMPTABLE_MULTICALL_H
#define JUMPTABLE_MULTICALL_H

#include <Python.h>
#include <structmember.h>

#include "plan.h"
#include "raising.h"
#include "wrappers.h"

/* More pointers than this, and a call's scratch room comes from the heap. */
#define JT_FEW 40

/* Somebody has changed impl.function since the plan was made. */
static PyObject *jt_call_replaced(const jt_step *step, PyObject **arguments) {
    PyObject *function = PyObject_GetAttr(step->impl, jt_pluggy.function_name);
    if (function == NULL || Py_EnterRecursiveCall(" while calling a hook")) {
        Py_XDECREF(function);
        return NULL;
    }
    size_t bound = step->self != NULL;
    PyObject *result =
        PyObject_Vectorcall(function, arguments + bound,
                            (step->positional - bound) | PY_VECTORCALL_ARGUMENTS_OFFSET,
                            step->keywords);
    Py_LeaveRecursiveCall();
    Py_DECREF(function);
    return result;
}

static inline PyObject *jt_call_step(const jt_plan *plan, const jt_step *step,
                                     PyObject *const *values, PyObject **room) {
    PyObject **arguments = room + 1; /* room[0] is for the callee: PY_VECTORCALL_ARGUMENTS_OFFSET */
    PyObject **next = arguments;
    const Py_ssize_t *source = plan->sources + step->first;
    if (step->self != NULL)
        *next++ = step->self;
    for (Py_ssize_t index = 0; index < step->arguments; index++) {
        Py_ssize_t from = source[index];
        *next++ = from < plan->given ? values[from] : plan->defaults[from - plan->given];
    }
    if (jt_peek(step->impl, jt_pluggy.function) != step->function)
        return jt_call_replaced(step, arguments);
    size_t given = step->positional | PY_VECTORCALL_ARGUMENTS_OFFSET;
    if (step->python) /* its own entry, without the checks that other callables need */
        return ((PyFunctionObject *)step->callable)
            ->vectorcall(step->callable, arguments, given, step->keywords);
    return PyObject_Vectorcall(step->callable, arguments, given, step->keywords);
}

static PyObject *jt_list_of(PyObject *const *results, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t index = 0; index < count; index++)
        if (list != NULL)
            PyList_SET_ITEM(list, index, results[index]);
        else
            Py_DECREF(results[index]);
    return list;
}

/* Keeps an implementation's exception for later. False, with the error set, where it must not. */
static int jt_contain(PyObject **failures, const jt_step *step) {
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return 0;
    PyObject *error = jt_take_error(), *failure = NULL;
    if (*failures == NULL)
        *failures = PyList_New(0);
    if (*failures != NULL)
        failure = PyTuple_Pack(2, step->impl, error);
    Py_DECREF(error);
    int kept = failure != NULL && PyList_Append(*failures, failure) == 0;
    Py_XDECREF(failure);
    return kept;
}

/* The exception for what was contained: a group, or, after an error that ended the call, that
 * error, with the group as what had gone before. Takes `failures`. */
static void jt_raise_contained(const jt_plan *plan, PyObject *failures, jt_state *state) {
    PyObject *group = PyObject_CallFunction(jt_pluggy.group_of, "OnOO", plan->hook, plan->plain,
                                            failures, state->result ? state->result : Py_None);
    Py_DECREF(failures);
    if (group == NULL && state->raised != NULL)
        PyErr_Clear(); /* what ended the call says more */
    else if (group == NULL)
        jt_set_raised(state, jt_take_error());
    else if (state->raised == NULL)
        jt_set_raised(state, group);
    else {
        PyObject *context = PyException_GetContext(state->raised);
        Py_XDECREF(context);
        if (context == NULL)
            PyException_SetContext(state->raised, group);
        else
            Py_DECREF(group);
    }
}

/* Implementations that are all Python functions, and no wrappers: nothing else is to be done. */
static PyObject *jt_run_plain(const jt_plan *plan, PyObject *const *values, PyObject **room) {
    PyObject **results = room + plan->widest;
    Py_ssize_t found = 0;
    const jt_step *step = plan->steps, *end = step + plan->count;
    for (; step < end; step++) {
        PyObject *result = jt_call_step(plan, step, values, room);
        if (result == Py_None)
            Py_DECREF(result);
        else if (result != NULL) {
            if (plan->firstresult)
                return result;
            results[found++] = result;
        }
        else {
            PyObject *error = jt_take_error();
            while (found > 0)
                Py_DECREF(results[--found]);
            jt_raise_anew(error);
            return NULL;
        }
    }
    if (plan->firstresult)
        Py_RETURN_NONE;
    return jt_list_of(results, found);
}

/* Implementations of any kind. */
static PyObject *jt_run_all(const jt_plan *plan, PyObject *const *values, PyObject **room,
                            int level) {
    PyObject **results = room + plan->widest, **generators = results + plan->plain;
    PyObject *failures = NULL;
    Py_ssize_t found = 0, waiting = 0, done = 0;
    jt_state state = {NULL, NULL, NULL};
    for (; done < plan->count; done++) {
        const jt_step *step = &plan->steps[done];
        PyObject *result = jt_call_step(plan, step, values, room);
        if (result == NULL) {
            if (step->kind == JT_PLAIN && plan->contain && jt_contain(&failures, step))
                continue;
            state.raised = jt_take_error();
            break;
        }
        if (step->kind != JT_PLAIN) {
            if (jt_start(result) < 0) {
                state.raised = jt_take_error();
                Py_DECREF(result);
                break;
            }
            generators[waiting++] = result;
        }
        else if (result == Py_None)
            Py_DECREF(result);
        else {
            results[found++] = result;
            if (plan->firstresult)
                break;
        }
    }
    if (plan->firstresult) {
        state.result = found ? results[0] : Py_None;
        if (!found)
            Py_INCREF(Py_None);
    }
    else if ((state.result = jt_list_of(results, found)) == NULL)
        jt_set_raised(&state, jt_take_error());
    if (failures != NULL)
        jt_raise_contained(plan, failures, &state);
    if (waiting != 0 && jt_tear_down(plan, done, generators, waiting, &state, level) < 0) {
        PyObject *error = jt_take_error();
        jt_release(&state);
        jt_raise(error);
        return NULL;
    }
    Py_CLEAR(state.outcome);
    if (state.raised == NULL)
        return state.result;
    Py_CLEAR(state.result);
    jt_raise_anew(state.raised);
    return NULL;
}

/* Runs a plan on the values of a call. `level` is the frame to blame in warnings: 1 for the one
 * that this is called from. */
static PyObject *jt_run(const jt_plan *plan, PyObject *const *values, int level) {
    PyObject *few[JT_FEW], **room = few, *result = NULL;
    if (plan->room > JT_FEW && !(room = PyMem_Malloc((size_t)plan->room * sizeof *room)))
        return PyErr_NoMemory();
    if (plan->simple) /* Python functions look after the depth of recursion themselves */
        result = jt_run_plain(plan, values, room);
    else if (!Py_EnterRecursiveCall(" while calling a hook")) {
        result = jt_run_all(plan, values, room, level);
        Py_LeaveRecursiveCall();
    }
    if (room != few)
        PyMem_Free(room);
    return result;
}

/* How many Python frames lie between jt_multicall and the code that calls a hook: pluggy's
 * PluginManager._hookexec and the caller's own method. */
#define JT_FRAMES 2

static PyObject *jt_run_stock(PyObject *executor, PyObject *plan, PyObject *hook, PyObject *impls,
                              PyObject *kwargs, int firstresult) {
    PyObject *function = jt_pluggy.instead(executor, hook, plan);
    if (function == NULL)
        return NULL;
    return PyObject_CallFunctionObjArgs(function, hook, impls, kwargs,
                                        firstresult ? Py_True : Py_False, NULL);
}

/* A builtin function, whose __self__ is an Executor. */
static PyObject *jt_multicall(PyObject *executor, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"hook_name", "hook_impls", "caller_kwargs", "firstresult", NULL};
    PyObject *hook, *impls, *given, *result, *values = NULL;
    int firstresult;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOp:multicall", names, &hook, &impls, &given,
                                     &firstresult))
        return NULL;
    PyObject *plan = jt_pluggy.plan_call(hook, impls, given, firstresult, executor, &values);
    if (plan == NULL)
        result = NULL;
    else if (plan == Py_None || jt_plan_of(plan)->refused)
        result = jt_run_stock(executor, plan, hook, impls, given, firstresult);
    else
        result = jt_run(jt_plan_of(plan), &PyTuple_GET_ITEM(values, 0), 1 + JT_FRAMES);
    Py_XDECREF(plan);
    Py_XDECREF(values);
    return result;
}

static PyMethodDef jt_multicall_def = {
    "multicall", (PyCFunction)(void (*)(void))jt_multicall, METH_VARARGS | METH_KEYWORDS,
    PyDoc_STR("multicall(hook_name, hook_impls, caller_kwargs, firstresult)\n--\n\n"
              "Call every implementation of a hook, the last of hook_impls first.\n\n"
              "Returns the list of results that are not None; with firstresult the first one, or\n"
              "None. Raises what an implementation or a wrapper raises, and pluggy's HookCallError\n"
              "where caller_kwargs lacks an argument. Safe to call from any thread.")};

static PyObject *jt_new_multicall(PyObject *executor) {
    return PyCFunction_New(&jt_multicall_def, executor);
}

static int jt_is_multicall(PyObject *executor) {
    return PyCFunction_Check(executor) &&
           PyCFunction_GET_FUNCTION(executor) == jt_multicall_def.ml_meth;
}

#endif
