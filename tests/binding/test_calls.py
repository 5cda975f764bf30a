"""Calls through looked-up functions: values, limits, and what is refused."""

from __future__ import annotations

import ctypes
import math
import types
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import jumptable as jt

INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}


class Index:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __index__(self) -> int:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value  # type: ignore[no-any-return]


class Float:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __float__(self) -> float:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value  # type: ignore[no-any-return]


class MyInt(int):
    def __index__(self) -> int:  # an int's own value counts, as everywhere in Python
        raise AssertionError


class MyFloat(float):
    pass


@pytest.fixture(params=["", " nogil"])
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_readme_example(basic: jt.Plugin) -> None:
    scale = basic.lookup("scale", "double(double, int32_t)")
    assert isinstance(scale, types.BuiltinFunctionType)
    assert scale(1.5, 2) == 3.0


@pytest.mark.thread_unsafe(reason="counts calls of one library")
def test_no_arguments(basic: jt.Plugin, suffix: str) -> None:
    calls = basic.lookup("calls", "int")
    before = calls.value
    assert basic.lookup("count", f"void(){suffix}")() is None
    assert calls.value == before + 1


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_at_their_limits(basic: jt.Plugin, name: str, suffix: str) -> None:
    low, high = INTEGERS[name]
    echo = basic.lookup(f"echo_{name}", f"{name}_t({name}_t){suffix}")
    for value in {low, low + 1, -1, 0, 1, 2**30 - 1, 2**30, 2**31, high - 1, high}:
        if low <= value <= high:
            assert echo(value) == value
            assert type(echo(value)) is int
            assert echo(MyInt(value)) == value
            assert echo(Index(value)) == value
    for value in (low - 1, high + 1, -(2**63) - 1, 2**64, 10**5000, -(10**5000)):
        with pytest.raises(OverflowError, match=rf"echo_{name}\(\) argument 1: .*'{name}_t'"):
            echo(value)
        with pytest.raises(OverflowError, match=f"'{name}_t'"):
            echo(Index(value))


@pytest.mark.parametrize("value", [1.0, "1", None, b"1", [], 1j, Float(1.0), np.float64(1)])
def test_what_is_no_integer(basic: jt.Plugin, value: object) -> None:
    name = type(value).__name__
    message = rf"echo_int32\(\) argument 1: expected int for 'int32_t', got (numpy\.)?{name}"
    with pytest.raises(TypeError, match=message):
        basic.lookup("echo_int32", "int32_t(int32_t)")(value)


def test_numpy_integers(basic: jt.Plugin) -> None:
    assert basic.lookup("echo_int32", "int32_t(int32_t)")(np.int16(-7)) == -7


def test_an_index_that_raises_or_lies(basic: jt.Plugin) -> None:
    echo = basic.lookup("echo_int32", "int32_t(int32_t)")
    with pytest.raises(KeyError, match="mine"):
        echo(Index(KeyError("mine")))
    with pytest.raises(TypeError, match=r"echo_int32\(\) argument 1: .* got Index") as raised:
        echo(Index("no int"))
    assert "__index__ returned non-int" in str(raised.value.__cause__)


@pytest.mark.parametrize(
    "value",
    [0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, MyFloat(2.5), 3, True,
     MyInt(4), Index(5), Float(6.5), np.float32(0.1), np.float64(0.1), np.int8(3)],
)  # fmt: skip
def test_what_is_a_double(basic: jt.Plugin, value: Any, suffix: str) -> None:
    result = basic.lookup("echo_double", f"double(double){suffix}")(value)
    expected = value.value if isinstance(value, (Index, Float)) else float(value)
    assert type(result) is float
    assert (result, math.copysign(1, result)) == (expected, math.copysign(1, expected))


@pytest.mark.parametrize("signature", ["double(double)", "int64_t(int64_t)"])
def test_arrays_are_no_numbers(basic: jt.Plugin, signature: str) -> None:
    name = "half" if "double" in signature else "negate"
    with pytest.raises(TypeError, match=rf"{name}\(\) argument 1: .* got numpy.ndarray") as raised:
        basic.lookup(name, signature)(np.zeros(2))
    assert isinstance(raised.value.__cause__, TypeError)


def test_nan(basic: jt.Plugin) -> None:
    assert math.isnan(basic.lookup("echo_double", "double(double)")(math.nan))
    assert math.isnan(basic.lookup("echo_float", "float(float)")(math.nan))


