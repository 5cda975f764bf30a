/* The few atomic operations that writers need, for C compilers with and without <stdatomic.h>.
 *
 * Pointers and numbers are published with a release store, so whoever loads one with acquire
 * (host.h, or the interpreter's own attribute load) sees all that was written before. */
#ifndef JUMPTABLE_ATOMICS_H
#define JUMPTABLE_ATOMICS_H

#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline void jt_store_pointer(void *volatile *word, void *value) {
    _InterlockedExchangePointer(word, value);
}
static inline void jt_store_number(uint64_t volatile *word, uint64_t value) {
    _InterlockedExchange64((__int64 volatile *)word, (__int64)value);
}
static inline void jt_add_number(uint64_t volatile *word, uint64_t value) {
    _InterlockedExchangeAdd64((__int64 volatile *)word, (__int64)value);
}
static inline uint64_t jt_load_number(uint64_t volatile *word) {
    return (uint64_t)_InterlockedOr64((__int64 volatile *)word, 0);
}
#else
static inline void jt_store_pointer(void *volatile *word, void *value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline void jt_store_number(uint64_t volatile *word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline void jt_add_number(uint64_t volatile *word, uint64_t value) {
    __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}
static inline uint64_t jt_load_number(uint64_t volatile *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
#endif

#endif
