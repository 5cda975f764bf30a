/* In a file of its own, compiled without link-time optimisation: no caller can see the body, so
 * each call is made. */
#include "direct.h"

double direct(double x) { return 0.5 * x; }
