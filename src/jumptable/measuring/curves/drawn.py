"""Measure every curve, its points in turns, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ..ladder.rung import reason
from ..results import Curve
from ..timing import Measurement, Spread, measure
from . import distributions, generics, hooks, slots, threads
from .maker import Maker, Point

__all__ = ["CURVES", "draw"]

CURVES: tuple[Maker, ...] = (
    threads.CURVE,
    hooks.CURVE,
    slots.CURVE,
    generics.CURVE,
    distributions.CURVE,
)

STOPPED = "not measured: the bench was stopped before"
SHARE = 1_000  # of the progress, for each curve


def draw(
    starting: Callable[[str], object] = lambda title: None,
    go_on: Callable[[int, int], bool] = lambda done, total: True,
    curves: Sequence[Maker] = CURVES,
) -> list[Curve]:
    """Every curve, in order: with what was measured, or with the reason why nothing was.

    ``starting(title)`` is called before each, ``go_on(done, total)`` before each point is prepared
    and before each round; once it says no, no more is measured.
    """
    found = []
    stopped = False
    for number, maker in enumerate(curves):

        def more(done: int, rounds: int, number: int = number) -> bool:
            nonlocal stopped
            part = SHARE * done // max(rounds, 1)
            stopped = stopped or not go_on(SHARE * number + part, SHARE * len(curves))
            return not stopped

        if stopped or not more(0, 1):
            found.append(_curve(maker, missing=STOPPED))
            continue
        starting(maker.title)
        found.append(_measured(maker, more))
    return found


def _measured(maker: Maker, more: Callable[[int, int], bool]) -> Curve:
    points: list[Point] = []
    try:
        with ExitStack() as closing:
            for point in maker.make(closing):
                points.append(point)
                if not more(0, 1):
                    points.clear()
                    break
            present = [point.contestant for point in points if point.contestant is not None]
            measurement = measure(present, rounds=maker.rounds, slice_ns=maker.slice_ns, go_on=more)
    except Exception as error:
        return _curve(maker, missing=reason(error))
    return _with(maker, points, measurement)


def _curve(maker: Maker, *, missing: str) -> Curve:
    return Curve(maker.title, maker.about, maker.counted, maker.unit, {}, missing)


def _with(maker: Maker, points: Sequence[Point], measurement: Measurement) -> Curve:
    series: dict[str, list[tuple[float, Spread]]] = {}
    missing: dict[str, None] = {}
    for point in points:
        if point.contestant is None:
            missing[f"{point.series}: {point.missing}"] = None
        elif (timing := measurement.timings.get(point.contestant.name)) is not None:
            series.setdefault(point.series, []).append((point.count, timing.spread))
    if not series and not missing:
        missing[STOPPED] = None
    return Curve(maker.title, maker.about, maker.counted, maker.unit, series, "; ".join(missing))
