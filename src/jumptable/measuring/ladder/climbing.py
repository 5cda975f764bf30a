"""Prepare every rung that this machine has, time them in turns, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from ..results import Row, run_of
from ..timing import SLICE_NS, Contestant, Measurement, measure
from . import calls, compiled, counting, dispatch, foreign, golang, hotpath, processes, webassembly
from .rung import Preparation, Rung, Shared, reason

__all__ = ["BASELINE", "RUNGS", "Climbed", "climb"]

BASELINE = calls.BASELINE

RUNGS: tuple[Rung, ...] = (
    *calls.RUNGS,
    *compiled.IN_C,
    *counting.RUNGS,
    *foreign.RUNGS,
    *dispatch.RUNGS,
    *hotpath.RUNGS,
    *webassembly.RUNGS,
    *processes.RUNGS,
    *golang.RUNGS,
    *compiled.MACHINE,
)

STOPPED = "not measured: the bench was stopped before"


@dataclass(frozen=True)
class Climbed:
    """A row for each rung, in order: with one run, or with the reason why there is none."""

    rows: list[Row]
    measurement: Measurement


class _FailedError(Exception):
    """A contestant raised while it was timed: its name, and ``__cause__``."""


def climb(
    rounds: int,
    *,
    seed: int = 0,
    slice_ns: int = SLICE_NS,
    only: Collection[str] | None = None,
    quick: bool = False,
    starting: Callable[[str], object] = lambda name: None,
    go_on: Callable[[int, int], bool] = lambda done, rounds: True,
    rungs: Sequence[Rung] = RUNGS,
) -> Climbed:
    """Time the rungs that this machine has, interleaved; those named in ``only``, if it is given.

    ``starting(name)`` is called before each is prepared, and ``go_on`` is `measure`'s. ``quick``:
    nothing is compiled. A rung that fails is missing, with the reason, and stops no other. What was
    opened for them is closed at the end, whatever that is.
    """
    if only is not None:
        rungs = _chosen(rungs, only)
    closing = ExitStack()
    try:
        missing: dict[str, str] = {}
        present: dict[str, Contestant] = {}
        shared = Shared(closing)
        for rung in rungs:
            starting(rung.name)
            try:
                with ExitStack() as opened:
                    contestant = rung.make(Preparation(rung.name, opened, shared, quick))
                    closing.push(opened.pop_all())
            except Exception as error:
                missing[rung.name] = reason(error)
            else:
                present[rung.name] = _guarded(contestant)
        while True:
            try:
                measurement = measure(
                    present.values(), rounds=rounds, seed=seed, slice_ns=slice_ns, go_on=go_on
                )
                break
            except _FailedError as failed:
                name, cause = str(failed), failed.__cause__
                assert isinstance(cause, Exception)
                del present[name]
                missing[name] = reason(cause)
    finally:
        # What was measured is worth more than to know that something was not closed.
        with suppress(Exception):
            closing.close()
    return Climbed([_row(rung, missing.get(rung.name), measurement) for rung in rungs], measurement)


def _chosen(rungs: Sequence[Rung], only: Collection[str]) -> list[Rung]:
    if unknown := set(only).difference(rung.name for rung in rungs):
        raise ValueError(
            f"unknown rows: {', '.join(map(repr, sorted(unknown)))}; "
            f"expected some of: {', '.join(repr(rung.name) for rung in rungs)}"
        )
    return [rung for rung in rungs if rung.name in only]


def _guarded(contestant: Contestant) -> Contestant:
    """Says who failed; costs a call per turn."""
    loop = contestant.loop

    def guarded(count: int) -> int:
        try:
            return loop(count)
        except Exception as error:
            raise _FailedError(contestant.name) from error

    return replace(contestant, loop=guarded)


def _row(rung: Rung, missing: str | None, measurement: Measurement) -> Row:
    row = Row(rung.name, rung.group, rung.about, rung.guide, elsewhere=rung.elsewhere)
    if missing is not None:
        return replace(row, missing=missing)
    timing = measurement.timings.get(rung.name)
    if timing is None:
        return replace(row, missing=STOPPED)
    return replace(row, runs=(run_of(timing, measurement, BASELINE),))
