"""A hook call, by how many implementations it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from types import ModuleType
from typing import Any

from ..ladder.packages import package
from ..ladder.rung import expect
from ..timing import Contestant, statement
from .maker import Maker, Point, told

__all__ = ["CURVE"]

PROJECT = "jumptable-bench"
COUNTS = (1, 3, 10, 30, 100, 300, 1_000)
STOCK, COMPILED, BY_HAND = "pluggy", "jumptable.pluggy", "a list comprehension by hand"
INSTALLED = "it is compiled in this process already: run the bench in one without install()"


def _points(closing: ExitStack) -> Iterator[Point]:
    pluggy = package("pluggy", "pluggy", "pluggy")
    accelerate = import_module("jumptable.pluggy").accelerate
    for count in COUNTS:
        functions = [_implementation(number) for number in range(count)]
        stock = _manager(pluggy, functions)
        if type(stock.hook.h) is pluggy.HookCaller:
            yield Point(STOCK, count, _hook(told(STOCK, count), stock, count))
        else:
            yield Point(STOCK, count, None, INSTALLED)
        compiled = _manager(pluggy, functions)
        accelerate(compiled)
        yield Point(COMPILED, count, _hook(told(COMPILED, count), compiled, count))
        plain = {"functions": tuple(functions), "x": 1}
        name = told(BY_HAND, count)
        yield Point(BY_HAND, count, statement(name, "[f(x) for f in functions]", plain))


def _implementation(number: int) -> Callable[[int], int]:
    """Each has code of its own, as those of real plugins have."""
    namespace: dict[str, Any] = {}
    exec(f"def h(x):\n    return {number}", namespace)
    made: Callable[[int], int] = namespace["h"]
    return made


def _manager(pluggy: Any, functions: list[Callable[[int], int]]) -> Any:
    manager = pluggy.PluginManager(PROJECT)
    specification = ModuleType("specification")
    vars(specification)["h"] = pluggy.HookspecMarker(PROJECT)(lambda x: None)
    manager.add_hookspecs(specification)
    mark = pluggy.HookimplMarker(PROJECT)
    for number, function in enumerate(functions):
        plugin = ModuleType(f"plugin_{number}")
        vars(plugin)["h"] = mark(function)
        manager.register(plugin)
    return manager


def _hook(name: str, manager: Any, count: int) -> Contestant:
    expect(manager.hook.h(x=1), [*reversed(range(count))])
    return statement(name, "h(x=x)", {"h": manager.hook.h, "x": 1})


CURVE = Maker(
    "Implementations of a hook",
    "One hook call; every implementation takes the argument and returns a number.",
    "implementations",
    "ns per hook call",
    _points,
    rounds=200,
)
