"""What does choosing a function by its argument's type cost, beside functools and others?

All hold the same functions, which return a constant: what is measured is the choice. They are
called as ``f(x)``, with ``f`` and ``x`` in local variables. The floors are a direct call of the
implementation that is chosen; ``functools.partial(implementation)``, which is what calling a
Python function from C costs; and what is written by hand where types are known: a chain of
``if type(x) is T``, and ``table[type(x)](x)`` in place of the call.

ovld, plum and multipledispatch look at all positional arguments' types, ovld at keywords' too.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from time import perf_counter_ns
from typing import Any

import jumptable.functools
from dispatchers import (
    CHAIN,
    DIRECT,
    FORWARDED,
    FUNCTOOLS,
    GENERICS,
    JUMPTABLE,
    ONE,
    OVLD,
    TABLE,
    Call,
    Implementations,
    Way,
    cycling,
    function,
    new_types,
    ways,
)
from dispatchmethods import KINDS, methods
from dispatchtables import Targets, Times, nanoseconds
from jumptable.measuring import report
from jumptable.measuring.timing import Contestant, Spread, measure, statement
from results import Results, entered, met

AT_LEAST: dict[str, float | None] = {FUNCTOOLS: 6.0, OVLD: 2.0}
AT_MOST_OVER_NS = 25.0
CALLS = Targets(AT_LEAST, AT_MOST_OVER_NS)
METHODS = Targets({FUNCTOOLS: 5.0, OVLD: None})
# No target but the one that a replacement always has; equal times differ by a per cent or two.
REPLACES = Targets({FUNCTOOLS: 0.98})
# Differences that the order of the functions in memory makes.
SAME_NS = 2.0
FLAT = 1.1

BUILTIN_TYPES: list[type] = [int, float, str, list, dict]
SIZES = (1, 10, 100, 1_000, 10_000)
SEEN = (1, 2, 8, 64, 1_000)
SHUFFLED = 4_096
LONGEST_CHAIN = 64
AT_ONCE = 20
# These rounds take milliseconds, and their new classes are not collected meanwhile.
MOST_ROUNDS = 100


def named(types: Iterable[type], call: Call = ONE) -> Implementations:
    """Functions that return the name of the type they are for; the last one is ``object``'s."""
    return {cls: function(cls.__name__, call.parameters) for cls in [*types, object]}


def check(found: Iterable[Way], x: object, expected: object) -> None:
    for way in found:
        assert way.result(x) == expected, f"{way.name} gives {way.result(x)!r} for {way.code}"


# ---- calls ----------------------------------------------------------------------------------

THREE = Call("x, a, b", "x, 1, 2", positional=3)
KEYWORD_ONLY = Call("x, *, a, b", "x, a=1, b=2")
BY_KEYWORD = Call("x, a, b", "x, a=1, b=2")
PYTHON_CALLS = {
    "f(x)": ONE,
    "f(x, 1, 2)": THREE,
    "f(x, a=1, b=2), keyword-only": KEYWORD_ONLY,
    "f(x, a=1, b=2)": BY_KEYWORD,
}


def bench_calls(results: Results, rounds: int) -> None:
    times = Times(CALLS)
    for name, call in PYTHON_CALLS.items():
        missing: dict[str, str] = {}
        made = named(BUILTIN_TYPES, call)
        found = ways(made, made[str], missing, call)
        check(found, "text", "str")
        times.add(name, measure([way.timed("text") for way in found], rounds=rounds), missing)
    missing = {}
    builtins: dict[type, Callable[..., Any]] = {int: abs, float: abs, str: len, list: len}
    found = ways({**builtins, object: id}, len, missing)
    check(found, "text", 4)
    measurement = measure([way.timed("text") for way in found], rounds=rounds)
    times.add("f(x), len() is called", measurement, missing)
    title = f"A generic function of {len(BUILTIN_TYPES)} types, called with one of them"
    times.show(results, title)


