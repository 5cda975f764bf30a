"""What does it cost to open what is open, and to look up what was looked up?

A dictionary's look-up is the floor.
"""

from __future__ import annotations

import ctypes
import importlib
import sys

import jumptable
from competitors import Competitors
from jumptable.measuring import report
from jumptable.measuring.ladder import math_library
from jumptable.measuring.timing import Measurement, measure, statement
from results import Results, entered, met

AT_MOST_NS = 150.0
MODULE = "jumptable.measuring.example_python"


def bench_open_lookup(competitors: Competitors, results: Results, rounds: int) -> None:
    path, plugin, library = competitors.path, competitors.jumptable, competitors.ctypes
    shared = {"name": "half", "signature": "double(double)", "path": path, "module": MODULE}
    cases: dict[str, tuple[str, dict[str, object]]] = {
        OPEN_PATH: ("open(path)", {"open": jumptable.open}),
        OPEN_LIBRARY: ("open(libm)", {"open": jumptable.open, "libm": math_library().name}),
        OPEN_MODULE: ("open(module)", {"open": jumptable.open}),
        LOOKUP: ("lookup(name, signature)", {"lookup": plugin.lookup}),
        ATTRIBUTE: ("plugin.lookup(name, signature)", {"plugin": plugin}),
        "ctypes.CDLL(path)": ("CDLL(path)", {"CDLL": ctypes.CDLL}),
        "getattr(cdll, name)": ("getattr(library, name)", {"library": library, "getattr": getattr}),
        "importlib.import_module(name)": (
            "import_module(module)",
            {"import_module": importlib.import_module},
        ),
        "sys.modules[name]": ("modules[module]", {"modules": sys.modules}),
        FLOOR: ("known[path]", {"known": {path: plugin}}),
    }
    jumptable.open(MODULE)
    plugin.lookup("half", "double(double)")
    for name, (code, names) in cases.items():
        once, again = (eval(code, {**shared, **names}) for _ in range(2))
        assert once is again or name not in OURS, f"{name} made two of them"
    measurement = measure(
        [statement(name, code, {**shared, **names}) for name, (code, names) in cases.items()],
        rounds=rounds,
    )
    show(results, measurement)


OPEN_PATH = "jumptable.open(absolute path)"
OPEN_LIBRARY = "jumptable.open(library name)"
OPEN_MODULE = "jumptable.open(module name)"
LOOKUP = "lookup(name, signature), bound method"
ATTRIBUTE = "plugin.lookup(name, signature)"
FLOOR = "dict[key], the floor"
OURS = (OPEN_PATH, OPEN_LIBRARY, OPEN_MODULE, LOOKUP, ATTRIBUTE)


def show(results: Results, measurement: Measurement) -> None:
    rows, entries = [], []
    facts: dict[str, dict[str, object]] = {}
    for name, timing in measurement.timings.items():
        ratio = measurement.ratio(name, FLOOR)
        cells = ["", ""]
        if name in OURS:
            fast = timing.spread.median <= AT_MOST_NS
            cells = [f"<= {AT_MOST_NS:.0f} ns", met(fast)]
            facts[name] = {"at_most_ns": AT_MOST_NS, "met": fast}
        rows.append(
            [
                name,
                report.nanoseconds(timing.spread.median),
                report.nanoseconds(timing.minimum),
                f"{ratio.median:.2f}",
                f"{ratio.low:.2f}-{ratio.high:.2f}",
                *cells,
            ]
        )
        entries.append({"name": name, **report.timing_entry(timing), "ratio": ratio.median})
    headings = ("again", "median ns", "minimum ns", "x dict", "quartiles", "target", "verdict")
    question = "Cached open and look-up"
    times = entered(question, measurement, FLOOR, facts)
    results.table(f"{question}, {measurement.rounds} rounds", headings, rows, entries, times)
