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
 *     With a GIL a reader takes a reference to a plan's owner for the whole call. Without one, it
 *     takes neither lock nor reference: `running` counts the calls under way, in a stripe for each
 *     thread, and a plan that was replaced is kept in the State until each stripe was seen at 0
 *     since. Readers add to their stripe before they look at the plans, and those who replace one
 *     look at the stripes after, all in one order (seq_cst); who comes later sees the new plans. A
 *     call that ends looks for what waits to be let go after it has left its stripe.
 *   - Calls that always overlap would never leave a stripe at 0. So each has two words, and calls
 *     count in those of `side`: as soon as the other side's were seen at 0, it is that one's turn,
 *     and the first side's only lose calls. What waits is so let go when the calls that were under
 *     way have ended, whoever calls meanwhile. What is replaced meanwhile waits for the next round.
 *   - The calls of threads that a fork has left behind never end. A child counts from 0 again, and
 *     keeps the plans that it has inherited, as the thread that forked may be in one.
 *   - What `prepare` makes of a call may be a refusal, a plan that says: pluggy's own code.
 *   - At each call a plan is compared with what the home holds now, its list, specification and
 *     history, and with how the manager runs calls, so nobody has to be told of a registration.
 *     What was only compared is not followed: it may be gone. What HookImpls and specifications
 *     hold was read when the plan was made, but for an implementation's function. */
#ifndef JUMPTABLE_CALLERS_H
#define JUMPTABLE_CALLERS_H

#include <Python.h>
#include <structmember.h>

#include "../counting/cells.h"
#include "samelist.h"
#include "plan.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#ifdef Py_GIL_DISABLED
#define JT_HAS_GIL 0
#else
#define JT_HAS_GIL 1
#endif

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
    /* Without a GIL: */
    jt_cells running[2]; /* calls under way, by their side */
    int side;            /* where those that begin now count */
    int retired;         /* whether plans are kept for them */
    uint64_t waiting[2]; /* the stripes, as bits, that were not seen at 0 since, by side */
    int forks;           /* of this process and its parents, when it counted from 0 */
} jt_hook;

/* Where a call without a GIL has counted itself. */
typedef struct {
    int64_t *word;
    int forks;
} jt_begun;

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
    /* Lets go of plans that no call is using. */
    void (*sweep)(PyObject *state);
    /* In a child process, before it counts there: from 0. */
    void (*restart)(PyObject *state);
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

#ifdef Py_GIL_DISABLED
/* All in the one order of all threads (seq_cst), which the invariant needs. */
static inline int jt_load_used(jt_hook *hook) { return _Py_atomic_load_int(&hook->used); }
static inline jt_plan *jt_load_plan(jt_hook *hook, int index) {
    return _Py_atomic_load_ptr(&hook->plans[index]);
}
static inline void jt_store_plan(jt_hook *hook, int index, jt_plan *plan, int used) {
    _Py_atomic_store_ptr(&hook->plans[index], plan);
    _Py_atomic_store_int(&hook->used, used);
}
static inline void jt_forget_plans(jt_hook *hook) { _Py_atomic_store_int(&hook->used, 0); }
static inline void jt_set_retired(jt_hook *hook, int retired) {
    _Py_atomic_store_int(&hook->retired, retired);
}

static int jt_forks; /* changed by a child's only thread */
static void jt_count_fork(void) { jt_forks++; }
static int jt_watch_forks(void) {
#if !defined(_WIN32)
    if (pthread_atfork(NULL, NULL, jt_count_fork) != 0) {
        PyErr_NoMemory();
        return -1;
    }
#endif
    return 0;
}

static inline int jt_is_inherited(jt_hook *hook) {
    return _Py_atomic_load_int(&hook->forks) != jt_forks;
}

static inline jt_begun jt_begin(PyObject *state) {
    jt_hook *hook = &((jt_state_object *)state)->hook;
    jt_begun begun;
    if (jt_is_inherited(hook))
        jt_callers.restart(state);
    const jt_cells *running = &hook->running[_Py_atomic_load_int(&hook->side)];
    begun.forks = jt_forks;
    begun.word = running->word(running);
    _Py_atomic_add_int64(begun.word, 1);
    return begun;
}

/* The end of a call, whose exception is none of the plans' business. */
static inline void jt_end(PyObject *state, jt_begun begun) {
    if (begun.forks != jt_forks) /* nobody waits for it here */
        return;
    _Py_atomic_add_int64(begun.word, -1);
    if (_Py_atomic_load_int(&((jt_state_object *)state)->hook.retired)) {
        PyObject *raised = PyErr_GetRaisedException();
        jt_callers.sweep(state);
        PyErr_SetRaisedException(raised);
    }
}

/* The rest only under the State's lock. */
static inline void jt_start_waiting(jt_hook *hook) {
    hook->waiting[0] = hook->waiting[1] = ~(uint64_t)0 >> (63 - hook->running[0].mask);
}

