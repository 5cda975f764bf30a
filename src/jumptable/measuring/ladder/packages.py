"""Third-party packages, which may be missing, or unfit for this interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from importlib import import_module
from typing import Any

from .rung import UnavailableError

__all__ = ["command", "not_installed", "package"]

ENABLES_GIL = 3
PATIENCE = 60.0
# What the extra leaves out on 3.13, as no marker tells a free-threaded one.
NOT_FOR_313 = ("cffi", "grpcio")


def package(module: str, distribution: str, extra: str = "bench") -> Any:
    """A module of a package that an extra brings."""
    if module not in sys.modules and _enables_gil(module):
        raise UnavailableError(
            f"{distribution} would enable the GIL for everything else: "
            "run the bench on an interpreter with a GIL"
        )
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise not_installed(distribution, extra) from None
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # it exits, or panics in Rust
        raise UnavailableError(f"{distribution} does not import: {error!r}") from None


def not_installed(distribution: str, extra: str = "bench") -> UnavailableError:
    how = f'pip install "jumptable[{extra}]"'
    if distribution in NOT_FOR_313 and sys.version_info[:2] == (3, 13):
        how = f"pip install {distribution}"
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            how = "it has no build for the free-threaded 3.13, so use another Python"
    return UnavailableError(f"{distribution} is not installed: {how}")


def command(code: str, *arguments: str) -> list[str]:
    """Runs code in an interpreter that finds the same modules as this one, in whatever folder."""
    path = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
    return [sys.executable, "-c", f"import sys; sys.path[:] = {path!r}\n{code}", *arguments]


def _enables_gil(module: str) -> bool:
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    code = f"import {module}\nsys.exit({ENABLES_GIL} * sys._is_gil_enabled())"
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *command(code)[1:]],
            stdin=subprocess.DEVNULL,
            # Not pipes: they stay open as long as anything that the package started.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"import {module} had not ended after {PATIENCE:g} s") from None
    return done.returncode == ENABLES_GIL
