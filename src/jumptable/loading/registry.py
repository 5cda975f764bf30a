"""Open once per process. All of this package's process-wide state is in this module.

Invariants
- ``_opened`` maps a string to the Plugin that it names whatever the current directory: module
  names, bare library names, absolute paths. Entries are added when an open has succeeded and
  never removed, so `open` reads it without a lock.
- ``_files`` and ``_objects`` hold one Plugin for each thing, whatever it is called: a file by
  device and inode (which cannot be reused while the library is mapped), an object by the identity
  of its module and its name in it (the Plugin keeps the module alive).
- ``_lock`` is held while a native library is opened, so that its constructors run once and racing
  threads wait. It is re-entrant: a constructor may open plugins, even its own. Waiting for it
  releases the GIL. Python modules have the import system's own locks, and are imported without it;
  ``_objects_lock`` is held for a few dictionary operations only, so that nobody who is importing
  waits for a native library's initialisation.
"""

from __future__ import annotations

import _thread
import os
import sys
from time import perf_counter

from ..errors import PluginFileNotFoundError, PluginModuleNotFoundError, PluginTrustError
from .files import examine
from .natives import NativeSource, find_bare, load
from .objects import ObjectSource, import_module, member
from .plugin import Plugin, new_plugin, set_init_seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from types import ModuleType
    from weakref import ReferenceType

    from .files import LibraryFile

    Target = str | os.PathLike[str] | ModuleType | EntryPoint

else:
    ModuleType = type(sys)  # importing types takes longer than opening a module

__all__ = ["is_library", "open"]

_opened: dict[object, Plugin] = {}
_files: dict[tuple[int, int], Plugin] = {}
_handles: dict[int, Plugin] = {}
_objects: dict[tuple[int, str], Plugin] = {}
# Plugins that were opened while their own module was being imported, which may yet fail.
_unfinished: dict[tuple[int, str], ReferenceType[Plugin]] = {}
_lock = _thread.RLock()
_objects_lock = _thread.RLock()


def _renew_locks() -> None:
    global _lock, _objects_lock  # the thread that held them was not forked
    _lock = _thread.RLock()
    _objects_lock = _thread.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def open(target: Target) -> Plugin:
    """Open a plugin, once per process; opening the same thing again returns the same Plugin.

    ``target`` is a library's path (a string with a path separator, or an ``os.PathLike``), a bare
    library name such as ``"libm.so.6"``, a module's name, ``"module:object"``, an
    ``importlib.metadata.EntryPoint``, or a module.

    Threads that race to open one thing initialise it once. A failed open leaves nothing behind.
    Raises a `PluginError`: PluginNotFoundError, PluginFormatError, PluginArchError,
    PluginDependencyError, PluginInitError or PluginTrustError (the file was replaced since it was
    opened); TypeError if ``target`` is none of the above.
    """
    try:
        return _opened[target]
    except (KeyError, TypeError):
        pass
    if isinstance(target, ModuleType):
        return _open_object(target, "", _module_name(target), 0.0)
    if isinstance(target, os.PathLike):
        return _open_path(os.fsdecode(target))
    if isinstance(target, str):
        text = str(target)
        if is_library(text):
            return _open_path(text) if _has_separator(text) else _open_bare(text)
        return _open_name(text)
    value = getattr(target, "value", None)
    if isinstance(value, str) and hasattr(target, "group"):
        return _open_name(value.partition("[")[0].rstrip())
    raise TypeError(
        "jumptable.open() takes a path, a library's or a module's name, 'module:object', an "
        f"EntryPoint or a module, not {type(target).__name__}"
    )


def is_library(text: str) -> bool:
    """Whether a string names a native library: it is a path, or ends like a shared library."""
    if _has_separator(text) or text.endswith((".so", ".dylib", ".dll")):
        return True
    stem, found, version = text.rpartition(".so.")
    return bool(found and stem) and version.replace(".", "").isdigit()


def _has_separator(text: str) -> bool:
    return os.sep in text or bool(os.altsep and os.altsep in text)


# ---- native libraries ------------------------------------------------------------------------


