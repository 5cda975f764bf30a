"""What counts as slower, by numbers that were made up: with noise, drift and a slower machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import isnan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumptable.measuring.comparison import (
    FASTER,
    GONE,
    NEW,
    SAME,
    SLOWER,
    UNCLEAR,
    Comparison,
)
from jumptable.measuring.comparison import compare as compare_reports
from jumptable.measuring.results import Report, Row, Run
from jumptable.measuring.saved import Saved

STICK = "yardstick"
CROWD = "crowd"


def compare(
    before: Mapping[str, tuple[float, ...]],
    rows: list[Row],
    threshold: float,
    yardstick: str,
    processes: float = 3,
    then: Collection[str] = (),
    disturbed: Sequence[str] = (),
) -> Comparison:
    old = Saved(before, processes=dict.fromkeys(before, processes), disturbed=then)
    now = Report({}, rows, disturbed=disturbed)
    return compare_reports(old, now, threshold, yardstick, CROWD)


def runs(median: float, seed: int, processes: int = 3, noise: float = 0.02) -> list[list[float]]:
    """Blocks of processes, each with a bias of its own, as code's place in memory gives it."""
    random = Random(seed)
    found = []
    for _ in range(processes):
        bias = random.gauss(1, noise / 2)
        found.append([median * bias * max(0.5, random.gauss(1, noise)) for _ in range(20)])
    return found


def rows(**medians: float) -> list[Row]:
    found = []
    for number, (name, median) in enumerate(medians.items()):
        made = tuple(Run(tuple(one), (), min(one), 1) for one in runs(median, seed=number))
        found.append(Row(name, "calls", runs=made))
    return found


def old(**medians: float) -> dict[str, tuple[float, ...]]:
    return {
        name: tuple(value for one in runs(median, seed=100 + number) for value in one)
        for number, (name, median) in enumerate(medians.items())
    }


def verdicts(found: Comparison) -> dict[str, str]:
    return {change.name: change.verdict for change in found.changes}


def test_slower_faster_and_same() -> None:
    found = compare(
        old(yardstick=100, a=20, b=20, c=20), rows(yardstick=100, a=30, b=10, c=20.4), 0.1, STICK
    )
    assert verdicts(found) == {"a": SLOWER, "b": FASTER, "c": SAME}
    assert found.named(SLOWER) == ["a"]
    assert found.changes[0].ratio == pytest.approx(1.5, rel=0.05)


def test_a_slower_machine_is_no_slower_code() -> None:
    found = compare(old(yardstick=100, a=20, b=20), rows(yardstick=150, a=30, b=60), 0.1, STICK)
    assert verdicts(found) == {"a": SAME, "b": SLOWER}
    assert found.machine == pytest.approx(1.5, rel=0.05)
    assert found.changes[0].new == pytest.approx(30, rel=0.05)  # what is shown is what it took


def test_without_a_yardstick_the_clock_is_believed() -> None:
    found = compare(old(a=20), rows(a=30), 0.1, STICK)
    assert (found.known, found.machine) == (False, 1.0)
    assert verdicts(found) == {"a": SLOWER}


def test_rows_that_are_new_or_gone() -> None:
    found = compare(old(a=20, b=10), rows(a=20, c=10), 0.1, STICK)
    assert verdicts(found) == {"a": SAME, "c": NEW, "b": GONE}
    assert isnan(found.changes[1].ratio)


def test_missing_rows_are_gone() -> None:
    found = compare(old(a=20), [Row("a", "calls", missing="not installed")], 0.1, STICK)
    assert verdicts(found) == {"a": GONE}


def test_what_the_clock_cannot_tell_is_the_same() -> None:
    assert verdicts(compare(old(a=0.001), rows(a=0.4), 0.1, STICK)) == {"a": SAME}


def test_what_wobbles_is_the_same_as_long_as_its_usual_values_overlap() -> None:
    before = {"a": (10.0, 30.0) * 20}
    now = [Row("a", "", runs=(Run((14.0, 36.0) * 20, (), 14, 1),))]
    assert verdicts(compare(before, now, 0.1, STICK)) == {"a": SAME}


@settings(deadline=None)
@given(st.floats(1, 1e6), st.integers(0, 10**6))
def test_the_same_code_twice_is_the_same(median: float, seed: int) -> None:
    before = {"a": tuple(value for one in runs(median, seed) for value in one)}
    made = tuple(Run(tuple(one), (), 0, 1) for one in runs(median, seed + 1))
    assert verdicts(compare(before, [Row("a", "", runs=made)], 0.1, STICK)) == {"a": SAME}


@settings(deadline=None)
@given(st.floats(3, 1e6), st.integers(0, 10**6), st.floats(1.25, 10))
def test_what_is_a_quarter_slower_is_found(median: float, seed: int, factor: float) -> None:
    before = {"a": tuple(value for one in runs(median, seed) for value in one)}
    made = tuple(Run(tuple(one), (), 0, 1) for one in runs(median * factor, seed + 1))
    assert verdicts(compare(before, [Row("a", "", runs=made)], 0.1, STICK)) == {"a": SLOWER}


