"""Generic functions on random class hierarchies behave as functools' own do; see
``dispatch_hierarchies``."""

from __future__ import annotations

import functools
import sys
import typing
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

import pytest

from jumptable.functools import singledispatch
from tests.calling import dispatch_hierarchies
from tests.calling.dispatch_hierarchies import GIL, Make, check
from tests.calling.mortal import classes_die

pytestmark = pytest.mark.thread_unsafe(reason="collects garbage and freezes it")

BATCH = 100 if GIL else 20  # without a GIL, collecting garbage takes long


@pytest.mark.parametrize("first", range(0, 5 * BATCH, BATCH))
def test_like_functools(first: int) -> None:
    check(first, BATCH)


@pytest.mark.long
@pytest.mark.parametrize("first", range(5 * BATCH, 5_000, 5 * BATCH))
def test_like_functools_on_five_thousand_hierarchies(first: int) -> None:
    check(first, 5 * BATCH)


@pytest.mark.skipif(not GIL, reason="without a GIL the memory of a class is used again later")
def test_classes_are_made_where_others_were() -> None:
    dispatch_hierarchies.ADDRESSES.clear()
    check(0, 50)
    assert max(dispatch_hierarchies.ADDRESSES.values()) >= 5


@pytest.mark.skipif(sys.version_info < (3, 11), reason="unions came with Python 3.11")
def test_an_abstract_class_in_a_union_is_watched() -> None:
    """functools goes on with what it found before: the one thing that is not compared above."""

    Abstract: Any = ABCMeta("Abstract", (), {})

    class Late: ...

    def default(x: object) -> str:
        return "default"

    ours: Any = singledispatch(default)
    stock: Any = functools.singledispatch(default)
    for generic in (ours, stock):
        generic.register(typing.Union[Abstract, int], lambda x: "union")  # noqa: UP007
        assert generic(Late()) == "default"
    Abstract.register(Late)
    assert ours(Late()) == ours.dispatch(Late)(1) == "union"
    assert stock(Late()) == "default"
    stock._clear_cache()
    assert stock(Late()) == "union"


# What the comparison would miss would make it worthless: generic functions that are wrong in one
# way each, made of functools' own.


def varied(generic: Any, call: Callable[..., Any]) -> Any:
    """One that is called by way of ``call``."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    for name in ("register", "dispatch", "registry", "_clear_cache"):
        setattr(wrapper, name, getattr(generic, name))
    wrapper.__qualname__ = getattr(generic, "__qualname__", "generic")
    return wrapper


def on_the_type(function: Any) -> Any:
    generic: Any = functools.singledispatch(function)
    return varied(generic, lambda *args, **kwargs: generic.dispatch(type(args[0]))(*args, **kwargs))


def asks_twice(function: Any) -> Any:
    generic: Any = functools.singledispatch(function)

    def call(*args: Any, **kwargs: Any) -> Any:
        if args:
            generic.dispatch(args[0].__class__)
        return generic(*args, **kwargs)

    return varied(generic, call)


def remembers(forgets: Callable[[Any, dict[Any, Any]], None], key: Callable[[Any], Any]) -> Make:
    """One with a cache of its own, by what ``key`` makes of a class."""

    def make(function: Any) -> Any:
        generic: Any = functools.singledispatch(function)
        known: dict[Any, Any] = {}

        def call(*args: Any, **kwargs: Any) -> Any:
            if not args or not isinstance(args[0].__class__, type):
                return generic(*args, **kwargs)
            forgets(generic, known)
            cls = args[0].__class__
            if key(cls) not in known:
                known[key(cls)] = generic.dispatch(cls)
            return known[key(cls)](*args, **kwargs)

        made = varied(generic, call)
        made._clear_cache = known.clear
        return made

    return make


def when_registered(generic: Any, known: dict[Any, Any]) -> None:
    registry = [*generic.registry.items()]
    if known.setdefault(None, registry) != registry:
        known.clear()


def when_another_is_registered(generic: Any, known: dict[Any, Any]) -> None:
    if known.setdefault(None, len(generic.registry)) != len(generic.registry):
        known.clear()


def loses_keywords(function: Any) -> Any:
    generic: Any = functools.singledispatch(function)
    return varied(generic, lambda *args, **kwargs: generic(*args, **dict([*kwargs.items()][:1])))


def takes_the_first_of_two(function: Any) -> Any:
    generic: Any = functools.singledispatch(function)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return generic(*args, **kwargs)
        except RuntimeError as error:
            if "Ambiguous" not in str(error):
                raise
            return function(*args, **kwargs)

    return varied(generic, call)


def has_its_own_words(function: Any) -> Any:
    generic: Any = functools.singledispatch(function)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not args:
            raise TypeError("expected an argument")
        return generic(*args, **kwargs)

    return varied(generic, call)


def holds_classes(function: Any) -> Any:
    generic: Any = functools.singledispatch(function)
    known: set[int] = set()
    kept: list[Any] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        if args and id(type(args[0])) not in known:
            known.add(id(type(args[0])))
            kept.append(type(args[0]))
        return generic(*args, **kwargs)

    return varied(generic, call)


MISTAKES: dict[str, Make] = {
    "dispatches on type()": on_the_type,
    "asks for the class twice": asks_twice,
    "misses registrations with abstract classes": remembers(when_registered, lambda cls: cls),
    "keeps what was replaced": remembers(when_another_is_registered, lambda cls: cls),
    "knows classes by address": remembers(when_registered, id),
    "knows classes by hash": remembers(when_registered, hash),
    "loses keywords": loses_keywords,
    "ambiguity": takes_the_first_of_two,
    "another text": has_its_own_words,
    "holds classes": holds_classes,
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_finds(mistake: str) -> None:
    if mistake == "holds classes" and not classes_die():
        pytest.skip("this interpreter holds them itself: tests/calling/mortal.py")
    with pytest.raises(AssertionError, match=r"seed \d+"):
        check(0, 300, MISTAKES[mistake])
