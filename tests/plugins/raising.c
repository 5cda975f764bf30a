/* A constructor that leaves a Python exception behind. */
#include <Python.h>

__attribute__((constructor)) static void construct(void) {
    PyErr_SetString(PyExc_RuntimeError, "from the constructor");
}
