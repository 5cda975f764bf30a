"""The state of this process that a plugin should leave alone, before and after it is opened.

Each part is None where this platform does not tell; the doctor says so, rather than that all is
well.
"""

from __future__ import annotations

import ctypes
import locale
import os
import signal
import sys

import psutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["PARTS", "changes", "running_threads", "snapshot"]

State = dict[str, "Any"]


def running_threads() -> dict[int, str]:
    """The system's threads of this process, Python's or not."""
    if sys.platform == "linux":
        return {int(number): "" for number in os.listdir("/proc/self/task")}
    return {thread.id: "" for thread in psutil.Process().threads()}


def _children() -> dict[int, str]:
    found = {}
    for child in psutil.Process().children(recursive=True):
        try:
            found[child.pid] = child.name()
        except psutil.Error:
            found[child.pid] = ""
    return found


def _waited_for() -> int | None:
    """Grows when a child has ended and was waited for."""
    try:
        import resource
    except ImportError:
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_minflt + usage.ru_majflt


def _sockets() -> dict[str, str]:
    process = psutil.Process()
    ask = getattr(process, "net_connections", None) or process.connections
    found = {}
    for one in ask("all"):
        if not (one.laddr or one.raddr):
            continue  # made, and not used
        what, address = "is connected to", one.raddr
        if not one.raddr:
            what, address = "listens on" if one.status == "LISTEN" else "is bound to", one.laddr
        text = address if isinstance(address, str) else ":".join(map(str, address[:2]))
        found[f"{one.fd}"] = f"{what} {text}"
    return found


def _descriptors() -> dict[str, str] | None:
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    if not os.path.isdir(folder):
        return None
    found = {}
    for number in os.listdir(folder):
        try:
            os.fstat(int(number))  # not the one that the folder was read with
            found[number] = os.readlink(f"{folder}/{number}")
        except OSError as error:
            if error.errno == 22:  # EINVAL: these are not links here
                found[number] = f"descriptor {number}"
    return found


def _handlers() -> dict[str, object]:
    """By signal: what Python calls, and what the system does where that can be asked."""
    found: dict[str, object] = {}
    ask = None if sys.platform == "win32" else ctypes.CDLL(None).sigaction
    for number in sorted(signal.valid_signals()):
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {int(number)}"  # a real-time one
        system = b""
        if ask is not None:
            # No system's struct is larger; it begins with the handler.
            action = ctypes.create_string_buffer(512)
            if ask(int(number), None, action) == 0:
                system = action.raw[: ctypes.sizeof(ctypes.c_void_p)]
        found[name] = (id(signal.getsignal(number)), system)
    return found


def _environment() -> dict[str, str]:
    """That of C's code; os.environ is a copy of it."""
    names = {os.fsdecode(name): os.fsdecode(value) for name, value in os.environb.items()} if (
        os.supports_bytes_environ
    ) else dict(os.environ)  # fmt: skip
    if sys.platform == "win32":
        return names
    library = ctypes.CDLL(None)
    if sys.platform == "darwin":
        library._NSGetEnviron.restype = ctypes.POINTER(ctypes.POINTER(ctypes.c_char_p))
        entries = library._NSGetEnviron().contents
    else:
        entries = ctypes.POINTER(ctypes.c_char_p).in_dll(library, "environ")
    found, index = {}, 0
    while entries and (entry := entries[index]) is not None:
        name, _, value = entry.partition(b"=")
        found[os.fsdecode(name)] = os.fsdecode(value)
        index += 1
    return found | {name: value for name, value in names.items() if name not in found}


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "(a folder that was removed)"


def _locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _bytes_read() -> int | None:
    try:
        with open("/proc/self/io", encoding="ascii") as lines:
            return next(int(line[6:]) for line in lines if line.startswith("rchar:"))
    except (OSError, StopIteration):
        return None


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)


# Memory first and last: what the others need is not the plugin's.
PARTS: dict[str, Callable[[], Any]] = {
    "bytes_read": _bytes_read,
    "threads": running_threads,
    "descriptors": _descriptors,
    "sockets": _sockets,
    "children": _children,
    "waited_for": _waited_for,
    "signals": _handlers,
    "directory": _directory,
    "environment": _environment,
    "locale": _locale,
}


def snapshot(*, before: bool) -> State:
    """All parts; those that cannot be had are None."""
    state: State = {}
    if before:
        _part("memory", _memory)  # once for what it allocates
    else:
        state["memory"] = _part("memory", _memory)
    for name, ask in reversed(PARTS.items()) if before else PARTS.items():
        state[name] = _part(name, ask)
    if before:
        state["memory"] = _part("memory", _memory)
    return state


def _part(name: str, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (OSError, AttributeError, ValueError, psutil.Error, locale.Error):
        return None


def changes(before: State, after: State) -> State:
    """What is new, for each part that is known; a dict of names or a number, empty if nothing."""
    found: State = {}
    for name, new in after.items():
        old = before[name]
        if old is None or new is None:
            continue
        if name == "threads":
            found[name] = {str(key): what for key, what in new.items() if key not in old}
        elif isinstance(new, dict):
            different = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            if name in ("children", "sockets", "descriptors"):
                found[name] = {str(key): new[key] for key in different if key in new}
            else:  # values of variables may be secrets, and handlers are addresses
                found[name] = {str(key): "" for key in different}
        elif isinstance(new, str):
            found[name] = {"": new} if new != old else {}
        else:
            found[name] = max(new - old, 0)
    return found
