/* A constructor, a destructor, data with pointers, exports and imports. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int started;
long spare[4] = {1, 2, 3, 4};
static const char *const names[] = {"low", "band", "high"};
int (*compare)(const char *, const char *) = strcmp;

__attribute__((constructor)) static void start(void) {
    char buffer[64];
    started = snprintf(buffer, sizeof buffer, "%s", names[1]) == 4 && compare(buffer, "band") == 0;
}

__attribute__((destructor)) static void stop(void) { started = 0; }

double scale(double x, int n) { return started ? x * n : 0.0; }

const char *name(int i) { return names[i % 3]; }

void *copy(const void *data, size_t size) { return memcpy(malloc(size), data, size); }
