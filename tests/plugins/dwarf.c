/* Functions whose types are known from their debug information. */
#include <complex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct point {
    double x, y;
};
union either {
    int whole;
    float part;
};
enum color { RED, GREEN };
enum sign { MINUS = -1, PLUS = 1 };
typedef int32_t index_type;
typedef const char *label;
typedef struct _object PyObject;
typedef int (*callback)(int);

static double stored;

double apply(double x) { return 2 * x; }
void nothing(void) { stored = 1; }
int32_t fixed(int8_t a, uint8_t b, int16_t c, uint16_t d, int64_t e, uint64_t f) {
    return (int32_t)(a + b + c + d + (int)e + (int)f);
}
long plain(char a, signed char b, unsigned char c, short d, unsigned short e, int f, unsigned g) {
    return a + b * 3 + c + d + e + f + (long)g;
}
unsigned long long wide(long long a, unsigned long long b) { return (unsigned long long)a - b; }
size_t sizes(size_t a, ptrdiff_t b, intptr_t c, uintptr_t d) {
    return a + (size_t)b * 3 + (size_t)c + d;
}
float truth(bool a, float b) { return a ? b : -b; }
enum color turned(enum color a, enum sign b) { return b == PLUS ? a : (enum color)!a; }
index_type aliased(index_type a, volatile int b, const int c) { return a + b - c; }
const char *text(const char *a, label b, char *c) { return a ? a : b ? b : c; }
void *memory(void *a, const void *b, struct point *c, callback d, double **e) {
    return a ? a : b ? (void *)c : d ? (void *)e : (void *)d;
}
void arrays(double *a, const float *b, uint8_t c[4], const int32_t *restrict d) {
    a[0] = (double)b[0] + c[0] + d[0];
}
PyObject *object(PyObject *a, int unused) { return unused ? a : NULL; }
union either *opaque(union either *a, bool *b) { return *b ? a : NULL; }

struct point by_value(struct point a) { return a; }
int takes_union(union either a) { return a.whole + 41; }
long double precise(long double a) { return a; }
double takes_complex(double complex a) { return creal(a) + 7; }
__int128 huge(int a) { return a; }
int variadic(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    int first = va_arg(rest, int);
    va_end(rest);
    return first;
}
double variable = 0.5;
