"""The symbol table, as the relocations need it."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from jumptable.loading.elfimage cimport Image

cdef enum:
    STB_LOCAL = 0
    STT_FUNC = 2
    STT_TLS = 6
    STT_GNU_IFUNC = 10
    SHN_UNDEF = 0


cdef struct Symbol:
    uint32_t name
    uint8_t info
    uint8_t other
    uint16_t section
    uint64_t value
    uint64_t size


cdef class Symbols:
    cdef readonly Py_ssize_t count
    cdef readonly bint uses_python
    cdef Image image
    cdef bytes strings
    cdef bytes table
    cdef bytes bloom
    cdef bytes buckets
    cdef bytes chains
    cdef uint32_t bloom_shift
    cdef uint32_t first_hashed

    cdef const Symbol* at(self, Py_ssize_t index) noexcept
    cdef Py_ssize_t sysv_count(self, uint64_t address) except -1
    cdef Py_ssize_t gnu_count(self, uint64_t address) except -1
    cdef uint32_t chain_end(self, uint64_t address, uint32_t index) except 0
    cdef int check_gnu_hash(self) except -1
    cdef int check_symbols(self) except -1
    cdef int check_definition(self, Py_ssize_t index, const Symbol* symbol) except -1
    cdef int check_versions(self, uint64_t address, uint32_t greatest) except -1
