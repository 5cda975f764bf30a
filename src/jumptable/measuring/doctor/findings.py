"""From what a plugin did while it was opened to findings: how bad, whose, and what to do instead.

The remedies are those of the guide: initialisation registers, and does nothing else; what costs
time is done at first use, and what has effects is done when the host asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .blame import owns

__all__ = ["FIXES", "SEVERITIES", "Finding", "Spot", "observed"]

SEVERITIES = ("error", "warning", "note")

MEGABYTE = 1 << 20
# Below the least nothing is said: what many modules import takes 20 MB, for instance.
MUCH_READ = 64 << 10
LEAST_NATIVE_READ = 64 << 10
LEAST_MEMORY, MUCH_MEMORY = 32 * MEGABYTE, 64 * MEGABYTE
MANY_REGEXES, SLOW_REGEXES = 5, 0.010
MOST_SPOTS = 5

FIXES = {
    "failed": "correct this first: nothing else can be said before the plugin opens",
    "exited": "raise an exception instead; a plugin must never end the process it is loaded into",
    "crashed": "run it under a debugger; a host can find out beforehand with a process of its own",
    "hung": "wait for nothing in initialisation; do it in a method that the host calls after open",
    "unsteady": "find what differs from run to run: initialisation should depend on nothing",
    "budget": "look at the longest part of the time-line: defer it to the first call",
    "slow": "let initialisation only register; compute at the first call, and keep the result",
    "imports": "import it in the function that needs it, at the first call",
    "threads": "start threads when the host requests it, in a method that is called after open",
    "processes": "start processes when the host requests it, in a method that is called after open",
    "sockets": "connect in an explicit initialise method that the host calls after open",
    "files": "lazy-load tables and settings: read them on the first call, and keep them",
    "writes": "write when the host calls; another process may be loading the same plugin",
    "regexes": "defer regular expressions to first use, in a function with functools.cache",
    "signals": "leave signals to the host, which owns them; offer a function that it can install",
    "directory": "use absolute paths; the working directory belongs to the host",
    "environment": "pass settings as arguments; environment variables are the whole process's",
    "locale": "leave the locale to the host; format with a locale given explicitly",
    "descriptors": "close what was opened, or open it on the first call",
    "memory": "allocate large tables on the first call: a host that never calls pays nothing then",
    "output": "write nothing; use logging, which the host can direct or switch off",
    "atexit": "offer a close method that the host calls; it may unload or fork before exit",
}


@dataclass(frozen=True)
class Spot:
    """What happened, and where: the plugin's own line, and another's that it led to."""

    detail: str
    file: str | None = None
    line: int | None = None
    by_file: str | None = None
    by_line: int | None = None

    def where(self) -> str:
        if self.file is None:
            return ""
        return f"{self.file}:{self.line}" if self.line else self.file

    def by(self) -> str:
        return f"{self.by_file}:{self.by_line}" if self.by_file else ""


@dataclass(frozen=True)
class Finding:
    """One symptom of one plugin."""

    symptom: str
    severity: str
    message: str
    spots: tuple[Spot, ...] = field(default=())

    @property
    def fix(self) -> str:
        return FIXES[self.symptom]


def observed(answer: dict[str, Any]) -> list[Finding]:
    """The findings from a watched run."""
    found = [
        rule(answer)
        for rule in (
            *(_threads, _processes, _sockets, _files, _writes, _regexes, _signals, _directory),
            *(_environment, _locale, _descriptors, _memory, _output, _atexit),
        )
    ]
    return [finding for finding in found if finding is not None]


def _events(answer: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in answer.get("events", ()) if event["kind"] == kind]


def _changed(answer: dict[str, Any], part: str) -> dict[str, str]:
    changed: dict[str, str] = answer.get("changes", {}).get(part) or {}
    return changed


def spots(events: Iterable[dict[str, Any]]) -> tuple[Spot, ...]:
    """Where events came from, each place and detail once, and only so many."""
    found: dict[Spot, None] = {}
    for event in events:
        place, by = event["place"] or (None, None), event["by"] or (None, None)
        found[Spot(event["detail"], place[0], place[1], by[0], by[1])] = None
    return tuple(found)[:MOST_SPOTS]


def _named(details: Iterable[str]) -> tuple[Spot, ...]:
    return tuple(dict.fromkeys(Spot(detail) for detail in details if detail))[:MOST_SPOTS]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_SPOTS
    return ", ".join(names[:MOST_SPOTS]) + (f" and {more} more" if more > 0 else "")


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def size(number: int) -> str:
    """Bytes as people say them."""
    if number < 1 << 10:
        return _many(number, "byte")
    if number < MEGABYTE:
        return f"{number / (1 << 10):.0f} KiB"
    return f"{number / MEGABYTE:.1f} MiB"


def _threads(answer: dict[str, Any]) -> Finding | None:
    started, running = _events(answer, "threads"), _changed(answer, "threads")
    number = max(len(started), len(running))
    if not number:
        return None
    left = f", {len(running)} still running" if running else ", none still running"
    where, severity = spots(started), "warning"
    if not where:
        importing = [name for name, _ in answer["started_by"]]
        if importing and not any(owns(answer["own"], name) for name in importing):
            severity = "note"  # a dependency's native code: the plugin can only import it later
        modules = dict.fromkeys((name, tuple(at or ())) for name, at in answer["started_by"])
        where = tuple(Spot(f"while {name} was imported", *at) for name, at in modules)[:MOST_SPOTS]
    return Finding("threads", severity, f"starts {_many(number, 'thread')}{left}", where)


def _processes(answer: dict[str, Any]) -> Finding | None:
    started, running = _events(answer, "processes"), _changed(answer, "children")
    ended = answer.get("changes", {}).get("waited_for")
    if not (started or running or ended):
        return None
    # subprocess raises events for what it uses underneath, on the same line.
    number = max(len({event["place"] for event in started}), len(running), 1)
    left = f", {len(running)} still running" if running else ""
    where = spots(started) or _named(running.values())
    what = "a process" if number == 1 else f"{number} processes"
    return Finding("processes", "warning", f"starts {what}{left}", where)


def _sockets(answer: dict[str, Any]) -> Finding | None:
    used, there = _events(answer, "sockets"), _changed(answer, "sockets")
    if not (used or there):
        return None
    details = list(dict.fromkeys([event["detail"] for event in used] or there.values()))
    return Finding("sockets", "warning", f"uses the network: {_listed(details)}", spots(used))


def _files(answer: dict[str, Any]) -> Finding | None:
    """Python's reading by its events; that of C code by what the system counts."""
    if answer.get("kind") == "native":
        number = answer.get("changes", {}).get("bytes_read", 0) - answer.get("examination", 0)
        if number < LEAST_NATIVE_READ:
            return None
        return Finding("files", "warning", f"reads files: {size(number)}")
    read = _events(answer, "files")
    if not read:
        return None
    paths = {event["detail"]: event["amount"] for event in read}
    number = sum(paths.values())
    message = f"reads {_many(len(paths), 'file')}, {size(number)}"
    return Finding("files", "warning" if number >= MUCH_READ else "note", message, spots(read))


