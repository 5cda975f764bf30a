"""pluggy, with compiled hook calls: ``import jumptable.pluggy as pluggy``.

All public names of the installed pluggy (1.5 to 1.7) are here, and are pluggy's own, so objects
of both mix freely. `PluginManager` makes compiled hook callers; `accelerate` gives them to a
manager that exists already, and `install` to every one that is made from then on. What hooks do
stays the same: order, results, errors and warnings.

Needs pluggy: ``python -m pip install "jumptable[pluggy]"``.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any

try:
    import pluggy
except ModuleNotFoundError as error:
    if error.name != "pluggy":
        raise
    raise ModuleNotFoundError(
        "jumptable.pluggy needs pluggy, and none is installed: "
        'python -m pip install "jumptable[pluggy]"',
        name="pluggy",
    ) from None

from .calling import stock
from .calling.callers import take_over, take_over_subset
from .calling.containment import ContainedErrors
from .calling.lazyplugins import LazyPlugins
from .calling.multicall import is_multicall, new_multicall
from .counting.counter import keep_own

if TYPE_CHECKING:
    from pluggy import (
        HookCaller,
        HookCallError,
        HookImpl,
        HookimplMarker,
        HookimplOpts,
        HookRelay,
        HookspecMarker,
        HookspecOpts,
        PluggyTeardownRaisedWarning,
        PluggyWarning,
        PluginValidationError,
        Result,
    )

    __version__: str

__all__ = [
    "ContainedErrors",
    "HookCallError",
    "HookCaller",
    "HookImpl",
    "HookRelay",
    "HookimplMarker",
    "HookimplOpts",
    "HookspecMarker",
    "HookspecOpts",
    "PluggyTeardownRaisedWarning",
    "PluggyWarning",
    "PluginManager",
    "PluginValidationError",
    "Result",
    "__version__",
    "accelerate",
    "install",
    "uninstall",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # The version costs a look at pluggy's metadata.
        if name in __all__:
            return getattr(pluggy, name)
        module = sys.modules[__name__]
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name, obj=module
        )


__all__ += [name for name in pluggy.__all__ if name not in __all__]
globals().update({name: getattr(pluggy, name) for name in set(pluggy.__all__) - {"__version__"}})


class PluginManager(LazyPlugins):
    """pluggy's plugin manager, whose hook callers are compiled.

    With ``contain``, an implementation that raises an exception does not keep the others of its
    hook from running: see `accelerate`. Plugins of entry points can be loaded when they are needed:
    see `load_setuptools_entrypoints`.
    """

    def __init__(self, project_name: str, *, contain: bool | Iterable[str] = False) -> None:
        """A manager without plugins; ``project_name`` is that of its markers."""
        super().__init__(project_name)
        accelerate(self, contain=contain)

    def subset_hook_caller(self, name: str, remove_plugins: Iterable[object]) -> pluggy.HookCaller:
        """A caller of all implementations of a hook but those of some plugins."""
        return take_over_subset(super().subset_hook_caller(name, remove_plugins))


def _set_hook(relay: pluggy.HookRelay, name: str, value: Any) -> None:
    object.__setattr__(relay, name, take_over(value))


class _HookRelay(pluggy.HookRelay):  # type: ignore[misc]
    """A manager's ``hook``: a caller that the manager puts here is compiled."""

    __slots__ = ()
    __setattr__ = _set_hook


# Errors about hooks that do not exist name the class.
_HookRelay.__name__ = pluggy.HookRelay.__name__


def _compile_relay(relay: Any) -> None:
    kind: Any = type(relay)
    if kind is pluggy.HookRelay:
        relay.__class__ = _HookRelay
    elif kind.__setattr__ is not _set_hook:
        relay.__class__ = type(kind.__name__, (kind,), {"__slots__": (), "__setattr__": _set_hook})


