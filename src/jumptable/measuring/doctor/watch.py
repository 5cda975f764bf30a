"""What Python code does while a plugin is opened, and the lines of code that do it.

Most of it comes from the interpreter's audit events. What raises none, in some version at least, is
wrapped while the plugin is opened: ``Thread.start``, ``signal.signal``, ``locale.setlocale``,
``time.sleep``, ``atexit.register``, ``os._exit``, the compiler of regular expressions, and the two
standard streams.
"""

from __future__ import annotations

import _thread
import atexit
import io
import locale
import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager
from functools import wraps
from time import perf_counter

from .imports import ImportTimer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

__all__ = ["Event", "Watch"]

DEEPEST = 1000
MOST_EVENTS = 10_000
# Of these only the places are told.
UNCOUNTED = ("output", "sleep")
MOST_UNCOUNTED = 100

IMPORTS = ImportTimer.find_spec.__code__.co_filename

# (file, line, function), innermost first.
Stack = list[tuple[str, int, str]]

PROCESS_EVENTS = {
    **dict.fromkeys(["os.system", "os.posix_spawn", "os.spawn", "os.exec", "os.fork"], 0),
    **dict.fromkeys(["os.forkpty", "pty.spawn", "os.startfile", "subprocess.Popen"], 0),
}
SOCKET_EVENTS = {
    "socket.connect": "connects to",
    "socket.bind": "binds",
    "socket.sendto": "sends to",
    "socket.getaddrinfo": "resolves",
    "socket.gethostbyname": "resolves",
    "socket.gethostbyaddr": "resolves",
}
WRITING = os.O_WRONLY | os.O_RDWR
# What the interpreter reads to import, and to show errors.
CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".pth", ".zip", ".egg", ".whl")
METADATA = (".dist-info", ".egg-info")


class Event:
    """Something that was done, by the code that ``stack`` shows."""

    __slots__ = ("amount", "detail", "kind", "seconds", "stack")

    def __init__(
        self, kind: str, detail: str, stack: Stack, amount: int = 0, seconds: float = 0.0
    ) -> None:
        self.kind = kind
        self.detail = detail
        self.stack = stack
        self.amount = amount
        self.seconds = seconds


class Watch:
    """Collects events while ``active``. An audit hook cannot be removed: one Watch a process.

    Events come from any thread; appending to a list is all that they share.
    """

    def __init__(self, before_exit: Callable[[str], None]) -> None:
        self.events: list[Event] = []
        self.active = False
        self._before_exit = before_exit
        self._undo: list[Callable[[], None]] = []
        self._numbers: dict[str, int] = {}  # threads may lose some: it is a limit, no result
        self._readers: dict[str, Callable[[str, tuple[Any, ...]], Event | None]] = {
            **dict.fromkeys(PROCESS_EVENTS, _process_started),
            **dict.fromkeys(SOCKET_EVENTS, _socket_used),
            "open": _file_opened,
            "os.chdir": _directory_changed,
            "os.putenv": _variable_changed,
            "os.unsetenv": _variable_changed,
        }

    def prepare(self) -> None:
        """Put everything in its place; nothing is collected yet."""
        self._wrap(signal, "signal", lambda words: Event("signals", _signal_name(words), []))
        self._wrap(locale, "setlocale", _locale_set)
        self._wrap(atexit, "register", lambda words: Event("atexit", _callable_name(words), []))
        self._wrap(time, "sleep", lambda words: Event("sleep", f"{words[0]} s", []))
        self._wrap(threading.Thread, "start", _thread_started)
        self._wrap(_thread, "start_new_thread", _thread_started)
        self._wrap_exit()
        self._wrap_compiler()
        self._wrap_streams()
        sys.addaudithook(self._hear)

    def start(self) -> None:
        """Watch from now on."""
        re.purge()  # what the doctor has compiled would cost the plugin nothing
        self.active = True

    def stop(self) -> None:
        """Watch no more; what was wrapped is as before, unless the plugin has replaced it."""
        self.active = False
        for undo in reversed(self._undo):
            undo()

    def _hear(self, name: str, words: tuple[Any, ...]) -> None:
        reader = self._readers.get(name) if self.active else None
        if reader is None:
            return
        with _contained():
            event = reader(name, words)
            if event is not None:
                self.note(event)
            if name == "os.exec":
                self._before_exit(f"replaces the process by {event.detail if event else ''}")

    def note(self, event: Event) -> None:
        """Keep it, with the stack; this file's own frames are those of the package, which is left
        out when the culprit is looked for. Of a kind that does not end, only the beginning: the
        rest would be memory that the plugin does not take.
        """
        number = self._numbers[event.kind] = self._numbers.get(event.kind, 0) + 1
        if number > (MOST_UNCOUNTED if event.kind in UNCOUNTED else MOST_EVENTS):
            return
        event.stack = stack_of(sys._getframe(1))
        self.events.append(event)

    def _replace(self, owner: Any, name: str, wrapper: Any) -> None:
        original = getattr(owner, name)
        setattr(owner, name, wrapper)

        def undo() -> None:
            if getattr(owner, name, None) is wrapper:
                setattr(owner, name, original)

        self._undo.append(undo)

    def _wrap(self, owner: Any, name: str, reader: Callable[[Any], Event | None]) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def noted(*words: Any, **options: Any) -> Any:
            with _contained():
                event = reader((*words, *options.values())) if self.active else None
                if event is not None:
                    self.note(event)
            return original(*words, **options)

        self._replace(owner, name, noted)

    def _wrap_exit(self) -> None:
        original = os._exit

        def exit_at_once(status: int) -> None:
            if self.active:
                with _contained():
                    self.note(Event("exited", f"os._exit({status!r})", []))
                    self._before_exit(f"calls os._exit({status!r})")
            original(status)

        self._replace(os, "_exit", exit_at_once)

    def _wrap_compiler(self) -> None:
        """What ``re`` calls for a pattern that is not in its cache."""
        compiler = sys.modules.get("re._compiler") or sys.modules["sre_compile"]
        original: Callable[..., Any] = compiler.compile

        def compiled(pattern: Any, *words: Any, **options: Any) -> Any:
            start = perf_counter()
            try:
                return original(pattern, *words, **options)
            finally:
                if self.active:
                    seconds = perf_counter() - start
                    text = pattern if isinstance(pattern, str) else repr(pattern)
                    event = Event("regexes", text[:80], [], seconds=seconds)
                    self.note(event)

        self._replace(compiler, "compile", compiled)

    def _wrap_streams(self) -> None:
        watch = self

        class Noting(io.TextIOWrapper):
            def write(self, text: str) -> int:
                if watch.active and text.strip():
                    watch.note(Event("output", self._stream, []))
                return super().write(text)

            _stream = ""

        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, io.TextIOWrapper):
                wrapper = Noting(
                    stream.buffer,
                    stream.encoding,
                    stream.errors,
                    line_buffering=True,
                    write_through=True,
                )
                wrapper._stream = name
                self._replace(sys, name, wrapper)


