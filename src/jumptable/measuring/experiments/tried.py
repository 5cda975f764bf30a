"""Try every experiment, and leave nothing behind but the libraries that are open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ..ladder.rung import reason
from ..results import Experiment
from . import collecting, mapping, optimising, pooling, stripping
from .trying import Maker, StoppedError, Trying

__all__ = ["EXPERIMENTS", "run"]

EXPERIMENTS: tuple[Maker, ...] = (
    pooling.EXPERIMENT,
    mapping.EXPERIMENT,
    collecting.EXPERIMENT,
    stripping.EXPERIMENT,
    optimising.EXPERIMENT,
)

STOPPED = "not measured: the bench was stopped before"
ROUNDS, COPIES = 200, 20


def run(
    starting: Callable[[str], object] = lambda idea: None,
    go_on: Callable[[int, int], bool] = lambda done, total: True,
    experiments: Sequence[Maker] = EXPERIMENTS,
    rounds: int = ROUNDS,
    copies: int = COPIES,
) -> list[Experiment]:
    """Every experiment, in order: with its trials and its verdict, or why there are none.

    ``starting(idea)`` is called before each, ``go_on(done, total)`` often; once it says no, no more
    is tried.
    """
    found = []
    stopped = False
    for number, maker in enumerate(experiments):

        def more(number: int = number) -> bool:
            nonlocal stopped
            stopped = stopped or not go_on(number, len(experiments))
            return not stopped

        if not more():
            found.append(Experiment(maker.idea, missing=STOPPED))
            continue
        starting(maker.idea)
        found.append(_tried(maker, more, rounds, copies))
    return found


def _tried(maker: Maker, more: Callable[[], bool], rounds: int, copies: int) -> Experiment:
    try:
        with ExitStack() as closing:
            trials, verdict = maker.try_out(Trying(closing, more, rounds, copies))
    except StoppedError:
        return Experiment(maker.idea, missing=STOPPED)
    except Exception as error:
        return Experiment(maker.idea, missing=reason(error))
    return Experiment(maker.idea, trials, verdict)
