"""pluggy, with compiled hook calls: ``import jumptable.pluggy as pluggy``.

All public names of the installed pluggy (1.5 to 1.7) are here, and are pluggy's own, so objects
of both mix freely. `PluginManager` makes compiled hook callers; `accelerate` gives them to a
manager that exists already, and `install` to every one that is made from then on. What hooks do
stays the same: order, results, errors and warnings.

Needs pluggy: ``python -m pip install "jumptable[pluggy]"``.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
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
from .calling.multicall import is_multicall, new_multicall

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
        __version__,
    )

__all__ = [
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


def __getattr__(name: str) -> Any:
    # The version of pluggy is among its names, and costs a look at its metadata.
    return getattr(pluggy, name)


__all__ += [name for name in pluggy.__all__ if name not in __all__]
globals().update({name: getattr(pluggy, name) for name in set(pluggy.__all__) - {"__version__"}})


class PluginManager(pluggy.PluginManager):
    """pluggy's plugin manager, whose hook callers are compiled.

    With ``contain``, an implementation that raises an exception does not keep the others of its
    hook from running: see `accelerate`.
    """

    def __init__(self, project_name: str, *, contain: bool | Iterable[str] = False) -> None:
        super().__init__(project_name)
        accelerate(self, contain=contain)

    def subset_hook_caller(self, name: str, remove_plugins: Iterable[object]) -> pluggy.HookCaller:
        """A caller of all implementations of a hook but those of some plugins."""
        return take_over_subset(super().subset_hook_caller(name, remove_plugins))


class _HookRelay(pluggy.HookRelay):  # type: ignore[misc]
    """A manager's ``hook``: a caller that the manager puts here is compiled."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, take_over(value))


# Errors about hooks that do not exist name the class.
_HookRelay.__name__ = pluggy.HookRelay.__name__


def accelerate(
    manager: pluggy.PluginManager, *, contain: bool | Iterable[str] | None = None
) -> None:
    """Compile the hook callers of a plugin manager, those it has and those it makes later.

    Callers that somebody already holds keep working, and see what is registered from now on; they
    are only slower. Accelerating a manager again changes nothing but ``contain``.

    ``contain`` is for hosts that must not let one plugin stop the others: True, or the names of
    the hooks that it is for; None leaves it as it is (off, at first). There, when implementations
    raise an Exception, the rest run all the same, and afterwards the call raises one ExceptionGroup
    with all that was raised. Each exception has a note that names the plugin, and the attribute
    ``results`` of the group holds what the call would have returned otherwise. A hook with
    ``firstresult`` goes on to the next implementation. Wrappers are not contained; they get the
    group as they get any exception.

    Raises TypeError for what is no plugin manager, and RuntimeError when ``contain`` is to change
    while the manager's calls are traced or monitored. Other threads may call hooks meanwhile, but
    must not register plugins.
    """
    if not isinstance(manager, pluggy.PluginManager):
        raise TypeError(
            f"found {type(manager).__name__!r}, expected a pluggy.PluginManager (not its class, "
            "nor its hook)"
        )
    executor = manager._inner_hookexec
    wanted = _executor(contain, executor)
    if wanted is not executor:
        manager._inner_hookexec = wanted
    relay = manager.hook
    if type(relay) is pluggy.HookRelay:
        relay.__class__ = _HookRelay
    for name, caller in list(vars(relay).items()):
        setattr(relay, name, caller)
    if not isinstance(manager, PluginManager) and "subset_hook_caller" not in vars(manager):
        vars(manager)["subset_hook_caller"] = types.MethodType(subset_hook_caller, manager)


def _executor(contain: bool | Iterable[str] | None, executor: Any) -> Any:
    """What the manager's calls are to run on instead of ``executor``."""
    if executor is not stock.MULTICALL and not is_multicall(executor):
        if contain is None:
            return executor
        raise RuntimeError(
            "contain was given while calls of this manager are traced or monitored, expected "
            "neither; undo that first, then accelerate, then trace again"
        )
    if contain is None:
        return new_multicall(False) if executor is stock.MULTICALL else executor
    if isinstance(contain, bool):
        return new_multicall(contain)
    hooks = None
    if isinstance(contain, Iterable) and not isinstance(contain, (str, bytes)):
        hooks = frozenset(contain)
    if hooks is None or not all(isinstance(name, str) for name in hooks):
        raise TypeError(
            f"found contain={contain!r}, expected True, False, or a collection of names of hooks"
        )
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
        self.stock: Callable[..., None] | None = None
        self.patched: Callable[..., None] | None = None

    def patch(self) -> None:
        stock_init = pluggy.PluginManager.__init__

        @wraps(stock_init)
        def __init__(manager: pluggy.PluginManager, *args: Any, **kwargs: Any) -> None:
            stock_init(manager, *args, **kwargs)
            if self.active:
                accelerate(manager)

        self.stock, self.patched = stock_init, __init__
        pluggy.PluginManager.__init__ = __init__  # type: ignore[method-assign, assignment]

    def restore(self) -> None:
        # Somebody may have wrapped it once more; ours then stays below, and does nothing.
        if self.stock is not None and pluggy.PluginManager.__init__ is self.patched:
            pluggy.PluginManager.__init__ = self.stock  # type: ignore[method-assign]
            self.stock = self.patched = None


_installation = _Installation()


def install() -> None:
    """Accelerate every plugin manager that is made from now on, until `uninstall`.

    That includes those that other packages make, pytest for one. Installing twice is installing
    once. Safe to call from any thread.
    """
    with _installation.lock:
        _installation.active = True
        if _installation.patched is None:
            _installation.patch()


def uninstall() -> None:
    """Undo `install`: managers made from now on are pluggy's own, those made meanwhile stay.

    Does nothing where nothing is installed. Safe to call from any thread.
    """
    with _installation.lock:
        _installation.active = False
        _installation.restore()
