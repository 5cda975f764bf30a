"""What does a hook call cost through jumptable.pluggy, beside stock pluggy and a loop by hand?

Stock and accelerated managers hold the same plugins and are called as hosts call them,
``hook.h(a0=a0)`` with ``hook = manager.hook``, or with the caller held in a variable, ``h(a0=a0)``:
the look-up of the attribute is the interpreter's own, and costs both the same. By hand is what a
host would write that knows the implementations: a comprehension that passes the same arguments by
position, and, for wrappers, what pluggy promises to do with their generators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest

from hookcalls import (
    ACCELERATED,
    ANSWER,
    BY_HAND,
    PROJECT,
    SILENT,
    STOCK,
    Hook,
    Impl,
    plugin,
    specification,
)
from jumptable.measuring import report
from jumptable.measuring.timing import Contestant, Measurement, Spread, measure, statement
from jumptable.pluggy import accelerate
from results import Results, Times, entered, met

SIZES = (1, 5, 10, 100, 1_000)
ARGUMENTS = range(6)
TIMES_STOCK = {1: 15.0, 10: 9.0, 100: 9.0}

WRAPPER, OLD = "wrapper", "hookwrapper"
PASSES_ON, OUTCOME = "return (yield)", "outcome = yield"
HANDLES = "try:\n    return (yield)\nexcept ValueError:\n    return None"
RAISES = "raise ValueError(a0)"

COMPREHENSION = "[f({0}) for f in functions]"
WITHOUT_NONE = "[r for f in functions if (r := f({0})) is not None]"
FIRST = "for f in functions:\n    r = f({0})\n    if r is not None:\n        break"
WRAPPED = """\
generators = [w({0}) for w in wrappers]
for g in generators:
    next(g)
result = [r for f in functions if (r := f({0})) is not None]
for g in reversed(generators):
    try:
        g.send(result)
    except StopIteration as stop:
        result = stop.value"""
CAUGHT = "try:\n    {}\nexcept ValueError:\n    pass"

# What "no slower" means: equal times differ by a per cent or two.
NO_SLOWER = 0.98
# A round of the largest hooks takes milliseconds.
MOST_ROUNDS = 1_000
MANAGERS = 40
PLUGINS, HOOKS = 100, 20
AT_MOST_OVER_EMPTY_NS = 60.0


# ---- as many implementations, as many arguments ---------------------------------------------


@pytest.mark.parametrize(
    ("methods", "called"),
    [(False, "hook.h"), (True, "hook.h"), (False, "h")],
    ids=["functions", "methods", "held"],
)
def bench_sizes(results: Results, rounds: int, checking: bool, methods: bool, called: str) -> None:
    table = Table()
    rounds = min(rounds, MOST_ROUNDS)
    for size in SIZES[:3] if checking else SIZES:
        for arguments in ARGUMENTS:
            hook = Hook([Impl(arguments)] * size, arguments, methods=methods)
            given = {"functions": hook.functions, **hook.values}
            expected, hands = [1] * size, []
            for code in (COMPREHENSION, WITHOUT_NONE):
                assert result_of(code.format(hook.positional), given) == expected
                hands.append(statement(code, code.format(hook.positional), given))
            assert hook.stock.hook.h(**hook.values) == expected
            assert hook.accelerated.hook.h(**hook.values) == expected
            name = f"implementations: {size:,}, arguments: {arguments}"
            measurement = measure([*hook.contestants(called), *hands], rounds=rounds)
            table.add(name, measurement, TIMES_STOCK.get(size), COMPREHENSION, 1.0, WITHOUT_NONE)
    kind = "methods of objects" if methods else "functions of modules"
    by_hand = COMPREHENSION.format("...")
    title = f"{called}(...): implementations are {kind}; by hand: {by_hand}"
    table.show(results, title)


@dataclass(frozen=True)
class Row:
    """What a table says of one kind of call."""

    name: str
    measurement: Measurement
    at_least: float | None
    hand: str | None
    at_most: float | None
    also: str | None


class Table:
    """Rows of stock, accelerated and by hand, with how many times faster, and the targets."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(
        self,
        name: str,
        measurement: Measurement,
        at_least: float | None = None,
        hand: str | None = None,
        at_most: float | None = None,
        also: str | None = None,
    ) -> None:
        """``at_least`` times as fast as stock; ``at_most`` times as long as ``hand``."""
        self.rows.append(Row(name, measurement, at_least, hand, at_most, also))

    def show(self, results: Results, title: str) -> None:
        by_hand = any(row.hand for row in self.rows)
        also = any(row.also for row in self.rows)
        headings = ["call", "stock ns", "ours ns", "times faster", "quartiles", "target", "verdict"]
        headings += ["by hand ns", "ours / hand", "quartiles", "verdict"] if by_hand else []
        headings += ["without None", "ours / that"] if also else []
        cells, entries = zip(*(self._entry(row, by_hand, also) for row in self.rows), strict=True)
        rounds = self.rows[0].measurement.rounds
        times = [
            each
            for row in self.rows
            for each in entered(f"{title}: {row.name}", row.measurement, ACCELERATED, facts(row))
        ]
        heading = f"{title}  (median of {rounds} rounds)"
        results.table(heading, headings, cells, list(entries), times)

    def _entry(self, row: Row, by_hand: bool, also: bool) -> tuple[list[str], dict[str, object]]:
        faster = row.measurement.ratio(STOCK, ACCELERATED)
        verdict = None if row.at_least is None else faster.median >= row.at_least
        entry: dict[str, object] = {
            "name": row.name,
            "timings": [report.timing_entry(each) for each in row.measurement.timings.values()],
            "times faster": faster.median,
            "quartiles": [faster.low, faster.high],
            "at_least": row.at_least,
            "met": verdict,
        }
        cells = [
            row.name,
            *(nanoseconds(row.measurement, who) for who in (STOCK, ACCELERATED)),
            *shown(faster),
            "" if row.at_least is None else f">= {row.at_least:g}",
            "" if verdict is None else met(verdict),
        ]
        if row.hand is not None:
            over = row.measurement.ratio(ACCELERATED, row.hand)
            below = None if row.at_most is None else over.median <= row.at_most
            entry |= {"ours / by hand": over.median, "below by hand": below}
            cells += [nanoseconds(row.measurement, row.hand), *shown(over)]
            cells += ["" if below is None else met(below)]
        elif by_hand:
            cells += [""] * 4
        if row.also is not None:
            cells += [nanoseconds(row.measurement, row.also)]
            cells += [f"{row.measurement.ratio(ACCELERATED, row.also).median:.2f}"]
        elif also:
            cells += [""] * 2
        return cells, entry