/* Whether every call that was under way when the waiting started has ended. */
static inline int jt_have_ended(jt_hook *hook) {
    int side;
    for (side = 0; side < 2; side++)
        for (size_t stripe = 0; stripe <= hook->running[side].mask; stripe++)
            if (_Py_atomic_load_int64(jt_nth_word(&hook->running[side], stripe)) == 0)
                hook->waiting[side] &= ~((uint64_t)1 << stripe);
    side = _Py_atomic_load_int(&hook->side);
    if (hook->waiting[side] != 0 && hook->waiting[1 - side] == 0)
        _Py_atomic_store_int(&hook->side, 1 - side);
    return hook->waiting[0] == 0 && hook->waiting[1] == 0;
}

/* Counts from 0; whether somebody was counted. */
static inline int jt_count_anew(jt_hook *hook) {
    int64_t counted = 0;
    for (int side = 0; side < 2; side++)
        for (size_t stripe = 0; stripe <= hook->running[side].mask; stripe++)
            counted |= jt_word_take(jt_nth_word(&hook->running[side], stripe));
    _Py_atomic_store_int(&hook->forks, jt_forks);
    return counted != 0;
}

static inline int jt_same_impls(jt_plan *plan) {
    return jt_list_is(plan->list, plan->impls, &plan->shared);
}
#else
static inline int jt_load_used(jt_hook *hook) { return hook->used; }
static inline jt_plan *jt_load_plan(jt_hook *hook, int index) { return hook->plans[index]; }
static inline void jt_store_plan(jt_hook *hook, int index, jt_plan *plan, int used) {
    hook->plans[index] = plan;
    hook->used = used;
}
static inline void jt_forget_plans(jt_hook *hook) { hook->used = 0; }
static inline void jt_set_retired(jt_hook *hook, int retired) { hook->retired = retired; }
static inline int jt_watch_forks(void) { return 0; }
static inline int jt_is_inherited(jt_hook *hook) { (void)hook; return 0; }
static inline void jt_start_waiting(jt_hook *hook) { (void)hook; }
static inline int jt_have_ended(jt_hook *hook) { (void)hook; return 1; }
static inline int jt_count_anew(jt_hook *hook) { (void)hook; return 0; }

static inline int jt_same_impls(jt_plan *plan) {
    Py_ssize_t count = PyTuple_GET_SIZE(plan->impls), index = 0;
    if (PyList_GET_SIZE(plan->list) != count)
        return 0;
    /* Not memcmp, which for an empty list may take longer than all the rest of the call. */
    while (index < count &&
           PyList_GET_ITEM(plan->list, index) == PyTuple_GET_ITEM(plan->impls, index))
        index++;
    return index == count;
}
#endif

/* A plan that holds for a call now; else NULL, with an error only if the look-up raised one. With a
 * GIL its owner is counted, without one the call has begun. */
static jt_plan *jt_find(jt_hook *hook, PyObject *names) {
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    jt_plan *found = NULL;
    int used = jt_load_used(hook);
    if (used == 0)
        return NULL;
#ifdef Py_GIL_DISABLED
    PyObject *executor;
    if (PyDict_GetItemRef(hook->attributes, jt_callers.executor_name, &executor) <= 0)
        return NULL;
    Py_DECREF(executor);
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
    for (int index = 0; index < used; index++) {
        jt_plan *plan = jt_load_plan(hook, index);
        if (jt_same_names(plan->names, names, count)) {
            found = plan;
            break;
        }
    }
    if (found == NULL)
        return NULL;
    if (JT_HAS_GIL)
        Py_INCREF(found->owner);
    if (found->executor == executor && found->list == jt_peek(hook->home, jt_callers.impls) &&
        found->spec == jt_peek(hook->home, jt_callers.specification) &&
        jt_peek(hook->home, jt_callers.history) == Py_None &&
        jt_peek(hook->home, jt_callers.hookexec) == hook->hookexec && jt_same_impls(found))
        return found;
    if (JT_HAS_GIL)
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

static inline PyObject *jt_run_or_refuse(jt_plan *plan, PyObject *self, PyObject *const *args,
                                         size_t given, PyObject *names) {
    if (plan->refused)
        return jt_call_stock(self, args, given, names);
    return jt_callers.run(plan, (PyObject **)args, 1);
}

static inline PyObject *jt_call_hook(int kind, PyObject *self, PyObject *const *args, size_t given,
                                     PyObject *names) {
    PyObject *state = jt_caller_of(self, kind)->state;
    if (state == NULL || PyVectorcall_NARGS(given) != 0)
        return jt_call_stock(self, args, given, names);
    jt_hook *hook = &((jt_state_object *)state)->hook;
    PyObject *result;
#ifdef Py_GIL_DISABLED
    jt_begun begun = jt_begin(state);
#endif
    jt_plan *plan = jt_find(hook, names);
    if (plan != NULL) {
        result = jt_run_or_refuse(plan, self, args, given, names);
#ifdef Py_GIL_DISABLED
        jt_end(state, begun);
#else
        Py_DECREF(plan->owner);
#endif
        return result;
    }
#ifdef Py_GIL_DISABLED
    jt_end(state, begun);
#endif
    if (PyErr_Occurred())
        return NULL;
    PyObject *owner = jt_callers.prepare(state, names);
    if (owner == NULL)
        return NULL;
    if (owner == Py_None)
        result = jt_call_stock(self, args, given, names);
    else
        result = jt_run_or_refuse(jt_plan_of(owner), self, args, given, names);
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
