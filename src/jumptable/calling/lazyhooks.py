"""Entry-point plugins that are registered before they are imported.

A stand-in is registered in place of a plugin whose hooks are on record. Its implementations have
the recorded options and arguments, so that the plugin has its place in the order of each hook. The
first of them that is called imports the plugin, and puts its real implementations where those of
the stand-in are. A manager loads a plugin as well before it hands it out, compares it with another,
or complains about it: nobody sees that it was not there.

No lock is held while a plugin is imported, or while any code of one runs: threads that come
meanwhile wait as for any import. While it is imported, the plugin's hooks do nothing, just as if it
was being loaded before it is registered.
"""

from __future__ import annotations

import sys
import warnings
from threading import get_ident

from . import stock
from .hookrecords import describe, distrust, forget, is_callable_as_such, origins_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import Distribution, EntryPoint
    from typing import Any

    from .hookrecords import Hook, Record
    from .lazyplugins import LazyPlugins

__all__ = ["Loader", "StandIn", "actual"]


class StandIn:
    """What is registered in place of a plugin until it is loaded, with the plugin's attributes."""

    __slots__ = ("_jumptable_loader",)

    def __init__(self, loader: Loader) -> None:
        self._jumptable_loader = loader

    def __getattr__(self, name: str) -> Any:
        plugin = actual(self)
        if plugin is self:
            raise AttributeError(f"{self!r} has no attribute {name!r} while it is being imported")
        return getattr(plugin, name)

    def __repr__(self) -> str:
        return f"<a plugin that is not loaded yet: {self._jumptable_loader.entry_point.value}>"


def actual(plugin: object) -> object:
    """A plugin itself, loaded if it is not, where there may be a stand-in of it."""
    if type(plugin) is StandIn:
        loader = plugin._jumptable_loader
        return loader.plugin if loader.load() else plugin
    return plugin


