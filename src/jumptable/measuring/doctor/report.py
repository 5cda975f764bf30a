"""What the doctor found, for a terminal and for scripts."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..wording import printable
from .diagnosis import Diagnosis, status
from .findings import SEVERITIES, Finding, Spot
from .times import Times

__all__ = ["PARTS", "UNKNOWN", "counted", "document", "milliseconds", "print_diagnoses"]

SCHEMA = "jumptable-doctor/1"
PARTS = (("finding", "finding it"), ("dependencies", "dependencies"), ("own", "own initialisation"))
COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
# What a platform may not tell, as it is said to people.
UNKNOWN = {
    "bytes_read": "what native code reads",
    "threads": "threads of native code",
    "descriptors": "descriptors left open",
    "sockets": "sockets of native code",
    "children": "child processes of native code",
    "waited_for": "child processes of native code that have ended",
    "signals": "signal handlers",
    "directory": "the working directory",
    "environment": "the environment",
    "locale": "the locale",
    "memory": "memory",
}


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f}"


def counted(findings: Sequence[Finding]) -> str:
    """``1 error, 2 notes``, or ``none``."""
    numbers = {name: sum(one.severity == name for one in findings) for name in SEVERITIES}
    said = [f"{number} {name}{'s' * (number > 1)}" for name, number in numbers.items() if number]
    return ", ".join(said) or "none"


class Output(Console):
    """A console that leaves a closed pipe to the command line, which knows its exit status."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def print_diagnoses(diagnoses: Sequence[Diagnosis], runs: int) -> None:
    """Print a table of times, and then the findings, on the standard output."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may be in any script
    console = Output(highlight=False, markup=False, emoji=False)
    console.print(_table(diagnoses, runs))
    for one in diagnoses:
        if one.findings:
            console.print()
            console.print(Text(printable(one.target.name), style="bold"))
        for finding in one.findings:
            _print_finding(console, finding)
    unknown = sorted({UNKNOWN[part] for one in diagnoses for part in one.unknown})
    if unknown:
        console.print()
        console.print("Not looked at on this platform: " + ", ".join(unknown))


def _table(diagnoses: Sequence[Diagnosis], runs: int) -> Table:
    title = f"To open, in ms: the median of {runs} run{'s' * (runs != 1)}"
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("plugin", overflow="fold", ratio=1)
    for heading in ("total", "find", "depend.", "own"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("findings", overflow="fold", min_width=10)
    for one in diagnoses:
        times = one.times
        cells = ["-"] * 4
        if times is not None:
            parts = (times.total, times.finding, times.dependencies, times.own)
            cells = [milliseconds(part) for part in parts]
        worst = one.findings[0].severity if one.findings else ""
        found = Text(counted(one.findings), style=COLOURS.get(worst, "green"))
        table.add_row(Text(printable(one.target.name)), *cells, found)
    return table


def _print_finding(console: Console, finding: Finding) -> None:
    first = Text.assemble(
        (finding.severity, COLOURS[finding.severity]),
        f" {finding.symptom}: {printable(finding.message)}",
    )
    _print_indented(console, first, 2)
    for spot in finding.spots:
        # Not wrapped: an editor or a terminal opens what is a path and a line.
        console.print(Text("    " + printable(_told(spot))), soft_wrap=True)
    _print_indented(console, Text(f"fix: {finding.fix}"), 4)


def _print_indented(console: Console, text: Text, indent: int) -> None:
    """Without the spaces that rich fills lines up with, which would be copied along."""
    for line in text.wrap(console, max(console.width - indent, 20)):
        line.rstrip()
        console.print(Text(" " * indent) + line, soft_wrap=True)


def _told(spot: Spot) -> str:
    parts = [spot.where(), spot.detail]
    if spot.by_file:
        parts.append(f"(in {spot.by()})")
    return "  ".join(part for part in parts if part)


def document(
    diagnoses: Sequence[Diagnosis], facts: Mapping[str, str | int | float], options: dict[str, Any]
) -> dict[str, Any]:
    """All of it as JSON, times in seconds; docs/doctor.md says what is in it."""
    return {
        "schema": SCHEMA,
        "machine": facts,
        "runs": options["runs"],
        "timeout_seconds": options["timeout"],
        "max_ms": options["max_ms"],
        "status": status(diagnoses),
        "plugins": [_entry(one) for one in diagnoses],
    }


def _entry(one: Diagnosis) -> dict[str, Any]:
    return {
        "name": one.target.name,
        "target": one.target.target,
        "group": one.target.group,
        "kind": one.kind,
        "path": one.path,
        "seconds": None if one.times is None else _seconds(one.times),
        "totals_seconds": one.totals,
        "memory_bytes": one.memory,
        "imports": [] if one.times is None else _imports(one.times),
        "not_looked_at": one.unknown,
        "findings": [_finding(finding) for finding in one.findings],
    }


def _seconds(times: Times) -> dict[str, float]:
    return {"total": times.total, **{part: getattr(times, part) for part, _ in PARTS}}


def _imports(times: Times) -> list[dict[str, Any]]:
    """In the order in which they began; ``parent`` is an index into this list, or null."""
    return [
        {
            "name": one.name,
            "parent": one.parent if one.parent >= 0 else None,
            "own": one.own,
            "start_seconds": one.start,
            "finding_seconds": one.finding,
            "seconds": one.seconds,
            "file": one.file,
            "imported_at": None if one.importer is None else list(one.importer),
        }
        for one in times.imports
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "symptom": finding.symptom,
        "severity": finding.severity,
        "message": finding.message,
        "fix": finding.fix,
        "places": [
            {
                "detail": spot.detail,
                "file": spot.file,
                "line": spot.line,
                "by_file": spot.by_file,
                "by_line": spot.by_line,
            }
            for spot in finding.spots
        ],
    }
