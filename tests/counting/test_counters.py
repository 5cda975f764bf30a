"""Counters in this process: many by name, in stripes that they share."""

from __future__ import annotations

import copy
import ctypes
import pickle
import sys
import sysconfig
import weakref
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt

CELL = 128
STRIPES = [1, 2, 64]


def test_each_name_is_an_attribute_and_an_item() -> None:
    stats = jt.Counters(["hits", "misses"])
    assert (stats.names, list(stats), len(stats)) == (("hits", "misses"), ["hits", "misses"], 2)
    assert stats.path is None
    for name in stats:
        counter = getattr(stats, name)
        assert type(counter) is jt.Counter
        assert counter is stats[name] is vars(stats)[name]
        assert (counter.name, counter.plugin) == (name, None)
        assert name in stats
    assert "other" not in stats and 1 not in stats and "names" not in stats
    stats.hits.add(3)
    assert (stats.hits.value, stats.misses.value) == (3, 0)
    assert repr(stats) == "<Counters hits, misses>"
    assert repr(stats.hits) == "<Counter 'hits': 3>"


def test_names_may_come_from_any_iterable() -> None:
    assert jt.Counters(name for name in "ab").names == ("a", "b")
    assert jt.Counters({"a": 1, "b": 2}).names == ("a", "b")


def test_names_that_are_no_identifiers() -> None:
    names = ("two words", "é", "1", "a.b", "class", "x" * 5000, "\n", "\U0001f600")
    stats = jt.Counters(names)
    for number, name in enumerate(names):
        stats[name].add(number)
        stats[name] += 100
    assert stats.snapshot() == {name: number + 100 for number, name in enumerate(names)}


@pytest.mark.parametrize("path", [None, "file"])
def test_names_may_come_from_an_enumeration(path: str | None, tmp_path: Path) -> None:
    class Name(str, Enum):
        HITS = "hits"
        MISSES = "misses"

    stats = jt.Counters(Name, path=path and tmp_path / path)
    stats.hits.add(2)
    stats[Name.MISSES].add(3)
    assert stats.snapshot() == {"hits": 2, "misses": 3}
    assert [type(name) for name in stats.names] == [str, str]


@pytest.mark.parametrize("path", [None, "file"])
@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("hits", TypeError, "several names, as in Counters(['hits'])"),
        (b"hits", TypeError, "several names, as in Counters([b'hits'])"),
        ([1], TypeError, "a counter's name is a str, not int"),
        (["a", None], TypeError, "a counter's name is a str, not NoneType"),
        (3, TypeError, "not iterable"),
        ([""], ValueError, "cannot be named ''"),
        (["a\0b"], ValueError, r"cannot be named 'a\x00b'"),
        (["_a"], ValueError, "cannot be named '_a'"),
        (["__class__"], ValueError, "begins with no underscore"),
        (["a", "b", "a"], ValueError, "two counters are named 'a'"),
        *(
            ([name], ValueError, f"cannot be named '{name}': that is an attribute of Counters")
            for name in ("names", "path", "stripes", "snapshot", "reset")
        ),
    ],
)
def test_names_that_are_refused(
    names: Any,
    error: type[Exception],
    message: str,
    path: str | None,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        jt.Counters(names, path=path)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, "file"])
