/* The call of a compiled hook caller: find the plan, run it.
 *
 * A compiled caller is an instance of a heap type that extends pluggy's own class, with one more
 * attribute and one field for the interpreter: jt_caller, behind pluggy's slots. All that hooks
 * know, the specification, the implementations, the history, stays in pluggy's own caller, the
 * `home`, so that whoever still holds that one sees the same.
 *
 * Invariants:
 *   - `state` is a State or, before it was set and after the garbage collector has cleared it,
 *     NULL; then pluggy's own code runs.
 *   - A State's plans change only under the lock of the State (with a GIL, that is the lock).
 *     A reader takes a reference to a plan's owner under it, and holds that for the whole call.
 *   - What `prepare` makes of a call may be a refusal, a plan that says: pluggy's own code.
 *   - At each call a plan is compared with what the home holds now, its list, specification and
 *     history, and with how the manager runs calls, so nobody has to be told of a registration.
 *     What was only compared is not followed: it may be gone. What HookImpls and specifications
 *     hold was read when the plan was made, but for an implementation's function.
 *   - Without a GIL each call takes two short locks, of the State and of the list, and a reference
 *     to the plan, so threads that call one hook wait for each other there. A plan without a count
 *     could not be freed while a call, which may last as long as the process, may be using it. */
#ifndef JUMPTABLE_CALLERS_H
#define JUMPTABLE_CALLERS_H

#include <Python.h>
#include <structmember.h>

#include "plan.h"

/* Different tuples of keyword names that one hook is called with, before the oldest is dropped. */
#define JT_PLANS 6

typedef struct {
    PyObject *home;     /* pluggy's own HookCaller */
    PyObject *hookexec; /* its _hookexec when it was taken over */
    PyObject *attributes; /* the __dict__ of the manager, where tracing leaves its mark */
    PyObject *executor;   /* what it held as _inner_hookexec when `version` was its version */
    uint64_t version;
    jt_plan *plans[JT_PLANS]; /* the first `used` */
    int used; /* 0 as long as hookexec and attributes are not known */
} jt_hook;

/* The head of State, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    jt_hook hook;
} jt_state_object;

typedef struct {
    PyObject *state;
    vectorcallfunc call;
} jt_caller;

typedef struct {
    Py_ssize_t specification, impls, history, hookexec; /* offsets in a HookCaller */
    PyObject *executor_name;
    PyObject *call; /* pluggy's HookCaller.__call__ */
    /* A new Plan, or None where pluggy's own code must run. */
    PyObject *(*prepare)(PyObject *state, PyObject *names);
    PyObject *(*run)(jt_plan *, PyObject **, int);
} jt_callers_t;

static jt_callers_t jt_callers;

/* Where the jt_caller is in callers of each of the two types. */
enum { JT_CALLER, JT_SUBSET_CALLER };
static Py_ssize_t jt_caller_offsets[2];
static PyTypeObject *jt_caller_types[2];

static inline jt_caller *jt_caller_of(PyObject *self, int kind) {
    return (jt_caller *)((char *)self + jt_caller_offsets[kind]);
}

/* Names in the code that calls are interned, as are those of the implementations' parameters. */
static int jt_same_names(PyObject *known, PyObject *names, Py_ssize_t count) {
    if (known == names) /* the same line of code as before */
        return 1;
    if (PyTuple_GET_SIZE(known) != count)
        return 0;
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *one = PyTuple_GET_ITEM(known, index), *other = PyTuple_GET_ITEM(names, index);
        if (one != other && PyUnicode_Compare(one, other) != 0)
            return 0;
    }
    return 1;
}

static int jt_same_impls(const jt_plan *plan) {
    Py_ssize_t count = PyTuple_GET_SIZE(plan->impls), index = 0;
#ifdef Py_GIL_DISABLED
    Py_BEGIN_CRITICAL_SECTION(plan->list);
#endif
    /* Not memcmp, which for an empty list may take longer than all the rest of the call. */
    if (PyList_GET_SIZE(plan->list) == count)
        while (index < count &&
               PyList_GET_ITEM(plan->list, index) == PyTuple_GET_ITEM(plan->impls, index))
            index++;
    else
        index = -1;
#ifdef Py_GIL_DISABLED
    Py_END_CRITICAL_SECTION();
#endif
    return index == count;
}

