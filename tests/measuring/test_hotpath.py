"""What a hot path should be without is found, on the right line, as often as it happens.

No test here asks how long anything took. Each planted operation is on a line with a mark of its
own, ``# its name``, by which the test knows where it should be found.
"""

from __future__ import annotations

import asyncio
import builtins
import ctypes
import functools
import gc
import importlib
import importlib.metadata
import inspect
import linecache
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest
from tests.measuring import hot_helper

import jumptable as jt
from jumptable.measuring.hotpath import HotPath, bench
from jumptable.measuring.hotpath.paths import Found, pretty
from jumptable.measuring.timing import Spread

pytestmark = pytest.mark.thread_unsafe(reason="each counts for its own thread; seconds add up")

SHORT = 0.02
IMPORT = builtins.__import__


def hot(function: Callable[..., object], *arguments: Any) -> HotPath:
    return bench(function, *arguments, seconds=SHORT)


def line_of(mark: str, file: str = __file__) -> int:
    lines = [
        number
        for number, line in enumerate(linecache.getlines(file), 1)
        if line.rstrip().endswith(f"# {mark}")
    ]
    assert len(lines) == 1, f"{mark}: {lines}"
    return lines[0]


def places(found: HotPath) -> dict[tuple[str, str, int], float]:
    return {(one.kind, Path(one.file).name, one.line): one.calls for one in found.findings}


PLUGIN = jt.open("json")
LOADS = PLUGIN.lookup("loads")


class Coder(Protocol):
    def loads(self, text: str, /) -> object: ...


@runtime_checkable
class CanLoad(Protocol):
    def loads(self, text: str, /) -> object: ...


# ---- one planted operation each -----------------------------------------------------------------


def plant_look_up() -> object:
    return PLUGIN.lookup("loads")("1")  # look-up


def plant_open() -> object:
    return jt.open("json")  # open


def plant_bind() -> object:
    return PLUGIN.bind(Coder).loads("1")  # bind


def plant_table() -> object:
    return jt.Table({"loads": None})  # table


TABLE: jt.Table[Any] = jt.Table({"loads": None})


def plant_table_bind() -> None:
    TABLE.bind({"loads": LOADS})  # table bind


def plant_slot() -> object:
    return TABLE.slot("loads")  # slot


def plant_lazy() -> object:
    return jt.lazy("json", {"loads": None})  # lazy


def plant_pointer() -> object:
    return jt.from_pointer(ctypes.pythonapi.Py_IncRef, "void(object)")  # pointer


def plant_import_module() -> object:
    return importlib.import_module("json")  # import_module


def plant_import() -> object:
    import json  # import

    return json


def plant_from_import() -> object:
    from json import loads  # from import

    return loads


def plant_dunder_import() -> object:
    return __import__("json")  # dunder import


def plant_signature() -> object:
    return inspect.signature(plant_open)  # signature


SIGNATURE = inspect.signature(line_of)


def plant_signature_bind() -> object:
    return SIGNATURE.bind("open")  # signature bind


def plant_isinstance() -> object:
    return isinstance(PLUGIN, CanLoad)  # isinstance


LIBRARY = ctypes.CDLL(None) if sys.platform != "win32" else ctypes.CDLL("ucrtbase")


def plant_ctypes_item() -> object:
    return LIBRARY["labs"]  # ctypes item


def plant_ctypes_attribute() -> object:
    vars(LIBRARY).pop("labs", None)
    return LIBRARY.labs  # ctypes attribute


def plant_ctypes_open() -> object:
    return ctypes.CDLL(LIBRARY._name)  # ctypes open


def plant_entry_points() -> object:
    return jt.entry_points(group="nobody.has.any")  # entry points


def plant_getattr(name: str = "loads") -> object:
    module = hot_helper
    return getattr(module, name, None)  # getattr


@functools.singledispatch
def generic(value: object) -> object:
    return value


def plant_dispatch() -> object:
    return generic(1)  # dispatch


PLANTED: dict[str, tuple[str, Callable[[], object]]] = {
    "look-up": ("look-up", plant_look_up),
    "open": ("open", plant_open),
    "bind": ("bind", plant_bind),
    "table": ("bind", plant_table),
    "table bind": ("bind", plant_table_bind),
    "slot": ("look-up", plant_slot),
    "lazy": ("bind", plant_lazy),
    "pointer": ("bind", plant_pointer),
    "import_module": ("import", plant_import_module),
    "import": ("import", plant_import),
    "from import": ("import", plant_from_import),
    "dunder import": ("import", plant_dunder_import),
    "signature": ("signature check", plant_signature),
    "signature bind": ("signature check", plant_signature_bind),
    "isinstance": ("signature check", plant_isinstance),
    "ctypes item": ("look-up", plant_ctypes_item),
    "ctypes attribute": ("look-up", plant_ctypes_attribute),
    "ctypes open": ("open", plant_ctypes_open),
    "entry points": ("discovery", plant_entry_points),
    "getattr": ("look-up", plant_getattr),
    "dispatch": ("dispatch", plant_dispatch),
}


