"""What an experiment is, what it is given, and what its sentence is made from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..results import Trial
from ..timing import Contestant, Spread, measure
from ..wording import duration

__all__ = ["Maker", "StoppedError", "Trying", "changed", "compared"]

# What two runs of the same code differ by, at times.
SAME, SAME_NS = 0.03, 0.3


class StoppedError(Exception):
    """The bench was stopped."""


@dataclass(frozen=True)
class Trying:
    """For one experiment: how much to do, and a folder that is removed afterwards.

    ``copies`` are how many fresh copies of a library are opened for each trial; few, since what is
    open stays open.
    """

    closing: ExitStack
    go_on: Callable[[], bool]
    rounds: int
    copies: int

    @cached_property
    def folder(self) -> Path:
        made: Any = tempfile.TemporaryDirectory(
            prefix="jumptable-bench-", ignore_cleanup_errors=True
        )
        return Path(self.closing.enter_context(made))

    def check(self) -> None:
        if not self.go_on():
            raise StoppedError

    def measured(self, contestants: Iterable[Contestant]) -> dict[str, Spread]:
        found = measure(contestants, rounds=self.rounds, go_on=lambda done, rounds: self.go_on())
        if found.rounds < self.rounds:
            raise StoppedError
        return {name: timing.spread for name, timing in found.timings.items()}

    def fresh(self, library: Path, number: int) -> str:
        """A copy that has never been opened; its pages are in memory, since it was just written."""
        self.check()
        copy = self.folder / f"{library.stem}-{number}{library.suffix}"
        shutil.copyfile(library, copy)
        return str(copy)


@dataclass(frozen=True)
class Maker:
    """One experiment. ``try_out`` raises UnavailableError if it cannot be tried here."""

    idea: str
    try_out: Callable[[Trying], tuple[Sequence[Trial], str]]


def compared(before: Spread, after: Spread) -> int:
    """-1: ``after`` is less; 1: it is more; 0: the difference is within the noise."""
    difference = after.median - before.median
    if abs(difference) <= max(SAME * before.median, SAME_NS):
        return 0
    if after.high < before.low:
        return -1
    return 1 if after.low > before.high else 0


def changed(before: Spread, after: Spread) -> str:
    """What became of a time, to be put behind what takes it."""
    now, then = duration(after.median), duration(before.median)
    return {
        -1: f"{now} instead of {then}",
        0: f"{now} against {then}, within the noise",
        1: f"{now} instead of only {then}",
    }[compared(before, after)]
