"""One process that looks symbols up: ``python growth.py WHO MEASURE LIBRARY``; prints JSON.

``time`` gives [symbols, nanoseconds per look-up] for each decade; ``tracemalloc``, or a field of
/proc/self/status, gives the bytes per symbol of the last decade.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns

__all__ = ["DECADES"]

DECADES = (100, 1_000, 10_000, 100_000)


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


def times(lookup: Callable[[str], object]) -> list[tuple[int, float]]:
    done, found = 0, []
    for decade in DECADES:
        names = [f"f{index}" for index in range(done, decade)]
        start = perf_counter_ns()
        for name in names:
            lookup(name)
        found.append((decade, (perf_counter_ns() - start) / len(names)))
        done = decade
    return found


def bytes_each(lookup: Callable[[str], object], measure: Callable[[], int]) -> float:
    first, last = DECADES[-2:]
    for index in range(first):
        lookup(f"f{index}")
    before = measure()
    for index in range(first, last):
        lookup(f"f{index}")
    return (measure() - before) / (last - first)


if __name__ == "__main__":
    who, what, path = sys.argv[1:]
    lookup = lookup_of(who, path)
    if what == "time":
        print(json.dumps(times(lookup)))
    else:
        measure = traced if what == "tracemalloc" else partial(status, what)
        print(json.dumps(bytes_each(lookup, measure)))
