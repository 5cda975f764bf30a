"""What is left out, by processes that were made up: what disturbed them is known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumptable.measuring.neighbours import FEWEST, quiet
from jumptable.measuring.results import Row, Run, few
from jumptable.measuring.timing import Spread

STICK, CROWD = "yardstick", "crowd"
COUNT = 20
TRUTH, SUFFERS = 40.0, 1.75
PARTS = (0.95, 0.97, 1.0, 1.04, 1.2)


def run(values: Sequence[float]) -> Run:
    stretches = tuple(tuple(value * part for part in PARTS) for value in values)
    return Run(tuple(values), tuple(values), 0.9 * min(values), 10, stretches)


def single(values: Sequence[float]) -> Run:
    """A round in each stretch."""
    each = tuple((value,) for value in values)
    return replace(run(values), stretches=each)


def row(name: str, *runs: Run) -> Row:
    return Row(name, "calls", runs=runs)


def process(
    beside: Sequence[bool], *, seed: int = 0, machine: float = 1.0, code: float = TRUTH
) -> list[Row]:
    """One row, and what watches; ``beside`` says in which stretches there was a neighbour."""
    random = Random(seed)

    def noise() -> float:
        return machine * random.uniform(0.995, 1.005)

    return [
        row("code", run([code * noise() * (SUFFERS if one else 1) for one in beside])),
        row(
            CROWD, run([88 * noise() * (random.uniform(1.2, 1.6) if one else 1) for one in beside])
        ),
        row(STICK, run([87 * noise() for _ in beside])),
    ]


def medians(climbs: Sequence[Sequence[Row]], name: str = "code") -> list[float]:
    return [one.spread.median for rows in climbs for one in rows if one.name == name and one.runs]


SOME = [True, True, False, True] * 5


def test_what_was_measured_beside_a_neighbour_is_left_out() -> None:
    climbs = [process(SOME), process([not one for one in SOME], seed=1)]
    assert medians(climbs) == [
        pytest.approx(1.75 * TRUTH, rel=0.02),
        pytest.approx(TRUTH, rel=0.02),
    ]
    found = quiet(climbs, STICK, CROWD)
    assert medians(found.climbs) == [pytest.approx(TRUTH, rel=0.01)] * 2
    assert (found.stretches, found.left_out) == (40, 20)
    kept = found.climbs[0][0].runs[0]
    assert len(kept.values) == len(kept.ratios) == len(kept.stretches) == 5
    spread = found.climbs[0][0].spread
    assert spread.low == pytest.approx(0.97 * TRUTH, rel=0.01)
    assert spread.high == pytest.approx(1.04 * TRUTH, rel=0.01)
    assert max(kept.ratios) < 1.1 * TRUTH
    (told,) = found.notes
    assert told.startswith("Left out: 20 of 40 stretches")
    assert "up to 1.6 times" in told


def test_a_row_decides_nothing_about_itself() -> None:
    climbs = [process([False] * COUNT)]
    slow = row("slow now and then", run([10.0, 10.0, 10.0, 30.0] * 5))
    found = quiet([[*climbs[0], slow]], STICK, CROWD)
    assert found.climbs[0][-1].runs[0].values == slow.runs[0].values
    assert found.climbs[0][-1].unstable
    assert found.left_out == 0
    assert found.notes == []


def test_a_neighbour_that_never_leaves_is_not_left_out() -> None:
    """Nothing would be left; the crowd's time tells the next comparison."""
    beside = process([False] * COUNT, machine=1.0)
    beside[1] = row(CROWD, run([88 * 1.4] * COUNT))
    found = quiet([beside], STICK, CROWD)
    assert found.left_out == 0
    assert medians(found.climbs, CROWD) == [pytest.approx(88 * 1.4)]


def test_a_machine_that_slows_down_is_no_neighbour() -> None:
    climbs = [process([False] * COUNT), process([False] * COUNT, machine=1.4)]
    found = quiet(climbs, STICK, CROWD)
    assert found.left_out == 0
    assert medians(found.climbs) == [pytest.approx(TRUTH, rel=0.01), pytest.approx(56, rel=0.01)]


def test_a_process_that_was_disturbed_all_along_counts_for_nothing() -> None:
    found = quiet([process([True] * COUNT), process([False] * COUNT, seed=1)], STICK, CROWD)
    assert medians(found.climbs) == [pytest.approx(TRUTH, rel=0.01)]
    assert found.climbs[0][0].runs == ()


def test_what_only_the_disturbed_process_has_is_kept() -> None:
    lonely = row("lonely", run([7.0] * COUNT))
    found = quiet(
        [[*process([True] * COUNT), lonely], process([False] * COUNT, seed=1)], STICK, CROWD
    )
    assert found.climbs[0][-1] == lonely


def test_a_row_that_is_timed_in_fewer_rounds_loses_the_same_time() -> None:
    beside = ([False] * 4 + [True] * 4) * 5
    seldom = row("seldom", single([100.0, 200.0] * 5))
    found = quiet([[*process(beside), seldom]], STICK, CROWD)
    assert found.climbs[0][-1].runs[0].values == (100.0,) * 5
    assert found.disturbed == ()
    # Less than four would be left of it.
    seldom = row("seldom", single([100.0, 100.0, 100.0, 200.0, 200.0, 200.0]))
    found = quiet([[*process([False] * 10 + [True] * 10), seldom]], STICK, CROWD)
    assert found.climbs[0][-1] == seldom
    assert found.disturbed == ("seldom",)


def test_stretches_that_are_longer_than_the_crowds_are_not_judged() -> None:
    """Of what they span, some was disturbed and some was not."""
    long = row("long", run([180.0] * COUNT))
    found = quiet([[*process([False, True, True] * COUNT), long]], STICK, CROWD)
    assert found.climbs[0][-1].spread == long.spread
    assert found.disturbed == ("long",)


