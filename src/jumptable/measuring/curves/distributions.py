"""The entry points of one group, by how many distributions are installed.

They are generated into folders that are removed afterwards, and are as varied as those of an
environment that this package is developed in: three in seven have entry points. importlib.metadata
is asked as in a new process: what it remembers of folders is forgotten before, as ours is where
the index is read from the disk. Nobody's forgetting is timed.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Any

from ...loading import cache, entryindex
from ...loading.discovery import entry_points
from ..ladder.rung import expect
from ..timing import Contestant
from .maker import Maker, Point, told

__all__ = ["CURVE", "generate"]

GROUP = "app.plugins"  # one distribution in ten has a plugin for it
# How many there are, and in how many rounds they take part, which take as long as there are many.
COUNTS = {10: 60, 100: 40, 500: 20, 2_000: 8}
STOCK, DISK, AGAIN = "importlib.metadata", "jumptable, from disk", "jumptable, again"
OLD_NS = 3600 * 10**9


def generate(folder: Path, count: int) -> None:
    for number in range(count):
        name = f"generated_{number}"
        info = folder / f"{name}-1.{number % 10}.dist-info"
        info.mkdir(parents=True)
        _write(
            info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number % 10}\n"
        )
        lines = []
        if number % 7 in (0, 2, 5):
            lines += ["[console_scripts]", f"{name} = {name}.cli:main", f"[{name}.formats]"]
            lines += [f"{kind} = {name}.{kind}:Format" for kind in ("text", "binary")]
        if number % 10 == 0:
            lines += [f"[{GROUP}]", f"plugin_{number} = {name}.plugin:Plugin"]
        if lines:
            _write(info / "entry_points.txt", "\n".join(lines) + "\n")
        _age(info)
    _age(folder)


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    _age(path)


def _age(path: Path) -> None:
    """What is new can change again unnoticed, so it is not remembered."""
    then = time_ns() - OLD_NS
    os.utime(path, ns=(then, then))


def _points(closing: ExitStack) -> Iterator[Point]:
    made: Any = tempfile.TemporaryDirectory(prefix="jumptable-bench-", ignore_cleanup_errors=True)
    folder = Path(closing.enter_context(made))
    path = _standard_library()
    for count, rounds in COUNTS.items():
        site = folder / f"site{count}"
        generate(site, count)
        place = ([*path, str(site)], str(folder / "index"))
        wanted = -(-count // 10)
        for series, before, ask in (
            (STOCK, _forget, importlib.metadata.entry_points),
            (DISK, _forget_all, entry_points),
            (AGAIN, _nothing, entry_points),
        ):
            contestant = Contestant(told(series, count), _loop(place, before, ask), most=rounds)
            with _looking(*place):
                for _ in range(2):
                    before()
                    expect(len(ask(group=GROUP)), wanted)
            yield Point(series, count, contestant)


def _standard_library() -> list[str]:
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    return [
        entry for entry in sys.path if entry in standard or entry.endswith((".zip", "lib-dynload"))
    ]


def _loop(
    place: tuple[list[str], str], before: Callable[[], object], ask: Callable[..., Any]
) -> Callable[[int], int]:
    def loop(count: int) -> int:
        total = 0
        with _looking(*place):
            for _ in range(count):
                before()
                start = perf_counter_ns()
                ask(group=GROUP)
                total += perf_counter_ns() - start
        return total

    return loop


@contextmanager
def _looking(path: list[str], index: str) -> Iterator[None]:
    """Where distributions are looked for meanwhile, and where the index is kept."""
    old_path, old_index = sys.path, os.environ.get(cache.VARIABLE)
    sys.path = path
    os.environ[cache.VARIABLE] = index
    try:
        yield
    finally:
        sys.path = old_path
        if old_index is None:
            del os.environ[cache.VARIABLE]
        else:
            os.environ[cache.VARIABLE] = old_index


def _nothing() -> None: ...


def _forget() -> None:
    forget: Any = importlib.metadata.MetadataPathFinder.__dict__["invalidate_caches"]
    getattr(forget, "__func__", forget)(importlib.metadata.MetadataPathFinder)


def _forget_all() -> None:
    _forget()
    entryindex._known.clear()


CURVE = Maker(
    "Installed distributions",
    "All entry points of one group: asked for as in a new process, from the index on disk, and "
    "once more in the same process.",
    "distributions",
    "ns per question",
    _points,
    rounds=max(COUNTS.values()),
    slice_ns=1,
)
