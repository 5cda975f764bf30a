/* A host in C: an extension module whose own threads, which Python does not know, call slots. */
#include <Python.h>
#include <jumptable/host.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What the writer has bound for certain: it stores this after `bind` has returned. */
static atomic_llong published;
static atomic_bool stopping;

typedef int64_t (*get_type)(void);

/* Calls that gave something that was never bound; something older than the same thread had seen;
 * something older than what was published before the call. */
typedef struct {
    atomic_llong calls;
    long long torn, backwards, stale, last;
} outcome;

typedef struct {
    pthread_t thread;
    jt_slot *slot;
    int64_t limit;       /* generations go from 0 to this */
    jt_function odd;     /* in read mode: what has the odd generations, or NULL in call mode */
    jt_function even;
    outcome seen;
} caller;

static void check(outcome *seen, long long floor, long long value) {
    atomic_fetch_add(&seen->calls, 1);
    seen->stale += value < floor;
    seen->backwards += value < seen->last;
    seen->last = value;
}

static void *keep_calling(void *argument) {
    caller *own = argument;
    while (!atomic_load(&stopping)) {
        long long floor = atomic_load(&published);
        int64_t value = JT_CALL(own->slot, get_type)();
        own->seen.torn += value < 0 || value > own->limit;
        check(&own->seen, floor, value);
    }
    return NULL;
}

static void *keep_reading(void *argument) {
    caller *own = argument;
    while (!atomic_load(&stopping)) {
        uint64_t generation;
        long long floor = atomic_load(&published);
        jt_function function = jt_read(own->slot, &generation);
        own->seen.torn += function != (generation % 2 ? own->odd : own->even);
        check(&own->seen, floor, (long long)generation);
    }
    return NULL;
}

static caller *callers;
static int started;

/* start(slot, threads, limit, odd=0, even=0): call until finish(), or read if `odd` is given. */
static PyObject *start(PyObject *module, PyObject *args) {
    unsigned long long slot, odd = 0, even = 0;
    long long limit;
    int threads;
    if (!PyArg_ParseTuple(args, "KiL|KK", &slot, &threads, &limit, &odd, &even))
        return NULL;
    if (callers != NULL || (callers = calloc(threads, sizeof(caller))) == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "callers are running, or there is no memory");
        return NULL;
    }
    atomic_store(&stopping, false);
    for (started = 0; started < threads; started++) {
        caller *own = &callers[started];
        own->slot = (jt_slot *)(uintptr_t)slot;
        own->limit = limit;
        own->odd = (jt_function)(uintptr_t)odd;
        own->even = (jt_function)(uintptr_t)even;
        if (pthread_create(&own->thread, NULL, odd ? keep_reading : keep_calling, own))
            break;
    }
    return PyLong_FromLong(started);
}

static PyObject *publish(PyObject *module, PyObject *args) {
    long long generation;
    if (!PyArg_ParseTuple(args, "L", &generation))
        return NULL;
    atomic_store(&published, generation);
    Py_RETURN_NONE;
}

/* How many calls each caller has made so far. */
static PyObject *calls(PyObject *module, PyObject *ignored) {
    PyObject *list = PyList_New(started);
    for (int index = 0; list != NULL && index < started; index++)
        PyList_SET_ITEM(list, index,
                        PyLong_FromLongLong(atomic_load(&callers[index].seen.calls)));
    return list;
}

