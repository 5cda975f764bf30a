/* Counters that a plugin exports, and variables that are none. */
#include <jumptable/counter.h>

#define AT_128 __attribute__((aligned(128)))

jt_counter first, second;
jt_counter filled = {41, {0}};
__attribute__((weak)) jt_counter weak;
struct {
    void *self; /* what the loader writes as it relocates */
    char reserved[120];
} relocated AT_128 = {&relocated, {0}};

int64_t small AT_128 = 3;
char short_of_one[127] AT_128;
jt_counter pair[2];
struct {
    int64_t before;
    char askew[128];
} around AT_128;
const jt_counter constant = {1, {0}};
const struct {
    const void *self; /* read-only once it is relocated */
    char reserved[120];
} readable AT_128 = {&readable, {0}};
_Thread_local jt_counter per_thread;
__attribute__((visibility("hidden"))) jt_counter hidden;

void count(int64_t n) { jt_counter_add(&first, n); }

/* Symbols as hand-written assembly may leave them. */
__asm__(".globl askew\n.set askew, around + 8\n.type askew, @object\n.size askew, 128\n"
        ".pushsection .bss\n.balign 128\n"
        ".globl unsized\n.type unsized, @object\nunsized: .zero 128\n.popsection\n");
