"""What the doctor's fresh processes run: open one plugin, and say what that took or did.

A run that is timed imports nothing before the plugin is opened that `jumptable.open` does not need:
a module that is there already costs the plugin nothing. All else is imported afterwards, or in the
run that is watched and not timed. The answer is written as a literal, to a file; a plugin may write
to any descriptor, and end the process at any time.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from time import perf_counter

from ...errors import PluginError
from ...loading.registry import is_library, open
from .imports import ImportTimer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .blame import Blame

__all__ = ["BROKEN", "main"]

# The exit status if a plugin has left nothing that this could run on.
BROKEN = 97
LEAST_TRACED = 1 << 20
TRACED_FRAMES = 8  # each takes time at every allocation

# Taken now: a plugin may replace them.
_open, _write, _exit, _getpid = os.open, os.write, os._exit, os.getpid


def main(job: dict[str, Any]) -> NoReturn:
    """Do the job, answer, and end the process: neither threads nor handlers of exit hold it up."""
    process = _getpid()
    trace = _open(job["trace"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    do = {"watch": _watch, "time": _time, "memory": _memory}[job["mode"]]
    status = BROKEN
    try:
        answer = do(job, trace)
        if _getpid() == process:  # and not one that the plugin has forked
            _answer(job, {**answer, "done": True})
            _end_children()
        status = 0
    finally:
        _exit(status)


def _answer(job: dict[str, Any], answer: dict[str, Any]) -> None:
    descriptor = _open(job["answer"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # Lone surrogates are escaped by repr().
    data = repr(answer).encode("utf-8", "backslashreplace")
    while data:
        data = data[_write(descriptor, data) :]
    os.close(descriptor)


def _end_children() -> None:
    """Those too that have left the process group, which the doctor ends."""
    try:
        import psutil

        for child in psutil.Process().children(recursive=True):
            child.kill()
    except Exception:
        pass  # ended meanwhile; or nothing can be imported any more


def _opened(
    job: dict[str, Any],
    trace: int,
    answer: dict[str, Any],
    ready: Callable[[], None] | None = None,
) -> BaseException | None:
    """Open the plugin. The process ends if it takes too long, and a trace is written."""
    error: BaseException | None = None
    # A thread of C code, which neither Python code nor the GIL can hold up.
    faulthandler.dump_traceback_later(job["timeout"], exit=True, file=trace)
    if ready is not None:
        ready()
    start = perf_counter()
    try:
        plugin = open(job["target"])
        answer["seconds"] = perf_counter() - start
        answer["kind"] = plugin.kind
        answer["path"] = plugin.path
        answer["loading"] = plugin.init_seconds
    except BaseException as raised:  # a KeyboardInterrupt that a plugin raises is its own
        error = raised
    faulthandler.cancel_dump_traceback_later()
    return error


# ---- timed ------------------------------------------------------------------------------------


def _time(job: dict[str, Any], trace: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"dependencies": 0.0}
    if is_library(job["target"]):
        _import_loading()
    if job["libraries"]:
        answer["dependencies"] = _load_libraries(job["libraries"])
    timer = ImportTimer()
    timer.install()
    error = _opened(job, trace, answer)
    timer.remove()
    answer["imports"] = [record.row() for record in timer.records]
    if error is not None:
        answer["error"] = {"message": _text(error), "type": type(error).__name__}
    return answer


def _import_loading() -> None:
    """What this package needs for native libraries, which the first in a process pays for."""
    from ...loading import complaints, debuginfo, embedded, nativebinds  # noqa: F401


def _load_libraries(paths: list[str]) -> float:
    """What the libraries take that a library needs; it finds them loaded, by their names."""
    import ctypes

    total = 0.0
    for path in paths:
        start = perf_counter()
        try:
            ctypes.CDLL(path, mode=getattr(os, "RTLD_NOW", 0))
        except OSError:
            continue  # then it is part of what the plugin itself takes
        total += perf_counter() - start
    return total


# ---- watched ----------------------------------------------------------------------------------


def _watch(job: dict[str, Any], trace: int) -> dict[str, Any]:
    from . import state
    from .blame import Blame  # noqa: F401  cannot be had any more then
    from .watch import Watch

    answer: dict[str, Any] = {}
    process = _getpid()
    known: set[int] = set()
    started_by: list[str] = []

    def threads_after(module: str) -> None:
        new = set(state.running_threads()) - known
        known.update(new)
        if new:
            started_by.append(module)

    def ready() -> None:
        # Also the thread that waits for the time limit, which may still be there afterwards.
        known.update(state.running_threads())
        before["threads"] = dict.fromkeys(known, "")
        timer.install()
        watch.start()

    def before_exit(reason: str) -> None:
        watch.active = False
        if _getpid() == process:
            _answer(job, {**_observed(_blame(job, timer), watch, timer), "ended": reason})
        watch.active = True  # another program may not be there

    timer = ImportTimer(after=threads_after)
    watch = Watch(before_exit)

    faulthandler.enable(trace)
    file, answer["examination"] = _examine(job["target"], state.PARTS["bytes_read"])
    needed = [name for name in file.needed if not loaded(name)] if file else []
    watch.prepare()
    written = [_size(1), _size(2)]
    before = state.snapshot(before=True)
    error = _opened(job, trace, answer, ready)
    watch.active = False
    timer.remove()
    after = state.snapshot(before=False)
    watch.stop()
    _flush()
    answer["output"] = [_size(1) - written[0], _size(2) - written[1]]
    answer["changes"] = state.changes(before, after)
    answer["unknown"] = [name for name in before if name not in answer["changes"]]
    blame = _blame(job, timer)
    places = blame.of_imports(timer.records)
    answer["started_by"] = [(module, places.get(module)) for module in started_by]
    answer["libraries"] = [path for name in needed if (path := loaded(name))]
    answer.update(_observed(blame, watch, timer))
    if error is not None:
        answer["error"] = _failure(error, blame)
    return answer


def _blame(job: dict[str, Any], timer: ImportTimer) -> Blame:
    from .blame import Blame

    origins = {record.name: record.origin for record in timer.records if record.origin}
    return Blame(_own_names(job["target"], timer), job["target"], origins)


def _own_names(target: str, timer: ImportTimer) -> list[str]:
    """The top-level modules that come with the target, its own first."""
    top = target.partition(":")[0].partition(".")[0]
    others = {record.name.partition(".")[0] for record in timer.records}
    others -= {top, *sys.stdlib_module_names}
    if is_library(target):
        return []
    if not others:
        return [top]
    from importlib.metadata import packages_distributions  # reads them all

    try:
        owners = packages_distributions()
    except Exception:  # one of them is damaged
        return [top]
    mine = set(owners.get(top, ()))
    return [top, *sorted(name for name in others if mine & set(owners.get(name, ())))]


def _observed(blame: Blame, watch: Any, timer: ImportTimer) -> dict[str, Any]:
    events = [blame.of_event(event) for event in list(watch.events)]
    return {
        "own": blame.names,
        "events": [event for event in events if event is not None],
        "imports": [record.row() for record in timer.records],
    }


def _examine(target: str, bytes_read: Any) -> tuple[Any, int]:
    """The library's file, and how much examining it reads, which is not the plugin's doing."""
    if not is_library(target):
        return None, 0
    _import_loading()
    from ...loading.files import examine
    from ...loading.natives import declarations, find_bare

    before = _number(bytes_read)
    file = None
    try:
        # A bare name's file is examined once more when the loader has chosen it.
        for _ in range(2):
            file = examine(target) if os.path.dirname(target) else find_bare(target)
            declarations(file, target)
    except PluginError:
        pass
    return file, _number(bytes_read) - before


def _number(ask: Any) -> int:
    try:
        return ask() or 0
    except (OSError, ValueError):
        return 0


def loaded(name: str) -> str | None:
    """The path of a library that is loaded under a name."""
    from ...loading.system import loaded_path

    return loaded_path(name)


def _failure(error: BaseException, blame: Blame) -> dict[str, Any]:
    cause = error.__cause__
    return {
        "type": type(error).__name__,
        "message": _text(error),
        "exited": isinstance(cause, SystemExit) or isinstance(error, SystemExit),
        "place": blame.of_error(error),
    }


def _text(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return str(error)
    from ...loading.objects import description

    return description(error)


def _size(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_size
    except OSError:
        return 0  # the plugin has closed it


def _flush() -> None:
    """What C code has printed is in its buffers."""
    import ctypes

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # closed, or the plugin's own
    if sys.platform != "win32":
        ctypes.CDLL(None).fflush(None)


# ---- memory -----------------------------------------------------------------------------------


def _memory(job: dict[str, Any], trace: int) -> dict[str, Any]:
    """The lines that memory was asked for, of what Python's allocators gave."""
    import tracemalloc

    timer = ImportTimer()
    timer.install()
    tracemalloc.start(TRACED_FRAMES)
    answer: dict[str, Any] = {}
    _opened(job, trace, answer)
    taken = tracemalloc.take_snapshot()
    tracemalloc.stop()
    timer.remove()
    blame = _blame(job, timer)
    places: dict[Any, int] = {}
    for statistic in taken.statistics("traceback"):
        frames = [(frame.filename, frame.lineno, "") for frame in reversed(statistic.traceback)]
        place = blame.of(frames)[0]
        if place is not None:
            places[place] = places.get(place, 0) + statistic.size
    largest = sorted(places.items(), key=lambda item: -item[1])[:3]
    return {"places": [(*place, size) for place, size in largest if size >= LEAST_TRACED]}
