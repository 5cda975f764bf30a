"""What each import of a plugin's costs, by a finder that asks the others and times their loaders.

It is in every run of the doctor's, those that are timed included, so it does little: two clock
readings and a record for each module that is not loaded yet, some microseconds; a module that is
loaded already costs nothing. ``-X importtime`` has no files, and would mix with what the plugin
writes.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType
    from typing import Any

    # Name, index of the parent or -1, start, seconds to find, seconds to load, file, who imports.
    Row = tuple[str, int, float, float, float, str | None, tuple[str, int] | None]

__all__ = ["ImportTimer", "Record"]

IMPORTERS = ("<frozen importlib", "<frozen zipimport", __file__)


class ImportTimer:
    """A finder for the head of ``sys.meta_path``; ``records`` has a row for each search.

    Only imports of the thread that made it count: others are not what an open waits for.
    ``after`` is called with a module's name when its file was loaded, and when its code has run.
    """

    def __init__(self, after: Callable[[str], None] | None = None) -> None:
        self.records: list[Record] = []
        self._open: list[int] = []
        self._thread = get_ident()
        self._after = after
        self._start = perf_counter()

    def install(self) -> None:
        """From now on; times count from here."""
        sys.meta_path.insert(0, self)
        self._start = perf_counter()

    def remove(self) -> None:
        """No more; a plugin may have removed it, or replaced the list."""
        if isinstance(sys.meta_path, list):
            sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if get_ident() != self._thread:
            return None  # the finders behind this one are asked
        start = perf_counter()
        parent = self._open[-1] if self._open else -1
        record = Record(len(self.records), name, parent, start - self._start)
        record.importer = _importer(sys._getframe(1))
        self.records.append(record)
        self._open.append(record.index)
        try:
            spec = _ask_others(self, name, path, target)
        finally:
            self._open.pop()
            record.finding = perf_counter() - start
        if spec is not None:
            record.origin = spec.origin if isinstance(spec.origin, str) else None
            self._watch(spec.loader, record)
        return spec

    def _watch(self, loader: Any, record: Record) -> None:
        """Time the loader; those of builtin modules are classes, and count for the importer."""
        if loader is None or isinstance(loader, type):
            return
        for step in ("create_module", "exec_module"):
            original = getattr(loader, step, None)
            if isinstance(original, Timed):  # of a module that was searched and never loaded
                original = original.original
            if original is not None:
                try:
                    setattr(loader, step, Timed(self, loader, step, original, record))
                except (AttributeError, TypeError):
                    return

    def run(self, step: str, original: Callable[[Any], Any], argument: Any, record: Record) -> Any:
        """A step of loading, timed."""
        if get_ident() != self._thread:
            return original(argument)
        self._open.append(record.index)
        start = perf_counter()
        try:
            return original(argument)
        finally:
            record.loading += perf_counter() - start
            self._open.pop()
            if self._after is not None:
                self._after(record.name)


class Record:
    """One search for a module, and its loading, those that it caused included. In seconds."""

    __slots__ = ("finding", "importer", "index", "loading", "name", "origin", "parent", "start")

    def __init__(self, index: int, name: str, parent: int, start: float) -> None:
        self.index = index
        self.name = name
        self.parent = parent  # the index of the one that this is part of, or -1
        self.start = start
        self.finding = 0.0
        self.loading = 0.0
        self.origin: str | None = None
        self.importer: tuple[str, int] | None = None

    def row(self) -> Row:
        """For the doctor, as `Row` says."""
        return (
            self.name,
            self.parent,
            self.start,
            self.finding,
            self.loading,
            self.origin,
            self.importer,
        )


class Timed:
    """A loader's method, for one call."""

    __slots__ = ("loader", "original", "record", "step", "timer")

    def __init__(
        self,
        timer: ImportTimer,
        loader: object,
        step: str,
        original: Callable[[Any], Any],
        record: Record,
    ) -> None:
        self.timer = timer
        self.loader = loader
        self.step = step
        self.original = original
        self.record = record

    def __call__(self, argument: Any) -> Any:
        # A loader may be that of many modules: what is nested here is timed for itself.
        vars(self.loader).pop(self.step, None)
        spec = getattr(argument, "__spec__", argument)
        if getattr(spec, "name", None) != self.record.name:
            return self.original(argument)
        return self.timer.run(self.step, self.original, argument, self.record)


def _ask_others(
    timer: ImportTimer,
    name: str,
    path: Sequence[str] | None,
    target: ModuleType | None,
) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        if finder is not timer and find is not None:
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                return spec
    return None


def _importer(frame: FrameType | None) -> tuple[str, int] | None:
    """The file and the line of the import statement, or of the call that imports."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(IMPORTERS) and not file.endswith("importlib/__init__.py"):
            return file, frame.f_lineno
        frame = frame.f_back
    return None
