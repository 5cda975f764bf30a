"""The user's own code in a process of its own, which it may end in any way.

What the process says is a file of lines, each a JSON object, so that what it said before its end is
there whatever that was. A terminal's Ctrl-C reaches it as well as this one.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn

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
        # The path first: it may be where this package is. What is no str, import ignores too.
        path = [entry for entry in sys.path if isinstance(entry, str)]
        code = (
            f"import sys; sys.path[:] = {path!r}\n"
            f"from {__name__} import main; main({function!r}, {dict(job)!r}, {answer!r})"
        )
        options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        process = subprocess.Popen([sys.executable, *options, "-c", code], stdout=output)
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
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    said = []
    for line in lines:
        try:
            said.append(json.loads(line))
        except ValueError:  # ended while it was written
            break
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
        with open(answer, "a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

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
