"""What does a call cost, beside every other way to call the same C function from Python?

The floor is a builtin that is written by hand for the signature and does the same checks.
"""

from __future__ import annotations

from typing import Any

import pytest

from competitors import Competitors, contestants
from jumptable.measuring.timing import measure
from results import Results
from signatures import HEADLINE, OTHERS, Function

AT_MOST = {
    "hand-written builtin": 1.10,
    "nanobind": 1.0,
    "pybind11": 1.0,
    "cffi API mode": 1.0,
    "Cython cpdef": 1.0,
    "ctypes, argtypes set": 1 / 8,
}


@pytest.mark.parametrize("function", HEADLINE + OTHERS, ids=lambda function: function.name)
def bench_call(function: Function, competitors: Competitors, results: Results, rounds: int) -> None:
    ways = competitors.ways(function)
    expected = ways["hand-written builtin"].function(*function.arguments)
    for name, way in ways.items():
        given = way.function(*way.arguments)
        assert same(competitors, given, expected), f"{name} gives {given!r}"
    measurement = measure(contestants(ways), rounds=rounds)
    at_most = AT_MOST if function in HEADLINE else {}
    results.compare(function.signature, measurement, "jumptable", at_most, competitors.missing)


def same(competitors: Competitors, given: Any, expected: object) -> bool:
    if "CData" in type(given).__name__:  # cffi's pointers
        return int(competitors.cffi().cast("uintptr_t", given)) == expected
    return bool(given == expected)
