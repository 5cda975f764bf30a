"""What a benchmark found: rows, curves and experiments, as plain data that processes can exchange.

Times are nanoseconds per call everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from math import nan
from statistics import median

from .timing import Measurement, Spread, Timing

__all__ = ["Curve", "Experiment", "Guide", "Report", "Row", "Run", "Trial", "few", "run_of"]

# Beyond this, how a row went while time passed says more of the machine than of the row.
STEADY, STEADY_NS = 0.10, 0.3


@dataclass(frozen=True)
class Guide:
    """What the guide that the project started from says of Go's plugins: a range in nanoseconds."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Run:
    """What one process measured of one row.

    ``values`` are medians of successive stretches of rounds, ``ratios`` the same of what is left
    when each round is divided by the baseline's. ``stretches`` are the rounds of each; there are
    none of what was timed call by call, and not along with the other rows.
    """

    values: tuple[float, ...]
    ratios: tuple[float, ...]
    minimum: float
    loops: int
    stretches: tuple[tuple[float, ...], ...] = ()

    @property
    def ns(self) -> tuple[float, ...]:
        """Per round, or per call."""
        return tuple(chain(*self.stretches)) or self.values

    @property
    def rounds(self) -> int:
        return len(self.ns)


@dataclass(frozen=True)
class Row:
    """One way to call: what it costs here, or ``missing``: why not, and how to get it."""

    name: str
    group: str
    about: str = ""
    guide: Guide | None = None
    missing: str = ""
    runs: tuple[Run, ...] = ()
    elsewhere: bool = False  # another process does it, or takes part

    @cached_property
    def spread(self) -> Spread:
        """The median of the stretches that count, and the quartiles of their rounds."""
        if not self.runs:
            return Spread(nan, nan, nan)
        middle = Spread.of(value for run in self.runs for value in run.values).median
        rounds = Spread.of(ns for run in self.runs for ns in run.ns)
        return Spread(middle, min(rounds.low, middle), max(rounds.high, middle))

    @cached_property
    def minimum(self) -> float:
        return min((run.minimum for run in self.runs), default=nan)

    @cached_property
    def ratio(self) -> Spread | None:
        """How many times as long as the baseline; None if that costs nothing, or is not there."""
        ratios = [ratio for run in self.runs for ratio in run.ratios]
        return Spread.of(ratios) if ratios else None

    @cached_property
    def unstable(self) -> bool:
        """Whether the time that a call took changed while it was measured."""
        if not self.runs:
            return False
        found = Spread.of(value for run in self.runs for value in run.values)
        return found.high - found.low > max(STEADY * found.median, STEADY_NS)


@dataclass(frozen=True)
class Curve:
    """How a cost grows: for each series its points ``(how many, what a call takes)``."""

    title: str
    about: str
    counted: str  # what the horizontal axis counts
    unit: str  # what the vertical axis shows, "ns per call" or so
    series: Mapping[str, Sequence[tuple[float, Spread]]]
    missing: str = ""


@dataclass(frozen=True)
class Trial:
    """One side of an experiment."""

    name: str
    spread: Spread
    unit: str = "ns"


@dataclass(frozen=True)
class Experiment:
    """Something that looks like an optimisation, measured; the verdict is one sentence."""

    idea: str
    trials: Sequence[Trial] = ()
    verdict: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Report:
    """All that one ``bench`` found; in rows that are ``disturbed`` there may be a neighbour."""

    machine: Mapping[str, str | int | float]
    rows: Sequence[Row]
    curves: Sequence[Curve] = ()
    experiments: Sequence[Experiment] = ()
    notes: Sequence[str] = field(default_factory=tuple)  # interrupted, unstable, ...
    disturbed: Sequence[str] = ()


def run_of(timing: Timing, measurement: Measurement, baseline: str | None = None) -> Run:
    """One process's part of a row; without a baseline there are no ratios."""
    ratios: tuple[float, ...] = ()
    if baseline is not None and baseline in measurement.timings:
        found = measurement.ratios(timing.name, baseline)
        if found:
            relative = Timing("", 1, tuple(found), (0.0,) * len(found))
            ratios = tuple(map(median, relative.stretches))
    return Run(
        tuple(map(median, timing.stretches)),
        ratios,
        timing.minimum,
        timing.loops,
        timing.stretches,
    )


def few(times: Sequence[float]) -> Run:
    """The part of one process that measured calls one by one, since each takes long."""
    values = tuple(map(float, times))
    return Run(values, (), min(values), 1)
