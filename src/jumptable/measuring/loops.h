/* Loops that make one call, or one addition, again and again, with no interpreter in them.
 *
 * Each repeats its statement UNROLLED times per turn, so that a turn's own cost is a tenth of what
 * it would be, and starts at the same offset in a cache line; run_empty is the same loop around
 * nothing. None is inlined, and what they call is hidden: the compiler can neither hoist a call out
 * of the loop nor drop it.
 *
 * The argument of each call is the result of the one before. So what is measured is the time from a
 * result to the next, which is what a host has to wait that uses what it is given. Calls that need
 * nothing from one another would overlap in the processor, and seem to take less than any single
 * one does. What does not depend on the argument, such as the load of a pointer, may still be done
 * ahead, as it is in any host. Additions to memory that count are atomic, and wait for one another
 * by themselves. */
#ifndef JUMPTABLE_MEASURING_LOOPS_H
#define JUMPTABLE_MEASURING_LOOPS_H

#include <Python.h>
#include <stdint.h>

#include "../include/jumptable/counter.h"
#include "../include/jumptable/host.h"

#if defined(__clang__)
#define JT_APART __attribute__((noinline, unused, aligned(64)))
#elif defined(__GNUC__)
#define JT_APART __attribute__((noinline, noclone, unused, aligned(64)))
#else
#define JT_APART __declspec(noinline)
#endif

/* Something happens here, for all that the compiler knows. */
#if defined(__GNUC__)
#define JT_HIDDEN __asm__ volatile("")
#else
static volatile char jt_hidden;
#define JT_HIDDEN (jt_hidden = 0)
#endif

#define JT_TWICE(statement) statement; statement
#define JT_TEN_TIMES(statement) JT_TWICE(statement; statement; statement; statement; statement)
#define JT_UNROLLED 10

#define JT_REPEAT(count, statement)                         \
    do {                                                    \
        Py_ssize_t turns = (count) / JT_UNROLLED;           \
        Py_ssize_t rest = (count) % JT_UNROLLED;            \
        for (; turns > 0; turns--) {                        \
            JT_TEN_TIMES(statement);                        \
        }                                                   \
        for (; rest > 0; rest--) {                          \
            statement;                                      \
        }                                                   \
    } while (0)

typedef double (*jt_unary)(double);

/* What is called where the function is known: as the example plugin's, but not inlined. */
static JT_APART double jt_magnitude(double x) {
    JT_HIDDEN;
    return x < 0 ? -x : x;
}

/* A chain of `steps` multiplications, each of which needs the result of the one before: 4 cycles
 * each, about a nanosecond, on most processors since 2010. There is no shorter way to the result,
 * and it depends on `steps` from the first one on. */
static JT_APART int64_t jt_busy(int64_t steps) {
    uint64_t x = (uint64_t)steps;
    JT_HIDDEN;
    for (; steps > 0; steps--)
        x = x * x + 1;
    return (int64_t)x;
}

/* As many chains at once as a processor has units for, and more: 18 operations a step. Where another
 * thread shares the core, which does not slow down a single chain, this takes longer. */
static JT_APART int64_t jt_crowd(int64_t steps) {
    uint64_t a = (uint64_t)steps, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5;
    JT_HIDDEN;
    for (; steps > 0; steps--) {
        a = (a ^ (a >> 7)) + 1;
        b = (b ^ (b >> 9)) + 1;
        c = (c ^ (c >> 11)) + 1;
        d = (d ^ (d >> 13)) + 1;
        e = (e ^ (e >> 15)) + 1;
        f = (f ^ (f >> 17)) + 1;
    }
    return (int64_t)(a + b + c + d + e + f);
}

static JT_APART void run_empty(Py_ssize_t count) { JT_REPEAT(count, JT_HIDDEN); }

static JT_APART double run_direct(double x, Py_ssize_t count) {
    JT_REPEAT(count, x = jt_magnitude(x));
    return x;
}

/* Reads its pointer for each call, as a host does that keeps it in a variable. */
static JT_APART double run_call(void *address, double x, Py_ssize_t count) {
    jt_unary volatile function = (jt_unary)address;
    JT_REPEAT(count, x = function(x));
    return x;
}

static JT_APART double run_slot(const jt_slot *slot, double x, Py_ssize_t count) {
    JT_REPEAT(count, x = JT_CALL(slot, jt_unary)(x));
    return x;
}

static JT_APART void run_add(int64_t *word, Py_ssize_t count) {
    JT_REPEAT(count, jt_word_add(word, 1));
}

/* The number of steps is the same for each call, and yet not known before the last one ended. */
static JT_APART int64_t run_busy(int64_t steps, Py_ssize_t count) {
    int64_t volatile zero = 0;
    int64_t result = 0, none = zero;
    JT_REPEAT(count, result = jt_busy(steps | (result & none)));
    return result;
}

static JT_APART int64_t run_crowd(int64_t steps, Py_ssize_t count) {
    int64_t volatile zero = 0;
    int64_t result = 0, none = zero;
    JT_REPEAT(count, result = jt_crowd(steps | (result & none)));
    return result;
}

#endif