/* A plan that holds for a call now, with a reference to its owner; else NULL, with an error only if
 * the look-up raised one. */
static jt_plan *jt_find(PyObject *state, PyObject *names) {
    jt_hook *hook = &((jt_state_object *)state)->hook;
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    jt_plan *found = NULL;
    if (hook->used == 0)
        return NULL;
#ifdef Py_GIL_DISABLED
    PyObject *executor;
    if (PyDict_GetItemRef(hook->attributes, jt_callers.executor_name, &executor) <= 0)
        return NULL;
    Py_DECREF(executor);
    Py_BEGIN_CRITICAL_SECTION(state);
#elif PY_VERSION_HEX < 0x030C0000 /* dictionaries have versions: PEP 509 */
    /* Later ones have watchers instead, whom 3.13 does not tell of every store. */
    uint64_t version = ((PyDictObject *)hook->attributes)->ma_version_tag;
    if (hook->version != version) {
        hook->executor = PyDict_GetItemWithError(hook->attributes, jt_callers.executor_name);
        hook->version = version;
    }
    PyObject *executor = hook->executor;
    if (executor == NULL)
        return NULL;
#else
    PyObject *executor = PyDict_GetItemWithError(hook->attributes, jt_callers.executor_name);
    if (executor == NULL)
        return NULL;
#endif
    for (int index = 0; index < hook->used; index++)
        if (jt_same_names(hook->plans[index]->names, names, count)) {
            found = hook->plans[index];
            Py_INCREF(found->owner);
            break;
        }
#ifdef Py_GIL_DISABLED
    Py_END_CRITICAL_SECTION();
#endif
    if (found == NULL)
        return NULL;
    if (found->executor == executor && found->list == jt_peek(hook->home, jt_callers.impls) &&
        found->spec == jt_peek(hook->home, jt_callers.specification) &&
        jt_peek(hook->home, jt_callers.history) == Py_None &&
        jt_peek(hook->home, jt_callers.hookexec) == hook->hookexec && jt_same_impls(found))
        return found;
    Py_DECREF(found->owner);
    return NULL;
}

/* pluggy's HookCaller.__call__(self, ...). */
static PyObject *jt_call_stock(PyObject *self, PyObject *const *args, size_t given,
                               PyObject *names) {
    Py_ssize_t positional = PyVectorcall_NARGS(given);
    size_t count = (size_t)positional + (names == NULL ? 0 : (size_t)PyTuple_GET_SIZE(names));
    PyObject **all = PyMem_Malloc((count + 1) * sizeof *all);
    if (all == NULL)
        return PyErr_NoMemory();
    all[0] = self;
    for (size_t index = 0; index < count; index++)
        all[index + 1] = args[index];
    PyObject *result = PyObject_Vectorcall(jt_callers.call, all, (size_t)positional + 1, names);
    PyMem_Free(all);
    return result;
}

static inline PyObject *jt_call_hook(int kind, PyObject *self, PyObject *const *args, size_t given,
                                     PyObject *names) {
    PyObject *state = jt_caller_of(self, kind)->state;
    if (state == NULL || PyVectorcall_NARGS(given) != 0)
        return jt_call_stock(self, args, given, names);
    PyObject *owner;
    jt_plan *plan = jt_find(state, names);
    if (plan != NULL)
        owner = plan->owner;
    else {
        if (PyErr_Occurred())
            return NULL;
        owner = jt_callers.prepare(state, names);
        if (owner == NULL)
            return NULL;
        plan = owner == Py_None ? NULL : jt_plan_of(owner);
    }
    PyObject *result;
    if (plan == NULL || plan->refused)
        result = jt_call_stock(self, args, given, names);
    else
        result = jt_callers.run(plan, (PyObject **)args, 1);
    Py_DECREF(owner);
    return result;
}

