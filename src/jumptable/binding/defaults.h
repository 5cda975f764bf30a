/* Native functions whose last arguments may be left out: what an interface gives as defaults.
 *
 * C has no defaults, so a trampoline knows nothing of them. Such a function's own method is
 * jt_filled, which completes the arguments and goes on to the plan's trampoline; functions without
 * defaults never come here.
 *
 * Invariant: jt_extras.defaults is a tuple of numbers, strs, bytes and None, each of which its
 * parameter has accepted once; it is written before the function exists, and never changes.
 */
#ifndef JUMPTABLE_DEFAULTS_H
#define JUMPTABLE_DEFAULTS_H

#include "convert.h"

#define JT_MOST_PARAMS 255 /* as in signatures.py */

typedef PyObject *(*jt_fastcall)(PyObject *, PyObject *const *, Py_ssize_t);

static PyObject *jt_complete(PyObject *self, PyObject *const *args) {
    const jt_plan *plan = JT_NATIVE(self)->plan;
    if (plan->flags == METH_O)
        return plan->trampoline(self, args[0]);
    return ((jt_fastcall)(void (*)(void))plan->trampoline)(self, args, plan->visible);
}

static JT_NOINLINE PyObject *jt_fill(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    const jt_native *native = JT_NATIVE(self);
    PyObject *defaults = native->extras->defaults;
    Py_ssize_t count = native->plan->visible, optional = PyTuple_GET_SIZE(defaults);
    PyObject *all[JT_MOST_PARAMS];
    if (given > count || given < count - optional) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes %zd to %zd arguments, got %zd; it is declared as: %s",
                     native->method.ml_name, count - optional, count, given,
                     strstr(native->method.ml_doc, "--\n\n") + 4);
        return NULL;
    }
    for (Py_ssize_t index = 0; index < count; index++)
        all[index] = index < given
                         ? args[index]
                         : PyTuple_GET_ITEM(defaults, index - (count - optional));
    return jt_complete(self, all);
}

static PyObject *jt_filled(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    if (JT_LIKELY(given == JT_NATIVE(self)->plan->visible))
        return jt_complete(self, args);
    return jt_fill(self, args, given);
}

static void *jt_filled_method(void) {
    return (void *)(uintptr_t)&jt_filled;
}

/* Would the parameter accept this value? An exception says why not. */
static int jt_check_default(const jt_native *native, Py_ssize_t index, PyObject *value) {
    Py_buffer buffer;
    jt_views held = {&buffer, 0};
    jt_word word;
    int status = jt_convert(native, index, value, &word, &held);
    jt_release(&held);
    return status;
}

#endif
