"""Random classes, and what to call a generic function with, for the differential test.

The abstract classes of collections.abc remember for good what they once accepted. So what no case
may find changed, classes that are not its own, is registered with its own ``roots`` alone, which
are registered nowhere, and the hooks of its classes accept nothing but its own classes.
"""

from __future__ import annotations

import abc
import collections.abc
import contextlib
import random
import unittest.mock
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

KNOWN_ABCS: list[Any] = [
    *(collections.abc.Sized, collections.abc.Iterable, collections.abc.Iterator),
    *(collections.abc.Container, collections.abc.Hashable, collections.abc.Callable),
    *(collections.abc.Collection, collections.abc.Reversible, collections.abc.Sequence),
    *(collections.abc.MutableSequence, collections.abc.Set, collections.abc.Mapping),
    *(collections.abc.MutableMapping, collections.abc.Generator, collections.abc.Awaitable),
]
BUILTINS: list[Any] = [int, str, float, list, dict, tuple, set, bytes, Exception, type]
VALUES: list[Any] = [
    *(0, True, 1.5, 2j, "text", b"bytes", None, ..., NotImplemented, range(3), slice(1)),
    *([1], {}, (), {1}, frozenset(), bytearray(b"1"), ValueError("one"), KeyError, int, type),
    *(object(), len, lambda: None, iter("ab"), random, unittest.mock.sentinel.one),
]


def _special(name: str) -> Callable[..., Any]:
    def __iter__(self: Any) -> Iterator[int]:
        return iter(())

    def ends(self: Any, *args: Any) -> int:
        raise {"__getitem__": IndexError, "__next__": StopIteration}[name]

    def other(self: Any, *args: Any) -> int:
        return 3

    if name in ("__getitem__", "__next__"):
        return ends
    return __iter__ if name in ("__iter__", "__reversed__") else other


MODULE = "random"
MOST_ANCESTORS = 8  # functools takes twice as long for each more, where all are abstract

# What the abstract classes of collections.abc look for.
SPECIAL: dict[str, Any] = {
    name: _special(name)
    for name in (
        *("__len__", "__iter__", "__contains__", "__call__", "__reversed__", "__next__"),
        *("__getitem__", "__await__", "mark", "sign", "send", "throw", "close"),
    )
}


class SameHash(type):
    """Many classes meet in one place of a hash table."""

    def __hash__(cls) -> int:
        return 5


def hooked(name: str) -> Any:
    """A ``__subclasshook__`` that accepts, or refuses, who has an attribute."""

    def __subclasshook__(cls: type, other: type) -> Any:
        if other.__module__ == MODULE and any(name in vars(each) for each in other.__mro__):
            return True
        return False if name == "sign" else NotImplemented

    return classmethod(__subclasshook__)


@runtime_checkable
class Marked(Protocol):
    def mark(self) -> int: ...


class NotForChecks(Protocol):
    def mark(self) -> int: ...


def as_its(cls: object) -> Any:
    """An object that says it is a ``cls``, which may not even be a class."""

    class Liar:
        @property
        def __class__(self) -> Any:
            return cls

        @__class__.setter
        def __class__(self, value: Any) -> None: ...

    return Liar()


def answering(answer: Callable[[], object]) -> Any:
    """An object whose ``__getattribute__`` is asked for its class."""

    class Answers:
        def __getattribute__(self, name: str) -> Any:
            return answer() if name == "__class__" else object.__getattribute__(self, name)

    return Answers()


def _says(self: Any) -> Any:
    return type(self) if self.says is None else self.says


def _getattribute(self: Any, name: str) -> Any:
    return _says(self) if name == "__class__" else object.__getattribute__(self, name)


# Two ways in which instances may give another class than their own, once they have one to say.
SAYING: list[dict[str, Any]] = [
    {"says": None, "__class__": property(_says)},
    {"says": None, "__getattribute__": _getattribute},
]


