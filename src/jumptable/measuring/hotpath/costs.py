"""What one operation costs that was seen in a hot path.

Where it can be done again with the arguments that were seen, and nothing changes by that, it is:
those are timed like anything else, interleaved. Of all others there is the time that they took
while they were watched, less what watching costs, which is found out the same way.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import resolve_name
from statistics import median
from typing import Any

from ...binding.table import Table
from ...calling.dispatch import STOCK
from ..timing import Contestant, measure, statement
from .counting import Seen, Watch
from .kinds import GETATTR, IMPORT, SINGLE_DISPATCH, TABLE, Kind

__all__ = ["Replay", "costs"]

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
    seen: Sequence[Seen], total: float, beside: Contestant | None, go_on: GoOn
) -> list[float | None]:
    """Nanoseconds of one operation each, or None where that cannot be told.

    ``beside`` is the hot path itself, which costs ``total``. It is timed along with what is done
    again: if it is slower or faster than it was, by what the machine or the memory is like, so are
    they, and they are given as the same part of ``total``.
    """
    replays: dict[int, Replay] = {}
    for index, one in enumerate(seen):
        found = _replay(one)
        if found is not None and _works(found):
            replays[index] = found
    timed = _timed(replays, total, beside, go_on)
    watching = None
    answers: list[float | None] = []
    for index, one in enumerate(seen):
        if index in timed:
            answers.append(timed[index])
        elif one.times and one.kind.hides:
            watching = watching or _watching()
            answers.append(watching.without(one.times))
        else:
            answers.append(None)
    return answers


def _works(replay: Replay) -> bool:
    try:
        for code in (replay.code, replay.plain or "pass"):
            exec(code, dict(replay.names))
    except Exception:
        return False
    return True


def _timed(
    replays: Mapping[int, Replay], total: float, beside: Contestant | None, go_on: GoOn
) -> dict[int, float]:
    contestants: list[Contestant] = []
    for index, replay in replays.items():
        contestants.append(statement(str(index), replay.code, replay.names))
        if replay.plain:
            contestants.append(statement(f"plain {index}", replay.plain, replay.names))
    if not contestants:
        return {}
    if beside is not None:
        contestants.append(beside)
    try:
        found = measure(contestants, rounds=ROUNDS, slice_ns=SLICE_NS, go_on=go_on)
    except Exception:  # it went well once; then what was watched has to do
        return {}
    medians = {name: timing.spread.median for name, timing in found.timings.items()}
    whole = medians.get(beside.name) if beside is not None else None
    scale = total / whole if whole else 1.0
    return {
        index: scale * max(0.0, medians[str(index)] - medians.get(f"plain {index}", 0.0))
        for index in replays
        if str(index) in medians
    }


# ---- doing it again ---------------------------------------------------------------------------


def _replay(seen: Seen) -> Replay | None:
    kind, arguments = seen.kind, seen.arguments
    if arguments is None:
        return None
    try:
        if kind is IMPORT:
            return _import(arguments)
        if kind is GETATTR:
            owner = arguments["object"]
            return Replay("getattr(owner, name)", {"owner": owner, "name": next(iter(vars(owner)))})
        if kind is TABLE:
            return Replay("make(interface)", {"make": Table, **arguments})
        if kind is SINGLE_DISPATCH:
            return _single_dispatch(arguments)
        if kind.category == "dispatch":
            return _hook(arguments)
        return _call(seen, arguments) if kind.repeats else None
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
    """A call of the same function with the same arguments, written out."""
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
    given: dict[str, object] = {f"x{index}": value for index, value in enumerate(values)}
    given |= {f"k{index}": value for index, value in enumerate(keywords.values())}
    listed = [f"x{index}" for index in range(len(values))]
    listed += [f"{name}=k{index}" for index, name in enumerate(keywords)]
    return Replay(f"f({', '.join(listed)})", {"f": function, **given})


def _make(kind: Callable[..., object], *arguments: Any, **keywords: Any) -> object:
    return kind(*arguments, **keywords)


def _item(library: Any, name: str) -> object:
    return library[name]


# ---- what was watched -------------------------------------------------------------------------


@dataclass(frozen=True)
class Watching:
    """What it adds to a time: once, and for each event inside."""

    once: float
    each: float

    def without(self, times: Sequence[tuple[int, int]]) -> float:
        return max(0.0, median(ns - self.once - self.each * events for ns, events in times))


ONE = Kind("", "a function of C", "")
REPEATS, INSIDE = 300, 50


def _watching() -> Watching:
    """Found out with a function of C that does nothing else, and one that calls Python's."""
    with Watch({"fabs": {"math": ONE}}) as watch:
        for _ in range(REPEATS):
            math.fabs(1.5)
    (fabs,) = watch.seen.values()
    with Watch({"any": {"builtins": ONE}}) as watch:
        for _ in range(REPEATS // 10):
            any(map(_nothing, range(INSIDE)))
    (calls,) = watch.seen.values()
    names = {"f": math.fabs, "any": any, "g": _nothing, "inside": range(INSIDE)}
    direct = measure(
        [statement("f", "f(1.5)", names), statement("any", "any(map(g, inside))", names)],
        rounds=50,
        slice_ns=SLICE_NS,
    )
    once = median(ns for ns, _ in fabs.times) - direct["f"].spread.median
    inside = median(ns for ns, _ in calls.times) - once - direct["any"].spread.median
    return Watching(max(0.0, once), max(0.0, inside / calls.times[0][1]))


def _nothing(_: object) -> None: ...