@pytest.mark.parametrize("mark", PLANTED)
def test_what_is_planted_is_found(mark: str) -> None:
    kind, function = PLANTED[mark]
    found = hot(function)
    line = line_of(mark)
    assert places(found) == {(kind, "test_hotpath.py", line): 1.0}
    (one,) = found.findings
    assert one.file == __file__
    assert one.source == linecache.getline(__file__, line).strip()
    assert one.where in found.verdict
    assert one.remedy in found.verdict or "the rest is the work itself" in found.verdict
    assert one.source in str(found)
    if one.each_ns is not None and one.share is not None:
        assert 0 <= one.each_ns <= found.ns.median
        assert 0 <= one.share <= 1


def test_what_a_look_up_costs_is_told() -> None:
    for mark in ("look-up", "open", "import", "signature", "ctypes item", "dispatch", "bind"):
        (one,) = hot(PLANTED[mark][1]).findings
        assert one.each_ns is not None and one.ns is not None and one.each_ns > 0, mark


def test_the_remedy_names_the_symbol() -> None:
    assert "look 'loads' up once, before the loop" in hot(plant_look_up).verdict


def test_a_clean_hot_path_has_no_findings() -> None:
    def clean() -> object:
        return LOADS("[1, 2]")

    found = hot(clean)
    assert found.findings == ()
    assert "no open, look-up, bind or signature check was inside it" in found.verdict
    assert str(found) == found.verdict
    assert found.counted >= 1 and found.calls >= 1


def two() -> object:
    plugin = jt.open("json")  # first of two
    return plugin.lookup("loads")("1")  # second of two


def test_two_at_once() -> None:
    found = hot(two)
    assert places(found) == {
        ("open", "test_hotpath.py", line_of("first of two")): 1.0,
        ("look-up", "test_hotpath.py", line_of("second of two")): 1.0,
    }
    assert "in 2 places" in found.verdict


def test_in_a_helper_of_another_file() -> None:
    found = hot(hot_helper.find_by, hot_helper.find, PLUGIN)
    line = line_of("found here", hot_helper.__file__)
    assert places(found) == {("look-up", "hot_helper.py", line): 1.0}


def test_how_often() -> None:
    calls = 0

    def sometimes() -> None:
        nonlocal calls
        calls += 1
        for _ in range(3):
            PLUGIN.lookup("loads")  # three times
        if calls % 2:
            jt.open("json")  # every other time

    by_line = {one.line: one.calls for one in hot(sometimes).findings}
    assert by_line[line_of("three times")] == 3.0
    assert 0 <= by_line.get(line_of("every other time"), 0.5) <= 1


def test_a_call_over_several_lines() -> None:
    def several() -> object:
        return PLUGIN.lookup(  # several lines
            "loads",
        )

    (one,) = hot(several).findings
    assert one.line == line_of("several lines")
    assert "look 'loads' up" in one.remedy


def test_only_the_outermost_counts() -> None:
    # A bind reads an interface, looks symbols up and takes signatures.
    (one,) = hot(plant_bind).findings
    assert one.what == "Plugin.bind"


@functools.singledispatch
def generic_with_more(value: object) -> object:
    return PLUGIN.lookup("loads")  # inside of a dispatch


def test_what_a_dispatched_call_does_is_looked_at() -> None:
    def dispatch() -> object:
        return generic_with_more(1)

    kinds = {one.kind: one.line for one in hot(dispatch).findings}
    assert set(kinds) == {"dispatch", "look-up"}
    assert kinds["look-up"] == line_of("inside of a dispatch")


def test_a_compiled_dispatch_is_no_finding() -> None:
    from jumptable.functools import singledispatch

    @singledispatch
    def compiled(value: object) -> object:
        return value

    assert hot(lambda: compiled(1)).findings == ()


def hooked(module: str) -> tuple[Any, Any]:
    pluggy: Any = pytest.importorskip("pluggy")
    made = importlib.import_module(module)
    spec: Any = pluggy.HookspecMarker("hot")
    implement: Any = pluggy.HookimplMarker("hot")

    class Specification:
        @spec  # type: ignore[untyped-decorator]
        def greet(self, name: str) -> None: ...

    class Plugin:
        @implement  # type: ignore[untyped-decorator]
        def greet(self, name: str) -> str:
            return name

    manager = made.PluginManager("hot")
    manager.add_hookspecs(Specification)
    manager.register(Plugin())
    return manager, Plugin


