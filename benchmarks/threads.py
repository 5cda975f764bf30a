"""The same work in one thread and in two at once, in turns: how much more do two get done?

Both threads live as long as the measurement, each on a processor of its own where they can be
told to. A turn is a stretch of time that is agreed upon before it begins: whoever runs waits for
its start, and counts what it gets done until its end. So all that is counted was done while the
other thread ran too. A thread that comes too late spoils the turn, which is then repeated.

With a GIL, threads that need it cannot run at once, and one waits for milliseconds until the other
gives it up. Their turns are longer, and may begin late.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from random import Random
from time import perf_counter_ns
from typing import Any

from jumptable.measuring.timing import Spread
from saving import Times

__all__ = [
    "REGISTERS",
    "Scaling",
    "Work",
    "free_threaded",
    "in_c",
    "in_registers",
    "in_threads",
    "no_conclusion",
    "repeated",
    "times_of",
    "turns",
]

Clock = Callable[[], int]
# (start, end) -> repetitions in between, or -1.0: too late.
Run = Callable[[int, int], float]

TURN_NS = 1_000_000
GIL_TURN_NS = 40_000_000
LEAD_NS = 200_000
MOST_LEAD_NS = 100_000_000
TRIES = 50
# Per iteration of the loop, whose own cost then hardly counts.
UNROLLED = 10
# Repetitions between two looks at the clock.
STRETCH = 50 * UNROLLED


# A turn is ten times as long as one thread's elsewhere, or 400 times, where threads wait for a GIL.
FEWER, FEWER_WITH_GIL = 10, 100
LEAST_ROUNDS = 5


def turns(rounds: int, *, at_once: bool) -> int:
    """How many rounds of long turns there are for so many of short ones.

    A single round is there to see that all of it runs, and one is then enough.
    """
    if rounds == 1:
        return 1
    return max(LEAST_ROUNDS, rounds // (FEWER if at_once else FEWER_WITH_GIL))


def free_threaded() -> bool:
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


@dataclass(frozen=True)
class Work:
    """What two threads do, ``runs[0]`` and ``runs[1]``; often the same."""

    name: str
    runs: tuple[Run, Run]
    clock: Clock = perf_counter_ns
    needs_gil: bool = True

    @property
    def at_once(self) -> bool:
        return not self.needs_gil or free_threaded()


@dataclass(frozen=True)
class Scaling:
    """Nanoseconds per repetition of each thread alone, and of both at once, by round."""

    name: str
    alone: list[tuple[float, float]] = field(default_factory=list)
    together: list[tuple[float, float]] = field(default_factory=list)

    @property
    def alone_ns(self) -> list[float]:
        """Of one thread: the mean of both, whose processors may differ."""
        return [mean(pair) for pair in self.alone]

    @property
    def together_ns(self) -> list[float]:
        """Of one of two threads."""
        return [mean(pair) for pair in self.together]

    @property
    def slowdown(self) -> Spread:
        """How many times as long a repetition takes while the other thread runs."""
        pairs = zip(self.alone_ns, self.together_ns, strict=True)
        return Spread.of(together / alone for alone, together in pairs)

    @property
    def throughput(self) -> Spread:
        """How many times as much two threads get done."""
        pairs = zip(self.alone_ns, self.together_ns, strict=True)
        return Spread.of(2 * alone / together for alone, together in pairs)


def mean(pair: tuple[float, float]) -> float:
    """Of two costs, the one that gives the same throughput."""
    return 2 / (1 / pair[0] + 1 / pair[1])


def repeated(name: str, code: str, names: Mapping[str, object], setup: str = "") -> Work:
    """Python code that both threads run: one function, which gets ``names`` as arguments.

    As parameters: a closure cell is a lock on builds without a GIL. Constants belong into the code:
    a float that is passed has a reference count, which both would write.
    """
    lines = [f"def loop({', '.join(['_start', '_end', '_clock', '_late', '_stretch', *names])}):"]
    lines += [f"    {line}" for line in setup.splitlines()]
    lines += ["    _after = _clock()", "    if _after > _start and not _late:"]
    lines += ["        return -1.0", "    while _after < _start:", "        _after = _clock()"]
    lines += ["    _done = 0", "    while True:", "        _before = _after"]
    lines += ["        for _ in range(_stretch):"]
    lines += [f"            {line}" for line in code.splitlines()] * UNROLLED
    lines += ["        _after = _clock()", "        if _after >= _end:", "            break"]
    lines += ["        _done += 1"]
    lines += ["    _part = max(0, _end - _before) / (_after - _before)"]
    lines += [f"    return (_done + _part) * _stretch * {UNROLLED}"]
    namespace: dict[str, Any] = {}
    # Not by way of compile(): constants of what that makes are counted, those of modules are not.
    exec("\n".join(lines), namespace)
    loop, arguments = namespace["loop"], tuple(names.values())
    late, stretch = not free_threaded(), STRETCH // UNROLLED

    def run(start: int, end: int) -> float:
        return float(loop(start, end, perf_counter_ns, late, stretch, *arguments))

    return Work(name, (run, run))


class Thread:
    """A thread that does turns on request, and is pinned where that can be done."""

    def __init__(self, processor: int | None) -> None:
        self.requests: SimpleQueue[tuple[Run, int, int] | None] = SimpleQueue()
        self.answers: SimpleQueue[float | BaseException] = SimpleQueue()
        self.processor = processor
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        if self.processor is not None:
            os.sched_setaffinity(threading.get_native_id(), {self.processor})
        while (request := self.requests.get()) is not None:
            run, start, end = request
            try:
                self.answers.put(run(start, end))
            except BaseException as error:
                self.answers.put(error)

    def answer(self) -> float:
        found = self.answers.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def end(self) -> None:
        self.requests.put(None)
        self.thread.join()


def processors() -> list[int | None]:
    """Two to pin threads to; None for each where threads cannot be pinned, or there is one."""
    if not hasattr(os, "sched_setaffinity"):
        return [None, None]
    allowed = sorted(os.sched_getaffinity(0))
    return [*allowed[:2]] if len(allowed) > 1 else [None, None]


def turn(work: Work, threads: Sequence[tuple[Thread, Run]]) -> list[float]:
    """Nanoseconds per repetition of each thread, all at once."""
    length = TURN_NS if work.at_once else GIL_TURN_NS
    lead = LEAD_NS
    for _ in range(TRIES):
        start = work.clock() + lead
        end = start + length
        for thread, run in threads:
            thread.requests.put((run, start, end))
        done = [thread.answer() for thread, _ in threads]
        if min(done) >= 0:
            # A thread that got no turn at all, behind a GIL, has an unknown cost.
            return [length / max(count, 1e-9) for count in done]
        lead = min(2 * lead, MOST_LEAD_NS)
    raise RuntimeError(f"{work.name}: two threads never began at the same time")


def in_threads(works: Iterable[Work], *, rounds: int, seed: int = 0) -> dict[str, Scaling]:
    """Each once per round, in an order that is shuffled: one thread, the other, both."""
    works = list(works)
    found = {work.name: Scaling(work.name) for work in works}
    if len(found) < len(works):
        raise ValueError(f"works share a name: {[work.name for work in works]}")
    order = Random(seed)
    one, other = (Thread(processor) for processor in processors())
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds + 1):
            for work in order.sample(works, len(works)):
                first, second = zip((one, other), work.runs, strict=True)
                (here,), (there,) = turn(work, [first]), turn(work, [second])
                both = turn(work, [first, second])
                if number:  # the first one warms up
                    found[work.name].alone.append((here, there))
                    found[work.name].together.append((both[0], both[1]))
    finally:
        if was_enabled:
            gc.enable()
        for thread in (one, other):
            thread.end()
    return found


REGISTERS = "two threads in registers"
# Below this, the machine has other things to do.
TWO_PROCESSORS = 1.9


def in_c(name: str, run: Any, clock: Clock, addresses: tuple[int, int] = (0, 0)) -> Work:
    """A loop of native/adding.c, which does not need the GIL; an address for each thread."""
    one, other = addresses
    runs = (
        lambda start, end: run(one, start, end),
        lambda start, end: run(other, start, end),
    )
    return Work(name, runs, clock, needs_gil=False)


def in_registers(adding: Any) -> Work:
    """What two threads do that share nothing, to be measured beside everything else."""
    return in_c(REGISTERS, adding.registers, adding.now)


def times_of(question: str, found: Mapping[str, Scaling]) -> list[Times]:
    """What is saved: each alone, and beside the other."""
    times = []
    for name, scaling in found.items():
        facts = {"throughput of two": scaling.throughput.median}
        times.append(Times(question, f"{name}, alone", scaling.alone_ns))
        times.append(Times(question, f"{name}, in two threads", scaling.together_ns, facts=facts))
    return times


def no_conclusion(found: Mapping[str, Scaling]) -> str | None:
    """Why nothing follows from what was found, if so: the threads had no processor each."""
    registers = found[REGISTERS].throughput.median
    if registers >= TWO_PROCESSORS:
        return None
    return (
        f"no conclusion: two threads that only count in registers got {registers:.2f} times as "
        f"much done as one, and not {TWO_PROCESSORS} times: something else is running"
    )