def is_being_imported(module: str) -> bool:
    """Whether some thread, maybe this one, has begun to import a module and not finished."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def is_about(error: Exception, module: str) -> bool:
    """Whether what the error names is a module, or a package of it."""
    while module and repr(module) not in str(error):
        module = module.rpartition(".")[0]
    return module != ""


class Implementations(stock.PluginManager):
    """Registers one plugin as pluggy does, to see what it implements. No hook is specified."""

    def __init__(self, project: str, plugin: object, name: str) -> None:
        # Not pluggy's own __init__, which `install` may have replaced.
        vars(self).update(project_name=project, _name2plugin={}, hook=stock.HookRelay())
        vars(self).update(_inner_hookexec=stock.MULTICALL)
        self.register(plugin, name)
        self.by_hook = {
            hook: caller.get_hookimpls() for hook, caller in vars(self.hook).items()
        }  # fmt: skip


class Loader:
    """Loads one plugin, when it is needed, and puts it where its stand-in is."""

    def __init__(
        self,
        manager: LazyPlugins,
        group: str,
        entry_point: EntryPoint,
        distribution: Distribution,
        record: Record,
        hooks: list[Hook],
    ) -> None:
        self.manager, self.group, self.record = manager, group, record
        self.entry_point, self.distribution = entry_point, distribution
        self.standin = StandIn(self)
        self.hooks = {hook[0]: hook for hook in hooks}
        self.impls = {hook[0]: self._implementation(*hook) for hook in hooks}
        self.plugin: object = None
        self.is_loaded = False
        self.functions: dict[str, Callable[..., Any]] = {}
        self.threads: set[int] = set()

    # -- standing in --------------------------------------------------------------------------

    def _implementation(
        self, hook: str, opts: dict[str, Any], args: tuple[str, ...], kwargs: tuple[str, ...]
    ) -> stock.HookImpl:
        def implementation(*values: object, **named: object) -> object:
            function = self._function(hook)
            return None if function is None else function(*values, **named)

        def wrapper(*values: object, **named: object) -> Any:
            function = self._function(hook)
            if function is None:
                return (yield)
            return (yield from function(*values, **named))

        function: Any = wrapper if opts["wrapper"] or opts["hookwrapper"] else implementation
        function.__name__ = function.__qualname__ = hook
        function.__module__ = self.entry_point.module
        options: Any = {**opts}
        impl = stock.HookImpl(self.standin, self.entry_point.name, function, options)
        vary: Any = impl
        vary.argnames, vary.kwargnames = args, kwargs
        return impl

    def _function(self, hook: str) -> Callable[..., Any] | None:
        """The plugin's own; None where it has none, or is not there yet."""
        return self.functions.get(hook) if self.load() else None

    def register(self) -> bool:
        """Register the stand-in; False, with nothing changed, if pluggy would complain or call."""
        manager = self.manager
        for hook, impl in self.impls.items():
            caller = vars(manager.hook).get(hook)
            if caller is not None and (
                caller._call_history or not manager._lazy_fits(caller, impl)
            ):
                return False
        manager._name2plugin[self.entry_point.name] = self.standin
        for hook, impl in self.impls.items():
            manager._lazy_caller(hook)._add_hookimpl(impl)
        return True

    def drop(self) -> None:
        """Unregister the stand-in; its plugin can be loaded nevertheless."""
        manager = self.manager
        manager._lazy_pending.pop(self.entry_point.name)
        del manager._name2plugin[self.entry_point.name]
        for hook, impl in self.impls.items():
            impls = manager._lazy_caller(hook)._hookimpls
            if impl in impls:
                impls.remove(impl)

    # -- loading ------------------------------------------------------------------------------

    def load(self) -> bool:
        """Load the plugin, unless it is there; False while it is being imported by this thread.

        Raises what the import raises, and what pluggy would have raised about the plugin; the next
        call then tries again, as an import statement does.
        """
        if self.is_loaded:
            return True
        thread = get_ident()
        if thread in self.threads:
            return False
        self.threads.add(thread)
        try:
            return self._load()
        except BaseException:
            forget(self.group, self.manager.project_name, self.entry_point.name)
            raise
        finally:
            self.threads.discard(thread)

    def _load(self) -> bool:
        from importlib import import_module

        name = self.entry_point.module
        self._check_origin(name)
        try:
            import_module(name)
        except RuntimeError as error:
            # It would wait for a thread that waits for this one, and may be through by now.
            if type(error).__name__ == "_DeadlockError" and is_about(error, name):
                return False
            raise
        if is_being_imported(name):
            return False
        plugin = self.entry_point.load()
        found = Implementations(self.manager.project_name, plugin, self.entry_point.name).by_hook
        same = {
            hook: impls[0]
            for hook, impls in found.items()
            if len(impls) == 1
            and is_callable_as_such(impls[0])
            and describe(hook, impls[0]) == self.hooks.get(hook)
        }
        others = {hook: found.get(hook, []) for hook in {**found, **self.hooks} if hook not in same}
        if self._is_registered():
            self._check(plugin, others)
        with self.manager._lazy_lock:
            if self.is_loaded:  # another thread was faster
                return True
            self._swap(plugin, same)
            self.is_loaded = True
        if others:
            self._correct(others)
        return True

    def _check_origin(self, module: str) -> None:
        """Raise ImportError where another module of that name would be imported by now."""
        then = self.record.origins
        try:
            now = origins_of(module)
        except Exception:  # of somebody's finder, which the import will show better
            return
        if now is not None and now != then:
            raise ImportError(
                f"found {now[-1]} for the plugin {self.entry_point.name!r} "
                f"({self.entry_point.value}), expected {then[-1]}, which it was registered from: "
                "sys.path or the working directory has changed since; change them before plugins "
                "are loaded, or load them without lazy=True",
                name=module,
                path=now[-1],
            )

    def _is_registered(self) -> bool:
        return self.manager._name2plugin.get(self.entry_point.name) is self.standin

    def _check(self, plugin: object, others: dict[str, list[stock.HookImpl]]) -> None:
        """What pluggy checks as it registers a plugin, as far as it was not checked before."""
        manager, name = self.manager, self.entry_point.name
        if stock.PluginManager.get_name(manager, plugin) not in (None, name):
            raise ValueError(
                "Plugin already registered under a different name: "
                f"{name}={plugin}\n{manager._name2plugin}"
            )
        for hook, impls in others.items():
            caller = vars(manager.hook).get(hook)
            if caller is not None and caller.has_spec():
                for impl in impls:
                    stock.PluginManager._verify_hook(manager, caller, impl)

    def _swap(self, plugin: object, same: dict[str, stock.HookImpl]) -> None:
        """Put the plugin where the stand-in is. Nothing of the plugin runs meanwhile.

        Each implementation is replaced by another object: plans are made anew for those. Other
        threads copy the lists, or compare them; either way, each item is an implementation.
        """
        manager, name = self.manager, self.entry_point.name
        self.plugin = plugin
        if self._is_registered():
            manager._name2plugin[name] = plugin
            self.functions = {hook: impl.function for hook, impl in same.items()}
        for hook, impl in self.impls.items():
            impls = manager._lazy_caller(hook)._hookimpls
            if impl in impls and hook in self.functions:
                impls[impls.index(impl)] = same[hook]
            elif impl in impls:
                impls.remove(impl)
        if manager._lazy_pending.get(name) is self:
            manager._lazy_pending.pop(name)
        kept: Any = manager._plugin_distinfo
        for index, (registered, distribution) in enumerate(kept):
            if registered is self.standin:
                kept[index] = (plugin, distribution)

    def _correct(self, others: dict[str, list[stock.HookImpl]]) -> None:
        """Implement the hooks that are not as they were recorded, in the order of registration."""
        manager, name = self.manager, self.entry_point.name
        is_registered = manager._name2plugin.get(name) is self.plugin
        for hook, impls in others.items() if is_registered else ():
            caller = manager._lazy_caller(hook)
            for impl in impls:
                caller._maybe_apply_history(impl)
            with manager._lazy_lock:
                order = {each: number for number, each in enumerate(manager._name2plugin)}
                fresh = stock.HookCaller(hook, manager._hookexec)
                every = [*caller._hookimpls, *impls]
                # Those that want to be last are before those that came earlier.
                every = [each for each in every if not each.trylast] + [
                    each for each in reversed(every) if each.trylast
                ]
                for impl in sorted(every, key=lambda each: order.get(each.plugin_name, len(order))):
                    fresh._add_hookimpl(impl)
                caller._hookimpls[:] = fresh._hookimpls
        distrust(self.group, manager.project_name, name)
        warnings.warn(
            f"found other implementations of {', '.join(sorted(others))} in the plugin {name!r} "
            f"({self.entry_point.value}) than in the last run, expected those of its files, which "
            "are the same: it is no longer loaded lazily, and the call that loaded it did not call "
            "them",
            RuntimeWarning,
            stacklevel=2,
        )
