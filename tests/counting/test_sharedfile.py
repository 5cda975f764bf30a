"""Counters that processes share through a file: exact sums, forks, dead processes, races."""

from __future__ import annotations

import copy
import os
import pickle
import sysconfig
from pathlib import Path

import pytest

import jumptable as jt
from jumptable.counting.counters import opened
from tests.conftest import Run

from .programs import run_program

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


# ---- one process ------------------------------------------------------------------------


def test_a_file_is_made_and_opened_again(path: Path) -> None:
    made = jt.Counters(["hits", "two words", "é"], path=path, stripes=2)
    assert (made.path, made.names, made.stripes) == (str(path), ("hits", "two words", "é"), 2)
    assert repr(made) == f"<Counters hits, two words, é in {str(path)!r}>"
    made.hits.add(3)
    made["é"] += 4
    for names in (None, ["hits", "two words", "é"]):
        again = jt.Counters(names, path=os.fsencode(path).decode(), stripes=8)
        assert (again.names, again.stripes) == (made.names, 2)  # the file's own
        again.hits += 1
    assert made.snapshot() == {"hits": 5, "two words": 0, "é": 4}
    assert [item.name for item in path.parent.iterdir()] == ["stats"]


def test_no_counters_at_all(path: Path) -> None:
    made = jt.Counters([], path=path)
    again = jt.Counters(path=path)
    assert again.names == made.names == () and again.snapshot() == again.reset() == {}


def test_values_wrap_around_and_reset(path: Path) -> None:
    first, second = jt.Counters(["a", "b"], path=path), jt.Counters(path=path)
    first.a.add(2**63 - 1)
    second.a.add(1)
    second.b.add(-1)
    assert first.snapshot() == second.snapshot() == {"a": -(2**63), "b": -1}
    assert first.a.reset() == -(2**63)
    assert second.snapshot() == {"a": 0, "b": -1}
    first.a.add(-5)
    assert second.reset() == {"a": -5, "b": -1}
    assert first.reset() == {"a": 0, "b": 0}


def test_layout_of_the_words(path: Path) -> None:
    stats = jt.Counters([f"c{number}" for number in range(20)], path=path, stripes=4)
    begin = stats.c0.address
    assert begin % 128 == 0
    for number, name in enumerate(stats):
        first = begin + 8 * number
        assert stats[name].addresses == tuple(first + 256 * stripe for stripe in range(4))


def test_other_names_are_refused(path: Path) -> None:
    jt.Counters(["a", "b"], path=path).a.add(7)
    content = path.read_bytes()
    for names in (["a"], ["b", "a"], ["a", "b", "c"], []):
        with pytest.raises(ValueError, match="counts 'a', 'b', and was opened for") as caught:
            jt.Counters(names, path=path)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    with pytest.raises(ValueError, match="'n9' and 90 more"):
        jt.Counters([f"n{number}" for number in range(100)], path=path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["b", "a"], "'b', 'a': the order is another; use its names"),
        (["a", "b", "c"], "'c': it has no 'c'; use its names"),
        (["b"], "'b': 'a' was not asked for; use its names"),
        (["a", "c"], "'c': it has no 'c', and 'b' was not asked for; use its names"),
        ([], "none: 'a', 'b' was not asked for; use its names"),
    ],
)
def test_other_names_are_told_apart(names: list[str], said: str, path: Path) -> None:
    jt.Counters(["a", "b"], path=path)
    with pytest.raises(ValueError, match="or another path") as caught:
        jt.Counters(names, path=path)
    assert said in str(caught.value)


def test_one_other_name_of_thousands_is_found(path: Path) -> None:
    many = [f"n{number}" for number in range(10_000)]
    assert jt.Counters(many, path=path).n9999.value == 0
    with pytest.raises(ValueError, match="it has no 'new', and 'n9999' was not asked for"):
        jt.Counters([*many[:-1], "new"], path=path)


def test_the_longest_name_that_a_file_can_have(path: Path) -> None:
    assert jt.Counters(["a"], path=path.with_name("x" * 255)).a.value == 0


def test_names_can_only_be_left_out_for_an_existing_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        jt.Counters(path=path)
    assert caught.value.filename == str(path)
    assert list(path.parent.iterdir()) == []


def test_the_working_directory_may_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    stats = jt.Counters(["a"], path="stats")
    monkeypatch.chdir("/")
    assert stats.path == str(path)
    again = pickle.loads(pickle.dumps(stats))
    again.a.add(2)
    assert stats.a.value == 2


def test_a_deleted_file_counts_on(path: Path) -> None:
    old = jt.Counters(["a"], path=path)
    old.a.add(3)
    path.unlink()
    old.a.add(1)
    new = jt.Counters(["a"], path=path)
    new.a.add(10)
    assert (old.a.value, new.a.value) == (4, 10)


def test_pickled_they_are_the_same_counters(path: Path) -> None:
    stats = jt.Counters(["a", "two words"], path=path)
    for take in (pickle.dumps(stats), pickle.dumps(stats["two words"])):
        thing = pickle.loads(take)
        counter = thing["two words"] if isinstance(thing, jt.Counters) else thing
        assert counter.name == "two words"
        counter.add(5)
    assert stats.snapshot() == {"a": 0, "two words": 10}


@pytest.mark.thread_unsafe(reason="deletes the file")
def test_unpickled_where_they_are_open_they_are_not_opened_again(path: Path) -> None:
    """Tasks that are sent them would take a slab and a descriptor each."""

    class Other(jt.Counters):
        pass

    stats = jt.Counters(["a", "b"], path=path)
    size = path.stat().st_size
    for _ in range(3):
        assert pickle.loads(pickle.dumps(stats)) is stats
        assert pickle.loads(pickle.dumps(stats.b)) is stats.b
        assert copy.deepcopy(stats) is copy.copy(stats) is stats
    assert path.stat().st_size == size
    packed = pickle.dumps(stats)
    assert type(opened(Other, str(path))) is Other
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(packed)
    new = jt.Counters(["a", "b"], path=path)
    assert pickle.loads(packed) is new


LEAKING = """
def open_many(count):
    for number in range(count):
        stats = jt.Counters(["hits"], path=path)
        assert stats.hits.value == number + before
        stats.hits.add()
        del stats

def resources():
    with open("/proc/self/maps") as maps:
        return len(os.listdir("/proc/self/fd")), sum(path in line for line in maps)

before = 0
open_many(1)
first = resources()
before = 1
open_many(300)
assert resources() == first, (first, resources())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="no /proc")
@pytest.mark.skipif(FREE_THREADED, reason="they are immortal")
def test_dropped_counters_give_back_what_they_took(path: Path, run_python: Run) -> None:
    """Descriptors, mappings, and with them the slab: the file does not grow."""
    run_program(run_python, LEAKING, path)
    size = path.stat().st_size
    stats = jt.Counters(path=path)
    assert stats.hits.value == 301
    assert path.stat().st_size == size


def test_a_path_may_be_a_symbolic_link(path: Path) -> None:
    path.symlink_to(path.with_name("real"))
    with pytest.raises(FileNotFoundError) as caught:
        jt.Counters(["a"], path=path)  # nothing is made where a link points to nothing
    assert caught.value.filename == str(path)
    made = jt.Counters(["a"], path=path.with_name("real"))
    jt.Counters(path=path).a.add(3)
    assert made.a.value == 3
