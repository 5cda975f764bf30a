"""Can the harness be believed? What costs a known time is measured, beside what it must cost.

A step of `loops.busy` is a multiplication that waits for the one before. What a step takes is told
by one call of a million, and a clock: nothing is subtracted, calibrated or divided there by more
than the million. All else must then cost its number of steps, in the same round. Waits end when a
clock says so, and sleeps are timed from inside by another clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter_ns

from jumptable.measuring import loops, report
from jumptable.measuring.ladder.compiled import CROWD, YARDSTICK, yardsticks
from jumptable.measuring.neighbours import quiet
from jumptable.measuring.results import Row, run_of
from jumptable.measuring.timing import Contestant, Measurement, Spread, measure, statement
from results import Results, entered, met

STEPS = (1, 10, 100, 1_000)
# The fewer, the more often they are repeated in a round: both parts of a Python loop must be right.
PYTHON_STEPS = (1_000, 10_000)
MILLION = 1_000_000
WAITS_MS = (0.1, 1.0)
RELATIVE, ABSOLUTE_NS = 0.05, 0.3
SAME = 0.02
TIMES, AT_LEAST_TIMES = 20, 19
# A round takes milliseconds here.
MOST_ROUNDS = 500
UNIT = "a million steps, by the clock"


def compiled(
    name: str, run: Callable[[int], object], empty: Contestant | None = None
) -> Contestant:
    """A loop that is C's own, which is called once."""

    def loop(count: int) -> int:
        start = perf_counter_ns()
        run(count)
        return perf_counter_ns() - start

    return Contestant(name, loop, empty)


def busy(name: str, steps: int, empty: Contestant | None = None) -> Contestant:
    return compiled(name, lambda count: loops.busy(steps, count), empty)


# ---- known costs ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """Something to be timed, and what it must take, by round."""

    contestant: Contestant
    truth: Callable[[Measurement], Sequence[float]]


def in_steps(contestant: Contestant, steps: int) -> Known:
    def truth(measurement: Measurement) -> list[float]:
        return [steps * ns / MILLION for ns in measurement[UNIT].raw_ns]

    return Known(contestant, truth)


def known_steps() -> list[Known]:
    """Each less a loop that calls the same function for one step: of a call, the steps remain."""
    one = busy("one step", 1)
    found = [
        in_steps(busy(f"{steps:,} more steps, in a compiled loop", 1 + steps, one), steps)
        for steps in STEPS
    ]
    one_call = in_python("one step", 1)
    for steps in PYTHON_STEPS:
        call = in_python(f"{steps:,} more steps", 1 + steps)
        found.append(in_steps(Contestant(call.name, call.loop, one_call), steps))
    return found


def in_python(what: str, steps: int) -> Contestant:
    names = {"f": loops.busy, "steps": steps}
    return statement(f"{what}, in a Python loop", "f(steps, 1)", names)


def known_wait(milliseconds: float) -> Known:
    ns, clock = round(milliseconds * 1e6), perf_counter_ns

    def wait() -> None:
        end = clock() + ns
        while clock() < end:
            pass

    name = f"a wait of {milliseconds:g} ms, busy"
    return Known(statement(name, "wait()", {"wait": wait}), lambda found: [ns] * found.rounds)


def known_sleep(milliseconds: float) -> Known:
    """The system wakes it up too late; how much, another clock tells."""
    turns: list[float] = []
    seconds = milliseconds / 1e3
    other = getattr(time, "CLOCK_MONOTONIC_RAW", None)
    clock = time.time_ns if other is None else lambda: time.clock_gettime_ns(other)

    def loop(count: int) -> int:
        slept = 0
        start = perf_counter_ns()
        for _ in repeat(None, count):
            before = clock()
            time.sleep(seconds)
            slept += clock() - before
        elapsed = perf_counter_ns() - start
        turns.append(slept / count)
        return elapsed

    name = f"a sleep of {milliseconds:g} ms"
    # In each round once: a turn to warm it up would be one of the turns.
    return Known(Contestant(name, loop, most=MOST_ROUNDS), lambda found: turns[-found.rounds :])


def agree(found: float, truth: float) -> bool:
    return abs(found - truth) <= max(RELATIVE * truth, ABSOLUTE_NS)


def bench_truth(results: Results, rounds: int) -> None:
    known = known_steps()
    known += [make(each) for make in (known_wait, known_sleep) for each in WAITS_MS]
    contestants = [each.contestant for each in known]
    measurement = measure([*contestants, busy(UNIT, MILLION)], rounds=min(rounds, MOST_ROUNDS))
    rows, entries = [], []
    facts: dict[str, dict[str, object]] = {}
    for each in known:
        name, truth = each.contestant.name, each.truth(measurement)
        timing, wanted = measurement[name], Spread.of(truth).median
        error = Spread.of(own / true - 1 for own, true in zip(timing.ns, truth, strict=True))
        verdict = agree(wanted * (1 + error.median), wanted)
        facts[name] = {"truth_ns": wanted, "error": error.median, "met": verdict}
        rows.append(
            [
                name,
                report.nanoseconds(wanted),
                report.nanoseconds(timing.spread.median),
                f"{100 * error.median:+.2f} %",
                f"{100 * error.low:+.2f} to {100 * error.high:+.2f}",
                f"{100 * RELATIVE:g} % or {ABSOLUTE_NS:g} ns",
                met(verdict),
            ]
        )
        entries.append({"name": name, **report.timing_entry(timing), **facts[name]})
    headings = ["known", "costs ns", "measured ns", "error", "quartiles", "at most", "verdict"]
    question = "What costs a known time"
    title = f"{question}  (median of {measurement.rounds} rounds; a step takes "
    title += f"{measurement[UNIT].spread.median / MILLION:.3f} ns)"
    results.table(title, headings, rows, entries, entered(question, measurement, UNIT, facts))


