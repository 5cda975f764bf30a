/* What a C compiler is told of a function or a condition, where it can be told. */
#ifndef JUMPTABLE_COMPILER_H
#define JUMPTABLE_COMPILER_H

#if defined(__GNUC__)
#define JT_COLD __attribute__((noinline, cold))
#define JT_NOINLINE __attribute__((noinline)) /* not a copy for each caller */
#define JT_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define JT_COLD
#define JT_NOINLINE
#define JT_LIKELY(condition) (condition)
#endif

#endif