def test_names_that_no_file_can_hold(
    path: str | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lone surrogate is no UTF-8; in memory nothing says so."""
    monkeypatch.chdir(tmp_path)
    if path is None:
        assert jt.Counters(["\ud800"]).names == ("\ud800",)
        return
    with pytest.raises(ValueError, match="utf-8"):
        jt.Counters(["\ud800"], path=path)
    assert list(tmp_path.iterdir()) == []


def test_names_are_needed() -> None:
    with pytest.raises(TypeError, match=r"takes the counters' names, as in Counters\(\['hits'"):
        jt.Counters()
    with pytest.raises(TypeError):
        jt.Counters(["a"], 2)  # type: ignore[call-arg]


def test_adding_in_place_loses_nothing() -> None:
    stats = jt.Counters(["hits", "two words"])
    hits = stats.hits
    for _ in range(10):
        stats.hits += 5
        stats.hits -= 2
        stats["two words"] += 1
    assert stats.hits is hits
    assert stats.snapshot() == {"hits": 30, "two words": 10}


@pytest.mark.parametrize(
    "store",
    [
        lambda stats: setattr(stats, "hits", 3),
        lambda stats: setattr(stats, "hits", stats.misses),
        lambda stats: setattr(stats, "hits", jt.Counter()),
        lambda stats: setattr(stats, "hits", None),
        lambda stats: setattr(stats, "other", None),
        lambda stats: setattr(stats, "other", 3),
        lambda stats: setattr(stats, "names", ()),
        lambda stats: setattr(stats, "_all", {}),
        lambda stats: stats.__setitem__("hits", 3),
        lambda stats: stats.__setitem__("other", stats.hits),
        lambda stats: delattr(stats, "hits"),
        lambda stats: delattr(stats, "other"),
    ],
)
def test_every_other_store_is_refused(store: Callable[[jt.Counters], None]) -> None:
    stats = jt.Counters(["hits", "misses"])
    stats.hits.add(7)
    before = dict(vars(stats))
    with pytest.raises(AttributeError, match="of Counters"):
        store(stats)
    assert vars(stats) == before
    assert stats.snapshot() == {"hits": 7, "misses": 0}


def test_what_a_refused_store_says() -> None:
    stats = jt.Counters(["hits"])
    with pytest.raises(AttributeError) as caught:
        stats.hits = 0  # type: ignore[assignment]
    assert str(caught.value) == (
        "cannot assign 'hits' of Counters: add with stats.hits.add(n), or count from 0 again with "
        "stats.hits.reset()"
    )


def test_what_a_store_to_no_counter_says() -> None:
    stats = jt.Counters(["hits"])
    with pytest.raises(AttributeError, match="cannot assign 'hit' .* nothing else.* are 'hits'"):
        stats.hit = stats.hits


def test_missing_names() -> None:
    stats = jt.Counters(["hits", "misses"])
    with pytest.raises(KeyError, match="no counter 'hit' among 'hits', 'misses'"):
        stats["hit"]
    with pytest.raises(AttributeError, match="'hit'"):
        stats.hit  # noqa: B018


@pytest.mark.parametrize("stripes", STRIPES)
def test_snapshot_and_reset(stripes: int) -> None:
    stats = jt.Counters(["a", "b", "c"], stripes=stripes)
    for number, name in enumerate(stats):
        stats[name].add(number - 1)
        for address in stats[name].addresses:
            ctypes.c_int64.from_address(address).value += number
    expected = {"a": -1, "b": stripes, "c": 1 + 2 * stripes}
    assert stats.snapshot() == stats.snapshot() == expected
    assert stats.c.reset() == expected["c"]
    assert stats.reset() == {**expected, "c": 0}
    assert stats.snapshot() == dict.fromkeys("abc", 0)
    assert list(stats.reset()) == ["a", "b", "c"]


@pytest.mark.parametrize("stripes", [None, 2])
def test_no_counters_at_all(stripes: int | None) -> None:
    stats = jt.Counters([], stripes=stripes)
    assert (stats.names, len(stats), list(stats), stats.stripes) == ((), 0, [], 0)
    assert stats.snapshot() == stats.reset() == {}
    assert repr(stats) == "<Counters none>"
    with pytest.raises(KeyError):
        stats["a"]


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_memory_of_this_process_is_not_pickled(take: Callable[[object], object]) -> None:
    stats = jt.Counters(["hits"])
    with pytest.raises(TypeError, match="cannot pickle or copy Counters: they are memory of this"):
        take(stats)
    with pytest.raises(TypeError, match="cannot pickle or copy a Counter"):
        take(stats.hits)


def test_subclasses() -> None:
    class Stats(jt.Counters):
        def ratio(self) -> float:
            return self.hits.value / self.misses.value

    stats = Stats(["hits", "misses"])
    stats.hits += 1
    stats.misses += 2
    assert stats.ratio() == 0.5


def test_what_a_subclass_has_is_no_counter() -> None:
    class Stats(jt.Counters):
        hits: jt.Counter

        def ratio(self) -> float:
            return 1.0

    assert Stats(["hits", "mro"]).mro.value == 0
    with pytest.raises(ValueError, match="'ratio': that is an attribute of Stats itself"):
        Stats(["hits", "ratio"])


def test_thousands_of_names_are_not_all_told() -> None:
    stats = jt.Counters(f"n{number}" for number in range(10_000))
    assert repr(stats) == f"<Counters {', '.join(f'n{i}' for i in range(10))} and 9990 more>"
    with pytest.raises(KeyError, match="no counter 'x' among .*'n9' and 9990 more"):
        stats["x"]
    with pytest.raises(KeyError, match="no counter 'x' among none"):
        jt.Counters([])["x"]


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="they are immortal")
def test_a_counter_keeps_the_memory_of_all() -> None:
    stats = jt.Counters(["a", "b"])
    watch = weakref.ref(stats)
    b = stats.b
    del stats
    assert watch() is None
    others = [jt.Counters(["a", "b"]) for _ in range(100)]
    for other in others:
        other.b.add(9)
    b.add()
    assert b.value == 1


# ---- memory -----------------------------------------------------------------------------


@pytest.mark.parametrize("stripes", STRIPES)
@pytest.mark.parametrize(
    ("counters", "stride"), [(1, 128), (16, 128), (17, 256), (100, 896), (10_000, 80_000)]
)
def test_words_are_side_by_side_and_stripes_apart(stripes: int, counters: int, stride: int) -> None:
    """8 bytes for each counter and stripe, and each stripe is a multiple of 128 bytes."""
    stats = jt.Counters([f"c{number}" for number in range(counters)], stripes=stripes)
    assert stats.stripes == stripes
    first = stats.c0.address
    assert first % CELL == 0
    for number, name in enumerate(stats):
        begin = first + 8 * number
        assert stats[name].address == begin
        assert stats[name].addresses == tuple(begin + stride * i for i in range(stripes))
    assert stride % CELL == 0 and 0 <= stride - 8 * counters < CELL


def test_no_two_share_a_cell() -> None:
    many = [jt.Counters(list("abcdefgh"[: 1 + number % 8]), stripes=2) for number in range(500)]
    cells = [address // CELL for stats in many for address in stats[stats.names[0]].addresses]
    assert len(set(cells)) == len(cells)
    for stats in many:
        for name in stats:
            stats[name].add(len(stats))
    assert all(set(stats.snapshot().values()) == {len(stats)} for stats in many)


def test_neighbours_do_not_disturb_each_other() -> None:
    stats = jt.Counters([f"c{number}" for number in range(40)], stripes=4)
    for number, name in enumerate(stats):
        stats[name].add(-(2**63) + number)
        stats[name].add(-1)
    for number, name in enumerate(stats):
        assert stats[name].reset() == (2**63 - 1 if number == 0 else -(2**63) + number - 1)
        assert stats[name].value == 0


def test_the_size_of_a_counter_among_many() -> None:
    stats = jt.Counters(["a"])
    assert sys.getsizeof(stats.a) == sys.getsizeof(jt.Counter())
