"""What a measurement must say about itself: the machine, the interpreter, the versions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig

from .. import __version__

__all__ = ["describe"]


def describe() -> dict[str, str | int]:
    """Facts under which times are comparable; nothing that names the host or its user."""
    return {
        "cpu": _cpu(),
        "cpus": os.cpu_count() or 1,
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "build": _build(),
        "compiler": platform.python_compiler(),
        "jumptable": __version__,
    }


def _build() -> str:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "GIL"
    enabled = getattr(sys, "_is_gil_enabled", bool)()
    return "free-threaded, GIL enabled" if enabled else "free-threaded"


def _cpu() -> str:
    name = ""
    try:
        if sys.platform == "linux":
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
                found = [line.partition(":")[2] for line in lines if line.startswith("model name")]
            name = found[0].strip() if found else ""
        elif sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            name = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        pass
    return name.strip() or platform.processor() or platform.machine()