def _open_path(path: str) -> Plugin:
    plugin = _opened.get(path)
    if plugin is not None:
        return plugin
    with _lock:
        plugin = _files.get(_identity(path) or (0, 0))
        if plugin is None:
            file = examine(path, target=path)
            plugin = _open_file(file.path, file, path)
            _opened.setdefault(file.path, plugin)
        if os.path.isabs(path):
            _opened[path] = plugin
    return plugin


def _open_bare(name: str) -> Plugin:
    if "\0" in name:
        raise PluginFileNotFoundError(f"{name!r} is no library's name: it holds a NUL", target=name)
    with _lock:
        if name in _opened:
            return _opened[name]
        # A library that only the loader's own cache knows cannot be examined beforehand.
        found = find_bare(name)
        plugin = _open_file(name, examine(found, target=name) if found else None, name)
        _opened[name] = plugin
    return plugin


def _open_file(path: str, file: LibraryFile | None, target: str) -> Plugin:
    """Load a library; the caller holds the lock. ``path`` is what the loader gets."""
    sys.audit("jumptable.open", path)
    known_before = len(_handles)
    start = perf_counter()
    image = load(path, file, target)
    seconds = perf_counter() - start

    loaded = os.path.realpath(image.path) if image.path else None
    if not _has_separator(path):
        file = examine(loaded, target=target) if loaded else None  # what the loader chose
    key = (file.device, file.inode) if file else None
    plugin = _files.get(key) if key else _handles.get(image.handle)
    if plugin is not None:
        if image.handle in list(_handles)[known_before:]:
            set_init_seconds(plugin, seconds)  # a constructor has opened its own library
        return plugin
    if image.handle in _handles:
        raise PluginTrustError(
            f"{target} was replaced on disk since {_handles[image.handle]!r} was opened, and the "
            "loader gives the old library; install the new one under another name, or restart",
            target=target,
        )
    source = NativeSource(image, loaded or target, checked=file is None or file.uses_python)
    plugin = new_plugin(os.path.basename(target), "native", loaded, seconds, source)
    if key:
        _files[key] = plugin
    _handles[image.handle] = plugin
    return plugin


def _identity(path: str | None) -> tuple[int, int] | None:
    try:
        status = os.stat(path) if path else None
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if status else None


# ---- Python modules and objects --------------------------------------------------------------


def _open_name(text: str) -> Plugin:
    module_name, colon, attribute = text.partition(":")
    parts = module_name.split(".")
    if not all(part.isidentifier() for part in parts) or (
        colon and not all(part.isidentifier() for part in attribute.split("."))
    ):
        raise PluginModuleNotFoundError(_bad_name(text), target=text, name=module_name)
    sys.audit("jumptable.open", text)
    start = perf_counter()
    module = import_module(module_name, text)
    return _open_object(module, attribute, text, perf_counter() - start)


def _bad_name(text: str) -> str:
    if not text:
        return "the target is empty; give a path, a library's name or a module's name"
    if text.startswith("."):
        return f"{text!r} is relative; give a module's full name, or a path with a separator"
    return (
        f"{text!r} is no module's name, no 'module:object' and no library's; a path needs a "
        f"separator, as in {os.path.join(os.curdir, text)!r}"
    )


def _open_object(module: ModuleType, attribute: str, target: str, seconds: float) -> Plugin:
    subject: object = module
    for name in attribute.split(".") if attribute else ():
        subject = member(subject, name, target)
    key = (id(module), attribute)
    unfinished = _is_initialising(module)
    with _objects_lock:
        plugin = _objects.get(key)
        if plugin is None:
            reference = _unfinished.get(key)
            plugin = reference() if reference is not None else None
        if plugin is None:
            file = getattr(module, "__file__", None)
            path = os.path.realpath(file) if isinstance(file, str) else None
            plugin = new_plugin(
                target, "python", path, seconds, ObjectSource(module, subject, target)
            )
        if unfinished:
            from weakref import ref

            _unfinished[key] = ref(plugin)
        else:
            _unfinished.pop(key, None)
            _objects[key] = plugin
            if sys.modules.get(target.partition(":")[0]) is module:
                _opened[target] = plugin
    return plugin


def _is_initialising(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _module_name(module: ModuleType) -> str:
    name = getattr(module, "__name__", None)
    return name if isinstance(name, str) else "<module without a name>"
