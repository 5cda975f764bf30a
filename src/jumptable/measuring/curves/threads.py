"""Threads that add in C at the same time: to one word, to neighbours, and to words far apart.

The thread that is timed is one of them; the others are `Adder`, which need no GIL. Each thread is
kept on a processor of its own where threads can be.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from time import perf_counter_ns

from .. import loops
from ..adding import Adder
from ..ladder.compiled import empty_loop
from ..ladder.counting import LINES, pinned
from ..timing import Contestant
from .maker import Maker, Point, told

__all__ = ["CURVE", "counts"]

MOST = 16
WORD = 8
DISTANCES = {"one word for all": 0, "words side by side": WORD, "padded words": LINES}


def processors() -> list[int | None]:
    """One for each thread; None: a thread cannot be told where to run."""
    if hasattr(os, "sched_getaffinity"):
        return [*sorted(os.sched_getaffinity(0))]
    return [None] * (os.cpu_count() or 1)


def counts(most: int) -> list[int]:
    """1, 2, 4 and so on, and what there is."""
    most = min(most, MOST)
    return [*(1 << power for power in range(MOST.bit_length()) if 1 << power < most), most]


class Words:
    """``count`` of them, at a distance from each other, and from whatever else there is."""

    def __init__(self, count: int, distance: int) -> None:
        self._memory = array("q", bytes(LINES * (count + 3)))
        start = self._memory.buffer_info()[0]
        first = start + LINES - start % LINES
        self.addresses = [first + number * distance for number in range(count)]

    @property
    def total(self) -> int:
        return sum(self._memory)


class Others:
    """Threads that add while a turn lasts."""

    def __init__(self, closing: ExitStack, where: list[int | None]) -> None:
        self.adders = [Adder() for _ in where]
        for adder, processor in zip(self.adders, where, strict=True):
            thread = threading.Thread(
                target=_run, args=(adder, processor), name="jumptable bench: adds", daemon=True
            )
            thread.start()
            closing.callback(thread.join)
            closing.callback(adder.close)

    def while_they_add(self, words: Words, run: Callable[[], int]) -> int:
        begun: list[Adder] = []
        try:
            for adder, address in zip(self.adders, words.addresses[1:], strict=True):
                adder.begin(address)
                begun.append(adder)
            return run()
        finally:
            for adder in begun:
                adder.end()


def _run(adder: Adder, processor: int | None) -> None:
    with ExitStack() as kept:
        with suppress(OSError):  # who waits for this thread waits for good, should it not run
            kept.enter_context(pinned(processor))
        adder.run()


def _adding(name: str, words: Words, others: Others, here: int | None) -> Contestant:
    own = words.addresses[0]

    def loop(count: int) -> int:
        def run() -> int:
            start = perf_counter_ns()
            loops.add(own, count)
            return perf_counter_ns() - start

        with pinned(here):
            return others.while_they_add(words, run)

    loop(12)
    if words.total < 12:
        raise ValueError(f"of 12 adds and those of other threads {words.total} were counted")
    return Contestant(name, loop, empty_loop())


def _points(closing: ExitStack) -> Iterator[Point]:
    here, *there = processors()
    for count in counts(1 + len(there)):
        others = Others(closing, there[: count - 1])
        for series, distance in DISTANCES.items():
            words = Words(count, distance)
            name = told(series, count)
            yield Point(series, count, _adding(name, words, others, here))


CURVE = Maker(
    "Threads that add at once",
    "Each thread adds to a word, in C and without the GIL. Who shares a cache line waits for it; "
    "128 bytes apart, nobody does.",
    "threads",
    "ns per add, in each thread",
    _points,
    rounds=200,
)
