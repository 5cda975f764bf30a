"""What a measurement must say about itself: the machine, the interpreter, the versions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from datetime import datetime, timezone
from glob import glob
from importlib.metadata import PackageNotFoundError, version

from .. import __version__

__all__ = ["describe", "load", "packages", "usable_processors"]


# What rows of the ladder and competitors in benchmarks are made of, where it is installed.
PACKAGES = ("cffi", "grpcio", "pluggy", "wasmtime")


def describe() -> dict[str, str | int | float]:
    """Facts under which times are comparable; nothing that names the host or its user."""
    facts: dict[str, str | int | float] = {
        "cpu": _cpu(),
        "cpus": os.cpu_count() or 1,
        "usable cpus": usable_processors(),
        "governor": _governor(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "build": _build(),
        "compiler": platform.python_compiler(),
        "jumptable": __version__,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }
    busy = load()
    if busy is not None:
        facts["load"] = round(busy, 2)
    return facts


def packages() -> dict[str, str]:
    """The versions of other packages that are measured beside this one."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found


def load() -> float | None:
    """How many processes computed during the last minute, on average; None: not told here."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def usable_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _governor() -> str:
    """What decides on the processors' clock rate; where nothing is told, a host may still do so."""
    found = set()
    for path in glob("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                found.add(file.read().strip())
        except OSError:
            pass
    return ", ".join(sorted(found)) if found else "not told by this system"


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
