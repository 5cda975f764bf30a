/* A constructor that takes a while and counts how often it ran. */
#include <unistd.h>

int constructed;

__attribute__((constructor)) static void construct(void) {
    usleep(50000);
    constructed++;
}
