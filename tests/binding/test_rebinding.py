"""Binds at awkward moments, and binds that fail: a table is bound as a whole, or as it was."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile, Run

NAMES = ("one", "two", "three", "four", "five")
SIGNATURE = "int64_t()"


class Five:
    """The interface of tests/plugins/five.c."""

    def one(self) -> int:
        return 0

    two = three = four = five = one


def bound_to(value: object) -> dict[str, Callable[[], object]]:
    return {name: lambda: value for name in NAMES}


@contextmanager
def auditing(event: str, hook: Callable[[tuple[Any, ...]], None]) -> Iterator[None]:
    """Hooks cannot be removed, so this one ends by doing nothing."""
    active = True

    def listen(name: str, args: tuple[Any, ...]) -> None:
        if active and name == event:
            hook(args)

    sys.addaudithook(listen)
    try:
        yield
    finally:
        active = False


# ---- from inside ----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [False, True])
@pytest.mark.parametrize("by", ["facade", "slot"])
def test_from_inside_the_call_that_is_swapped(by: str, count: bool) -> None:
    table = jt.Table(dict.fromkeys(NAMES), count=count)
    slot = table.slot("one")

    def call() -> Any:
        return slot() if by == "slot" else table.facade.one()

    def old() -> tuple[str, object]:
        # Nothing but the call itself holds this function when the swap is over.
        table.bind(bound_to("new"))
        gc.collect()
        return "old", call()

    table.bind({**bound_to(0), "one": old})
    alive = weakref.ref(old)
    del old
    assert call() == ("old", "new")
    assert call() == "new"
    gc.collect()
    assert alive() is None


def test_from_inside_a_call_from_c(fire_host: Any) -> None:
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    slot = fire_host.get_slot(table, "one", "int64_t() nogil")

    def old() -> int:
        table.bind(bound_to(2))
        return 1

    table.bind({**bound_to(0), "one": old})
    del old
    assert [fire_host.call("int64_t", slot) for _ in range(3)] == ["1", "2", "2"]


@pytest.mark.parametrize("count", [False, True])
def test_from_del_of_what_was_replaced(count: bool) -> None:
    """It finds the table as the bind left it, and what it binds stays."""
    table = jt.Table(dict.fromkeys(NAMES), count=count)
    seen: list[tuple[int, list[object]]] = []

    class Dying:
        def __call__(self) -> str:
            return "dying"

        def __del__(self) -> None:
            seen.append((table.generation, [getattr(table.facade, name)() for name in NAMES]))
            table.bind({"five": lambda: "from __del__"}, only=("five",))

    table.bind({**bound_to("first"), "three": Dying()})
    table.bind(bound_to("second"))
    assert seen == [(2, ["second"] * 5)]
    assert [getattr(table.facade, name)() for name in NAMES] == ["second"] * 4 + ["from __del__"]
    assert table.generation == 3


def test_each_replaced_target_binds_in_its_del(fire_host: Any) -> None:
    """A hundred targets, each of which binds when it dies: none is lost, and C follows."""
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    slots = [fire_host.get_slot(table, name, SIGNATURE + " nogil") for name in NAMES]
    dead = 0

    class Dying:
        def __call__(self) -> int:
            return 1

        def __del__(self) -> None:
            nonlocal dead
            dead += 1
            if dead < 100:
                table.bind({name: Dying() for name in NAMES})
            else:
                table.bind(bound_to(7))

    table.bind({name: Dying() for name in NAMES})
    table.bind(bound_to(1))
    gc.collect()
    assert dead >= 100
    table.bind(bound_to(8))
    assert [fire_host.call("int64_t", slot) for slot in slots] == ["8"] * 5


def test_from_a_weakref_callback() -> None:
    table = jt.Table(dict.fromkeys(NAMES))

    class Target:
        def __call__(self) -> str:
            return "target"

    target = Target()
    table.bind({**bound_to("first"), "one": target})
    reference = weakref.ref(target, lambda _: table.bind(bound_to("from the callback")))
    del target
    assert table.facade.one() == "target"
    table.bind(bound_to("second"))
    assert reference() is None
    assert [getattr(table.facade, name)() for name in NAMES] == ["from the callback"] * 5
    assert table.generation == 3


@pytest.mark.parametrize("caller", ["facade", "slot", "c"])
def test_while_a_call_sleeps(fire_host: Any, caller: str) -> None:
    """The call that is under way finishes in the old target, and holds it; new ones don't wait."""
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    slot = fire_host.get_slot(table, "one", SIGNATURE + " nogil")
    calls: dict[str, Callable[[], Any]] = {
        "facade": lambda: table.facade.one(),
        "slot": table.slot("one"),
        "c": lambda: int(fire_host.call("int64_t", slot)),
    }
    call = calls[caller]
    inside, wake = threading.Event(), threading.Event()

    class Sleeper:
        def __call__(self) -> int:
            inside.set()
            assert wake.wait(60)
            return 1

    table.bind({**bound_to(0), "one": Sleeper()})
    results: list[Any] = []
    sleeper = threading.Thread(target=lambda: results.append(call()))
    sleeper.start()
    assert inside.wait(60)
    table.bind(bound_to(2))
    gc.collect()
    assert call() == 2
    assert results == []
    wake.set()
    sleeper.join()
    assert results == [1]


