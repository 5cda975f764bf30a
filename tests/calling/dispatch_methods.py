"""One random case of a generic method, on functools' class and on another.

``python -m tests.calling.dispatch_methods SEED`` runs one case again and shows its steps. The same
recipe makes a class for each of both, with subclasses; instances may have no ``__dict__``, no hash,
or be equal to everything, and whatever is called, with results and exceptions, must be the same.
"""

from __future__ import annotations

import abc
import functools
import random
import sys
from collections.abc import Callable
from typing import Any

from jumptable.functools import singledispatchmethod
from tests.calling.dispatch_hierarchies import shown

Make = Callable[[Any], Any]


def stock(function: Any) -> Any:
    """functools' own, without the cache in 3.12 that binds to any instance that is equal."""
    made: Any = functools.singledispatchmethod(function)
    if hasattr(made, "_method_cache"):
        made._method_cache = None
    return made


class Value: ...


class Special(Value): ...


ARGUMENTS: list[Any] = [1, True, "text", 1.5, None, [], (), {}, Value(), Special(), int, len]
KEY = {"key": 2}
TYPES: list[Any] = [int, str, bool, list, Value, Special, object, type, float, abc.ABC]


class Case:
    def __init__(self, seed: int, make: Make) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.steps: list[str] = []
        self.made = 0
        self.late = type("Late", (), {})
        self.abstract: Any = abc.ABCMeta("Abstract", (), {})
        recipe = self.random.getrandbits(32)
        self.pairs = [self.classes(recipe, each) for each in (stock, make)]

    def implementation(self, choices: random.Random, tag: str) -> Any:
        """What is registered: a function, or a descriptor around one."""

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return (tag, self, args, kwargs)

        def one(self: Any, value: Any) -> Any:
            return (tag, self, value)

        def alone(*args: Any, **kwargs: Any) -> Any:
            return (tag, args, kwargs)

        def raises(self: Any, *args: Any) -> Any:
            raise LookupError(tag, len(args))

        for function in (method, one, alone, raises):
            function.__name__ = function.__qualname__ = tag
        kinds: list[Any] = [
            *(method, method, method, one, raises, classmethod(method), staticmethod(alone)),
            *(abc.abstractmethod(method), functools.partialmethod(method, "partial"), len, 5),
            functools.partial(alone, "partial"),
            property(lambda self: functools.partial(alone, "property")),
        ]
        return choices.choice(kinds)

    def classes(self, recipe: int, make: Make) -> list[Any]:
        """A class with a generic method, and subclasses: the same for the same recipe."""
        choices = random.Random(recipe)
        default = self.implementation(choices, "default")
        while not (callable(default) or hasattr(default, "__get__")):
            default = self.implementation(choices, "default")
        generic = make(default)
        body: dict[str, Any] = {"method": generic}
        if choices.random() < 0.3:
            body["__slots__"] = choices.choice([(), ("one",), ("one", "__weakref__")])
        if choices.random() < 0.2:
            body["__hash__"] = None
        if choices.random() < 0.2:
            body["__eq__"] = lambda self, other: True
            body["__hash__"] = choices.choice([lambda self: 1, None])
        if choices.random() < 0.2:
            body["__len__"] = lambda self: 0
        body["again"] = lambda self, *args: self.method(*args)
        for number in range(choices.choice((0, 1, 3, 6))):
            function = self.implementation(choices, f"f{number}")
            generic.register(choices.choice([*TYPES, self.abstract]), function)
        bases = choices.choice([(), (), (abc.ABC,), (dict,), (Exception,)])
        host = abc.ABCMeta("Host", bases, body) if abc.ABC in bases else type("Host", bases, body)
        inherits: Any = type("Inherits", (host,), {})

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return ("super", super(overrides, self).method(*args, **kwargs))  # type: ignore[misc]

        overrides: Any = type("Overrides", (host,), {"method": method})

        def of_own(self: Any, *args: Any, **kwargs: Any) -> Any:
            return ("own", super(extends, self).method(*args, **kwargs))  # type: ignore[misc]

        own = make(of_own)
        own.register(choices.choice(TYPES), self.implementation(choices, "own"))
        extends: Any = type("Extends", (inherits,), {"method": own, "other": generic})
        made = [host, inherits, overrides, extends]
        for cls in made:
            if isinstance(cls, abc.ABCMeta):
                cls.__abstractmethods__ = frozenset()
        return made

    def plain(self, value: Any, owner: list[Any], instance: Any) -> Any:
        """A result with what is one of both's own by its name."""
        if value is instance:
            return "the instance"
        if type(value) in (tuple, list):
            return [self.plain(each, owner, instance) for each in value]
        if type(value) is dict:
            return [(key, self.plain(each, owner, instance)) for key, each in value.items()]
        if isinstance(value, type) and value in owner:
            return value.__name__
        return value

    def compare(self, step: str, number: int, action: Callable[[Any, Any], Any]) -> None:
        """``action`` with a new instance of class ``number`` and the class, for both."""
        self.steps.append(step)
        found = []
        for pair in self.pairs:
            cls = pair[number]
            instance = cls()
            try:
                result = ("result", self.plain(action(instance, cls), pair, instance))
            except Exception as error:
                text = str(error).replace(repr(instance), "the instance")
                result = (type(error).__name__, text)
            found.append(result)
        if found[0] != found[1]:
            raise AssertionError(
                f"seed {self.seed}, step {len(self.steps)}: {step}\n"
                f"  functools: {shown(found[0])}\n  other:     {shown(found[1])}\n"
                f"rerun: python -m tests.calling.dispatch_methods {self.seed}"
            )

    def call(self) -> None:
        value = self.random.choice([*ARGUMENTS, self.late()])
        number = self.random.randrange(4)
        calls: dict[str, Callable[[Any, Any], Any]] = {
            "x.method(v)": lambda x, cls: x.method(value),
            "x.method(v) ": lambda x, cls: x.method(value),
            "x.method(v, 1)": lambda x, cls: x.method(value, 1),
            "x.method(v, key=1)": lambda x, cls: x.method(value, key=1),
            "x.method(v, *args, **kwargs)": lambda x, cls: x.method(value, *[1], **KEY),
            "x.method()": lambda x, cls: x.method(),
            "x.method(key=1)": lambda x, cls: x.method(key=1),
            "x.method(x)": lambda x, cls: x.method(x),
            "x.again(v)": lambda x, cls: x.again(value),
            "bound": lambda x, cls: [*map(x.method, [value, 1])],
            "bound to an equal one": lambda x, cls: [x.method(1), cls().method(value)][0],
            "kept": lambda x, cls: (lambda bound: [bound(value), bound(value, 1)])(x.method),
            "cls.method(v)": lambda x, cls: cls.method(value),
            "cls.method(x, v)": lambda x, cls: cls.method(x, value),
            "cls.method(v, x)": lambda x, cls: cls.method(value, x),
            "cls.method()": lambda x, cls: cls.method(),
            "super": lambda x, cls: super(cls, x).method(value),  # type: ignore[misc]
            "other": lambda x, cls: x.other(value),
            "__get__": lambda x, cls: vars(cls)["method"].__get__(x, cls)(value),
            "__get__ of a class": lambda x, cls: vars(cls)["method"].__get__(None, cls)(value),
            "__get__ without a class": lambda x, cls: vars(cls)["method"].__get__(x)(value),
            "partialmethod": lambda x, cls: functools.partial(x.method, value)(key=1),
        }
        how = self.random.choice([*calls])
        self.compare(f"{how} of class {number} with {shown(value)}", number, calls[how])

    def register(self) -> None:
        recipe = self.random.getrandbits(32)
        cls = self.random.choice([*TYPES, self.abstract, self.late])
        tag = f"late {self.made}"
        self.made += 1
        way = self.random.choice(("descriptor", "bound", "class", "decorator", "annotation"))
        self.steps.append(f"register {tag} {cls} by {way}")
        for pair in self.pairs:
            function = self.implementation(random.Random(recipe), tag)
            generic = vars(pair[0])["method"]
            if way == "annotation" and type(function) is type(stock):
                function.__annotations__ = {"value": cls}
                generic.register(function)
            elif way == "decorator":
                generic.register(cls)(function)
            elif way == "bound":
                pair[0]().method.register(cls, function)
            elif way == "class":
                pair[1].method.register(cls, function)
            else:
                generic.register(cls, function)

    def virtual(self) -> None:
        cls = self.random.choice([self.late, Value, dict])
        self.steps.append(f"Abstract.register({cls})")
        self.abstract.register(cls)

    def run(self) -> None:
        for step in self.random.choices([Case.call, Case.register, Case.virtual], [12, 3, 1], k=25):
            step(self)


def check(first: int, count: int, make: Make = singledispatchmethod) -> None:
    for seed in range(first, first + count):
        Case(seed, make).run()


def main() -> None:
    first, *count = map(int, sys.argv[1:])
    if count:
        check(first, count[0])
        return
    case = Case(first, singledispatchmethod)
    try:
        case.run()
    finally:
        print("\n".join(case.steps))


if __name__ == "__main__":
    main()
