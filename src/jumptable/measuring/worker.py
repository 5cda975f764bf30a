"""What a process of ``bench`` runs: measure one thing, say how far it is, and send what was found.

Messages are pickles, one after the other, on what was the standard output, behind a line that says
that they begin: ``("progress", what, done, total)`` and at the end ``("found", result)``. An
interrupt stops the measurement, and what it has so far is sent.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

__all__ = ["HELLO", "main"]

HELLO = b"jumptable: messages follow\n"

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
    _fill_standard_error()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything that is measured prints is no message
    last = 0.0

    def send(*message: object) -> None:
        try:
            pickle.dump(message, out)
            out.flush()
        except OSError:
            # Nobody is there any more whom to tell; what is left in the buffer must go somewhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
            sys.exit(1)

    def say(what: str, done: int, total: int, *, always: bool = False) -> None:
        nonlocal last
        now = monotonic()
        if always or now - last >= EVERY:
            last = now
            send("progress", what, done, total)

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

    out.write(HELLO)
    try:
        say("starting", 0, 0, always=True)
        found = JOBS[job["what"]](job, starting, go_on)
    except KeyboardInterrupt:
        found = []
    send("found", found)


def _fill_standard_error() -> None:
    """Where it is closed, the next file that is opened would be taken for it."""
    try:
        os.fstat(2)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


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

    return draw(starting=starting, go_on=go_on)


def _experiments(job: dict[str, Any], starting: Starting, go_on: GoOn) -> list[Any]:
    from .experiments import run

    return run(starting=starting, go_on=go_on)


JOBS: dict[str, Callable[[dict[str, Any], Starting, GoOn], list[Any]]] = {
    "ladder": _ladder,
    "curves": _curves,
    "experiments": _experiments,
}
