"""The timing engine against truth: on a machine whose time is made up, costs are known exactly.

`benchmarks/bench_harness.py` asks the same of the real one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jumptable.measuring.timing import Contestant, Measurement, measure

ROUNDS, SLICE_NS = 200, 100_000
RELATIVE, ABSOLUTE_NS = 0.05, 0.3
SAME = 0.02
LOOP_NS = 2.5
COSTS = (0.3, 1.0, 10.0, 100.0, 1_000.0, 1e5, 1e6)
# What a round of all of these takes. The last one is longer than a slice, and takes about as long
# as what is still warmed up, so half of its turns are.
ROUND_NS = 8 * SLICE_NS + 1.5e6


@dataclass
class Machine:
    """Everything takes what it costs, and what the machine adds: each of it can be turned on.

    ``jitter`` differs from turn to turn, ``drift`` comes and goes while many turns pass, ``spikes``
    is how often something else runs for up to ten turns, and from ``slow_from`` on all takes twice
    as long.
    """

    random: Random = field(default_factory=lambda: Random(0))
    jitter: float = 0.0
    drift: float = 0.0
    spikes: float = 0.0
    slow_from: float = math.inf
    now: float = 0.0

    def spend(self, ns: float) -> int:
        pace = 1 + self.drift * math.sin(2 * math.pi * self.now / (30 * SLICE_NS))
        pace *= 2 if self.now >= self.slow_from else 1
        elapsed = ns * pace * max(0.5, self.random.gauss(1, self.jitter))
        if self.random.random() < self.spikes:
            elapsed += self.random.uniform(0, 10 * SLICE_NS)
        self.now += elapsed
        return round(elapsed)

    def contestant(
        self, name: str, ns: float, empty: Contestant | None = None, most: int | None = None
    ) -> Contestant:
        around = LOOP_NS if empty is not None else 0.0
        return Contestant(name, lambda count: self.spend(count * (ns + around)), empty, most)

    def in_a_loop(self, costs: dict[str, float]) -> list[Contestant]:
        empty = self.contestant("the empty loop", LOOP_NS)
        return [self.contestant(name, ns, empty) for name, ns in costs.items()]


MACHINES = {
    "quiet": Machine(),
    "jittery": Machine(jitter=0.03),
    "drifting": Machine(drift=0.04, jitter=0.01),
    "busy": Machine(spikes=0.15, jitter=0.01),
    "slow in the end": Machine(jitter=0.01, slow_from=0.6 * ROUNDS * ROUND_NS),
}


def fresh(machine: Machine, seed: int) -> Machine:
    return Machine(Random(seed), machine.jitter, machine.drift, machine.spikes, machine.slow_from)


def close(found: float, truth: float) -> bool:
    return abs(found - truth) <= max(RELATIVE * truth, ABSOLUTE_NS)


def found(machine: Machine, costs: dict[str, float], seed: int = 0) -> Measurement:
    return measure(machine.in_a_loop(costs), rounds=ROUNDS, slice_ns=SLICE_NS, seed=seed)


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("seed", range(3))
def test_what_a_call_costs_is_recovered(kind: str, seed: int) -> None:
    costs = {str(ns): ns for ns in COSTS}
    measurement = found(fresh(MACHINES[kind], seed), costs, seed)
    recovered = {name: measurement[name].spread.median for name in costs}
    assert all(close(recovered[name], ns) for name, ns in costs.items()), recovered


def test_a_machine_that_is_half_as_fast_from_the_middle_on_changes_no_ratio() -> None:
    machine = Machine(Random(1), jitter=0.02, spikes=0.05)
    costs = {"base": 20.0, "x": 50.0, "y": 7.0}
    machine.slow_from = 0.5 * ROUNDS * (1 + len(costs)) * SLICE_NS
    measurement = found(machine, costs)
    assert machine.now > machine.slow_from * 1.5
    for name in ("x", "y"):
        ratio = measurement.ratio(name, "base").median
        assert ratio == pytest.approx(costs[name] / costs["base"], rel=SAME)


def test_what_takes_part_in_few_rounds_is_compared_with_what_it_met() -> None:
    machine = Machine(Random(2), jitter=0.01, slow_from=0.4 * (ROUNDS + 20) * SLICE_NS)
    contestants = [machine.contestant("base", 40), machine.contestant("rare", 120, most=20)]
    measurement = measure(contestants, rounds=ROUNDS, slice_ns=SLICE_NS)
    assert len(measurement["rare"].ns) == 20
    assert measurement.ratio("rare", "base").median == pytest.approx(3, rel=SAME)


@pytest.mark.parametrize("kind", MACHINES)
def test_what_does_nothing_costs_nothing_and_never_less(kind: str) -> None:
    measurement = found(fresh(MACHINES[kind], 4), {"nothing": 0.0, "something": 30.0})
    nothing = measurement["nothing"]
    assert min(nothing.ns) >= 0
    assert 0 <= nothing.minimum <= nothing.spread.median <= ABSOLUTE_NS


noise = st.builds(
    Machine,
    random=st.integers(0, 2**32).map(Random),
    jitter=st.floats(0, 0.02),
    drift=st.floats(0, 0.03),
    spikes=st.floats(0, 0.1),
)
costs = st.floats(0.0, 1e5, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(machine=noise, given_costs=st.lists(costs, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_any_costs_are_recovered_on_any_machine(
    machine: Machine, given_costs: list[float], seed: int
) -> None:
    named = {str(number): ns for number, ns in enumerate(given_costs)}
    measurement = found(machine, named, seed)
    for name, ns in named.items():
        timing = measurement[name]
        assert min(timing.ns) >= 0
        assert close(timing.spread.median, ns), (timing.spread, ns)


@settings(max_examples=60, deadline=None)
@given(machine=noise, ns=st.floats(5.0, 1e5), seed=st.integers(0, 99), slow=st.floats(0.1, 0.9))
def test_the_same_twice_compares_as_equal(
    machine: Machine, ns: float, seed: int, slow: float
) -> None:
    machine.slow_from = slow * ROUNDS * 3 * SLICE_NS
    measurement = found(machine, {"one": ns, "the same": ns}, seed)
    assert measurement.ratio("one", "the same").median == pytest.approx(1, abs=SAME)
