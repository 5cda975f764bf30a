/* What a trampoline needs to know of the function that it calls.
 *
 * Invariants
 * - A jt_plan is written once, before the first function that uses it exists, and never changes.
 *   Any number of threads read it without a lock.
 * - A jt_native lives inside its Symbol, which is the function's __self__: the interpreter keeps
 *   it alive for the duration of a call, so trampolines take no reference.
 */
#ifndef JUMPTABLE_NATIVE_H
#define JUMPTABLE_NATIVE_H

#include <Python.h>
#include <stdint.h>

#include "../counting/compiler.h"

/* Where integers and floating-point numbers travel in registers of their own, a word per argument
 * and one prototype per pair of counts reach every function. On Windows x64 an argument's position
 * decides, so only the exact prototypes of the generated trampolines hold there. Elsewhere every
 * call goes through libffi. */
#if (defined(__x86_64__) && !defined(_WIN32) && !defined(__ILP32__)) || \
    (defined(__aarch64__) && !defined(_WIN32) && !defined(__AARCH64EB__))
#define JT_WORD_CALLS 1
#define JT_EXACT_CALLS 1
#elif defined(_WIN64) && defined(_M_X64)
#define JT_WORD_CALLS 0
#define JT_EXACT_CALLS 1
#else
#define JT_WORD_CALLS 0
#define JT_EXACT_CALLS 0
#endif

#define JT_INT_WORDS 6
#define JT_FLOAT_WORDS 8

typedef enum {
    JT_VOID,
    JT_BOOL,
    JT_SIGNED,
    JT_UNSIGNED,
    JT_FLOAT,
    JT_DOUBLE,
    JT_STRING,  /* const char * */
    JT_ADDRESS, /* void * */
    JT_BUFFER,  /* T * */
    JT_OBJECT,  /* PyObject * */
    JT_CHAR,    /* only as the item of a buffer: char, whose sign no exporter agrees on */
    JT_ZERO     /* a word that is always 0 and that Python does not pass; see capsules.py */
} jt_kind;

typedef struct {
    const char *ctype; /* as the user reads it; owned by the plan's Python strings */
    uint8_t kind;      /* jt_kind */
    uint8_t size;      /* bytes of the value */
    uint8_t item;      /* jt_kind of what a JT_BUFFER points at */
    uint8_t item_size; /* bytes of one item */
    uint8_t constant;  /* the callee only reads through the pointer */
    uint8_t shift;     /* 64 less the value's bits: what to discard of a returned register */
    int64_t low;       /* of integers: the least value ... */
    uint64_t span;     /* ... and how far the greatest int64_t that fits lies above it */
} jt_type;

typedef struct {
    jt_type result;
    Py_ssize_t count;   /* arguments in C */
    Py_ssize_t visible; /* arguments in Python: all but JT_ZERO, which come last */
    PyObject *owner;    /* the Plan whose memory this is; borrowed */
    PyCFunction trampoline;
    int flags;         /* METH_O or METH_FASTCALL, as the trampoline takes its arguments */
    uint8_t nogil;
    uint8_t checked;    /* the callee may set a Python exception */
    uint8_t variable;   /* no function: the type of a variable, as the only parameter */
    jt_type params[1]; /* in fact `count` of them */
} jt_plan;

/* What few functions have. */
typedef struct {
    PyObject *generic;  /* a ctypes function, for calls beyond registers, or NULL; owned */
    PyObject *defaults; /* a tuple for the last parameters, or NULL; see defaults.h; owned */
} jt_extras;

typedef struct {
    PyMethodDef method;
    void (*address)(void);
    const jt_plan *plan; /* the Symbol or Variable owns a reference to plan->owner */
    jt_extras *extras;   /* NULL for most; owned */
} jt_native;

/* The head of Symbol, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    jt_native native;
} jt_symbol;

#define JT_NATIVE(self) (&((jt_symbol *)(self))->native)

typedef union {
    int64_t i;
    uint64_t u;
    void *p;
    double d;
    float f;
} jt_word;

typedef struct {
    Py_buffer *views;
    Py_ssize_t held;
} jt_views;

#endif
