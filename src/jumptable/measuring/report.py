"""How results are shown: a table that is readable as plain text, and JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence

from .ladder import BASELINE
from .results import Row
from .timing import Measurement, Timing

__all__ = ["check_writable", "ladder_document", "print_ladder", "print_table", "write_json",
           "write_text"]  # fmt: skip

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
    rungs: Sequence[Row], measurement: Measurement, machine: dict[str, str | int]
) -> None:
    """Print the machine's facts and the ladder on the standard output."""
    rounds = f"{measurement.rounds}, interleaved; the empty loop is subtracted"
    for name, fact in {**machine, "rounds": rounds}.items():
        print(f"{name:10} {fact}")
    print()
    title = "What a call of fabs(1.5) costs"
    print_table(title, HEADINGS, [_cells(rung, measurement) for rung in rungs])


def _cells(rung: Row, measurement: Measurement) -> list[str]:
    if rung.missing:
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
    rungs: Sequence[Row], measurement: Measurement, machine: dict[str, str | int]
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


def _entry(rung: Row, measurement: Measurement) -> dict[str, object]:
    if rung.missing:
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


def check_writable(path: str) -> None:
    """OSError now, rather than after minutes of measuring, if `write_json` could not write."""
    if path == "-" or _is_device(path):
        return
    if os.path.exists(path) or not path:
        with open(path, "ab"):
            pass
    temporary = _beside(path)
    with open(temporary, "xb"):
        pass
    os.unlink(temporary)


def write_json(path: str, document: object) -> None:
    """Write a document, whole or not at all; ``-`` is the standard output.

    A file that exists is replaced in one step. A device or a pipe is written to as it is.
    """
    write_text(path, json.dumps(document, indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """Write a text as `write_json` does."""
    if path == "-":
        sys.stdout.write(text)
        return
    if _is_device(path):
        with open(path, "w", encoding="utf-8") as device:
            device.write(text)
        return
    temporary = _beside(path)
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(text)
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        os.replace(temporary, os.path.realpath(path))
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _is_device(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _beside(path: str) -> str:
    # In the folder of what a link leads to: a file can be replaced only within its file system.
    return f"{os.path.realpath(path)}.{os.getpid()}.tmp"
