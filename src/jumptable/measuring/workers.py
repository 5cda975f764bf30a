"""Fresh processes that measure, one after the other, and what they found together.

Where code and data happen to lie in memory differs between processes, and so does what a call
costs, by some per cent: one process alone would be sure of a number that the next one does not
find again. So the ladder is climbed in several, and their rows are put together.

Ctrl-C reaches this process alone, which passes it on: the worker stops after the round that it is
in, and sends what it has. A second one ends the worker, and what it started.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from math import inf
from time import monotonic
from typing import IO, Any

from .interpreter import command
from .processgroup import end_group, ends
from .results import Row
from .worker import HELLO

__all__ = ["Crew", "merged"]

Progress = Callable[[str, int, int], None]

# How long, in seconds, a worker may take to end that has said all.
ENDING = 10


class Crew:
    """Runs workers; afterwards `interrupted` and `failures` say what is not there, and why."""

    def __init__(self, progress: Progress = lambda what, done, total: None) -> None:
        self.progress = progress
        self.interrupted = False
        self.failures: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._listens = False

    def work(self, what: str, **job: Any) -> list[Any]:
        """What a worker found; nothing if it failed, or if there was an interrupt before."""
        if self.interrupted:
            return []
        with self.passing_interrupts_on():
            try:
                process = _started({"what": what, **job})
            except OSError as error:
                self.failures.append(f"{what}: its process cannot be started: {error.strerror}")
                return []
            with process:
                self._listens, self._process = False, process
                try:
                    if self.interrupted:  # while the process was started
                        return []
                    assert process.stdout is not None
                    return self._listen(what, process, process.stdout)
                finally:
                    self._process = None
                    end_group(process)

    def _listen(self, what: str, process: subprocess.Popen[bytes], out: IO[bytes]) -> list[Any]:
        doing = "starting"
        _skip_noise(out)
        while True:
            try:
                message = pickle.load(out)
            except (EOFError, pickle.UnpicklingError):
                ends(process, inf)
                end_group(process)
                if not self.interrupted:
                    ended = _ended(process.returncode)
                    self.failures.append(f"{what}: its process {ended} while {doing}")
                return []
            self._listens = True
            if message[0] == "found":
                ends(process, monotonic() + ENDING)
                found: list[Any] = message[1]
                return found
            _, doing, done, total = message
            self.progress(doing, done, total)

    @contextmanager
    def passing_interrupts_on(self) -> Iterator[None]:
        """Between one worker and the next, too, an interrupt must not lose what there is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, *_: object) -> None:
        process = self._process
        if process is not None:
            if self.interrupted or not self._listens:
                _kill(process)  # for a second time, or it has nothing yet to send
            elif os.name == "posix":  # elsewhere Ctrl-C reaches it as well
                process.send_signal(signal.SIGINT)
        self.interrupted = True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """From within a handler, so without waiting. Who waits for it reaps it."""
    if os.name == "posix" and process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _started(job: dict[str, Any]) -> subprocess.Popen[bytes]:
    if not sys.executable:  # an interpreter inside of another program
        raise FileNotFoundError(0, "sys.executable does not say which interpreter this is")
    options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
    line = command("jumptable.measuring.worker", "main", job)
    return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options)


def _skip_noise(out: IO[bytes]) -> None:
    """What a sitecustomize or a .pth file prints before the first message; others may see it."""
    for line in out:
        if line.endswith(HELLO):
            return
        if sys.stderr is not None:
            sys.stderr.write(line.decode("utf-8", "backslashreplace"))


def _ended(status: int) -> str:
    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"ended with status {status}"


def merged(climbs: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows of several processes as one: those measured in any have the runs of all."""
    found: dict[str, Row] = {}
    for rows in climbs:
        for row in rows:
            known = found.get(row.name)
            runs = (known.runs if known else ()) + row.runs
            missing = "" if runs else row.missing
            found[row.name] = replace(row, runs=runs, missing=missing)
    return list(found.values())
