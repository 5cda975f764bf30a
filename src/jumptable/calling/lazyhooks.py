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

import warnings
from threading import RLock, get_ident

from ..loading import cache
from . import stock
from .hookrecords import Hook, Record, Records, describe, distrust, forget, is_callable_as_such
from .multicall import is_multicall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import Distribution, EntryPoint
    from typing import Any

__all__ = ["LazyPlugins"]

HOOK_METHODS = ("register", "parse_hookimpl_opts", "_verify_hook")


def entry_points(group: str) -> Iterator[tuple[EntryPoint, Distribution]]:
    """A group's entry points with their distributions, in the order in which pluggy loads them."""
    from importlib.metadata import distributions

    for distribution in [*distributions()]:
        for entry_point in distribution.entry_points:
            if entry_point.group == group:
                yield entry_point, distribution


class StandIn:
    """What is registered in place of a plugin until it is loaded, with the plugin's attributes."""

    __slots__ = ("_jumptable_loader",)

    def __init__(self, loader: Loader) -> None:
        self._jumptable_loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(actual(self), name)

    def __repr__(self) -> str:
        return f"<a plugin that is not loaded yet: {self._jumptable_loader.entry_point.value}>"


def actual(plugin: object) -> object:
    """A plugin itself, loaded if it is not, where there may be a stand-in of it."""
    if type(plugin) is StandIn:
        loader = plugin._jumptable_loader
        return loader.plugin if loader.load() else plugin
    return plugin


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
        """Register the stand-in; False, and nothing is changed, if pluggy would complain or call."""
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

        module = import_module(self.entry_point.module)
        # This thread is importing it already, or it would wait for one that waits for this one.
        if getattr(getattr(module, "__spec__", None), "_initializing", False):
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
            if impl in impls:
                replaced = slice(impls.index(impl), impls.index(impl) + 1)
                impls[replaced] = [same[hook]] if hook in self.functions else []
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
                registered = [
                    each for each in caller._hookimpls if each is not self.impls.get(hook)
                ]
                for impl in sorted(
                    [*registered, *impls], key=lambda each: order.get(each.plugin_name, len(order))
                ):
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


NOTHING: dict[str, Loader] = {}