def test_pluggy_stock_and_compiled() -> None:
    manager, _ = hooked("pluggy")

    def greet() -> object:
        return manager.hook.greet(name="x")  # hook

    found = hot(greet)
    assert places(found) == {("dispatch", "test_hotpath.py", line_of("hook")): 1.0}
    assert found.findings[0].each_ns is not None
    assert "jumptable.pluggy.accelerate" in found.verdict
    manager, _ = hooked("jumptable.pluggy")
    assert hot(greet).findings == ()


def test_hooks_by_name_and_registering() -> None:
    manager, kind = hooked("pluggy")

    def by_name(name: str = "greet") -> object:
        return getattr(manager.hook, name)  # hook by name

    assert places(hot(by_name)) == {("look-up", "test_hotpath.py", line_of("hook by name")): 1.0}

    def register() -> None:
        plugin = kind()
        manager.register(plugin)  # register
        manager.unregister(plugin)  # unregister

    assert {(one.kind, one.line) for one in hot(register).findings} == {
        ("bind", line_of("register")),
        ("bind", line_of("unregister")),
    }


def test_metadata_and_processes() -> None:
    def discover() -> object:
        return importlib.metadata.entry_points(group="nobody.has.any")  # metadata

    def start() -> object:
        return subprocess.run([sys.executable, "-S", "-c", ""], check=True)  # process

    for function, kind, mark in (
        (discover, "discovery", "metadata"),
        (start, "process", "process"),
    ):
        assert set(places(hot(function))) == {(kind, "test_hotpath.py", line_of(mark))}


def test_cffi() -> None:
    ffi = pytest.importorskip("cffi").FFI()
    ffi.cdef("long labs(long);")
    if sys.platform == "win32":
        pytest.skip("needs a library of the process itself")

    def opens() -> object:
        return ffi.dlopen(None).labs  # cffi

    assert {(one.kind, one.line) for one in hot(opens).findings} >= {("open", line_of("cffi"))}


def test_a_builtin_is_a_hot_path_too() -> None:
    found = bench(PLUGIN.lookup, "loads", seconds=SHORT)  # a builtin
    assert places(found) == {("look-up", "test_hotpath.py", line_of("a builtin")): 1.0}


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
        line_of("after cProfile")  # after cProfile
    finally:
        profile.disable()
    assert len(found.findings) == 1
    names = {getattr(entry.code, "co_name", "") for entry in profile.getstats()}
    assert "line_of" in names


def test_it_can_be_called_from_inside() -> None:
    inner: list[HotPath] = []

    def nested() -> object:
        if len(inner) < 2:
            inner.append(hot(plant_look_up))
        return jt.open("json")  # in nested

    with unchanged():
        found = hot(nested)
    assert [len(one.findings) for one in inner] == [1, 1]
    assert ("open", "test_hotpath.py", line_of("in nested")) in places(found)


def test_threads_count_apart() -> None:
    from concurrent.futures import ThreadPoolExecutor

    functions = [plant_look_up, plant_open, plant_import, plant_signature] * 2
    with unchanged(), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(hot, functions))
    for function, one in zip(functions, found, strict=True):
        (only,) = one.findings
        start = function.__code__.co_firstlineno
        assert start < only.line < start + 3


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
        threading_sleep(0.05 if calls == 1 else 0.011)

    from time import sleep as threading_sleep

    found = bench(slow, seconds=0.02)
    assert 2 <= count <= 5
    assert found.empty_ns is None and found.calls >= 1
    assert "it is the work itself" in found.verdict


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
    ],
)
def test_what_only_makes_an_object(function: Any, remedy: str) -> None:
    with pytest.raises(TypeError) as caught:
        hot(function)
    assert remedy in str(caught.value)


def test_a_coroutine_that_is_run() -> None:
    found = hot(lambda: asyncio.run(coroutine()))
    assert ("open", line_of("in a coroutine")) in {(one.kind, one.line) for one in found.findings}


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
            "handle() costs 2.31 us a call, 92 % of it in a look-up at host.py:14: do better.",
        ),
        (
            made(2310, one_found(0.7), one_found(0.2, 15)),
            "handle() costs 2.31 us a call, 90 % of it in 2 places, most in a look-up at "
            "host.py:14 (70 %): do better.",
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
            "handle() costs 61.0 ns a call; no open, look-up, bind or signature check was inside "
            "it.",
        ),
        (
            made(61000),
            "handle() costs 61.0 us a call, and no open, look-up, bind or signature check was "
            "inside it: it is the work itself.",
        ),
    ],
)
def test_verdicts(found: HotPath, verdict: str) -> None:
    assert found.verdict == verdict


def test_times_are_readable() -> None:
    shown = [pretty(ns) for ns in (0.4, 61.04, 999.4, 999.9, 2310, 23100, 2.31e6, 5e9)]
    assert shown == ["0.4 ns", "61.0 ns", "999 ns", "1.00 us", "2.31 us", "23.1 us", "2.31 ms",
                     "5.00 s"]  # fmt: skip
