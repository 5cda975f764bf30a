"""Counters: an add from Python, and in C alone and beside another thread's.

Two threads that add to neighbouring words wait for each other's cache line; padded words keep them
apart. Both threads add in C; the other one, `Adder`, needs no GIL.
"""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns

from ...counting.counter import Counter
from .. import loops
from ..adding import Adder
from ..timing import Contestant, statement
from .compiled import empty_loop
from .rung import Preparation, Rung, UnavailableError, expect

__all__ = ["RUNGS", "Words", "pinned", "two_processors"]

GROUP = "Counters"
LINES = 128  # bytes: a pair of cache lines, or one of big arm64 cores
ONE_PROCESSOR = (
    "two threads need two processors, and there is one: "
    "run the bench where more are allowed (taskset, the container's limits)"
)
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


class Words:
    """Two ``int64_t`` a distance apart, the first of them at the start of a cache line.

    Whoever adds to them by address has to hold this too.
    """

    def __init__(self, distance: int) -> None:
        self._memory = array("q", bytes(4 * LINES))
        self._first = -self._memory.buffer_info()[0] % LINES // self._memory.itemsize
        self._second = self._first + distance // self._memory.itemsize

    @property
    def addresses(self) -> tuple[int, int]:
        start, size = self._memory.buffer_info()[0], self._memory.itemsize
        return start + size * self._first, start + size * self._second

    @property
    def values(self) -> tuple[int, int]:
        return self._memory[self._first], self._memory[self._second]


def _from_python(preparation: Preparation) -> Contestant:
    counter = Counter()
    counter.add()
    expect(counter.value, 1)
    return statement(preparation.name, "counter.add()", {"counter": counter})


def _alone(preparation: Preparation, distance: int) -> Contestant:
    words = Words(distance)

    def loop(count: int) -> int:
        own = words.addresses[1]
        start = perf_counter_ns()
        loops.add(own, count)
        return perf_counter_ns() - start

    loop(12)
    expect(words.values, (0, 12))
    return Contestant(preparation.name, loop, empty_loop())


def _padded(preparation: Preparation) -> Contestant:
    return _alone(preparation, LINES)


def _unpadded(preparation: Preparation) -> Contestant:
    return _alone(preparation, 8)


def _beside(preparation: Preparation, distance: int) -> Contestant:
    here, there = two_processors()
    words = Words(distance)
    adder = Adder()
    begun = threading.Event()
    refused: list[OSError] = []

    def run() -> None:
        try:
            with pinned(there):
                begun.set()
                adder.run()
        except OSError as error:
            refused.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=run, name=f"jumptable bench: {preparation.name}", daemon=True)
    thread.start()
    preparation.closing.callback(thread.join)
    preparation.closing.callback(adder.close)
    begun.wait()
    if refused:  # nobody would ever answer `begin`
        raise UnavailableError(f"a thread cannot be kept on processor {there}: {refused[0]}")

    def loop(count: int) -> int:
        own, others = words.addresses
        with pinned(here):
            adder.begin(others)
            try:
                start = perf_counter_ns()
                loops.add(own, count)
                return perf_counter_ns() - start
            finally:
                adder.end()

    loop(12)
    expect((words.values[0], words.values[1] > 0), (12, True))
    return Contestant(preparation.name, loop, empty_loop())


def _two_padded(preparation: Preparation) -> Contestant:
    return _beside(preparation, LINES)


def _two_unpadded(preparation: Preparation) -> Contestant:
    return _beside(preparation, 8)


def two_processors() -> tuple[int | None, int | None]:
    """One for each thread, in different cores if there are; None: threads cannot be told."""
    if not hasattr(os, "sched_getaffinity"):
        if (os.cpu_count() or 1) < 2:
            raise UnavailableError(ONE_PROCESSOR)
        return None, None
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise UnavailableError(ONE_PROCESSOR)
    siblings = _same_core(first)
    return first, next((one for one in others if one not in siblings), others[0])


def _same_core(processor: int) -> set[int]:
    """Those that share their caches with a processor, as far as the system says."""
    try:
        with open(SIBLINGS.format(processor), encoding="ascii") as file:
            parts = [part.split("-") for part in file.read().strip().split(",")]
        return {number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)}
    except (OSError, ValueError):
        return {processor}


@contextmanager
def pinned(processor: int | None) -> Iterator[None]:
    """Keep the calling thread on a processor meanwhile."""
    if processor is None:
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {processor})
        yield
    finally:
        os.sched_setaffinity(0, before)


RUNGS = (
    Rung("counter.add()", GROUP, "jumptable.Counter.add(), called from Python.", _from_python),
    Rung(
        "C: add, padded",
        GROUP,
        "An atomic add in C to a word with 128 bytes to itself.",
        _padded,
    ),
    Rung(
        "C: add, unpadded",
        GROUP,
        "The same to a word that has a neighbour, which nobody uses now.",
        _unpadded,
    ),
    Rung(
        "C: two threads add, padded",
        GROUP,
        "The same while another processor adds to a word 128 bytes away.",
        _two_padded,
    ),
    Rung(
        "C: two threads add, unpadded",
        GROUP,
        "The same while another processor adds to the word beside it, 8 bytes away.",
        _two_unpadded,
    ),
)
