"""Whether one callable can be called as another."""

from __future__ import annotations

import functools
import inspect
import itertools
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

import jumptable as jt
from jumptable.binding.shapes import Shape, shape_of
from tests.binding.asking import fits, member, one, problems

WAYS: list[tuple[Any, Any, str]] = [
    # interface, plugin, what is wrong
    (lambda self: 0, lambda self: 0, ""),
    (lambda self, x: 0, lambda self, y: 0, ""),
    (lambda self, x: 0, lambda self: 0, "it takes 0 positional arguments, not 1"),
    (lambda self, x: 0, lambda self, x, y: 0, "it also requires 'y'"),
    (lambda self, x: 0, lambda self, x, y=0: 0, ""),
    (lambda self, x=0: 0, lambda self, x: 0, "it also requires 'x'"),
    (lambda self, x=0: 0, lambda self, x=1, y=2: 0, ""),
    (lambda self, x, y: 0, lambda self, *values: 0, ""),
    (lambda self, x, /: 0, lambda self, x, /: 0, ""),
    (lambda self, *values: 0, lambda self, x=0: 0, "it does not take *args"),
    (lambda self, *values: 0, lambda self, *values: 0, ""),
    (lambda self, *values: 0, lambda self, x, *values: 0, "it also requires 'x'"),
    (lambda self, **values: 0, lambda self: 0, "it does not take **kwargs"),
    (lambda self, **values: 0, lambda self, **values: 0, ""),
    (lambda self, *, k: 0, lambda self, *, k: 0, ""),
    (lambda self, *, k: 0, lambda self, k: 0, ""),
    (lambda self, *, k: 0, lambda self, /, k: 0, ""),
    (lambda self, *, k: 0, lambda self, **values: 0, ""),
    (lambda self, *, k: 0, lambda self, k, /: 0, "it also requires 'k'"),
    (lambda self, *, k: 0, lambda self: 0, "it does not take the keyword 'k'"),
    (lambda self, *, k: 0, lambda self, *, k, m: 0, "it also requires the keyword 'm'"),
    (lambda self, *, k=0: 0, lambda self, *, k: 0, "it also requires the keyword 'k'"),
    (lambda self, *, k=0: 0, lambda self, k: 0, "it also requires 'k'"),
    (lambda self, x, *, k: 0, lambda self, k: 0, "it does not take the keyword 'k'"),
    (lambda self, x, *, k: 0, lambda self, k, **rest: 0, "it takes 'k' by position as well"),
    (lambda self, *a, k: 0, lambda self, k=0, *a, **r: 0, "it takes 'k' by position as well"),
    (lambda self, *, k=0: 0, lambda self, *, k=0, m=0: 0, ""),
    (lambda self: 0, lambda: 0, "it has no 'self'"),
    (lambda self: 0, lambda *values: 0, ""),
    (lambda self, x: 0, staticmethod(lambda x: 0), ""),
    (lambda self, x: 0, functools.partialmethod(lambda self, y, x: 0, 1), ""),
    (lambda self, x: 0, staticmethod(functools.partial(lambda y, x: 0, 1)), ""),
    (
        *(lambda self, x: 0, staticmethod(functools.partial(lambda y, x, z: 0, 1))),
        "it also requires 'z'",
    ),
    (lambda self, x: 0, functools.lru_cache(lambda self, x, y: 0), "it also requires 'y'"),
    (lambda self, x: 0, max, ""),  # nothing says how it may be called
    (lambda self, x: 0, type("C", (), {"__init__": lambda self, x: None}), ""),
    (lambda self, x: 0, type("C", (), {"__init__": lambda self: None}), "0 positional arguments"),
]


@pytest.mark.parametrize(("wanted", "found", "wrong"), WAYS)
def test_ways_of_calling(wanted: Any, found: Any, wrong: str) -> None:
    subject = one(found)()
    if not wrong:
        assert len(fits(one(wanted), subject)) == 1
    else:
        (problem,) = problems(one(wanted), subject)
        assert problem.startswith("call: expected call(")
        assert wrong in problem


