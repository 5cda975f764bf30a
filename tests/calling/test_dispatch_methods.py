"""Generic methods on random classes behave as functools' own do; see ``dispatch_methods``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from tests.calling.dispatch_methods import Make, check

BATCH = 125
# From 3.13 on functools.partial warns where it is bound, which it is not yet.
pytestmark = [
    pytest.mark.filterwarnings("ignore:functools.partial will be:FutureWarning"),
    pytest.mark.thread_unsafe(reason="long as it is; test_dispatch_threads is for threads"),
]
STOCK: Any = functools.singledispatchmethod


@pytest.mark.parametrize("first", range(0, 2 * BATCH, BATCH))
def test_like_functools(first: int) -> None:
    check(first, BATCH)


@pytest.mark.long
@pytest.mark.parametrize("first", range(2 * BATCH, 5_000, 2 * BATCH))
def test_like_functools_on_five_thousand_classes(first: int) -> None:
    check(first, 2 * BATCH)


# Generic methods that are wrong in one way each, made of functools' own.


def varied(change: Callable[..., Any]) -> Make:
    """One whose bound methods are called by way of ``change(method, instance, owner, bound)``."""

    class Varied(STOCK):  # type: ignore[misc]
        def __get__(self, instance: Any, owner: Any = None) -> Any:
            bound = super().__get__(instance, owner)

            def wrong(*args: Any, **kwargs: Any) -> Any:
                return change(self, instance, owner, bound, args, kwargs)

            call: Any = wrong

            call.register = self.register
            return call

    return Varied


def keeps_bound_methods() -> Make:
    known: dict[Any, Any] = {}

    def change(self: Any, instance: Any, owner: Any, bound: Any, args: Any, kwargs: Any) -> Any:
        try:
            bound = known.setdefault((id(self), instance), bound)
        except TypeError:
            pass
        return bound(*args, **kwargs)

    return varied(change)


def dispatches_on_self(self: Any, instance: Any, owner: Any, bound: Any, args: Any, kw: Any) -> Any:
    if args and instance is not None:
        return self.dispatcher.dispatch(type(instance)).__get__(instance, owner)(*args, **kw)
    return bound(*args, **kw)


def binds_to_the_class(self: Any, instance: Any, owner: Any, bound: Any, args: Any, kw: Any) -> Any:
    if args and instance is not None:
        return self.dispatcher.dispatch(type(args[0])).__get__(None, owner)(*args, **kw)
    return bound(*args, **kw)


def does_not_bind(self: Any, instance: Any, owner: Any, bound: Any, args: Any, kw: Any) -> Any:
    if args and instance is not None:
        return self.dispatcher.dispatch(type(args[0]))(instance, *args, **kw)
    return bound(*args, **kw)


def takes_the_false_for_none(
    self: Any, instance: Any, owner: Any, bound: Any, args: Any, kw: Any
) -> Any:
    if args and not instance:
        return self.dispatcher.dispatch(type(args[0])).__get__(None, owner)(*args, **kw)
    return bound(*args, **kw)


def loses_keywords(self: Any, instance: Any, owner: Any, bound: Any, args: Any, kw: Any) -> Any:
    return bound(*args)


def needs_an_owner(self: Any, instance: Any, owner: Any, bound: Any, args: Any, kw: Any) -> Any:
    if owner is None:
        raise TypeError("no owner")
    return bound(*args, **kw)


MISTAKES: dict[str, Make] = {
    "keeps bound methods": keeps_bound_methods(),
    "dispatches on self": varied(dispatches_on_self),
    "binds to the class": varied(binds_to_the_class),
    "does not bind": varied(does_not_bind),
    "takes the false for None": varied(takes_the_false_for_none),
    "loses keywords": varied(loses_keywords),
    "needs an owner": varied(needs_an_owner),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_finds(mistake: str) -> None:
    with pytest.raises(AssertionError, match=r"seed \d+"):
        check(0, 300, MISTAKES[mistake])
