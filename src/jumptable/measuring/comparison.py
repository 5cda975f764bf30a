"""What became slower since an older run, and what only seems to.

A row counts as slower if three things hold: it takes longer than the threshold allows, and longer
by more than the clock can err; its usual values lie apart from the older ones; and this is not
explained by the machine, which a yardstick tells: the same work, measured along with both runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from .results import Row
from .saved import LEAST_NS, Saved
from .timing import Spread

__all__ = ["Change", "Comparison", "compare"]

# What a loop's own cost, which is subtracted, is uncertain by.
UNCERTAIN_NS = 0.5

SAME, SLOWER, FASTER, NEW, GONE = "same", "slower", "faster", "new", "gone"


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

    def named(self, verdict: str) -> list[str]:
        return [change.name for change in self.changes if change.verdict == verdict]


def compare(old: Saved, rows: Sequence[Row], threshold: float, yardstick: str) -> Comparison:
    """Each row now beside what it was; ``threshold`` 0.1 allows for ten per cent more."""
    new = {
        row.name: tuple(max(v, LEAST_NS) for run in row.runs for v in run.values) for row in rows
    }
    new = {name: values for name, values in new.items() if values}
    known = yardstick in old and yardstick in new
    machine = 1.0
    if known:
        machine = Spread.of(new[yardstick]).median / Spread.of(old[yardstick]).median
    names = [*new, *(name for name in old if name not in new)]
    changes = [
        _change(name, old.get(name), new.get(name), machine, threshold)
        for name in names
        if name != yardstick
    ]
    return Comparison(changes, machine, known)


def _change(
    name: str,
    old: tuple[float, ...] | None,
    new: tuple[float, ...] | None,
    machine: float,
    threshold: float,
) -> Change:
    if new is None or old is None:
        was, now = (nan if one is None else Spread.of(one).median for one in (old, new))
        return Change(name, was, now, nan, NEW if old is None else GONE)
    before, after = Spread.of(old), Spread.of(value / machine for value in new)
    ratio = after.median / before.median
    verdict = SAME
    if abs(after.median - before.median) > UNCERTAIN_NS:
        if ratio > 1 + threshold and after.low > before.high:
            verdict = SLOWER
        elif ratio < 1 / (1 + threshold) and after.high < before.low:
            verdict = FASTER
    return Change(name, before.median, after.median * machine, ratio, verdict)
