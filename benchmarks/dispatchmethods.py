"""Every way to choose a method by the type of its argument: a class for each way and each kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import jumptable.functools
from dispatchers import (
    CHAIN,
    COMPETITORS,
    DIRECT,
    FUNCTOOLS,
    JUMPTABLE,
    MULTIPLEDISPATCH,
    ONE,
    OVLD,
    PLUM,
    Call,
    Implementations,
    Way,
    annotated,
    chain,
    function,
)

__all__ = ["KINDS", "Kind", "implementations", "methods"]

Wrapper = Callable[[Any], Any]


@dataclass(frozen=True)
class Kind:
    """A kind of method, and how it is called: ``o`` is an instance of the class ``C``."""

    name: str
    through: str = "o"
    wrap: Wrapper | None = None
    slots: bool = False
    held: bool = False
    call: Call = ONE

    @property
    def owner(self) -> str:
        """The parameter that is passed implicitly. ovld knows it by this name."""
        return "" if self.wrap is staticmethod else "self"

    def wrapped(self, made: Any) -> Any:
        return made if self.wrap is None else self.wrap(made)


KINDS = (
    Kind("o.m(x)"),
    Kind("o.m(x), class with __slots__", slots=True),
    Kind("m(x), m = o.m", held=True),
    Kind("o.m(x, a=a, b=b)", call=Call("x, *, a, b", "x, a=1, b=2")),
    Kind("C.m(x), classmethod", "C", classmethod),
    Kind("o.m(x), classmethod", "o", classmethod),
    Kind("C.m(x), staticmethod", "C", staticmethod),
    Kind("o.m(x), staticmethod", "o", staticmethod),
)


def implementations(kind: Kind, types: list[type]) -> Implementations:
    """Functions that return the name of the type they are for; the last one is ``object``'s."""
    parameters = f"{kind.owner}, {kind.call.parameters}" if kind.owner else kind.call.parameters
    return {cls: function(cls.__name__, parameters) for cls in [*types, object]}


def _direct(made: Implementations, chosen: type, kind: Kind) -> Any:
    return kind.wrapped(made[chosen])


def _chain(made: Implementations, chosen: type, kind: Kind) -> Any:
    return kind.wrapped(chain(made, kind.call, kind.owner))


def _functools(made: Implementations, chosen: type, kind: Kind) -> Any:
    return _singledispatchmethod(functools.singledispatchmethod, made, kind)


def _jumptable(made: Implementations, chosen: type, kind: Kind) -> Any:
    return _singledispatchmethod(jumptable.functools.singledispatchmethod, made, kind)


def _singledispatchmethod(decorator: Any, made: Implementations, kind: Kind) -> Any:
    method = decorator(kind.wrapped(made[object]))
    for cls, implementation in made.items():
        method.register(cls, kind.wrapped(implementation))
    return method


def _ovld(made: Implementations, chosen: type, kind: Kind) -> Any:
    method = import_module("ovld").Ovld(name="m")
    for cls, implementation in made.items():
        method.register(annotated(implementation, cls))
    return kind.wrapped(method.dispatch)


def _plum(made: Implementations, chosen: type, kind: Kind) -> Any:
    plum = import_module("plum")
    method = plum.Function(made[object])
    owner = [object] if kind.owner else []
    for cls, implementation in made.items():
        method.register(implementation, signature=plum.Signature(*owner, cls))
    return kind.wrapped(method)


def _multipledispatch(made: Implementations, chosen: type, kind: Kind) -> Any:
    dispatcher = import_module("multipledispatch.dispatcher")
    if kind.wrap is classmethod:
        raise TypeError("it has no class methods")
    method = (dispatcher.MethodDispatcher if kind.owner else dispatcher.Dispatcher)("m")
    for cls, implementation in made.items():
        method.add((cls,), implementation)
    return kind.wrapped(method)


METHODS: dict[str, Callable[[Implementations, type, Kind], Any]] = {
    DIRECT: _direct,
    CHAIN: _chain,
    FUNCTOOLS: _functools,
    OVLD: _ovld,
    PLUM: _plum,
    MULTIPLEDISPATCH: _multipledispatch,
    JUMPTABLE: _jumptable,
}


def methods(kind: Kind, types: list[type], chosen: type, missing: dict[str, str]) -> list[Way]:
    """The call of ``kind``, each way; ``missing`` gets who cannot, with the reason."""
    made = implementations(kind, types)
    found = []
    for name, make in METHODS.items():
        try:
            method = make(made, chosen, kind)
        except (ImportError, TypeError) as error:
            if name not in COMPETITORS:
                raise
            missing[name] = str(error)
            continue
        # By hand, the methods that are chosen from have names too.
        named = {f"f{index}": kind.wrapped(each) for index, each in enumerate(made.values())}
        slots = {"__slots__": ()} if kind.slots else {}
        owner: Any = type("C", (), {**slots, "m": method, **named})
        called = owner if kind.through == "C" else owner()
        if kind.held:
            way = Way(name, kind.call.code.format("m"), {"m": called.m})
        else:
            way = Way(name, kind.call.code.format(f"{kind.through}.m"), {kind.through: called})
        found.append(way)
    return found
