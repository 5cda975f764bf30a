"""Compilers and the like, ended with all that they started, however this process fares."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from ..processgroup import end_group, own_group
from .asked import last_line
from .rung import UnavailableError

__all__ = ["built", "c_compiler", "scratch"]

PATIENCE = 300.0  # a first build by Go takes a minute on a slow machine
NO_COMPILER = (
    "there is no C compiler: install gcc or clang, or set CC to one that takes their options"
)


def scratch(folder: str) -> dict[str, str]:
    """Where a compiler is to leave what it leaves behind when it is ended."""
    return dict.fromkeys(("GOTMPDIR", "TMPDIR", "TMP", "TEMP"), folder)


def c_compiler() -> list[str]:
    """As a command. CC is what build tools look at first."""
    chosen = shlex.split(os.environ.get("CC", ""), posix=os.name == "posix")
    if chosen and shutil.which(chosen[0]):
        return chosen
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    raise UnavailableError(NO_COMPILER)


def built(command: Sequence[str], environment: Mapping[str, str], failure: str) -> bytes:
    """What it said. UnavailableError if it fails, or hangs; ``failure`` says what that means."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            **own_group(),
        )
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"{failure}: no end within {PATIENCE:g} s") from None
        finally:  # not, if it was waited for
            end_group(process)
        output.seek(0)
        said = output.read()
    if status:
        raise UnavailableError(f"{failure}: {last_line(said) or f'exit status {status}'}")
    return said
