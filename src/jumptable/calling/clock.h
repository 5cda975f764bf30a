/* A steady clock, read without the interpreter: programs replace those of the time module. */
#ifndef JUMPTABLE_CLOCK_H
#define JUMPTABLE_CLOCK_H

#include <stdint.h>

#if defined(_WIN32)
#include <windows.h>
static int64_t jt_now(void) {
    static int64_t frequency; /* the same whoever asks, so threads may race to store it */
    LARGE_INTEGER ticks;
    if (frequency == 0) {
        QueryPerformanceFrequency(&ticks);
        frequency = ticks.QuadPart;
    }
    QueryPerformanceCounter(&ticks);
    return ticks.QuadPart / frequency * 1000000000 +
           ticks.QuadPart % frequency * 1000000000 / frequency;
}
#else
#include <time.h>
static int64_t jt_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
#endif

#endif
