/* The few atomic operations that are needed, for C compilers with and without <stdatomic.h>.
 *
 * Pointers and numbers are published with a release store, so whoever loads one with acquire
 * (host.h, or the interpreter's own attribute load) sees all that was written before. Numbers have
 * the size of a pointer, which every processor loads and stores in one step. */
#ifndef JUMPTABLE_ATOMICS_H
#define JUMPTABLE_ATOMICS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline void jt_store_pointer(void *volatile *word, void *value) {
    _InterlockedExchangePointer(word, value);
}
static inline void *jt_load_pointer(void *volatile const *word) {
    return _InterlockedCompareExchangePointer((void *volatile *)word, NULL, NULL);
}
static inline void jt_store_number(uintptr_t volatile *word, uintptr_t value) {
    _InterlockedExchangePointer((void *volatile *)word, (void *)value);
}
static inline uintptr_t jt_load_number(uintptr_t volatile const *word) {
    return (uintptr_t)_InterlockedCompareExchangePointer((void *volatile *)word, NULL, NULL);
}
#else
static inline void jt_store_pointer(void *volatile *word, void *value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline void *jt_load_pointer(void *volatile const *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void jt_store_number(uintptr_t volatile *word, uintptr_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
static inline uintptr_t jt_load_number(uintptr_t volatile const *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
#endif

#endif
