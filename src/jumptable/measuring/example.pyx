"""A small native plugin that comes with the package: its C functions are in ``__pyx_capi__``.

    >>> plugin = jumptable.open("jumptable.measuring.example")
    >>> plugin.lookup("magnitude", "double(double)")(-1.5)
    1.5
"""

cdef double magnitude(double x) noexcept nogil:
    return -x if x < 0 else x
