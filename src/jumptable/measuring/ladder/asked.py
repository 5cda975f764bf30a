"""A process of its own that times turns when it is asked to.

It says "ready" when it is, and then answers each line "WHAT COUNT" with the nanoseconds that so
many of them took. It ends when its standard input does, so it does not outlive this process,
however that ends.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from ..processgroup import end_group, ends, own_group
from .rung import UnavailableError

__all__ = ["Asked", "last_line"]

PATIENCE = 30.0


class Asked:
    """Such a process; a context manager that ends it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
    ) -> None:
        self._last = ""
        # A pipe that nobody reads would stop it.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                cwd=folder,
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
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(PATIENCE, end)
        timer.start()
        try:
            answer = self._read()
        except UnavailableError:
            if late.is_set():
                raise UnavailableError(f"it was not ready within {PATIENCE:g} s") from None
            raise
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
        except (OSError, ValueError):  # ValueError: it was closed when it had ended
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
        why = self._last or f"exit status {self._process.returncode}"
        return UnavailableError(f"its process ended: {why}")

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
            ends(process, time.monotonic() + patience)
        finally:
            end_group(process)
        if not self._errors.closed:
            self._errors.seek(0)
            self._last = _telling_line(self._errors.read())
            self._errors.close()

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def last_line(output: bytes) -> str:
    return next(filter(None, reversed(_lines(output))), "")


def _telling_line(output: bytes) -> str:
    """Python says last what was wrong, Go first."""
    return next((line for line in _lines(output) if line.startswith("panic: ")), last_line(output))


def _lines(output: bytes) -> list[str]:
    return [line.strip() for line in output.decode(errors="replace").splitlines()]
