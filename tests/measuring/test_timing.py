"""The timing engine, by what it calls and computes; no test here depends on the machine's speed."""

from __future__ import annotations

import gc
import math
from collections import Counter

import pytest

from jumptable.measuring.timing import (
    WARM_UP,
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


def constant(
    name: str,
    ns: int,
    log: list[str] | None = None,
    empty: Contestant | None = None,
    most: int | None = None,
) -> Contestant:
    def loop(count: int) -> int:
        if log is not None:
            log.append(name)
        return ns * count

    return Contestant(name, loop, empty, most)


def timing(name: str, raw: list[float], loop: list[float]) -> Timing:
    return Timing(name, 1, tuple(raw), tuple(loop))


@pytest.mark.parametrize("count", [0, 1, 7, 10, 11, 205])
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
    closure = getattr(contestant.loop, "__closure__", None) or ()
    found = [cell.cell_contents for cell in closure]
    (compiled,) = (value for value in found if hasattr(value, "__code__"))
    assert compiled.__code__.co_names == ()
    assert compiled.__code__.co_freevars == ()
    assert {"f", "x"} <= set(compiled.__code__.co_varnames[: compiled.__code__.co_argcount])


def test_every_contestant_runs_once_per_round() -> None:
    log: list[str] = []
    names = ["a", "b", "c"]
    empty = constant("empty", 10, log)
    contestants = [constant(name, 10, log, empty) for name in names]
    measure(contestants, rounds=50, slice_ns=10)
    # Before, calibration calls each twice at least, and before each call there is one to warm up.
    rounds = log[-50 * 8 :]
    assert len(log) - len(rounds) in range(4 * 2, 4 * WARM_UP + 1)
    assert rounds[::2] == rounds[1::2]
    for start in range(0, len(rounds), 8):
        assert sorted(rounds[start : start + 8 : 2]) == ["a", "b", "c", "empty"]


def order(seed: int) -> list[str]:
    log: list[str] = []
    contestants = [constant(name, 10, log) for name in "abcd"]
    measure(contestants, rounds=30, slice_ns=10, seed=seed)
    return log[-30 * 8 :]


def test_the_order_is_shuffled_by_the_seed() -> None:
    assert order(1) == order(1)
    assert order(1) != order(2)
    first_of_each = Counter(order(1)[::4])
    assert len(first_of_each) == 4


def test_the_empty_loop_is_subtracted_where_there_is_a_loop() -> None:
    inside = constant("in a loop", 50, empty=constant("empty", 8))
    cheaper = constant("in another", 50, empty=constant("less", 1))
    outside = constant("alone", 50)
    found = measure([inside, cheaper, outside], rounds=5, slice_ns=1000)
    assert found["in a loop"].ns == (42.0,) * 5
    assert found["in another"].ns == (49.0,) * 5
    assert found["alone"].ns == (50.0,) * 5
    assert set(found.timings) == {"in a loop", "in another", "alone"}


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


def test_what_is_cheaper_than_the_loop_around_it_costs_nothing_and_never_less() -> None:
    cheap = timing("cheap", [5, 6, 4], [5.5, 5.5, 5.5])
    assert cheap.ns == (0.0, 0.5, 0.0)
    assert (cheap.minimum, cheap.spread.median) == (0.0, 0.0)


def test_who_takes_part_in_few_rounds_is_compared_in_these() -> None:
    log: list[str] = []
    contestants = [constant("base", 10), constant("rare", 30, log, most=4)]
    found = measure(contestants, rounds=40, slice_ns=10)
    assert len(log) == 2 + 4
    assert found["rare"].rounds == (0, 10, 20, 30)
    assert found.ratio("rare", "base") == Spread(3, 3, 3)
    assert len(found["base"].ns) == 40


@pytest.mark.parametrize(("most", "rounds"), [(1, 7), (3, 7), (6, 7), (7, 7), (50, 7)])
def test_nobody_takes_part_more_often_than_allowed(most: int, rounds: int) -> None:
    found = measure([constant("x", 10, most=most)], rounds=rounds, slice_ns=10)
    assert len(found["x"].ns) == min(most, rounds)


def test_stretches_tell_how_it_went_while_time_passed() -> None:
    steady = timing("x", [7.0] * 30 + [9.0] * 30, [0] * 60)
    assert steady.stretches == ((7.0,) * 3,) * 10 + ((9.0,) * 3,) * 10
    assert timing("y", [1, 2, 3], [0] * 3).stretches == ((1,), (2,), (3,))


@pytest.mark.parametrize(
    ("rounds", "count"), [(1, 1), (300, 20), (600, 40), (1500, 100), (4000, 100)]
)
def test_the_more_rounds_the_more_stretches(rounds: int, count: int) -> None:
    numbers = [float(number) for number in range(rounds)]
    found = timing("x", numbers, [0] * rounds).stretches
    assert len(found) == count
    assert [number for one in found for number in one] == numbers


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_measurement_that_is_stopped_keeps_what_was_measured(after: int) -> None:
    asked: list[tuple[int, int]] = []

    def go_on(done: int, rounds: int) -> bool:
        asked.append((done, rounds))
        return done < after

    found = measure([constant("x", 10)], rounds=20, slice_ns=10, go_on=go_on)
    assert found.rounds == after
    if after:
        assert len(found["x"].ns) == after
        assert asked == [(0, 20), *((done, 20) for done in range(after + 1))]
    else:
        assert not found.timings


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


def test_slow_first_calls_do_not_mislead_calibration() -> None:
    """As on the first call of inspect.signature, which has yet to fill all caches."""
    calls: list[int] = []

    def loop(count: int) -> int:
        calls.append(count)
        return count * (1000 if len(calls) > 5 else 20_000)

    assert calibrate(loop, 10_000) == 10


def test_what_takes_long_is_not_called_often_to_warm_up() -> None:
    calls: list[int] = []

    def loop(count: int) -> int:
        calls.append(count)
        return 10**9 * count

    assert calibrate(loop, 10_000) == 1
    assert set(calls) == {1} and len(calls) <= WARM_UP


def test_each_turn_begins_with_a_call_that_is_not_timed() -> None:
    """The others' turns have filled the caches with what is theirs."""
    latest = [""]

    def contestant(name: str, ns: int) -> Contestant:
        def loop(count: int) -> int:
            cold, latest[0] = latest[0] != name, name
            return ns * count + 900 * cold

        return Contestant(name, loop)

    found = measure([contestant("x", 100), contestant("y", 2000)], rounds=20, slice_ns=1000)
    assert found["x"].ns == (100.0,) * 20
    assert found["y"].ns == (2000.0,) * 20


def test_what_cannot_be_repeated_at_will_is_not_warmed_up() -> None:
    counts: list[int] = []

    def loop(count: int) -> int:
        counts.append(count)
        return 100 * count

    measure([Contestant("x", loop, most=4)], rounds=20, slice_ns=1000)
    assert counts.count(1) == 2 and counts[-4:] == [10] * 4
    assert counts.count(10) == 4


@pytest.mark.parametrize(("ns", "warmed"), [(900, True), (9_000, True), (11_000, False)])
def test_what_takes_long_is_warmed_up_unless_it_takes_ten_slices(ns: int, warmed: bool) -> None:
    counts: list[int] = []

    def loop(count: int) -> int:
        counts.append(count)
        return ns * count

    measure([Contestant("x", loop)], rounds=20, slice_ns=1000)
    # The first turn knows nothing yet.
    assert len(counts[-40 if warmed else -21 :]) == (40 if warmed else 21)
    assert len(counts) - (40 if warmed else 21) in range(2, WARM_UP + 1)


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
        measure([Contestant("x", loop)], rounds=3, slice_ns=10)
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