# ---- nothing --------------------------------------------------------------------------------


def bench_nothing(results: Results, rounds: int) -> None:
    """Nothing costs nothing, and never less."""
    empty = compiled("the compiled empty loop", loops.empty)
    measurement = measure(
        [
            statement("pass, in a Python loop", "pass"),
            compiled("nothing, in a compiled loop", loops.empty, empty),
            statement("x, a variable, in a Python loop", "x", {"x": 1}),
        ],
        rounds=rounds,
    )
    rows, entries = [], []
    for name, timing in measurement.timings.items():
        judged = "nothing" in name or "pass" in name
        verdict = min(timing.ns) >= 0 and (not judged or timing.spread.median <= ABSOLUTE_NS)
        rows.append(
            [
                name,
                f"{timing.spread.median:.3f}",
                f"{timing.spread.low:.3f}-{timing.spread.high:.3f}",
                f"{min(timing.ns):.3f}",
                f"0 to {ABSOLUTE_NS:g}" if judged else ">= 0",
                met(verdict),
            ]
        )
        entries.append({"name": name, **report.timing_entry(timing), "met": verdict})
    headings = ["nothing", "median ns", "quartiles", "least of all rounds", "target", "verdict"]
    title = f"What nothing costs  (median of {measurement.rounds} rounds)"
    results.table(title, headings, rows, entries)


# ---- the same twice -------------------------------------------------------------------------


def same_code() -> dict[str, Callable[[str], Contestant]]:
    """By what is run: makes a contestant of a given name that does just that."""

    def function(x: float) -> float:
        return x

    return {
        "math.fabs(x)": lambda name: statement(name, "f(x)", {"f": math.fabs, "x": 1.5}),
        "a Python function": lambda name: statement(name, "f(x)", {"f": function, "x": 1.5}),
        "10 steps, compiled": lambda name: busy(name, 10),
        "1,000 steps, compiled": lambda name: busy(name, 1_000),
    }


def bench_twins(results: Results, rounds: int) -> None:
    """The same code under two names is equal to itself, in one measurement and in most of 20."""
    rows, entries, times = [], [], []
    for code, make in same_code().items():
        ratios, equal = [], 0
        for number in range(TIMES):
            twins = [make("one"), make("the same")]
            each = max(1, rounds // 10)
            measurement = measure(twins, rounds=each, seed=number)
            ratio = measurement.ratio("one", "the same")
            ratios.append(ratio.median)
            equal += abs(ratio.median - 1) <= SAME
        spread = Spread.of(ratios)
        verdict = equal >= AT_LEAST_TIMES and abs(spread.median - 1) <= SAME
        facts = {"one": {"equal": equal, "of": TIMES, "met": verdict}}
        rows.append(
            [
                code,
                report.nanoseconds(measurement["one"].spread.median),
                f"{spread.median:.4f}",
                f"{min(ratios):.4f}-{max(ratios):.4f}",
                f"{equal} of {TIMES}",
                f"{AT_LEAST_TIMES} within {100 * SAME:g} %",
                met(verdict),
            ]
        )
        entries.append({"name": code, "ratios": ratios, **facts["one"]})
        times += entered(f"The same code twice: {code}", measurement, "one", facts)
    headings = ["code", "ns", "ratio", "all ratios", "equal", "target", "verdict"]
    title = f"The same code under two names, {TIMES} measurements of {max(1, rounds // 10)} rounds"
    results.table(title, headings, rows, entries, times)


def bench_again(results: Results, rounds: int) -> None:
    """Two measurements, one after the other, agree: as they are, and as `comparison` sees them.

    That leaves out the neighbours and divides by the yardstick.
    """
    codes = [make(code) for code, make in same_code().items()]
    first, second = (measure([*codes, *yardsticks()], rounds=rounds) for _ in range(2))
    climbs = [
        [Row(name, "", runs=(run_of(timing, found),)) for name, timing in found.timings.items()]
        for found in (first, second)
    ]
    # Each by itself: of one that was disturbed all along, something is to be left.
    both = [quiet([climb], YARDSTICK, CROWD) for climb in climbs]
    before, after = ({row.name: row.spread.median for row in one.climbs[0]} for one in both)
    machine = after[YARDSTICK] / before[YARDSTICK]
    rows, entries = [], []
    for code in same_code():
        raw = [found[code].spread.median for found in (first, second)]
        quietly = [before[code], after[code] / machine]
        for name, ns in ((f"{code}, as it was", raw), (f"{code}, as compared", quietly)):
            verdict = agree(ns[1], ns[0])
            rows.append(
                [
                    name,
                    *map(report.nanoseconds, ns),
                    f"{100 * (ns[1] / ns[0] - 1):+.2f} %" if ns[0] else "-",
                    f"{100 * RELATIVE:g} % or {ABSOLUTE_NS:g} ns",
                    met(verdict),
                ]
            )
            entries.append({"name": name, "ns": ns, "met": verdict})
    question = "Measured twice"
    times = [
        each
        for when, found in (("first", first), ("second", second))
        for each in entered(f"{question}: {when}", found, "math.fabs(x)")
    ]
    headings = ["code", "first ns", "second ns", "change", "at most", "verdict"]
    title = f"{question}, one after the other, {first.rounds} rounds each; "
    title += "stretches left out beside a neighbour: "
    title += " and ".join(f"{one.left_out} of {one.stretches}" for one in both)
    results.table(title, headings, rows, entries, times)
