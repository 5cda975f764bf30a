/* Running a plan: the loop over a hook's implementations, and what wrappers do around it.
 *
 * Invariants:
 *   - The caller holds a reference to the plan's owner and to every value for the whole call, so
 *     implementations may register, unregister and call hooks, this one too.
 *   - An implementation's function is read from its HookImpl at the moment of its call, as pluggy
 *     reads it; the plan's own reference serves only while it is the same one.
 *   - A generator is in `generators` from its first yield until it was resumed or closed.
 *   - Between two steps either an exception object is held in `raised` or there is none: the
 *     interpreter's own error indicator is never set while foreign code runs. */
#ifndef JUMPTABLE_MULTICALL_H
#define JUMPTABLE_MULTICALL_H

#include <Python.h>
#include <structmember.h>

#include "plan.h"

/* More pointers than this, and a call's scratch room comes from the heap. */
#define JT_FEW 40

typedef struct {
    Py_ssize_t function; /* its offset in a HookImpl */
    PyTypeObject *Result;
    PyObject *raise_wrapfail, *warn_of_teardown, *group_of;
    PyObject *function_name, *throw_name, *close_name, *exception_name, *result_name;
    PyObject *traceback_name; /* NULL where a Result keeps none: 1.5 */
    int shared_outcome, step_over_stop_iteration;
    PyObject *stock; /* pluggy's own _multicall */
    /* A Plan or None; hook, implementations, arguments, firstresult, Executor, and where the values
     * of the call go, as a tuple. */
    PyObject *(*plan_call)(PyObject *, PyObject *, PyObject *, int, PyObject *, PyObject **);
} jt_pluggy_t;

static jt_pluggy_t jt_pluggy;

#define JT_FIELD(object, offset) (*(PyObject **)((char *)(object) + (offset)))

/* What a field of an object holds, to be compared only: without a GIL it may be gone by now. */
static inline PyObject *jt_peek(PyObject *object, Py_ssize_t offset) {
#ifdef Py_GIL_DISABLED
    return __atomic_load_n(&JT_FIELD(object, offset), __ATOMIC_ACQUIRE);
#else
    return JT_FIELD(object, offset);
#endif
}

