# cython: c_string_type=str, c_string_encoding=utf8
from libc.stdint cimport int32_t, int64_t, uintptr_t

cdef extern from "plugin.h" nogil:
    ctypedef bint bool "bool"
    double c_half "half"(double x)
    int64_t c_successor "successor"(int64_t n)
    double c_add "add"(double x, double y)
    double c_scale "scale"(double x, int32_t factor)
    void c_nothing "nothing"()
    float c_add3f "add3f"(float x, float y, float z)
    double c_add4 "add4"(double a, double b, double c, double d)
    int64_t c_add6 "add6"(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)
    double c_add14 "add14"(
        double a, double b, double c, double d, double e, double f, double g, double h,
        int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n,
    )
    size_t c_length "length"(const char *text)
    void *c_same "same"(void *pointer)
    bool c_negate "negate"(bool value)
    double c_sum "sum"(const double *items, size_t count)


cpdef double half(double x):
    return c_half(x)


def def_half(double x):
    return c_half(x)


cpdef int64_t successor(int64_t n):
    return c_successor(n)


def def_successor(int64_t n):
    return c_successor(n)


cpdef double add(double x, double y):
    return c_add(x, y)


def def_add(double x, double y):
    return c_add(x, y)


cpdef double scale(double x, int32_t factor):
    return c_scale(x, factor)


def def_scale(double x, int32_t factor):
    return c_scale(x, factor)


cpdef void nothing():
    c_nothing()


def def_nothing():
    c_nothing()


cpdef float add3f(float x, float y, float z):
    return c_add3f(x, y, z)


def def_add3f(float x, float y, float z):
    return c_add3f(x, y, z)


cpdef double add4(double a, double b, double c, double d):
    return c_add4(a, b, c, d)


def def_add4(double a, double b, double c, double d):
    return c_add4(a, b, c, d)


cpdef int64_t add6(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f):
    return c_add6(a, b, c, d, e, f)


def def_add6(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f):
    return c_add6(a, b, c, d, e, f)


cpdef double add14(
    double a, double b, double c, double d, double e, double f, double g, double h,
    int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n,
):
    return c_add14(a, b, c, d, e, f, g, h, i, j, k, l, m, n)


def def_add14(
    double a, double b, double c, double d, double e, double f, double g, double h,
    int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n,
):
    return c_add14(a, b, c, d, e, f, g, h, i, j, k, l, m, n)


cpdef size_t length(const char *text):
    return c_length(text)


def def_length(const char *text):
    return c_length(text)


cpdef uintptr_t same(uintptr_t pointer):
    return <uintptr_t>c_same(<void *>pointer)


def def_same(uintptr_t pointer):
    return <uintptr_t>c_same(<void *>pointer)


cpdef bint negate(bint value):
    return c_negate(value)


def def_negate(bint value):
    return c_negate(value)


cpdef double sum(const double[::1] items, size_t count):
    return c_sum(&items[0], count)


def def_sum(const double[::1] items, size_t count):
    return c_sum(&items[0], count)