def facts(row: Row) -> dict[str, dict[str, object]]:
    """The targets, for who they are about."""
    found: dict[str, dict[str, object]] = {}
    if row.at_least is not None:
        reached = row.measurement.ratio(STOCK, ACCELERATED).median >= row.at_least
        found[STOCK] = {"jumptable is to be times as fast": row.at_least, "met": reached}
    if row.hand is not None and row.at_most is not None:
        reached = row.measurement.ratio(ACCELERATED, row.hand).median <= row.at_most
        found[row.hand] = {"at_most": row.at_most, "met": reached}
    return found


def nanoseconds(measurement: Measurement, name: str) -> str:
    return report.nanoseconds(measurement[name].spread.median)


def shown(spread: Spread) -> list[str]:
    return [f"{spread.median:#.3g}", f"{spread.low:#.3g}-{spread.high:#.3g}"]


# ---- wrappers, first results, exceptions ----------------------------------------------------


def wrapped(kind: str, body: str, last: str = ANSWER, size: int = 5) -> list[Impl]:
    """Five wrappers, and implementations of which ``last`` is called at the end."""
    plain = [Impl()] * (size - 1) + [Impl(body=last)]
    return [*[Impl(kind=kind, body=body)] * 5, *plain]


def bench_kinds(results: Results, rounds: int) -> None:
    """Those that a plain list of implementations does not have."""
    silent, answer = Impl(body=SILENT), Impl()
    cases = {
        "5 wrappers, 5 implementations": (Hook(wrapped(WRAPPER, PASSES_ON)), 10.0, WRAPPED),
        "5 old-style hookwrappers, 5 implementations": (Hook(wrapped(OLD, OUTCOME)), 6.0, None),
        "1 wrapper, 1 implementation": (
            Hook([Impl(kind=WRAPPER, body=PASSES_ON), answer]),
            None,
            WRAPPED,
        ),
        "1 old-style hookwrapper, 1 implementation": (
            Hook([Impl(kind=OLD, body=OUTCOME), answer]),
            None,
            None,
        ),
        "firstresult, the only one answers": (Hook([answer], firstresult=True), 12.0, FIRST),
        "firstresult, the first of 10 answers": (
            Hook([answer, *[silent] * 9], firstresult=True),
            12.0,
            FIRST,
        ),
        "firstresult, the last of 10 answers": (
            Hook([*[silent] * 9, answer], firstresult=True),
            12.0,
            FIRST,
        ),
        "10 implementations that return None": (Hook([silent] * 10), None, WITHOUT_NONE),
    }
    table = Table()
    for name, (hook, target, code) in cases.items():
        expected = hook.stock.hook.h(a0=1)
        assert hook.accelerated.hook.h(a0=1) == expected
        found = hook.contestants()
        if code is not None:
            wrappers = [function for function in hook.functions if is_generator(function)]
            functions = [function for function in hook.functions if not is_generator(function)]
            given = {"functions": functions, "wrappers": wrappers, **hook.values}
            assert result_of(code.format("a0"), given) == expected, name
            found.append(statement(BY_HAND, code.format("a0"), given))
        hand = None if code is None else BY_HAND
        table.add(name, measure(found, rounds=min(rounds, MOST_ROUNDS)), target, hand)
    table.show(results, "Wrappers and first results, 1 argument")