/* The exception that was raised, with its traceback; clears the indicator. */
static PyObject *jt_take_error(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* Raises an exception that jt_take_error gave; takes the reference. */
static void jt_raise(PyObject *exception) {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    Py_INCREF(Py_TYPE(exception));
    PyErr_Restore((PyObject *)Py_TYPE(exception), exception, PyException_GetTraceback(exception));
#endif
}

/* Makes `exception` the one that is being handled, as in an except block: what is raised until
 * jt_handled gets it as its context. Returns the one before, which jt_handled takes. */
static PyObject *jt_handle(PyObject *exception) {
#if PY_VERSION_HEX >= 0x030B0000
    PyObject *before = PyErr_GetHandledException();
    PyErr_SetHandledException(exception);
    return before;
#else
    PyObject *type, *before, *traceback;
    PyErr_GetExcInfo(&type, &before, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    Py_XINCREF(exception);
    type = exception == NULL ? NULL : (PyObject *)Py_TYPE(exception);
    Py_XINCREF(type);
    PyErr_SetExcInfo(type, exception,
                     exception == NULL ? NULL : PyException_GetTraceback(exception));
    return before;
#endif
}

static void jt_handled(PyObject *before) {
    PyObject *ours = jt_handle(before);
    Py_XDECREF(ours);
    Py_XDECREF(before);
}

/* pluggy's RuntimeError about a wrapper: "did not yield", "has second yield". */
static void jt_wrapfail(PyObject *generator, const char *what) {
    PyObject *done = PyObject_CallFunction(jt_pluggy.raise_wrapfail, "Os", generator, what);
    if (done != NULL) {
        Py_DECREF(done);
        PyErr_SetString(PyExc_SystemError, "pluggy's _raise_wrapfail returned");
    }
}

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
    if (result != NULL && step->kind != JT_PLAIN && !PyIter_Check(result)) {
        PyErr_Format(PyExc_TypeError, "'%.200s' object is not an iterator",
                     Py_TYPE(result)->tp_name);
        Py_CLEAR(result);
    }
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

/* Runs a wrapper to its yield. */
static int jt_start(PyObject *generator) {
    PyObject *value;
    switch (PyIter_Send(generator, Py_None, &value)) {
    case PYGEN_NEXT:
        Py_DECREF(value);
        return 0;
    case PYGEN_RETURN: {
        /* Made first: raised with a tuple for its value, it would be unpacked. */
        PyObject *stop = value == Py_None ? PyObject_CallNoArgs(PyExc_StopIteration)
                                          : PyObject_CallOneArg(PyExc_StopIteration, value);
        Py_DECREF(value);
        if (stop == NULL)
            return -1;
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
        stop = jt_take_error();
        PyObject *before = jt_handle(stop);
        jt_wrapfail(generator, "did not yield");
        jt_handled(before);
        Py_DECREF(stop);
        return -1;
    }
    default:
        return -1;
    }
}

static int jt_close(PyObject *generator) {
    PyObject *done = PyObject_CallMethodNoArgs(generator, jt_pluggy.close_name);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Closes a generator in the except block of `*error`; what that raises takes its place. */
static int jt_close_handling(PyObject *generator, PyObject **error) {
    PyObject *before = jt_handle(*error);
    int failed = jt_close(generator);
    jt_handled(before);
    if (failed)
        Py_SETREF(*error, jt_take_error());
    return failed;
}

/* What a call has come to so far: a result, or an exception. Owns both, and the Result that
 * old-style wrappers of one call share where pluggy does so. */
typedef struct {
    PyObject *result, *raised, *outcome;
} jt_state;

static void jt_set_result(jt_state *state, PyObject *result) {
    Py_XSETREF(state->result, result);
    Py_CLEAR(state->raised);
}

static void jt_set_raised(jt_state *state, PyObject *raised) {
    Py_XSETREF(state->raised, raised);
}

static void jt_release(jt_state *state) {
    Py_CLEAR(state->result);
    Py_CLEAR(state->raised);
    Py_CLEAR(state->outcome);
}

/* Whether `error` is only what the interpreter makes of a StopIteration, `raised`, that a generator
 * let pass. */
static int jt_is_the_same_stop(PyObject *error, PyObject *raised) {
    if (!jt_pluggy.step_over_stop_iteration || raised == NULL ||
        !PyErr_GivenExceptionMatches(raised, PyExc_StopIteration) ||
        !PyErr_GivenExceptionMatches(error, PyExc_RuntimeError))
        return 0;
    PyObject *cause = PyException_GetCause(error);
    Py_XDECREF(cause);
    return cause == raised;
}

/* A wrapper has yielded twice: pluggy ends the whole call there. */
static int jt_second_yield(PyObject *generator, PyObject *value, jt_state *state) {
    Py_DECREF(value);
    if (jt_close(generator) < 0) {
        jt_set_raised(state, jt_take_error());
        return 0;
    }
    jt_wrapfail(generator, "has second yield");
    return -1;
}

/* Resumes a new-style wrapper. Returns -1, with an error set, when that ends the call. */
static int jt_resume(PyObject *generator, jt_state *state) {
    PyObject *value;
    if (state->raised == NULL) {
        switch (PyIter_Send(generator, state->result, &value)) {
        case PYGEN_RETURN:
            jt_set_result(state, value);
            return 0;
        case PYGEN_NEXT:
            return jt_second_yield(generator, value, state);
        default:
            jt_set_raised(state, jt_take_error());
            return 0;
        }
    }
    value = PyObject_CallMethodOneArg(generator, jt_pluggy.throw_name, state->raised);
    if (value != NULL)
        return jt_second_yield(generator, value, state);
    PyObject *error = jt_take_error();
    if (PyErr_GivenExceptionMatches(error, PyExc_StopIteration)) {
        value = PyObject_GetAttrString(error, "value");
        Py_DECREF(error);
        if (value == NULL)
            return -1;
        jt_set_result(state, value);
        return 0;
    }
    if (jt_is_the_same_stop(error, state->raised) && jt_close_handling(generator, &error) == 0) {
        Py_DECREF(error);
        return 0;
    }
    jt_set_raised(state, error);
    return 0;
}

/* pluggy's Result, made without its __init__. */
static int jt_fill_outcome(jt_state *state) {
    if (state->outcome == NULL || !jt_pluggy.shared_outcome) {
        PyObject *outcome = jt_pluggy.Result->tp_alloc(jt_pluggy.Result, 0);
        if (outcome == NULL)
            return -1;
        Py_XSETREF(state->outcome, outcome);
    }
    /* Only a shared one still has a result beside an exception. */
    int with_result = state->result != NULL && (state->raised == NULL || jt_pluggy.shared_outcome);
    PyObject *traceback = state->raised ? PyException_GetTraceback(state->raised) : NULL;
    int failed =
        PyObject_SetAttr(state->outcome, jt_pluggy.result_name,
                         with_result ? state->result : Py_None) < 0 ||
        PyObject_SetAttr(state->outcome, jt_pluggy.exception_name,
                         state->raised ? state->raised : Py_None) < 0 ||
        (jt_pluggy.traceback_name != NULL &&
         PyObject_SetAttr(state->outcome, jt_pluggy.traceback_name,
                          traceback ? traceback : Py_None) < 0);
    Py_XDECREF(traceback);
    return failed ? -1 : 0;
}

/* What a wrapper has made of the Result that it was sent. */
static int jt_read_outcome(jt_state *state) {
    PyObject *result = NULL, *traceback = NULL;
    PyObject *exception = PyObject_GetAttr(state->outcome, jt_pluggy.exception_name);
    if (exception == NULL || !(result = PyObject_GetAttr(state->outcome, jt_pluggy.result_name)))
        goto failed;
    if (exception == Py_None) {
        Py_DECREF(exception);
        jt_set_result(state, result);
        return 0;
    }
    if (!PyExceptionInstance_Check(exception)) {
        PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
        goto failed;
    }
    if (jt_pluggy.traceback_name != NULL) {
        traceback = PyObject_GetAttr(state->outcome, jt_pluggy.traceback_name);
        if (traceback == NULL || PyException_SetTraceback(exception, traceback) < 0)
            goto failed;
        Py_DECREF(traceback);
    }
    Py_XSETREF(state->result, result);
    jt_set_raised(state, exception);
    return 0;
failed:
    Py_XDECREF(traceback);
    Py_XDECREF(result);
    Py_XDECREF(exception);
    return -1;
}

/* Raises as `raise error` would: what is being handled becomes its context. Takes `error`. */
static void jt_raise_anew(PyObject *error) {
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

/* The StopIteration that an old-style wrapper has put in place of another outcome: where pluggy
 * drives old-style wrappers from a generator, that cannot let one pass. */
static void jt_stop_inside_generator(jt_state *state) {
    PyErr_SetString(PyExc_RuntimeError, "generator raised StopIteration");
    PyObject *error = jt_take_error();
    Py_INCREF(state->raised);
    PyException_SetCause(error, state->raised);
    Py_INCREF(state->raised);
    PyException_SetContext(error, state->raised);
    jt_set_raised(state, error);
}

/* Resumes an old-style wrapper, which is sent a Result. -1 as for jt_resume. */
static int jt_resume_old(const jt_plan *plan, const jt_step *step, PyObject *generator,
                         jt_state *state, int level) {
    PyObject *value, *before = state->raised;
    if (jt_fill_outcome(state) < 0)
        return -1;
    switch (PyIter_Send(generator, state->outcome, &value)) {
    case PYGEN_RETURN:
        Py_DECREF(value);
        Py_XINCREF(before);
        int failed = jt_read_outcome(state);
        if (failed == 0 && state->raised != NULL && !jt_pluggy.shared_outcome) {
            jt_raise_anew(state->raised);
            state->raised = jt_take_error();
            if (state->raised != before &&
                PyErr_GivenExceptionMatches(state->raised, PyExc_StopIteration))
                jt_stop_inside_generator(state);
        }
        Py_XDECREF(before);
        return failed;
    case PYGEN_NEXT:
        Py_DECREF(value);
        jt_wrapfail(generator, "has second yield");
        if (jt_pluggy.shared_outcome)
            return -1;
        PyObject *error = jt_take_error();
        jt_close_handling(generator, &error);
        jt_set_raised(state, error);
        return 0;
    default:
        break;
    }
    PyObject *error = jt_take_error(), *outer = jt_handle(error);
    PyObject *warned = PyObject_CallFunction(jt_pluggy.warn_of_teardown, "OOOi", plan->hook,
                                             step->impl, error, level);
    jt_handled(outer);
    if (warned == NULL) /* by a filter that makes errors of warnings */
        Py_SETREF(error, jt_take_error());
    Py_XDECREF(warned);
    if (jt_pluggy.shared_outcome) {
        jt_raise(error);
        return -1;
    }
    if (jt_is_the_same_stop(error, before))
        Py_DECREF(error);
    else
        jt_set_raised(state, error);
    return 0;
}

/* A wrapper whose call has ended without it. pluggy drives an old-style one from a generator, which
 * learns of that by a GeneratorExit, and hands it on as any other exception. Takes the generator.
 */
static void jt_give_up(const jt_plan *plan, const jt_step *step, PyObject *generator, int level) {
    if (step->kind == JT_OLD_WRAPPER && !jt_pluggy.shared_outcome) {
        jt_state state = {NULL, PyObject_CallNoArgs(PyExc_GeneratorExit), NULL};
        if (state.raised != NULL && jt_resume_old(plan, step, generator, &state, level) == 0 &&
            state.raised != NULL &&
            !PyErr_GivenExceptionMatches(state.raised, PyExc_GeneratorExit)) {
            jt_raise(state.raised);
            state.raised = NULL;
        }
        if (PyErr_Occurred())
            PyErr_WriteUnraisable(generator);
        jt_release(&state);
    }
    Py_DECREF(generator);
}

/* The second halves of the wrappers that were started, innermost first. Takes the generators. */
static int jt_tear_down(const jt_plan *plan, Py_ssize_t done, PyObject **generators,
                        Py_ssize_t waiting, jt_state *state, int level) {
    int failed = 0;
    while (done-- > 0) {
        const jt_step *step = &plan->steps[done];
        if (step->kind == JT_PLAIN)
            continue;
        PyObject *generator = generators[--waiting];
        if (!failed) {
            failed = step->kind == JT_WRAPPER
                         ? jt_resume(generator, state)
                         : jt_resume_old(plan, step, generator, state, level);
            if (!failed && jt_pluggy.shared_outcome && step->kind == JT_WRAPPER) {
                if (state->raised != NULL)
                    Py_CLEAR(state->result);
                /* Whoever kept the shared Result sees what outer wrappers make of it. */
                if (state->outcome != NULL)
                    failed = jt_fill_outcome(state);
            }
            Py_DECREF(generator);
        }
        else {
            PyObject *error = jt_take_error();
            jt_give_up(plan, step, generator, level);
            jt_raise(error);
        }
    }
    return failed;
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
    if (group == NULL)
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
    if (waiting != 0 && jt_tear_down(plan, done, generators, waiting, &state, level) < 0)
        jt_set_raised(&state, jt_take_error());
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

/* A builtin function, whose __self__ is an Executor or nothing. */
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
    else if (plan == Py_None)
        result = PyObject_CallFunctionObjArgs(jt_pluggy.stock, hook, impls, given,
                                              firstresult ? Py_True : Py_False, NULL);
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
