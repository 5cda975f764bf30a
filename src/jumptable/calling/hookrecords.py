"""What is remembered, from run to run, of the hooks that entry-point plugins implement.

A record is used only while everything that it was made of is as it was: the entry point, the file
with its distribution's version, where its module would be imported from, each file and folder of
its package that it had imported, each file that its import made Python import beside the standard
library, and each file that one of its hooks is defined in. Nothing is imported to find that out.
What changed since this process began is not recorded, nor what was imported before this module:
it may have been read before the change. All of it is in one file per group of entry points; a file
that says anything unexpected counts as none.
"""

from __future__ import annotations

import os
import sys
from time import time_ns

from ..loading import cache
from . import stock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, EntryPoint
    from typing import Any, Final, TypeAlias

    Signature: TypeAlias = list[int]
    # The name of the hook, pluggy's options, arguments that are required, and that are not.
    Hook: TypeAlias = tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]]

__all__ = [
    "Record",
    "Records",
    "describe",
    "distrust",
    "forget",
    "is_callable_as_such",
    "origins_of",
]

STARTED: Final = time_ns()
IMPORTED_BEFORE: Final = frozenset(sys.modules)
SETTLED_NS: Final = 2_500_000_000  # file systems tell times apart by up to 2 s

STANDARD: Final = sys.stdlib_module_names
OPTIONS: Final = {"wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast", "specname"}


class Record:
    """What one entry point's plugin was made of, and its hooks: None where they may not be used."""

    def __init__(
        self,
        value: str,
        distribution: str,
        origins: list[str | None],
        files: dict[str, Signature],
        folders: dict[str, list[str]],
        holders: list[str],
        hooks: list[Hook] | None,
    ) -> None:
        self.value, self.distribution, self.origins = value, distribution, origins
        self.files, self.folders, self.holders, self.hooks = files, folders, holders, hooks

    def is_current(self, entry_point: EntryPoint, distribution: Distribution) -> bool:
        """Whether the entry point would load now what it loaded then."""
        return (
            self.value == entry_point.value
            and self.distribution == version_file(distribution)
            and all(signature(path) == then for path, then in self.files.items())
            and all(listing(path) == then for path, then in self.folders.items())
            and origins_of(entry_point.module) == self.origins
        )

    def is_imported(self) -> bool:
        """Whether somebody may have got hold of the plugin by now."""
        return any(name in sys.modules for name in self.holders)


