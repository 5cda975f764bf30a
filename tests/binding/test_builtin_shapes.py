"""How builtins may be called: read from their text where that is simple, as `inspect` reads it."""

from __future__ import annotations

import binascii
import builtins
import inspect
import math
import os
from types import BuiltinFunctionType, ModuleType

import pytest

import jumptable as jt
from jumptable.binding import shapes

MODULES = (builtins, math, os, binascii)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_short_cut_for_builtins_agrees_with_inspect(module: ModuleType) -> None:
    functions = [value for value in vars(module).values() if type(value) is BuiltinFunctionType]
    checked = 0
    for function in functions:
        found = shapes._shape_of_text(function)
        if found is None:
            continue
        wanted = shapes.shape_of_signature(inspect.signature(function), 0)
        for name in shapes.Shape.__slots__:
            assert getattr(found, name) == getattr(wanted, name), (function, name)
        checked += 1
    assert checked


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (abs, "(x, /)"),
        ([].append, "(object, /)"),
        (os.getpid, "()"),
        (jt.from_pointer(1, "double()"), "()"),
        (jt.from_pointer(1, "double(double, int32_t)"), "(arg1, arg2, /)"),
    ],
    ids=["abs", "append", "getpid", "none", "two"],
)
def test_what_takes_plain_arguments_needs_no_inspect(
    function: BuiltinFunctionType, shape: str
) -> None:
    found = shapes._shape_of_text(function)
    assert found is not None
    assert str(found) == shape


@pytest.mark.parametrize("function", [print, sorted, max, os.stat], ids=lambda each: each.__name__)
def test_all_others_are_left_to_inspect(function: BuiltinFunctionType) -> None:
    assert shapes._shape_of_text(function) is None
