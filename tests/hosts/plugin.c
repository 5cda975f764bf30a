/* What hosts call: functions whose arguments do not all travel in registers. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <jumptable/plugin.h>

int64_t seven(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f, int64_t g) {
    return a + 10 * (b + 10 * (c + 10 * (d + 10 * (e + 10 * (f + 10 * g)))));
}

double mixed(int32_t a, double b, const char *c, float d, uint8_t e, bool f, double g, int64_t h,
             int16_t i) {
    return a + b + strlen(c) + d + e + f + g + h + i;
}

static double twice(double x) { return 2 * x; }

JUMPTABLE_PLUGIN("hosts", "1.0");
JUMPTABLE_EXPORT(seven, "int64_t(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)");
JUMPTABLE_EXPORT(mixed, "double(int32_t, double, const char *, float, uint8_t, bool, double, "
                        "int64_t, int16_t)");
JUMPTABLE_EXPORT_AS(apply, twice, "double(double) nogil");
