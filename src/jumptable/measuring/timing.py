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
from itertools import pairwise, repeat
from math import nan
from random import Random
from statistics import quantiles
from threading import Lock
from time import perf_counter_ns

__all__ = ["Contestant", "Measurement", "Spread", "Timing", "empty_loop", "measure", "statement"]

Clock = Callable[[], int]
Loop = Callable[[int], int]

# Many short turns: what interrupts the process then spoils few of them.
ROUNDS = 2_000
SLICE_NS = 100_000
MOST_LOOPS = 1 << 30
# So many calls warm up what is to be timed, if they do not take as many slices.
WARM_UP = 10
# Of so many rounds, for a median that says something, where there are more than so few stretches of
# them; and the more of these, the less of what is measured is lost where a neighbour spoils some.
STRETCH, FEW_STRETCHES, MOST_STRETCHES = 15, 20, 100


# Copies of the statement per turn of the loop, so that the loop's own cost, and what is uncertain
# about it, is a tenth of what it would be.
UNROLLED = 10


@dataclass(frozen=True)
class Contestant:
    """Something to time: ``loop(count)`` repeats it and returns the nanoseconds that took.

    ``empty`` is the same loop around nothing: what it costs is subtracted. ``most`` is in how many
    rounds at most it takes part, for what takes long or cannot be repeated at will; nothing is
    called to warm that up.
    """

    name: str
    loop: Loop
    empty: Contestant | None = None
    most: int | None = None


def statement(
    name: str,
    code: str,
    names: Mapping[str, object] | None = None,
    *,
    clock: Clock = perf_counter_ns,
    most: int | None = None,
) -> Contestant:
    """A contestant that repeats Python statements; ``names`` are what ``code`` refers to.

    The loop is a function of its own, so its inline caches are too, and ``names`` are its
    parameters: a global would add a look-up, a closure cell a lock on builds without a GIL.

    The loop is Python's, not C's, since it is the interpreter's own instructions that a host's
    call is made of; it is unrolled so that what is left of it counts for less than 1 ns.
    """
    loop = _python_loop(name, code, names or {}, clock)
    return Contestant(name, loop, empty_loop(clock), most)


def empty_loop(clock: Clock = perf_counter_ns) -> Contestant:
    """The loop that `statement` makes, around nothing."""
    return Contestant("the empty loop", _python_loop("the empty loop", "pass", {}, clock))


