"""What a curve is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from ..timing import SLICE_NS, Contestant

__all__ = ["Maker", "Point", "told"]


@dataclass(frozen=True)
class Point:
    """One place on the horizontal axis of one series.

    ``missing``: why there is no contestant; then it says so for the whole series.
    """

    series: str
    count: int
    contestant: Contestant | None
    missing: str = ""


@dataclass(frozen=True)
class Maker:
    """One curve. ``make`` prepares its points one by one, and raises UnavailableError if it cannot.

    What it opens it enters in the ExitStack, which is closed after the last round.
    """

    title: str
    about: str
    counted: str
    unit: str
    make: Callable[[ExitStack], Iterable[Point]]
    rounds: int
    slice_ns: int = SLICE_NS


def told(series: str, count: int) -> str:
    """A contestant's name."""
    return f"{series}: {count}"
