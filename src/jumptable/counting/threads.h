/* Small numbers for threads: which stripe a thread adds to.
 *
 * Invariants
 * - A thread has a number from its first add to a striped counter until it ends. It gets the one
 *   that the fewest living threads have, the lowest of these: as long as there are no more threads
 *   than numbers, each has its own, and they are the first ones, so that `number & mask` is even
 *   for any power of two.
 * - How many threads have a number is changed by compare-and-swap only; nothing ever waits. What
 *   two threads that start or end at the same moment get may not be the best choice, and any choice
 *   is right: a number decides about speed alone.
 * - A child process has only the thread that forked, and counts again from that one.
 *
 * To be included by one extension: the numbers are its own. */
#ifndef JUMPTABLE_THREADS_H
#define JUMPTABLE_THREADS_H

#include <stdint.h>

#include "compiler.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <pthread.h>
#endif

#define JT_THREAD_NUMBERS 64

#if defined(_MSC_VER) && !defined(__clang__)
static __declspec(thread) unsigned jt_thread_number; /* and 1 more; 0 before the first add */
static volatile long jt_threads_with[JT_THREAD_NUMBERS];
static long jt_load_threads(unsigned number) { return jt_threads_with[number]; }
static int jt_swap_threads(unsigned number, long from, long to) {
    return _InterlockedCompareExchange(&jt_threads_with[number], to, from) == from;
}
#else
/* Where the loader has room for it, a thread's word is at a fixed distance; else it is a call. */
#if defined(__GLIBC__)
static _Thread_local unsigned jt_thread_number __attribute__((tls_model("initial-exec")));
#else
static _Thread_local unsigned jt_thread_number;
#endif
static long jt_threads_with[JT_THREAD_NUMBERS];
static long jt_load_threads(unsigned number) {
    return __atomic_load_n(&jt_threads_with[number], __ATOMIC_RELAXED);
}
static int jt_swap_threads(unsigned number, long from, long to) {
    return __atomic_compare_exchange_n(&jt_threads_with[number], &from, to, 0, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}
#endif

static void jt_change_threads(unsigned number, long change) {
    for (;;) {
        long threads = jt_load_threads(number);
        if (jt_swap_threads(number, threads, threads + change))
            return;
    }
}

/* Called as a thread ends, with its number and 1 more. */
#if defined(_WIN32)
static DWORD jt_thread_key = FLS_OUT_OF_INDEXES;
static void WINAPI jt_end_thread(void *value) {
#else
static pthread_key_t jt_thread_key;
static int jt_has_thread_key;
static void jt_end_thread(void *value) {
#endif
    jt_thread_number = 0; /* what else adds as the thread ends gets a number again */
    if (value != NULL)
        jt_change_threads((unsigned)(uintptr_t)value - 1, -1);
}

static void jt_set_ending(void *value) {
#if defined(_WIN32)
    if (jt_thread_key != FLS_OUT_OF_INDEXES)
        FlsSetValue(jt_thread_key, value);
#else
    if (jt_has_thread_key)
        pthread_setspecific(jt_thread_key, value);
#endif
}

static JT_COLD unsigned jt_new_thread_number(void) {
    for (;;) {
        unsigned number, best = 0;
        long fewest = jt_load_threads(0);
        for (number = 1; number < JT_THREAD_NUMBERS && fewest > 0; number++) {
            long threads = jt_load_threads(number);
            if (threads < fewest) {
                fewest = threads;
                best = number;
            }
        }
        if (jt_swap_threads(best, fewest, fewest + 1)) {
            jt_thread_number = best + 1;
            jt_set_ending((void *)(uintptr_t)(best + 1));
            return best;
        }
    }
}

/* This thread's number, below JT_THREAD_NUMBERS. */
static inline unsigned jt_number_of_thread(void) {
    unsigned number = jt_thread_number;
    return JT_LIKELY(number != 0) ? number - 1 : jt_new_thread_number();
}

static void jt_forget_other_threads(void) {
    unsigned number;
    for (number = 0; number < JT_THREAD_NUMBERS; number++)
        jt_threads_with[number] = number + 1 == jt_thread_number;
}

/* Once, before any thread asks for its number. Without a key, numbers are not given back. */
static void jt_set_up_threads(void) {
#if defined(_WIN32)
    jt_thread_key = FlsAlloc(jt_end_thread);
#else
    jt_has_thread_key = pthread_key_create(&jt_thread_key, jt_end_thread) == 0;
    pthread_atfork(NULL, NULL, jt_forget_other_threads);
#endif
}

#endif