def test_what_was_not_timed_along_with_the_crowd_is_kept() -> None:
    alone = row("alone", few([1e6, 2e6, 3e6, 4e6, 5e6] * 4))
    found = quiet([[*process(SOME), alone]], STICK, CROWD)
    assert found.left_out == 15
    assert found.climbs[0][-1] == alone
    both = [[*process(SOME), alone], [*process(SOME, seed=1), row("alone", run([2e6] * COUNT))]]
    found = quiet(both, STICK, CROWD)
    assert found.climbs[0][-1] == alone
    assert len(found.climbs[1][-1].runs[0].values) == 5


def test_what_another_process_does_has_neighbours_of_its_own() -> None:
    """But the baseline, to which it is compared, has those of the crowd."""
    runs = (replace(run([30.0] * COUNT), ratios=tuple(1.0 if one else 1.75 for one in SOME)),)
    there = Row("there", "calls", runs=runs, elsewhere=True)
    found = quiet([[*process(SOME), there]], STICK, CROWD)
    assert found.climbs[0][-1].spread == there.spread
    assert found.climbs[0][-1].ratio == Spread(1.75, 1.75, 1.75)
    assert found.disturbed == ("there",)
    (told,) = found.notes
    assert told.endswith("are of the others; not so: there.")
    assert quiet([[*process([False] * COUNT), there]], STICK, CROWD).disturbed == ()


def test_of_many_disturbed_rows_the_number_is_told() -> None:
    there = [
        Row(f"there {number}", "calls", runs=(run([30.0] * COUNT),), elsewhere=True)
        for number in range(4)
    ]
    (told,) = quiet([[*process(SOME), *there]], STICK, CROWD).notes
    assert "not so: 4 rows that other processes take part in" in told


def test_where_nothing_but_the_yardsticks_is_left_out_nothing_is_told() -> None:
    _, *watching = process(SOME)
    found = quiet([[row("own", few([1e6] * 8)), *watching]], STICK, CROWD)
    assert found.left_out == 15
    assert found.disturbed == ("own",)
    assert found.notes == []


def test_where_little_is_left_it_is_to_be_done_again() -> None:
    found = quiet([process([False] * 4 + [True] * 16)], STICK, CROWD)
    assert found.left_out == 16
    (told,) = found.notes
    assert told.endswith("run it again when nothing else runs.")
    (told,) = quiet([process([False] * 5 + [True] * 15)], STICK, CROWD).notes
    assert "again" not in told


def test_a_stretch_that_is_disturbed_for_a_third_is_left_out() -> None:
    """The crowd's median is what it always is, and so are most rounds of others."""
    climbs = [process([False] * COUNT)]
    crowd = climbs[0][1].runs[0]
    partly = tuple(1.5 * value if index >= 3 else value
                   for index, value in enumerate(crowd.stretches[0]))  # fmt: skip
    climbs[0][1] = row(CROWD, replace(crowd, stretches=(partly, *crowd.stretches[1:])))
    found = quiet(climbs, STICK, CROWD)
    assert found.left_out == 1
    assert found.climbs[0][0].runs[0].values == climbs[0][0].runs[0].values[1:]


@pytest.mark.parametrize("odd", [1, 3, 15])
def test_a_disturbed_yardstick_alone_costs_nothing_else(odd: int) -> None:
    """Up to one stretch in twenty."""
    count = max(COUNT, 20 * odd)
    climbs = [process([False] * count)]
    climbs[0][2] = row(STICK, run([*[87.0] * (count - odd), *[130.0] * odd]))
    found = quiet(climbs, STICK, CROWD)
    assert found.left_out == 0


@pytest.mark.parametrize("missing", [STICK, CROWD])
def test_a_process_without_what_watches_is_left_as_it_is(missing: str) -> None:
    stopped = [one for one in process(SOME) if one.name != missing]
    found = quiet([stopped, process(SOME, seed=1), []], STICK, CROWD)
    assert found.climbs[0] == stopped
    assert found.left_out == 15
    found = quiet([stopped], STICK, CROWD)
    assert (found.climbs, found.stretches, found.notes) == ([stopped], 0, [])


def test_a_run_that_was_stopped_at_once() -> None:
    for count in range(1, FEWEST):
        climbs = [process([True] * count)]
        assert quiet(climbs, STICK, CROWD).climbs == climbs
    nothing = [[Row(name, "calls", missing="not measured") for name in ("code", STICK, CROWD)]]
    assert quiet(nothing, STICK, CROWD).climbs == nothing
    assert quiet([], STICK, CROWD).climbs == []


def test_a_yardstick_that_costs_nothing_tells_nothing() -> None:
    climbs = [process(SOME)]
    climbs[0][2] = row(STICK, run([0.0] * COUNT))
    assert quiet(climbs, STICK, CROWD).climbs == climbs


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=60), min_size=1, max_size=4),
    st.integers(0, 10**6),
)
def test_enough_is_always_left_and_none_of_it_disturbed(
    beside: list[list[bool]], seed: int
) -> None:
    climbs = [process(one, seed=seed + number) for number, one in enumerate(beside)]
    found = quiet(climbs, STICK, CROWD)
    count = sum(map(len, beside))
    left = [value for rows in found.climbs for run in rows[0].runs for value in run.values]
    assert len(left) == count - found.left_out >= min(count, FEWEST)
    if sum(not one for each in beside for one in each) >= FEWEST:
        assert max(left) < 1.01 * TRUTH
        assert found.left_out == sum(map(sum, beside))