@pytest.mark.parametrize("value", ["1.5", None, b"1", 1j, [1.0]])
def test_what_is_no_double(basic: jt.Plugin, value: object) -> None:
    name = type(value).__name__
    message = rf"scale\(\) argument 1: expected float for 'double', got {name}"
    with pytest.raises(TypeError, match=message):
        basic.lookup("scale", "double(double, int32_t)")(value, 1)


def test_a_float_that_raises_or_lies(basic: jt.Plugin) -> None:
    echo = basic.lookup("echo_double", "double(double)")
    with pytest.raises(KeyError, match="mine"):
        echo(Float(KeyError("mine")))
    with pytest.raises(TypeError, match=r"echo_double\(\) argument 1: .* got Float") as raised:
        echo(Float("no float"))
    assert "returned non-float" in str(raised.value.__cause__)
    with pytest.raises(OverflowError, match=r"echo_double\(\) argument 1: .* for 'double'"):
        echo(Fraction(10**400))
    with pytest.raises(OverflowError, match=r"echo_double\(\) argument 1: a huge int .*'double'"):
        echo(10**400)


def test_a_float_is_rounded_and_refuses_what_it_cannot_hold(basic: jt.Plugin) -> None:
    echo = basic.lookup("echo_float", "float(float)")
    assert echo(0.1) == float(np.float32(0.1))
    assert echo(math.inf) == math.inf
    assert echo(3.4028234663852886e38) == 3.4028234663852886e38
    with pytest.raises(OverflowError, match=r"echo_float\(\) argument 1: 1e\+300 .*'float'"):
        echo(1e300)


def test_bool(basic: jt.Plugin, suffix: str) -> None:
    negated = basic.lookup("not", f"bool(bool){suffix}")
    assert negated(True) is False
    assert negated(False) is True
    assert negated(0) is True
    assert negated(1) is False
    with pytest.raises(OverflowError, match="'bool'"):
        negated(2)
    with pytest.raises(TypeError, match="expected bool for 'bool', got float"):
        negated(1.0)


def test_the_rest_of_a_returned_register_is_ignored(basic: jt.Plugin) -> None:
    assert basic.lookup("dirty", "int8_t()")() == -128
    assert basic.lookup("dirty", "uint8_t()")() == 128
    assert basic.lookup("dirty", "int32_t()")() == 0x80
    assert basic.lookup("dirty", "bool()")() is True


@pytest.mark.parametrize(
    ("signature", "wrong"),
    [("void()", (1,)), ("double(double, int32_t)", (1.0,)),
     ("double(double, int32_t)", (1.0, 2, 3)), ("double(double, int32_t)", ())],
)  # fmt: skip
def test_the_number_of_arguments(
    basic: jt.Plugin, signature: str, wrong: tuple[object, ...]
) -> None:
    name = "count" if signature == "void()" else "scale"
    count = 0 if name == "count" else 2
    with pytest.raises(TypeError, match=rf"{name}\(\) takes {count} arguments.* got {len(wrong)}"):
        basic.lookup(name, signature)(*wrong)


def test_the_number_of_arguments_of_a_function_of_one(basic: jt.Plugin) -> None:
    for wrong in ((), (1, 2)):
        with pytest.raises(TypeError, match=rf"half\(\) takes exactly one argument \({len(wrong)}"):
            basic.lookup("half", "double(double)")(*wrong)


@pytest.mark.parametrize("name", ["half", "scale", "count", "length"])
def test_keyword_arguments_are_refused(basic: jt.Plugin, name: str) -> None:
    signatures = {"half": "double(double)", "scale": "double(double, int32_t)",
                  "count": "void()", "length": "size_t(const char *)"}  # fmt: skip
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        basic.lookup(name, signatures[name])(x=1)


def test_strings(basic: jt.Plugin, suffix: str) -> None:
    length = basic.lookup("length", f"size_t(const char *){suffix}")
    assert length("") == 0
    assert length("abc") == 3
    assert length("né€😀") == 1 + 2 + 3 + 4
    assert length(b"\xff\xfe") == 2
    assert length(None) == 99
    with pytest.raises(ValueError, match=r"length\(\) argument 1: NUL at byte 1 of the str"):
        length("a\0b")
    with pytest.raises(ValueError, match="NUL at byte 0 of the bytes"):
        length(b"\0")
    with pytest.raises(TypeError, match="expected str, bytes or None for 'const char .', got int"):
        length(3)
    with pytest.raises(TypeError, match="got bytearray"):
        length(bytearray(b"x"))
    with pytest.raises(UnicodeEncodeError):
        length("\udc80")


