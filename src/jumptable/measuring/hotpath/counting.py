"""Counting, while code runs, what a hot path should be without.

Invariants
- A Watch belongs to one thread, as a profiler does: it sees what the thread that entered it does,
  and nothing else reads or writes its fields meanwhile.
- Of operations inside each other only the outermost counts, until its end: ``inside`` is the frame
  that it runs in, or that calls it if it is a function of C. Such a frame begins nothing else
  before that end.
- An ``import`` statement of a module that is there is no call of anything. While any thread counts,
  ``builtins.__import__`` is a Python function that calls the real one, so that the profilers see
  it. ``_importers`` counts those who need that; the lock protects it and the exchange.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter_ns
from types import CodeType, FrameType, ModuleType
from typing import Any

from .kinds import (
    BUILTINS,
    GETATTR,
    IMPORT,
    Builtins,
    Kind,
    function_of_frame,
    kind_of_builtin,
    kind_of_frame,
)
from .places import Place, arguments_of, is_users, place_of, text_of

__all__ = ["Seen", "Watch"]

MOST_TIMES = 1000
END_OF_CALL, ENDS_OF_BUILTIN = ("return",), ("c_return", "c_exception")


@dataclass
class Seen:
    """One kind of operation on one line.

    ``times`` are what the first of them took while it was watched, in ns, each with how many
    events of the profiler were inside. ``function`` is what was called first, and ``arguments`` are
    those of that call: by name for a function of Python with this ``code``, "positional" and
    "keywords" for one of C; None where they cannot be known.
    """

    kind: Kind
    place: Place
    count: int = 0
    times: list[tuple[int, int]] = field(default_factory=list)
    arguments: dict[str, Any] | None = None
    code: CodeType | None = None
    function: object = None


class Watch:
    """``with Watch() as watch: ...`` counts what the block does, in ``watch.seen``.

    A profiler that was there before is put back afterwards.
    """

    def __init__(self, builtins: Builtins = BUILTINS) -> None:
        self.seen: dict[tuple[str, str, int], Seen] = {}
        self._builtins = builtins
        # By the id of code and of functions of C that are kept alive here.
        self._kinds: dict[int, tuple[Kind | None, object]] = {}
        self._getattrs: dict[tuple[int, int], bool] = {}
        self._inside: FrameType | None = None
        self._ends: tuple[str, ...] = ()
        self._current: Seen | None = None
        self._nested = 0
        self._start = 0
        self._profiler: Callable[[FrameType, str, object], None] | None = None
        self._before: Any = None

    def __enter__(self) -> Watch:
        self._before = sys.getprofile()
        self._profiler = self._event
        _count_imports()
        try:
            sys.setprofile(self._profiler)
        except BaseException:  # KeyboardInterrupt
            _do_not_count_imports()
            raise
        return self

    @property
    def undisturbed(self) -> bool:
        """Whether nobody has set another profiler, or none, meanwhile."""
        return self._profiler is not None and sys.getprofile() is self._profiler

    def __exit__(self, *_: object) -> None:
        try:
            # One that the block has set, and left, is its own affair. The interpreter takes this
            # one away itself if Ctrl-C is pressed while it runs.
            if sys.getprofile() in (self._profiler, None):
                if self._before is None or callable(self._before):
                    sys.setprofile(self._before)
                else:  # cProfile's, before 3.12
                    sys.setprofile(None)
                    self._before.enable()
        finally:
            self._inside = self._current = self._profiler = None
            _do_not_count_imports()

    def _event(self, frame: FrameType, event: str, argument: object) -> None:
        if self._inside is not None:
            if frame is self._inside and event in self._ends:
                elapsed = perf_counter_ns() - self._start
                self._end(elapsed)
            else:
                self._nested += 1
        elif event == "call":
            kind = self._kind_of_code(frame)
            if kind is not None:
                self._begin_call(kind, frame)
        elif event == "c_call":
            kind = self._kind_of_builtin(argument)
            if kind is not None and (kind is not GETATTR or self._looks_up(frame)):
                self._begin_builtin(kind, frame, argument)

    def _kind_of_code(self, frame: FrameType) -> Kind | None:
        code = frame.f_code
        known = self._kinds.get(id(code))
        if known is None:
            kind = IMPORT if code is IMPORTS else kind_of_frame(frame)
            known = self._kinds[id(code)] = (kind, code)
        return known[0]

    def _kind_of_builtin(self, function: object) -> Kind | None:
        # Bound methods are made anew for each call, so their kinds cannot be kept by id.
        if getattr(function, "__name__", None) not in self._builtins:
            return None
        return kind_of_builtin(function, self._builtins)

    def _begin_call(self, kind: Kind, frame: FrameType) -> None:
        seen = self._count(kind, frame.f_back or frame)
        if seen.arguments is None:
            seen.arguments, seen.code = dict(frame.f_locals), frame.f_code
            seen.function = function_of_frame(frame)
        if kind.hides:
            self._begin(seen, frame, END_OF_CALL)

    def _begin_builtin(self, kind: Kind, frame: FrameType, function: Any) -> None:
        seen = self._count(kind, frame)
        if seen.function is None:
            seen.function = function
            if is_users(frame.f_code.co_filename):
                given = arguments_of(frame, function.__name__)
                if given is not None:
                    seen.arguments = dict(zip(("positional", "keywords"), given, strict=True))
        self._begin(seen, frame, ENDS_OF_BUILTIN)

    def _count(self, kind: Kind, frame: FrameType) -> Seen:
        file, line = place_of(frame)
        key = (kind.what, file, line)
        seen = self.seen.get(key)
        if seen is None:
            source = text_of(file, line, frame.f_globals).strip()
            seen = self.seen[key] = Seen(kind, Place(file, line, source))
        seen.count += 1
        return seen

    def _begin(self, seen: Seen, frame: FrameType, ends: tuple[str, ...]) -> None:
        self._current, self._inside, self._ends = seen, frame, ends
        self._nested = 0
        self._start = perf_counter_ns()

    def _end(self, elapsed: int) -> None:
        seen = self._current
        self._inside = self._current = None
        if seen is not None and len(seen.times) < MOST_TIMES:
            seen.times.append((elapsed, self._nested))

    def _looks_up(self, frame: FrameType) -> bool:
        """Whether the line's ``getattr`` is asked of a module or of a manager's hooks."""
        code = frame.f_code
        key = (id(code), frame.f_lineno)
        if key not in self._getattrs:
            self._kinds.setdefault(id(code), (None, code))
            hooks = getattr(sys.modules.get("pluggy"), "HookRelay", ModuleType)
            given = arguments_of(frame, "getattr") if is_users(code.co_filename) else None
            owner = given[0][0] if given is not None and given[0] else None
            self._getattrs[key] = issubclass(type(owner), (ModuleType, hooks))
        return self._getattrs[key]


_lock = Lock()
_importers = 0
_real_import: Any = builtins.__import__


def _counting(real: Any) -> Any:
    """A function of its own for each: whoever wraps or keeps one meanwhile comes to no circle."""

    def counted(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> ModuleType:
        found: ModuleType = real(name, globals, locals, fromlist, level)
        return found

    return counted


_counted_import = _counting(_real_import)
IMPORTS: CodeType = _counted_import.__code__


def _count_imports() -> None:
    global _importers, _real_import, _counted_import
    with _lock:
        _importers += 1
        if builtins.__import__ is not _counted_import:
            _real_import = builtins.__import__
            _counted_import = _counting(_real_import)
            builtins.__import__ = _counted_import


def _do_not_count_imports() -> None:
    global _importers
    with _lock:
        _importers -= 1
        if _importers == 0 and builtins.__import__ is _counted_import:
            builtins.__import__ = _real_import
