"""What does handing a NumPy array to ``double(const double *, size_t)`` cost?"""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from competitors import Competitors, MissingError
from jumptable.measuring.timing import Contestant, measure, statement
from results import Results
from signatures import SUM

numpy = pytest.importorskip("numpy")

AT_MOST = {
    "ctypes, ndpointer": 1 / 3,
    "cffi API mode, from_buffer": 1.0,
    "cffi ABI mode, from_buffer": 1.0,
}


@pytest.mark.parametrize("size", [1, 1000])
def bench_buffer(size: int, competitors: Competitors, results: Results, rounds: int) -> None:
    array = numpy.arange(size, dtype=numpy.float64)
    found = contestants(competitors, array)
    measurement = measure(found, rounds=rounds)
    results.compare(
        f"{SUM.signature}, {size} items", measurement, "jumptable", AT_MOST, competitors.missing
    )


def contestants(competitors: Competitors, array: Any) -> list[Contestant]:
    shared: dict[str, object] = {"array": array, "count": len(array)}
    ways = competitors.ways(SUM)
    found = [
        agreeing(name, "f(array, count)", {"f": ways[name].function, **shared})
        for name in PLAIN
        if name in ways
    ]
    pointer = numpy.ctypeslib.ndpointer(dtype=numpy.float64, ndim=1, flags="C_CONTIGUOUS")
    function = competitors.ctypes["sum"]
    function.argtypes, function.restype = [pointer, ctypes.c_size_t], ctypes.c_double
    found.append(agreeing("ctypes, ndpointer", "f(array, count)", {"f": function, **shared}))
    for mode in ("API", "ABI"):
        name = f"cffi {mode} mode, from_buffer"
        try:
            ffi = competitors.cffi() if mode == "ABI" else competitors.module("with_cffi").ffi
        except MissingError as error:
            competitors.missing[name] = str(error)
            continue
        names = {
            "f": ways[f"cffi {mode} mode"].function,
            "from_buffer": ffi.from_buffer,
            "doubles": ffi.typeof("double[]"),
        }
        found.append(agreeing(name, "f(from_buffer(doubles, array), count)", {**names, **shared}))
    return found


def agreeing(name: str, code: str, names: dict[str, Any]) -> Contestant:
    """A contestant, if it gives the right sum."""
    given = eval(code, dict(names))
    assert given == names["array"].sum(), f"{name} gives {given!r}"
    return statement(name, code, names)


PLAIN = (
    "jumptable",
    "hand-written builtin",
    "nanobind",
    "pybind11",
    "Cython cpdef",
    "Cython def",
)
