cdef double magnitude(double x) noexcept nogil
