"""The same functions through ctypes and through jumptable: the same bits.

Random signatures of up to twelve numbers are compiled from generated C. Each function mixes the
bits of all its arguments into its result, so that one in the wrong register, or half of one,
shows.
"""

from __future__ import annotations

import ctypes
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import jumptable as jt
from jumptable.binding.plan import NUMBERS, Plan
from jumptable.binding.signatures import parse_signature
from jumptable.binding.symbol import make_function
from tests.conftest import Compile

FUNCTIONS = 320
CALLS = 8

CTYPES: dict[tuple[str, int], Any] = {
    ("bool", 1): ctypes.c_bool,
    ("float", 4): ctypes.c_float,
    ("double", 8): ctypes.c_double,
    **{("signed", 2**k): getattr(ctypes, f"c_int{8 * 2**k}") for k in range(4)},
    **{("unsigned", 2**k): getattr(ctypes, f"c_uint{8 * 2**k}") for k in range(4)},
}
FLOATS = [0.0, -0.0, 1.0, -1.5, float("inf"), float("-inf"), float("nan"), 2.0**-149, 2.0**-126]
DOUBLES = [*FLOATS, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1e-310]

PRELUDE = """
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
static uint64_t mix(uint64_t seed, const void *bytes, size_t n) {
    uint64_t word = 0;
    memcpy(&word, bytes, n);
    return (seed ^ word) * 0x9E3779B97F4A7C15u + (seed >> 29);
}
"""


@dataclass
class Function:
    name: str
    result: str
    params: list[str]

    @property
    def signature(self) -> str:
        return f"{self.result}({', '.join(self.params)})"

    def source(self) -> str:
        """C that either mixes all arguments or returns the first of the result's own type."""
        listed = ", ".join(f"{ctype} a{k}" for k, ctype in enumerate(self.params)) or "void"
        echo = self.params.index(self.result) if self.result in self.params else None
        mixing = "".join(
            f"    bits = mix(bits, &a{k}, sizeof a{k});\n" for k in range(len(self.params))
        )
        body = f"    uint64_t bits = {len(self.name)};\n{mixing}    sink = bits;\n"
        if self.result == "void":
            pass
        elif echo is not None and int(self.name[1:]) % 3 == 0:
            body += f"    return a{echo};\n"
        elif self.result == "bool":
            body += "    return bits >> 63;\n"
        elif self.result in ("float", "double"):
            body += f"    {self.result} r;\n    memcpy(&r, &bits, sizeof r);\n    return r;\n"
        else:
            body += f"    return ({self.result})bits;\n"
        return f"{self.result} {self.name}({listed}) {{\n{body}}}\n"


def random_functions(rng: random.Random) -> Iterator[Function]:
    names = [*NUMBERS]
    for index in range(FUNCTIONS):
        result = [*names, "void"][index % (len(names) + 1)]
        # Every length; sometimes of one class alone, so that its registers run out.
        pool = rng.choice([names, names, ["double", "float"], ["int64_t", "uint8_t"], [result]])
        pool = [name for name in pool if name != "void"] or names
        params = [rng.choice(pool) for _ in range(index % 13)]
        yield Function(f"f{index}", result, params)


def random_value(rng: random.Random, name: str) -> Any:
    kind, size = NUMBERS[name]
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "double":
        return rng.choice([*DOUBLES, rng.uniform(-1e9, 1e9), float(rng.randrange(10**6))])
    if kind == "float":
        single = struct.unpack("f", struct.pack("f", rng.uniform(-1e9, 1e9)))[0]
        return rng.choice([*FLOATS, single, 3.4028234663852886e38])
    low = -(2 ** (8 * size - 1)) if kind == "signed" else 0
    high = low + 2 ** (8 * size) - 1
    return rng.choice([low, low + 1, 0, 1, high - 1, high, rng.randint(low, high)])


def bits(value: Any) -> object:
    return struct.pack("d", value) if isinstance(value, float) else (type(value), value)


def ctypes_function(library: ctypes.CDLL, function: Function) -> Any:
    made = getattr(library, function.name)
    made.restype = None if function.result == "void" else CTYPES[NUMBERS[function.result]]
    made.argtypes = [CTYPES[NUMBERS[name]] for name in function.params]
    return made


PATHS = ["looked up", "nogil", "libffi", "libffi nogil", "checked"]


@pytest.mark.thread_unsafe(reason="the functions leave what they saw in one variable")
@pytest.mark.parametrize("path", PATHS)
def test_the_same_bits_as_ctypes(compile_plugin: Compile, path: str) -> None:
    check_same_bits(compile_plugin, path, 20261122)


@pytest.mark.thread_unsafe(reason="the functions leave what they saw in one variable")
@pytest.mark.long
@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("path", PATHS)
def test_many_more_signatures(compile_plugin: Compile, path: str, seed: int) -> None:
    check_same_bits(compile_plugin, path, seed)


def check_same_bits(compile_plugin: Compile, path: str, seed: int) -> None:
    rng = random.Random(seed)
    functions = list(random_functions(rng))
    text = PRELUDE + "volatile uint64_t sink;\n" + "".join(f.source() for f in functions)
    file = compile_plugin("differential", text)
    library, plugin = ctypes.CDLL(str(file)), jt.open(file)
    sink = plugin.lookup("sink", "uint64_t")
    compared = 0
    for function in functions:
        signature = function.signature + " nogil" * path.endswith("nogil")
        ours = plugin.lookup(function.name, signature)
        if path in ("libffi", "libffi nogil", "checked"):
            plan = Plan(
                parse_signature(signature), generic=path != "checked", checked=path == "checked"
            )
            ours = make_function("same", plan, ours.__self__.address, plugin, from_plugin=False)
        theirs = ctypes_function(library, function)
        for _ in range(CALLS):
            values = [random_value(rng, name) for name in function.params]
            expected = (bits(theirs(*values)), sink.value)
            sink.value = 0
            assert (bits(ours(*values)), sink.value) == expected, (function, values)
            compared += 1
    assert compared == FUNCTIONS * CALLS >= 2000