def neighbours(then: float, now: float, a: float, b: float = 20) -> dict[str, str]:
    """The crowd takes so long then and now; so do two rows now that took 20."""
    found = compare(
        old(yardstick=100, crowd=then, a=20, b=20),
        rows(yardstick=100, crowd=now, a=a, b=b),
        0.1,
        STICK,
    )
    return verdicts(found)


def test_what_a_neighbour_on_the_core_explains_is_unclear() -> None:
    # As it was measured: the chain took as long, the crowd 1.41 times, a Python call 1.67 times.
    assert neighbours(88, 124, a=20 * 1.67, b=20) == {"a": UNCLEAR, "b": SAME}
    # A small change of the crowd may go with a large one of other code.
    assert neighbours(100, 119, a=20 * 2.4) == {"a": UNCLEAR, "b": SAME}


def test_what_no_neighbour_explains_is_slower() -> None:
    assert neighbours(88, 124, a=20 * 3.7) == {"a": SLOWER, "b": SAME}
    # A crowd that is as it was explains nothing.
    assert neighbours(88, 89, a=20 * 1.2) == {"a": SLOWER, "b": SAME}


def test_a_neighbour_then_does_not_make_code_faster_now() -> None:
    assert neighbours(124, 88, a=20 / 1.67) == {"a": UNCLEAR, "b": SAME}
    assert neighbours(124, 88, a=20 / 3.7) == {"a": FASTER, "b": SAME}
    # It excuses nothing that is slower now all the same.
    assert neighbours(124, 88, a=20 * 1.3) == {"a": SLOWER, "b": SAME}


def test_a_slower_processor_is_no_neighbour() -> None:
    before = old(yardstick=100, crowd=100, a=20)
    found = compare(before, rows(yardstick=150, crowd=150, a=45), 0.1, STICK)
    assert verdicts(found) == {"a": SLOWER}
    assert found.busier == pytest.approx(1, abs=0.04)


def constant(name: str, *values: float, processes: int = 1) -> Row:
    run = Run(values, (), min(values), 1)
    return Row(name, "", runs=(run,) * processes)


def test_one_process_knows_one_place_in_memory_only() -> None:
    before = {"a": (20.0, 20.0, 20.3, 20.4) * 5}
    now = (21.0, 21.0, 21.2, 21.2) * 5
    for processes, verdict in ((1, SAME), (3, SLOWER)):
        found = compare(before, [constant("a", *now, processes=processes)], 0.03, STICK, processes)
        assert verdicts(found) == {"a": verdict}


def test_most_of_one_process_is_one_process() -> None:
    before = {"a": (20.0, 20.0, 20.3, 20.4) * 5}
    now = constant("a", *(21.0, 21.0, 21.2, 21.2) * 5)
    few = replace(now, runs=(now.runs[0], replace(now.runs[0], values=(21.0,))))
    assert verdicts(compare(before, [few], 0.03, STICK, 3)) == {"a": SAME}
    assert verdicts(compare(before, [replace(now, runs=now.runs * 2)], 0.03, STICK, 3)) == {
        "a": SLOWER
    }


def test_what_may_be_disturbed_is_unclear() -> None:
    """The crowd tells nothing of it: it was timed without its neighbours, or elsewhere."""
    before = old(yardstick=100, crowd=100, a=20, b=20, c=20)
    now = rows(yardstick=100, crowd=100, a=30, b=30, c=70)
    found = compare(before, now, 0.1, STICK, disturbed=["a", "c"])
    assert verdicts(found) == {"a": UNCLEAR, "b": SLOWER, "c": SLOWER}
    # One that was there then excuses what is faster now, and nothing else.
    now = rows(yardstick=100, crowd=100, a=13, b=13, c=30)
    found = compare(before, now, 0.1, STICK, then=["a", "c"])
    assert verdicts(found) == {"a": UNCLEAR, "b": FASTER, "c": SLOWER}


def test_of_few_stretches_nothing_is_clear() -> None:
    for count, verdict in ((3, UNCLEAR), (4, SLOWER)):
        now = [constant("a", *[30.0] * count)]
        assert verdicts(compare({"a": (20.0,) * 20}, now, 0.1, STICK)) == {"a": verdict}


def test_what_differs_is_told_and_what_is_another_runs_is_not() -> None:
    old_facts = {"python": "CPython 3.11.2", "usable_cpus": 2, "date": "then", "load": 0.1}
    now: dict[str, str | int | float] = {
        "python": "CPython 3.13.0",
        "usable cpus": 2,
        "date": "now",
        "load": 3.0,
        "cffi": "2.0",
    }
    found = compare_reports(
        Saved({"a": (20.0,) * 4}, old_facts), Report(now, rows(a=20)), 0.1, STICK, CROWD
    )
    assert found.differences == {"python": ("CPython 3.11.2", "CPython 3.13.0")}


def test_a_file_and_itself_are_the_same() -> None:
    same = rows(yardstick=100, crowd=100, a=20, b=0.0)
    before = {row.name: tuple(value for run in row.runs for value in run.values) for row in same}
    before["b"] = (0.001,) * 60
    found = compare(before, same, 0.0, STICK)
    assert verdicts(found) == {"a": SAME, "b": SAME}
    assert (found.machine, found.busier, found.differences) == (1.0, 1.0, {})