def _python_loop(name: str, code: str, names: Mapping[str, object], clock: Clock) -> Loop:
    body = [f"        {line}" for line in code.splitlines()]
    lines = [
        f"def loop({', '.join(['_turns', '_rest', '_clock', *names])}):",
        "    _start = _clock()",
        "    for _ in _turns:",
        *body * UNROLLED,
        "    for _ in _rest:",
        *body,
        "    return _clock() - _start",
    ]
    namespace: dict[str, Callable[..., int]] = {}
    exec(compile("\n".join(lines), f"<timed: {name}>", "exec"), namespace)
    compiled = namespace["loop"]
    arguments = tuple(names.values())

    def loop(count: int) -> int:
        turns, rest = divmod(count, UNROLLED)
        return compiled(repeat(None, turns), repeat(None, rest), clock, *arguments)

    return loop


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
    """One contestant's times: ``raw_ns`` per round with its loop, ``loop_ns`` the empty loop's.

    ``rounds`` are the numbers of the rounds that it took part in; None: in all.
    """

    name: str
    loops: int
    raw_ns: tuple[float, ...]
    loop_ns: tuple[float, ...]
    rounds: tuple[int, ...] | None = None

    @cached_property
    def ns(self) -> tuple[float, ...]:
        """Per round. Never below zero: what is cheaper than the clock can tell costs 0."""
        pairs = zip(self.raw_ns, self.loop_ns, strict=True)
        return tuple(max(0.0, raw - loop) for raw, loop in pairs)

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

    @cached_property
    def stretches(self) -> tuple[tuple[float, ...], ...]:
        """`ns` in up to 100 stretches of successive rounds: how it went while time passed."""
        count = min(max(FEW_STRETCHES, len(self.ns) // STRETCH), MOST_STRETCHES, len(self.ns))
        edges = [len(self.ns) * index // count for index in range(count + 1)]
        return tuple(self.ns[low:high] for low, high in pairwise(edges))

    def by_round(self) -> dict[int, float]:
        rounds = range(len(self.ns)) if self.rounds is None else self.rounds
        return dict(zip(rounds, self.ns, strict=True))


@dataclass(frozen=True)
class Measurement:
    """What `measure` found, by contestant's name."""

    timings: Mapping[str, Timing]
    rounds: int
    seed: int

    def __getitem__(self, name: str) -> Timing:
        return self.timings[name]

    def ratios(self, name: str, baseline: str) -> list[float]:
        """How many times as long as the baseline, in each round that both took part in."""
        bases = self.timings[baseline].by_round()
        own = self.timings[name].by_round()
        # A baseline that costs nothing has no ratio; in a single round that is noise.
        return [ns / bases[number] for number, ns in own.items() if bases.get(number, 0) > 0]

    def ratio(self, name: str, baseline: str) -> Spread:
        """The same, summarised."""
        ratios = self.ratios(name, baseline)
        return Spread.of(ratios) if ratios else Spread(nan, nan, nan)


def measure(
    contestants: Iterable[Contestant],
    *,
    rounds: int = ROUNDS,
    slice_ns: int = SLICE_NS,
    seed: int = 0,
    go_on: Callable[[int, int], bool] = lambda done, rounds: True,
) -> Measurement:
    """Time all contestants, once per round each, in an order that ``seed`` shuffles.

    Each repeats its statement as often as fills ``slice_ns``, found out before the first round, and
    begins its turn with some that are not timed, unless it takes more than ten slices.
    Garbage collection is off meanwhile. Contestants run in the calling thread; an exception of
    one ends the measurement. ``go_on(done, rounds)`` is asked before each round; where it says no,
    what was measured so far is the result, in which nothing is timed if there was no round.
    """
    entered = list(contestants)
    empties = {one.empty.name: one.empty for one in entered if one.empty is not None}
    runners = [*entered, *empties.values()]
    if len({runner.name for runner in runners}) < len(runners):
        raise ValueError(f"contestants share a name: {[runner.name for runner in runners]}")
    order = Random(seed)
    collected: dict[str, dict[int, float]] = {runner.name: {} for runner in runners}
    latest: dict[str, int] = {}
    done = 0
    with _no_garbage_collection():
        loops = {}
        for runner in runners:
            if not go_on(0, rounds):
                return Measurement({}, 0, seed)
            again = 0 if runner.most is not None else WARM_UP
            loops[runner.name] = calibrate(runner.loop, slice_ns, again)
        while done < rounds and go_on(done, rounds):
            for runner in order.sample(runners, len(runners)):
                if _takes_part(runner, done, rounds):
                    count = loops[runner.name]
                    # The others had the caches meanwhile.
                    if runner.most is None and latest.get(runner.name, 0) < WARM_UP * slice_ns:
                        runner.loop(min(count, UNROLLED))
                    latest[runner.name] = runner.loop(count)
                    collected[runner.name][done] = latest[runner.name] / count
            done += 1
    timings = {}
    for runner in entered if done else ():
        own = collected[runner.name]
        around = collected[runner.empty.name] if runner.empty else dict.fromkeys(own, 0.0)
        timings[runner.name] = Timing(
            runner.name,
            loops[runner.name],
            tuple(own.values()),
            tuple(around[number] for number in own),
            tuple(own),
        )
    return Measurement(timings, done, seed)


def _takes_part(runner: Contestant, number: int, rounds: int) -> bool:
    """Those that take part in some rounds only do so in the first, and then at equal distances."""
    if runner.most is None or runner.most >= rounds:
        return True
    return number == 0 or number * runner.most // rounds > (number - 1) * runner.most // rounds


def calibrate(loop: Loop, slice_ns: int, warm_up: int = WARM_UP) -> int:
    """How many repetitions take about ``slice_ns``. Also warms up the code and its caches."""
    count, elapsed = 1, min(_first_calls(loop, warm_up * slice_ns, warm_up))
    while elapsed < slice_ns // 2:
        # A time too short to be trusted says only that more is needed.
        count *= 10 if elapsed * 20 < slice_ns else 2
        if count >= MOST_LOOPS:
            return MOST_LOOPS
        elapsed = min(loop(count), loop(count))
    return max(1, round(count * slice_ns / max(elapsed, 1)))


def _first_calls(loop: Loop, budget_ns: int, most: int) -> Iterator[int]:
    """Twice at least: what was never called takes several times as long as later."""
    start = perf_counter_ns()
    for number in range(max(2, most)):
        if number < 2 or perf_counter_ns() - start < budget_ns:
            yield loop(1)


# How many measurements of any threads are under way, and whether the collector was on before.
_collector = Lock()
_measuring, _was_enabled = 0, False


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    global _measuring, _was_enabled
    gc.collect()
    with _collector:
        if _measuring == 0:
            _was_enabled = gc.isenabled()
        _measuring += 1
        gc.disable()
    try:
        yield
    finally:
        with _collector:
            _measuring -= 1
            if _measuring == 0 and _was_enabled:
                gc.enable()