def test_returned_strings(basic: jt.Plugin) -> None:
    echo = basic.lookup("echo_string", "const char *(const char *)")
    assert echo("né€😀") == "né€😀"
    assert echo(None) is None
    skip = basic.lookup("skip", "const char *(const char *, size_t)")
    assert skip(b"abc", 1) == "bc"
    with pytest.raises(UnicodeDecodeError):
        basic.lookup("broken_text", "const char *()")()


def test_addresses(basic: jt.Plugin) -> None:
    echo = basic.lookup("echo_pointer", "void *(void *)")
    assert echo(None) is None
    assert echo(0) is None
    for address in (1, 2**47 + 1, 2**63, 2**64 - 1):
        assert echo(address) == address
    values = np.zeros(3)
    assert echo(values) == values.ctypes.data
    text = ctypes.create_string_buffer(b"x")
    assert echo(text) == ctypes.addressof(text)
    for wrong in (-1, 2**64):
        with pytest.raises(OverflowError, match="'void [*]'"):
            echo(wrong)
    with pytest.raises(TypeError, match="expected a buffer, an int address or None"):
        echo(1.5)
    with pytest.raises(
        TypeError, match="C-contiguous, writable buffer for 'void .', got a read-on"
    ):
        echo(b"x")
    first = basic.lookup("first", "int(const void *)")
    assert first(b"x") == ord("x")
    for scalar in (np.int64(1234), np.array(1234)):  # its own bytes, or the address 1234?
        with pytest.raises(TypeError, match="expected a buffer, an int address or None"):
            first(scalar)


def test_seven_integers_take_the_generic_call(basic: jt.Plugin, suffix: str) -> None:
    ints7 = basic.lookup("ints7", f"int64_t({', '.join(['int64_t'] * 7)}){suffix}")
    assert ints7(*range(1, 8)) == sum(k * k for k in range(1, 8))
    assert ints7(-(2**63), *[0] * 6) == -(2**63)
    with pytest.raises(TypeError, match=r"ints7\(\) argument 7: expected int .* got str"):
        ints7(1, 2, 3, 4, 5, 6, "7")
    with pytest.raises(OverflowError, match="argument 7"):
        ints7(1, 2, 3, 4, 5, 6, 2**63)
    with pytest.raises(TypeError, match="takes 7 arguments, got 1"):
        ints7(1)
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        ints7(a=1)


def test_nine_floats_take_the_generic_call(basic: jt.Plugin, suffix: str) -> None:
    floats9 = basic.lookup("floats9", f"double({', '.join(['double'] * 9)}){suffix}")
    assert floats9(*range(1, 10)) == sum(k * k for k in range(1, 10))


def test_six_integers_and_eight_floats_fit_the_registers(basic: jt.Plugin, suffix: str) -> None:
    listed = ", ".join("int64_t" if k in (0, 2, 4, 6, 8, 10) else "double" for k in range(14))
    mixed = basic.lookup("mixed14", f"double({listed}){suffix}")
    assert mixed(*range(1, 15)) == sum(k * k for k in range(1, 15))


def test_strings_and_buffers_in_the_generic_call(basic: jt.Plugin) -> None:
    pick = basic.lookup("pick7", f"const char *({', '.join(['const char *'] * 7)}, int)")
    words = ["a", b"b", "c", None, "é", "f", "g"]
    assert [pick(*words, k) for k in range(7)] == ["a", "b", "c", None, "é", "f", "g"]
    total = basic.lookup("total7", f"double({', '.join(['const double *'] * 7)})")
    assert total(*[np.array([2.0**k]) for k in range(7)]) == 127
    with pytest.raises(TypeError, match="argument 7: .* 'const double .'"):
        total(*[np.array([1.0])] * 6, np.array([1]))


def test_an_argument_may_call_the_function_again(basic: jt.Plugin) -> None:
    scale = basic.lookup("scale", "double(double, int32_t)")

    class Nested:
        def __index__(self) -> int:
            return int(scale(2.0, 3))

    assert scale(1.5, Nested()) == 9.0