class Classes:
    """The classes of one case: made, used, and given up again."""

    def __init__(self, choices: random.Random) -> None:
        self.random = choices
        self.own: list[Any] = []
        self.roots: list[Any] = [abc.ABCMeta(name, (), {}) for name in ("Root", "Tree")]
        self.kept: list[Any] = []
        self.made = 0

    def any(self) -> Any:
        kind = self.random.random()
        if kind < 0.6 and self.own:
            return self.random.choice(self.own)
        return self.random.choice(
            KNOWN_ABCS if kind < 0.8 else self.roots if kind < 0.87 else [*BUILTINS, object, Marked]
        )

    def virtual(self) -> tuple[Any, Any]:
        """An abstract class, and one that may be registered with it."""
        own = [each for each in self.own if isinstance(each, abc.ABCMeta)]
        if not own or self.random.random() < 0.25:
            return self.random.choice(self.roots), self.any()
        abstract = self.random.choice(own if self.random.random() < 0.7 else KNOWN_ABCS)
        return abstract, self.random.choice(self.own)

    def make(self) -> Any:
        """A new class with random bases; it is not kept."""
        while True:
            bases = [self.any() for _ in range(self.random.choice((0, 1, 1, 2, 2, 3)))]
            kind = self.random.random()
            metaclass: Any = type(bases[0]) if bases else type
            body: dict[str, Any] = {"__module__": MODULE}
            if kind < 0.3:
                metaclass = abc.ABCMeta
                if self.random.random() < 0.4:
                    hook = self.random.choice(("mark", "sign", "__len__", "__call__"))
                    body["__subclasshook__"] = hooked(hook)
            elif kind < 0.4:
                metaclass = SameHash
            for name in self.random.sample([*SPECIAL], self.random.choice((0, 0, 1, 2, 4))):
                body[name] = SPECIAL[name]
            if self.random.random() < 0.1:
                body["__hash__"] = None
            if self.random.random() < 0.1 and metaclass is type:
                body.update(self.random.choice(SAYING))
            if self.random.random() < 0.1:
                body["__slots__"] = ()
            abstract = [each for each in bases if isinstance(each, abc.ABCMeta)]
            if (abstract or metaclass is abc.ABCMeta) and any(
                type in each.__mro__ for each in bases
            ):
                continue  # the abc module can't ask a metaclass for its subclasses
            self.made += 1
            try:
                made = metaclass(f"C{self.made}", tuple(bases), body)
            except TypeError:
                continue  # these bases have no consistent order, or no common layout or metaclass
            if len(made.__mro__) > MOST_ANCESTORS:
                continue
            if isinstance(made, abc.ABCMeta):
                made.__abstractmethods__ = frozenset()  # an instance of each class is wanted
            return made

    def keep(self) -> Any:
        made = self.make()
        self.own.append(made)
        return made

    def instance(self, cls: Any = None) -> Any:
        cls = cls or (self.random.choice(self.own) if self.own else int)
        made = cls("C", (), {}) if issubclass(cls, type) else cls()
        if hasattr(cls, "says") and self.random.random() < 0.5:
            with contextlib.suppress(AttributeError):  # no place for it
                made.says = self.any()
        return made

    def argument(self) -> Any:
        """What a generic function may be called with."""
        kind = self.random.random()
        if kind < 0.6 and self.own:
            return self.instance()
        if kind < 0.75:
            return self.random.choice(VALUES)
        if kind < 0.8:
            return as_its(self.any())
        if kind < 0.82:
            return as_its(self.random.choice([5, "text", None, self.instance(), {}]))
        if kind < 0.85:
            cls = self.any()
            return answering(lambda: cls)
        if kind < 0.87:
            return answering(lambda: 1 // 0)
        if kind < 0.9:
            return unittest.mock.Mock(spec=self.any())
        if kind < 0.95:
            return self.proxy()
        return self.any()

    def proxy(self) -> Any:
        """A proxy of an instance that, now and then, is gone by now."""
        target = self.instance()
        try:
            proxy = weakref.proxy(target)
        except TypeError:
            return target
        if self.random.random() < 0.85:
            self.kept.append(target)
        return proxy