def bench_keywords(results: Results, rounds: int) -> None:
    """What is paid for the choice, over a direct call that passes its arguments the same way."""
    found = []
    for name, call in PYTHON_CALLS.items():
        made = named(BUILTIN_TYPES, call)
        for way in ways(made, made[str], {}, call, who=(DIRECT, FUNCTOOLS, JUMPTABLE)):
            assert way.result("text") == "str"
            found.append(way.renamed(f"{way.name}: {name}"))
    measurement = measure([way.timed("text") for way in found], rounds=rounds)
    rows, entries = [], []
    positional, *_ = [name for name, call in PYTHON_CALLS.items() if call is THREE]
    for who in (FUNCTOOLS, JUMPTABLE):
        base = differences(measurement, who, positional)
        for name, call in PYTHON_CALLS.items():
            own = differences(measurement, who, name)
            more = Spread.of(mine - other for mine, other in zip(own, base, strict=True))
            judged = who == JUMPTABLE and call in (KEYWORD_ONLY, BY_KEYWORD)
            verdict = more.median <= SAME_NS if judged else None
            cells = [f"{who}: {name}", *nanoseconds(Spread.of(own)), *nanoseconds(more)]
            cells += [f"<= {SAME_NS:g}" if judged else "", met(bool(verdict)) if judged else ""]
            rows.append(cells)
            entries.append(
                {
                    "name": f"{who}: {name}",
                    "over direct call ns": Spread.of(own).median,
                    "more than without keywords ns": more.median,
                    "met": verdict,
                }
            )
    headings = ["call", "over direct call, ns", "quartiles", f"more than {positional}", "quartiles"]
    question = "Do keywords cost more than in a direct call?"
    times = entered(question, measurement, f"{JUMPTABLE}: {positional}")
    title = f"{question}  (median of {rounds} rounds)"
    results.table(title, [*headings, "target", "verdict"], rows, entries, times)


def differences(measurement: Any, who: str, name: str) -> list[float]:
    pairs = zip(measurement[f"{who}: {name}"].ns, measurement[f"{DIRECT}: {name}"].ns, strict=True)
    return [own - direct for own, direct in pairs]


# ---- as many types --------------------------------------------------------------------------


