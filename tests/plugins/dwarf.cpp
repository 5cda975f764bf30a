// Definitions that point to declarations, and plain ones.
#include <cstdint>

class Filter {
  public:
    double apply(double x);
    static int32_t count(const char *text);
    double factor;
};

double Filter::apply(double x) { return factor * x; }
int32_t Filter::count(const char *text) { return text ? 1 : 0; }

namespace outer {
namespace {
enum class Mode : uint8_t { slow, fast };
}
int mode(Filter &filter, uint8_t which) { return static_cast<Mode>(which) == Mode::fast ? 1 : 3; }
} // namespace outer

extern "C" {
double plain(double x, char16_t unit) { return x + unit; }
Filter by_value(Filter filter) { return filter; }
}

// Its code is an instance of an abstract entry, because it is inlined as well.
extern "C" inline __attribute__((used)) double inlined(double x, int n) { return x * n + 1; }
double uses_inlined(double x) { return inlined(x, 2) + inlined(x, 5); }
