"""The axis that figures share: logarithmic, over what has a place on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from ..results import Row

__all__ = ["LINE", "Scale"]

LINE = 1.3  # of text, in sizes
LOWEST = -2  # decades: no clock tells less than a hundredth of a nanosecond from nothing


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis, in whole decades."""

    low: int
    high: int

    @classmethod
    def over(cls, values: Iterable[float], otherwise: tuple[int, int] = (0, 3)) -> Scale:
        """What is zero or not a number has no place on it."""
        logs = [log10(value) for value in values if isfinite(value) and value > 0]
        if not logs:
            return cls(*otherwise)
        low, high = floor(min(logs)), ceil(max(logs))
        return cls(low, max(high, low + 1))

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Scale:
        """One for all of a ladder's groups."""
        found = cls.over(value for row in rows for value in _shown(row))
        return cls(max(found.low, LOWEST), max(found.high, LOWEST + 1))

    @property
    def limits(self) -> tuple[float, float]:
        return 10.0**self.low, 10.0**self.high

    @property
    def decades(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def _shown(row: Row) -> Iterator[float]:
    yield from (row.spread.median, row.spread.low, row.spread.high, row.minimum)
    if row.guide is not None:
        yield from (row.guide.low, row.guide.high)