def result_of(code: str, names: Mapping[str, object]) -> object:
    """What a host that wrote this would get: of an expression, or in ``result`` or ``r``."""
    space: dict[str, object] = dict(names)
    try:
        return eval(code, space)
    except SyntaxError:
        exec(code, space)
    return space["result"] if "result" in space else space["r"]


def is_generator(function: Any) -> bool:
    return bool(function.__code__.co_flags & 0x20)  # inspect.CO_GENERATOR


def bench_raising(results: Results, rounds: int) -> None:
    raises = Impl(body=RAISES)
    cases = {
        "the only one raises": Hook([raises]),
        "the last of 10 raises": Hook([*[Impl()] * 9, raises]),
        "5 implementations, the last raises": Hook([*[Impl()] * 4, raises]),
        "the same below 5 wrappers": Hook(wrapped(WRAPPER, PASSES_ON, RAISES)),
        "the same below 5 wrappers, each handles it": Hook(wrapped(WRAPPER, HANDLES, RAISES)),
        "the same below 5 old-style hookwrappers": Hook(wrapped(OLD, OUTCOME, RAISES)),
        "a wrapper raises before its yield": Hook(
            [Impl(kind=WRAPPER, body=f"{RAISES}\nyield"), *[Impl()] * 5]
        ),
        "a wrapper raises after its yield": Hook(
            [Impl(kind=WRAPPER, body=f"yield\n{RAISES}"), *[Impl()] * 5]
        ),
    }
    table = Table()
    for name, hook in cases.items():
        assert outcome(hook.stock) == outcome(hook.accelerated)
        measurement = measure(hook.contestants(around=CAUGHT), rounds=min(rounds, MOST_ROUNDS))
        table.add(name, measurement, NO_SLOWER)
    table.show(results, "Exceptions, caught by the host, 1 argument")


def outcome(manager: pluggy.PluginManager) -> object:
    try:
        return manager.hook.h(a0=1)
    except ValueError as error:
        return repr(error)


# ---- no implementations ---------------------------------------------------------------------


EMPTY = "an empty Python function"
# The call, and what it may be written in place of.
EMPTY_CALLS = {
    "hook.h()": "module.h()",
    "h()": "h()",
    "hook.h(a0=a0)": "module.h(a0=a0)",
    "h(a0=a0)": "h(a0=a0)",
}


def bench_empty(results: Results, rounds: int) -> None:
    def none() -> None:
        pass

    def one(a0: object) -> None:
        pass

    rows, entries, saved = [], [], list[Times]()
    question = f"A hook without implementations, over {EMPTY}"
    for code, empty in EMPTY_CALLS.items():
        hook, function = (Hook([], 1), one) if "a0" in code else (Hook([], 0), none)
        found = [
            statement(who, code, {"hook": manager.hook, "h": manager.hook.h, **hook.values})
            for who, manager in ((STOCK, hook.stock), (ACCELERATED, hook.accelerated))
        ]
        module = SimpleNamespace(h=function)
        found.append(statement(EMPTY, empty, {"module": module, "h": function, **hook.values}))
        measurement = measure(found, rounds=rounds)
        ours, base = measurement[ACCELERATED].ns, measurement[EMPTY].ns
        over = Spread.of(own - call for own, call in zip(ours, base, strict=True))
        verdict = over.median <= AT_MOST_OVER_EMPTY_NS
        times = [nanoseconds(measurement, who) for who in (STOCK, ACCELERATED, EMPTY)]
        target = f"<= {AT_MOST_OVER_EMPTY_NS:.0f}"
        rows.append([f"{code}, over {empty}", *times, *shown(over), target, met(verdict)])
        timings = [report.timing_entry(each) for each in measurement.timings.values()]
        entries.append({"name": code, "timings": timings, "over ns": over.median, "met": verdict})
        facts = {ACCELERATED: {"over ns": over.median, "at_most": AT_MOST_OVER_EMPTY_NS}}
        saved += entered(f"{question}: {code}", measurement, ACCELERATED, facts)
    headings = ["call", "stock ns", "ours ns", "empty function ns", "over it ns", "quartiles"]
    title = f"{question}  (median of {rounds} rounds)"
    results.table(title, [*headings, "target", "verdict"], rows, entries, saved)


