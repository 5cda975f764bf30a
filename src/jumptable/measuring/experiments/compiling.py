"""Libraries to try things with: made by the C compiler, if there is one."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from ..ladder.building import built, c_compiler, scratch
from ..ladder.mathlibrary import math_library
from ..ladder.rung import UnavailableError
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


def library(trying: Trying, name: str, text: str, *flags: str) -> Path:
    """A shared library of this C program."""
    trying.check()
    command = c_compiler()
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
    environment = {**os.environ, **scratch(str(trying.folder))}
    built(command, environment, f"{command[0]} does not make the library")
