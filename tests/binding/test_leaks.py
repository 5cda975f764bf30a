"""Calls of each kind, successful and failing, a million in the long battery: all stays as it was.

(Opening and look-ups are repeated less: what fails there looks for close names.)
"""

from __future__ import annotations

import pytest

from tests.conftest import Compile, Run

LONG = pytest.mark.long

PROGRAM = """
import gc, sys
import numpy as np
import jumptable as jt

basic, objects, data, kind = *map(jt.open, sys.argv[1:4]), sys.argv[4]
rounds, repeats, warm_ups = 20, int(sys.argv[5]), 2


class Failing:
    def __index__(self): raise KeyError(self)
    __float__ = __index__


numbers, frozen = np.zeros(4), np.zeros(4)
frozen.flags.writeable = False
thing, text, big, half = object(), "né" * 20, 2**62 + 1, 2.5
seven = ["object"] * 7
KINDS = {
    "void": (basic, "count", "void()", (), (1,)),
    "double": (basic, "half", "double(double)", (half,), ("x",)),
    "two": (basic, "scale", "double(double, int32_t)", (half, 7), (half, 2**40)),
    "int": (basic, "negate", "int64_t(int64_t)", (big,), (Failing(),)),
    "nogil": (basic, "add", "double(double, double) nogil", (half, half), (half, Failing())),
    "float": (basic, "addf", "float(float, float)", (half, half), (half, 1e300)),
    "bool": (basic, "not", "bool(bool)", (True,), (2,)),
    "string": (basic, "skip", "const char *(const char *, size_t)", (text, 3), ("a\\0b", 0)),
    "decoding": (basic, "echo_string", "const char *(const char *)", (text,), (b"\\xff",)),
    "buffer": (basic, "total", "double(const double *, size_t)", (numbers, 4), (numbers, "4")),
    "writable": (basic, "fill", "void(double *, size_t, double)", (numbers, 4, half),
                 (frozen, 4, half)),
    "address": (basic, "echo_pointer", "void *(void *)", (numbers,), (thing,)),
    "object": (objects, "pair", "object(object, object)", (thing, text), (thing,)),
    "raising": (objects, "reciprocal", "double(double)", (half,), (0.0,)),
    "lost": (objects, "same", "object(object)", (thing,), ()),
    "both": (objects, "both", "object(object)", None, (thing,)),
    "generic": (objects, "many", f"object({', '.join(seven)})", (thing,) * 7, (thing,)),
    "generic raising": (objects, "many_raise", f"object({', '.join(seven)})", None, (thing,) * 7),
    "generic numbers": (basic, "floats9", f"double({', '.join(['double'] * 9)})", (half,) * 9,
                        (*[half] * 8, Failing())),
}

if kind == "open and lookup":
    def succeed():
        jt.open(basic.path); jt.open("json:loads"); basic.lookup("half", "double(double)")
    def fail():
        for attempt in (lambda: jt.open("json.nothing"), lambda: basic.lookup("nothing"),
                        lambda: basic.lookup("half", "nonsense(")):
            try: attempt()
            except jt.PluginError: continue
            raise AssertionError("it did not fail")
    repeats, warm_ups = 50, 30  # the caches of the import system fill slowly
    watched = []
elif kind == "variable":
    variable = data.lookup("wide", "int64_t")
    def succeed(): variable.value = big; variable.value
    def fail():
        try: variable.value = thing
        except TypeError: return
        raise AssertionError("it did not fail")
    watched = [big, thing]
elif kind == "from_pointer":
    address = basic.lookup("half", "double(double)").__self__.address
    def succeed(): jt.from_pointer(address, "double(double)", "half")(half)
    def fail():
        try: jt.from_pointer(address, "double(doubl)")
        except TypeError: return
        raise AssertionError("it did not fail")
    repeats = 1_000
    watched = [half, address]
else:
    plugin, name, signature, good, bad = KINDS[kind]
    function = plugin.lookup(name, signature)
    def succeed():
        if good is not None: function(*good)
    def fail():
        try: function(*bad)
        except Exception: return
        raise AssertionError("it did not fail")
    watched = [*(good or ()), *bad]

def run(step):
    for _ in range(repeats):
        step()

# Everybody shares the small ints.
watched = [one for one in watched if not (isinstance(one, int) and abs(one) < 1000)]
counts = lambda: [sys.getrefcount(one) for one in watched]
for step in (succeed, fail):
    for _ in range(warm_ups):  # caches fill, and the interpreter specialises
        run(step)
    gc.collect()
    before, blocks = counts(), sys.getallocatedblocks()
    for _ in range(rounds):
        run(step)
    gc.collect()
    grown = sys.getallocatedblocks() - blocks
    assert counts() == before, (step, before, counts())
    # A leak of one block every thousandth call would show; the interpreter's own few do not.
    assert grown < max(50, rounds * repeats // 1000), (step, grown)
"""

KINDS = [
    "void", "double", "two", "int", "nogil", "float", "bool", "string", "decoding", "buffer",
    "writable", "address", "object", "raising", "lost", "both", "generic", "generic raising",
    "generic numbers", "open and lookup", "variable", "from_pointer",
]  # fmt: skip


@pytest.mark.parametrize(
    "repeats", [pytest.param(3_000, id="quick"), pytest.param(50_000, id="full", marks=LONG)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_behind(
    compile_plugin: Compile, python_flags: list[str], run_python: Run, kind: str, repeats: int
) -> None:
    run_python(
        PROGRAM,
        compile_plugin("basic"),
        compile_plugin("objects", None, *python_flags),
        compile_plugin("data"),
        kind,
        repeats,
    )
