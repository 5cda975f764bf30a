"""Libraries to try things with: made by the C compiler, if there is one."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..ladder.asked import last_line
from ..ladder.mathlibrary import math_library
from ..ladder.rung import UnavailableError
from ..processgroup import end_group, own_group
from .trying import Trying

__all__ = ["FUNCTION", "SIGNATURE", "library", "sample", "some_library", "started"]

FUNCTION, SIGNATURE = "f0", "double(double)"
FUNCTIONS, DATA = 200, 1 << 16
SAMPLE = "\n".join(
    [
        f"double data[{DATA}] = {{1.0}};",  # half a megabyte, as a plugin with a table has
        *(
            f"double f{number}(double x) {{ return x + {number}.0; }}"
            for number in range(FUNCTIONS)
        ),
    ]
)
NONE = "there is no C compiler: install gcc or clang, or set CC to one that takes their options"


def compiler() -> list[str]:
    """As a command. CC is what build tools look at first."""
    chosen = shlex.split(os.environ.get("CC", ""), posix=os.name == "posix")
    if chosen and shutil.which(chosen[0]):
        return chosen
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    raise UnavailableError(NONE)


def library(trying: Trying, name: str, text: str, *flags: str) -> Path:
    """A shared library of this C program."""
    trying.check()
    command = compiler()
    source = trying.folder / f"{name}.c"
    source.write_text(text, "utf-8")
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    target = source.with_suffix(suffix)
    position = [] if sys.platform == "win32" else ["-fPIC"]
    started(trying, [*command, "-shared", *position, *flags, "-o", str(target), str(source)])
    return target


def sample(trying: Trying, *flags: str) -> Path:
    """A library of many functions like ``f0``, and some data."""
    return library(trying, "sample", SAMPLE, *flags)


def some_library(trying: Trying) -> Path:
    """One to be copied: compiled, or else the system's own."""
    try:
        return sample(trying, "-O2")
    except UnavailableError:
        # Elsewhere it is not a file, or the whole C library, of which there must be one alone.
        path = math_library().path if platform.libc_ver()[0] == "glibc" else None
        if path is None:
            raise
        return Path(path)


def started(trying: Trying, command: Sequence[str]) -> None:
    """Run a compiler or the like; when this is interrupted, that ends, and leaves nothing."""
    scratch = dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(trying.folder))
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **scratch},
            **own_group(),
        )
        try:
            status = process.wait()
        finally:
            end_group(process)
        if status:
            output.seek(0)
            said = last_line(output.read()) or f"exit status {status}"
            raise UnavailableError(f"{command[0]} does not make the library: {said}")
