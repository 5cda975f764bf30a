"""What was measured beside a neighbour is left out.

On a machine that others share, something computes on the other hardware thread of a core, for a
while, and then not. Python code takes 1.3 to 2 times as long meanwhile, and a chain of operations
in C as long as ever, so rows cannot be corrected for it. But the *crowd*, which keeps all of a core
busy, notices, and it is timed in every stretch of rounds along with all rows.

It alone decides whether a stretch counts, and never what a row itself took: a row that is slow now
and then for reasons of its own stays so. It is divided by the *yardstick*, which takes longer where
the processor is slower, and not beside a neighbour. Where a neighbour never leaves nothing can be
left out; the crowd then tells `comparison` that there was one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from .results import Row, Run
from .timing import Spread

__all__ = ["FEWEST", "NOTICED", "Quiet", "quiet"]

# From here on, what the crowd takes more is somebody else's doing.
NOTICED = 1.05
# Quartiles of fewer stretches say nothing.
FEWEST = 4

T = TypeVar("T")


@dataclass(frozen=True)
class Quiet:
    """What each process measured, without what was left out."""

    climbs: Sequence[Sequence[Row]]
    stretches: int = 0  # of all processes, as far as the crowd was timed in them
    left_out: int = 0
    most: float = 1.0  # how many times as long the crowd took in one of those

    @property
    def notes(self) -> list[str]:
        """What a reader must know of it."""
        if not self.left_out:
            return []
        return [
            f"Left out: {self.left_out} of {self.stretches} stretches, in which something else "
            f"used the same core (six chains at once took up to {self.most:.1f} times as long). "
            "Medians, quartiles and ratios are of the others."
        ]


def quiet(climbs: Sequence[Sequence[Row]], yardstick: str, crowd: str) -> Quiet:
    """The rows of several processes, one run each, without the stretches beside a neighbour.

    A process that timed no crowd is left as it is, and so is a row of which fewer than four
    stretches would remain.
    """
    crowded = [_crowded(rows, yardstick, crowd) for rows in climbs]
    known = sorted(ratio for ratios in crowded for ratio in ratios)
    if len(known) < FEWEST:
        return Quiet(climbs)
    # Not the very least, where the yardstick may have been disturbed.
    most = NOTICED * known[FEWEST - 1]
    counts = [[ratio <= most for ratio in ratios] for ratios in crowded]
    found = [
        [replace(row, runs=tuple(_without(row.runs, flags))) for row in rows]
        for rows, flags in zip(climbs, counts, strict=True)
    ]
    remain = Counter[str]()
    for rows in found:
        for row in rows:
            remain[row.name] += sum(len(run.values) for run in row.runs)
    together = [
        [
            after if remain[after.name] >= FEWEST else before
            for before, after in zip(*both, strict=True)
        ]
        for both in zip(climbs, found, strict=True)
    ]
    left_out = sum(not flag for flags in counts for flag in flags)
    return Quiet(together, len(known), left_out, known[-1] / known[FEWEST - 1])


def _crowded(rows: Sequence[Row], yardstick: str, crowd: str) -> list[float]:
    """By stretch, how long the crowd took beside the yardstick; empty if that is not known."""
    runs = {row.name: row.runs[0] for row in rows if row.runs}
    if yardstick not in runs or crowd not in runs:
        return []
    one, many = runs[yardstick].values, runs[crowd].values
    if len(one) != len(many) or min(one) <= 0:
        return []
    return [together / alone for together, alone in zip(many, one, strict=True)]


def _without(runs: Sequence[Run], counts: Sequence[bool]) -> Iterator[Run]:
    for run in runs:
        if not counts or not run.stretches:
            yield run
            continue
        stretches = _kept(run.stretches, counts)
        if stretches:
            rounds = list(chain(*stretches))
            spread = Spread.of(rounds)
            yield replace(
                run,
                values=_kept(run.values, counts),
                ratios=_kept(run.ratios, counts),
                stretches=stretches,
                low=spread.low,
                high=spread.high,
                rounds=len(rounds),
            )


def _kept(values: tuple[T, ...], counts: Sequence[bool]) -> tuple[T, ...]:
    """What takes part in fewer rounds does so at equal distances, so its stretches do too."""
    return tuple(
        value for index, value in enumerate(values) if counts[index * len(counts) // len(values)]
    )