class LazyPlugins(stock.PluginManager):
    """pluggy's manager, which can register plugins of entry points before they are imported."""

    # Both are the manager's own from its first lazy loading on.
    _lazy_pending = NOTHING
    _lazy_lock: RLock

    def load_setuptools_entrypoints(
        self, group: str, name: str | None = None, *, lazy: bool = False
    ) -> int:
        """Load the plugins that a group of entry points names; how many they were.

        With ``lazy``, those whose hooks are known from the last run, and which have not changed
        since, are registered without being imported, until one of their hooks is called, or the
        manager is asked for the plugin. An error that the import raises is raised there, then, and
        each time again. Where a subclass overrides ``register`` or ``parse_hookimpl_opts``, where
        calls are traced or monitored, and with ``JUMPTABLE_CACHE=off``, all are loaded.
        """
        if not lazy or not self._lazy_allowed():
            return super().load_setuptools_entrypoints(group, name)
        if "_lazy_lock" not in vars(self):
            self._lazy_pending, self._lazy_lock = {}, RLock()
        records = Records(group, self.project_name)
        count = 0
        try:
            for entry_point, distribution in entry_points(group):
                known = entry_point.name
                if (name is None or known == name) and not (
                    self.has_plugin(known) or self.is_blocked(known)
                ):
                    plugin = self._register_lazily(records, group, entry_point, distribution)
                    if plugin is None:
                        plugin = self._register_now(records, entry_point, distribution)
                    kept: Any = stock.kept_distribution(distribution)
                    self._plugin_distinfo.append((plugin, kept))
                    count += 1
        finally:
            records.save()
        return count

    def _lazy_allowed(self) -> bool:
        executor: Any = self._inner_hookexec
        return (
            cache.folder() is not None
            and (executor is stock.MULTICALL or is_multicall(executor))
            and not any(
                name in vars(self) or getattr(type(self), name) is not getattr(LazyPlugins, name)
                for name in HOOK_METHODS
            )
        )

    def _register_lazily(
        self, records: Records, group: str, entry_point: EntryPoint, distribution: Distribution
    ) -> object | None:
        record = records.current(entry_point, distribution)
        if record is None or record.hooks is None or record.is_imported():
            return None
        loader = Loader(self, group, entry_point, distribution, record, record.hooks)
        if not loader.register():
            return None
        self._lazy_pending[entry_point.name] = loader
        return loader.standin

    def _register_now(
        self, records: Records, entry_point: EntryPoint, distribution: Distribution
    ) -> object:
        before = self._lazy_state()
        plugin = entry_point.load()
        # What its import does to the manager, it would do too late.
        is_passive = self._lazy_state() == before
        self.register(plugin, name=entry_point.name)
        if records.current(entry_point, distribution) is None:
            impls = [
                (hook, impl)
                for hook, caller in vars(self.hook).items()
                for impl in caller.get_hookimpls()
                if impl.plugin is plugin
            ]
            records.remember(entry_point, distribution, plugin, impls if is_passive else ())
        return plugin

    def _lazy_state(self) -> tuple[object, ...]:
        hooks = [
            (name, caller.spec, caller.get_hookimpls(), len(caller._call_history or ()))
            for name, caller in vars(self.hook).items()
        ]
        return [*self._name2plugin], hooks, self._inner_hookexec

    # -- what callers have --------------------------------------------------------------------

    def _lazy_caller(self, hook: str) -> stock.HookCaller:
        if hook not in vars(self.hook):
            setattr(self.hook, hook, stock.HookCaller(hook, self._hookexec))
        caller: stock.HookCaller = getattr(self.hook, hook)
        return caller

    def _lazy_fits(self, caller: stock.HookCaller, impl: stock.HookImpl) -> bool:
        """Whether pluggy would register it without an error and without a warning."""
        spec = caller.spec
        if spec is None:
            return True
        if spec.warn_on_impl or spec.warn_on_impl_args:
            return False
        try:
            super()._verify_hook(caller, impl)
        except stock.PluginValidationError:
            return False
        return True

    def _verify_hook(self, hook: stock.HookCaller, hookimpl: stock.HookImpl) -> None:
        standin = hookimpl.plugin
        if type(standin) is not StandIn:
            super()._verify_hook(hook, hookimpl)
        elif not self._lazy_fits(hook, hookimpl):
            plugin = actual(standin)
            for impl in hook.get_hookimpls():
                if impl.plugin is plugin:
                    super()._verify_hook(hook, impl)

    def check_pending(self) -> None:
        """Raise PluginValidationError for an implementation of a hook that has no specification."""
        try:
            super().check_pending()
        except stock.PluginValidationError as error:
            if actual(error.plugin) is error.plugin:
                raise
        else:
            return
        self.check_pending()

    def add_hookcall_monitoring(self, before: Any, after: Any) -> Callable[[], None]:
        """Call two functions around each hook call, with the implementations; see pluggy."""
        self._lazy_load_all()
        return super().add_hookcall_monitoring(before, after)

    # -- what is given plugins ----------------------------------------------------------------

    def _lazy_settle(self) -> None:
        """Load those that somebody else has imported: a plugin that is given may be one of them."""
        for loader in [*self._lazy_pending.values()]:
            if loader.record.is_imported():
                loader.load()

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """Register a plugin and return its name; see pluggy."""
        self._lazy_settle()
        return super().register(actual(plugin), name)

    def is_registered(self, plugin: object) -> bool:
        """Whether a plugin is registered."""
        self._lazy_settle()
        return super().is_registered(actual(plugin))

    def get_name(self, plugin: object) -> str | None:
        """The name that a plugin is registered under; None if it is not."""
        self._lazy_settle()
        return super().get_name(actual(plugin))

    def get_hookcallers(self, plugin: object) -> list[stock.HookCaller] | None:
        """The callers of the hooks that a plugin implements; None if it is not registered."""
        self._lazy_settle()
        return super().get_hookcallers(actual(plugin))

    def subset_hook_caller(self, name: str, remove_plugins: Iterable[object]) -> stock.HookCaller:
        """A caller of all implementations of a hook but those of some plugins."""
        self._lazy_settle()
        return super().subset_hook_caller(name, [actual(plugin) for plugin in remove_plugins])

    def unregister(self, plugin: object | None = None, name: str | None = None) -> Any | None:
        """Unregister a plugin, and return it; see pluggy."""
        self._lazy_settle()
        loader = None if name is None or plugin is not None else self._lazy_pending.get(name)
        if loader is None:
            return super().unregister(actual(plugin), name)
        if not self.has_plugin(loader.entry_point.name):
            return None
        loader.drop()
        return actual(loader.standin)

    def set_blocked(self, name: str) -> None:
        """Unregister the plugin of this name, if there is one, and register none from now on."""
        if self.has_plugin(name) and name in self._lazy_pending:
            self._lazy_pending[name].drop()
        super().set_blocked(name)

    # -- what gives plugins -------------------------------------------------------------------

    def _lazy_load_all(self) -> None:
        for loader in [*self._lazy_pending.values()]:
            loader.load()

    def has_plugin(self, name: str) -> bool:
        """Whether there is a plugin of this name."""
        loader = self._lazy_pending.get(name)
        if loader is None:
            return super().has_plugin(name)
        return get_ident() not in loader.threads  # it is not there while it is imported

    def get_plugin(self, name: str) -> Any | None:
        """The plugin of this name; None if there is none."""
        loader = self._lazy_pending.get(name)
        if loader is None:
            return super().get_plugin(name)
        return loader.plugin if loader.load() else None

    def get_plugins(self) -> set[Any]:
        """All plugins."""
        self._lazy_load_all()
        return {plugin for plugin in super().get_plugins() if type(plugin) is not StandIn}

    def list_name_plugin(self) -> list[tuple[str, Any]]:
        """All plugins with their names, and blocked names with None."""
        self._lazy_load_all()
        pairs = super().list_name_plugin()
        return [(name, plugin) for name, plugin in pairs if type(plugin) is not StandIn]

    def list_plugin_distinfo(self) -> list[tuple[Any, Any]]:
        """The plugins that were loaded from entry points, with their distributions; see pluggy."""
        self._lazy_load_kept()
        return [pair for pair in super().list_plugin_distinfo() if type(pair[0]) is not StandIn]

    if hasattr(stock.PluginManager, "list_plugin_distributions"):  # 1.7

        def list_plugin_distributions(self) -> list[tuple[Any, Distribution]]:
            """The plugins that were loaded from entry points, with their distributions."""
            self._lazy_load_kept()
            pairs = super().list_plugin_distributions()
            return [pair for pair in pairs if type(pair[0]) is not StandIn]

    def _lazy_load_kept(self) -> None:
        """Load what entry points named, those too that were unregistered meanwhile."""
        for plugin, _ in [*self._plugin_distinfo]:
            actual(plugin)