/* Stop the callers; for each: calls, torn, backwards, stale, the last generation. */
static PyObject *finish(PyObject *module, PyObject *ignored) {
    PyObject *list = PyList_New(0);
    atomic_store(&stopping, true);
    Py_BEGIN_ALLOW_THREADS
    for (int index = 0; index < started; index++)
        pthread_join(callers[index].thread, NULL);
    Py_END_ALLOW_THREADS
    for (int index = 0; list != NULL && index < started; index++) {
        outcome *seen = &callers[index].seen;
        PyObject *item = Py_BuildValue("(LLLLL)", atomic_load(&seen->calls), seen->torn, seen->backwards,
                                       seen->stale, seen->last);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    free(callers);
    callers = NULL;
    started = 0;
    atomic_store(&published, 0);
    return list;
}

static PyObject *get_slot(PyObject *module, PyObject *args) {
    PyObject *table;
    const char *name, *signature;
    if (!PyArg_ParseTuple(args, "Oss", &table, &name, &signature))
        return NULL;
    jt_slot *slot = jt_get_slot(table, name, signature);
    return slot == NULL ? NULL : PyLong_FromVoidPtr(slot);
}

/* What jt_read says. */
static PyObject *generation(PyObject *module, PyObject *args) {
    unsigned long long slot;
    uint64_t found;
    if (!PyArg_ParseTuple(args, "K", &slot))
        return NULL;
    jt_read((jt_slot *)(uintptr_t)slot, &found);
    return PyLong_FromUnsignedLongLong(found);
}

/* ---- one call, of any type, in a thread of its own ---------------------------------------- */

typedef struct {
    const char *kind;
    jt_slot *slot;
    const char *text;
    void *pointer;
    char filled[1024];
} single;

#define RESULT(type, format, ...)                                                                 \
    else if (!strcmp(one->kind, #type))                                                           \
        snprintf(one->filled, sizeof one->filled, format, JT_CALL(one->slot, type (*)(void))())

/* What was on the stack must not look like a result. */
static void soil_stack(void) {
    volatile unsigned char soil[4096];
    for (size_t index = 0; index < sizeof soil; index++)
        soil[index] = 0xA5;
}

static void *call_once(void *argument) {
    single *one = argument;
    soil_stack();
    if (!strcmp(one->kind, "void"))
        JT_CALL(one->slot, void (*)(void))();
    RESULT(double, "%g");
    RESULT(float, "%g");
    RESULT(bool, "%d");
    RESULT(int8_t, "%d");
    RESULT(int16_t, "%d");
    RESULT(int32_t, "%d");
    RESULT(int64_t, "%ld");
    RESULT(uint8_t, "%u");
    RESULT(uint16_t, "%u");
    RESULT(uint32_t, "%u");
    RESULT(uint64_t, "%lu");
    else if (!strcmp(one->kind, "void *"))
        one->pointer = JT_CALL(one->slot, void *(*)(void))();
    else if (!strcmp(one->kind, "const char *")) {
        const char *text = JT_CALL(one->slot, const char *(*)(const char *))(one->text);
        soil_stack();
        if (text == NULL) {
            one->pointer = NULL;
        } else {
            one->pointer = one->filled;
            /* Memory that was given back by then would most likely be used by these. */
            for (int size = 16; size < 1024; size += 8)
                free(memset(malloc(size), 'x', size));
            snprintf(one->filled, sizeof one->filled, "%s", text);
        }
    }
    return NULL;
}

/* call(kind, slot, text=None, thread=True): what C got, as text; addresses as int. */
static PyObject *call(PyObject *module, PyObject *args) {
    single one = {0};
    unsigned long long slot;
    PyObject *text = Py_None;
    int thread = 1;
    pthread_t created;
    if (!PyArg_ParseTuple(args, "sK|Op", &one.kind, &slot, &text, &thread))
        return NULL;
    one.text = PyBytes_Check(text)     ? PyBytes_AsString(text)
               : PyUnicode_Check(text) ? PyUnicode_AsUTF8(text)
                                       : NULL;
    one.slot = (jt_slot *)(uintptr_t)slot;
    Py_BEGIN_ALLOW_THREADS
    if (thread && pthread_create(&created, NULL, call_once, &one) == 0)
        pthread_join(created, NULL);
    else if (!thread)
        call_once(&one);
    Py_END_ALLOW_THREADS
    if (!strcmp(one.kind, "void *"))
        return PyLong_FromVoidPtr(one.pointer);
    if (!strcmp(one.kind, "const char *") && one.pointer == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(one.filled, strlen(one.filled), "surrogateescape");
}

/* A call with the GIL, which takes and gives objects: the object, or None for NULL. */
static PyObject *call_object(PyObject *module, PyObject *args) {
    unsigned long long slot;
    PyObject *argument;
    if (!PyArg_ParseTuple(args, "KO", &slot, &argument))
        return NULL;
    if (argument == Py_None)
        argument = NULL;
    PyObject *result =
        JT_CALL((jt_slot *)(uintptr_t)slot, PyObject * (*)(PyObject *))(argument);
    if (result == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return result;
}

/* The signal is pending when the callback starts: what its handler raises is raised there. */
static PyObject *call_after_signal(PyObject *module, PyObject *args) {
    unsigned long long slot;
    int number;
    int64_t result;
    if (!PyArg_ParseTuple(args, "Ki", &slot, &number))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    raise(number);
    soil_stack();
    result = JT_CALL((jt_slot *)(uintptr_t)slot, get_type)();
    Py_END_ALLOW_THREADS
    return PyLong_FromLongLong(result);
}

/* The fault that ThreadSanitizer must find: a store that is not atomic. */
static PyObject *store_plainly(PyObject *module, PyObject *args) {
    unsigned long long slot;
    if (!PyArg_ParseTuple(args, "K", &slot))
        return NULL;
    jt_slot *line = (jt_slot *)(uintptr_t)slot;
    line->function = jt_load(line);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"start", start, METH_VARARGS, NULL},
    {"publish", publish, METH_VARARGS, NULL},
    {"calls", calls, METH_NOARGS, NULL},
    {"finish", finish, METH_NOARGS, NULL},
    {"get_slot", get_slot, METH_VARARGS, NULL},
    {"generation", generation, METH_VARARGS, NULL},
    {"call", call, METH_VARARGS, NULL},
    {"call_object", call_object, METH_VARARGS, NULL},
    {"call_after_signal", call_after_signal, METH_VARARGS, NULL},
    {"store_plainly", store_plainly, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "fire_host", .m_size = -1, .m_methods = methods,
};

PyMODINIT_FUNC PyInit_fire_host(void) {
    if (jt_import() < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
#ifdef Py_GIL_DISABLED
    if (module != NULL)
        PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    return module;
}
