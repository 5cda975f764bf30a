"""What `jumptable.bench` takes, what it leaves behind, and what it says."""

from __future__ import annotations

import asyncio
import builtins
import functools
import gc
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import sleep
from typing import Any
from unittest.mock import Mock

import pytest
from tests.measuring.hot_helper import SHORT, hot, marked, places
from tests.measuring.test_hotpath import (
    PLUGIN,
    plant_import,
    plant_look_up,
    plant_open,
    plant_signature,
)

import jumptable as jt
from jumptable.measuring.hotpath import HotPath, bench
from jumptable.measuring.hotpath.costs import new_watch
from jumptable.measuring.hotpath.paths import Found, cells, within
from jumptable.measuring.timing import Spread

pytestmark = pytest.mark.thread_unsafe(reason="each counts for its own thread; seconds add up")

IMPORT = builtins.__import__


# ---- what it leaves behind ----------------------------------------------------------------------


@contextmanager
def unchanged() -> Iterator[None]:
    before = sys.getprofile(), gc.isenabled(), builtins.__import__
    yield
    assert (sys.getprofile(), gc.isenabled(), builtins.__import__) == before
    assert builtins.__import__ is IMPORT


@pytest.mark.parametrize("when", [1, 2, 10, -1])
def test_what_it_raises_goes_through(when: int) -> None:
    calls = 0

    def fails() -> None:
        nonlocal calls
        calls += 1
        if calls == when or (when < 0 and sys.getprofile() is not None):
            raise LookupError("its own")

    with unchanged(), pytest.raises(LookupError, match=r"^its own$"):
        hot(fails)


def test_a_profiler_is_put_back() -> None:
    seen = []

    def profiler(*event: object) -> None:
        seen.append(event)

    sys.setprofile(profiler)
    try:
        found = hot(plant_open)
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)
    assert len(found.findings) == 1


def test_cprofile_goes_on() -> None:
    import cProfile

    profile = cProfile.Profile()
    profile.enable()
    try:
        found = hot(plant_open)
        places(found)
    finally:
        profile.disable()
    assert len(found.findings) == 1
    names = {getattr(entry.code, "co_name", "") for entry in profile.getstats()}
    assert "places" in names


def test_it_can_be_called_from_inside() -> None:
    inner: list[HotPath] = []

    def nested() -> object:
        if len(inner) < 2:
            inner.append(hot(plant_look_up))
        return jt.open("json")  # in nested

    with unchanged():
        found = hot(nested)
    assert [len(one.findings) for one in inner] == [1, 1]
    assert ("open", "test_hotpath_calls.py", marked("in nested", __file__)) in places(found)


def test_threads_count_apart() -> None:
    from concurrent.futures import ThreadPoolExecutor

    functions = [plant_look_up, plant_open, plant_import, plant_signature] * 2
    with unchanged(), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(hot, functions))
    for function, one in zip(functions, found, strict=True):
        (only,) = one.findings
        start = function.__code__.co_firstlineno
        assert start < only.line < start + 3


def interrupted_while_watched() -> None:
    """As Ctrl-C while the profiler itself runs, which the interpreter then takes away."""
    watch = new_watch()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    setattr(watch, "_kind_of_code", interrupt)  # noqa: B010
    with watch:
        plant_look_up()


def test_an_interrupt_of_the_profiler_itself_leaves_all_as_it_was() -> None:
    def profiler(*event: object) -> None: ...

    sys.setprofile(profiler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted_while_watched()
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)
    assert builtins.__import__ is IMPORT


def test_an_importer_that_somebody_wraps_meanwhile() -> None:
    wrapped: list[Any] = []

    def wrap() -> object:
        if not wrapped:
            inner = builtins.__import__
            wrapped.append(inner)
            if inner is not IMPORT:
                builtins.__import__ = lambda *given, **named: inner(*given, **named)
            else:
                wrapped.clear()
        return plant_import()

    try:
        for _ in range(3):
            wrapped.clear()
            hot(wrap)
        assert builtins.__import__ is not IMPORT
        assert plant_import() is sys.modules["json"]
    finally:
        builtins.__import__ = IMPORT


# ---- what it is given ---------------------------------------------------------------------------


def test_arguments_are_passed() -> None:
    given = []

    def takes(a: int, b: str) -> None:
        given.append((a, b))

    bench(takes, 1, "x", seconds=SHORT)
    assert set(given) == {(1, "x")}


@pytest.mark.parametrize("calls", [1, 2])
def test_a_slow_function_is_called_a_few_times(calls: int) -> None:
    count = 0

    def slow() -> None:
        nonlocal count
        count += 1
        sleep(0.05 if calls == 1 else 0.011)

    found = bench(slow, seconds=0.02)
    assert 2 <= count <= 5
    assert found.empty_ns is None and found.calls >= 1
    assert "it should be the work itself" in found.verdict


@pytest.mark.parametrize("wrong", [None, 5, "f"])
def test_what_cannot_be_called(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"takes a function and its arguments, not"):
        bench(wrong)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_seconds_that_are_none(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds are more than 0"):
        bench(plant_open, seconds=seconds)


def test_seconds_are_a_number() -> None:
    wrong: Any = "1"
    with pytest.raises(TypeError, match="seconds are a number, not str"):
        bench(plant_open, seconds=wrong)


async def coroutine() -> None:
    jt.open("json")  # in a coroutine


def generator() -> Generator[int, None, None]:
    yield 1


async def asynchronous_generator() -> AsyncIterator[int]:
    yield 1


class Awaitable:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "remedy"),
    [
        (coroutine, "asyncio.run(coroutine())"),
        (functools.partial(coroutine), "asyncio.run(coroutine())"),
        (Awaitable(), "asyncio.run(Awaitable())"),
        (generator, "list(generator())"),
        (asynchronous_generator, "a function that runs it"),
        (lambda: coroutine(), "asyncio.run"),
        (lambda: generator(), "list(handle())"),
        (lambda: (one for one in "x"), "list(handle())"),
    ],
)
def test_what_only_makes_an_object(function: Any, remedy: str) -> None:
    with pytest.raises(TypeError) as caught:
        hot(function)
    assert remedy in str(caught.value)


