"""Fresh processes that measure, one after the other, and what they found together.

Where code and data happen to lie in memory differs between processes, and so does what a call
costs, by some per cent: one process alone would be sure of a number that the next one does not
find again. So the ladder is climbed in several, and their rows are put together.

Ctrl-C reaches this process alone, which passes it on: the worker stops after the round that it is
in, and sends what it has. A second one ends the worker.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

from .interpreter import command
from .results import Row

__all__ = ["Crew", "merged"]

Progress = Callable[[str, int, int], None]


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
        options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
        with (
            self._passing_interrupts_on(),
            subprocess.Popen(
                command("jumptable.measuring.worker", "main", {"what": what, **job}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                **options,
            ) as process,
        ):
            self._listens, self._process = False, process
            try:
                if self.interrupted:  # while the process was started
                    return []
                assert process.stdout is not None
                return self._listen(what, process, process.stdout)
            finally:
                process.kill()
                self._process = None

    def _listen(self, what: str, process: subprocess.Popen[bytes], out: IO[bytes]) -> list[Any]:
        doing = "starting"
        while True:
            try:
                message = pickle.load(out)
            except (EOFError, pickle.UnpicklingError):
                status = process.wait()
                if not self.interrupted:
                    self.failures.append(f"{what}: its process {_ended(status)} while {doing}")
                return []
            self._listens = True
            if message[0] == "found":
                process.wait()
                found: list[Any] = message[1]
                return found
            _, doing, done, total = message
            self.progress(doing, done, total)

    @contextmanager
    def _passing_interrupts_on(self) -> Iterator[None]:
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
                process.kill()  # for a second time, or it has nothing yet to send
            elif os.name == "posix":  # elsewhere Ctrl-C reaches it as well
                process.send_signal(signal.SIGINT)
        self.interrupted = True


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