def stack_of(frame: FrameType | None) -> Stack:
    """The frames from here outwards; an import's own are one, for they nest deeply."""
    stack: Stack = []
    importing = False
    while frame is not None and len(stack) < DEEPEST:
        file = frame.f_code.co_filename
        if file != IMPORTS and not (importing and file.startswith("<frozen importlib")):
            stack.append((file, frame.f_lineno, frame.f_code.co_name))
            importing = file.startswith("<frozen importlib")
        frame = frame.f_back
    return stack


@contextmanager
def _contained() -> Iterator[None]:
    """Odd arguments are for the function itself to refuse: what watches it raises nothing."""
    try:
        yield
    except Exception:
        pass


def _path(word: object) -> str:
    return os.fsdecode(word) if isinstance(word, (str, bytes, os.PathLike)) else repr(word)


def _thread_started(words: tuple[Any, ...]) -> Event:
    """Of a function, or of a Thread, which says more by its target."""
    return Event("threads", _name_of(getattr(words[0], "_target", None) or words[0]), [])


def _process_started(name: str, words: tuple[Any, ...]) -> Event:
    program = words[0] if words else ""
    if name == "os.spawn":
        program = words[1]
    elif name == "subprocess.Popen":
        arguments = words[1]
        program = arguments if isinstance(arguments, (str, bytes)) else " ".join(
            map(_path, arguments)
        )  # fmt: skip
    text = _path(program) if program else ""
    return Event("exited" if name == "os.exec" else "processes", f"{name}({text[:80]})", [])


def _socket_used(name: str, words: tuple[Any, ...]) -> Event:
    address = words[0] if name in ("socket.getaddrinfo", "socket.gethostbyname") else words[-1]
    if isinstance(address, tuple):
        address = ":".join(map(str, address[:2]))
    return Event("sockets", f"{SOCKET_EVENTS[name]} {_path(address)}", [])


def _file_opened(name: str, words: tuple[Any, ...]) -> Event | None:
    path, flags = words[0], words[2]
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    path = os.path.abspath(os.fsdecode(path))
    writes = isinstance(flags, int) and bool(flags & WRITING)
    if not writes and (path.endswith(CODE) or any(part in path for part in METADATA)):
        return None
    importer = sys._getframe(2).f_code.co_filename  # behind the hook
    if importer.startswith("<frozen importlib") or importer == "<frozen zipimport>":
        return None
    if path == os.devnull:
        return None
    try:
        size = os.stat(path).st_size
    except OSError:
        if not writes:
            return None  # there is nothing to read
        size = 0
    return Event("writes" if writes else "files", path, [], amount=size)


def _directory_changed(name: str, words: tuple[Any, ...]) -> Event:
    return Event("directory", _path(words[0]), [])


def _variable_changed(name: str, words: tuple[Any, ...]) -> Event:
    return Event("environment", _path(words[0]), [])  # its value may be a secret


def _signal_name(words: tuple[Any, ...]) -> str:
    return signal.Signals(words[0]).name


def _locale_set(words: tuple[Any, ...]) -> Event | None:
    if len(words) < 2 or words[1] is None:
        return None  # a question
    return Event("locale", repr(words[1]), [])


def _callable_name(words: tuple[Any, ...]) -> str:
    return _name_of(words[0])


def _name_of(function: object) -> str:
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else type(function).__name__
