"""The timing engine, by what it calls and computes; no test here depends on the machine's speed."""

from __future__ import annotations

import gc
import math
from collections import Counter

import pytest

from jumptable.measuring.timing import (
    Contestant,
    Measurement,
    Spread,
    Timing,
    calibrate,
    empty_loop,
    measure,
    statement,
)


class FakeClock:
    """Time that passes only when a statement says so."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now

    def advance(self, ns: int) -> None:
        self.now += ns


def constant(name: str, ns: int, log: list[str] | None = None) -> Contestant:
    def loop(count: int) -> int:
        if log is not None:
            log.append(name)
        return ns * count

    return Contestant(name, loop)


def timing(name: str, raw: list[float], loop: list[float]) -> Timing:
    return Timing(name, 1, tuple(raw), tuple(loop))


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_statement_runs_exactly_as_often_as_asked(count: int) -> None:
    calls: list[int] = []
    statement("append", "f(x)", {"f": calls.append, "x": 5}).loop(count)
    assert calls == [5] * count


def test_a_statement_returns_the_clocks_difference() -> None:
    clock = FakeClock()
    contestant = statement("tick", "tick(3)", {"tick": clock.advance}, clock=clock)
    assert [contestant.loop(4), contestant.loop(10)] == [12, 30]


def test_every_line_of_a_statement_is_in_the_loop() -> None:
    calls: list[str] = []
    code = "y = f('first')\nf('second')"
    statement("two lines", code, {"f": calls.append}).loop(2)
    assert calls == ["first", "second"] * 2


def test_names_are_parameters_so_that_no_global_or_cell_is_read() -> None:
    contestant = statement("locals", "f(x)", {"f": abs, "x": 1})
    (compiled,) = (
        cell.cell_contents
        for cell in contestant.loop.__closure__ or ()
        if hasattr(cell.cell_contents, "__code__")
    )
    assert compiled.__code__.co_names == ()
    assert compiled.__code__.co_freevars == ()
    assert {"f", "x"} <= set(compiled.__code__.co_varnames[: compiled.__code__.co_argcount])


def test_every_contestant_runs_once_per_round() -> None:
    log: list[str] = []
    names = ["a", "b", "c"]
    contestants = [constant(name, 10, log) for name in names]
    # With this slice calibration is one pair of calls for each.
    measure(contestants, rounds=50, slice_ns=10, empty=constant("empty", 10, log))
    rounds = log[8:]
    assert len(rounds) == 50 * 4
    for start in range(0, len(rounds), 4):
        assert sorted(rounds[start : start + 4]) == ["a", "b", "c", "empty"]


def order(seed: int) -> list[str]:
    log: list[str] = []
    contestants = [constant(name, 10, log) for name in "abcd"]
    measure(contestants, rounds=30, slice_ns=10, seed=seed, empty=constant("empty", 10))
    return log[8:]


def test_the_order_is_shuffled_by_the_seed() -> None:
    assert order(1) == order(1)
    assert order(1) != order(2)
    first_of_each = Counter(order(1)[::4])
    assert len(first_of_each) == 4


def test_the_empty_loop_is_subtracted_where_there_is_a_loop() -> None:
    inside = constant("in a loop", 50)
    outside = Contestant("in C", lambda count: 50 * count, overhead=False)
    found = measure([inside, outside], rounds=5, slice_ns=1000, empty=constant("empty", 8))
    assert found["in a loop"].ns == (42.0,) * 5
    assert found["in C"].ns == (50.0,) * 5
    assert set(found.timings) == {"in a loop", "in C"}


def test_the_empty_loop_is_the_loop_of_a_statement() -> None:
    clock = FakeClock()
    assert empty_loop(clock).loop(1000) == 0


def test_ratios_are_taken_per_round_and_then_summarised() -> None:
    # The second half of the rounds ran on a machine four times as slow.
    base = timing("base", [10, 10, 40, 40], [0] * 4)
    twice = timing("twice", [20, 20, 80, 80], [0] * 4)
    ratio = Measurement({"base": base, "twice": twice}, 4, 0).ratio("twice", "base")
    assert ratio == Spread(2.0, 2.0, 2.0)


def test_a_ratio_is_the_median_of_ratios_not_the_ratio_of_medians() -> None:
    base = timing("base", [1, 10, 100], [0] * 3)
    other = timing("other", [3, 20, 100], [0] * 3)
    measurement = Measurement({"base": base, "other": other}, 3, 0)
    assert measurement.ratio("other", "base").median == 2.0
    assert measurement.ratio("base", "base").median == 1.0


def test_a_free_baseline_has_no_ratio() -> None:
    free = timing("free", [5, 5], [5, 6])
    other = timing("other", [9, 9], [5, 6])
    measurement = Measurement({"free": free, "other": other}, 2, 0)
    assert math.isnan(measurement.ratio("other", "free").median)


def test_the_minimum_does_not_come_from_a_disturbed_empty_loop() -> None:
    disturbed = timing("x", [30, 31, 32], [10, 10, 29])
    assert disturbed.ns == (20, 21, 3)
    assert disturbed.minimum == 20


def test_a_spread_is_median_and_quartiles() -> None:
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(3, 2, 4)
    assert Spread.of([7]) == Spread(7, 7, 7)


@pytest.mark.parametrize(
    ("ns", "slice_ns", "expected"), [(10, 1000, 100), (3, 999, 333), (5000, 1000, 1)]
)
def test_calibration_fills_the_slice(ns: int, slice_ns: int, expected: int) -> None:
    assert calibrate(lambda count: ns * count, slice_ns) == expected


def test_calibration_ends_even_if_the_clock_stands_still() -> None:
    assert calibrate(lambda count: 0, 1000) >= 1 << 30


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_off_and_then_as_it_was(enabled: bool) -> None:
    seen = []

    def loop(count: int) -> int:
        seen.append(gc.isenabled())
        return 10 * count

    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        measure([Contestant("x", loop)], rounds=3, slice_ns=10, empty=constant("empty", 1))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
    assert seen
    assert not any(seen)


def test_garbage_collection_comes_back_after_a_failure() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        measure([statement("fails", "1 / x", {"x": 0})], rounds=1)
    assert gc.isenabled()


def test_contestants_must_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="share a name"):
        measure([constant("a", 1), constant("a", 1)], rounds=1)
