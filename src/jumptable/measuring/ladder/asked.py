"""A process of its own that times turns when it is asked to.

It says "ready" when it is, and then answers each line "WHAT COUNT" with the nanoseconds that so
many of them took. It ends when its standard input does, so it does not outlive this process,
however that ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .rung import UnavailableError

__all__ = ["Asked", "end_group", "last_line", "own_group"]

PATIENCE = 30.0


class Asked:
    """Such a process; a context manager that ends it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None):
        # A pipe that nobody reads would stop it.
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                **own_group(),
            )
        except BaseException:
            self._errors.close()
            raise
        try:
            self._wait_until_ready()
        except BaseException:
            self.close(0)
            raise

    def _wait_until_ready(self) -> None:
        timer = threading.Timer(PATIENCE, self._process.kill)
        timer.start()
        try:
            answer = self._read()
        finally:
            timer.cancel()
            timer.join()
        if answer != "ready":
            raise UnavailableError(f"it said {answer!r} when it began, expected 'ready'")

    def loop(self, what: str) -> Callable[[int], int]:
        """Of a contestant."""

        def loop(count: int) -> int:
            return self.ask(f"{what} {count}")

        return loop

    def ask(self, request: str) -> int:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{request}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        return int(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line: bytes = self._process.stdout.readline()
        if not line:
            raise self._ended()
        return line.decode(errors="replace").strip()

    def _ended(self) -> UnavailableError:
        self.close(PATIENCE)
        return UnavailableError(f"its process ended: {self._last or self._process.returncode}")

    _last = ""

    def close(self, patience: float = 5.0) -> None:
        """End it, and what it started; may be called again."""
        process = self._process
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:  # what it was not there to read any more
                pass
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        finally:
            end_group(process)
        if not self._errors.closed:
            self._errors.seek(0)
            self._last = last_line(self._errors.read())
            self._errors.close()

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def own_group() -> dict[str, Any]:
    """Options for a process that Ctrl-C in the terminal does not reach: this one ends it."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process, if it has not ended, and those of its group that are left."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    else:
        process.kill()
    process.wait()


def last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
    return next(filter(None, reversed(lines)), "")
