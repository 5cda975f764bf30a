"""from_pointer: every kind of pointer, and what is refused."""

from __future__ import annotations

import ctypes
import ctypes.util
import pickle
import sys
import types
from typing import Any

import numpy as np
import pytest

import jumptable as jt


@pytest.fixture(scope="module")
def address(basic: jt.Plugin) -> int:
    return int(basic.lookup("scale", "double(double, int32_t)").__self__.address)


def test_an_address(address: int) -> None:
    scale = jt.from_pointer(address, "double(double, int32_t)", "scale")
    assert isinstance(scale, types.BuiltinFunctionType)
    assert scale(1.5, 2) == 3.0
    assert scale.__name__ == "scale"
    symbol = scale.__self__
    assert isinstance(symbol, jt.Symbol)
    assert (symbol.plugin, symbol.address, symbol.evidence) == (None, address, "asserted")
    assert repr(symbol) == f"<Symbol 'double scale(double, int32_t)' at {address:#x}>"
    assert jt.from_pointer(address, "double(double, int32_t)").__name__ == f"at_{address:x}"
    with pytest.raises(ValueError, match="cannot hold a NUL"):
        jt.from_pointer(address, "double(double, int32_t)", "a\0b")
    with pytest.raises(TypeError, match="cannot pickle scale.*made from a pointer"):
        pickle.dumps(scale)


def test_bad_addresses() -> None:
    with pytest.raises(jt.SymbolKindError, match="NULL"):
        jt.from_pointer(0, "void()")
    for wrong in (-1, 2**64, 10**5000):
        with pytest.raises(OverflowError, match="an address has 64 bits"):
            jt.from_pointer(wrong, "void()")
    with pytest.raises(jt.SignatureError, match="unknown type"):
        jt.from_pointer(4096, "nothing()")
    with pytest.raises(jt.SignatureError, match="is the type of a variable"):
        jt.from_pointer(4096, "int")
    for thing in (None, 1.5, "address", True, len, object()):
        with pytest.raises(TypeError, match=r"from_pointer\(\) takes an int address"):
            jt.from_pointer(thing, "void()")


def test_ctypes(basic: jt.Plugin) -> None:
    library = ctypes.CDLL(basic.path)
    scale = jt.from_pointer(library.scale, "double(double, int32_t)")
    assert scale(1.5, 2) == 3.0
    assert scale.__name__ == "scale"

    callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda value: value + 1)
    called = jt.from_pointer(callback, "int64_t(int64_t)")
    nogil = jt.from_pointer(callback, "int64_t(int64_t) nogil")
    del callback
    assert called(41) == 42
    assert nogil(41) == 42


def test_ctypes_with_types_of_its_own(basic: jt.Plugin) -> None:
    scale: Any = ctypes.CDLL(basic.path).scale
    scale.restype, scale.argtypes = ctypes.c_double, [ctypes.c_double, ctypes.c_int32]
    assert jt.from_pointer(scale, "double(double, int32_t)")(1.5, 2) == 3.0
    with pytest.raises(jt.SignatureError, match=r"'double\(double, int\)', and was asked for"):
        jt.from_pointer(scale, "double(double, double)")
    scale.argtypes = [ctypes.c_double, ctypes.POINTER(ctypes.c_int)]
    assert jt.from_pointer(scale, "double(double, void *)")  # what it is, ctypes does not say


def test_ctypes_functions_that_raise() -> None:
    as_double = jt.from_pointer(ctypes.pythonapi.PyFloat_AsDouble, "double(void *)")
    with pytest.raises(TypeError, match="must be real number, not str"):
        as_double(id("text"))


def test_an_address_of_numpy(address: int) -> None:
    assert jt.from_pointer(np.int64(address), "double(double, int32_t)")(1.5, 2) == 3.0


def test_a_ctypes_null() -> None:
    with pytest.raises(jt.SymbolKindError, match="NULL"):
        jt.from_pointer(ctypes.CFUNCTYPE(None)(), "void()")


