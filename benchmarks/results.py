"""What a benchmark shows and saves: a table per question, with targets and whether they are met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from statistics import median

import pytest

from jumptable.measuring import report
from jumptable.measuring.timing import Measurement, Spread, Timing
from saving import Saving, Times

__all__ = ["Results", "Times", "entered", "met"]

HEADINGS = ("contestant", "median ns", "minimum ns", "ratio", "quartiles", "target", "verdict")
Facts = Mapping[str, Mapping[str, object]]


def entered(
    question: str, measurement: Measurement, subject: str, facts: Facts | None = None
) -> list[Times]:
    """Everybody's times; ``facts`` are what else is to be saved of a contestant."""
    return [
        Times(
            question,
            name,
            tuple(map(median, timing.stretches)),
            timing.loops,
            {
                **of_rounds(timing),
                **ratio_to(measurement, subject, name),
                **(facts or {}).get(name, {}),
            },
        )
        for name, timing in measurement.timings.items()
    ]


def of_rounds(timing: Timing) -> dict[str, object]:
    """What the stretches, which are medians of rounds, do not tell."""
    entry = report.timing_entry(timing)
    return {
        "rounds": len(timing.ns),
        "minimum_ns": entry["minimum_ns"],
        "quartiles_ns": entry["quartiles_ns"],
    }


def ratio_to(measurement: Measurement, subject: str, name: str) -> dict[str, object]:
    ratio = measurement.ratio(subject, name)
    if isnan(ratio.median):  # of what costs nothing; JSON has no NaN
        return {f"{subject} / this": None, "quartiles": None}
    return {f"{subject} / this": ratio.median, "quartiles": [ratio.low, ratio.high]}


class Results:
    """What one benchmark found. It prints as it goes, unless the run is one that only checks."""

    def __init__(self, saving: Saving, node: pytest.Item) -> None:
        self.saving = saving
        self.node = node

    def compare(
        self,
        title: str,
        measurement: Measurement,
        subject: str,
        at_most: Mapping[str, float],
        missing: Mapping[str, str] | None = None,
    ) -> None:
        """Show every contestant, and the ratio of ``subject`` to it, with what it may be."""
        rows, entries = [], []
        facts: dict[str, Mapping[str, object]] = {}
        for name, timing in measurement.timings.items():
            ratio = measurement.ratio(subject, name)
            target = at_most.get(name)
            passed = None if target is None else ratio.median <= target
            cells = ["", ""] if target is None else [f"<= {target:.3g}", met(bool(passed))]
            facts[name] = {"at_most": target, "met": passed}
            compared = ratio_to(measurement, subject, name)
            entries.append({"name": name, **report.timing_entry(timing), **compared, **facts[name]})
            rows.append(
                [
                    name,
                    report.nanoseconds(timing.spread.median),
                    report.nanoseconds(timing.minimum),
                    *_shown(ratio),
                    *cells,
                ]
            )
        self.absent(missing or {})
        for name, reason in (missing or {}).items():
            rows.append([name, "-", "-", "-", "-", "", f"missing: {reason}"])
            entries.append({"name": name, "missing": reason})
        details = f"ratio: {subject} / this, median of {measurement.rounds} rounds"
        self.table(
            f"{title}  ({details})",
            HEADINGS,
            rows,
            entries,
            times=entered(title, measurement, subject, facts),
        )

    def table(
        self,
        title: str,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        document: object,
        times: Iterable[Times] = (),
    ) -> None:
        """Show any other table, with what it says as JSON, and the times that are in it."""
        for each in times:
            self.saving.enter(self.node, each)
        if self.saving.checking:
            report.plain_table(title, headings, rows)
            return
        print()
        report.print_table(title, headings, rows)
        self.saving.tables.append({"test": self.node.nodeid, "title": title, "rows": document})

    def absent(self, missing: Mapping[str, str]) -> None:
        """Who takes no part, and why: a run that only checks says so in the end."""
        self.saving.missing.update(missing)

    def note(self, text: str) -> None:
        """Show a line that is not in a table."""
        if not self.saving.checking:
            print(text)
            self.saving.tables.append({"test": self.node.nodeid, "note": text})


def _shown(ratio: Spread) -> list[str]:
    if isnan(ratio.median):
        return ["-", "-"]
    return [f"{ratio.median:.3f}", f"{ratio.low:.3f}-{ratio.high:.3f}"]


def met(fulfilled: bool) -> str:
    return "met" if fulfilled else "missed"
