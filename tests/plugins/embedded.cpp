// Functions that only C++ has, under plain names.
#include <jumptable/plugin.h>

namespace shapes {
template <class T> T scale(T x) { return 3 * x; }

static double area(double x) { return x * x; }
JUMPTABLE_EXPORT(area, "double(double)");

double edge(double x);
double edge(double x) { return x + 1; }
float edge(float x);
float edge(float x) { return x; }
} // namespace shapes

struct Circle {
    static double length(double x) { return 6 * x; }
};

JUMPTABLE_EXPORT_AS(edge, static_cast<double (*)(double)>(shapes::edge), "double(double)");
JUMPTABLE_EXPORT_AS(length, Circle::length, "double(double)");
JUMPTABLE_EXPORT_AS(scale, shapes::scale<double>, "double(double)");
JUMPTABLE_PLUGIN("shapes", "0.1");
