"""Collect garbage after opening, so that things settle."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter_ns

from ...loading.registry import open as open_plugin
from ..ladder.mathlibrary import FABS, math_library
from ..ladder.rung import ARGUMENT
from ..results import Trial
from ..timing import UNROLLED, Spread, statement
from ..wording import duration, ratio
from .compiling import some_library
from .trying import Maker, Trying, changed, compared

__all__ = ["EXPERIMENT", "verdict"]

OPEN, COLLECT = "first jt.open", "gc.collect() after it"
CALL, SETTLED = "a call", "a call after gc.collect()"
MOST_COLLECTIONS = 40  # of tens of milliseconds each, in a large process


def _try_out(trying: Trying) -> tuple[Sequence[Trial], str]:
    library = some_library(trying)
    opened, collected = [], []
    for number in range(trying.copies):
        path = trying.fresh(library, number)
        start = perf_counter_ns()
        open_plugin(path)
        middle = perf_counter_ns()
        gc.collect()
        opened.append(middle - start)
        collected.append(perf_counter_ns() - middle)
    call = statement(CALL, "f(x)", {"f": math_library().lookup(*FABS), "x": ARGUMENT})
    few = replace(trying, rounds=min(trying.rounds, MOST_COLLECTIONS))
    settled = replace(call, name=SETTLED, loop=_collecting(call.loop), most=few.rounds)
    calls = few.measured([call, settled])
    found = {OPEN: Spread.of(opened), COLLECT: Spread.of(collected), **calls}
    return [Trial(name, spread) for name, spread in found.items()], verdict(
        found[OPEN], found[COLLECT], found[CALL], found[SETTLED]
    )


def _collecting(loop: Callable[[int], int]) -> Callable[[int], int]:
    def collecting(count: int) -> int:
        gc.collect()
        loop(UNROLLED)  # as `measure` warms up the other one
        return loop(count)

    return collecting


def verdict(opened: Spread, collected: Spread, before: Spread, after: Spread) -> str:
    share = collected.median / opened.median if opened.median else 0.0
    if share >= 1:
        beside = f"{ratio(share)} times as long as the open"
    else:
        beside = f"{share:.0%} of what the open takes"
    calls = {-1: "calls are faster after it", 0: "calls are no faster after it",
             1: "calls are slower after it"}[compared(before, after)]  # fmt: skip
    return (
        f"gc.collect() takes {duration(collected.median)}, {beside}, and {calls}: "
        f"{changed(before, after)}."
    )


EXPERIMENT = Maker("Call gc.collect() after opening", _try_out)
