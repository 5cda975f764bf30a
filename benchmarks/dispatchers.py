"""Every way to choose a function by the type of its first argument, holding the same functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import cycle, islice
from time import perf_counter_ns
from types import FunctionType
from typing import Any

import jumptable.functools
from jumptable.measuring.timing import Contestant, statement

__all__ = [
    "CHAIN",
    "COMPETITORS",
    "DIRECT",
    "FORWARDED",
    "FUNCTOOLS",
    "GENERICS",
    "JUMPTABLE",
    "MULTIPLEDISPATCH",
    "ONE",
    "OVLD",
    "PLUM",
    "TABLE",
    "Call",
    "Implementations",
    "Way",
    "annotated",
    "chain",
    "cycling",
    "function",
    "new_types",
    "ways",
]

DIRECT, CHAIN, TABLE = "direct call", "type(x) is ...", "table[type(x)]"
FORWARDED = "partial(...)"
FUNCTOOLS, OVLD, PLUM, MULTIPLEDISPATCH = "functools", "ovld", "plum", "multipledispatch"
JUMPTABLE = "jumptable"
# Packages that may be missing, or lack what a call needs.
COMPETITORS = (OVLD, PLUM, MULTIPLEDISPATCH)

# With ``object`` for what no other type is registered for.
Implementations = Mapping[type, Callable[..., Any]]

# To choose among 1,000 types, these need seconds for each of them: more than the measurement.
AT_MOST_TYPES = {OVLD: 100, PLUM: 100}


@dataclass(frozen=True)
class Call:
    """How implementations are declared and called. ``code`` names who is called ``{0}``."""

    parameters: str
    arguments: str
    positional: int = 1

    @property
    def code(self) -> str:
        return f"{{0}}({self.arguments})"


ONE = Call("x", "x")


@dataclass(frozen=True)
class Way:
    """Something that is called: ``code``, and the names that it refers to beside ``x``."""

    name: str
    code: str
    names: Mapping[str, object]

    def result(self, x: object) -> object:
        return eval(self.code, {**self.names, "x": x})

    def timed(self, x: object) -> Contestant:
        return statement(self.name, self.code, {**self.names, "x": x})

    def renamed(self, name: str) -> Way:
        return replace(self, name=name)


def function(result: object, parameters: str = "x", name: str = "implementation") -> Any:
    """The least that an implementation can do, and that tells which one it was."""
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(f"def {name}({parameters}):\n    return {result!r}", namespace)
    return namespace[name]


def new_types(count: int, base: type = object) -> list[type]:
    return [type(f"Type{index}", (base,), {}) for index in range(count)]


# ---- generic functions ----------------------------------------------------------------------


def _functools(implementations: Implementations, call: Call) -> Any:
    made = functools.singledispatch(implementations[object])
    for cls, implementation in implementations.items():
        made.register(cls, implementation)
    return made


def _jumptable(implementations: Implementations, call: Call) -> Any:
    made = jumptable.functools.singledispatch(implementations[object])
    for cls, implementation in implementations.items():
        made.register(cls, implementation)
    return made


def _ovld(implementations: Implementations, call: Call) -> Any:
    made = import_module("ovld").Ovld(name="generic")
    for cls, implementation in implementations.items():
        made.register(annotated(implementation, cls))
    return made.dispatch


def _plum(implementations: Implementations, call: Call) -> Any:
    plum = import_module("plum")
    made = plum.Function(implementations[object])
    others = [object] * (call.positional - 1)
    for cls, implementation in implementations.items():
        made.register(implementation, signature=plum.Signature(cls, *others))
    return made


def _multipledispatch(implementations: Implementations, call: Call) -> Any:
    made = import_module("multipledispatch").Dispatcher("generic")
    others = [object] * (call.positional - 1)
    for cls, implementation in implementations.items():
        made.add((cls, *others), implementation)
    return made


GENERICS: dict[str, Callable[[Implementations, Call], Any]] = {
    FUNCTOOLS: _functools,
    OVLD: _ovld,
    PLUM: _plum,
    MULTIPLEDISPATCH: _multipledispatch,
    JUMPTABLE: _jumptable,
}


def annotated(implementation: Any, cls: type) -> Any:
    """A copy of a Python function, for those that learn types from annotations alone."""
    if not isinstance(implementation, FunctionType):
        raise TypeError("it takes Python functions only")
    copy = FunctionType(
        implementation.__code__,
        implementation.__globals__,
        implementation.__name__,
        implementation.__defaults__,
    )
    copy.__annotations__ = {"x": cls}
    return copy


def chain(implementations: Implementations, call: Call, owner: str = "") -> Any:
    """What is written by hand; with ``owner``, a method that calls other methods of it."""
    names: dict[str, object] = {}
    parameters = f"{owner}, {call.parameters}" if owner else call.parameters
    lines = [f"def chain({parameters}):"]
    for index, (cls, implementation) in enumerate(implementations.items()):
        names |= {f"type{index}": cls, f"f{index}": implementation}
        called = f"{owner}.f{index}" if owner else f"f{index}"
        if cls is not object:
            lines += [f"    {'elif' if index else 'if'} type(x) is type{index}:"]
            lines += [f"        return {called}({call.arguments})"]
        else:
            lines += [f"    return {called}({call.arguments})"]
    exec("\n".join(lines), names)
    return names["chain"]


def ways(
    implementations: Implementations,
    chosen: Callable[..., Any],
    missing: dict[str, str],
    call: Call = ONE,
    who: Iterable[str] = (DIRECT, FORWARDED, CHAIN, TABLE, *GENERICS),
) -> list[Way]:
    """All of ``who`` that can take part; ``missing`` gets the others, with the reason.

    ``chosen`` is the implementation to be called; ``object`` comes last among them.
    """
    found = []
    for name in who:
        try:
            found.append(_way(name, implementations, chosen, call))
        except (ImportError, TypeError) as error:
            if name not in COMPETITORS:
                raise
            missing[name] = str(error)
    return found


def _way(name: str, implementations: Implementations, chosen: Any, call: Call) -> Way:
    if name == TABLE:
        return Way(name, f"table[type(x)]({call.arguments})", {"table": dict(implementations)})
    if name == DIRECT:
        made = chosen
    elif name == FORWARDED:
        made = functools.partial(chosen)
    elif name == CHAIN:
        made = chain(implementations, call)
    else:
        most = AT_MOST_TYPES.get(name, len(implementations))
        if len(implementations) - 1 > most:
            raise TypeError(f"it needs seconds to choose among more than {most} types")
        made = GENERICS[name](implementations, call)
    return Way(name, call.code.format("f"), {"f": made})


# ---- call sites that see several types ------------------------------------------------------


def cycling(way: Way, values: Iterable[object], empty: Contestant | None = None) -> Contestant:
    """Repeats ``way`` with one value after the other as ``x``, on and on through all turns."""
    code = [f"def loop(_values, _clock, {', '.join(way.names)}):", "    _start = _clock()"]
    code += ["    for x in _values:", f"        {way.code}", "    return _clock() - _start"]
    namespace: dict[str, Any] = {}
    exec(compile("\n".join(code), f"<timed: {way.name}>", "exec"), namespace)
    loop, arguments = namespace["loop"], tuple(way.names.values())
    endless: Iterator[object] = cycle(values)
    return Contestant(
        way.name, lambda count: loop(islice(endless, count), perf_counter_ns, *arguments), empty
    )
