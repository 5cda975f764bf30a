"""What tables leave behind: nothing, as long as C has not asked for their slots."""

from __future__ import annotations

import ctypes
import gc
import sys
import weakref
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile, Run

NAMES = ("one", "two", "three", "four", "five")

HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
with_gil = pytest.mark.skipif(
    not HAS_GIL, reason="on free-threaded builds, facades and slots live as long as the process"
)

BINDING = """
import gc, importlib.util, sys
import jumptable as jt

kind, binds, host, library = sys.argv[1:]
spec = importlib.util.spec_from_file_location("fire_host", host)
fire_host = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fire_host)
names = ("one", "two", "three", "four", "five")
plugin = jt.open(library)

class Five:
    def __init__(self): self.ballast = bytearray(1000)
    def one(self): return 1
    two = three = four = five = one

table = jt.Table(dict.fromkeys(names, "int64_t()"), count=kind == "counting")
slots = []
if kind in ("known to C", "alternating"):
    for name in names:
        for suffix in ("", " nogil"):
            slots.append(fire_host.get_slot(table, name, "int64_t()" + suffix))
native = {name: plugin.lookup(name, "int64_t()") for name in names}

def swap(number):
    if kind == "plugin" or (kind == "alternating" and number % 2):
        table.bind(plugin)
    elif kind == "functions":
        table.bind(native)
    elif kind == "failing":
        try: table.bind({**native, "three": 5})
        except jt.InterfaceError: return
        raise AssertionError
    elif kind == "new tables":
        fresh = jt.Table(dict.fromkeys(names), count=True)
        fresh.bind(Five())
        fresh.slot("one")()
    else:
        table.bind(Five())
    table.slot("one")
    if slots:
        fire_host.call("int64_t", slots[number % 10], None, False)

def used():
    gc.collect()
    return sys.getallocatedblocks()

# CPython 3.10 gives a function caches of its own at its 1024th call.
for number in range(1100): swap(number)
before = used()
for number in range(int(binds)): swap(number)
grown = used() - before
# One block each hundredth time would show.
assert grown < max(20, int(binds) // 100), grown
"""


@with_gil
@pytest.mark.parametrize(
    ("kind", "binds"),
    [
        ("objects", 10_000),
        ("counting", 10_000),
        ("plugin", 10_000),
        ("known to C", 10_000),
        ("alternating", 10_000),
        # These are slower: they look for signatures, close names, or make a class each.
        ("functions", 1000),
        ("failing", 1000),
        ("new tables", 1000),
    ],
)
def test_ten_thousand_binds(
    run_python: Run, fire_host_path: Any, compile_plugin: Compile, kind: str, binds: int
) -> None:
    library = compile_plugin("five", None, "-DIDENTITY=1")
    run_python(BINDING, kind, binds, fire_host_path, library)


class Target:
    """Something that can refer back to its table, and be watched."""

    table: Any = None

    def __call__(self) -> int:
        return 1


@with_gil
@pytest.mark.parametrize("count", [False, True])
@pytest.mark.parametrize("cycle", [False, True])
def test_tables_are_collected(count: bool, cycle: bool) -> None:
    table = jt.Table(dict.fromkeys(NAMES), count=count)
    targets = [Target() for _ in NAMES]
    if cycle:
        targets[0].table = table
        targets[1].table = table.facade
        targets[2].table = table.slot("three")
    table.bind(dict(zip(NAMES, targets, strict=True)))
    slots = [table.slot(name) for name in NAMES]
    assert [slot() for slot in slots] == [1] * 5
    watched = [weakref.ref(one) for one in (table, *targets)]
    del table, targets, slots
    if not cycle:  # by reference count alone
        assert [one() for one in watched] == [None] * 6
    gc.collect()
    assert [one() for one in watched] == [None] * 6


@with_gil
def test_an_interface_that_holds_its_own_table_is_collected() -> None:
    class Interface:
        table: Any

        def one(self) -> int:
            return 0

    Interface.table = jt.Table(Interface)
    Interface.table.bind({"one": lambda: 1})
    watched = [weakref.ref(Interface), weakref.ref(Interface.table)]
    del Interface
    gc.collect()
    assert [one() for one in watched] == [None, None]


@pytest.mark.parametrize("count", [False, True])
def test_a_facade_and_a_slot_outlive_their_table(count: bool) -> None:
    table = jt.Table(dict.fromkeys(NAMES), count=count)
    target = Target()
    table.bind(dict.fromkeys(NAMES, target))
    facade, slot = table.facade, table.slot("two")
    gone = weakref.ref(table)
    alive = weakref.ref(target)
    del table, target
    gc.collect()
    assert gone() is None
    for _ in range(1000):
        assert facade.one() == slot() == facade.two() == 1
    del slot
    assert facade.five() == 1
    if HAS_GIL:
        del facade
        gc.collect()
        assert alive() is None


def test_a_table_that_c_knows_stays(fire_host: Any) -> None:
    table = jt.Table({"one": "int64_t()"})
    table.bind({"one": lambda: 5})
    slot = fire_host.get_slot(table, "one", "int64_t() nogil")
    stays = weakref.ref(table)
    del table
    gc.collect()
    assert fire_host.call("int64_t", slot) == "5"
    found = stays()
    assert found is not None
    assert fire_host.get_slot(found, "one", "int64_t()nogil") == slot
    found.bind({"one": lambda: 6})
    assert fire_host.call("int64_t", slot) == "6"


def test_from_pointer_is_kept_while_c_may_still_call_it(
    fire_host: Any, compile_plugin: Compile
) -> None:
    """What owns its code may free it, so C's table keeps it; without C, it goes."""
    address = jt.open(compile_plugin("five", None, "-DIDENTITY=1")).lookup("one", "int64_t()")
    kept = []
    for known in (True, False):
        table = jt.Table({"one": "int64_t()"})
        if known:
            fire_host.get_slot(table, "one", "int64_t()")
        owner = ctypes.CFUNCTYPE(ctypes.c_int64)(address.__self__.address)
        jt.from_pointer(owner, "int64_t()")  # ctypes keeps a reference after the first cast
        before = sys.getrefcount(owner)
        for _ in range(10):
            table.bind({"one": jt.from_pointer(owner, "int64_t()", "one")})
        table.bind({"one": lambda: 2})
        gc.collect()
        kept.append(sys.getrefcount(owner) - before)
    assert kept == [1, 0]


def test_failed_binds_keep_nothing() -> None:
    table = jt.Table(dict.fromkeys(NAMES))
    target = Target()
    alive = weakref.ref(target)
    with pytest.raises(jt.InterfaceError):
        table.bind({**dict.fromkeys(NAMES, target), "five": 5})
    with pytest.raises(ValueError, match="six"):
        table.bind(dict.fromkeys(NAMES, target), only=("one", "six"))
    del target
    gc.collect()
    assert alive() is None
