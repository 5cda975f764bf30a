"""Pointers to numbers take buffers of just that number."""

from __future__ import annotations

import array
import ctypes
import sys
from typing import Any

import numpy as np
import pytest

import jumptable as jt

NUMPY = {
    "bool": np.bool_,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "float": np.float32,
    "double": np.float64,
}


def c_name(name: str) -> str:
    return name if name in ("bool", "float", "double", "char") else f"{name}_t"


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("given", NUMPY)
def test_the_item_type_must_be_the_same(basic: jt.Plugin, name: str, given: str) -> None:
    total = basic.lookup(f"sum_{name}", f"int64_t(const {c_name(name)} *, size_t)")
    values: Any = np.array([1, 0, 1], NUMPY[given])
    if name == given:
        assert total(values, 3) == 2
    else:
        with pytest.raises(
            TypeError, match=rf"sum_{name}\(\) argument 1: .* '{values.data.format}'"
        ):
            total(values, 3)


@pytest.mark.parametrize("nogil", ["", " nogil"])
def test_reading_and_writing(basic: jt.Plugin, nogil: str) -> None:
    total = basic.lookup("total", f"double(const double *, size_t){nogil}")
    fill = basic.lookup("fill", f"void(double *, size_t, double){nogil}")
    values: Any
    for values in (np.zeros(4), array.array("d", [0] * 4), (ctypes.c_double * 4)(),
                   memoryview(array.array("d", [0] * 4)), np.zeros((2, 2)),
                   memoryview(bytearray(32)).cast("d")):  # fmt: skip
        fill(values, 4, 2.5)
        assert total(values, 4) == 10.0


def test_one_type_by_its_other_names(basic: jt.Plugin) -> None:
    for ctype in ("int64_t", "long long"):
        total = basic.lookup("sum_int64", f"int64_t(const {ctype} *, size_t)")
        for code in ("q", "l"):
            if array.array(code).itemsize == 8:
                assert total(array.array(code, [5, 6]), 2) == 11


def test_bytes_and_chars(basic: jt.Plugin) -> None:
    poke = basic.lookup("poke", "void(char *, size_t)")
    text = bytearray(b"abcd")
    poke(text, 2)
    assert text == b"xxcd"
    signed = array.array("b", [0, 0])
    poke(signed, 1)
    assert signed[0] == ord("x")
    chars = ctypes.create_string_buffer(b"abc")
    poke(chars, 1)
    assert chars.value == b"xbc"
    assert basic.lookup("sum_uint8", "int64_t(const uint8_t *, size_t)")(b"\x01\x02", 2) == 3
    with pytest.raises(
        TypeError, match="C-contiguous, writable buffer for 'char .', got a read-on"
    ):
        poke(b"abcd", 2)


def test_writable_where_it_is_written(basic: jt.Plugin) -> None:
    fill = basic.lookup("fill", "void(double *, size_t, double)")
    total = basic.lookup("total", "double(const double *, size_t)")
    frozen = np.ones(2)
    frozen.flags.writeable = False
    assert total(frozen, 2) == 2.0
    with pytest.raises(
        TypeError, match=r"fill\(\) argument 1: .*writable.* read-only numpy.ndarray"
    ):
        fill(frozen, 2, 1.0)
    assert total(memoryview(frozen.data).toreadonly(), 2) == 2.0


def test_contiguous(basic: jt.Plugin) -> None:
    total = basic.lookup("total", "double(const double *, size_t)")
    for wrong in (np.zeros((4, 4))[:, 1], np.zeros(8)[::2], np.zeros(8)[::-1],
                  np.asfortranarray(np.zeros((3, 2)))):  # fmt: skip
        with pytest.raises(
            TypeError, match=r"total\(\) argument 1: .*non-contiguous numpy.ndarray"
        ):
            total(wrong, 1)
    assert total(np.zeros(8)[::2][:1], 1) == 0.0
    assert total(np.zeros(0), 0) == 0.0


