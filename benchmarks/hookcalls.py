"""Hooks to time: the same plugins in a stock manager, in an accelerated one, and called by hand.

Every plugin's code is compiled for it alone, as that of real plugins is: what is specialised, or
in the processor's caches, is then as it would be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import pluggy

from jumptable.measuring.timing import Contestant, statement
from jumptable.pluggy import accelerate

__all__ = [
    "ACCELERATED",
    "ANSWER",
    "BY_HAND",
    "SILENT",
    "STOCK",
    "Hook",
    "Impl",
    "plugin",
    "run",
]

STOCK, ACCELERATED, BY_HAND = "stock pluggy", "jumptable.pluggy", "by hand"
PROJECT = "benchmark"

ANSWER, SILENT = "return 1", "pass"
MARKS = {"plain": "", "wrapper": "(wrapper=True)", "hookwrapper": "(hookwrapper=True)"}


@dataclass(frozen=True)
class Impl:
    """One implementation: how many of the hook's arguments it takes, and what it does."""

    arguments: int = 1
    kind: str = "plain"
    body: str = ANSWER


@dataclass(frozen=True)
class Hook:
    """A hook ``h(a0, a1, ...)``; ``impls`` are in the order in which they are called."""

    impls: Sequence[Impl]
    arguments: int = 1
    firstresult: bool = False
    methods: bool = False

    @cached_property
    def plugins(self) -> list[object]:
        return [
            plugin(f"plugin_{number}", {"h": impl}, methods=self.methods)
            for number, impl in enumerate(self.impls)
        ]

    @cached_property
    def stock(self) -> pluggy.PluginManager:
        manager = self._manager()
        # After install(), as in `python -m jumptable run`, there would be nothing to compare with.
        assert type(manager.hook.h) is pluggy.HookCaller
        return manager

    @cached_property
    def accelerated(self) -> pluggy.PluginManager:
        manager = self._manager()
        accelerate(manager)
        return manager

    def _manager(self) -> pluggy.PluginManager:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(specification(["h"], self.arguments, firstresult=self.firstresult))
        for one in reversed(self.plugins):
            manager.register(one)
        return manager

    @property
    def functions(self) -> list[Callable[..., Any]]:
        """What is called, in that order."""
        return [impl.function for impl in reversed(self.stock.hook.h.get_hookimpls())]

    @property
    def values(self) -> dict[str, object]:
        return {name: object() for name in names(self.arguments)}

    @property
    def positional(self) -> str:
        return ", ".join(names(self.arguments))

    @property
    def keywords(self) -> str:
        return ", ".join(f"{name}={name}" for name in names(self.arguments))

    def contestants(self, called: str = "hook.h", around: str = "{}") -> list[Contestant]:
        """The hook call, stock and accelerated; ``around`` is what stands around it."""
        code = around.format(f"{called}({self.keywords})")
        return [
            statement(name, code, {"hook": manager.hook, "h": manager.hook.h, **self.values})
            for name, manager in ((STOCK, self.stock), (ACCELERATED, self.accelerated))
        ]


def names(count: int) -> list[str]:
    return [f"a{number}" for number in range(count)]


def plugin(name: str, impls: dict[str, Impl], *, methods: bool) -> object:
    """A module with a function for each implementation, or an object with methods."""
    first = ["self"] if methods else []
    lines = []
    for hook, impl in impls.items():
        parameters = ", ".join([*first, *names(impl.arguments)])
        lines += [f"@implementation{MARKS[impl.kind]}", f"def {hook}({parameters}):"]
        lines += [f"    {line}" for line in impl.body.splitlines()]
    if methods:
        lines = ["class Plugin:", *(f"    {line}" for line in lines)]
    made = run(name, lines, implementation=pluggy.HookimplMarker(PROJECT))
    return made.Plugin() if methods else made


def specification(hooks: Sequence[str], arguments: int, *, firstresult: bool) -> object:
    lines = []
    for hook in hooks:
        lines += [f"@specification(firstresult={firstresult})"]
        lines += [f"def {hook}({', '.join(names(arguments))}): pass"]
    return run("specifications", lines, specification=pluggy.HookspecMarker(PROJECT))


def run(name: str, lines: Sequence[str], **given: object) -> Any:
    """A module with these lines of code, which find ``given`` as globals."""
    module = ModuleType(name)
    vars(module).update(given)
    exec(compile("\n".join(lines), f"<{name}>", "exec"), vars(module))
    for word in given:
        delattr(module, word)
    return module