# ---- other ways to call ---------------------------------------------------------------------


def bench_ways(results: Results, rounds: int) -> None:
    """Calls that are not hook.h(...), or whose plan does not last."""
    hook = Hook([Impl(2)] * 10, 2)
    monitored = Hook([Impl(2)] * 10, 2)
    contained = Hook([Impl(2)] * 10, 2)
    accelerate(contained.accelerated, contain=True)
    for manager in (monitored.stock, monitored.accelerated):
        manager.add_hookcall_monitoring(lambda *seen: None, lambda *seen: None)

    def subset(manager: pluggy.PluginManager) -> object:
        return manager.subset_hook_caller("h", [hook.plugins[4]])

    def caller(manager: pluggy.PluginManager) -> object:
        return manager.hook.h

    def extra(a0: object, a1: object) -> int:
        return 1

    ways: dict[str, tuple[Hook, Callable[[pluggy.PluginManager], object], str]] = {
        "h(**arguments)": (hook, caller, "h(**arguments)"),
        "two call sites with names in another order": (
            hook,
            caller,
            "h(a0=a0, a1=a1); h(a1=a1, a0=a0)",
        ),
        "each call after a change of the implementations": (
            hook,
            caller,
            "h._hookimpls.reverse(); h(a0=a0, a1=a1)",
        ),
        "contain=True": (contained, caller, "h(a0=a0, a1=a1)"),
        "subset_hook_caller: 9 of them": (hook, subset, "h(a0=a0, a1=a1)"),
        "call_extra: one more": (hook, caller, "h.call_extra([extra], arguments)"),
        "monitored": (monitored, caller, "h(a0=a0, a1=a1)"),
    }
    table = Table()
    for name, (which, of, code) in ways.items():
        given = {**which.values, "arguments": dict(which.values), "extra": extra}
        found = [
            statement(who, code, {"h": of(manager), **given})
            for who, manager in ((STOCK, which.stock), (ACCELERATED, which.accelerated))
        ]
        table.add(name, measure(found, rounds=min(rounds, MOST_ROUNDS)), NO_SLOWER)
    table.show(results, "Other ways to call a hook of 10 implementations, 2 arguments")


# ---- registration ---------------------------------------------------------------------------


def bench_registration(results: Results, rounds: int) -> None:
    hooks = [f"hook_{number}" for number in range(HOOKS)]
    impls = dict.fromkeys(hooks, Impl())
    plugins = [plugin(f"plugin_{number}", impls, methods=True) for number in range(PLUGINS)]
    specs = specification(hooks, 1, firstresult=False)

    def manager(*, ours: bool, specified: bool) -> pluggy.PluginManager:
        made = pluggy.PluginManager(PROJECT)
        if ours:
            accelerate(made)
        if specified:
            made.add_hookspecs(specs)
        return made

    def register(given: pluggy.PluginManager) -> None:
        for one in plugins:
            given.register(one)

    def registered() -> pluggy.PluginManager:
        made = manager(ours=False, specified=True)
        register(made)
        return made

    table = Table()
    most = min(rounds, MANAGERS)
    for specified, what in ((True, "hooks are specified"), (False, "no specifications")):
        found = [
            once(who, partial(manager, ours=ours, specified=specified), register)
            for who, ours in ((STOCK, False), (ACCELERATED, True))
        ]
        measurement = measure(found, rounds=most, slice_ns=1)  # one manager per round
        table.add(f"register(), {what}", measurement, NO_SLOWER)
    title = f"Registering {PLUGINS} plugins with {HOOKS} hooks each"
    table.show(results, title)
    alone = measure([once(ACCELERATED, registered, accelerate)], rounds=most, slice_ns=1)
    spread = alone[ACCELERATED].spread
    question = f"accelerate(manager) that has those {HOOKS} hooks already"
    results.table(
        f"{question}  ({most} rounds)",
        ["step", "median us", "quartiles"],
        [
            [
                "accelerate(manager)",
                f"{spread.median / 1e3:.1f}",
                f"{spread.low / 1e3:.1f}-{spread.high / 1e3:.1f}",
            ]
        ],
        [report.timing_entry(alone[ACCELERATED])],
        entered(question, alone, ACCELERATED),
    )


def once(
    name: str, prepare: Callable[[], pluggy.PluginManager], run: Callable[..., object]
) -> Contestant:
    """A contestant that needs a new manager for each run, in which no time is counted."""

    def loop(count: int) -> int:
        total = 0
        for _ in range(count):
            prepared = prepare()
            start = perf_counter_ns()
            run(prepared)
            total += perf_counter_ns() - start
        return total

    return Contestant(name, loop)