def accelerate(
    manager: pluggy.PluginManager, *, contain: bool | Iterable[str] | None = None
) -> None:
    """Compile the hook callers of a plugin manager, those it has and those it makes later.

    Callers that somebody already holds keep working, and see what is registered from now on; they
    are only slower. Accelerating a manager again changes nothing but ``contain``.

    ``contain`` is for hosts that must not let one plugin stop the others: True, or the names of
    the hooks that it is for; None leaves it as it is (off, at first). There, when implementations
    raise an Exception, the rest run all the same, and afterwards the call raises `ContainedErrors`,
    an ExceptionGroup of all that was raised. Each exception has a note that names the plugin, and
    ``results`` is what the call would have returned otherwise. A hook with ``firstresult`` goes on
    to the next implementation. Wrappers are not contained; they get the group as they get any
    exception.

    Raises TypeError for what is no plugin manager, and RuntimeError when ``contain`` is given while
    the manager's calls are traced or monitored. Other threads may call hooks meanwhile, but
    must not register plugins. On free-threaded builds the manager lives as long as the process.
    """
    if not isinstance(manager, pluggy.PluginManager):
        raise TypeError(
            f"found {type(manager).__name__!r}, expected a pluggy.PluginManager: pass the manager "
            "itself, in a pytest plugin config.pluginmanager"
        )
    executor = manager._inner_hookexec
    wanted = _executor(contain, executor)
    if wanted is not executor:
        manager._inner_hookexec = wanted
    relay = manager.hook
    _compile_relay(relay)
    for name, caller in list(vars(relay).items()):
        setattr(relay, name, caller)
    # Threads that call through them would write their reference counts.
    keep_own(manager, relay)
    if not isinstance(manager, PluginManager) and "subset_hook_caller" not in vars(manager):
        vars(manager)["subset_hook_caller"] = types.MethodType(subset_hook_caller, manager)


def _executor(contain: bool | Iterable[str] | None, executor: Any) -> Any:
    """What the manager's calls are to run on instead of ``executor``."""
    hooks: bool | frozenset[str] | None = None
    if contain is None or isinstance(contain, bool):
        hooks = bool(contain)
    elif isinstance(contain, Iterable) and not isinstance(contain, (str, bytes)):
        hooks = frozenset(contain)
    if hooks is None or not (
        isinstance(hooks, bool) or all(isinstance(name, str) for name in hooks)
    ):
        raise TypeError(
            f"found contain={contain!r}, expected True, False, or a collection of names of hooks"
        )
    if executor is not stock.MULTICALL and not is_multicall(executor):
        if contain is None:
            return executor
        raise RuntimeError(
            "contain was given while calls of this manager are traced or monitored, expected "
            "neither; undo that first, then accelerate, then trace again"
        )
    if contain is None and executor is not stock.MULTICALL:
        return executor
    return new_multicall(hooks)


def subset_hook_caller(
    manager: pluggy.PluginManager, name: str, remove_plugins: Iterable[object]
) -> pluggy.HookCaller:
    """The method of this name of managers that are not ours; pickle knows them by it."""
    return take_over_subset(type(manager).subset_hook_caller(manager, name, remove_plugins))


class _Installation:
    """Whether managers are accelerated as they are made; there is one, for the process."""

    def __init__(self) -> None:
        self.active = False
        self.lock = Lock()
        self.patches: list[object] = []

    def is_in_place(self) -> bool:
        """Whether what makes managers leads to one of our patches, as far as it tells."""
        init: object = pluggy.PluginManager.__init__
        while init is not None and init not in self.patches:
            init = getattr(init, "__wrapped__", None)
        return init is not None

    def patch(self) -> None:
        stock_init = pluggy.PluginManager.__init__

        @wraps(stock_init)
        def __init__(manager: pluggy.PluginManager, *args: Any, **kwargs: Any) -> None:
            stock_init(manager, *args, **kwargs)
            if self.active:
                accelerate(manager)

        self.patches.append(__init__)
        pluggy.PluginManager.__init__ = __init__  # type: ignore[method-assign, assignment]

    def restore(self) -> None:
        # Somebody may have wrapped ours once more; it then stays below, and does nothing.
        while (init := pluggy.PluginManager.__init__) in self.patches:
            self.patches.remove(init)
            pluggy.PluginManager.__init__ = init.__wrapped__  # type: ignore[attr-defined, method-assign]


_installation = _Installation()


def install() -> None:
    """Accelerate every plugin manager that is made from now on, until `uninstall`.

    That includes those that other packages make, pytest for one. Installing twice is installing
    once. Safe to call from any thread.
    """
    with _installation.lock:
        _installation.active = True
        if not _installation.is_in_place():
            _installation.patch()


def uninstall() -> None:
    """Undo `install`: managers made from now on are pluggy's own, those made meanwhile stay.

    Does nothing where nothing is installed. Safe to call from any thread.
    """
    with _installation.lock:
        _installation.active = False
        _installation.restore()
