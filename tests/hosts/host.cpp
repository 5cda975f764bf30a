// A host in C++ as one would write it: typed slots, and threads that Python does not know.
#include <Python.h>

#include <atomic>
#include <thread>
#include <vector>

#include <jumptable/host.h>

namespace {

template <typename Result, typename... Params> class Slot {
  public:
    explicit Slot(const jt_slot *slot) : slot_(slot) {}
    Result operator()(Params... params) const {
        return JT_CALL(slot_, Result (*)(Params...))(params...);
    }

  private:
    const jt_slot *slot_;
};

// The sum of what all calls gave: call_from_threads(table, threads, calls) of "apply".
PyObject *call_from_threads(PyObject *, PyObject *args) {
    PyObject *table;
    int count, calls;
    if (!PyArg_ParseTuple(args, "Oii", &table, &count, &calls))
        return nullptr;
    const jt_slot *found = jt_get_slot(table, "apply", "int64_t(int64_t) nogil");
    if (found == nullptr)
        return nullptr;
    std::atomic<int64_t> sum{0};
    Py_BEGIN_ALLOW_THREADS
    const Slot<int64_t, int64_t> apply{found};
    std::vector<std::thread> threads;
    for (int number = 0; number < count; number++)
        threads.emplace_back([&sum, apply, calls] {
            for (int call = 0; call < calls; call++)
                sum += apply(call);
        });
    for (std::thread &thread : threads)
        thread.join();
    Py_END_ALLOW_THREADS
    return PyLong_FromLongLong(sum.load());
}

PyMethodDef methods[] = {
    {"call_from_threads", call_from_threads, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "host", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr,
};

} // namespace

PyMODINIT_FUNC PyInit_host() {
    if (jt_import() < 0)
        return nullptr;
    PyObject *module = PyModule_Create(&definition);
#ifdef Py_GIL_DISABLED
    if (module != nullptr)
        PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    return module;
}
