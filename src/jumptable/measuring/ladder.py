"""The cost ladder: one small call, ``fabs(1.5)``, made in every way that a host could make it."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from glob import glob
from time import perf_counter_ns
from typing import Any

from ..errors import PluginError
from ..loading.plugin import Plugin
from ..loading.registry import open as open_plugin
from . import example_python
from . import loops
from .timing import Contestant, Measurement, measure, statement

__all__ = ["BASELINE", "Rung", "climb", "math_library", "rungs"]

BASELINE = "direct Python call"
ARGUMENT = 1.5
FABS = "fabs", "double(double)"

# Where fabs is: glibc and the BSDs, musl (whose libm is in its libc), macOS, Windows.
LIBRARIES = {
    "darwin": ("libSystem.B.dylib", "/usr/lib/system/libsystem_m.dylib"),
    "win32": ("ucrtbase.dll",),
}
ELSEWHERE = ("libm.so.6", "/lib/libc.musl-*.so.1", "libm.so")


class UnavailableError(Exception):
    """A rung cannot be timed on this machine; the message says why."""


@dataclass(frozen=True)
class Rung:
    """One way to call: what times it, or else ``missing`` says why nothing does."""

    name: str
    contestant: Contestant | None
    missing: str = ""


def climb(rounds: int) -> tuple[list[Rung], Measurement]:
    """Time all the rungs that this machine has, interleaved."""
    ladder = rungs()
    present = [rung.contestant for rung in ladder if rung.contestant is not None]
    return ladder, measure(present, rounds=rounds)


def rungs() -> list[Rung]:
    """The same rungs on every machine, whether they can be timed or not; the baseline first."""
    ladder = []
    for name, make in MAKERS.items():
        try:
            ladder.append(Rung(name, make(name)))
        except UnavailableError as error:
            ladder.append(Rung(name, None, str(error)))
    return ladder


@cache
def math_library() -> Plugin:
    """The C library that has ``fabs``."""
    for pattern in LIBRARIES.get(sys.platform, ELSEWHERE):
        for target in glob(pattern) if "*" in pattern else [pattern]:
            try:
                plugin = open_plugin(target)
                plugin.lookup(*FABS)
            except PluginError:
                continue
            return plugin
    raise UnavailableError("no C math library found")


def _call(name: str, function: object) -> Contestant:
    return statement(name, "f(x)", {"f": function, "x": ARGUMENT})


def _direct(name: str) -> Contestant:
    return _call(name, example_python.magnitude)


def _python(name: str) -> Contestant:
    return _call(name, open_plugin(example_python.__name__).lookup("magnitude"))


def _native(name: str) -> Contestant:
    return _call(name, math_library().lookup(*FABS))


def _cython(name: str) -> Contestant:
    example = open_plugin("jumptable.measuring.example")
    return _call(name, example.lookup("magnitude", "double(double)"))


def _in_c(name: str) -> Contestant:
    address = math_library().lookup(*FABS).__self__.address

    def loop(count: int) -> int:
        start = perf_counter_ns()
        loops.call(address, ARGUMENT, count)
        return perf_counter_ns() - start

    return Contestant(name, loop)


def _ctypes(name: str) -> Contestant:
    try:
        import ctypes
    except ImportError:
        raise UnavailableError("this Python has no ctypes") from None

    fabs = ctypes.CDLL(math_library().path or math_library().name).fabs
    fabs.argtypes, fabs.restype = [ctypes.c_double], ctypes.c_double
    return _call(name, fabs)


def _cffi(name: str) -> Contestant:
    try:
        ffi = importlib.import_module("cffi").FFI()
    except ImportError:
        raise UnavailableError("cffi is not installed") from None
    ffi.cdef("double fabs(double);")
    library: Any = ffi.dlopen(math_library().path or math_library().name)
    return _call(name, library.fabs)


def _lookup(name: str) -> Contestant:
    names = {"plugin": math_library(), "name": FABS[0], "signature": FABS[1], "x": ARGUMENT}
    return statement(name, "plugin.lookup(name, signature)(x)", names)


def _open(name: str) -> Contestant:
    target = math_library().path or math_library().name
    names = {"open": open_plugin, "target": target, "name": FABS[0], "signature": FABS[1]}
    code = "open(target).lookup(name, signature)(x)"
    return statement(name, code, {**names, "x": ARGUMENT})


def _import(name: str) -> Contestant:
    names = {"import_module": importlib.import_module, "module": example_python.__name__}
    return statement(name, "import_module(module).magnitude(x)", {**names, "x": ARGUMENT})


def _reflection(name: str) -> Contestant:
    names = {"signature": inspect.signature, "f": example_python.magnitude, "x": ARGUMENT}
    return statement(name, "bound = signature(f).bind(x)\nf(*bound.args, **bound.kwargs)", names)


MAKERS: dict[str, Callable[[str], Contestant]] = {
    BASELINE: _direct,
    "Python callable through a look-up": _python,
    "native function through a look-up": _native,
    "Cython plugin's C function": _cython,
    "native function, called from C": _in_c,
    "ctypes, argtypes set": _ctypes,
    "cffi, ABI mode": _cffi,
    "look-up in the hot path": _lookup,
    "open and look-up in the hot path": _open,
    "import_module in the hot path": _import,
    "reflection: inspect, bind, call": _reflection,
}
