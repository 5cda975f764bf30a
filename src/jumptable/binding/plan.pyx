"""What all functions of one signature share: how to convert, and which trampoline to take.

A `Plan` never changes after ``__cinit__``, so any number of threads read it without a lock.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.limits cimport CHAR_MIN
from libc.stdint cimport INT64_MIN, UINT64_MAX, uintptr_t

cdef extern from "choose.h":
    int jt_choose(jt_plan *, int) noexcept

cdef extern from *:
    """
    #define jt_sizeof_plan(count) (sizeof(jt_plan) + (size_t)(count) * sizeof(jt_type))
    """
    size_t jt_sizeof_plan(Py_ssize_t) noexcept


# The number types of the grammar: their kind and their size in bytes, as this C compiler has them.
cdef str SIGN_OF_CHAR = "signed" if CHAR_MIN < 0 else "unsigned"
NUMBERS = {
    "bool": ("bool", 1),
    "float": ("float", sizeof(float)),
    "double": ("double", sizeof(double)),
    "int8_t": ("signed", 1),
    "int16_t": ("signed", 2),
    "int32_t": ("signed", 4),
    "int64_t": ("signed", 8),
    "uint8_t": ("unsigned", 1),
    "uint16_t": ("unsigned", 2),
    "uint32_t": ("unsigned", 4),
    "uint64_t": ("unsigned", 8),
    "char": (SIGN_OF_CHAR, 1),
    "signed char": ("signed", 1),
    "unsigned char": ("unsigned", 1),
    "short": ("signed", sizeof(short)),
    "unsigned short": ("unsigned", sizeof(short)),
    "int": ("signed", sizeof(int)),
    "unsigned int": ("unsigned", sizeof(int)),
    "long": ("signed", sizeof(long)),
    "unsigned long": ("unsigned", sizeof(long)),
    "long long": ("signed", sizeof(long long)),
    "unsigned long long": ("unsigned", sizeof(long long)),
    "size_t": ("unsigned", sizeof(size_t)),
    "ssize_t": ("signed", sizeof(Py_ssize_t)),
    "intptr_t": ("signed", sizeof(uintptr_t)),
    "uintptr_t": ("unsigned", sizeof(uintptr_t)),
}

cdef dict KINDS = {
    "void": JT_VOID,
    "bool": JT_BOOL,
    "signed": JT_SIGNED,
    "unsigned": JT_UNSIGNED,
    "float": JT_FLOAT,
    "double": JT_DOUBLE,
    "string": JT_STRING,
    "address": JT_ADDRESS,
    "buffer": JT_BUFFER,
    "object": JT_OBJECT,
    "char": JT_CHAR,
}


cdef int describe(jt_type *out, ctype) except -1:
    """Fill in a parameter or a result; the Plan keeps ``ctype.text`` alive."""
    cdef int kind = KINDS[ctype.kind], bits = 8 * <int>ctype.size
    out.ctype = PyUnicode_AsUTF8(ctype.text)
    out.kind = kind
    out.size = ctype.size
    out.item = KINDS[ctype.item]
    out.item_size = ctype.item_size
    out.constant = ctype.constant
    out.shift = 64 - bits if kind in (JT_SIGNED, JT_UNSIGNED) else 0
    if kind == JT_BOOL:
        out.low, out.span = 0, 1
    elif kind == JT_SIGNED:
        out.low = INT64_MIN >> (64 - bits)
        out.span = UINT64_MAX >> (64 - bits)
    elif kind in (JT_UNSIGNED, JT_ADDRESS):
        # A uint64_t beyond INT64_MAX is left to the conversion's slow half.
        out.low, out.span = 0, UINT64_MAX >> max(64 - bits, 1)
    return 0


@cython.final
@cython.no_gc
cdef class Plan:
    """What all functions of one signature share: types, and the trampoline for them.

    ``checked``: the callee uses Python's C API, so its exceptions are looked for after the call.
    ``variable``: this is a variable of the result's type, which is the only parameter as well.
    ``generic`` forces the path through libffi, for tests.
    """

    def __cinit__(
        self, signature, *, bint checked=False, bint variable=False, bint generic=False
    ):
        cdef Py_ssize_t index, visible = len(signature.params)
        cdef Py_ssize_t count = visible + signature.hidden
        self.plan = <jt_plan *>PyMem_Calloc(1, jt_sizeof_plan(count))
        if self.plan == NULL:
            raise MemoryError
        self.signature = signature
        self.plan.owner = <PyObject *>self
        self.plan.count = count
        self.plan.visible = visible
        self.plan.nogil = signature.nogil
        describe(&self.plan.result, signature.result)
        for index in range(visible):
            describe(&self.plan.params[index], signature.params[index])
        for index in range(visible, count):
            self.plan.params[index].kind = JT_ZERO
        self.plan.variable = variable
        self.plan.checked = checked or ("object" in signature.text and not variable)
        # The texts that the plan's C strings belong to.
        texts = [signature.result.text]
        for param in signature.params:
            texts.append(param.text)
        self.texts = tuple(texts)
        if jt_choose(self.plan, generic):
            from .generic import prototype

            self.prototype = prototype(signature)

    def __dealloc__(self):
        PyMem_Free(self.plan)
