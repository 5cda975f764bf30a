/* The second source file of a plugin that says what it exports. */
#include <jumptable/plugin.h>

static void store(double *items, unsigned long count) {
    for (unsigned long k = 0; k < count; k++)
        items[k] = (double)k;
}

JUMPTABLE_EXPORT(store, "void(double *, unsigned long)");
