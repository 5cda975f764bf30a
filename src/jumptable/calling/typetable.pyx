"""TypeTable: the owner of what typetable.h looks up. Types are held weakly."""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uintptr_t

cdef extern from "typestore.h":
    enum:
        JT_VALUE
        JT_FLAGS
        JT_TYPES
    size_t jt_hash(int, void **) noexcept
    int jt_typetable_store(jt_typetable *, void **, uintptr_t) noexcept
    void jt_typetable_remove(jt_typetable *, size_t, PyObject *)
    bint jt_typetable_clear(jt_typetable *, const uintptr_t *, uintptr_t *) noexcept
    void jt_typetable_free(jt_typetable *) noexcept
    size_t jt_typetable_count(jt_typetable *) noexcept

cdef extern from "Python.h":
    ctypedef class weakref.ReferenceType [object PyWeakReference, check_size ignore]:
        pass
    void Py_INCREF(PyObject *)
    void Py_XDECREF(PyObject *)
    bint PyType_Check(object)

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define JT_KEEPS_VALUES 1
    #else
    #define JT_KEEPS_VALUES 0
    #endif

    /* Cython's own do not know what a C struct holds. */
    static traverseproc jt_traverse_fields;
    static inquiry jt_clear_fields;
    static Py_ssize_t jt_table_offset;

    static jt_typetable *jt_table_in(PyObject *self) {
        return (jt_typetable *)((char *)self + jt_table_offset);
    }
    static int jt_traverse_table(PyObject *self, visitproc visit, void *arg) {
        int stop = jt_typetable_traverse(jt_table_in(self), visit, arg);
        return stop ? stop : jt_traverse_fields(self, visit, arg);
    }
    static int jt_clear_table(PyObject *self) {
        jt_typetable_clear(jt_table_in(self), NULL, NULL);
        return jt_clear_fields(self);
    }
    static void jt_collect_tables(PyTypeObject *type, Py_ssize_t offset) {
        jt_table_offset = offset;
        jt_traverse_fields = type->tp_traverse;
        jt_clear_fields = type->tp_clear;
        type->tp_traverse = jt_traverse_table;
        type->tp_clear = jt_clear_table;
    }
    """
    enum:
        JT_KEEPS_VALUES
    void jt_collect_tables(PyTypeObject *, Py_ssize_t) noexcept


@cython.final
cdef class TypeReference(ReferenceType):
    """A weak reference to a type of an entry, that knows where to look for the entry."""

    cdef size_t hash


cdef bint keep(
    TypeTable self, tuple types, object value, uintptr_t flags, uintptr_t generation
) except -1:
    """Whether ``value`` is now what is found for ``types``; not if all was forgotten meanwhile.

    ``generation`` is that from before the value was worked out. What is there already stays.
    """
    if self.forget is None:  # found to be garbage, but perhaps brought back
        return False
    cdef void *entry[JT_TYPES + 2 * JT_MAX_ARITY]
    cdef int index, stored, arity = self.table.arity
    cdef TypeReference reference
    for index in range(arity):
        entry[JT_TYPES + index] = <void *>types[index]
    cdef size_t hash = jt_hash(arity, &entry[JT_TYPES])
    cdef list references = []
    for index in range(arity):
        reference = TypeReference.__new__(TypeReference, types[index], self.forget)
        reference.hash = hash
        references.append(reference)
        entry[JT_TYPES + arity + index] = <void *>reference
    entry[JT_VALUE] = <void *>value
    entry[JT_FLAGS] = <void *>flags
    if JT_KEEPS_VALUES:
        self.kept[<uintptr_t><void *>value] = value
    Py_INCREF(<PyObject *>value)
    for index in range(arity):
        Py_INCREF(<PyObject *>entry[JT_TYPES + arity + index])
    stored = jt_typetable_store(&self.table, entry, generation)
    if stored <= 0:
        Py_XDECREF(<PyObject *>value)
        for index in range(arity):
            Py_XDECREF(<PyObject *>entry[JT_TYPES + arity + index])
        if stored < 0:
            raise MemoryError
    return stored


cdef void forget_all(TypeTable self) noexcept:
    jt_typetable_clear(&self.table, NULL, NULL)


cdef bint restamp(TypeTable self, uintptr_t stamp, uintptr_t *generation) noexcept:
    """Forget all that has another stamp, if nothing was forgotten since ``generation``.

    Whether it did; then ``generation`` is the one from now on.
    """
    return jt_typetable_clear(&self.table, &stamp, generation)


cdef int read_key(TypeTable self, tuple types, void **key) except -1:
    if len(types) != self.table.arity:
        raise TypeError(f"found {len(types)} types; expected {self.table.arity}")
    for index, each in enumerate(types):
        if not PyType_Check(each):
            raise TypeError(f"found {each!r}; expected a type")
        key[index] = <void *>each
    return 0


@cython.final
cdef class TypeTable:
    """Values by one type or several, compared by identity.

    ``TypeTable(2)`` has keys of two types. Types are held weakly: an entry goes with any of its
    types. Values are not: without a GIL not even `clear` lets go of them, since another thread may
    be using one without having counted it. Safe to use from any thread; look-ups take no lock.
    """

    def __cinit__(self, int arity=1):
        if not 1 <= arity <= JT_MAX_ARITY:
            raise ValueError(f"found {arity} types to a key; expected 1 to {JT_MAX_ARITY}")
        self.table.arity = arity
        self.forget = self._forget
        if JT_KEEPS_VALUES:
            self.kept = {}

    def __del__(self):
        # The types may be dying together with this table: then the collector calls none of the
        # references back, and somebody's finalizer may still make a look-up.
        self.forget = None
        forget_all(self)

    def __dealloc__(self):
        jt_typetable_free(&self.table)

    def _forget(self, TypeReference reference not None):
        jt_typetable_remove(&self.table, reference.hash, <PyObject *>reference)

    def find(self, *types):
        """The value of ``types``; KeyError if there is none."""
        cdef void *key[JT_MAX_ARITY]
        cdef jt_typefound found
        read_key(self, types, key)
        if not jt_typetable_find(&self.table, self.table.arity, key, &found):
            raise KeyError(types)
        return <object>found.value

    def store(self, tuple types not None, value):
        """Whether ``value`` was stored; not if ``types`` have one: clear() comes first."""
        cdef void *key[JT_MAX_ARITY]
        read_key(self, types, key)
        return keep(self, types, value, 0, jt_typetable_generation(&self.table))

    def clear(self):
        """Forget everything."""
        forget_all(self)

    def __len__(self):
        return jt_typetable_count(&self.table)


cdef TypeTable example = TypeTable()
jt_collect_tables(<PyTypeObject *>TypeTable, <char *>&example.table - <char *><PyObject *>example)
