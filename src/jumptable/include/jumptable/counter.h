/* Counters that C, C++, Cython and Python add to together, from any number of threads.
 *
 *     #include <jumptable/counter.h>
 *
 *     jt_counter Counter;                         // a plugin's own, exported like any variable
 *
 *     void work(void) { jt_counter_add(&Counter, 1); }
 *
 * In Python, plugin.lookup("Counter", "jt_counter") is a jumptable.Counter on this very memory.
 * The other way, a counter that Python made is handed to C by its address:
 *
 *     jt_word_add((int64_t *)address, 1);         // jumptable.Counter's `address`, as intptr_t
 *
 * Compile with -I"$(python -m jumptable include)"; there is nothing to link with, and neither
 * Python's headers nor the GIL are needed.
 *
 * What holds
 * - A counter is one word at the start of 128 bytes, at a multiple of 128: nothing else shares its
 *   cache line, nor the pair of lines that some processors fetch. What is zero counts from zero.
 * - Adding is one atomic, relaxed addition. No add is lost, whoever adds at the same time; nothing
 *   is said about the order in which other memory is seen.
 * - Values are int64_t and wrap around, as two's complement does.
 * - A striped counter is several words, at the `addresses` that Python gives. Add to any of them:
 *   threads that each use their own never wait for one another.
 */
#ifndef JUMPTABLE_COUNTER_H
#define JUMPTABLE_COUNTER_H

#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define JT_COUNTER_SIZE 128

#if defined(__cplusplus)
#define JT_COUNTER_ALIGNED_ alignas(128)
#elif defined(_MSC_VER) && !defined(__clang__)
#define JT_COUNTER_ALIGNED_ __declspec(align(128))
#else
#define JT_COUNTER_ALIGNED_ __attribute__((aligned(128)))
#endif

typedef struct jt_counter {
    JT_COUNTER_ALIGNED_ int64_t value; /* change it with jt_counter_add, read it with _load */
    unsigned char reserved[JT_COUNTER_SIZE - sizeof(int64_t)];
} jt_counter;

typedef char jt_counter_has_128_bytes_[sizeof(jt_counter) == JT_COUNTER_SIZE ? 1 : -1];
typedef char jt_counter_starts_with_its_value_[offsetof(jt_counter, value) == 0 ? 1 : -1];

/* Add to a bare word, such as one of a striped counter or of jumptable.Counters. */
static inline void jt_word_add(int64_t *word, int64_t n) {
#if defined(_MSC_VER) && !defined(__clang__)
    _InterlockedExchangeAdd64((__int64 volatile *)word, n);
#else
    __atomic_fetch_add(word, n, __ATOMIC_RELAXED);
#endif
}

static inline int64_t jt_word_load(const int64_t *word) {
#if defined(_MSC_VER) && !defined(__clang__)
    return *(const int64_t volatile *)word;
#else
    return __atomic_load_n(word, __ATOMIC_RELAXED);
#endif
}

/* Add `n`, which may be negative. Safe in any thread, and in a signal handler. */
static inline void jt_counter_add(jt_counter *counter, int64_t n) {
    jt_word_add(&counter->value, n);
}

/* The value of this moment. Safe in any thread, and in a signal handler. */
static inline int64_t jt_counter_load(const jt_counter *counter) {
    return jt_word_load(&counter->value);
}

#ifdef __cplusplus
}
#endif

#endif
