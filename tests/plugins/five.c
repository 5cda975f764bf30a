/* One of two libraries that differ by what their five functions return: -DIDENTITY=1 or 2. */
#include <stdint.h>

int64_t identity = IDENTITY;

int64_t one(void) { return identity; }
int64_t two(void) { return identity; }
int64_t three(void) { return identity; }
int64_t four(void) { return identity; }
int64_t five(void) { return identity; }
