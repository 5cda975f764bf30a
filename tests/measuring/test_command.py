"""The command ``bench`` from within: what is chosen, shown and said."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

from jumptable.measuring import command, ladder, report, wording
from jumptable.measuring.comparison import compare
from jumptable.measuring.results import Experiment, Guide, Report, Row, Run, Trial
from jumptable.measuring.saved import Saved
from jumptable.measuring.timing import Spread
from jumptable.measuring.workers import Crew


def row(name: str, *values: float, group: str = "calls", missing: str = "") -> Row:
    runs: tuple[Run, ...] = ()
    if values:
        runs = (Run(values, (2.0,), min(values), 10),)
    return Row(name, group, "", Guide("cached", 5, 10), missing, runs)


def test_rows_are_chosen_by_name_and_group() -> None:
    found = command.chosen(["ctypes"])
    assert found is not None
    assert found[0] == ladder.BASELINE
    assert ladder.YARDSTICK in found
    assert any("ctypes" in name for name in found)
    assert ladder.CROWD in found
    assert len(found) == 4
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
    assert "one 11.0 ns 10.5 to 11.5 ns 10.0 ns 2.00 5 ns - 10 ns" in lines
    assert "two (unstable) 27.5 ns 16.2 to 38.8 ns 5.00 ns 2.00 5 ns - 10 ns" in lines
    assert lines.index("calls") < lines.index("others")
    assert "three: three is not installed" in lines
    assert "pooling: No." in lines
    assert "pool 3.00 ns (2.00 to 4.00 ns)" in lines
    assert "size 7 KB" in lines
    assert lines[-1] == "Take care."


@pytest.mark.parametrize(("columns", "drawn"), [(60, False), (160, True)])
def test_on_a_narrow_terminal_nothing_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int, drawn: bool
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    name = "a row with a rather long name in a terminal"
    report.print_report(Report({}, [row(name, 10, 11, 12), row("two", 5, group="others")]))
    shown = capsys.readouterr().out
    assert ("\N{BOX DRAWINGS LIGHT VERTICAL}" in shown) == drawn
    for expected in (name, "11.0 ns", "10.5 to 11.5 ns", "5 ns - 10 ns", "others"):
        assert expected in shown


@pytest.mark.parametrize("rich", [True, False])
@pytest.mark.parametrize(("terminal", "shown"), [("dumb", False), ("xterm", True)])
def test_a_dumb_terminal_is_shown_no_progress(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    rich: bool,
    terminal: str,
    shown: bool,
) -> None:
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
        monkeypatch.setattr(command, "USUAL_WIDTH", 20)
    else:
        pytest.importorskip("rich")
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with command._Progress(1) as progress:
        progress.begin("the first of all")
    found = capsys.readouterr().err
    assert bool(found) == shown
    if shown and not rich:
        assert "\r\x1b[2Kthe first of all: s\r" in found  # a line of 20 has room for no more


def test_a_comparison_shows_the_slower_ones_first(capsys: pytest.CaptureFixture[str]) -> None:
    twice = (10.0, 10.1) * 2
    old = Saved({"same": twice, "slow": twice, "once": (10.0,), "gone": (1.0,)}, {"cpu": "old"})
    now = [
        row("same", *twice),
        row("slow", *(20.0, 20.1) * 2),
        row("once", 20.0),
        row("fresh", 5.0),
    ]
    found = compare(old, Report({"cpu": "new\x1b"}, now), 0.025, "stick", "crowd")
    report.print_comparison(found, 0.025)
    lines = [re.sub(r"\s+", " ", line) for line in capsys.readouterr().out.splitlines()]
    kept = [line.split(" ")[0] for line in lines if " ns " in line]
    assert kept == ["slow", "once", "same", "fresh", "gone"]
    assert "once 10.0 ns 20.0 ns 2.00 unclear" in lines
    assert "slow 10.1 ns 20.1 ns 2.00 slower" in lines
    assert "fresh - 5.00 ns - new" in lines
    assert "gone 1.00 ns - - gone" in lines
    summary = "1 of 5 slower by more than 2.5%, 1 unclear, 0 faster. The older run has no yardstick"
    assert summary in "\n".join(lines)
    assert lines[-1] == r" cpu: old then, new\x1b now"


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        (88.0, 124.0, "takes 1.41 times as long. Other code may then take up to 3 times as long"),
        (124.0, 88.0, "took 1.41 times as long. What became slower since may not show"),
        (88.0, 90.0, ""),
    ],
)
def test_a_comparison_tells_of_neighbours(
    capsys: pytest.CaptureFixture[str], then: float, now: float, told: str
) -> None:
    old = Saved({"stick": (50.0,) * 4, "crowd": (then,) * 4})
    rows = [row("stick", *[50.0] * 4), row("crowd", *[now] * 4), row("a", 1.0)]
    report.print_comparison(compare(old, Report({}, rows), 0.1, "stick", "crowd"), 0.1)
    shown = capsys.readouterr().out
    assert ("Something else" in shown) == bool(told)
    assert told in shown


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


def test_a_neighbour_in_what_is_left_is_told() -> None:
    rows = [row(ladder.CROWD, *([5.0] * 10 + [50.0] * 10)), row(ladder.YARDSTICK, 5, 5)]
    (first, _) = command.notes(Report({}, rows), [], interrupted=False)
    assert "something else used the same cores" in first


def test_of_many_unstable_rows_the_number_is_told() -> None:
    wobbly = [row(f"wobbly {number}", *([5.0] * 10 + [50.0] * 10)) for number in range(6)]
    (told,) = command.notes(Report({}, [*wobbly, row("steady", 5, 5)]), [], interrupted=False)
    assert told.endswith("6 of 7 rows, which are marked.")
    (told,) = command.notes(Report({}, wobbly[:5]), [], interrupted=False)
    assert told.endswith("wobbly 3, wobbly 4.")


def test_a_process_that_was_stopped_early_counts_for_little() -> None:
    whole = Run((10.0,) * 20, (), 8.0, 1, ((9.0, 9.0, 10.0, 11.0, 11.0),) * 20)
    stopped = Run((30.0,), (), 30.0, 1, ((30.0,),))
    spread = Row("a", "", runs=(whole, stopped)).spread
    assert spread.low == pytest.approx(9, abs=0.1)
    assert spread.high == pytest.approx(11, abs=0.1)


def test_what_a_neighbour_spoilt_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = [True] * 5 + [False] * 15

    def work(*_: object, **__: object) -> list[Row]:
        names = {"code": 50.0, ladder.CROWD: 90.0, ladder.YARDSTICK: 90.0}
        found = []
        for name, ns in names.items():
            slow = 1.0 if name == ladder.YARDSTICK else 1.5
            times = tuple(ns * slow if one else ns for one in beside)
            stretches = tuple((value, value) for value in times)
            one = Run(times, (), min(times), 10, stretches)
            found.append(Row(name, "calls", runs=(one,)))
        return found

    monkeypatch.setattr(Crew, "work", work)
    found, _ = command.measured(quick=False, only=["code"])
    assert [one.spread for one in found.rows] == [Spread(ns, ns, ns) for ns in (50, 90, 90)]
    count = command.PROCESSES
    assert f"Left out: {5 * count} of {20 * count} stretches" in " ".join(found.notes)
    assert str(found.machine["rounds"]).startswith("40 in each process")


@pytest.mark.thread_unsafe(reason="sends a signal")
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_between_two_processes_keeps_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = command._Progress.begin

    def interrupted_begin(progress: command._Progress, name: str) -> None:
        begin(progress, name)
        if "process 2" in name:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(command._Progress, "begin", interrupted_begin)
    monkeypatch.setattr(command, "ROUNDS", 20)
    found, interrupted = command.measured(quick=False, only=[ladder.YARDSTICK])
    assert interrupted
    assert [len(one.runs) for one in found.rows] == [1]


def test_everything_is_measured_by_processes(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ROUNDS", 20)
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
