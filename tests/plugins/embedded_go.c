/* What the Go plugin says about itself; cgo compiles it along. */
#include <jumptable/plugin.h>

double apply(double x); /* defined in embedded.go */

JUMPTABLE_PLUGIN("gopher", "1.0");
JUMPTABLE_EXPORT(apply, "double(double)");
