/* Functions that take and give Python objects, and may raise. */
#include <Python.h>

PyObject *shared; /* owned */

PyObject *same(PyObject *object) { return Py_NewRef(object); }
PyObject *pair(PyObject *a, PyObject *b) { return PyTuple_Pack(2, a, b); }
PyObject *raise_key(PyObject *key) {
    PyErr_SetObject(PyExc_KeyError, key);
    return NULL;
}
PyObject *silent(void) { return NULL; }
PyObject *both(PyObject *object) {
    PyErr_SetString(PyExc_ValueError, "with a result");
    return Py_NewRef(object);
}
double reciprocal(double x) {
    if (x == 0) {
        PyErr_SetString(PyExc_ZeroDivisionError, "from C");
        return -1;
    }
    return 1 / x;
}
int has_gil(void) { return PyGILState_Check(); }
PyObject *many(PyObject *a, PyObject *b, PyObject *c, PyObject *d, PyObject *e, PyObject *f,
               PyObject *g) {
    return PyTuple_Pack(7, a, b, c, d, e, f, g);
}
PyObject *many_raise(PyObject *a, PyObject *b, PyObject *c, PyObject *d, PyObject *e,
                     PyObject *f, PyObject *g) {
    PyErr_SetObject(PyExc_KeyError, g);
    return NULL;
}

/* As Cython's functions do that are declared nogil and raise. */
double raise_without_gil(double x) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyErr_SetString(PyExc_ValueError, "with the GIL taken");
    PyGILState_Release(state);
    return -x;
}
PyObject *silent7(int a, int b, int c, int d, int e, int f, int g) { return NULL; }
