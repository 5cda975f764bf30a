"""What do checking a plugin against an interface, and swapping one, cost?

A first bind is timed on a library that was copied and opened for it, so that all of its symbols are
really looked up; no file is opened twice.
"""

from __future__ import annotations

import ctypes
import importlib
import shutil
from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import pytest

import jumptable
from competitors import Competitors, MissingError
from jumptable.measuring import report
from jumptable.measuring.timing import Contestant, Measurement, measure, statement
from methods import interface, python_plugin
from results import Results, entered, met

METHODS = 100
SIZES = (1, 10, 100)
# Libraries are never closed: more would only fill the memory.
MOST_LIBRARIES = 200
NATIVE, PYTHON = "native: plugin.bind", "Python: plugin.bind"
AT_MOST_MS = {NATIVE: 1.0, f"{NATIVE}, annotations are strings": 1.0, PYTHON: 3.0}
SIGNATURE = "double(double)"


@pytest.fixture
def fresh(competitors: Competitors, tmp_path: Path) -> Callable[[], str]:
    """Gives the path of a library with 100 functions, a new copy each time."""
    built = Path(competitors.build("hundred"))
    numbers = count()

    def copy() -> str:
        return str(shutil.copy(built, tmp_path / f"{next(numbers)}{built.suffix}"))

    return copy


def bench_bind(
    fresh: Callable[[], str],
    results: Results,
    rounds: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted, texts = interface(METHODS), interface(METHODS, strings=True)
    bound, python = jumptable.open(fresh()), python_target(METHODS, tmp_path, monkeypatch)
    names = [f"f{index}" for index in range(METHODS)]

    def with_ctypes(path: str) -> None:
        library, double = ctypes.CDLL(path), ctypes.c_double
        for name in names:
            function = getattr(library, name)
            function.argtypes, function.restype = (double,), double

    measurement = measure(
        [
            once(NATIVE, lambda: jumptable.open(fresh()), lambda plugin: plugin.bind(wanted)),
            once(
                f"{NATIVE}, annotations are strings",
                lambda: jumptable.open(fresh()),
                lambda plugin: plugin.bind(texts),
            ),
            once(
                "native: the same plugin again", lambda: bound, lambda plugin: plugin.bind(wanted)
            ),
            once(
                "native: one look-up per method",
                lambda: jumptable.open(fresh()),
                lambda plugin: [plugin.lookup(name, SIGNATURE) for name in names],
            ),
            once("ctypes: open, argtypes and restype per function", fresh, with_ctypes),
            once(PYTHON, lambda: python, lambda plugin: plugin.bind(wanted)),
        ],
        rounds=min(rounds, MOST_LIBRARIES),
        slice_ns=1,  # one bind per round and contestant
    )
    show(results, measurement)


def once(name: str, prepare: Callable[[], object], run: Callable[..., object]) -> Contestant:
    """A contestant that needs something new for each run, in which no time is counted."""

    def loop(count: int) -> int:
        total = 0
        for _ in range(count):
            prepared = prepare()
            start = perf_counter_ns()
            run(prepared)
            total += perf_counter_ns() - start
        return total

    return Contestant(name, loop)


def show(results: Results, measurement: Measurement) -> None:
    rows, entries = [], []
    facts: dict[str, dict[str, object]] = {}
    for name, timing in measurement.timings.items():
        spread = timing.spread
        target, cells = AT_MOST_MS.get(name), ["", ""]
        if target is not None:
            fast = spread.median < target * 1e6
            cells = [f"< {target:.0f} ms", met(fast)]
            facts[name] = {"at_most_ms": target, "met": fast}
        rows.append(
            [
                name,
                f"{spread.median / 1e6:.3f}",
                f"{timing.minimum / 1e6:.3f}",
                f"{spread.low / 1e6:.3f}-{spread.high / 1e6:.3f}",
                report.nanoseconds(spread.median / METHODS),
                *cells,
            ]
        )
        entries.append({"name": name, **report.timing_entry(timing), "at_most_ms": target})
    headings = (
        "bind",
        "median ms",
        "minimum ms",
        "quartiles",
        "ns per method",
        "target",
        "verdict",
    )
    question = f"An interface of {METHODS} methods"
    title = f"{question}, {measurement.rounds} rounds"
    times = entered(question, measurement, NATIVE, facts)
    results.table(title, headings, rows, entries, times)


def bench_swap(
    fresh: Callable[[], str],
    competitors: Competitors,
    results: Results,
    rounds: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugins = [jumptable.open(fresh()), jumptable.open(fresh())]
    known, found = {}, []
    for size in SIZES:
        wanted = interface(size)
        python = python_target(size, tmp_path, monkeypatch)
        objects: list[object] = [python.bind(wanted) for _ in range(2)]
        bound = [plugin.bind(wanted) for plugin in plugins]
        cases: dict[str, tuple[jumptable.Table[Any], list[object]]] = {
            "native plugins": (jumptable.Table(wanted), [*plugins]),
            "objects that plugin.bind gave": (jumptable.Table(wanted), [*bound]),
            "Python objects": (jumptable.Table(wanted), objects),
        }
        try:
            table = jumptable.Table(wanted)
            table.bind(plugins[0])
            ask_from_c(competitors, table, bound[0])
            cases["native plugins, all slots used from C"] = (table, [*plugins])
        except MissingError as error:
            competitors.missing["host"] = str(error)
        for kind, (table, sources) in cases.items():
            values: dict[str, object] = {"table": table, "sources": cycle(sources), "next": next}
            found.append(statement(f"{kind} {size}", "table.bind(next(sources))", values))
            known[f"{kind} {size}"] = kind
        making = {"Table": jumptable.Table, "interface": wanted}
        found.append(statement(f"{MAKING} {size}", "Table(interface)", making))
        known[f"{MAKING} {size}"] = MAKING
    only = {"table": jumptable.Table(interface(METHODS)), "sources": cycle(plugins), "next": next}
    one = f"{ONE} {METHODS}"
    found.append(statement(one, 'table.bind(next(sources), only=("f0",))', only))
    measurement = measure(found, rounds=min(rounds, 500))
    rows, entries = [], []
    for kind in [*dict.fromkeys(known.values()), ONE]:
        times = {
            size: measurement[f"{kind} {size}"].spread.median
            for size in SIZES
            if f"{kind} {size}" in measurement.timings
        }
        each = times[METHODS] / (1 if kind == ONE else METHODS)
        shown = [f"{times[size] / 1e3:.1f}" if size in times else "" for size in SIZES]
        rows.append([kind, *shown, report.nanoseconds(each)])
        entries.append({"name": kind, "ns": times, "ns per method": each})
    headings = ["table.bind(source)", *[f"us, {size} methods" for size in SIZES], "ns per method"]
    question = "A swap of a table's slots"
    title = f"{question}, median of {measurement.rounds} rounds"
    saved = entered(question, measurement, f"native plugins {METHODS}")
    results.table(title, headings, rows, entries, saved)


MAKING = "making the table"
ONE = "a native plugin, only=(name,)"


def ask_from_c(competitors: Competitors, table: jumptable.Table[Any], bound: object) -> None:
    """Have the table make a line for each slot."""
    host = competitors.module("host")
    for name in table.names:
        host.get_slot(table, name, getattr(bound, name).__self__.signature)


def python_target(size: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> jumptable.Plugin:
    """A Python plugin that fits `methods.interface`, opened."""
    name = f"plugin_of_{size}"
    (folder / f"{name}.py").write_text(python_plugin(size), "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    return jumptable.open(f"{name}:Plugin")
