"""Interleaved timing: every contestant once per round, in a new order each round.

A machine's speed drifts while a benchmark runs. Contestants that take turns meet the same drift,
so ratios are taken within a round and summarised afterwards: what slows a whole round cancels.

All times are nanoseconds for one repetition of the statement, without the loop around it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from random import Random
from statistics import quantiles
from time import perf_counter_ns

__all__ = ["Contestant", "Measurement", "Spread", "Timing", "empty_loop", "measure", "statement"]

Clock = Callable[[], int]
Loop = Callable[[int], int]

# Many short turns: what interrupts the process then spoils few of them.
ROUNDS = 2_000
SLICE_NS = 100_000
MOST_LOOPS = 1 << 30


@dataclass(frozen=True)
class Contestant:
    """Something to time: ``loop(count)`` repeats it and returns the nanoseconds that took.

    ``overhead`` says that the loop is a Python ``for``, whose own cost is to be subtracted.
    """

    name: str
    loop: Loop
    overhead: bool = True


def statement(
    name: str,
    code: str,
    names: Mapping[str, object] | None = None,
    *,
    clock: Clock = perf_counter_ns,
) -> Contestant:
    """A contestant that repeats Python statements; ``names`` are what ``code`` refers to.

    The loop is a function of its own, so its inline caches are too, and ``names`` are its
    parameters: a global would add a look-up, a closure cell a lock on builds without a GIL.
    """
    values = dict(names or {})
    lines = [f"def loop({', '.join(['_repeat', '_clock', *values])}):", "    _start = _clock()"]
    lines += ["    for _ in _repeat:", *(f"        {line}" for line in code.splitlines())]
    lines += ["    return _clock() - _start"]
    namespace: dict[str, Callable[..., int]] = {}
    exec(compile("\n".join(lines), f"<timed: {name}>", "exec"), namespace)
    compiled = namespace["loop"]
    arguments = tuple(values.values())
    return Contestant(name, lambda count: compiled(repeat(None, count), clock, *arguments))


def empty_loop(clock: Clock = perf_counter_ns) -> Contestant:
    """The loop that `statement` makes, around nothing."""
    return statement("the empty loop", "pass", clock=clock)


@dataclass(frozen=True)
class Spread:
    """A sample's median and its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        sample = list(values)
        if len(sample) == 1:
            return cls(sample[0], sample[0], sample[0])
        low, middle, high = quantiles(sample, n=4, method="inclusive")
        return cls(middle, low, high)


@dataclass(frozen=True)
class Timing:
    """One contestant's times: ``raw_ns`` per round with its loop, ``loop_ns`` the empty loop's."""

    name: str
    loops: int
    raw_ns: tuple[float, ...]
    loop_ns: tuple[float, ...]

    @cached_property
    def ns(self) -> tuple[float, ...]:
        """Per round; of a statement cheaper than the clock can tell, 0 or a little below."""
        return tuple(raw - loop for raw, loop in zip(self.raw_ns, self.loop_ns, strict=True))

    @cached_property
    def spread(self) -> Spread:
        return Spread.of(self.ns)

    @cached_property
    def minimum(self) -> float:
        """The least of the rounds in which the empty loop was no slower than usual.

        A disturbed empty loop would make a difference too small.
        """
        usual = Spread.of(self.loop_ns).median
        pairs = zip(self.ns, self.loop_ns, strict=True)
        return min(own for own, loop in pairs if loop <= usual)


@dataclass(frozen=True)
class Measurement:
    """What `measure` found, by contestant's name."""

    timings: Mapping[str, Timing]
    rounds: int
    seed: int

    def __getitem__(self, name: str) -> Timing:
        return self.timings[name]

    def ratio(self, name: str, baseline: str) -> Spread:
        """How many times as long as the baseline: per round, then summarised."""
        pairs = zip(self.timings[name].ns, self.timings[baseline].ns, strict=True)
        # A baseline that costs nothing has no ratio; in a single round that is noise.
        ratios = [own / base for own, base in pairs if base > 0]
        return Spread.of(ratios) if ratios else Spread(float("nan"), float("nan"), float("nan"))


def measure(
    contestants: Iterable[Contestant],
    *,
    rounds: int = ROUNDS,
    slice_ns: int = SLICE_NS,
    seed: int = 0,
    empty: Contestant | None = None,
) -> Measurement:
    """Time all contestants, once per round each, in an order that ``seed`` shuffles.

    Each repeats its statement as often as fills ``slice_ns``, found out before the first round.
    Garbage collection is off meanwhile. Contestants run in the calling thread; an exception of
    one ends the measurement.
    """
    empty = empty or empty_loop()
    runners = [*contestants, empty]
    if len({runner.name for runner in runners}) < len(runners):
        raise ValueError(f"contestants share a name: {[runner.name for runner in runners]}")
    order = Random(seed)
    collected: dict[str, list[float]] = {runner.name: [] for runner in runners}
    with _no_garbage_collection():
        loops = {runner.name: calibrate(runner.loop, slice_ns) for runner in runners}
        for _ in range(rounds):
            for runner in order.sample(runners, len(runners)):
                count = loops[runner.name]
                collected[runner.name].append(runner.loop(count) / count)
    nothing = (0.0,) * rounds
    around = tuple(collected[empty.name])
    timings = {
        runner.name: Timing(
            runner.name,
            loops[runner.name],
            tuple(collected[runner.name]),
            around if runner.overhead else nothing,
        )
        for runner in runners[:-1]
    }
    return Measurement(timings, rounds, seed)


def calibrate(loop: Loop, slice_ns: int) -> int:
    """How many repetitions take about ``slice_ns``. Also warms up the code and its caches."""
    count = 1
    while count < MOST_LOOPS:
        elapsed = min(loop(count), loop(count))
        if elapsed >= slice_ns // 2:
            return max(1, round(count * slice_ns / max(elapsed, 1)))
        # A time too short to be trusted says only that more is needed.
        count *= 10 if elapsed * 20 < slice_ns else 2
    return MOST_LOOPS


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
