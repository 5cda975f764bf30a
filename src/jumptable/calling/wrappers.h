/* What wrappers do around a hook's implementations: run to their yield before, resumed after.
 *
 * Invariant: between two steps either an exception object is held in `raised` or there is none. The
 * interpreter's own error indicator is never set while foreign code runs. */
#ifndef JUMPTABLE_WRAPPERS_H
#define JUMPTABLE_WRAPPERS_H

#include <Python.h>

#include "plan.h"
#include "raising.h"

/* What is needed of pluggy; multicall.pyx fills it in. */
typedef struct {
    Py_ssize_t function; /* its offset in a HookImpl */
    PyTypeObject *Result;
    PyObject *raise_wrapfail, *warn_of_teardown, *group_of;
    PyObject *function_name, *throw_name, *close_name, *exception_name, *result_name;
    PyObject *traceback_name; /* NULL where a Result keeps none: 1.5 */
    int shared_outcome, step_over_stop_iteration;
    /* What runs a call that was refused, borrowed: pluggy's own _multicall mostly. */
    PyObject *(*instead)(PyObject *executor, PyObject *hook, PyObject *plan);
    /* A Plan or None; hook, implementations, arguments, firstresult, Executor, and where the values
     * of the call go, as a tuple. */
    PyObject *(*plan_call)(PyObject *, PyObject *, PyObject *, int, PyObject *, PyObject **);
} jt_pluggy_t;

static jt_pluggy_t jt_pluggy;

/* pluggy's RuntimeError about a wrapper: "did not yield", "has second yield". */
static void jt_wrapfail(PyObject *generator, const char *what) {
    PyObject *done = PyObject_CallFunction(jt_pluggy.raise_wrapfail, "Os", generator, what);
    if (done != NULL) {
        Py_DECREF(done);
        PyErr_SetString(PyExc_SystemError, "pluggy's _raise_wrapfail returned");
    }
}

/* Runs a wrapper to its yield. */
static int jt_start(PyObject *generator) {
    PyObject *value;
    /* It was a generator function when the plan was made. */
    if (!PyIter_Check(generator)) {
        PyErr_Format(PyExc_TypeError, "'%.200s' object is not an iterator",
                     Py_TYPE(generator)->tp_name);
        return -1;
    }
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
        _PyErr_StackItem before = jt_handle(stop);
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
    _PyErr_StackItem before = jt_handle(*error);
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
    PyObject *error = jt_take_error();
    _PyErr_StackItem outer = jt_handle(error);
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

#endif
