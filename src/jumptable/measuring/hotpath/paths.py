"""`bench`: what a host's own hot path costs, and what was inside it."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter_ns
from types import CoroutineType, GeneratorType
from typing import Any

from ..report import plain_table
from ..results import Run, few, run_of
from ..timing import Contestant, Measurement, Spread, measure, statement
from ..wording import amount, duration
from .costs import costs, new_watch, refer
from .counting import Seen, Watch
from .places import first_literal, shown

__all__ = ["LEAST_ROUNDS", "Found", "HotPath", "Timed", "bench", "bench_until", "found_in",
           "inside", "percent", "refuse_what_runs_later", "table", "within"]  # fmt: skip

# From here on a call is no longer what a dispatch alone can cost.
MICROSECOND = 1000.0
LITTLE = 0.05
MOST_COUNTED = 1000
ROUNDS, LEAST_ROUNDS = 5000, 5
NOTHING = "no open, look-up, bind or signature check was seen in it"


@dataclass(frozen=True)
class Found:
    """Something that a hot path should be without.

    ``kind`` is "open", "look-up", "bind", "signature check", "import", "discovery", "process" or
    "dispatch"; ``what`` names the function. ``calls`` is how often one call of the hot path does
    it, ``each_ns`` what one costs, or None if that cannot be told, ``share`` the part that it has
    in the whole. ``source`` is what line ``line`` of ``file`` says.
    """

    kind: str
    what: str
    file: str
    line: int
    source: str
    calls: float
    each_ns: float | None
    share: float | None
    remedy: str

    @property
    def ns(self) -> float | None:
        """What all of it costs in one call of the hot path."""
        return None if self.each_ns is None else self.each_ns * self.calls

    @property
    def where(self) -> str:
        """``host.py:14``, seen from the current directory."""
        return f"{shown(self.file)}:{self.line}"


@dataclass(frozen=True)
class HotPath:
    """What `bench` found: ``ns`` is one call's cost, ``minimum`` the least.

    ``empty_ns`` is that of an empty function, called with as many arguments at the same time;
    None where one call took so long that none was compared. ``calls`` is how often it was called
    while it was timed, ``counted`` while it was watched. ``findings`` are the dearest first.
    """

    name: str
    ns: Spread
    minimum: float
    empty_ns: float | None
    calls: int
    counted: int
    findings: tuple[Found, ...]

    @cached_property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        cost = f"{self.name}() costs {duration(self.ns.median)} a call"
        if self.findings:
            return f"{cost}, {inside(self.findings)}."
        if self.ns.median < MICROSECOND:
            return f"{cost}; {NOTHING}."
        return f"{cost}, and {NOTHING}: it should be the work itself."

    def costing(self, ns: Spread, minimum: float) -> HotPath:
        """The same with a cost that is better known; what was inside keeps its part of it."""
        scale = ns.median / self.ns.median if self.ns.median else 1.0
        findings = tuple(
            one if one.each_ns is None else replace(one, each_ns=scale * one.each_ns)
            for one in self.findings
        )
        empty = None if self.empty_ns is None else scale * self.empty_ns
        return replace(self, ns=ns, minimum=minimum, empty_ns=empty, findings=findings)

    def __str__(self) -> str:
        return f"{self.verdict}\n\n{table(self.findings)}" if self.findings else self.verdict


def inside(findings: Sequence[Found], often: bool = False) -> str:
    """Where the time went, and what to do about it; ``often`` says how many times it went there."""
    first, timed = findings[0], [one for one in findings if one.share is not None]
    together = min(1.0, sum(one.share or 0.0 for one in timed))
    article = "an" if first.kind[0] in "aeiou" else "a"
    place = f"{article} {first.kind} at {first.where}"
    if often:
        place += f", {first.calls:,.0f} times"
    if first.share is None:
        text = f"with {place}"
    elif len(timed) == 1:
        text = f"{percent(together)} of it in {place}"
    elif together < LITTLE:
        text = f"{percent(together)} of it in {place} and {len(timed) - 1} more"
    else:
        text = (
            f"{percent(together)} of it in {len(timed)} places, most in {place} "
            f"({percent(first.share)})"
        )
    if len(timed) < len(findings):
        others = len(findings) - max(1, len(timed))
        text += f", and {others} more whose time is unknown" if others else ""
        return f"{text}: {first.remedy}"
    return f"{text}: {'the rest is the work itself' if together < LITTLE else first.remedy}"


def percent(share: float) -> str:
    """Never all of it: a call is never quite nothing else."""
    return f"{min(99.0, 100 * share):.0f} %" if share >= 0.01 else "under 1 %"


HEADINGS = ("what was inside", "times a call", "each", "share")


def table(findings: Sequence[Found], headings: Sequence[str] = HEADINGS) -> str:
    """The findings as a table, each with its line."""
    rows = [cells(one) for one in findings]
    lines = plain_table("", headings, rows).splitlines()[2:]
    for one, line in zip(findings, lines[2:], strict=True):
        lines[lines.index(line)] = f"{line}\n    {one.source or '(its source is not there)'}"
    return "\n".join(lines)


def cells(one: Found) -> list[str]:
    return [
        f"{one.where}  {one.what}",
        amount(one.calls),
        "-" if one.each_ns is None else duration(one.each_ns),
        "-" if one.share is None else percent(one.share),
    ]


# ---- measuring --------------------------------------------------------------------------------


def bench(function: Callable[..., object], /, *arguments: Any, seconds: float = 1.0) -> HotPath:
    """Time a call of a host's own hot path, and find what should not be inside it.

    ``function(*arguments)`` is called very often, for about ``seconds``, and at least three times.
    It is timed, and then counted while it runs, in calls of their own, how often it opens a plugin,
    looks a symbol up, binds, checks a signature, imports, searches for plugins, starts a process or
    makes a stock hook call or generic call, and on which line: see `HotPath`. What it costs to do
    that is found out by doing it again with the same arguments, where that changes nothing.

    What the calling thread does is seen, in Python code; not what compiled code does by itself.
    Safe to call from several threads at a time, but what they measure then is each other.

    Raises TypeError for what cannot be called, or gives a coroutine or generator, whose call
    only makes an object; ValueError for ``seconds`` that are none; RuntimeError if the function
    sets a profiler itself. What the function raises goes through as it is.
    """
    if not callable(function):
        raise TypeError(
            f"jumptable.bench() takes a function and its arguments, not {type(function).__name__}; "
            "pass the function itself, and not what it returned"
        )
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"seconds are a number, not {type(seconds).__name__}")
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ValueError(f"seconds are more than 0 and finite, not {seconds!r}")
    return bench_until(function, arguments, float(seconds), lambda: False).path


@dataclass(frozen=True)
class Timed:
    """A HotPath, and its row of results with that of what was measured ``beside``."""

    path: HotPath
    run: Run
    beside: Measurement


def bench_until(
    function: Callable[..., object],
    arguments: Sequence[Any],
    seconds: float,
    stopped: Callable[[], bool],
    beside: Sequence[Contestant] = (),
) -> Timed:
    """`bench`, which measures no longer once ``stopped()`` says so.

    ``beside`` is timed at the same time.
    """
    refuse_what_runs_later(function)
    clock = perf_counter_ns
    begin, budget = clock(), seconds * 1e9

    def until(part: float, least: int) -> Callable[[int, int], bool]:
        def go_on(done: int, _: int) -> bool:
            return done < least or not (stopped() or clock() - begin > part * budget)

        return go_on

    first = _timed(function, arguments)
    again = first <= budget
    second = _timed(function, arguments) if again else first
    own = empty = timing = None
    times = [second]
    if second > budget / 10:
        while clock() - begin + second < 0.8 * budget and not stopped():
            times.append(_timed(function, arguments))
        found = measure(beside, rounds=LEAST_ROUNDS)
    else:
        names = {f"x{index}": value for index, value in enumerate(arguments)}
        listed = ", ".join(names)
        space: dict[str, Any] = {}
        exec(f"def empty({listed}): pass", space)
        own = statement("own", f"f({listed})", {"f": function, **names})
        reference = statement("empty", f"f({listed})", {"f": space["empty"], **names})
        found = measure([own, reference, *beside], rounds=ROUNDS, go_on=until(0.6, LEAST_ROUNDS))
        timing = found["own"]
        empty = found["empty"].spread.median
    counted, watched, watch = _watched(function, arguments, until(0.7, 1))
    if timing is not None:
        run, spread, calls = run_of(timing, found), timing.spread, timing.loops * len(timing.ns)
    else:
        # Not even watched did it take so long again: it was the first time.
        times = times if again else [min(first, watched)]
        run, spread, calls = few(times), Spread.of(times), len(times)
    findings = found_in(watch, counted, spread.median, until(1.0, LEAST_ROUNDS), own)
    path = HotPath(_name(function), spread, run.minimum, empty, calls, counted, findings)
    return Timed(path, run, found)


def _timed(function: Callable[..., object], arguments: Sequence[Any]) -> int:
    start = perf_counter_ns()
    result = function(*arguments)
    elapsed = perf_counter_ns() - start
    for kind, what, remedy in (
        (CoroutineType, "a coroutine", "asyncio.run(handle())"),
        (GeneratorType, "a generator", "list(handle())"),
    ):
        if isinstance(result, kind):
            result.close()
            raise TypeError(
                f"{_name(function)}() gives {what}, which nothing has run; pass a function that "
                f"runs it, such as lambda: {remedy}"
            )
    return elapsed


def _watched(
    function: Callable[..., object], arguments: Sequence[Any], go_on: Callable[[int, int], bool]
) -> tuple[int, int, Watch]:
    """How many calls were watched, how long the quickest took, and what was seen."""
    took: list[int] = []
    keywords: dict[str, Any] = {}
    name = _name(function)
    if isinstance(function, functools.partial):
        # It calls by itself, unseen, what it is made of.
        arguments = (*function.args, *arguments)
        keywords = function.keywords
        function = function.func
    with new_watch() as watch:
        while len(took) < MOST_COUNTED and go_on(len(took), MOST_COUNTED):
            start = perf_counter_ns()
            function(*arguments, **keywords)
            took.append(perf_counter_ns() - start)
            if not watch.undisturbed:
                raise RuntimeError(
                    f"{name}() sets or removes a profiler (sys.setprofile, cProfile), so what is "
                    "in it cannot be seen; measure a part of it that does not"
                )
            refer()
    return len(took), min(took), watch


def found_in(
    watch: Watch,
    counted: int,
    total: float,
    go_on: Callable[[int, int], bool],
    beside: Contestant | None = None,
) -> tuple[Found, ...]:
    """What was seen in ``counted`` calls that cost ``total`` each; the dearest first."""
    findings = []
    for one, each in costs(watch, total, beside, go_on):
        calls = one.count / counted
        share = None
        if each is not None:
            # It is part of a whole, whatever two measurements make of it.
            each = min(each, total / calls)
            share = each * calls / total if total else 0.0
        findings.append(
            Found(
                one.kind.category,
                one.kind.what,
                one.place.file,
                one.place.line,
                one.place.source,
                calls,
                each,
                share,
                _remedy(one),
            )
        )
    findings.sort(key=lambda found: (found.share is not None, found.share or 0.0), reverse=True)
    return within(findings)


def within(findings: Sequence[Found]) -> tuple[Found, ...]:
    """Parts of one whole, which together are no more, whatever their measurements make of them."""
    together = sum(one.share or 0.0 for one in findings)
    if together <= 1:
        return tuple(findings)
    return tuple(
        one
        if one.share is None or one.each_ns is None
        else replace(one, share=one.share / together, each_ns=one.each_ns / together)
        for one in findings
    )


def _remedy(seen: Seen) -> str:
    name = first_literal(seen.place, seen.kind.what.rpartition(".")[2])
    return seen.kind.remedy.format(name=name or "it")


def _name(function: Callable[..., object]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    # Objects may have attributes of any name, and of any type.
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def refuse_what_runs_later(function: Callable[..., object]) -> None:
    for own in (function, getattr(type(function), "__call__", None)):  # noqa: B004
        for is_it, kind, remedy in (
            (inspect.iscoroutinefunction, "coroutine", "lambda: asyncio.run({}())"),
            (inspect.isasyncgenfunction, "asynchronous generator", "a function that runs it"),
            (inspect.isgeneratorfunction, "generator", "lambda: list({}())"),
        ):
            if is_it(own):
                name = _name(function)
                raise TypeError(
                    f"{name}() is a {kind} function: a call of it only makes an object, and runs "
                    f"nothing; pass what runs it, such as {remedy.format(name)}"
                )
