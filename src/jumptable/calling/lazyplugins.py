"""pluggy's plugin manager, with plugins that are loaded when they are needed.

Whatever gives, takes or shows plugins is here, so that none of it ever shows one that is not there
yet: it loads those that it is about, and all if it is about all.
"""

from __future__ import annotations

import sys
from threading import RLock, get_ident

from ..loading import cache
from ..loading.discovery import with_hidden
from . import stock
from .hookrecords import Records
from .lazyhooks import Loader, StandIn, actual
from .multicall import is_multicall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import Distribution, EntryPoint
    from typing import Any

__all__ = ["LazyPlugins"]

HOOK_METHODS = ("register", "parse_hookimpl_opts", "_verify_hook")


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
            for entry_point, distribution in with_hidden(group):
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
        before, modules = self._lazy_state(), {*sys.modules}
        plugin = entry_point.load()
        imported = [name for name in [*sys.modules] if name not in modules]
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
            records.remember(
                entry_point, distribution, plugin, impls if is_passive else (), imported
            )
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

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, which have the plugins themselves."""
        self._lazy_load_all()
        own = "_lazy_pending", "_lazy_lock"
        return {name: value for name, value in vars(self).items() if name not in own}

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
