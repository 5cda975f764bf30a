"""What a hot path should be without is found, on the right line, as often as it happens.

No test here asks how long anything took. Each planted operation is on a line with a mark of its
own, ``# its name``, by which the test knows where it should be found.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import inspect
import linecache
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import pytest
from tests.measuring import hot_helper
from tests.measuring.hot_helper import SHORT, hot, marked, places

import jumptable as jt
from jumptable.measuring.hotpath import bench

pytestmark = pytest.mark.thread_unsafe(reason="each counts for its own thread; seconds add up")


def line_of(mark: str, file: str = __file__) -> int:
    return marked(mark, file)


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
    assert "look 'loads' up once, before the loop" in hot(plant_look_up).findings[0].remedy


def test_a_clean_hot_path_has_no_findings() -> None:
    def clean() -> object:
        return LOADS("[1, 2]")

    found = hot(clean)
    assert found.findings == ()
    assert "no open, look-up, bind or signature check was seen in it" in found.verdict
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
    assert len(str(found).splitlines()) == 8


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
    assert "jumptable.pluggy.accelerate" in found.findings[0].remedy
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
