"""How results are shown: tables that are readable as plain text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

from .comparison import FASTER, SAME, SLOWER, UNCLEAR, Comparison
from .neighbours import NOTICED
from .results import Experiment, Guide, Report, Row, Trial
from .timing import Timing
from .wording import duration, plainly, printable, quantity, quartiles
from .wording import ratio as times

__all__ = ["nanoseconds", "print_comparison", "print_report", "print_table",
           "timing_entry"]  # fmt: skip

WIDEST = 1_000
HEADINGS = ("what", "median", "quartiles", "minimum", "x direct", "Go, by the guide")


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose first column is text and whose others are right-aligned.

    A row of one cell is a heading. Rich draws it if it is installed and the output is a terminal in
    which it has room: it would leave out what does not fit, where a terminal goes on in a new line.
    """
    plain = plain_table(title, headings, rows)
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
                if len(row) == 1 and table.row_count:
                    table.add_section()
                table.add_row(*row, style="bold" if len(row) == 1 else None)
            console = Console(highlight=False, markup=False)
            if console.measure(table, options=console.options.update(width=WIDEST)).maximum <= (
                console.width
            ):
                console.print(table)
                return
    print(plain)


def plain_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    full = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(headings, *full, strict=True)]
    lines = [title, "", _line(headings, widths), "  ".join("-" * width for width in widths)]
    for row in rows:
        lines += [_line(row, widths)] if len(row) > 1 else ["", row[0]]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    others = map(str.rjust, cells[1:], widths[1:])
    return "  ".join([cells[0].ljust(widths[0]), *others]).rstrip()


def print_report(report: Report) -> None:
    """Print the machine's facts, the ladder, the experiments, and what is to be said of them."""
    for name, fact in report.machine.items():
        print(f"{name:11} {fact}")
    print()
    print_table("What a call costs", HEADINGS, ladder_rows(report.rows))
    missing = [row for row in report.rows if not row.runs]
    if missing:
        print("\nNot here:")
        for row in missing:
            print(f"  {row.name}: {row.missing}")
    if report.experiments:
        print("\nWhat not to optimise:")
        for experiment in report.experiments:
            print(f"  {experiment.idea}: {experiment.verdict or experiment.missing}")
            for line in _trials(experiment):
                print(f"    {line}")
    for note in report.notes:
        print(f"\n{note}")


def _trials(experiment: Experiment) -> list[str]:
    widest = max((len(trial.name) for trial in experiment.trials), default=0)
    return [
        f"{trial.name:{widest}}  {quantity(trial.spread.median, trial.unit)}{_between(trial)}"
        for trial in experiment.trials
    ]


def _between(trial: Trial) -> str:
    text = quartiles(trial.spread, trial.unit)
    return "" if text == "-" else f" ({text})"


def ladder_rows(rows: Sequence[Row]) -> list[list[str]]:
    """The cells of those that were measured, under the headings of their groups."""
    cells: list[list[str]] = []
    for group, members in groupby(rows, key=lambda row: row.group):
        present = [_cells(row) for row in members if row.runs]
        if present:
            cells += [[group], *present]
    return cells


def _cells(row: Row) -> list[str]:
    spread = row.spread
    return [
        f"  {row.name}{' (unstable)' if row.unstable else ''}",
        duration(spread.median),
        quartiles(spread),
        duration(row.minimum),
        "-" if row.ratio is None else times(row.ratio.median),
        guide_range(row.guide),
    ]


def guide_range(guide: Guide | None) -> str:
    if guide is None:
        return ""
    low, high = plainly(guide.low), plainly(guide.high)
    return low if low == high else f"{low} - {high}"


def print_comparison(found: Comparison, threshold: float) -> None:
    """Print what changed since an older run, all rows, slower ones first."""
    order = (SLOWER, UNCLEAR, FASTER, SAME)
    changes = sorted(
        found.changes,
        key=lambda change: order.index(change.verdict) if change.verdict in order else len(order),
    )
    rows = [
        [
            printable(change.name),
            duration(change.old),
            duration(change.new),
            times(change.ratio),
            change.verdict,
        ]
        for change in changes
    ]
    print()
    print_table("Compared with the older run", ("what", "then", "now", "x then", ""), rows)
    counts = {verdict: len(found.named(verdict)) for verdict in (SLOWER, UNCLEAR, FASTER)}
    unclear = f"{counts[UNCLEAR]} unclear, " if counts[UNCLEAR] else ""
    print(
        f"\n{counts[SLOWER]} of {len(rows)} slower by more than {100 * threshold:g}%, {unclear}"
        f"{counts[FASTER]} faster. {_of_the_machine(found)}"
    )
    for told in (_of_neighbours(found), _of_differences(found)):
        if told:
            print(f"\n{told}")


def _of_the_machine(found: Comparison) -> str:
    if not found.known:
        return "The older run has no yardstick: a slower machine looks like slower code."
    return (
        f"The yardstick takes {found.machine:.2f} times as long as then; 'x then' is without that."
    )


def _of_neighbours(found: Comparison) -> str:
    if found.busier > NOTICED:
        return (
            "Something else used the same cores more than then: what needs all of a core takes "
            f"{found.busier:.2f} times as long. Other code may then take up to "
            f"{found.explained:g} times as long: what does so is unclear. Run it again when "
            "nothing else runs."
        )
    if 1 / found.busier > NOTICED:
        return (
            "Something else used the same cores more when the older run was made: what needs all "
            f"of a core took {1 / found.busier:.2f} times as long. What became slower since may "
            "not show: make the older run again when nothing else runs."
        )
    return ""


def _of_differences(found: Comparison) -> str:
    if not found.differences:
        return ""
    lines = [
        f"  {name}: {printable(str(then))} then, {printable(str(now))} now"
        for name, (then, now) in found.differences.items()
    ]
    return "\n".join(["What differs from the older run, apart from what is timed:", *lines])


def nanoseconds(value: float) -> str:
    """Three digits, without a unit."""
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def timing_entry(timing: Timing) -> dict[str, object]:
    spread = timing.spread
    return {
        "median_ns": spread.median,
        "minimum_ns": timing.minimum,
        "quartiles_ns": [spread.low, spread.high],
        "loops": timing.loops,
    }
