/* Thread-local variables of both kinds and an indirect function. */
static _Thread_local int local = 41;
_Thread_local long shared[4];

static int plain(int x) { return x + local; }
static int fancy(int x) { return x + local + 1; }
static int (*choose(void))(int) { return &local == 0 ? plain : fancy; }
int apply(int x) __attribute__((ifunc("choose")));

__attribute__((constructor)) static void start(void) { shared[1] = apply(1); }

long last(void) { return shared[1]; }
