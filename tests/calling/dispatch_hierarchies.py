"""One random case: classes, registrations and calls, on functools' single dispatch and on another.

``python -m tests.calling.dispatch_hierarchies SEED`` runs one case again and shows its steps;
``… FIRST COUNT`` runs a range. Whatever a step does, it does to two generic functions with the
same registrations, in random order, and compares: results, exceptions with their text, and what
is registered.
"""

from __future__ import annotations

import abc
import collections
import functools
import gc
import random
import sys
import typing
import weakref
from collections.abc import Callable
from typing import Any

from jumptable.functools import singledispatch
from tests.calling.dispatch_classes import Classes, NotForChecks, answering
from tests.calling.mortal import classes_die

Generic = Any
Make = Callable[[Callable[..., Any]], Generic]

UNIONS = sys.version_info >= (3, 11)
GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
DEEPEST = 3
NONE: dict[str, Any] = {}
SOME: dict[str, Any] = {"key": 1, "other": 2}


def outcome(action: Callable[[Generic], Any], generic: Generic) -> tuple[Any, ...]:
    try:
        return ("result", action(generic))
    except Exception as error:
        return (type(error), str(error))


def same(one: Any, other: Any) -> bool:
    """Whether they are the same objects, inside lists and tuples as well."""
    if type(one) is not type(other):
        return False
    if type(one) in (tuple, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one is other or (type(one) in (int, str, float) and bool(one == other))


def shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception:
        return object.__repr__(value)


class Case:
    def __init__(self, seed: int, make: Make) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.classes = Classes(self.random)
        self.steps: list[str] = []
        self.instances: list[Any] = []
        self.implementations = self.depth = 0
        # functools looks for later ABC registrations once an abstract class was registered,
        # unless it was only a member of a union: then it goes on giving stale answers.
        self.watched = False
        default = self.implementation()
        self.stock: Generic = functools.singledispatch(default)
        self.other: Generic = make(default)
        self.current: Generic = None

    # What is registered

    def implementation(self) -> Any:
        self.implementations += 1
        tag = f"f{self.implementations}"
        kind = self.random.choice(("any",) * 6 + ("one", "two", "raises", "odd", "again", "late"))

        def takes_any(*args: Any, **kwargs: Any) -> Any:
            return (tag, args, [*kwargs.items()])

        def takes_one(x: Any) -> Any:
            return (tag, x)

        def takes_two(x: Any, y: Any = 0, *, key: Any = 0) -> Any:
            return (tag, x, y, key)

        def raises(*args: Any, **kwargs: Any) -> Any:
            raise LookupError(tag, len(args), [*kwargs])

        if kind == "odd":
            odd = [len, repr, id, callable, 5, functools.partial(takes_any, tag)]
            return self.random.choice(odd)
        if kind == "again":
            return self.calls_again(tag, self.classes.argument())
        if kind == "late":
            return self.registers(tag, self.classes.any())
        made: Any = {"one": takes_one, "two": takes_two, "raises": raises}.get(kind, takes_any)
        made.__qualname__ = tag
        return made

    def calls_again(self, tag: str, value: Any) -> Any:
        def again(*args: Any, **kwargs: Any) -> Any:
            if self.depth == DEEPEST:
                return (tag, args)
            self.depth += 1
            try:
                return (tag, args, self.current(value, **kwargs))
            finally:
                self.depth -= 1

        return again

    def registers(self, tag: str, cls: Any) -> Any:
        def late(*args: Any, **kwargs: Any) -> Any:
            self.watch(cls)
            self.current.register(cls, registered)
            return (tag, args)

        def registered(*args: Any, **kwargs: Any) -> Any:
            return (tag, "late", args)

        return late

    def watch(self, cls: Any) -> None:
        self.watched = self.watched or hasattr(cls, "__abstractmethods__")

    # Steps

    def both(self, step: str, action: Callable[[Generic], Any]) -> None:
        self.steps.append(step)
        found = {}
        both = [self.stock, self.other]
        for generic in both if self.random.random() < 0.5 else both[::-1]:
            self.current = generic
            found[generic is self.other] = outcome(action, generic)
        self.steps[-1] += f" -> {shown(found[False])}"
        if not same(found[False], found[True]):
            raise AssertionError(
                f"seed {self.seed}, step {len(self.steps)}: {step}\n"
                f"  functools: {shown(found[False])}\n  other:     {shown(found[True])}\n"
                f"rerun: python -m tests.calling.dispatch_hierarchies {self.seed}"
            )

    def call(self, value: Any = None) -> None:
        # A label is made before the call: an object may have another class after it.
        value = self.classes.argument() if value is None else value
        label = f"{object.__repr__(value)}"
        calls: dict[str, Callable[[Generic], Any]] = {
            "(x)": lambda g: g(value),
            "(x) ": lambda g: g(value),
            "(x, 1)": lambda g: g(value, 1),
            "(x, key=1)": lambda g: g(value, key=1),
            "(x, 1, key=2, more=3)": lambda g: g(value, 1, key=2, more=3),
            "(x, **none)": lambda g: g(value, **NONE),
            "(x, x=1)": lambda g: g(value, x=1),
            "(x, **some)": lambda g: g(value, **SOME),
            "(*twelve)": lambda g: g(*[value] * 12),
            "map": lambda g: [*map(g, [value, 1, value])],
            "partial": lambda g: functools.partial(g, value, key=1)(2),
        }
        how = self.random.choice([*calls])
        self.both(f"call {how} with {label}", calls[how])

    def call_without(self) -> None:
        calls: list[tuple[str, Callable[[Generic], Any]]] = [
            ("()", lambda g: g()),
            ("(key=1)", lambda g: g(key=1)),
            ("(**none)", lambda g: g(**NONE)),
            ("(**some)", lambda g: g(**SOME)),
            ("(x=1)", lambda g: g(x=1, y=2)),
            ("(*())", lambda g: g(*())),
        ]
        how, action = self.random.choice(calls)
        self.both(f"call {how}", action)

    def calls(self) -> None:
        values = [*self.instances, *(self.classes.argument() for _ in range(3))]
        for _ in range(self.random.choice((1, 3, 12))):
            self.call(self.random.choice(values))

    def dispatch(self) -> None:
        cls = self.classes.any()
        self.both(f"dispatch {cls!r}", lambda g: g.dispatch(cls))

    def dispatch_all(self) -> None:
        for cls in self.classes.own:
            self.both(f"dispatch {cls!r}", lambda g, cls=cls: g.dispatch(cls))  # type: ignore[misc]

    def new_class(self) -> None:
        made = self.classes.keep()
        self.steps.append(f"class {made!r}: {made.__bases__}, {sorted(vars(made))}")
        self.instances.append(self.classes.instance(made))

    def many_classes(self) -> None:
        for _ in range(40):
            self.new_class()
            self.both("call", lambda g: g(self.instances[-1]))
        for instance in self.random.choices(self.instances, k=60):
            self.both("call again", lambda g, x=instance: g(x))  # type: ignore[misc]

    def register(self) -> None:
        cls, function = self.classes.any(), self.implementation()
        way = self.random.choice(("direct", "decorator", "annotation", "union"))
        if way == "annotation" and type(function) is type(lambda: 0):
            function.__annotations__ = {"x": cls, "return": int}
            self.watch(cls)
            self.both(f"register by annotation {cls!r}", lambda g: g.register(function))
        elif way == "union" and UNIONS:
            self.register_union([cls, self.classes.any(), self.classes.any()], function)
        elif way == "decorator":
            self.watch(cls)
            self.both(f"register by decorator {cls!r}", lambda g: g.register(cls)(function))
        else:
            self.watch(cls)
            self.both(f"register {cls!r}", lambda g: g.register(cls, function))

    def register_union(self, members: list[Any], function: Any) -> None:
        union: Any = typing.Union[tuple(members)]  # noqa: UP007
        if self.random.random() < 0.5:
            union = functools.reduce(lambda one, other: one | other, members)
        if isinstance(union, type):
            self.watch(union)  # all members were the same
        if self.random.random() < 0.5 and type(function) is type(lambda: 0):
            function.__annotations__ = {"x": union}
            self.both(f"register by annotation {union!r}", lambda g: g.register(function))
        else:
            self.both(f"register {union!r}", lambda g: g.register(union)(function))

    def register_nonsense(self) -> None:
        def annotated(x: Any) -> None: ...

        annotated.__annotations__ = {"x": self.random.choice([list[int], 5, "int", "nowhere"])}
        what = self.random.choice(
            [(5,), ("text", len), (list[int], len), (len,), (annotated,), (NotForChecks, len), ()]
        )
        self.both(f"register{what!r}", lambda g: g.register(*what))

    def virtual(self) -> None:
        parent, cls = self.classes.virtual()
        self.steps.append(f"{parent!r}.register({cls!r})")
        try:
            abc.ABCMeta.register(parent, cls)
        except RuntimeError:
            return  # a cycle
        if not self.watched:
            self.stock._clear_cache()

    def rebase(self) -> None:
        """Other bases: both keep what they know of a class until their cache is cleared."""
        if len(self.classes.own) < 2:
            return
        cls, base = self.random.sample(self.classes.own, 2)
        try:
            cls.__bases__ = (base,)
        except TypeError:
            return
        self.steps.append(f"{cls!r}.__bases__ = {base!r}")
        self.clear()

    def reclass(self) -> None:
        if not self.instances:
            return
        value, cls = self.random.choice(self.instances), self.random.choice(self.classes.own)
        self.call(value)
        try:
            value.__class__ = cls
        except (AttributeError, TypeError):
            return
        self.steps.append(f"x.__class__ = {cls!r}")
        self.call(value)

    def clear(self) -> None:
        self.both("_clear_cache", lambda g: g._clear_cache())

    def changing_its_mind(self) -> None:
        """An object that names another class each time it is asked, once a call."""
        order = [self.classes.any() for _ in range(9)]
        answers = {id(self.stock): iter(order), id(self.other): iter(order)}
        value = answering(lambda: next(answers[id(self.current)]))
        for _ in range(3):
            self.both("call with another class each time", lambda g: g(value))

    def give_up(self) -> None:
        if not self.classes.own:
            return
        gone = self.random.choice(self.classes.own)
        self.steps.append(f"del {gone!r}")
        self.classes.own.remove(gone)
        self.instances = [each for each in self.instances if type(each) is not gone]
        del gone
        gc.collect()

    def short_lived(self) -> None:
        """Classes that come, are called with, and go: their memory is soon another's."""
        for _ in range(self.random.choice((2, 6))):
            cls = self.classes.make()
            alive = weakref.ref(cls)
            value = self.classes.instance(cls)
            self.both(
                f"call with short-lived {cls!r}: {cls.__bases__}",
                lambda g, x=value: g(x),  # type: ignore[misc]
            )
            ADDRESSES[id(cls)] += 1
            del cls, value
            if GIL:  # without one there are no generations: each time all would be collected
                gc.collect(0)
        gc.collect()
        assert alive() is None or not classes_die(), f"seed {self.seed}: the class stays alive"

    def registries(self) -> None:
        self.both("registry", lambda g: [*g.registry.items()])

    def run(self) -> None:
        for _ in range(self.random.choice((0, 2, 6))):
            self.new_class()
        for step in self.random.choices([*STEPS], [*STEPS.values()], k=20):
            getattr(self, step)()
        self.dispatch_all()
        self.registries()


# The methods, and how often they are chosen.
STEPS: dict[str, float] = {
    "new_class": 10,
    "register": 18,
    "virtual": 8,
    "calls": 26,
    "call_without": 2,
    "dispatch": 5,
    "dispatch_all": 2,
    "register_nonsense": 2,
    "reclass": 3,
    "rebase": 1,
    "clear": 1,
    "changing_its_mind": 1,
    "give_up": 2,
    "short_lived": 4,
    "registries": 2,
    "many_classes": 0.2,
}

# How often a class was made at one address: what is cached by address must notice.
ADDRESSES: collections.Counter[int] = collections.Counter()


def check(first: int, count: int, make: Make = singledispatch) -> None:
    # The collector must not take a class away between two calls that are compared.
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for seed in range(first, first + count):
            Case(seed, make).run()
            gc.collect()
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def main() -> None:
    first, *count = map(int, sys.argv[1:])
    if count:
        check(first, count[0])
        return
    gc.disable()
    case = Case(first, singledispatch)
    try:
        case.run()
    finally:
        print("\n".join(case.steps))


if __name__ == "__main__":
    main()
