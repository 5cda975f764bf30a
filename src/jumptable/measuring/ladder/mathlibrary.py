"""The C library that has ``fabs``, which the rungs call."""

from __future__ import annotations

import sys
from functools import cache
from glob import glob

from ...errors import PluginError
from ...loading.plugin import Plugin
from ...loading.registry import open as open_plugin
from .rung import UnavailableError

__all__ = ["FABS", "math_library"]

FABS = "fabs", "double(double)"

# Where fabs is: glibc and the BSDs, musl (whose libm is in its libc), macOS, Windows.
LIBRARIES = {
    "darwin": ("libSystem.B.dylib", "/usr/lib/system/libsystem_m.dylib"),
    "win32": ("ucrtbase.dll",),
}
ELSEWHERE = ("libm.so.6", "/lib/libc.musl-*.so.1", "libm.so")


@cache
def math_library() -> Plugin:
    """Opened once per process."""
    patterns = LIBRARIES.get(sys.platform, ELSEWHERE)
    for pattern in patterns:
        for target in glob(pattern) if "*" in pattern else [pattern]:
            try:
                plugin = open_plugin(target)
                plugin.lookup(*FABS)
            except PluginError:
                continue
            return plugin
    raise UnavailableError(f"no C math library found; looked for {', '.join(patterns) or 'none'}")
