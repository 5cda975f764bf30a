"""Reports as `bench` makes them, with figures that were chosen."""

from __future__ import annotations

from math import inf, nan

from jumptable.measuring.results import Curve, Experiment, Guide, Report, Row, Run, Trial
from jumptable.measuring.timing import Spread

__all__ = ["HOSTILE", "extreme", "full", "hostile", "row", "spread"]

HOSTILE = """<script>alert("1")</script> & ' $x^2$ </title></svg>--> \x1b[31m \x00 \ud800 \u202e"""
COUNTS = (1, 3, 10, 30, 100, 300, 1000)
MACHINE: dict[str, str | int | float] = {"cpu": "Some Processor", "cpus": 2, "python": "CPython 3"}


def spread(value: float, share: float = 0.05) -> Spread:
    return Spread(value, value * (1 - share), value * (1 + share))


# Of which the quartiles are 0.96 and 1.08.
PARTS = (0.9, 0.96, 1.0, 1.08, 1.2)


def row(
    name: str,
    group: str = "Calls",
    ns: float | None = None,
    *,
    guide: Guide | None = None,
    missing: str = "",
    drift: float = 0.02,
    about: str = "",
) -> Row:
    """Twenty stretches that go up and down by ``drift``."""
    runs: tuple[Run, ...] = ()
    if ns is not None:
        values = tuple(ns * (1 + drift * (number % 5 - 2)) for number in range(20))
        ratios = tuple(value / 40 for value in values)
        runs = (Run(values, ratios, ns * 0.93, 1000, (tuple(ns * part for part in PARTS),)),)
    return Row(name, group, about, guide, missing, runs)


def full() -> Report:
    """All that a report can have."""
    rows = [
        row("direct Python call", "Direct", 40.0, guide=Guide("Direct function call", 1, 1)),
        row("native plugin through a facade", "Through jumptable", 28.8, about="facade.apply(x)",
            guide=Guide("Cached function value", 5, 5)),
        row("interface call", "Through jumptable", 30.2, guide=Guide("Interface call", 5, 10)),
        row("native function, called from C through a slot of a table", "Through jumptable", 1.9),
        row("counter add, unpadded, two threads", "Counters", 9.4, drift=0.3),
        row("less than the clock can tell", "Counters", 0.0),
        row("ctypes, argtypes set", "Others", 345.0),
        row("cffi, ABI mode", "Others", missing="cffi is not installed: pip install cffi"),
        row("interrupted before its turn", "Others"),
        row("look-up in the hot path", "Hot path", 171.0, guide=Guide("Lookup", 100, 1e3)),
        row("open in the hot path", "Hot path", 1.4e3, guide=Guide("Open", 1e6, 1e7)),
        row("subprocess round trip", "Processes", 1.9e6, guide=Guide("exec.Command", 1e6, 1e6)),
        row("Go plugin: direct", "Go", missing="go is not installed: see https://go.dev/dl"),
    ]  # fmt: skip
    curves = [
        Curve("Threads", "C adds, a processor each.", "threads", "ns per add", {
            "one word": [(1, spread(2.4)), (2, spread(10.5, 0.3))],
            "padded, 128 bytes apart": [(1, spread(2.4)), (2, spread(2.5))],
        }),
        Curve("Hook implementations", "All answer.", "implementations", "ns per hook call", {
            name: [(count, spread(first + each * count)) for count in COUNTS]
            for name, first, each in (("pluggy, stock", 1700, 490), ("pluggy, compiled", 58, 50),
                                      ("list comprehension of plain calls", 170, 56))
        }),
        Curve("Odd ones", "", "bytes", "bytes", {
            "nothing at first": [(1, spread(0.0)), (10, spread(5.0)), (100, Spread(nan, nan, nan))],
            "none": [],
            "a single one": [(10, spread(7.0))],
        }),
        Curve("Absent", "", "things", "ns per call", {}, "needs a package: pip install it"),
    ]  # fmt: skip
    experiments = [
        Experiment(
            "Pool the handles",
            [Trial("open again", spread(95)), Trial("a variable", spread(9))],
            "Keeping the function saves all of it.",
        ),
        Experiment(
            "Strip the symbols",
            [
                Trial("size", spread(16_504, 0), "bytes"),
                Trial("stripped", spread(14_200, 0), "bytes"),
                Trial("first open", spread(180e3)),
            ],
            "It saves 2,304 bytes and no time.",
        ),
        Experiment("-O3", missing="there is no C compiler: install one"),
    ]
    notes = ["1 row is unstable: something else ran on this machine"]
    return Report(MACHINE, rows, curves, experiments, notes)


def hostile() -> Report:
    """Names that mean something to HTML, to XML, to matplotlib or to a terminal; and long ones."""
    names = (HOSTILE, "x" * 400, "many words " * 30, "", "$", r"\frac{", "日本語 😀 Ünï")
    points = [(1.0, spread(1.0)), (2.0, spread(20.0))]
    return Report(
        {HOSTILE: HOSTILE},
        [
            *(row(name, name, 5.0, guide=Guide(name, 1, 2), about=name) for name in names),
            *(row(f"{name} missing", name, missing=name) for name in names),
        ],
        [
            Curve(name, name, name, name, {name: points, f"{name} again": points}, name)
            for name in names
        ],
        [Experiment(name, [Trial(name, spread(5.0), name)], name, name) for name in names],
        list(names),
    )


def extreme() -> Report:
    """From less than a clock tells to a second; more series and points than have room."""
    rows = [
        row("far less than the clock can tell", ns=1e-9),
        row("a hundredth", ns=0.011, drift=0.4),
        row("one call that has quite a long name and takes a long time", ns=9.9e8),
        row("a guide without an end", ns=5.0, guide=Guide("odd", 1, inf)),
    ]
    series = {
        f"series number {number} with a name": [
            (count, spread(10.0 + number)) for count in (1, 2, 3)
        ]
        for number in range(12)
    }
    curves = [
        Curve("Many series", "", "things", "bytes", series),
        Curve("Many points", "", "n", "ns", {"a": [(n, spread(5.0)) for n in range(1, 60)]}),
        Curve("Far", "", "n", "ns", {"a": [(10**n, spread(100.0**n)) for n in range(6)]}),
        Curve("One point", "", "n", "ns", {"a": [(5, spread(1.0))]}),
    ]
    return Report({}, rows, curves)
