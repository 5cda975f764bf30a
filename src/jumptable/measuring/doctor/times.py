"""Where the time to open a plugin goes: finding it, what it depends on, and its own initialisation.

The parts add up, because they are those of one run: the one whose total is the median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .blame import own_prefixes, owns
from .findings import Finding, Spot

__all__ = ["Import", "Times", "judge", "median_run", "split"]

# Judged by the fastest run: noise makes nothing faster.
SLOW_IMPORT, VERY_SLOW_IMPORT = 0.100, 0.250
SLOW = 0.100


@dataclass(frozen=True)
class Import:
    """A module's import in one run; seconds include what it imports itself."""

    name: str
    parent: int  # its index, or -1
    start: float
    finding: float
    seconds: float
    file: str | None
    importer: tuple[str, int] | None
    own: bool


@dataclass(frozen=True)
class Times:
    """One run, in seconds."""

    total: float
    finding: float
    dependencies: float
    own: float
    imports: tuple[Import, ...]


def split(answer: dict[str, Any], names: list[str], target: str) -> Times:
    """The parts of a timed run."""
    imports = _imports(answer["imports"], names, target)
    if answer["kind"] == "native":
        # The loader's time is the plugin's own: what it needs was loaded before, and timed.
        own, total = answer["loading"], answer["seconds"]
        needed = answer["dependencies"]
        return Times(total + needed, total - own, needed, own, imports)
    finding = dependencies = 0.0
    for one in imports:
        if one.parent >= 0 and not imports[one.parent].own:
            continue  # part of a dependency already
        if one.own:
            finding += one.finding
        elif owns(["jumptable"], one.name):
            finding += one.seconds
        else:
            dependencies += one.seconds
    total = answer["seconds"]
    return Times(total, finding, dependencies, max(total - finding - dependencies, 0.0), imports)


def _imports(rows: Sequence[Any], names: list[str], target: str) -> tuple[Import, ...]:
    without_file = {row[0] for row in rows if row[5] is None and row[4] == 0.0}
    prefixes = own_prefixes(names, target, without_file)
    found: list[Import] = []
    for name, parent, start, finding, loading, file, importer in rows:
        # What one of the plugin's modules is needed for by a dependency is that one's.
        own = (
            owns(prefixes, name) or (name in without_file and target.startswith(f"{name}."))
        ) and (parent < 0 or found[parent].own)
        found.append(Import(name, parent, start, finding, finding + loading, file, importer, own))
    return tuple(found)


def median_run(runs: Sequence[Times]) -> Times:
    return sorted(runs, key=lambda run: run.total)[(len(runs) - 1) // 2]


def judge(runs: Sequence[Times], answer: dict[str, Any], max_ms: float | None) -> list[Finding]:
    """The findings about time: a budget's by the median, the others' by the fastest run."""
    found = []
    median = median_run(runs).total * 1e3
    if max_ms is not None and median > max_ms:
        over = (
            f"opens in {median:.1f} ms, {median - max_ms:.1f} ms over the budget of {max_ms:g} ms"
        )
        found.append(Finding("budget", "error", over))
    own = min(run.own for run in runs)
    if own >= SLOW:
        message = f"its own initialisation takes {own * 1e3:.0f} ms"
        found.append(Finding("slow", "warning", message, _slow_spots(runs, answer)))
    imports = _slow_imports(runs)
    if imports:
        severity = (
            "warning" if max(seconds for seconds, _ in imports) >= VERY_SLOW_IMPORT else "note"
        )
        total = sum(seconds for seconds, _ in imports)
        names = ", ".join(one.name for _, one in imports[:5])
        spots = tuple(
            Spot(f"{one.name}: {seconds * 1e3:.0f} ms", *(one.importer or (None, None)))
            for seconds, one in imports[:5]
        )
        message = f"imports what takes {total * 1e3:.0f} ms: {names}"
        found.append(Finding("imports", severity, message, spots))
    return found


def _slow_spots(runs: Sequence[Times], answer: dict[str, Any]) -> tuple[Spot, ...]:
    from .findings import spots

    sleeps = [event for event in answer.get("events", ()) if event["kind"] == "sleep"]
    if sleeps:
        return tuple(Spot(f"sleeps {spot.detail}", *_place(spot)) for spot in spots(sleeps))
    own = _own_seconds(min(runs, key=lambda run: run.own).imports)
    largest = sorted(own.items(), key=lambda item: -item[1])[:3]
    return tuple(
        Spot(f"{one.name}: {seconds * 1e3:.0f} ms", one.file) for one, seconds in largest
        if seconds >= SLOW / 4
    )  # fmt: skip


def _place(spot: Spot) -> tuple[str | None, int | None, str | None, int | None]:
    return spot.file, spot.line, spot.by_file, spot.by_line


def _own_seconds(imports: Sequence[Import]) -> dict[Import, float]:
    """What the plugin's own modules take, without what they import."""
    own = {index: one.seconds for index, one in enumerate(imports) if one.own}
    for one in imports:
        if one.parent in own:
            own[one.parent] -= one.seconds
    return {imports[index]: seconds for index, seconds in own.items()}


def _slow_imports(runs: Sequence[Times]) -> list[tuple[float, Import]]:
    """What the plugin itself imports, if it was slow in every run; the slowest first."""
    fastest: dict[str, float] = {}
    for run in runs:
        seconds = {one.name: one.seconds for one in run.imports if _is_outermost(one, run)}
        fastest = {
            name: min(fastest.get(name, duration), duration)
            for name, duration in seconds.items()
            if run is runs[0] or name in fastest
        }
    chosen = median_run(runs)
    found = [
        (fastest[one.name], one)
        for one in chosen.imports
        if _is_outermost(one, chosen) and fastest.get(one.name, 0.0) >= SLOW_IMPORT
    ]
    return sorted(found, key=lambda pair: -pair[0])


def _is_outermost(one: Import, run: Times) -> bool:
    return not one.own and (one.parent < 0 or run.imports[one.parent].own)
