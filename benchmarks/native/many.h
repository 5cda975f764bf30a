/* F(n) defines fn, a double(double) that returns its argument. */
#define PLUGIN_BUILD
#include "plugin.h"

/* On both machines that is the one instruction "ret"; compiling 100,000 of them takes a minute. */
#if defined(__ELF__) && (defined(__x86_64__) || defined(__aarch64__))
#define F(n) \
    __asm__(".text\n.globl f" #n "\n.type f" #n ", %function\n.p2align 4\nf" #n ": ret\n" \
            ".size f" #n ", .-f" #n "\n");
#else
#define F(n) \
    PLUGIN double f##n(double x) { return x; }
#endif
