"""The user's own code in a process of its own, which it may end in any way.

What the process says is a file of pickles, each a dictionary of the package's own plain data, so
that what it said before its end is there whatever that was. A terminal's Ctrl-C reaches it as well
as this one.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from .interpreter import command

__all__ = ["Ended", "how_it_ended", "main", "run", "stop_at_interrupt"]

Say = Callable[[Mapping[str, Any]], None]

# How long after a Ctrl-C what is under way may take: then it is sent another, and then it is ended.
FINISHING, ENDING = 3.0, 10.0


@dataclass(frozen=True)
class Ended:
    """What a process said, in its order, its status as `subprocess` gives it, and whether somebody
    interrupted it."""

    said: list[dict[str, Any]]
    status: int
    interrupted: bool

    def last(self, key: str) -> Any:
        """The latest that it said under this name, or None."""
        return next((one[key] for one in reversed(self.said) if key in one), None)


def run(function: str, job: Mapping[str, Any], output: int | IO[Any] | None = None) -> Ended:
    """Run ``"module:function"`` of this package with a job, in a fresh process.

    It is called with the job and with what it says things with. ``output`` is what the process has
    for its standard output; this process's own if None.
    """
    with tempfile.TemporaryDirectory(prefix="jumptable-bench-", ignore_cleanup_errors=True) as here:
        answer = os.path.join(here, "answer")
        job = dict(job)
        process = subprocess.Popen(command(__name__, "main", function, job, answer), stdout=output)
        interrupted = _wait(process)
        return Ended(_read(answer), process.returncode, interrupted)


def _wait(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait()
        return False
    except KeyboardInterrupt:
        pass
    # The process has got it too, if a terminal sent it. Pressed again, it is more urgent.
    for seconds, more in ((FINISHING, signal.SIGINT), (ENDING, None)):
        try:
            process.wait(seconds)
            return True
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill() if more is None else process.send_signal(more)
    process.wait()
    return True


def _read(path: str) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    try:
        with open(path, "rb") as file:
            while True:
                said.append(pickle.load(file))
    except (OSError, EOFError, pickle.UnpicklingError):  # the last: ended while it was written
        return said


def how_it_ended(status: int) -> str:
    """``with SIGSEGV`` or ``with exit status 3``."""
    if status < 0:
        try:
            return f"with {signal.Signals(-status).name}"
        except ValueError:
            return f"with signal {-status}"
    return f"with exit status {status}"


# ---- in the process -----------------------------------------------------------------------------


def main(function: str, job: dict[str, Any], answer: str) -> NoReturn:
    """Do the job; whatever goes wrong in it is the user's to see."""
    module, _, name = function.partition(":")
    own = os.getpid()

    def say(what: Mapping[str, Any]) -> None:
        if os.getpid() != own:  # forked
            return
        with open(answer, "ab") as file:
            file.write(pickle.dumps(dict(what)))

    work: Callable[[dict[str, Any], Say], int] = getattr(importlib.import_module(module), name)
    sys.exit(work(job, say))


def stop_at_interrupt() -> Callable[[], bool]:
    """From here on the first Ctrl-C makes what comes back say yes; only the second interrupts."""
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    signal.signal(signal.SIGINT, press)
    return lambda: pressed