def test_a_table_that_is_bound_while_its_plugin_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The bind inside comes first; the one around it is complete as well, and stays."""
    (tmp_path / "binding_itself.py").write_text(
        "tables = []\n"
        "class New:\n"
        "    def __init__(self):\n"
        "        for table in tables:\n"
        "            table.bind(dict.fromkeys(table.names, lambda: 'inside'))\n"
        "            assert table.facade.one() == 'inside' and table.generation == 1\n"
        "    def one(self): return 'around'\n"
        "    two = three = four = five = one\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = jt.open("binding_itself:New")
    table = jt.Table(dict.fromkeys(NAMES))
    sys.modules["binding_itself"].tables.append(table)
    table.bind(plugin)
    assert [getattr(table.facade, name)() for name in NAMES] == ["around"] * 5
    assert table.generation == 2 and table.plugin is plugin


def test_an_audit_hook_that_binds() -> None:
    table = jt.Table(dict.fromkeys(NAMES))
    depth = 0

    def hook(args: tuple[Any, ...]) -> None:
        nonlocal depth
        if depth < 3:
            depth += 1
            table.bind(bound_to(f"depth {depth}"))

    with auditing("jumptable.swap", hook):
        table.bind(bound_to("outermost"))
    assert [getattr(table.facade, name)() for name in NAMES] == ["outermost"] * 5
    assert table.generation == 4


def test_an_audit_hook_that_refuses() -> None:
    table = jt.Table(dict.fromkeys(NAMES))
    table.bind(bound_to(1))

    def refuse(args: tuple[Any, ...]) -> None:
        raise PermissionError("no swaps today")

    with auditing("jumptable.swap", refuse), pytest.raises(PermissionError):
        table.bind(bound_to(2))
    assert table.facade.one() == 1 and table.generation == 1


@contextmanager
def while_a_callback_is_made(act: Callable[[], object]) -> Iterator[None]:
    """Once; callbacks are made in Python, and so other threads may run meanwhile."""
    pending = True

    def profile(frame: Any, event: str, arg: object) -> None:
        nonlocal pending
        made = event == "call" and frame.f_code.co_filename.endswith("callbacks.py")
        if made and pending and frame.f_code.co_name == "__init__":
            pending = False
            sys.setprofile(None)
            act()

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)
    assert not pending


def test_c_asks_for_another_slot_during_a_bind(fire_host: Any, compile_plugin: Compile) -> None:
    plugin = jt.open(compile_plugin("five", None, "-DIDENTITY=1"))
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    table.bind(plugin)
    slots = [fire_host.get_slot(table, "one", SIGNATURE)]
    with while_a_callback_is_made(
        lambda: slots.append(fire_host.get_slot(table, "two", SIGNATURE))
    ):
        table.bind(bound_to(2))
    assert [fire_host.call("int64_t", slot, None, False) for slot in slots] == ["2", "2"]
    assert [fire_host.generation(slot) for slot in slots] == [2, 2]


def test_a_bind_while_c_asks_for_a_slot(fire_host: Any, compile_plugin: Compile) -> None:
    plugin = jt.open(compile_plugin("five", None, "-DIDENTITY=1"))
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    with while_a_callback_is_made(lambda: table.bind(plugin)):
        slot = fire_host.get_slot(table, "one", SIGNATURE)
    function = table.facade.one
    assert fire_host.generation(slot) == 1
    word = ctypes.c_void_p.from_address(slot).value
    assert word == function.__self__.address


def test_a_slot_that_ends_up_calling_itself() -> None:
    tables = [jt.Table({"one": None}) for _ in range(2)]
    for table, other in zip(tables, reversed(tables), strict=True):
        table.bind({"one": other.slot("one")})
    with pytest.raises(RecursionError):
        tables[0].facade.one()
    tables[1].bind({"one": lambda: 5})
    assert tables[0].facade.one() == 5


# ---- binds that fail ------------------------------------------------------------------------


class Watched:
    """A table of five, bound to a plugin and known to C, and all of its state."""

    def __init__(self, host: Any, plugin: jt.Plugin, *, count: bool) -> None:
        self.table = jt.Table(Five, count=count)
        self.table.bind(plugin)
        self.slots = [
            host.get_slot(self.table, name, SIGNATURE + suffix)
            for name in NAMES
            for suffix in ("", " nogil")
        ]

    def state(self) -> tuple[object, ...]:
        facade = self.table.facade
        targets = [getattr(facade, name) for name in NAMES]
        return (
            id(facade),
            [id(target) for target in targets],
            [id(self.table.slot(name).__wrapped__) for name in NAMES],
            self.table.generation,
            id(self.table.plugin),
            [ctypes.string_at(slot, 128) for slot in self.slots],
            self.table.calls if hasattr(self.table, "calls") else None,
        )


@pytest.fixture(params=[False, True], ids=["plain", "counting"])
def watched(request: pytest.FixtureRequest, fire_host: Any, compile_plugin: Compile) -> Watched:
    plugin = jt.open(compile_plugin("five", None, "-DIDENTITY=1"))
    return Watched(fire_host, plugin, count=request.param)


def taking_one(self: object, extra: object) -> int:
    return 0


class Raising:
    def __get__(self, instance: object, owner: object = None) -> object:
        raise KeyError("a property that fails")


BROKEN = {"missing": None, "no callable": 5, "misfit": taking_one, "raising": Raising()}


def sources(name: str, how: str) -> list[Any]:
    """An object and a mapping that lack one method, or have something that doesn't fit."""
    methods: dict[str, Any] = {one: lambda self=None: 2 for one in NAMES}
    del methods[name]
    if how != "missing":
        methods[name] = BROKEN[how]
    instance = type("Source", (), methods)()
    if how == "raising":
        return [instance]
    functions: dict[str, Any] = {one: lambda: 2 for one in NAMES if one in methods}
    if how != "missing":
        functions[name] = methods[name]
    return [instance, SimpleNamespace(**functions), functions]


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("name", NAMES)
def test_a_failed_bind_changes_nothing(watched: Watched, name: str, how: str) -> None:
    before = watched.state()
    for source in sources(name, how):
        with pytest.raises(jt.InterfaceError, match=name):
            watched.table.bind(source)
        for only in ((name,), (name, "one", "five"), NAMES):
            asked = source
            if isinstance(source, dict):
                asked = {one: source[one] for one in only if one in source}
            with pytest.raises(jt.InterfaceError, match=name):
                watched.table.bind(asked, only=only)
        assert watched.state() == before
    # Nothing of it waits to be bound by the next one.
    others = tuple(one for one in NAMES if one != name)
    watched.table.bind({one: lambda: 3 for one in others}, only=others)
    after = watched.state()
    assert watched.table.generation == 2
    index = NAMES.index(name)
    assert [getattr(watched.table.facade, one)() for one in NAMES] == [
        1 if one == name else 3 for one in NAMES
    ]
    assert after[1][index] == before[1][index]  # type: ignore[index]
    assert after[5][2 * index : 2 * index + 2] == before[5][2 * index : 2 * index + 2]  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_a_native_plugin_that_lacks_one(
    watched: Watched, compile_plugin: Compile, name: str
) -> None:
    lacking = jt.open(compile_plugin("five", None, "-DIDENTITY=2", f"-D{name}=other_name"))
    before = watched.state()
    with pytest.raises(jt.InterfaceError, match=name):
        watched.table.bind(lacking)
    with pytest.raises(jt.InterfaceError, match=name):
        watched.table.bind(lacking, only=("one", name, "five"))
    assert watched.state() == before


