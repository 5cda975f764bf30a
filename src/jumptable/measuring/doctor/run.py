"""One fresh process: started like this one, waited for, and ended with all that it started."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

from ..interpreter import command, interpreter_options
from ..processgroup import end_group, ends, own_group

__all__ = ["Outcome", "run"]

# What a child may need for everything but opening the plugin; nothing that is measured.
# The file whose frames are the opening thread's.
CHILD = os.path.join("doctor", "child.py")
GRACE = 60.0
FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$')
MOST_OUTPUT = 2000


@dataclass
class Outcome:
    """How it ended: ``answer`` is what the child said, empty if it came to no end."""

    answer: dict[str, Any]
    status: int
    timed_out: bool
    stack: list[tuple[str, int, str]] = field(default_factory=list)
    output: str = ""


def run(job: dict[str, Any], timeout: float) -> Outcome:
    """Do a job in a fresh process with this one's ``sys.path``, folder and interpreter options.

    Whatever happens, also KeyboardInterrupt, the process and its group have ended afterwards.
    """
    with tempfile.TemporaryDirectory(
        prefix="jumptable-doctor-", ignore_cleanup_errors=True
    ) as folder:
        answer, trace = os.path.join(folder, "answer"), os.path.join(folder, "trace")
        written = os.path.join(folder, "output")
        job = {**job, "answer": answer, "trace": trace, "timeout": timeout}
        with open(written, "wb") as out, open(written + "2", "wb") as err:
            status, late = _wait(_command(job), out, err, timeout + GRACE)
        text = _read(trace)
        return Outcome(
            _literal(_read(answer)),
            status,
            late or text.startswith("Timeout ("),
            _stack(text),
            _last(written) + _last(written + "2"),
        )


def _command(job: dict[str, Any]) -> list[str]:
    return command("jumptable.measuring.doctor.child", "main", job, options=_options())


def _options() -> list[str]:
    """Of the interpreter, but those by which it writes where the plugin's output is looked for."""
    options: list[str] = []
    for option in interpreter_options():
        if options and options[-1] == "-X" and option.startswith("importtime"):
            options.pop()
        elif not option.startswith("-v"):
            options.append(option)
    return options


def _wait(command: list[str], out: Any, err: Any, timeout: float) -> tuple[int, bool]:
    """The exit status, and whether it had to be ended."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **own_group()
    )
    ended = False
    try:
        ended = ends(process, time.monotonic() + timeout)
    finally:
        end_group(process)
    return process.returncode, not ended


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()
    except OSError:
        return ""


def _last(path: str) -> str:
    """The end of what it has written, which says more of a failure than the beginning."""
    with open(path, "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - MOST_OUTPUT, 0))
        return file.read(MOST_OUTPUT).decode("utf-8", "backslashreplace")


def _literal(text: str) -> dict[str, Any]:
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {}  # ended while it was written
    return value if isinstance(value, dict) else {}


def _stack(trace: str) -> list[tuple[str, int, str]]:
    """The frames of the thread that was opening the plugin, from what faulthandler wrote."""
    for block in re.split(r"\n(?=\S)", trace):
        frames = [match.groups() for line in block.splitlines() if (match := FRAME.match(line))]
        stack = [(file, int(line), function) for file, line, function in frames]
        if any(file.endswith(CHILD) for file, _, _ in stack):
            return stack
    return []
