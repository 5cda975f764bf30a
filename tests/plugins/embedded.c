/* A plugin that says what it exports. */
#include <jumptable/plugin.h>
#include <stdint.h>
#include <string.h>

static double twice(double x) { return 2 * x; }
static double thrice(double x) { return 3 * x; }

int32_t count(const char *text, int32_t limit);
int32_t count(const char *text, int32_t limit) {
    int32_t length = (int32_t)strlen(text);
    return length < limit ? length : limit;
}

/* Exported, and not declared. */
__attribute__((visibility("default"))) int plain(int x);
int plain(int x) { return x + 1; }

JUMPTABLE_PLUGIN("filter", "1.2.0");
JUMPTABLE_EXPORT(count, "int32_t(const char *, int32_t)");
JUMPTABLE_EXPORT_AS(apply, twice, "double(double)");
JUMPTABLE_EXPORT_AS(slow, thrice, "double(double) nogil");