@pytest.mark.parametrize("wrong", [None, 5, [1.0], "text", 1.5])
def test_what_is_no_buffer(basic: jt.Plugin, wrong: object) -> None:
    with pytest.raises(
        TypeError, match="argument 1: expected a buffer for 'const double [*]', got"
    ):
        basic.lookup("total", "double(const double *, size_t)")(wrong, 1)


def test_foreign_byte_order(basic: jt.Plugin) -> None:
    total = basic.lookup("total", "double(const double *, size_t)")
    swapped = np.ones(1, np.dtype(np.float64).newbyteorder("S"))
    with pytest.raises(TypeError, match="format"):
        total(swapped, 1)
    assert total(np.ones(1, np.dtype(np.float64).newbyteorder("=")), 1) == 1.0


def test_structures_and_complex_numbers_are_refused(basic: jt.Plugin) -> None:
    total = basic.lookup("total", "double(const double *, size_t)")
    for wrong in (np.zeros(1, complex), np.zeros(1, [("a", "f8")]), np.zeros(1, "S8")):
        with pytest.raises(TypeError, match="with items of format"):
            total(wrong, 1)


@pytest.mark.parametrize(
    ("name", "signature", "good", "bad"),
    [
        ("total", "double(const double *, size_t)", (2,), [("no size",), (), (2, 3)]),
        ("fill", "void(double *, size_t, double)", (2, 0.5), [(2, "x"), (2,), ("no size", 0.5)]),
        ("total7", f"double({', '.join(['const double *'] * 7)})", None, [("no array",) * 6]),
    ],
    ids=["exact", "words", "libffi"],
)
def test_buffers_are_released_whatever_happens(
    basic: jt.Plugin,
    name: str,
    signature: str,
    good: tuple[object, ...] | None,
    bad: list[tuple[object, ...]],
) -> None:
    function = basic.lookup(name, signature)
    values = bytearray(16)
    view = memoryview(values).cast("d")
    function(view, *([view] * 6 if good is None else good))
    for arguments in bad:
        with pytest.raises(TypeError):
            function(view, *arguments)
    view.release()
    values.extend(b"resizing fails with BufferError while an export is left")


def test_items_of_several_parts_are_refused(basic: jt.Plugin) -> None:
    testbuffer: Any = pytest.importorskip("_testbuffer")
    total = basic.lookup("sum_int64", "int64_t(const int64_t *, size_t)")
    for items, form in (([1], "bxxxxxxx"), ([(1, 2, 3, 4)], "hhhh")):
        with pytest.raises(TypeError, match=f"items of format '{form}'"):
            total(testbuffer.ndarray(items, shape=[1], format=form), 1)


def test_a_buffer_stays_while_a_later_argument_runs_python(basic: jt.Plugin) -> None:
    total = basic.lookup("total", "double(const double *, size_t)")
    values = bytearray(16)

    class Resizing:
        def __index__(self) -> int:
            with pytest.raises(BufferError):
                values.extend(b"x")
            return 2

    assert total(memoryview(values).cast("d"), Resizing()) == 0.0


def test_a_released_memoryview(basic: jt.Plugin) -> None:
    view = memoryview(bytearray(8)).cast("d")
    view.release()
    with pytest.raises(TypeError, match=r"total\(\) argument 1: .* got memoryview") as raised:
        basic.lookup("total", "double(const double *, size_t)")(view, 1)
    assert "released" in str(raised.value.__cause__)


def test_an_array_that_has_no_buffer(basic: jt.Plugin) -> None:
    dates = np.zeros(1, "M8[s]")
    with pytest.raises(
        TypeError, match=r"sum_int64\(\) argument 1: .* got numpy.ndarray"
    ) as raised:
        basic.lookup("sum_int64", "int64_t(const int64_t *, size_t)")(dates, 1)
    assert isinstance(raised.value.__cause__, ValueError)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ came with Python 3.12")
def test_a_buffer_made_in_python_that_raises(basic: jt.Plugin) -> None:
    class Raising:
        def __buffer__(self, flags: int) -> memoryview:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        basic.lookup("total", "double(const double *, size_t)")(Raising(), 1)
