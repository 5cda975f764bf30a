"""Functions that take and give Python objects, and functions that raise."""

from __future__ import annotations

import pytest

import jumptable as jt


def test_objects_in_and_out(objects: jt.Plugin) -> None:
    thing = object()
    assert objects.lookup("same", "object(object)")(thing) is thing
    assert objects.lookup("pair", "object(object, object)")(1, None) == (1, None)


def test_exceptions(objects: jt.Plugin) -> None:
    with pytest.raises(KeyError, match="mine"):
        objects.lookup("raise_key", "object(object)")("mine")
    with pytest.raises(SystemError, match=r"silent\(\) returned NULL without setting"):
        objects.lookup("silent", "object()")()
    with pytest.raises(ValueError, match="with a result"):
        objects.lookup("both", "object(object)")("lost")


def test_a_library_that_uses_python_may_raise_without_objects(objects: jt.Plugin) -> None:
    reciprocal = objects.lookup("reciprocal", "double(double)")
    assert reciprocal(4.0) == 0.25
    with pytest.raises(ZeroDivisionError, match="from C"):
        reciprocal(0.0)


def test_the_gil(objects: jt.Plugin) -> None:
    assert objects.lookup("has_gil", "int()")() == 1
    assert objects.lookup("has_gil", "int() nogil")() == 0


def test_objects_in_the_generic_call(objects: jt.Plugin) -> None:
    signature = f"object({', '.join(['object'] * 7)})"
    assert objects.lookup("many", signature)(*range(7)) == tuple(range(7))
    with pytest.raises(KeyError, match="6"):
        objects.lookup("many_raise", signature)(*range(7))


@pytest.mark.parametrize("nogil", ["", " nogil"])
def test_functions_that_take_the_gil_and_raise(objects: jt.Plugin, nogil: str) -> None:
    function = objects.lookup("raise_without_gil", f"double(double){nogil}")
    pointer = jt.from_pointer(function.__self__.address, f"double(double){nogil}")
    for call in (function, pointer):
        with pytest.raises(ValueError, match="with the GIL taken"):
            call(1.0)


def test_null_in_the_generic_call(objects: jt.Plugin) -> None:
    silent = objects.lookup("silent7", f"object({', '.join(['int'] * 7)})")
    with pytest.raises(SystemError, match=r"silent7\(\) returned NULL without setting"):
        silent(*range(7))
