/* What the interfaces of tests/loading/test_bind*.py ask for, and more. */
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
double apply(double x) { return 2 * x; }
double scale(double x, double by) { return x * by; }
int64_t next(int64_t x) { return x + 1; }
uint32_t mix(uint32_t a, const char *s, int8_t c) { return a + (s ? (uint32_t)s[0] : 0) + c; }
double long_one(double a, double b, double c, double d, double e, double f, double g, double h,
                double i, double j) { return a + b + c + d + e + f + g + h + i + j; }
bool ready(void) { return true; }
double total(const double *x, size_t n) { double t = 0; while (n) t += x[--n]; return t; }
void name(void) {}
void flush(void) {}
int32_t version = 3;
