"""What one operation costs that was seen in a hot path.

Where it can be done again with the arguments that were seen, and nothing changes by that, it is:
those are timed like anything else, interleaved. Of all others there is the time that they took
while they were watched, less what watching costs, which is seen at the same time on functions whose
own cost is timed.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import resolve_name
from statistics import median
from types import ModuleType
from typing import Any

from ...binding.table import Table
from ...calling.dispatch import STOCK
from .. import bodies
from ..timing import Contestant, measure, statement
from .counting import Seen, Watch
from .kinds import BUILTINS, IMPORT, SINGLE_DISPATCH, TABLE, Builtins, Kind

__all__ = ["costs", "new_watch", "refer"]

ROUNDS = 300
SLICE_NS = 50_000
GoOn = Callable[[int, int], bool]


@dataclass(frozen=True)
class Replay:
    """A statement that does an operation again; ``plain`` is the part of it that is no cost."""

    code: str
    names: Mapping[str, object]
    plain: str = ""


def costs(
    watch: Watch, total: float, beside: Contestant | None, go_on: GoOn
) -> list[tuple[Seen, float | None]]:
    """What was seen, and nanoseconds of one operation each, or None where that cannot be told.

    ``beside`` is the hot path itself, which costs ``total``. It is timed along with what is done
    again: if it is slower or faster than it was, by what the machine or the memory is like, so are
    they, and they are given as the same part of ``total``.
    """
    seen = [one for one in watch.seen.values() if one.kind not in (ONE, SEVERAL)]
    replays: dict[str, Replay] = {}
    for index, one in enumerate(seen):
        found = _replay(one)
        if found is not None and _works(found):
            replays[str(index)] = found
    if len(replays) < len(seen):
        replays |= DIRECT
    timed, scale = _timed(replays, total, beside, go_on)
    watching = Watching.of(watch, timed)
    answers: list[tuple[Seen, float | None]] = []
    for index, one in enumerate(seen):
        if str(index) in timed:
            answers.append((one, scale * timed[str(index)]))
        elif one.times and one.kind.hides:
            answers.append((one, watching.without(one.times)))
        else:
            answers.append((one, None))
    return answers


def _works(replay: Replay) -> bool:
    try:
        for code in (replay.code, replay.plain or "pass"):
            exec(code, dict(replay.names))
    except Exception:
        return False
    return True


def _timed(
    replays: Mapping[str, Replay], total: float, beside: Contestant | None, go_on: GoOn
) -> tuple[dict[str, float], float]:
    """What each takes, and how much longer the hot path took before than it does beside them."""
    contestants: list[Contestant] = []
    for name, replay in replays.items():
        contestants.append(statement(name, replay.code, replay.names))
        if replay.plain:
            contestants.append(statement(f"plain {name}", replay.plain, replay.names))
    if not contestants:
        return {}, 1.0
    if beside is not None:
        contestants.append(beside)
    try:
        found = measure(contestants, rounds=ROUNDS, slice_ns=SLICE_NS, go_on=go_on)
    except Exception:  # it went well once; then what was watched has to do
        return {}, 1.0
    medians = {name: timing.spread.median for name, timing in found.timings.items()}
    whole = medians.get(beside.name) if beside is not None else None
    answers = {
        name: max(0.0, medians[name] - medians.get(f"plain {name}", 0.0))
        for name in replays
        if name in medians
    }
    return answers, total / whole if whole else 1.0


# ---- doing it again ---------------------------------------------------------------------------


def _replay(seen: Seen) -> Replay | None:
    kind, arguments = seen.kind, seen.arguments
    if arguments is None:
        return None
    try:
        if kind is IMPORT:
            return _import(arguments)
        if kind is TABLE:
            return Replay("make(interface)", {"make": Table, "interface": arguments["spec"]})
        if kind is SINGLE_DISPATCH:
            return _single_dispatch(arguments)
        if kind.category == "dispatch":
            return _hook(arguments)
        if not kind.repeats:
            return None
        return _call_of_c(seen, **arguments) if seen.code is None else _call(seen, arguments)
    except Exception:  # whatever is odd about the arguments of somebody else's function
        return None


def _import(arguments: Mapping[str, Any]) -> Replay:
    name = arguments["name"]
    if arguments["level"]:
        package = arguments["globals"]["__package__"]
        name = resolve_name("." * arguments["level"] + name, package)
    if arguments["fromlist"]:
        return Replay(f"from {name} import {', '.join(arguments['fromlist'])}", {})
    return Replay(f"import {name}", {})


def _single_dispatch(arguments: Mapping[str, Any]) -> Replay:
    """An empty generic function for the same type, less a call of what it calls."""

    def nothing(x: object) -> None: ...

    generic = STOCK[0](nothing)
    generic.register(type(arguments["args"][0]), nothing)
    names = {"f": generic, "plain": nothing, "x": arguments["args"][0]}
    return Replay("f(x)", names, "plain(x)")


def _hook(arguments: Mapping[str, Any]) -> Replay | None:
    """A hook of as many empty implementations with as many arguments, less calls of those."""
    caller, kwargs = arguments.get("self"), arguments.get("kwargs")
    pluggy: Any = sys.modules["pluggy"]
    if kwargs is None or not isinstance(caller, pluggy.HookCaller):
        return None
    given = {f"x{index}": value for index, value in enumerate(kwargs.values())}
    implementations = caller.get_hookimpls()
    if any(one.hookwrapper or getattr(one, "wrapper", False) for one in implementations):
        return None
    space: dict[str, Any] = {}
    exec(f"def hook({', '.join(given)}): pass", space)
    manager = pluggy.PluginManager("hot_path")
    pluggy.HookspecMarker("hot_path")(space["hook"])
    specification = type("Specification", (), {"hook": staticmethod(space["hook"])})
    manager.add_hookspecs(specification)
    for _ in implementations:
        exec(f"def hook({', '.join(given)}): pass", space)
        plugin = type("Plugin", (), {"hook": staticmethod(space["hook"])})()
        pluggy.HookimplMarker("hot_path")(space["hook"])
        manager.register(plugin)
    keywords = ", ".join(f"{name}={name}" for name in given)
    calls = "; ".join([f"plain({', '.join(given)})"] * len(implementations))
    stock = pluggy.HookCaller.__call__
    names = {"call": stock, "hook": manager.hook.hook, "plain": space["hook"], **given}
    return Replay(f"call(hook, {keywords})", names, calls or "pass")


def _call(seen: Seen, arguments: Mapping[str, Any]) -> Replay | None:
    """A call of the same Python function with the same arguments."""
    code, function = seen.code, seen.function
    if code is None or function is None:
        return None
    count, more = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames
    values = [arguments[name] for name in names[:count]]
    keywords = {name: arguments[name] for name in names[count:more]}
    if code.co_flags & inspect.CO_VARARGS:
        values += arguments[names[more]]
        more += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        keywords.update(arguments[names[more]])
    if code.co_name == "__init__":
        function, values[0] = _make, type(values[0])
    elif seen.kind.category == "look-up":
        # The attribute would replace the one that is kept, and has been given its types.
        function = _item
    return _written_out("f", {"f": function}, values, keywords)


def _call_of_c(seen: Seen, positional: list[Any], keywords: dict[str, Any]) -> Replay:
    function: Any = seen.function
    if isinstance(function.__self__, ModuleType):
        return _written_out("f", {"f": function}, positional, keywords)
    # As an attribute, which the interpreter calls without making a bound method.
    owner = {"owner": function.__self__}
    return _written_out(f"owner.{function.__name__}", owner, positional, keywords)


def _written_out(
    function: str, names: dict[str, Any], values: Sequence[Any], keywords: Mapping[str, Any]
) -> Replay:
    """A call as a host would write it."""
    given: dict[str, object] = {f"x{index}": value for index, value in enumerate(values)}
    given |= {f"k{index}": value for index, value in enumerate(keywords.values())}
    listed = [f"x{index}" for index in range(len(values))]
    listed += [f"{name}=k{index}" for index, name in enumerate(keywords)]
    return Replay(f"{function}({', '.join(listed)})", {**names, **given})


def _make(kind: Callable[..., object], *arguments: Any, **keywords: Any) -> object:
    return kind(*arguments, **keywords)


def _item(library: Any, name: str) -> object:
    return library[name]


# ---- what was watched -------------------------------------------------------------------------

REFERENCE = bodies.Reference()
INSIDE = 10
ONE = Kind("", "a method of C", "")
SEVERAL = Kind("", "a method of C that calls others", "")
REFERENCES: Builtins = {
    "nothing": {f"{bodies.__name__}.Reference": ONE},
    "call": {f"{bodies.__name__}.Reference": SEVERAL},
}


def new_watch() -> Watch:
    """A Watch that sees `refer` as well."""
    return Watch({**BUILTINS, **REFERENCES})


def refer() -> None:
    """Do what shows, while a Watch watches, what watching costs."""
    REFERENCE.nothing()
    REFERENCE.call(_nothing, INSIDE)


def _nothing() -> None: ...


DIRECT = {
    ONE.what: Replay("reference.nothing()", {"reference": REFERENCE}),
    SEVERAL.what: Replay(
        "reference.call(nothing, n)", {"reference": REFERENCE, "nothing": _nothing, "n": INSIDE}
    ),
}


@dataclass(frozen=True)
class Watching:
    """What watching adds to a time: once, and for each event inside."""

    once: float
    each: float

    @classmethod
    def of(cls, watch: Watch, direct: Mapping[str, float]) -> Watching:
        times: dict[str, list[tuple[int, int]]] = {}
        for one in watch.seen.values():
            times.setdefault(one.kind.what, []).extend(one.times)
        if not all(times.get(what) and what in direct for what in DIRECT):
            return cls(0.0, 0.0)
        once = median(ns for ns, _ in times[ONE.what]) - direct[ONE.what]
        inside = median(ns for ns, _ in times[SEVERAL.what]) - once - direct[SEVERAL.what]
        return cls(max(0.0, once), max(0.0, inside / max(1, times[SEVERAL.what][0][1])))

    def without(self, times: Sequence[tuple[int, int]]) -> float:
        return max(0.0, median(ns - self.once - self.each * events for ns, events in times))