def test_a_coroutine_that_is_run() -> None:
    found = hot(lambda: asyncio.run(coroutine()))
    assert ("open", marked("in a coroutine", __file__)) in {
        (one.kind, one.line) for one in found.findings
    }


class Odd:
    """Has attributes of every name."""

    def __getattr__(self, name: str) -> object:
        return self

    def __call__(self) -> object:
        return PLUGIN.lookup("loads")  # of an odd object


@pytest.mark.parametrize(
    "function",
    [
        functools.partial(PLUGIN.lookup, "loads"),
        functools.partial(functools.partial(PLUGIN.lookup), name="loads"),
    ],
)
def test_what_a_partial_object_is_made_of_is_seen(function: Any) -> None:
    (one,) = hot(function).findings
    assert (one.kind, one.calls) == ("look-up", 1.0)


def test_an_object_that_has_all_attributes() -> None:
    found = hot(Odd())
    assert found.name == "Odd"
    assert [one.line for one in found.findings] == [marked("of an odd object", __file__)]
    assert hot(Mock()).name == "Mock"


def removes_it() -> None:
    sys.setprofile(None)


def sets_its_own() -> None:
    sys.setprofile(lambda *event: None)


@pytest.mark.parametrize("function", [removes_it, sets_its_own])
def test_a_profiler_of_its_own_hides_what_is_in_it(function: Any) -> None:
    try:
        with pytest.raises(RuntimeError, match="sets or removes a profiler"):
            hot(function)
    finally:
        sys.setprofile(None)
    assert builtins.__import__ is IMPORT


def test_parts_are_no_more_than_the_whole() -> None:
    parts = within([one_found(0.9), one_found(0.6, 15), one_found(None, 16)])
    assert [one.share for one in parts] == [pytest.approx(0.6), pytest.approx(0.4), None]
    assert parts[0].each_ns == pytest.approx(100 / 1.5) and parts[2].each_ns is None
    few = [one_found(0.3), one_found(0.6, 15)]
    assert list(within(few)) == few


def test_a_better_known_cost_leaves_each_its_part() -> None:
    known = made(1000.0, one_found(0.1), one_found(None, 15)).costing(Spread(500, 490, 520), 480)
    assert (known.ns, known.minimum, known.empty_ns) == (Spread(500, 490, 520), 480, 10.0)
    assert [one.each_ns for one in known.findings] == [50.0, None]
    assert [one.share for one in known.findings] == [0.1, None]


def test_counts_are_readable() -> None:
    counts = (1.0, 0.1053, 1_500_000.0)
    shown = [cells(replace(one_found(0.1), calls=count))[1] for count in counts]
    assert shown == ["1", "0.105", "1,500,000"]


# ---- what it says -------------------------------------------------------------------------------


def made(ns: float, *findings: Found) -> HotPath:
    return HotPath("handle", Spread(ns, ns, ns), ns, 20.0, 100, 10, findings)


def one_found(share: float | None, line: int = 14) -> Found:
    each = None if share is None else 100.0
    return Found("look-up", "Plugin.lookup", "host.py", line, "f()", 1.0, each, share, "do better")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (
            made(2310, one_found(0.92)),
            "handle() costs 2.31 µs a call, 92 % of it in a look-up at host.py:14: do better.",
        ),
        (
            made(2310, one_found(0.7), one_found(0.2, 15)),
            "handle() costs 2.31 µs a call, 90 % of it in 2 places, most in a look-up at "
            "host.py:14 (70 %): do better.",
        ),
        (
            made(5e6, one_found(0.001), one_found(None, 15)),
            "handle() costs 5.00 ms a call, under 1 % of it in a look-up at host.py:14, and 1 "
            "more whose time is unknown: do better.",
        ),
        (
            made(5e6, one_found(None), one_found(None, 15)),
            "handle() costs 5.00 ms a call, with a look-up at host.py:14, and 1 more whose time is "
            "unknown: do better.",
        ),
        (
            made(5e6, one_found(0.001), one_found(0.001, 15)),
            "handle() costs 5.00 ms a call, under 1 % of it in a look-up at host.py:14 and 1 more: "
            "the rest is the work itself.",
        ),
        (
            made(61, one_found(None)),
            "handle() costs 61.0 ns a call, with a look-up at host.py:14: do better.",
        ),
        (
            made(5e6, one_found(0.001)),
            "handle() costs 5.00 ms a call, under 1 % of it in a look-up at host.py:14: the rest "
            "is the work itself.",
        ),
        (
            made(61),
            "handle() costs 61.0 ns a call; no open, look-up, bind or signature check was seen in "
            "it.",
        ),
        (
            made(61000),
            "handle() costs 61.0 µs a call, and no open, look-up, bind or signature check was "
            "seen in it: it should be the work itself.",
        ),
    ],
)
def test_verdicts(found: HotPath, verdict: str) -> None:
    assert found.verdict == verdict
