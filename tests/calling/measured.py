"""Managers and plugins for the tests of what measures hook calls."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pluggy

from jumptable.pluggy import accelerate

hookspec = pluggy.HookspecMarker("p")
hookimpl = pluggy.HookimplMarker("p")


class Spec:
    @hookspec
    def hook(self, x: Any) -> Any: ...

    @hookspec
    def other(self, x: Any) -> Any: ...

    @hookspec(firstresult=True)
    def first(self, x: Any) -> Any: ...

    @hookspec(historic=True)
    def old(self, x: Any) -> Any: ...


class Plugin:
    """Gets its implementations as attributes."""


def new_manager(kind: str) -> Any:
    """One with the hooks above, ``stock`` or ``compiled``."""
    manager = pluggy.PluginManager("p")
    manager.add_hookspecs(Spec)
    if kind == "compiled":
        accelerate(manager)
    return manager


def register(manager: Any, name: str | None, function: Callable[..., Any], **options: Any) -> Any:
    """Register a plugin whose one implementation is ``function``, for the hook of its name."""
    plugin = Plugin()
    setattr(plugin, function.__name__, hookimpl(**options)(function))
    manager.register(plugin, name)
    return plugin


def named(function: Any, name: str) -> Any:
    """The same function by the name of a hook."""
    return types.FunctionType(function.__code__, function.__globals__, name)


def plain(x: Any) -> Any:
    return x


def none(x: Any) -> Any:
    return None


def raising(x: Any) -> Any:
    raise ValueError(x)
