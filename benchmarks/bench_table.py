"""What does a call through a table cost, beside the target itself and other ways to forward?

A facade holds the targets as attributes; an object with `__slots__`, written by hand, is its
floor. `Table.slot` and a table that counts add a call, as forwarding in Python does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import jumptable
from competitors import Competitors, MissingError
from jumptable.measuring.timing import Contestant, measure, statement
from results import Results
from signatures import HEADLINE

FACADE = "table.facade.half(x)"
HELD = "__slots__ object, by hand"
OWN = "the plugin's own method"
MODULE = "module.half(x)"
SIGNATURE = "double(double)"


class Filter(Protocol):
    def half(self, x: float) -> float: ...


class Holder:
    """What one would write by hand instead of a table."""

    __slots__ = ("half",)

    def __init__(self, half: Callable[[float], float]) -> None:
        self.half = half


class Forwarder:
    """The same with a method, so that targets can be checked, counted or replaced."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def half(self, x: float) -> float:
        result: float = self.target.half(x)
        return result


class Halver:
    """A Python plugin."""

    def half(self, x: float) -> float:
        return 0.5 * x


def bench_native(competitors: Competitors, results: Results, rounds: int) -> None:
    plugin = competitors.jumptable
    function = plugin.lookup("half", SIGNATURE)
    cases = {
        **through_table(plugin, Holder(function)),
        "plugin.bind(Filter).half(x)": (METHOD, plugin.bind(Filter)),
        "the function, held in a variable": (PLAIN, function),
        **forwarded(function),
    }
    for name, get in OTHERS.items():
        try:
            cases[name] = (METHOD, get(competitors))
        except MissingError as error:
            competitors.missing[name] = str(error)
    measurement = measure(checked(cases), rounds=rounds)
    results.compare("A native plugin", measurement, FACADE, {HELD: 1.15}, competitors.missing)


def bench_python(results: Results, rounds: int) -> None:
    plugin = Halver()
    cases = {
        **through_table(plugin, Holder(plugin.half)),
        OWN: (METHOD, plugin),
        "the bound method, held in a variable": (PLAIN, plugin.half),
        **forwarded(plugin.half),
    }
    measurement = measure(checked(cases), rounds=rounds)
    results.compare("A Python plugin, an object", measurement, FACADE, {OWN: 1.05})


def bench_module(results: Results, rounds: int, tmp_path: Path) -> None:
    module = module_plugin(tmp_path)
    cases = {
        **through_table(module, Holder(module.half)),
        MODULE: (METHOD, module),
        "the function, held in a variable": (PLAIN, module.half),
        **forwarded(module.half),
    }
    measurement = measure(checked(cases), rounds=rounds)
    results.compare("A Python plugin, a module", measurement, FACADE, {MODULE: 1.05})


Case = tuple[str, Any]
METHOD, PLAIN = "f.half(x)", "f(x)"


def through_table(source: object, holder: Holder) -> dict[str, Case]:
    table, counting = jumptable.Table(Filter), jumptable.Table(Filter, count=True)
    table.bind(source)
    counting.bind(source)
    return {
        FACADE: (METHOD, table.facade),
        HELD: (METHOD, holder),
        'table.slot("half")(x)': (PLAIN, table.slot("half")),
        "Table(count=True).facade.half(x)": (METHOD, counting.facade),
    }


def forwarded(function: Callable[[float], float]) -> dict[str, Case]:
    holder = Holder(function)
    return {
        "forwarded by a lambda": (PLAIN, lambda x: holder.half(x)),
        "forwarded by a method": (METHOD, Forwarder(holder)),
        "functools.partial": (PLAIN, partial(function)),
    }


def checked(cases: dict[str, Case]) -> list[Contestant]:
    """Each case as a contestant, if it gives the right result."""
    made = []
    for name, (code, f) in cases.items():
        given = eval(code, {"f": f, "x": 1.5})
        assert given == 0.75, f"{name} gives {given!r}"
        made.append(statement(name, code, {"f": f, "x": 1.5}))
    return made


def module_plugin(folder: Path) -> ModuleType:
    path = folder / "halver.py"
    path.write_text("def half(x):\n    return 0.5 * x\n", "utf-8")
    spec = importlib.util.spec_from_file_location("halver", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_ctypes(competitors: Competitors) -> object:
    half = next(function for function in HEADLINE if function.name == "half")
    return Holder(half.with_ctypes(competitors.ctypes))


# Modules and libraries, called as module.half(x).
OTHERS: dict[str, Callable[[Competitors], object]] = {
    "hand-written extension module": lambda competitors: competitors.module("builtin"),
    "nanobind module": lambda competitors: competitors.module("with_nanobind"),
    "pybind11 module": lambda competitors: competitors.module("with_pybind11"),
    "Cython module": lambda competitors: competitors.module("with_cython"),
    "cffi API mode, lib": lambda competitors: competitors.module("with_cffi").lib,
    "cffi ABI mode, lib": lambda competitors: competitors.cffi_abi,
    "ctypes, held by hand": with_ctypes,
}
