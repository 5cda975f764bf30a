/* The floor of a method that takes nothing and returns None: one that does nothing, and those
 * that do nothing but add. */
#include <Python.h>
#include <jumptable/counter.h>

static jt_counter counter;

static PyObject *nothing(PyObject *self, PyObject *unused) { Py_RETURN_NONE; }

static PyObject *add(PyObject *self, PyObject *unused) {
    jt_counter_add(&counter, 1);
    Py_RETURN_NONE;
}

/* What a method must be that may take how much to add. */
static PyObject *add_fast(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    if (given != 0)
        return PyErr_Format(PyExc_TypeError, "takes no arguments, got %zd", given);
    jt_counter_add(&counter, 1);
    Py_RETURN_NONE;
}

static PyMethodDef empty_methods[] = {
    {"nothing", nothing, METH_NOARGS, "nothing() -> None"},
    {"add", add, METH_NOARGS, "add() -> None"},
    {"add_fast", (PyCFunction)(void (*)(void))add_fast, METH_FASTCALL, "add_fast() -> None"},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject empty_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "empty.Empty",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = empty_methods,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "empty", .m_size = -1};

PyMODINIT_FUNC PyInit_empty(void) {
    PyObject *made = PyModule_Create(&module);
    if (made == NULL || PyModule_AddType(made, &empty_type) < 0) {
        Py_XDECREF(made);
        return NULL;
    }
#ifdef Py_GIL_DISABLED
    PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED);
#endif
    return made;
}