@pytest.mark.parametrize(
    ("only", "error"),
    [
        ("one", TypeError),
        ((), ValueError),
        (("one", "six"), ValueError),
        ((1,), ValueError),
        (([],), TypeError),
        (7, TypeError),
    ],
)
def test_an_only_that_names_no_slots(watched: Watched, only: Any, error: type[Exception]) -> None:
    before = watched.state()
    with pytest.raises(error):
        watched.table.bind(bound_to(2), only=only)
    assert watched.state() == before


def test_what_only_leaves_out_stays(watched: Watched, fire_host: Any) -> None:
    before = watched.state()
    watched.table.bind({"two": lambda: 2, "four": lambda: 4}, only=("four", "two"))
    assert [getattr(watched.table.facade, name)() for name in NAMES] == [1, 2, 1, 4, 1]
    assert [fire_host.call("int64_t", slot) for slot in watched.slots] == [
        number for number in "12141" for _ in range(2)
    ]
    assert [fire_host.generation(slot) for slot in watched.slots] == [
        number for number in (1, 2, 1, 2, 1) for _ in range(2)
    ]
    after = watched.state()
    for index in (0, 2, 4):
        assert after[5][2 * index : 2 * index + 2] == before[5][2 * index : 2 * index + 2]  # type: ignore[index]


OUT_OF_MEMORY = """
import sys
import _testcapi
import jumptable as jt

names = [f"m{index}" for index in range(5)]
table = jt.Table(dict.fromkeys(names))
first = {name: (lambda: 1) for name in names}
second = {name: (lambda: 2) for name in names}
table.bind(first)
table.bind(first)
facade = table.facade
outcomes = set()
for allocations in range(200):
    binds = table.generation
    _testcapi.set_nomemory(allocations)
    try:
        table.bind(second)
    except MemoryError:
        done = False
    else:
        done = True
    finally:
        _testcapi.remove_mem_hooks()
    found = {getattr(facade, name)() for name in names}
    assert found == ({2} if done else {1}), (allocations, found)
    assert table.generation == binds + done
    outcomes.add(done)
    table.bind(first)
assert outcomes == {False, True}
"""


def test_out_of_memory_at_every_allocation(run_python: Run) -> None:
    pytest.importorskip("_testcapi")
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("the allocator's hooks don't cover a free-threaded build's objects")
    run_python(OUT_OF_MEMORY)
