/* Loops without the GIL, for threads that run at the same time: adding to a word, and for
 * comparison nothing but arithmetic in registers.
 *
 * Each waits until `start`, repeats until `end`, both times of now(), and says how often it did.
 * It looks at the clock once per TURN repetitions, and counts the part of the last turn that was
 * before `end`. -1.0: it came too late. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <jumptable/counter.h>
#include <stdint.h>

#if defined(_WIN32)
#include <windows.h>
static int64_t now(void) {
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&ticks);
    return (int64_t)((double)ticks.QuadPart * 1e9 / (double)frequency.QuadPart);
}
#else
#include <time.h>
static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
#endif

#define TURN 1000

#define LOOP(name, statement)                                                                   \
    static double run_##name(void *address, int64_t start, int64_t end, uint64_t *kept) {       \
        uint64_t x = (uint64_t)start | 1;                                                       \
        int64_t before, after = now();                                                          \
        double done = 0;                                                                        \
        (void)address;                                                                          \
        if (after > start)                                                                      \
            return -1;                                                                          \
        while (after < start)                                                                   \
            after = now();                                                                      \
        for (;; done += TURN) {                                                                 \
            before = after;                                                                     \
            for (int index = 0; index < TURN; index++) {                                        \
                statement;                                                                      \
            }                                                                                   \
            after = now();                                                                      \
            if (after >= end)                                                                   \
                break;                                                                          \
        }                                                                                       \
        *kept = x;                                                                              \
        return done + (double)TURN * (double)(end - before) / (double)(after - before);         \
    }

/* What no compiler can foresee, as long as the result is kept. */
LOOP(registers, x ^= x << 13; x ^= x >> 7; x ^= x << 17)
LOOP(word, jt_word_add((int64_t *)address, 1))
LOOP(counter, jt_counter_add((jt_counter *)address, 1))

typedef double (*loop)(void *, int64_t, int64_t, uint64_t *);

static PyObject *timed(loop run, PyObject *args) {
    PyObject *address;
    long long start, end;
    volatile uint64_t result;
    uint64_t kept = 0;
    double done;
    if (!PyArg_ParseTuple(args, "OLL", &address, &start, &end))
        return NULL;
    void *where = PyLong_AsVoidPtr(address);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    done = run(where, start, end, &kept);
    result = kept;
    Py_END_ALLOW_THREADS
    (void)result;
    return PyFloat_FromDouble(done);
}

#define BUILTIN(name)                                                                           \
    static PyObject *b_##name(PyObject *self, PyObject *args) { return timed(run_##name, args); }

BUILTIN(registers)
BUILTIN(word)
BUILTIN(counter)

/* times(address, count): how long so many adds take in this thread. */
static PyObject *b_times(PyObject *self, PyObject *args) {
    PyObject *address;
    long long count;
    int64_t start, end;
    if (!PyArg_ParseTuple(args, "OL", &address, &count))
        return NULL;
    int64_t *word = (int64_t *)PyLong_AsVoidPtr(address);
    if (PyErr_Occurred())
        return NULL;
    start = now();
    while (count-- > 0)
        jt_word_add(word, 1);
    end = now();
    return PyLong_FromLongLong(end - start);
}

static PyObject *b_now(PyObject *self, PyObject *unused) { return PyLong_FromLongLong(now()); }

static PyMethodDef methods[] = {
    {"registers", b_registers, METH_VARARGS, "registers(0, start, end) -> repetitions"},
    {"word", b_word, METH_VARARGS, "word(address, start, end) -> repetitions"},
    {"counter", b_counter, METH_VARARGS, "counter(address, start, end) -> repetitions"},
    {"times", b_times, METH_VARARGS, "times(address, count) -> nanoseconds"},
    {"now", b_now, METH_NOARGS, "now() -> nanoseconds"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "adding",
                                    .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_adding(void) { return PyModuleDef_Init(&module); }