@pytest.mark.parametrize(("wanted", "found", "wrong"), WAYS)
def test_the_verdict_is_that_of_real_calls(wanted: Any, found: Any, wrong: str) -> None:
    """What fits can be called in the interface's ways; what does not, fails in one of them."""
    shape = member(one(wanted), "call").shape
    assert shape is not None
    given = dict.fromkeys(shape.keywords, 0)
    needed = dict.fromkeys(shape.needed, 0)
    count = len(shape.names)
    calls = [((0,) * count, given), ((0,) * shape.required, needed), ((0,) * count, needed)]
    if shape.varargs:
        calls.append(((0,) * (count + 3), given))
    if shape.varkeywords:
        calls.append(((0,) * count, {**given, "surplus": 0}))
    failures = 0
    for args, keywords in calls:
        try:
            one(found)().call(*args, **keywords)
        except TypeError as error:
            failures += "not iterable" not in str(error)  # max, whose arguments are unknown
    assert bool(failures) == bool(wrong)


@st.composite
def definitions(draw: st.DrawFn) -> str:
    """The parameters of some function, such as ``a, b=0, /, *, c``."""
    order = draw(st.permutations("abcd"))
    only, both, keywords = draw(st.tuples(*[st.integers(0, 2)] * 3))
    positional = order[: min(only + both, 4)]
    required = draw(st.integers(0, len(positional)))
    listed = [name if k < required else f"{name}=0" for k, name in enumerate(positional)]
    if 0 < only <= len(listed):
        listed.insert(only, "/")
    named = order[len(positional) :][:keywords]
    varargs = draw(st.booleans())
    if varargs or named:
        listed.append("*args" if varargs else "*")
    listed += [name + draw(st.sampled_from(["", "=0"])) for name in named]
    if draw(st.booleans()):
        listed.append("**rest")
    return ", ".join(listed)


def possible_calls(shape: Shape) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
    """Every way in which an interface's method may be called."""
    optional = [name for name in shape.keywords if name not in shape.needed]
    for count in range(shape.required, len(shape.names) + (5 if shape.varargs else 0) + 1):
        for size in range(len(optional) + 1):
            for chosen in itertools.combinations(optional, size):
                named = dict.fromkeys((*shape.needed, *chosen), 0)
                yield (0,) * count, named
                if shape.varkeywords:
                    yield (0,) * count, {**named, "surplus": 0}


@hypothesis.given(definitions(), definitions())
def test_the_verdict_is_that_of_all_calls(wanted: str, found: str) -> None:
    interface = one(eval(f"lambda {', '.join(filter(None, ['self', wanted]))}: 0"))
    function = eval(f"lambda {found}: 0")
    shape = member(interface, "call").shape
    assert shape is not None
    failures = []
    for args, named in possible_calls(shape):
        try:
            function(*args, **named)
        except TypeError as error:
            failures.append(error)
    try:
        fits(interface, types.SimpleNamespace(call=function))
        fit = True
    except jt.InterfaceError:
        fit = False
    assert fit == (not failures)
    assert str(shape_of(function)) == str(inspect.signature(function)).replace(
        "=0", "=..."
    ).replace("**rest", "**kwargs")


def test_decorated_methods_are_what_they_say() -> None:
    def decorated(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> object:
            return function(*args, **keywords)

        return call

    class Impl:
        @decorated
        def call(self, x: int, y: int) -> None: ...

    (problem,) = problems(one(lambda self, x: 0), Impl())
    assert "found call(x, y): it also requires 'y'" in problem


def test_coroutines_where_results_are_expected() -> None:
    class Wanted:
        def plain(self) -> int: ...  # type: ignore[empty-body]
        def awaited(self) -> Awaitable[int]: ...  # type: ignore[empty-body]
        async def waits(self) -> None: ...
        async def either(self) -> None: ...

    class Impl:
        async def plain(self) -> int:
            return 1

        async def awaited(self) -> int:
            return 1

        async def waits(self) -> None: ...
        def either(self) -> None: ...

    (problem,) = problems(Wanted, Impl())
    assert problem.startswith("plain: ") and "'async def'" in problem

    class Callable:
        async def __call__(self) -> int:
            return 1

    (problem,) = problems(one(lambda self: 0), types.SimpleNamespace(call=Callable()))
    assert "'async def'" in problem
