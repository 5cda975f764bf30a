"""What a table gives its host: the facade, slots, counts; and the table as an object."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import pytest

import jumptable as jt
from tests.binding.test_table import MAPPING, Doubling, Filter, Plain

# ---- the facade --------------------------------------------------------------------------


def test_a_facade_is_an_instance_of_a_runtime_checkable_protocol(basic: jt.Plugin) -> None:
    table = jt.Table(Filter)
    assert isinstance(table.facade, Filter)
    table.bind(basic)
    assert isinstance(table.facade, Filter)

    @runtime_checkable
    class Other(Protocol):
        def nothing(self) -> None: ...

    assert not isinstance(table.facade, Other)


@pytest.mark.parametrize("count", [False, True])
def test_facades_are_read_only(count: bool) -> None:
    table = jt.Table(Filter, count=count)
    facade: Any = table.facade
    before = facade.half
    for name in ("half", "other", "__class__", "__dict__"):
        with pytest.raises(AttributeError, match=f"cannot assign '{name}' of a facade of Filter"):
            setattr(facade, name, abs)
        with pytest.raises(AttributeError, match=f"cannot assign '{name}' of a facade of Filter"):
            delattr(facade, name)
    with pytest.raises(AttributeError, match="nope"):
        _ = facade.nope
    assert facade.half is before
    assert not hasattr(facade, "__dict__")


def test_a_facade_outlives_its_table() -> None:
    table = jt.Table(Filter, count=True)
    table.bind(Plain())
    facade, slot, watch = table.facade, table.slot("negate"), weakref.ref(table)
    del table
    gc.collect()
    assert watch() is None
    assert (facade.half(3.0), slot(2)) == (1.5, -2)


def test_reprs(basic: jt.Plugin) -> None:
    table = jt.Table(Filter)
    table.bind(basic)
    assert repr(table) == "<Table of Filter, 2 slots, generation 1>"
    assert repr(table.facade) == "<facade of Filter: half, negate>"
    assert repr(table.slot("half")) == f"<slot 'half' of Filter: {table.facade.half!r}>"
    assert repr(jt.Table(MAPPING)) == "<Table of {half, negate}, 2 slots, generation 0>"
    long = jt.Table({f"slot{index}": None for index in range(1000)})
    assert len(repr(long)) < 100


# ---- slots -------------------------------------------------------------------------------


class Sized(Protocol):
    def resize(self, size: int, *, mode: str = "fit") -> str: ...


@pytest.mark.parametrize("count", [False, True])
def test_a_slot_calls_as_its_target_does(count: bool) -> None:
    table = jt.Table(Sized, count=count)

    def resize(size: int, *, mode: str = "fit") -> str:
        return f"{size} {mode}"

    table.bind({"resize": resize})
    slot = table.slot("resize")
    assert (slot(1), slot(1, mode="fill"), slot(size=2)) == ("1 fit", "1 fill", "2 fit")
    assert slot(*(3,), mode="crop") == "3 crop"
    assert slot.__call__(4) == "4 fit"
    assert inspect.signature(slot) == inspect.signature(resize)
    assert (slot.__wrapped__, slot.__name__) == (resize, "resize")
    with pytest.raises(TypeError, match=r"resize\(\) takes 1 positional argument but 2"):
        slot(1, 2)
    table.bind({"resize": lambda size, *, mode="": 1 // 0})
    with pytest.raises(ZeroDivisionError):
        slot(1)
    table.bind({"resize": lambda size, *, mode="else": mode})
    assert slot(1) == "else"
    assert str(inspect.signature(slot)) == "(size, *, mode='else')"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hal", "a table of Filter has no slot 'hal'; did you mean 'half'"),
        ("", "no slot ''"),
        (5, "no slot 5"),
        (None, "no slot None"),
    ],
)
def test_slots_that_are_none(name: Any, message: str) -> None:
    with pytest.raises(AttributeError, match=message):
        jt.Table(Filter).slot(name)


def test_a_slot_bound_to_itself_is_a_recursion_error() -> None:
    one, other = jt.Table(Filter), jt.Table(Filter)
    one.bind(Plain())
    other.bind({"half": one.slot("half"), "negate": abs})
    one.bind({"half": other.slot("half")}, only=("half",))
    for call in (one.facade.half, other.facade.half, one.slot("half")):
        with pytest.raises(RecursionError):
            call(1.0)
        with pytest.raises(RecursionError):
            repr(call)
    one.bind(Plain())
    assert other.facade.half(3.0) == 1.5


# ---- counting ----------------------------------------------------------------------------


def test_calls_are_counted_by_slot_and_by_facade(basic: jt.Plugin) -> None:
    table = jt.Table(Filter, count=True)
    assert table.calls == {"half": 0, "negate": 0}
    captured = table.facade.half
    for source in (basic, Plain()):
        table.bind(source)
        table.facade.half(1.0)
        captured(1.0)  # the slot itself: it follows, and counts
        table.slot("negate")(1)
    with pytest.raises(TypeError):
        table.facade.half("x")  # type: ignore[arg-type]
    assert table.calls == {"half": 5, "negate": 2}
    table.calls["half"] = 0  # a copy
    assert table.calls["half"] == 5


def test_calls_of_many_threads_are_all_counted(basic: jt.Plugin) -> None:
    """Also while the table is bound again, and those that raise."""
    threads, times = 8, 20_000
    table = jt.Table(Filter, count=True)
    table.bind(basic)
    start = threading.Barrier(threads + 1)
    ended: list[object] = []

    def call(half: Callable[[float], float], facade: Filter) -> None:
        start.wait()
        try:
            for _ in range(times):
                half(1.0)
                facade.negate(1)
            for _ in range(100):
                with suppress(TypeError):
                    facade.negate("x")  # type: ignore[arg-type]
        finally:
            ended.append(None)

    running = [
        threading.Thread(target=call, args=(table.slot("half"), table.facade))
        for _ in range(threads)
    ]
    for thread in running:
        thread.start()
    start.wait()
    seen = [table.calls]
    while len(ended) < threads:
        table.bind(Plain() if table.generation % 2 else basic)
        seen.append(table.calls)
    for thread in running:
        thread.join()
    assert table.calls == {"half": threads * times, "negate": threads * (times + 100)}
    for before, after in pairwise(seen):
        assert all(before[name] <= after[name] for name in before)


def test_a_table_that_does_not_count_says_so() -> None:
    table = jt.Table(Filter)
    with pytest.raises(
        AttributeError, match=r"does not count calls; make it with Table\(\.\.\., c"
    ):
        _ = table.calls


# ---- as an object ------------------------------------------------------------------------


def test_nothing_is_pickled_or_copied() -> None:
    table = jt.Table(Filter)
    for thing in (table, table.facade, table.slot("half")):
        attempts: tuple[Callable[[Any], object], ...] = (pickle.dumps, copy.copy, copy.deepcopy)
        for attempt in attempts:
            with pytest.raises(TypeError, match="cannot pickle"):
                attempt(thing)


def test_nothing_is_subclassed_or_made_by_hand() -> None:
    slot = jt.Table(Filter).slot("half")
    for cls in (jt.Table, type(slot)):
        with pytest.raises(TypeError, match="is not an acceptable base type"):
            type("Mine", (cls,), {})
    with pytest.raises(TypeError, match=r"made by Table.slot\(name\)"):
        type(slot)()
    table: Any = jt.Table(Filter)
    for name in ("names", "facade", "generation", "plugin", "calls", "other"):
        with pytest.raises(AttributeError):
            setattr(table, name, None)


def test_table_is_generic_at_run_time() -> None:
    alias: Any = jt.Table[Filter]
    assert (alias.__origin__, alias.__args__) == (jt.Table, (Filter,))
    assert isinstance(alias(Filter), jt.Table)


def test_tables_are_collected_with_what_they_are_bound_to() -> None:
    class Owner(Plain):
        def __init__(self) -> None:
            self.table = jt.Table(Filter)
            self.table.bind(self)
            self.slot = self.table.slot("half")

    watches: list[Any] = []
    for count in (False, True):
        owner = Owner()
        if count:
            owner.table = jt.Table(Filter, count=True)
            owner.table.bind(owner)
        watches += [weakref.ref(owner), weakref.ref(owner.table)]
        del owner
    gc.collect()
    if not hasattr(sys, "_is_gil_enabled"):  # facades live on there
        assert [watch() for watch in watches] == [None] * 4


def test_replaced_targets_are_given_up() -> None:
    table = jt.Table(Filter)
    source = Plain()
    watch = weakref.ref(source)
    table.bind(source)
    table.bind(Doubling())
    del source
    gc.collect()
    assert watch() is None
