#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "plugin.h"

namespace py = pybind11;

using Doubles = py::array_t<double, py::array::c_style>;

PYBIND11_MODULE(with_pybind11, module) {
    module.def("half", &half);
    module.def("successor", &successor);
    module.def("add", &add);
    module.def("scale", &scale);
    module.def("nothing", &nothing);
    module.def("add3f", &add3f);
    module.def("add4", &add4);
    module.def("add6", &add6);
    module.def("add14", &add14);
    module.def("length", &length);
    // pybind11's void * takes capsules only.
    module.def("same", [](uintptr_t pointer) {
        return reinterpret_cast<uintptr_t>(same(reinterpret_cast<void *>(pointer)));
    });
    module.def("negate", &negate);
    module.def("sum", [](const Doubles &items, size_t count) { return sum(items.data(), count); });
}
