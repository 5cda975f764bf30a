"""What a benchmark shows and saves: a table per question, with targets and whether they are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jumptable.measuring import files, machine, report
from jumptable.measuring.timing import Measurement

__all__ = ["Results"]

HEADINGS = ("contestant", "median ns", "minimum ns", "ratio", "quartiles", "target", "verdict")


class Results:
    """Prints as it goes; `save` writes everything that was printed as JSON."""

    def __init__(self) -> None:
        self.machine = machine.describe()
        self.tables: list[dict[str, object]] = []

    def start(self) -> None:
        print("\n" + "  ".join(f"{name}: {fact}" for name, fact in self.machine.items()))

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
        for name, timing in measurement.timings.items():
            ratio = measurement.ratio(subject, name)
            target = at_most.get(name)
            passed = None if target is None else ratio.median <= target
            cells = ["", ""] if target is None else [f"<= {target:.3g}", met(bool(passed))]
            entries.append(
                {
                    "name": name,
                    **report.timing_entry(timing),
                    f"{subject} / this": ratio.median,
                    "quartiles": [ratio.low, ratio.high],
                    "at_most": target,
                    "met": passed,
                }
            )
            rows.append(
                [
                    name,
                    report.nanoseconds(timing.spread.median),
                    report.nanoseconds(timing.minimum),
                    f"{ratio.median:.3f}",
                    f"{ratio.low:.3f}-{ratio.high:.3f}",
                    *cells,
                ]
            )
        for name, reason in (missing or {}).items():
            rows.append([name, "-", "-", "-", "-", "", f"missing: {reason}"])
            entries.append({"name": name, "missing": reason})
        details = f"ratio: {subject} / this, median of {measurement.rounds} rounds"
        self.table(f"{title}  ({details})", HEADINGS, rows, entries)

    def table(
        self,
        title: str,
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        document: object,
    ) -> None:
        """Show any other table, with what it says as JSON."""
        print()
        report.print_table(title, headings, rows)
        self.tables.append({"title": title, "rows": document})

    def save(self, path: str) -> None:
        files.write_json(path, {"schema": SCHEMA, "machine": self.machine, "tables": self.tables})


SCHEMA = "jumptable-benchmarks/1"


def met(fulfilled: bool) -> str:
    return "met" if fulfilled else "missed"
