"""Map the file before the loader does."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from time import perf_counter_ns

from ...loading.registry import open as open_plugin
from ..results import Trial
from ..timing import Spread
from .compiling import some_library
from .trying import Maker, Trying, changed, compared

__all__ = ["EXPERIMENT", "verdict"]

ALONE, MAPPED, PART = "first jt.open", "map and read, then jt.open", "of which jt.open"


def _try_out(trying: Trying) -> tuple[Sequence[Trial], str]:
    library = some_library(trying)
    times: dict[str, list[float]] = {ALONE: [], MAPPED: [], PART: []}
    for number in range(-1, trying.copies):
        alone, mapped = (trying.fresh(library, 2 * (number + 1) + which) for which in (0, 1))
        # Whoever comes first finds other things in the processor's caches.
        if number % 2:
            plain, (whole, part) = _open(alone), _map_and_open(mapped)
        else:
            (whole, part), plain = _map_and_open(mapped), _open(alone)
        if number >= 0:  # the first ones warm up
            for name, value in ((ALONE, plain), (MAPPED, whole), (PART, part)):
                times[name].append(value)
    found = {name: Spread.of(values) for name, values in times.items()}
    return [Trial(name, spread) for name, spread in found.items()], verdict(
        found[ALONE], found[MAPPED]
    )


def _open(path: str) -> int:
    start = perf_counter_ns()
    open_plugin(path)
    return perf_counter_ns() - start


def _map_and_open(path: str) -> tuple[int, int]:
    start = perf_counter_ns()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped[:: mmap.PAGESIZE]
        middle = perf_counter_ns()
        open_plugin(path)
        end = perf_counter_ns()
    return end - start, end - middle


def verdict(alone: Spread, mapped: Spread) -> str:
    takes = f"a first open takes {changed(alone, mapped)}"
    return {
        -1: f"Mapping the file first pays here: {takes}.",
        0: f"Mapping the file first makes no difference that stands out: {takes}.",
        1: f"Mapping the file first only adds to it: {takes}, since the loader maps it anyway.",
    }[compared(alone, mapped)]


EXPERIMENT = Maker("Map the file yourself first", _try_out)
