"""Open once per process. All of this package's process-wide state is in this module.

Invariants
- ``_opened`` maps a string to the Plugin that it names whatever the current directory: module
  names, bare library names, absolute paths. Entries are added when an open has succeeded, so
  `open` reads it without a lock. They are removed only if a constructor that had opened its own
  library then raised.
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

from ..errors import (
    PluginFileNotFoundError,
    PluginInitError,
    PluginModuleNotFoundError,
    PluginTrustError,
)
from .files import examine
from .natives import (
    NativeSource,
    declarations,
    examined,
    find_bare,
    load,
    may_raise,
    was_deleted,
)
from .objects import ObjectSource, description, file_of, import_module, member
from .plugin import Plugin, new_plugin, set_init_seconds
from .system import loaded_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from types import ModuleType
    from typing import Any
    from weakref import ReferenceType

    from .files import LibraryFile

    Target = str | os.PathLike[str] | ModuleType | EntryPoint

else:
    Target = object
    ModuleType = type(sys)  # importing types takes longer than opening a module

__all__ = ["Target", "for_later", "is_library", "is_opening", "open", "somebody_is_opening"]

_opened: dict[object, Plugin] = {}
_files: dict[tuple[int, int] | None, Plugin] = {}
_handles: dict[int, Plugin] = {}
# What the constructors of libraries raised, by handle: they run once, so it stays true.
_raised: dict[int, BaseException] = {}
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
        return _open_object(target, "", _module_name(target))
    if isinstance(target, os.PathLike):
        return _open_path(os.fsdecode(target))
    if isinstance(target, str):
        text = str(target)
        if is_library(text):
            return _open_path(text) if _has_separator(text) else _open_bare(text)
        return _open_name(*text.partition(":"))
    value = getattr(target, "value", None)
    if isinstance(value, str) and hasattr(target, "group"):
        module, colon, attribute = value.partition("[")[0].partition(":")
        return _open_name(module.strip(), colon, attribute.strip())
    raise _no_target(target, "open")


def _no_target(target: object, function: str) -> TypeError:
    return TypeError(
        f"jumptable.{function}() takes a path, a library's or a module's name, 'module:object', an "
        f"EntryPoint or a module, not {type(target).__name__}"
    )


def for_later(target: Target, function: str) -> tuple[Target, str]:
    """A target that means later what it means now, and its text; opens nothing.

    A relative path is made absolute. TypeError, which names ``function``, for what `open` refuses.
    """
    if isinstance(target, ModuleType):
        return target, _module_name(target)
    if isinstance(target, os.PathLike):
        return _from_here(os.fsdecode(target))
    if isinstance(target, str):
        text = str(target)
        if is_library(text) and _has_separator(text):
            return _from_here(text)
        return text, text
    value = getattr(target, "value", None)
    if isinstance(value, str) and hasattr(target, "group"):
        return target, value
    raise _no_target(target, function)


def somebody_is_opening() -> bool:
    """Whether a native library is being opened, by any thread."""
    if _lock.acquire(blocking=False):
        _lock.release()
        return is_opening()
    return True


def _from_here(path: str) -> tuple[str, str]:
    # Not normalised: ".." after a symbolic link leads elsewhere. Absolute, it has a separator.
    try:
        path = os.path.join(os.getcwd(), path)
    except OSError:
        if not os.path.isabs(path):
            raise PluginFileNotFoundError(
                f"{path!r} is relative, and the working directory is gone; give an absolute path",
                target=path,
            ) from None
    return path, path


def is_opening() -> bool:
    """Whether this thread is opening a native library: it is called by a constructor."""
    return _lock._is_owned()  # type: ignore[attr-defined, no-any-return]


def is_library(text: str) -> bool:
    """Whether a string names a native library: it is a path, or ends like a shared library."""
    name = text.lower() if os.name == "nt" else text
    if _has_separator(name) or name.endswith((".so", ".dylib", ".dll")):
        return True
    stem, _, version = name.rpartition(".so.")
    digits = version.replace(".", "")
    return bool(stem) and digits.isascii() and digits.isdigit()


def _has_separator(text: str) -> bool:
    return os.sep in text or bool(os.altsep and os.altsep in text)


# ---- native libraries ------------------------------------------------------------------------


def _open_path(path: str) -> Plugin:
    plugin = _opened.get(path) if os.path.isabs(path) else None
    if plugin is None:
        plugin = _files.get(_identity(path))
    if plugin is None:
        with _lock:
            plugin = _files.get(_identity(path))
            if plugin is None:
                file = examine(path, target=path)
                plugin = _load(file.path, file, path)
                _opened.setdefault(file.path, plugin)
    if os.path.isabs(path):
        _opened[path] = plugin
    return plugin


def _open_bare(name: str) -> Plugin:
    try:
        usable = b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise PluginFileNotFoundError(
            f"{name!r} is no library's name: it holds a NUL, or what no file name can", target=name
        )
    with _lock:
        if name in _opened:
            return _opened[name]
        # A library that only the loader's own cache knows cannot be examined beforehand.
        plugin = _load(name, find_bare(name), name)
        _opened[name] = plugin
    return plugin


def _load(path: str, file: LibraryFile | None, target: str) -> Plugin:
    """The Plugin for what the loader makes of ``path``; the caller holds the lock."""
    declared = declarations(file, target)
    sys.audit("jumptable.open", path)
    # A bare name means what is loaded under it; a path means the file that is there now.
    replaceable = _has_separator(path) and loaded_path(path) is not None
    known_before = len(_handles)
    start = perf_counter()
    image = load(path, file, target)
    seconds = perf_counter() - start

    if image.raised is not None:
        _raised[image.handle] = image.raised
        if isinstance(image.raised, KeyboardInterrupt):  # now; later it would be nobody's
            _forget(image.handle)
            raise image.raised
    if image.handle in _raised:
        _forget(image.handle)
        raise _initialisation_failed(_raised[image.handle], target)
    if not _has_separator(path):
        file = examined(image.path)  # what the loader chose
        declared = declarations(file, target)
    key = (file.device, file.inode) if file else None
    plugin = _files.get(key) if key else _handles.get(image.handle)
    if plugin is not None:
        if len(_handles) > known_before and _handles.get(image.handle) is plugin:
            set_init_seconds(plugin, seconds)  # a constructor has opened its own library
        return plugin
    if image.handle in _handles or (replaceable and was_deleted(image)):
        raise PluginTrustError(
            f"{target} was replaced on disk since it was loaded, and the loader gives the old "
            "library; install the new one under another name, or restart",
            target=target,
        )
    real = file.path if file else image.path or None
    source = NativeSource(image, real or target, may_raise(file), file, declared)
    name = declared.name if declared else os.path.basename(target)
    version = declared.version if declared else None
    plugin = new_plugin(name, "native", real, seconds, source, version)
    if key:
        _files[key] = plugin
    _handles[image.handle] = plugin
    return plugin


def _forget(handle: int) -> None:
    """Remove the Plugin that a constructor made of its own library before it raised."""
    plugin = _handles.pop(handle, None)
    if plugin is not None:
        _drop(_opened, plugin)
        _drop(_files, plugin)


def _drop(known: dict[Any, Plugin], plugin: Plugin) -> None:
    for name in [name for name, held in known.items() if held is plugin]:
        del known[name]


def _initialisation_failed(cause: BaseException, target: str) -> PluginInitError:
    error = PluginInitError(
        f"a constructor of {target} {description(cause)}; the library stays loaded, and is not "
        "initialised again in this process",
        target=target,
    )
    error.__cause__ = cause
    return error


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino)


# ---- Python modules and objects --------------------------------------------------------------


def _open_name(module_name: str, colon: str, attribute: str) -> Plugin:
    text = module_name + colon + attribute
    names = [*module_name.split("."), *(attribute.split(".") if colon else ())]
    if not all(map(_is_printable, names)):
        raise PluginModuleNotFoundError(_bad_name(text), target=text, name=module_name)
    sys.audit("jumptable.open", text)
    start = perf_counter()
    module = import_module(module_name, text)
    return _open_object(module, attribute, text, perf_counter() - start)


def _is_printable(name: str) -> bool:
    return bool(name) and name.isprintable()  # what else a module's name may be, import decides


def _bad_name(text: str) -> str:
    if not text:
        return "the target is empty; give a path, a library's name or a module's name"
    if text.startswith("."):
        return f"{text!r} is relative; give a module's full name, or a path with a separator"
    return (
        f"{text!r} is no module's name and no 'module:object': a part of it is empty or unprintable"
    )


def _open_object(
    module: ModuleType, attribute: str, target: str, seconds: float | None = None
) -> Plugin:
    subject: object = module
    is_named = sys.modules.get(target.partition(":")[0]) is module
    for name in attribute.split(".") if attribute else ():
        subject = member(subject, name, target)
    if isinstance(subject, ModuleType):
        module, attribute = subject, ""  # "json:decoder" is the module json.decoder
    key = (id(module), attribute)
    unfinished = _is_initialising(module)
    with _objects_lock:
        plugin = _objects.get(key)
        if plugin is None:
            reference = _unfinished.pop(key, None)
            plugin = reference() if reference is not None else None
        if plugin is None:
            if seconds is None:
                sys.audit("jumptable.open", target)
            source = ObjectSource(module, subject, target)
            plugin = new_plugin(target, "python", file_of(module), seconds or 0.0, source)
        if unfinished:
            from weakref import ref

            _unfinished[key] = ref(plugin)
        else:
            _objects[key] = plugin
            if is_named:
                _opened[target] = plugin
    return plugin


def _is_initialising(module: ModuleType) -> bool:
    try:
        return bool(module.__spec__._initializing)  # type: ignore[union-attr]
    except Exception:  # modules that replace themselves may do anything
        return False


def _module_name(module: ModuleType) -> str:
    try:
        name = module.__name__
    except Exception:
        name = None
    return name if isinstance(name, str) else "<a module without a name>"
