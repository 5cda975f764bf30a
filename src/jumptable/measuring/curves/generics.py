"""A call that chooses by type, by how many types are registered."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import cycle, islice
from time import perf_counter_ns
from typing import Any

from ...calling.dispatch import STOCK
from ...functools import singledispatch
from ..ladder.rung import expect
from ..timing import Contestant, statement
from .maker import Maker, Point, told

__all__ = ["CURVE"]

COUNTS = (1, 10, 100, 1_000, 10_000)
INSTALLED = "it is compiled in this process already: run the bench in one without install()"
ONE, IN_TURN = "one type", "all in turn"


def _points(closing: ExitStack) -> Iterator[Point]:
    stock: Any = functools.singledispatch
    for count in COUNTS:
        types = [type(f"Type{number}", (), {}) for number in range(count)]
        values = [cls() for cls in types]
        for who, decorator in (("functools", stock), ("jumptable", singledispatch)):
            if who == "functools" and stock is not STOCK[0]:
                yield Point(who, count, None, INSTALLED)
                continue
            generic = _generic(decorator, types)
            # The first call with a type looks for its implementation: once, so not here.
            expect([generic(value) for value in values], list(range(count)))
            series = f"{who}, {ONE}"
            names = {"f": generic, "x": values[-1]}
            yield Point(series, count, statement(told(series, count), "f(x)", names))
            series = f"{who}, {IN_TURN}"
            yield Point(series, count, _in_turn(told(series, count), generic, values))


def _generic(decorator: Any, types: Iterable[type]) -> Any:
    @decorator  # type: ignore[untyped-decorator]
    def generic(x: object) -> int:
        return -1

    for number, cls in enumerate(types):
        generic.register(cls, _implementation(number))
    return generic


def _implementation(number: int) -> Any:
    namespace: dict[str, Any] = {}
    exec(f"def implementation(x):\n    return {number}", namespace)
    return namespace["implementation"]


def _in_turn(name: str, generic: Any, values: Iterable[object]) -> Contestant:
    """Goes on with the next value in the next turn; the loop that does nothing does so too."""
    return Contestant(name, _loop("f(x)", generic, values), _empty())


@functools.cache
def _empty() -> Contestant:
    return Contestant("the empty loop over values", _loop("pass", None, [None]))


def _loop(code: str, generic: Any, values: Iterable[object]) -> Callable[[int], int]:
    endless = cycle(values)
    namespace: dict[str, Any] = {}
    lines = ("def loop(_values, _clock, f):", "    _start = _clock()", "    for x in _values:",
             f"        {code}", "    return _clock() - _start")  # fmt: skip
    exec("\n".join(lines), namespace)
    loop = namespace["loop"]
    return lambda count: int(loop(islice(endless, count), perf_counter_ns, generic))


CURVE = Maker(
    "Types to choose from",
    "A call of a generic function with so many types registered: always with an object of the last "
    "one, and with objects of all of them in turn.",
    "registered types",
    "ns per call",
    _points,
    rounds=300,
)
