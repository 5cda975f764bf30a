"""What the ELF checks share: where addresses of the image lie in the file, and with what rights.

``offset_of`` gives -1, never an exception: its callers know what to call the thing that is
missing, and say so.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    PF_X = 1
    PF_W = 2
    PF_R = 4


cdef struct Load:
    uint64_t address
    uint64_t memory_size
    uint64_t file_size
    uint64_t offset
    uint64_t alignment
    uint32_t flags


cdef class Section:
    cdef readonly str name
    cdef readonly uint32_t type
    cdef readonly uint32_t link
    cdef readonly uint32_t info
    cdef readonly uint64_t flags
    cdef readonly uint64_t address
    cdef readonly uint64_t offset
    cdef readonly uint64_t size
    cdef readonly uint64_t alignment


cdef class Image:
    cdef Load* loads
    cdef Py_ssize_t load_count
    cdef Py_ssize_t last
    cdef readonly object reader
    cdef readonly int machine
    cdef readonly list sections
    cdef readonly list notes  # offset and size of each segment of notes
    cdef readonly uint64_t dynamic_address
    cdef readonly uint64_t dynamic_size
    cdef readonly uint64_t unwind_address
    cdef readonly bint has_tls
    cdef readonly uint64_t tls_address
    cdef readonly uint64_t tls_size

    cdef Load* find(self, uint64_t address) noexcept
    cdef bint holds(self, uint64_t address, uint64_t size, uint32_t flags) noexcept
    cdef int64_t offset_of(self, uint64_t address, uint64_t size) noexcept
    cdef uint64_t file_bytes_from(self, uint64_t address) noexcept
    cpdef bytes table(self, str what, object address, object size)
    cdef int check_segments(self, list segments) except -1
    cdef int add_load(self, tuple segment) except -1
    cdef int check_backed(self, tuple segment, str what) except -1
    cdef int check_special_segments(self, list segments) except -1
    cdef int check_sections(self) except -1
    cdef int check_tls_sections(self, uint64_t alignment) except -1
    cdef int check_relro(self, uint64_t address, uint64_t size) except -1
