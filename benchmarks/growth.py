"""One process that looks symbols up: ``python growth.py WHO MEASURE LIBRARY COUNT``; prints JSON.

``time`` gives [symbols, nanoseconds per look-up] for each decade up to COUNT; ``tracemalloc``, or a
field of /proc/self/status, gives the bytes per symbol of the last decade.

With ``table`` for WHO it makes one table: ``python growth.py table MEASURE SLOTS LIBRARY HOST``.
``time`` gives the nanoseconds per slot of each step, the others the bytes per slot. HOST is the C
host of bench_slot.py, which asks for every slot; if it is empty, those steps are left out.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter_ns
from types import ModuleType

__all__ = ["decades"]


def decades(count: int) -> tuple[int, ...]:
    """The last four up to ``count``."""
    return (count // 1_000, count // 100, count // 10, count)


def lookup_of(who: str, path: str) -> Callable[[str], object]:
    """What resolves a name into a typed function, and keeps it."""
    if who == "jumptable":
        import jumptable

        lookup = jumptable.open(path).lookup
        return lambda name: lookup(name, "double(double)")
    import ctypes

    library, double = ctypes.CDLL(path), ctypes.c_double

    def typed(name: str) -> object:
        function = getattr(library, name)
        function.argtypes, function.restype = (double,), double
        return function

    return typed


def status(field: str) -> int:
    """Bytes, from Linux's account of this process."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def traced() -> int:
    import tracemalloc

    if not tracemalloc.is_tracing():
        tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]


def times(lookup: Callable[[str], object], count: int) -> list[tuple[int, float]]:
    done, found = 0, []
    for decade in decades(count):
        names = [f"f{index}" for index in range(done, decade)]
        start = perf_counter_ns()
        for name in names:
            lookup(name)
        found.append((decade, (perf_counter_ns() - start) / len(names)))
        done = decade
    return found


def bytes_each(lookup: Callable[[str], object], measure: Callable[[], int], count: int) -> float:
    *_, first, last = decades(count)
    for index in range(first):
        lookup(f"f{index}")
    before = measure()
    for index in range(first, last):
        lookup(f"f{index}")
    return (measure() - before) / (last - first)


def identity(x: float) -> float:
    return x


def steps(slots: int, path: str, host: str) -> Iterator[str]:
    """Do with a table what is to be measured; yields what was just done."""
    import jumptable

    plugin, signature = jumptable.open(path), "double(double)"
    # What is given to the table is not the table's own: names, functions, imported modules.
    spec = dict.fromkeys([f"f{index}" for index in range(slots)], signature)
    native = {name: plugin.lookup(name, signature) for name in spec}
    python = dict.fromkeys(spec, identity)
    ask = loaded(host).get_slot if host else None
    warm = jumptable.Table({"f": signature})
    warm.bind({"f": identity})
    if ask is not None:
        ask(warm, "f", signature)
    yield ""
    table = jumptable.Table(spec)
    yield "made"
    table.bind(native)
    yield "bound"
    table.bind(python)
    yield "swapped"
    table.bind(native)
    yield "swapped back"
    if ask is not None:
        for name in spec:
            ask(table, name, signature)
        yield "C asks for all"
        table.bind(native)
        yield "C and Python swapped"
        table.bind(python)
        yield "C calls Python"


def without_garbage(measure: Callable[[], int]) -> int:
    gc.collect()
    return measure()


def loaded(host: str) -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location("host", host)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def each_step(slots: int, path: str, host: str, measure: Callable[[], int]) -> dict[str, float]:
    found, taken = {}, 0
    # As in jumptable.measuring.timing: when it comes, and how long it takes, depends on all else.
    gc.disable()
    for done in steps(slots, path, host):
        if done:
            found[done] = (measure() - taken) / slots
        taken = measure()
    return found


if __name__ == "__main__" and sys.argv[1] == "table":
    what, slots, path, host = sys.argv[2:]
    kept = traced if what == "tracemalloc" else partial(status, what)
    measure = perf_counter_ns if what == "time" else partial(without_garbage, kept)
    print(json.dumps(each_step(int(slots), path, host, measure)))
elif __name__ == "__main__":
    who, what, path, last = sys.argv[1:]
    lookup = lookup_of(who, path)
    if what == "time":
        print(json.dumps(times(lookup, int(last))))
    else:
        measure = traced if what == "tracemalloc" else partial(status, what)
        print(json.dumps(bytes_each(lookup, measure, int(last))))
