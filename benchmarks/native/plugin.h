/* The plugin that every competitor calls. Its functions do next to nothing, so that what is timed
 * is the way to them. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(_WIN32)
#define PLUGIN __attribute__((visibility("default")))
#elif defined(PLUGIN_BUILD)
#define PLUGIN __declspec(dllexport)
#else
#define PLUGIN __declspec(dllimport)
#endif

#ifdef __cplusplus
extern "C" {
#endif

PLUGIN double half(double x);
PLUGIN int64_t successor(int64_t n);
PLUGIN double add(double x, double y);
PLUGIN double scale(double x, int32_t factor);
PLUGIN void nothing(void);
PLUGIN float add3f(float x, float y, float z);
PLUGIN double add4(double a, double b, double c, double d);
PLUGIN int64_t add6(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);
PLUGIN double add14(double a, double b, double c, double d, double e, double f, double g, double h,
                    int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n);
PLUGIN size_t length(const char *text);
PLUGIN void *same(void *pointer);
PLUGIN bool negate(bool value);
PLUGIN double sum(const double *items, size_t count);

#ifdef __cplusplus
}
#endif

#endif