def test_cffi(basic: jt.Plugin) -> None:
    cffi: Any = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("double scale(double, int32_t); size_t length(const char *);")
    library = ffi.dlopen(basic.path)
    assert jt.from_pointer(library.scale, "double(double, int)")(1.5, 2) == 3.0
    assert jt.from_pointer(library.length, "size_t(const char *)")("abc") == 3
    with pytest.raises(jt.SignatureError, match=r"'double\(double, int32_t\)', and was asked for"):
        jt.from_pointer(library.scale, "double(double, double)")
    with pytest.raises(TypeError, match="from_pointer"):
        jt.from_pointer(ffi.new("int *"), "void()")
    with pytest.raises(jt.SignatureError, match="variadic"):
        jt.from_pointer(ffi.cast("int(*)(int, ...)", 8), "int(int)")
    taking = ffi.cast("double(*)(double, void(*)(int))", library.scale)
    assert jt.from_pointer(taking, "double(double, void *)")
    with pytest.raises(jt.SignatureError, match=r"void \*"):
        jt.from_pointer(taking, "double(double)")
    callback = ffi.callback("int(int)", lambda value: value + 1)
    assert jt.from_pointer(callback, "int(int)")(1) == 2


def test_capsules(address: int) -> None:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    named = new(address, b"double (double, int32_t)", None)
    scale = jt.from_pointer(named, "double(double, int)")
    assert scale(1.5, 2) == 3.0
    assert scale.__self__.evidence == "capsule"  # type: ignore[attr-defined]
    with pytest.raises(jt.SignatureError, match="and was asked for as 'double\\(double\\)'"):
        jt.from_pointer(named, "double(double)")
    for name in (None, b"module.api"):
        scale = jt.from_pointer(new(address, name, None), "double(double, int32_t)")
        assert scale(1.5, 2) == 3.0
        assert scale.__self__.evidence == "asserted"  # type: ignore[attr-defined]
    with pytest.raises(jt.SymbolKindError, match="is 'double', which is no function's type"):
        jt.from_pointer(new(address, b"double", None), "double()")
    opaque = new(address, b"double (struct thing *, double)", None)
    with pytest.raises(jt.SignatureError, match="struct thing"):
        jt.from_pointer(opaque, "double(double *, double)")
    assert jt.from_pointer(opaque, "double(void *, double)")


def test_numba() -> None:
    numba: Any = pytest.importorskip("numba")

    def power(x: float, n: int) -> float:
        return x**n

    power = numba.cfunc("float64(float64, int32)")(power)
    function = jt.from_pointer(power, "double(double, int32_t)")
    assert function(1.5, 2) == 2.25
    assert function.__name__ == "power"
    with pytest.raises(jt.SignatureError, match=r"double\(double, int32_t\)"):
        jt.from_pointer(power, "double(double, int64_t)")


def test_scipy() -> None:
    scipy: Any = pytest.importorskip("scipy")
    cython_special: Any = pytest.importorskip("scipy.special.cython_special")
    expected = scipy.special.j1(1.5)
    callback = scipy.LowLevelCallable.from_cython(cython_special, "j1")
    j1 = jt.from_pointer(callback, "double(double)")
    assert j1(1.5) == pytest.approx(expected)
    assert j1.__self__.evidence == "capsule"  # type: ignore[attr-defined]
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    libm.fabs.restype, libm.fabs.argtypes = ctypes.c_double, [ctypes.c_double]
    assert jt.from_pointer(scipy.LowLevelCallable(libm.fabs), "double(double)")(-2.0) == 2.0
    with pytest.raises(jt.SignatureError, match=r"'double\(double\)'"):
        jt.from_pointer(scipy.LowLevelCallable(libm.fabs), "float(float)")


@pytest.mark.thread_unsafe(reason="hears the events of all threads")
def test_audit_event(address: int) -> None:
    seen = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "jumptable.from_pointer":
            seen.append(arguments)

    sys.addaudithook(hook)
    jt.from_pointer(address, "double(double,int32_t)")
    assert seen == [(address, "double(double, int32_t)")]
