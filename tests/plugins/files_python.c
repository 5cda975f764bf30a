/* Takes a symbol from Python without its headers. */
extern void *PyLong_FromLong(long);

void *answer(void) { return PyLong_FromLong(42); }
