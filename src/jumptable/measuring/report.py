"""How results are shown: tables that are readable as plain text."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .ladder import BASELINE, Rung
from .timing import Measurement, Timing

__all__ = ["ladder_document", "print_ladder", "print_table"]

SCHEMA = "jumptable-bench/1"
HEADINGS = ("call", "median ns", "minimum ns", "x direct", "quartiles")


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first column is text and whose others are right-aligned.

    Rich draws it if it is installed and the output is a terminal.
    """
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.table import Table
        except ImportError:
            pass
        else:
            table = Table(title=title, title_justify="left")
            for index, heading in enumerate(headings):
                table.add_column(heading, justify="right" if index else "left", no_wrap=index > 0)
            for row in rows:
                table.add_row(*row)
            Console(highlight=False, markup=False).print(table)
            return
    print(plain_table(title, headings, rows))


def plain_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(headings), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([title, "", aligned[0], rule, *aligned[1:]])


def print_ladder(
    rungs: Sequence[Rung], measurement: Measurement, machine: dict[str, str | int]
) -> None:
    """Print the machine's facts and the ladder on the standard output."""
    rounds = f"{measurement.rounds}, interleaved; the empty loop is subtracted"
    for name, fact in {**machine, "rounds": rounds}.items():
        print(f"{name:10} {fact}")
    print()
    title = "What a call of fabs(1.5) costs"
    print_table(title, HEADINGS, [_cells(rung, measurement) for rung in rungs])


def _cells(rung: Rung, measurement: Measurement) -> list[str]:
    if rung.contestant is None:
        return [f"{rung.name} ({rung.missing})", *["-"] * (len(HEADINGS) - 1)]
    timing, ratio = measurement[rung.name], measurement.ratio(rung.name, BASELINE)
    return [
        rung.name,
        nanoseconds(timing.spread.median),
        nanoseconds(timing.minimum),
        f"{ratio.median:.2f}",
        f"{ratio.low:.2f}-{ratio.high:.2f}",
    ]


def nanoseconds(value: float) -> str:
    """Three digits are what a measurement is good for."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def ladder_document(
    rungs: Sequence[Rung], measurement: Measurement, machine: dict[str, str | int]
) -> dict[str, object]:
    """The ladder as JSON: times in nanoseconds per call, ratios to the row ``baseline``."""
    return {
        "schema": SCHEMA,
        "machine": machine,
        "rounds": measurement.rounds,
        "seed": measurement.seed,
        "baseline": BASELINE,
        "rows": [_entry(rung, measurement) for rung in rungs],
    }


def _entry(rung: Rung, measurement: Measurement) -> dict[str, object]:
    if rung.contestant is None:
        return {"name": rung.name, "missing": rung.missing}
    ratio = measurement.ratio(rung.name, BASELINE)
    return {
        "name": rung.name,
        **timing_entry(measurement[rung.name]),
        "ratio": ratio.median,
        "ratio_quartiles": [ratio.low, ratio.high],
    }


def timing_entry(timing: Timing) -> dict[str, object]:
    spread = timing.spread
    return {
        "median_ns": spread.median,
        "minimum_ns": timing.minimum,
        "quartiles_ns": [spread.low, spread.high],
        "loops": timing.loops,
    }
