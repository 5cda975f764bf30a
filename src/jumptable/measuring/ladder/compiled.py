"""Calls from C, with no interpreter: what a host in C pays for them; and the machine itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import perf_counter_ns

from ...binding.table import Table
from .. import loops
from ..results import Guide, Row, run_of
from ..timing import Contestant, Measurement
from .mathlibrary import FABS, math_library
from .rung import ARGUMENT, TRIED, Preparation, Rung, expect

__all__ = ["CROWD", "IN_C", "MACHINE", "YARDSTICK", "YARDSTICKS", "empty_loop", "timed",
           "yardstick_rows", "yardsticks"]  # fmt: skip

GROUP = "Calls from C"
ITSELF = "The machine itself"
YARDSTICK, CROWD = "a chain of multiplications", "six chains at once"
YARDSTICKS = (YARDSTICK, CROWD)
STEPS, CROWDED_STEPS = 80, 60


def timed(run: Callable[[int], object]) -> Callable[[int], int]:
    """How long a compiled loop takes; what Python adds is one call in 100,000 ns."""

    def loop(count: int) -> int:
        start = perf_counter_ns()
        run(count)
        return perf_counter_ns() - start

    return loop


@cache
def empty_loop() -> Contestant:
    return Contestant("the empty loop in C", timed(loops.empty))


def _calling(preparation: Preparation, run: Callable[[float, int], float]) -> Contestant:
    expect([run(TRIED, count) for count in (1, 2, 11)], [-TRIED] * 3)
    return Contestant(preparation.name, timed(lambda count: run(ARGUMENT, count)), empty_loop())


def _direct(preparation: Preparation) -> Contestant:
    return _calling(preparation, loops.direct)


def _pointer(preparation: Preparation) -> Contestant:
    address = math_library().lookup(*FABS).__self__.address
    return _calling(preparation, lambda x, count: loops.call(address, x, count))


def _slot(preparation: Preparation) -> Contestant:
    slot = _slot_address()
    return _calling(preparation, lambda x, count: loops.slot(slot, x, count))


@cache
def _slot_address() -> int:
    """Once: the table lives as long as the process."""
    table = Table(dict([FABS]))
    table.bind(math_library())
    return loops.slot_address(table, *FABS)


def _chain() -> Contestant:
    x = STEPS
    for _ in range(STEPS):
        x = (x * x + 1) % 2**64
    expect(loops.busy(STEPS, 2) % 2**64, x)
    return Contestant(YARDSTICK, timed(lambda count: loops.busy(STEPS, count)), empty_loop())


def _crowd() -> Contestant:
    chains = [CROWDED_STEPS + number for number in range(6)]
    for _ in range(CROWDED_STEPS):
        chains = [(x ^ (x >> 7 + 2 * number)) + 1 for number, x in enumerate(chains)]
    expect(loops.crowd(CROWDED_STEPS, 2), sum(chains))
    return Contestant(CROWD, timed(lambda count: loops.crowd(CROWDED_STEPS, count)), empty_loop())


def yardsticks() -> list[Contestant]:
    """What is measured along with anything that is to be compared with an older run."""
    return [_chain(), _crowd()]


def yardstick_rows(found: Measurement) -> list[Row]:
    """Their rows, if they were timed."""
    timings = [found.timings[name] for name in YARDSTICKS if name in found.timings]
    return [Row(timing.name, ITSELF, runs=(run_of(timing, found),)) for timing in timings]


IN_C = (
    Rung(
        "C: direct call",
        GROUP,
        "A C function that the compiler knows, and was told not to inline.",
        _direct,
        Guide("direct function call", 1, 1),
    ),
    Rung(
        "C: function pointer",
        GROUP,
        "The C library's fabs by way of a pointer that is read for each call.",
        _pointer,
    ),
    Rung(
        "C: slot of a table",
        GROUP,
        "The same function by way of jumptable/host.h: it can be swapped while it is called.",
        _slot,
        Guide("cached function value", 5, 5),
    ),
)

MACHINE = (
    Rung(
        CROWD,
        ITSELF,
        "A call that keeps every arithmetic unit of a core busy: the same work on every run, which "
        "takes longer when something else uses that core.",
        lambda preparation: _crowd(),
    ),
    Rung(
        YARDSTICK,
        ITSELF,
        f"A call that does {STEPS} multiplications, each of the last one's result: the same work "
        "on every run, so it tells a slower machine from slower code.",
        lambda preparation: _chain(),
    ),
)
