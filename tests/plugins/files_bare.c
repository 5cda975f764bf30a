/* Needs no other library, not even C's. */
int twice(int x) { return 2 * x; }
