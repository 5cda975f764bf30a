#define PLUGIN_BUILD
#include "plugin.h"

#include <string.h>

double half(double x) { return 0.5 * x; }
int64_t successor(int64_t n) { return (int64_t)((uint64_t)n + 1); }
double add(double x, double y) { return x + y; }
double scale(double x, int32_t factor) { return x * factor; }
void nothing(void) {}
float add3f(float x, float y, float z) { return x + y + z; }
double add4(double a, double b, double c, double d) { return a + b + c + d; }
int64_t add6(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f) {
    return a + b + c + d + e + f;
}
double add14(double a, double b, double c, double d, double e, double f, double g, double h,
             int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n) {
    return a + b + c + d + e + f + g + h + (double)(i + j + k + l + m + n);
}
size_t length(const char *text) { return text == NULL ? 0 : strlen(text); }
void *same(void *pointer) { return pointer; }
bool negate(bool value) { return !value; }

double sum(const double *items, size_t count) {
    double total = 0;
    for (size_t index = 0; index < count; index++)
        total += items[index];
    return total;
}