def bench_growth(results: Results, rounds: int, checking: bool) -> None:
    """All types have been called once; then one in the middle is called."""
    found: list[Contestant] = []
    columns = (TABLE, *GENERICS)
    sizes = SIZES[:4] if checking else SIZES
    for size in sizes:
        types = new_types(size)
        made = named(types)
        chosen = types[size // 2]
        for way in ways(made, made[chosen], {}, who=columns):
            for cls in types:
                check([way], cls(), cls.__name__)
            found.append(way.renamed(f"{way.name} {size}").timed(chosen()))
    measurement = measure(found, rounds=rounds)
    rows, entries = [], []
    for size in sizes:
        cells, entry = [f"{size:,}"], dict[str, object](types=size)
        for who in columns:
            name = f"{who} {size}"
            if name not in measurement.timings:
                cells += ["-", "-"]
                continue
            ratio = measurement.ratio(name, f"{who} {SIZES[0]}")
            cells += [report.nanoseconds(measurement[name].spread.median), f"{ratio.median:.2f}"]
            entry[who] = {**report.timing_entry(measurement[name]), "ratio to 1": ratio.median}
            if who == JUMPTABLE:
                flat = ratio.median <= FLAT
                cells += [f"{ratio.low:.2f}-{ratio.high:.2f}", f"<= {FLAT:g}", met(flat)]
                entry["met"] = flat
        rows.append(cells)
        entries.append(entry)
    headings = ["types registered"]
    for who in columns:
        headings += [who, "to 1"]
    question = "More types registered"
    times = entered(question, measurement, f"{JUMPTABLE} {SIZES[0]}")
    title = f"{question}: ns, and the ratio to one type  (median of {rounds} rounds)"
    results.table(title, [*headings, "quartiles", "target", "verdict"], rows, entries, times)
    results.note("-: ovld and plum need seconds to choose among 1,000 types for the first time")


def bench_polymorphic(results: Results, rounds: int) -> None:
    """One call site that is called with objects of several types in turn."""
    times = Times(Targets({FUNCTOOLS: 6.0, OVLD: 2.0, TABLE: None}))
    random = Random(0)
    for count in SEEN:
        types = new_types(count)
        made = named(types)
        values = [cls() for cls in types]
        missing: dict[str, str] = {}
        short = () if count > LONGEST_CHAIN else (CHAIN,)
        # Directly called is one implementation for all of them.
        found = ways(made, made[types[0]], missing, who=(DIRECT, *short, TABLE, *GENERICS))
        for value in values:
            check(found[1:], value, type(value).__name__)
        orders = {"in turn": values}
        if count > 2:
            orders["in random order"] = random.choices(values, k=SHUFFLED)
        for order, sequence in orders.items():
            empty = cycling(Way("the empty loop", "pass", {}), sequence)
            turns = [cycling(way, sequence, empty) for way in found]
            name = f"{count:,} type{'s' if count > 1 else ''}, {order}"
            times.add(name, measure(turns, rounds=rounds), missing)
    times.show(results, "A call f(x) with several types, all of them registered")


# ---- other types ----------------------------------------------------------------------------


class Abstract(metaclass=abc.ABCMeta):  # noqa: B024 - it needs no methods
    pass


class Virtual:
    pass


Abstract.register(Virtual)


class Attribute:
    __class__ = str  # type: ignore[assignment]


class Property:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return str


class Proxy:
    def __getattribute__(self, name: str) -> Any:
        return str if name == "__class__" else object.__getattribute__(self, name)


def bench_other_types(results: Results, rounds: int) -> None:
    """Types that are not registered themselves, and objects that say they are of another type."""
    times = Times(CALLS)
    made = named([*BUILTIN_TYPES, Abstract])
    derived = type("Derived", (str,), {})
    for name, x, chosen in (
        ("a subclass of a registered type", derived(), str),
        ("a virtual subclass of a registered ABC", Virtual(), Abstract),
        ("a registered type, where an ABC is registered too", "text", str),
        ("no type but object is registered", object(), object),
    ):
        missing: dict[str, str] = {}
        found = ways(made, made[chosen], missing, who=(DIRECT, FORWARDED, *GENERICS))
        check(found, x, chosen.__name__)
        times.add(name, measure([way.timed(x) for way in found], rounds=rounds), missing)
    slow = Targets({FUNCTOOLS: 0.98, OVLD: None})
    for lies in (Attribute, Property, Proxy):
        found = ways(made, made[str], {}, who=(DIRECT, FORWARDED, FUNCTOOLS, JUMPTABLE))
        check(found, lies(), "str")
        measurement = measure([way.timed(lies()) for way in found], rounds=rounds)
        times.add(f"__class__ is another: {lies.__name__}", measurement, targets=slow)
    times.show(results, "f(x) with types that are not registered themselves")


# ---- methods --------------------------------------------------------------------------------


def bench_methods(results: Results, rounds: int) -> None:
    times = Times(METHODS)
    for kind in KINDS:
        missing: dict[str, str] = {}
        found = methods(kind, BUILTIN_TYPES, str, missing)
        check(found, "text", "str")
        measurement = measure([way.timed("text") for way in found], rounds=rounds)
        times.add(kind.name, measurement, missing)
    times.show(results, f"A method of {len(BUILTIN_TYPES)} types, called with one of them")


# ---- first calls and registration -----------------------------------------------------------


def bench_first_calls(results: Results, rounds: int) -> None:
    """What is paid once for each class, and again after a registration."""
    times = Times(REPLACES)
    rounds = min(rounds, MOST_ROUNDS)
    deep: type = str
    for index in range(10):
        deep = type(f"Deep{index}", (deep,), {})
    plain, with_abc = named(BUILTIN_TYPES), named([*BUILTIN_TYPES, Abstract])
    for name, made, base in (
        ("the first call with a new subclass", plain, str),
        ("the same, 10 classes below", plain, deep),
        ("the same, an ABC is registered", with_abc, str),
        ("the first call with a class derived from nothing", plain, object),
    ):
        missing: dict[str, str] = {}
        found = ways(made, made[str], missing, who=GENERICS)
        expected = "object" if base is object else "str"
        check(found, new_types(1, base)[0](), expected)
        contestants = [
            prepared(way.name, partial(new_values, base), partial(call_each, generic(way)))
            for way in found
        ]
        times.add(name, measure(contestants, rounds=rounds, slice_ns=1), missing)
    values = new_values(str)
    for change, after in (("a registration", again), ("AnyABC.register()", elsewhere)):
        for name, made in (("no ABC is registered", plain), ("an ABC is registered", with_abc)):
            found = ways(made, made[str], {}, who=(FUNCTOOLS, JUMPTABLE))
            check(found, values[0], "str")
            contestants = [
                prepared(
                    way.name,
                    partial(after, generic(way), values),
                    partial(call_each, generic(way)),
                )
                for way in found
            ]
            measurement = measure(contestants, rounds=rounds, slice_ns=1)
            times.add(f"the first call after {change}, {name}", measurement)
    times.show(results, f"First calls, each of {AT_ONCE} classes")


def bench_registration(results: Results, rounds: int) -> None:
    times = Times(REPLACES)
    rounds = min(rounds, MOST_ROUNDS)
    made = named(BUILTIN_TYPES)
    decorators = {
        FUNCTOOLS: functools.singledispatch,
        JUMPTABLE: jumptable.functools.singledispatch,
    }
    contestants = [
        statement(who, "decorator(f)", {"decorator": decorator, "f": made[object]})
        for who, decorator in decorators.items()
    ]
    times.add("singledispatch(f)", measure(contestants, rounds=rounds))
    for name, warm in (("register(cls, f)", False), ("the same, f was called before", True)):
        contestants = [
            prepared(who, partial(to_register, GENERICS[who], made, warm=warm), register)
            for who in (FUNCTOOLS, JUMPTABLE)
        ]
        times.add(name, measure(contestants, rounds=rounds, slice_ns=1))
    missing: dict[str, str] = {}
    who = [way.name for way in ways(made, made[str], missing, who=GENERICS)]
    contestants = [prepared(name, to_make, partial(make, GENERICS[name])) for name in who]
    times.add("register and call once", measure(contestants, rounds=rounds, slice_ns=1), missing)
    times.show(results, f"Registration, each of {AT_ONCE} types of a new generic function")


def prepared(
    name: str, prepare: Callable[[], Any], run: Callable[[Any], object], each: int = AT_ONCE
) -> Contestant:
    """A contestant that needs new objects for each run; preparing them is not timed."""

    def loop(count: int) -> int:
        total = 0
        for _ in range(count):
            given = prepare()
            start = perf_counter_ns()
            run(given)
            total += perf_counter_ns() - start
        return total // each

    return Contestant(name, loop)


def generic(way: Way) -> Any:
    return way.names["f"]


def new_values(base: type) -> list[object]:
    return [cls() for cls in new_types(AT_ONCE, base)]


def call_each(f: Any, values: Iterable[object]) -> None:
    for value in values:
        f(value)


def again(f: Any, values: list[object]) -> list[object]:
    """The same values, after a registration that has nothing to do with them."""
    call_each(f, values)
    f.register(bytes, function("bytes"))
    return values


def elsewhere(f: Any, values: list[object]) -> list[object]:
    call_each(f, values)
    abc.ABCMeta("Elsewhere", (), {}).register(int)
    return values


Pairs = list[tuple[type, Callable[..., Any]]]


def to_register(
    maker: Callable[[Implementations, Call], Any], made: Implementations, *, warm: bool
) -> tuple[Any, Pairs]:
    f = maker(made, ONE)
    if warm:
        call_each(f, [1, "text", 1.0])
    return f, [(cls, function(cls.__name__)) for cls in new_types(AT_ONCE)]


def register(given: tuple[Any, Pairs]) -> None:
    f, pairs = given
    for cls, implementation in pairs:
        f.register(cls, implementation)


def to_make() -> tuple[Implementations, list[object]]:
    types = new_types(AT_ONCE)
    return named(types), [cls() for cls in types]


def make(
    maker: Callable[[Implementations, Call], Any], given: tuple[Implementations, list[object]]
) -> None:
    made, values = given
    call_each(maker(made, ONE), values)
