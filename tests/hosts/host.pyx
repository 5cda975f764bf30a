# cython: language_level=3, freethreading_compatible=True
"""A host in Cython; and a plugin, whose C functions Cython exports."""

from libc.stdint cimport uint64_t, uintptr_t

from jumptable cimport jt_function, jt_get_slot, jt_import, jt_load, jt_read, jt_slot

jt_import()

cdef int calls = 0


cdef class Host:
    """Calls ``apply`` of a table."""

    cdef const jt_slot *held
    cdef const jt_slot *free

    def __cinit__(self, table):
        self.held = jt_get_slot(table, "apply", "double(double)")
        self.free = jt_get_slot(table, "apply", "double(double) nogil")

    def with_gil(self, double x):
        return (<double (*)(double)>jt_load(self.held))(x)

    def without_gil(self, double x, int times=1):
        cdef double sum = 0
        with nogil:
            for _ in range(times):
                sum += (<double (*)(double) noexcept nogil>jt_load(self.free))(x)
        return sum

    def batch(self, double x, int times):
        """A batch in one generation, which comes with it."""
        cdef uint64_t generation
        cdef double sum = 0
        cdef jt_function function
        with nogil:
            function = jt_read(self.free, &generation)
            for _ in range(times):
                sum += (<double (*)(double) noexcept nogil>function)(x)
        return sum, generation

    @property
    def addresses(self):
        return <uintptr_t>jt_load(self.held), <uintptr_t>jt_load(self.free)

    @property
    def text(self):
        return self.free.name.decode(), self.free.signature.decode()


def get_slot(table, bytes name, bytes signature):
    return <uintptr_t>jt_get_slot(table, name, signature)


cdef api double exported(double x) noexcept nogil:
    return 3 * x


cpdef api double overridable(double x) noexcept:
    """Its C function has a parameter more, which says whether to look for an override."""
    global calls
    calls += 1
    return 4 * x


def count():
    return calls
