"""Hooks and functions that choose by type, as their own packages call them, and compiled."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

from ...calling.dispatch import STOCK
from ...functools import singledispatch
from ..example_python import magnitude
from ..timing import Contestant
from .packages import package
from .rung import Preparation, Rung, UnavailableError, expect, expression

__all__ = ["RUNGS"]

HOOKS, TYPES = "Hooks", "Dispatch by type"
PROJECT = "jumptable-bench"
INSTALLED = "is compiled in this process already: run the bench in one without install()"


def _manager() -> Any:
    """A plugin manager with one hook and one implementation of it."""
    pluggy = package("pluggy", "pluggy", "pluggy")

    class Specification:
        @pluggy.HookspecMarker(PROJECT)  # type: ignore[untyped-decorator]
        def magnitude(self, x: float) -> None: ...

    class Plugin:
        @pluggy.HookimplMarker(PROJECT)  # type: ignore[untyped-decorator]
        def magnitude(self, x: float) -> float:
            return -x if x < 0 else x

    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Specification)
    manager.register(Plugin())
    return manager


def _hook(preparation: Preparation, manager: Any) -> Contestant:
    names = {"hook": manager.hook}
    expect(manager.hook.magnitude(x=-1.5), [1.5])
    return expression(preparation.name, "hook.magnitude(x=x)[0]", names)


def _stock_hook(preparation: Preparation) -> Contestant:
    manager = _manager()
    if type(manager.hook.magnitude) is not package("pluggy", "pluggy", "pluggy").HookCaller:
        raise UnavailableError(f"pluggy {INSTALLED}")
    return _hook(preparation, manager)


def _compiled_hook(preparation: Preparation) -> Contestant:
    manager = _manager()
    import_module("jumptable.pluggy").accelerate(manager)
    return _hook(preparation, manager)


def _generic(preparation: Preparation, decorator: Any) -> Contestant:
    @decorator  # type: ignore[untyped-decorator]
    def generic(x: object) -> object:
        raise TypeError(f"expected float, got {type(x).__name__}")

    generic.register(float, magnitude)
    return expression(preparation.name, "f(x)", {"f": generic})


def _stock_generic(preparation: Preparation) -> Contestant:
    if functools.singledispatch is not STOCK[0]:
        raise UnavailableError(f"functools.singledispatch {INSTALLED}")
    return _generic(preparation, functools.singledispatch)


def _compiled_generic(preparation: Preparation) -> Contestant:
    return _generic(preparation, singledispatch)


RUNGS = (
    Rung(
        "pluggy, stock",
        HOOKS,
        "A hook with one implementation, called by keyword, and the first of its results.",
        _stock_hook,
    ),
    Rung(
        "pluggy, compiled",
        HOOKS,
        "The same, by jumptable.pluggy.",
        _compiled_hook,
    ),
    Rung(
        "singledispatch, stock",
        TYPES,
        "A functools.singledispatch function that has an implementation for float.",
        _stock_generic,
    ),
    Rung(
        "singledispatch, compiled",
        TYPES,
        "The same, by jumptable.functools.",
        _compiled_generic,
    ),
)