class Records:
    """The records of one group, for the managers of one project; `save` writes what changed."""

    def __init__(self, group: str, project: str) -> None:
        key = (group, project, sys.prefix, sys.version)
        self.name = cache.name_for("hooks", repr(key))
        # Another pluggy may find other hooks in the same files.
        pluggy = sys.modules[stock.PluginManager.__module__]
        self.made_for = [*key, signature(pluggy.__file__ or "")]
        self.changed = False
        self.entries = self._read()
        # By distribution: what its first plugin imports, the others find imported.
        self.brought: dict[str | None, set[str]] = {}

    def _read(self) -> dict[str, Record]:
        content = cache.read(self.name)
        if content is None:
            return {}
        import json

        try:
            made_for, entries = json.loads(content)
            if made_for != self.made_for:
                return {}
            return {name: record_of(parts) for name, parts in entries.items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def save(self) -> None:
        if self.changed:
            import json

            entries = {name: list(vars(record).values()) for name, record in self.entries.items()}
            content = json.dumps([self.made_for, entries], separators=(",", ":"))
            cache.write(self.name, content.encode())
            self.changed = False

    def current(self, entry_point: EntryPoint, distribution: Distribution) -> Record | None:
        record = self.entries.get(entry_point.name)
        if record is not None:
            try:
                if record.is_current(entry_point, distribution):
                    return record
            except Exception:  # of somebody's finder, which the import will show better
                return None
        return None

    def remember(
        self,
        entry_point: EntryPoint,
        distribution: Distribution,
        plugin: object,
        impls: Sequence[tuple[str, stock.HookImpl]],
        imported: Iterable[str],
    ) -> None:
        """Record a plugin that was just loaded; forget it where that would not be safe.

        ``imported`` names the modules that were imported for it.
        """
        brought = self.brought.setdefault(version_file(distribution), set())
        brought.update(imported)
        try:
            record = make_record(entry_point, distribution, plugin, impls, brought)
        except Exception:  # modules and plugins may be any objects
            record = None
        if record is not None:
            self.entries[entry_point.name] = record
            self.changed = True
        elif self.entries.pop(entry_point.name, None) is not None:
            self.changed = True


def forget(group: str, project: str, name: str) -> None:
    """Remove the record of one entry point."""
    records = Records(group, project)
    if records.entries.pop(name, None) is not None:
        records.changed = True
        records.save()


def distrust(group: str, project: str, name: str) -> None:
    """Load one entry point eagerly, as long as its files are what they are now."""
    records = Records(group, project)
    if name in records.entries:
        records.entries[name].hooks = None
        records.changed = True
        records.save()


# ---- making one -----------------------------------------------------------------------------


def describe(hook: str, impl: stock.HookImpl) -> Hook:
    return hook, dict(impl.opts), tuple(impl.argnames), tuple(impl.kwargnames)


def make_record(
    entry_point: EntryPoint,
    distribution: Distribution,
    plugin: object,
    impls: Sequence[tuple[str, stock.HookImpl]],
    brought: Iterable[str],
) -> Record | None:
    hooks = [describe(hook, impl) for hook, impl in impls]
    module = entry_point.module
    version, origins = version_file(distribution), origins_of(module)
    if not plugin or version is None or origins is None or origins[-1] is None:
        return None
    # Without a hook it would never be loaded; with two for one hook, it has no place in the order.
    if not hooks or len({hook[0] for hook in hooks}) != len(hooks):
        return None
    if not all(is_hook(*hook) for hook in hooks):
        return None
    if not all(is_callable_as_such(impl) for _, impl in impls):
        return None
    top = module.partition(".")[0]
    family = [name for name in [*sys.modules] if name == top or name.startswith(top + ".")]
    definers = {
        base.__module__ for base in (*type(plugin).__mro__, *getattr(plugin, "__mro__", ()))
    }
    definers.update(impl.function.__module__ for _, impl in impls)
    if "__main__" in definers:
        return None
    own = {*family, *(name for name in brought if name.partition(".")[0] not in STANDARD)}
    holders = {module, *(holders_of(plugin) or own)}
    if not holders.isdisjoint(IMPORTED_BEFORE):
        return None
    paths: set[str] = {version}
    folders: set[str] = set()
    for name in own | definers:
        loaded = sys.modules.get(name)
        origin = origin_of(getattr(loaded, "__spec__", None))
        if origin is not None:
            paths.add(origin)
        if name in family:
            folders.update(getattr(loaded, "__path__", ()))
    files = {path: signature(path) for path in sorted(paths)}
    listings = {path: listing(path) for path in sorted(folders)}
    if not is_settled(files, listings):
        return None
    return Record(entry_point.value, version, origins, files, listings, sorted(holders), hooks)


def holders_of(plugin: object) -> list[str]:
    """The modules that somebody who has imported them can get the plugin from."""
    modules = [*sys.modules.items()]
    names = [name for name, module in modules if module is plugin]
    return names or [name for name, module in modules if holds(module, plugin)]


def holds(module: object, plugin: object) -> bool:
    try:
        # What is loaded at its first use is not to be used.
        namespace = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return False
    return any(value is plugin for value in [*namespace.values()])


def is_settled(files: dict[str, Signature], folders: dict[str, list[str]]) -> bool:
    """Whether nothing of it can have changed since this process may have read it."""
    latest = STARTED - SETTLED_NS
    times = [time for mtime, ctime, *_ in files.values() for time in (mtime, ctime)]
    for folder, names in folders.items():
        for name in names:
            # What was moved in was not modified, but its inode was.
            times += signature(os.path.join(folder, name))[:2]
    return all(time < latest for time in times)


def is_callable_as_such(impl: stock.HookImpl) -> bool:
    """Whether it is a generator function, if it is declared as a wrapper."""
    import inspect

    return not (impl.wrapper or impl.hookwrapper) or inspect.isgeneratorfunction(impl.function)


# ---- comparing it with what is there --------------------------------------------------------


def signature(path: str) -> Signature:
    """What changes with a file's content; nothing where there is no such file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return []
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino]


def listing(path: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(path) if name != "__pycache__")
    except (OSError, ValueError):
        return []


def version_file(distribution: Distribution) -> str | None:
    """The file that says a distribution's version. To ask for the version would be to parse it."""
    folder = getattr(distribution, "_path", None)
    if not isinstance(folder, os.PathLike):  # it is in a zip, or in no file at all
        return None
    for name in ("METADATA", "PKG-INFO"):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    return os.fspath(folder) if os.path.isfile(folder) else None


def origins_of(module: str) -> list[str | None] | None:
    """The files that a module and its packages are imported from, or would be.

    None for a package without one, None instead of the list if there is no such module. This may
    raise whatever a finder raises.
    """
    origins: list[str | None] = []
    path: Iterable[str] | None = None
    name = ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        loaded = sys.modules.get(name)
        spec = find_spec(name, path) if loaded is None else getattr(loaded, "__spec__", None)
        if spec is None:
            return None
        origins.append(origin_of(spec))
        inside = spec.submodule_search_locations
        if loaded is not None:
            inside = getattr(loaded, "__path__", None)
        path = () if inside is None else inside  # what is no package has no submodules
    return origins


def find_spec(name: str, path: Iterable[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None if path is None else [*path])
        if spec is not None:
            return spec
    return None


def origin_of(spec: ModuleSpec | None) -> str | None:
    return spec.origin if spec is not None and spec.has_location else None


# ---- reading it -----------------------------------------------------------------------------


def record_of(parts: Any) -> Record:
    """A record from what a file says; TypeError or ValueError if it is none."""
    value, distribution, origins, files, folders, holders, hooks = parts
    if not (
        isinstance(value, str)
        and isinstance(distribution, str)
        and all(origin is None or isinstance(origin, str) for origin in origins)
        and all(are(int, then) for then in files.values())
        and all(are(str, then) for then in folders.values())
        and are(str, holders)
    ):
        raise TypeError("no record")
    if hooks is not None:
        hooks = [(hook, opts, tuple(args), tuple(kwargs)) for hook, opts, args, kwargs in hooks]
        if not all(is_hook(*hook) for hook in hooks):
            raise TypeError("no hooks")
    return Record(value, distribution, origins, files, folders, holders, hooks)


def are(kind: type, values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, kind) for value in values)


def is_hook(hook: Any, opts: Any, args: tuple[Any, ...], kwargs: tuple[Any, ...]) -> bool:
    """Whether it is what pluggy makes, and JSON gives back."""
    return (
        isinstance(hook, str)
        and type(opts) is dict
        and opts.keys() == OPTIONS
        and (opts["specname"] is None or type(opts["specname"]) is str)
        and all(type(opts[name]) is bool for name in OPTIONS - {"specname"})
        and all(type(name) is str for name in (*args, *kwargs))
    )
