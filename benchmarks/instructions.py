"""What bench_instructions.py counts: ``valgrind ... python instructions.py LIBRARY`` runs it all.

Each row runs a few times and then many times. Before and after, this asks for its parent process:
there callgrind writes down how many instructions there were since the last time.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import math
import os
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter_ns

import jumptable
import jumptable.functools
from hookcalls import Hook, Impl
from jumptable.measuring import loops
from jumptable.measuring.timing import Contestant, statement

__all__ = ["MARKER", "REPLACED", "counts", "everything", "rows"]

# A function of the C library that nobody calls but `os.getppid`, and that only for this.
MARKER = "getppid"
FEW, MANY, MANY_IN_C = 1_000, 3_000, 101_000
SIGNATURE = "double(double)"
IN_C = "C: "
# What is compiled, and what it replaces.
REPLACED = {
    "jumptable: hook.h(a0=a0)": "pluggy: hook.h(a0=a0)",
    "jumptable: singledispatch": "functools: singledispatch",
}


def empty(count: int) -> int:
    start = perf_counter_ns()
    loops.empty(count)
    return perf_counter_ns() - start


EMPTY_IN_C = Contestant("C: the empty loop", empty)


def in_c(name: str, run: Callable[[int], object]) -> Contestant:
    def loop(count: int) -> int:
        start = perf_counter_ns()
        run(count)
        return perf_counter_ns() - start

    return Contestant(f"{IN_C}{name}", loop, EMPTY_IN_C)


def counts(name: str) -> tuple[int, int]:
    """How often a row runs: what it takes beyond the fewer times is that many calls."""
    return FEW, MANY_IN_C if name.startswith(IN_C) else MANY


def rows(library: str) -> tuple[list[Contestant], dict[str, str]]:
    """What is counted and timed, and what is missing, with the reason."""
    half = jumptable.open(library).lookup("half", SIGNATURE)
    table = jumptable.Table({"half": SIGNATURE})
    table.bind(jumptable.open(library))
    counter = jumptable.Counter()
    address, slot = half.__self__.address, loops.slot_address(table, "half", SIGNATURE)
    theirs = ctypes.CDLL(library).half
    theirs.argtypes, theirs.restype = [ctypes.c_double], ctypes.c_double
    missing = {}
    found = [
        in_c("a direct call", lambda count: loops.direct(1.5, count)),
        in_c("by a function pointer", lambda count: loops.call(address, 1.5, count)),
        in_c("by a slot", lambda count: loops.slot(slot, 1.5, count)),
        in_c("one more in a counter", lambda count: loops.add(counter.address, count)),
        statement("math.fabs(x)", "f(x)", {"f": math.fabs, "x": 1.5}),
        statement("jumptable: half(x)", "f(x)", {"f": half, "x": 1.5}),
        statement("ctypes: half(x)", "f(x)", {"f": theirs, "x": 1.5}),
    ]
    try:
        ffi = import_module("cffi").FFI()
        ffi.cdef("double half(double);")
        values = {"f": ffi.dlopen(library).half, "x": 1.5}
        found.append(statement("cffi, ABI: half(x)", "f(x)", values))
    except ImportError:
        missing["cffi, ABI: half(x)"] = "cffi is not installed"
    hook = Hook([Impl()])
    for who, manager in (("pluggy", hook.stock), ("jumptable", hook.accelerated)):
        values = {"hook": manager.hook, "a0": 1}
        found.append(statement(f"{who}: hook.h(a0=a0)", "hook.h(a0=a0)", values))
    for module in (functools, jumptable.functools):
        generic = module.singledispatch(lambda x: "object")
        generic.register(int, lambda x: "int")
        who = module.__name__.partition(".")[0]
        found.append(statement(f"{who}: singledispatch", "f(x)", {"f": generic, "x": 1}))
    return found, missing


def everything(found: list[Contestant]) -> list[Contestant]:
    """The rows, and what is to be subtracted from them, in the order in which they run."""
    return list({one.name: one for row in found for one in (row.empty, row) if one}.values())


if __name__ == "__main__":
    made, _ = rows(sys.argv[1])
    gc.collect()
    gc.disable()
    for contestant in everything(made):
        few, many = counts(contestant.name)
        contestant.loop(few)  # what is specialised is, and what is looked up once has been
        for count in (few, many):
            os.getppid()
            contestant.loop(count)
        os.getppid()
