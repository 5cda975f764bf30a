/* Where a counter counts, and the compiled method that adds to it.
 *
 * Invariants
 * - A counter has `mask` + 1 words, a power of two, `stride` bytes apart. They never move, and are
 *   changed by atomic operations only, so any thread may add to any of them, with the GIL or
 *   without. Its value is their sum, modulo 2**64.
 * - A stripe starts at a multiple of 128 bytes and no two threads with different numbers (see
 *   threads.h) add to the same one, as long as there are stripes enough. */
#ifndef JUMPTABLE_CELLS_H
#define JUMPTABLE_CELLS_H

#include <Python.h>
#include <string.h>

#include "../include/jumptable/counter.h"
#include "compiler.h"

#if defined(_WIN32)
#include <malloc.h>
#else
#include <stdlib.h>
#endif

typedef struct jt_cells {
    /* The calling thread's word; a pointer, as one extension alone knows the threads' numbers. */
    int64_t *(*word)(const struct jt_cells *);
    char *first;
    size_t stride;
    size_t mask;
} jt_cells;

/* The head of Counter, asserted against Cython's layout when the module is imported. */
typedef struct {
    PyObject_HEAD
    jt_cells cells;
} jt_counting;

static inline int64_t *jt_nth_word(const jt_cells *cells, size_t stripe) {
    return (int64_t *)(cells->first + stripe * cells->stride);
}

/* Zeros at a multiple of 128, or NULL. */
static inline void *jt_new_stripes(size_t size) {
    void *memory = NULL;
    size = size ? (size + JT_COUNTER_SIZE - 1) / JT_COUNTER_SIZE * JT_COUNTER_SIZE : 1;
#if defined(_WIN32)
    memory = _aligned_malloc(size, JT_COUNTER_SIZE);
    if (memory == NULL)
        return NULL;
#else
    if (posix_memalign(&memory, JT_COUNTER_SIZE, size) != 0)
        return NULL;
#endif
    return memset(memory, 0, size);
}

static inline void jt_free_stripes(void *memory) {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

/* Additions of unsigned numbers wrap around; those of signed ones are undefined in C. */
static inline int64_t jt_sum(const jt_cells *cells) {
    uint64_t sum = 0;
    size_t stripe;
    for (stripe = 0; stripe <= cells->mask; stripe++)
        sum += (uint64_t)jt_word_load(jt_nth_word(cells, stripe));
    return (int64_t)sum;
}

static inline int64_t jt_word_take(int64_t *word) {
#if defined(_MSC_VER) && !defined(__clang__)
    return _InterlockedExchange64((__int64 volatile *)word, 0);
#else
    return __atomic_exchange_n(word, 0, __ATOMIC_RELAXED);
#endif
}

/* The sum, which is left to be 0. What is added meanwhile is in one of the two. */
static inline int64_t jt_take(const jt_cells *cells) {
    uint64_t sum = 0;
    size_t stripe;
    for (stripe = 0; stripe <= cells->mask; stripe++)
        sum += (uint64_t)jt_word_take(jt_nth_word(cells, stripe));
    return (int64_t)sum;
}

#endif