static PyObject *jt_call_all(PyObject *self, PyObject *const *args, size_t given,
                             PyObject *names) {
    return jt_call_hook(JT_CALLER, self, args, given, names);
}

static PyObject *jt_call_subset(PyObject *self, PyObject *const *args, size_t given,
                                PyObject *names) {
    return jt_call_hook(JT_SUBSET_CALLER, self, args, given, names);
}

/* pluggy's own slots of a compiled caller: each is the home's. `closure` is the member of pluggy's
 * class, which serves callers that were made without a home. */
static PyObject *jt_get_of_home(PyObject *self, void *closure) {
    PyObject *state = jt_caller_of(self, JT_CALLER)->state;
    PyObject *owner = state == NULL ? self : ((jt_state_object *)state)->hook.home;
    return PyMember_GetOne((const char *)owner, (PyMemberDef *)closure);
}

static int jt_set_of_home(PyObject *self, PyObject *value, void *closure) {
    PyObject *state = jt_caller_of(self, JT_CALLER)->state;
    PyObject *owner = state == NULL ? self : ((jt_state_object *)state)->hook.home;
    return PyMember_SetOne((char *)owner, (PyMemberDef *)closure, value);
}

/* A subclass of `base` whose instances have a jt_caller. The slots are the interpreter's to
 * traverse and clear, as those of a Python class: it finds them among the members. */
static PyObject *jt_new_type(const char *name, const char *doc, PyTypeObject *base, int kind,
                             PyGetSetDef *slots) {
    static PyGetSetDef none[] = {{NULL, NULL, NULL, NULL, NULL}};
    Py_ssize_t offset = jt_caller_offsets[kind] = base->tp_basicsize;
    PyMemberDef members[] = {
        {"_state", T_OBJECT_EX, offset + (Py_ssize_t)offsetof(jt_caller, state), 0, NULL},
        {"__vectorcalloffset__", T_PYSSIZET, offset + (Py_ssize_t)offsetof(jt_caller, call),
         READONLY, NULL},
        {NULL, 0, 0, 0, NULL},
    };
    PyType_Slot spec_slots[] = {
        {Py_tp_doc, (void *)doc},
        {Py_tp_members, members},
        {Py_tp_getset, slots == NULL ? none : slots},
        {0, NULL},
    };
    PyType_Spec spec = {name, (int)(offset + (Py_ssize_t)sizeof(jt_caller)), 0, Py_TPFLAGS_DEFAULT,
                        spec_slots};
    PyObject *bases = PyTuple_Pack(1, base);
    if (bases == NULL)
        return NULL;
    PyObject *type = PyType_FromSpecWithBases(&spec, bases);
    Py_DECREF(bases);
    if (type == NULL)
        return NULL;
    /* The interpreter keeps traversing it; Python code cannot put anything else there. */
    if (PyObject_DelAttrString(type, "_state") < 0 ||
        PyObject_DelAttrString(type, "__vectorcalloffset__") < 0) {
        Py_DECREF(type);
        return NULL;
    }
    jt_caller_types[kind] = (PyTypeObject *)type;
    return type;
}

/* Set here, not in the spec: tp_call stays the inherited one, which runs pluggy's __call__. From
 * 3.12 on the interpreter takes the flag away when somebody replaces that. */
static void jt_call_compiled(int kind) {
    PyTypeObject *type = jt_caller_types[kind];
    if (!(type->tp_flags & Py_TPFLAGS_HAVE_VECTORCALL)) {
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
        PyType_Modified(type);
    }
}

/* The State of a caller; None for one that has none, and for anything else. */
static inline PyObject *jt_state_of(PyObject *self, int kind) {
    PyObject *state = NULL;
    if (Py_TYPE(self) == jt_caller_types[kind])
        state = jt_caller_of(self, kind)->state;
    return state == NULL ? Py_None : state;
}

/* Makes an instance call what `state` says. */
static void jt_adopt(PyObject *self, PyObject *state, int kind) {
    jt_caller *caller = jt_caller_of(self, kind);
    Py_INCREF(state);
    caller->state = state;
    caller->call = kind == JT_CALLER ? jt_call_all : jt_call_subset;
}

#endif
