"""What a process of ``bench`` runs: measure one thing, say how far it is, and send what was found.

Messages are pickles, one after the other, on what was the standard output: ``("progress", what,
done, total)`` and at the end ``("found", result)``. An interrupt stops the measurement, and what it
has so far is sent.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

__all__ = ["main"]

# So often, in seconds, is said how far it is: drawing that takes time from what is measured.
EVERY = 0.25


def main(job: dict[str, Any]) -> None:
    """Do a job that `workers` gives."""
    stopped = preparing = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        if preparing:  # which may take long, and nothing was measured that would be lost
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything that is measured prints is no message
    last = 0.0

    def say(what: str, done: int, total: int, *, always: bool = False) -> None:
        nonlocal last
        now = monotonic()
        if always or now - last >= EVERY:
            last = now
            try:
                pickle.dump(("progress", what, done, total), out)
                out.flush()
            except BrokenPipeError:
                sys.exit(1)  # nobody is there any more whom to tell

    def starting(name: str) -> None:
        nonlocal preparing
        if stopped:
            raise KeyboardInterrupt
        preparing = job["what"] == "ladder"
        # Always: if this process does not come back, that is where it was.
        say(f"preparing: {name}", 0, 0, always=True)

    def go_on(done: int, total: int) -> bool:
        nonlocal preparing
        preparing = False
        say("measuring", done, total)
        return not stopped

    try:
        say("starting", 0, 0, always=True)
        found = JOBS[job["what"]](job, starting, go_on)
    except KeyboardInterrupt:
        found = []
    pickle.dump(("found", found), out)
    out.close()


Starting = Callable[[str], None]
GoOn = Callable[[int, int], bool]


def _ladder(job: dict[str, Any], starting: Starting, go_on: GoOn) -> list[Any]:
    from .ladder import climb

    found = climb(
        job["rounds"],
        seed=job["seed"],
        quick=job["quick"],
        only=job["only"],
        starting=starting,
        go_on=go_on,
    )
    return found.rows


def _curves(job: dict[str, Any], starting: Starting, go_on: GoOn) -> list[Any]:
    from .curves import draw

    return draw(False, starting=starting, go_on=go_on)


def _experiments(job: dict[str, Any], starting: Starting, go_on: GoOn) -> list[Any]:
    from .experiments import run

    return run(False, starting=starting, go_on=go_on)


JOBS: dict[str, Callable[[dict[str, Any], Starting, GoOn], list[Any]]] = {
    "ladder": _ladder,
    "curves": _curves,
    "experiments": _experiments,
}
