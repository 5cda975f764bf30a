"""What was measured beside a neighbour is left out.

On a machine that others share, something computes on the other hardware thread of a core, for a
while, and then not. Python code takes 1.3 to 2 times as long meanwhile, and a chain of operations
in C as long as ever, so rows cannot be corrected for it. But the *crowd*, which keeps all of a core
busy, notices, and it is timed in every round along with the rows.

It alone decides whether a stretch of rounds counts, and never what a row took: one that is slow now
and then for reasons of its own stays so. It is divided by the *yardstick*, which takes longer where
the processor is slower, and not beside a neighbour. Where a neighbour never leaves nothing can be
left out; the crowd then tells `comparison` that there was one.

Rows that other processes take part in, that were not timed along with the crowd, or of which next
to nothing would remain, are left as they are: they may be *disturbed*.
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
# One stretch in so many may be odd: where the yardstick was disturbed, the crowd seems quick.
ODD = 20
# Where no more than this part remains, another run may tell more.
LITTLE = 0.25
# More names than this are no longer read.
NAMED = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Quiet:
    """What each process measured, without what was left out.

    Of ``stretches``, those of all processes in which the crowd was timed, ``left_out`` are gone; in
    one the crowd took ``most`` times as long. ``disturbed`` are the rows that kept theirs.
    """

    climbs: Sequence[Sequence[Row]]
    stretches: int = 0
    left_out: int = 0
    most: float = 1.0
    disturbed: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What a reader must know of it."""
        names = {row.name for rows in self.climbs for row in rows if row.runs}
        # Without the yardsticks, of which there are two, there may be nothing to speak of.
        if not self.left_out or len(names) - len(self.disturbed) <= 2:
            return []
        told = (
            f"Left out: {self.left_out} of {self.stretches} stretches, in which something else, or "
            "another thread or process of what was measured, used the same core (six chains at "
            f"once took up to {self.most:.1f} times as long). Medians, quartiles and ratios are of "
            "the others"
        )
        if len(self.disturbed) > NAMED:
            told += (
                f"; not so: {len(self.disturbed)} rows that other processes take part in, or of "
                "which too little would be left"
            )
        elif self.disturbed:
            told += f"; not so: {', '.join(self.disturbed)}"
        if self.left_out > (1 - LITTLE) * self.stretches:
            told += ". That is little: run it again when nothing else runs"
        return [f"{told}."]


def quiet(climbs: Sequence[Sequence[Row]], yardstick: str, crowd: str) -> Quiet:
    """The rows of several processes, one run each, without the stretches beside a neighbour."""
    crowded = [_crowded(rows, yardstick, crowd) for rows in climbs]
    known = sorted(ratio for ratios in crowded for ratio in ratios)
    if len(known) < FEWEST:
        return Quiet(climbs)
    usual = known[max(FEWEST - 1, len(known) // ODD)]
    counts = [[ratio <= NOTICED * usual for ratio in ratios] for ratios in crowded]
    found = [
        [replace(row, runs=tuple(_without(row, flags))) for row in rows]
        for rows, flags in zip(climbs, counts, strict=True)
    ]
    remain = Counter[str]()
    for row in chain(*found):
        remain[row.name] += sum(len(run.values) for run in row.runs)
    enough = {name for name, count in remain.items() if count >= FEWEST}
    together = [
        [after if after.name in enough else before for before, after in zip(*both, strict=True)]
        for both in zip(climbs, found, strict=True)
    ]
    disturbed = {
        row.name: None
        for rows, flags in zip(climbs, counts, strict=True)
        if not all(flags)
        for row in rows
        if row.runs and not (row.name in enough and _fits(row, flags))
    }
    left_out = sum(not flag for flags in counts for flag in flags)
    return Quiet(together, len(known), left_out, known[-1] / usual, tuple(disturbed))


def _crowded(rows: Sequence[Row], yardstick: str, crowd: str) -> list[float]:
    """By stretch, how long the crowd took beside the yardstick; empty if that is not known.

    It is the upper quartile: where there was a neighbour for more than a quarter of a stretch,
    others' rounds were disturbed as well.
    """
    runs = {row.name: row.runs[0] for row in rows if row.runs}
    if yardstick not in runs or crowd not in runs:
        return []
    one, many = runs[yardstick].values, runs[crowd].stretches
    if len(one) != len(many) or min(one) <= 0:
        return []
    return [Spread.of(together).high / alone for together, alone in zip(many, one, strict=True)]


def _fits(row: Row, flags: Sequence[bool]) -> bool:
    """Whether it is known which of a row's stretches count.

    Those of a row that takes part in fewer rounds are longer than the crowd's, but where each is a
    single round; these are at equal distances.
    """
    if not flags or row.elsewhere:
        return False
    return all(run.stretches and len(run.stretches) in (len(flags), run.rounds) for run in row.runs)


def _without(row: Row, flags: Sequence[bool]) -> Iterator[Run]:
    for run in row.runs:
        if _fits(row, flags):
            stretches = _kept(run.stretches, flags)
            if stretches:
                values, ratios = _kept(run.values, flags), _kept(run.ratios, flags)
                yield replace(run, values=values, ratios=ratios, stretches=stretches)
        elif flags and run.stretches:  # the baseline, at least, is not disturbed in these
            yield replace(run, ratios=_kept(run.ratios, flags))
        else:
            yield run


def _kept(values: tuple[T, ...], flags: Sequence[bool]) -> tuple[T, ...]:
    return tuple(
        value for index, value in enumerate(values) if flags[index * len(flags) // len(values)]
    )
