"""The command ``bench`` from within: what is chosen, shown and said."""

from __future__ import annotations

import re

import pytest

from jumptable.measuring import command, ladder, report, wording
from jumptable.measuring.comparison import compare
from jumptable.measuring.results import Experiment, Guide, Report, Row, Run, Trial
from jumptable.measuring.timing import Spread


def row(name: str, *values: float, group: str = "calls", missing: str = "") -> Row:
    runs: tuple[Run, ...] = ()
    if values:
        runs = (Run(values, (2.0,), min(values), max(values), min(values), 10, len(values)),)
    return Row(name, group, "", Guide("cached", 5, 10), missing, runs)


def test_rows_are_chosen_by_name_and_group() -> None:
    found = command.chosen(["ctypes"])
    assert found is not None
    assert found[0] == ladder.BASELINE
    assert ladder.YARDSTICK in found
    assert any("ctypes" in name for name in found)
    assert len(found) == 3
    group = next(rung.group for rung in ladder.RUNGS if "pluggy" in rung.name)
    assert {rung.name for rung in ladder.RUNGS if rung.group == group} <= set(
        command.chosen([group.upper()]) or ()
    )
    assert command.chosen([]) is None


def test_what_fits_no_row_is_refused_with_the_groups() -> None:
    with pytest.raises(LookupError, match=f"'ctipes'.*{ladder.RUNGS[0].group}"):
        command.chosen(["ctypes", "ctipes"])


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, "0 ns"),
        (0.567, "0.57 ns"),
        (9.994, "9.99 ns"),
        (9.996, "10.0 ns"),
        (99.94, "99.9 ns"),
        (99.96, "100 ns"),
        (999.4, "999 ns"),
        (999.6, "1.00 µs"),
        (1234, "1.23 µs"),
        (999_600, "1.00 ms"),
        (52_300_000, "52.3 ms"),
        (1.5e9, "1.50 s"),
        (7.2e12, "7,200 s"),
        (float("nan"), "-"),
    ],
)
def test_times_have_three_digits_and_a_unit(ns: float, shown: str) -> None:
    assert wording.duration(ns) == shown


def test_the_report_has_every_row_and_says_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        row("one", 10, 11, 12),
        row("two", 5, 50, group="others"),
        row("three", group="others", missing="three is not installed"),
    ]
    tried = Experiment(
        "pooling", [Trial("pool", Spread(3, 2, 4)), Trial("size", Spread(7, 7, 7), "KB")], "No."
    )
    report.print_report(Report({"cpu": "a chip"}, rows, (), [tried], ["Take care."]))
    shown = capsys.readouterr().out
    lines = [re.sub(r"\s+", " ", line).strip() for line in shown.splitlines()]
    assert "cpu a chip" in lines
    assert "one 11.0 ns 10.0 to 12.0 ns 10.0 ns 2.00 5 ns - 10 ns" in lines
    assert "two (unstable) 27.5 ns 5.00 to 50.0 ns 5.00 ns 2.00 5 ns - 10 ns" in lines
    assert lines.index("calls") < lines.index("others")
    assert "three: three is not installed" in lines
    assert "pooling: No." in lines
    assert "pool 3.00 ns (2.00 to 4.00 ns)" in lines
    assert "size 7 KB" in lines
    assert lines[-1] == "Take care."


def test_a_comparison_shows_the_slower_ones_first(capsys: pytest.CaptureFixture[str]) -> None:
    old = {"same": (10.0, 10.1), "slow": (10.0, 10.1), "gone": (1.0,)}
    now = [row("same", 10.0, 10.1), row("slow", 20.0, 20.1), row("fresh", 5.0)]
    report.print_comparison(compare(old, now, 0.1, "stick"), 0.1)
    lines = [re.sub(r"\s+", " ", line) for line in capsys.readouterr().out.splitlines()]
    kept = [line.split(" ")[0] for line in lines if " ns " in line]
    assert kept == ["slow", "same", "fresh", "gone"]
    assert "slow 10.1 ns 20.1 ns 2.00 slower" in lines
    assert "fresh - 5.00 ns - new" in lines
    assert "gone 1.00 ns - - gone" in lines
    assert lines[-1].startswith("1 of 4 slower by more than 10%, 0 faster. The older run has no")


def test_notes_say_what_must_be_known_before_believing() -> None:
    rows = [row("wobbly", *([5.0] * 10 + [50.0] * 10)), row("steady", 5, 5)]
    quiet = Report({"load": 0.9, "usable cpus": 2}, [rows[1]])
    assert command.notes(quiet, [], interrupted=False) == []
    busy = Report({"load": 1.5, "usable cpus": 2}, rows)
    told = " ".join(command.notes(busy, ["curves: its process ended"], interrupted=True))
    for expected in ("Failed: curves", "Interrupted", "load 1.5 on 2 processors", "wobbly"):
        assert expected in told
    assert "steady" not in told


def test_an_unstable_yardstick_speaks_of_the_machine() -> None:
    rows = [row(ladder.YARDSTICK, *([5.0] * 10 + [50.0] * 10))]
    (first, _) = command.notes(Report({}, rows), [], interrupted=False)
    assert "this machine's speed changed" in re.sub(r"\s+", " ", first)


def test_everything_is_measured_by_processes(capfd: pytest.CaptureFixture[str]) -> None:
    names = [ladder.BASELINE, ladder.YARDSTICK]
    found, interrupted = command.measured(quick=True, only=names)
    assert not interrupted
    assert [one.name for one in found.rows] == [n.name for n in ladder.RUNGS if n.name in names]
    assert all(len(one.runs) == 1 for one in found.rows)
    assert found.machine["processes"] == 1
    found, _ = command.measured(quick=False, only=names)
    assert all(len(one.runs) == command.PROCESSES for one in found.rows)
    assert (found.curves, found.experiments) == ([], [])
    assert capfd.readouterr().err == ""  # it is no terminal
