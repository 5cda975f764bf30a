#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "plugin.h"

namespace nb = nanobind;

using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

NB_MODULE(with_nanobind, module) {
    module.def("half", &half);
    module.def("successor", &successor);
    module.def("add", &add);
    module.def("scale", &scale);
    module.def("nothing", &nothing);
    module.def("add3f", &add3f);
    module.def("add4", &add4);
    module.def("add6", &add6);
    module.def("add14", &add14);
    module.def("length", &length, nb::arg().none());
    // nanobind's void * takes capsules only.
    module.def("same", [](uintptr_t pointer) {
        return reinterpret_cast<uintptr_t>(same(reinterpret_cast<void *>(pointer)));
    });
    module.def("negate", &negate);
    module.def("sum", [](const Doubles &items, size_t count) { return sum(items.data(), count); });
}
