/* Functions of every kind of signature. */
#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int calls; /* how often count() ran */

void count(void) { calls++; }
double scale(double x, int32_t k) { return x * k; }
double half(double x) { return x / 2; }
int64_t negate(int64_t x) { return -x; }
double add(double x, double y) { return x + y; }
float addf(float x, float y) { return x + y; }
bool not(bool x) { return !x; }

#define ECHO(name, type) type echo_##name(type x) { return x; }
ECHO(bool, bool)
ECHO(char, char)
ECHO(int8, int8_t)
ECHO(int16, int16_t)
ECHO(int32, int32_t)
ECHO(int64, int64_t)
ECHO(uint8, uint8_t)
ECHO(uint16, uint16_t)
ECHO(uint32, uint32_t)
ECHO(uint64, uint64_t)
ECHO(float, float)
ECHO(double, double)
ECHO(pointer, void *)
ECHO(string, const char *)

/* Leaves rubbish in the upper half of the returned register. */
int64_t dirty(void) { return (int64_t)0xDEADBEEF00000000u | 0x80; }

size_t length(const char *text) { return text ? strlen(text) : 99; }
const char *skip(const char *text, size_t n) { return text + n; }
const char *broken_text(void) { return "\xFF\xFE"; }

double total(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

void fill(double *values, size_t n, double value) {
    for (size_t i = 0; i < n; i++)
        values[i] = value;
}

#define SUM(name, type) \
    int64_t sum_##name(const type *values, size_t n) { \
        int64_t sum = 0; \
        for (size_t i = 0; i < n; i++) sum += (int64_t)values[i]; \
        return sum; \
    }
SUM(bool, bool)
SUM(char, char)
SUM(int8, int8_t)
SUM(int16, int16_t)
SUM(int32, int32_t)
SUM(int64, int64_t)
SUM(uint8, uint8_t)
SUM(uint16, uint16_t)
SUM(uint32, uint32_t)
SUM(uint64, uint64_t)
SUM(float, float)
SUM(double, double)

void poke(char *text, size_t n) { memset(text, 'x', n); }
void clear(void *memory, size_t n) { memset(memory, 0, n); }
int first(const void *memory) { return *(const unsigned char *)memory; }

int64_t ints7(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f, int64_t g) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g;
}
double floats9(double a, double b, double c, double d, double e, double f, double g, double h,
               double i) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i;
}
double mixed14(int64_t a, double b, int64_t c, double d, int64_t e, double f, int64_t g, double h,
               int64_t i, double j, int64_t k, double l, double m, double n) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k +
           12 * l + 13 * m + 14 * n;
}
const char *pick7(const char *a, const char *b, const char *c, const char *d, const char *e,
                  const char *f, const char *g, int which) {
    const char *all[] = {a, b, c, d, e, f, g};
    return all[which];
}
double total7(const double *a, const double *b, const double *c, const double *d, const double *e,
              const double *f, const double *g) {
    return *a + *b + *c + *d + *e + *f + *g;
}