def _writes(answer: dict[str, Any]) -> Finding | None:
    written = _events(answer, "writes")
    if not written:
        return None
    number = len({event["detail"] for event in written})
    return Finding("writes", "warning", f"opens {_many(number, 'file')} to write", spots(written))


def _regexes(answer: dict[str, Any]) -> Finding | None:
    """Those of what it imports are part of what imports cost."""
    compiled = [event for event in _events(answer, "regexes") if event["by"] is None]
    if not compiled:
        return None
    seconds = sum(event["seconds"] for event in compiled)
    much = len(compiled) >= MANY_REGEXES or seconds >= SLOW_REGEXES
    message = f"compiles {_many(len(compiled), 'regular expression')}, {seconds * 1e3:.1f} ms"
    return Finding("regexes", "warning" if much else "note", message, spots(compiled))


def _signals(answer: dict[str, Any]) -> Finding | None:
    changed = list(_changed(answer, "signals"))
    if not changed:
        return None
    message = f"changes what {_listed(changed)} {'does' if len(changed) == 1 else 'do'}"
    return Finding("signals", "warning", message, spots(_events(answer, "signals")))


def _directory(answer: dict[str, Any]) -> Finding | None:
    changed = _changed(answer, "directory")
    moved = _events(answer, "directory")
    if not changed:
        return None
    message = f"changes the working directory to {changed['']}"
    return Finding("directory", "warning", message, spots(moved))


def _environment(answer: dict[str, Any]) -> Finding | None:
    names = list(_changed(answer, "environment"))
    if not names:
        return None
    events = [event for event in _events(answer, "environment") if event["detail"] in names]
    return Finding(
        "environment", "warning", f"changes the environment: {_listed(names)}", spots(events)
    )


def _locale(answer: dict[str, Any]) -> Finding | None:
    changed = _changed(answer, "locale")
    if not changed:
        return None
    message = f"changes the locale to {changed['']}"
    return Finding("locale", "warning", message, spots(_events(answer, "locale")))


def _descriptors(answer: dict[str, Any]) -> Finding | None:
    """But not those of connections, which are a finding of their own."""
    sockets = _changed(answer, "sockets")
    left = {
        number: what
        for number, what in _changed(answer, "descriptors").items()
        if number not in sockets
    }
    if not left:
        return None
    opened = [*_events(answer, "files"), *_events(answer, "writes")]
    known = [event for event in opened if event["detail"] in left.values()]
    others = set(left.values()) - {event["detail"] for event in known}
    where = (*spots(known), *_named(sorted(others)))[:MOST_SPOTS]
    return Finding("descriptors", "warning", f"leaves {_many(len(left), 'descriptor')} open", where)


def _memory(answer: dict[str, Any]) -> Finding | None:
    number = answer.get("changes", {}).get("memory", 0)
    if number < LEAST_MEMORY:
        return None
    severity = "warning" if number >= MUCH_MEMORY else "note"
    places = answer.get("memory_places", ())
    where = tuple(Spot(size(amount), file, line) for file, line, _, amount in places)
    return Finding("memory", severity, f"takes {size(number)} of memory", where)


def _output(answer: dict[str, Any]) -> Finding | None:
    out, err = answer.get("output", (0, 0))
    if out <= 0 and err <= 0:
        return None
    streams = [f"{size(number)} to standard {name}"
               for name, number in (("output", out), ("error", err)) if number > 0]  # fmt: skip
    severity = "warning" if out > 0 else "note"
    message = f"writes {' and '.join(streams)}"
    return Finding("output", severity, message, spots(_events(answer, "output")))


def _atexit(answer: dict[str, Any]) -> Finding | None:
    registered = [event for event in _events(answer, "atexit") if event["by"] is None]
    if not registered:
        return None
    message = f"registers {_many(len(registered), 'function')} to run at exit"
    return Finding("atexit", "note", message, spots(registered))
