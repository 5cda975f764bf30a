"""What became slower since an older run, and what only seems to.

A row counts as slower if three things hold: it takes longer than the threshold allows, and longer
by more than the clock can err; its usual values lie apart from the older ones; and this is not
explained by the machine, which two kinds of work tell that are the same in every run.

The *yardstick*, a single chain of operations, takes longer where the processor is slower: times are
divided by it. It does not notice a neighbour on the other hardware thread of its core, who takes
execution units that a chain leaves idle and other code needs. The *crowd*, which keeps all of them
busy, does. It tells that there is a neighbour, and not how much other code suffers: nothing is
divided by it. What a neighbour may explain is *unclear*, and is no failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

from .neighbours import FEWEST, NOTICED
from .results import Report
from .saved import LEAST_NS, Saved, effective, fact_name
from .timing import Spread

__all__ = ["Change", "Comparison", "compare"]

# What a loop's own cost, which is subtracted, is uncertain by.
UNCERTAIN_NS = 0.5
# In 13 runs beside neighbours of four kinds the crowd took 1.19 to 1.40 times as long, half of the
# rows 1.3 to 1.9 times and one in ten more than 2.4 times, however much the crowd did.
EXPLAINED = 3.0
# How code and data lie in memory differs from process to process: a run of one knows one case, and
# so does one of several of which most is left out.
ONE_PROCESS, FEW_PROCESSES = 1.05, 2
# Facts of a run, and not of what it measured.
OF_THE_RUN = ("date", "load", "processes", "rounds", "took", "unit", "name")

SAME, SLOWER, FASTER, UNCLEAR, NEW, GONE = "same", "slower", "faster", "unclear", "new", "gone"


@dataclass(frozen=True)
class Change:
    """One row, then and now, in nanoseconds; NaN where there is none."""

    name: str
    old: float
    new: float
    ratio: float  # new / old, on a machine as fast as then
    verdict: str


@dataclass(frozen=True)
class Comparison:
    changes: Sequence[Change]
    machine: float  # how many times as long the yardstick takes as it did then; 1.0 if unknown
    known: bool  # whether both runs have the yardstick
    # How many times as long the crowd takes as it did then, without that; 1.0 if unknown.
    busier: float = 1.0
    # What both runs say of themselves, then and now, where they differ.
    differences: Mapping[str, tuple[object, object]] = field(default_factory=dict)

    def named(self, verdict: str) -> list[str]:
        return [change.name for change in self.changes if change.verdict == verdict]

    @property
    def explained(self) -> float:
        """How many times as long a row may take because of a neighbour that there is now."""
        return EXPLAINED if self.busier > NOTICED else 1.0

    @property
    def explained_then(self) -> float:
        """The same of one that there was then."""
        return EXPLAINED if 1 / self.busier > NOTICED else 1.0


@dataclass(frozen=True)
class _Allowed:
    threshold: float
    apart: float  # how many times as high the lower of the usual values must be as the others
    slower: float
    faster: float


def compare(old: Saved, now: Report, threshold: float, yardstick: str, crowd: str) -> Comparison:
    """Each row now beside what it was; ``threshold`` 0.1 allows for ten per cent more."""
    new = {
        row.name: tuple(max(v, LEAST_NS) for run in row.runs for v in run.values)
        for row in now.rows
        if row.runs
    }
    machine = _times_as_long(yardstick, old, new)
    crowded = _times_as_long(crowd, old, new)
    whole = Comparison(
        (),
        machine or 1.0,
        machine is not None,
        crowded / machine if crowded and machine else 1.0,
        _differences(old, now),
    )
    processes = {row.name: effective(len(run.values) for run in row.runs) for row in now.rows}

    def allowed(name: str) -> _Allowed:
        fewest = min(old.processes.get(name, 1), processes.get(name, 1))
        return _Allowed(
            threshold,
            ONE_PROCESS if fewest < FEW_PROCESSES else 1.0,
            EXPLAINED if name in now.disturbed else whole.explained,
            EXPLAINED if name in old.disturbed else whole.explained_then,
        )

    names = [*new, *(name for name in old.rows if name not in new)]
    changes = [
        _change(name, old.rows.get(name), new.get(name), whole.machine, allowed(name))
        for name in names
        if name not in (yardstick, crowd)
    ]
    return Comparison(changes, whole.machine, whole.known, whole.busier, whole.differences)


def _times_as_long(name: str, old: Saved, new: Mapping[str, tuple[float, ...]]) -> float | None:
    if name not in old.rows or name not in new:
        return None
    return Spread.of(new[name]).median / Spread.of(old.rows[name]).median


def _differences(old: Saved, now: Report) -> Mapping[str, tuple[object, object]]:
    """An interpreter, a package or a processor that is another one than then."""
    found: dict[str, tuple[object, object]] = {}
    for name, fact in now.machine.items():
        before = old.facts.get(fact_name(name), fact)
        if name not in OF_THE_RUN and before != fact:
            found[name] = before, fact
    return found


def _change(
    name: str,
    old: tuple[float, ...] | None,
    new: tuple[float, ...] | None,
    machine: float,
    allowed: _Allowed,
) -> Change:
    if new is None or old is None:
        was, now = (nan if one is None else Spread.of(one).median for one in (old, new))
        return Change(name, was, now, nan, NEW if old is None else GONE)
    before, after = Spread.of(old), Spread.of(value / machine for value in new)
    ratio = after.median / before.median
    verdict = _verdict(before, after, allowed)
    if verdict in (SLOWER, FASTER) and min(len(old), len(new)) < FEWEST:
        verdict = UNCLEAR
    return Change(name, before.median, after.median * machine, ratio, verdict)


def _verdict(before: Spread, after: Spread, allowed: _Allowed) -> str:
    if abs(after.median - before.median) <= UNCERTAIN_NS:
        return SAME
    for less, more, explained, verdict in (
        (before, after, allowed.slower, SLOWER),
        (after, before, allowed.faster, FASTER),
    ):
        least = (1 + allowed.threshold) * less.median
        if more.median > least and more.low > less.high * allowed.apart:
            return verdict if more.median > least * explained else UNCLEAR
    return SAME
