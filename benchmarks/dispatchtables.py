"""How bench_dispatch.py shows what it found: times, and what the targets are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dispatchers import COMPETITORS, DIRECT, JUMPTABLE
from jumptable.measuring import report
from jumptable.measuring.timing import Measurement, Spread
from results import Results, entered, met

__all__ = ["Targets", "Times", "nanoseconds"]


@dataclass(frozen=True)
class Targets:
    """What a call through jumptable is to reach.

    ``at_least``: times as fast as somebody else. ``at_most_over``: nanoseconds more than a direct
    call. A comparison without a target has None.
    """

    at_least: Mapping[str, float | None] = field(default_factory=dict)
    at_most_over: float | None = None


@dataclass(frozen=True)
class Row:
    name: str
    measurement: Measurement
    targets: Targets
    missing: Mapping[str, str]


class Times:
    """Two tables: the time of each contestant, and how jumptable's compares with those."""

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self.rows: list[Row] = []

    def add(
        self,
        name: str,
        measurement: Measurement,
        missing: Mapping[str, str] | None = None,
        targets: Targets | None = None,
    ) -> None:
        self.rows.append(Row(name, measurement, targets or self.targets, dict(missing or {})))

    def show(self, results: Results, title: str) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row.measurement.timings))
        rounds = self.rows[0].measurement.rounds
        cells = [[row.name, *(time(row.measurement, name) for name in names)] for row in self.rows]
        entries = [
            {
                "name": row.name,
                "timings": {
                    name: report.timing_entry(timing)
                    for name, timing in row.measurement.timings.items()
                },
                "missing": row.missing,
            }
            for row in self.rows
        ]
        times = [
            each
            for row in self.rows
            for each in entered(f"{title}: {row.name}", row.measurement, JUMPTABLE, facts(row))
        ]
        heading = f"{title}: ns  (median of {rounds} rounds)"
        results.table(heading, ["call", *names], cells, entries, times)
        for row in self.rows:
            results.absent(row.missing)
        for reason, calls in self._missing().items():
            results.note(f"missing: {reason}: {', '.join(calls)}")
        self._compare(results, title)

    def _missing(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for name, reason in row.missing.items():
                found.setdefault(f"{name}: {reason}", []).append(row.name)
        return found

    def _compare(self, results: Results, title: str) -> None:
        who = list(dict.fromkeys(name for row in self.rows for name in row.targets.at_least))
        direct = any(DIRECT in row.measurement.timings for row in self.rows)
        headings = ["call"]
        if direct:
            headings += [f"over {DIRECT}, ns", "quartiles", "target", "verdict"]
        for name in who:
            headings += [f"x {name}", "quartiles", "target", "verdict"]
        rows, entries = [], []
        for row in self.rows:
            cells, entry = [row.name], dict[str, object](name=row.name)
            if direct:
                cells += self._over(row, entry)
            for name in who:
                cells += self._times(row, name, entry)
            rows.append(cells)
            entries.append(entry)
        results.table(f"{title}: {JUMPTABLE} beside the others", headings, rows, entries)

    def _over(self, row: Row, entry: dict[str, object]) -> list[str]:
        if DIRECT not in row.measurement.timings:
            return [""] * 4
        spread, most = over(row.measurement, JUMPTABLE, DIRECT), row.targets.at_most_over
        verdict = None if most is None else spread.median <= most
        entry["over direct call ns"] = report_of(spread, most, verdict)
        return [*nanoseconds(spread), *judged(f"<= {most:g}" if most is not None else "", verdict)]

    def _times(self, row: Row, name: str, entry: dict[str, object]) -> list[str]:
        if name not in row.measurement.timings:
            return ["missing" if name in COMPETITORS else "", "", "", ""]
        spread, least = row.measurement.ratio(name, JUMPTABLE), row.targets.at_least.get(name)
        verdict = None if least is None else spread.median >= least
        entry[f"times as fast as {name}"] = report_of(spread, least, verdict)
        return [*shown(spread), *judged(f">= {least:g}" if least is not None else "", verdict)]


def facts(row: Row) -> dict[str, dict[str, object]]:
    """The targets, for who they are about."""
    found: dict[str, dict[str, object]] = {}
    for name, least in row.targets.at_least.items():
        if least is not None and name in row.measurement.timings:
            reached = row.measurement.ratio(name, JUMPTABLE).median >= least
            found[name] = {"jumptable is to be times as fast": least, "met": reached}
    most = row.targets.at_most_over
    if most is not None and DIRECT in row.measurement.timings:
        reached = over(row.measurement, JUMPTABLE, DIRECT).median <= most
        found[JUMPTABLE] = {"at_most_over_direct_call_ns": most, "met": reached}
    return found


def over(measurement: Measurement, name: str, base: str) -> Spread:
    """Nanoseconds more than ``base``: per round, then summarised."""
    pairs = zip(measurement[name].ns, measurement[base].ns, strict=True)
    return Spread.of(own - other for own, other in pairs)


def time(measurement: Measurement, name: str) -> str:
    if name not in measurement.timings:
        return "-"
    return report.nanoseconds(measurement[name].spread.median)


def nanoseconds(spread: Spread) -> list[str]:
    low, high = report.nanoseconds(spread.low), report.nanoseconds(spread.high)
    return [report.nanoseconds(spread.median), f"{low} to {high}"]


def shown(spread: Spread) -> list[str]:
    return [f"{spread.median:#.3g}", f"{spread.low:#.3g}-{spread.high:#.3g}"]


def judged(target: str, verdict: bool | None) -> Sequence[str]:
    return [target, "" if verdict is None else met(verdict)]


def report_of(spread: Spread, target: float | None, verdict: bool | None) -> dict[str, object]:
    return {
        "median": spread.median,
        "quartiles": [spread.low, spread.high],
        "target": target,
        "met": verdict,
    }
