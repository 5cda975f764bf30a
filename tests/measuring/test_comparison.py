"""What counts as slower, by numbers that were made up: with noise, drift and a slower machine."""

from __future__ import annotations

from math import isnan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumptable.measuring.comparison import FASTER, GONE, NEW, SAME, SLOWER, Comparison, compare
from jumptable.measuring.results import Row, Run

STICK = "yardstick"


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
        made = tuple(
            Run(tuple(one), (), min(one), max(one), min(one), 1, 20)
            for one in runs(median, seed=number)
        )
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
    now = [Row("a", "", runs=(Run((14.0, 36.0) * 20, (), 14, 36, 14, 1, 40),))]
    assert verdicts(compare(before, now, 0.1, STICK)) == {"a": SAME}


@settings(deadline=None)
@given(st.floats(1, 1e6), st.integers(0, 10**6))
def test_the_same_code_twice_is_the_same(median: float, seed: int) -> None:
    before = {"a": tuple(value for one in runs(median, seed) for value in one)}
    made = tuple(Run(tuple(one), (), 0, 0, 0, 1, 20) for one in runs(median, seed + 1))
    assert verdicts(compare(before, [Row("a", "", runs=made)], 0.1, STICK)) == {"a": SAME}


@settings(deadline=None)
@given(st.floats(3, 1e6), st.integers(0, 10**6), st.floats(1.25, 10))
def test_what_is_a_quarter_slower_is_found(median: float, seed: int, factor: float) -> None:
    before = {"a": tuple(value for one in runs(median, seed) for value in one)}
    made = tuple(Run(tuple(one), (), 0, 0, 0, 1, 20) for one in runs(median * factor, seed + 1))
    assert verdicts(compare(before, [Row("a", "", runs=made)], 0.1, STICK)) == {"a": SLOWER}
