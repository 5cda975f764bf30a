"""How costs grow: every curve is measured, says why it is not there, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

from jumptable.loading.discovery import entry_points
from jumptable.measuring import curves
from jumptable.measuring.curves import distributions, drawn, generics, hooks, slots, threads
from jumptable.measuring.curves.maker import Maker, Point
from jumptable.measuring.ladder.counting import LINES
from jumptable.measuring.timing import Contestant

pytestmark = pytest.mark.thread_unsafe(reason="sys.path and the environment are changed meanwhile")


def maker(
    points: Callable[[ExitStack], Iterable[Point]], title: str = "a curve", rounds: int = 3
) -> Maker:
    return Maker(title, "about", "things", "ns", points, rounds=rounds, slice_ns=1)


def taking(nanoseconds: int, name: str) -> Contestant:
    return Contestant(name, lambda count: nanoseconds * count)


def two_points(closing: ExitStack) -> Iterable[Point]:
    yield Point("a", 1, taking(10, "a: 1"))
    yield Point("a", 2, taking(20, "a: 2"))


def test_points_are_what_was_measured() -> None:
    (found,) = curves.draw(curves=[maker(two_points)])
    assert [(count, spread.median) for count, spread in found.series["a"]] == [(1, 10), (2, 20)]
    assert (found.title, found.counted, found.unit, found.missing) == (
        "a curve",
        "things",
        "ns",
        "",
    )


def test_a_curve_that_fails_says_why_and_stops_no_other() -> None:
    def fails(closing: ExitStack) -> Iterable[Point]:
        closing.callback(closed.append, True)
        yield Point("a", 1, taking(1, "a: 1"))
        raise OSError("no space left")

    closed: list[bool] = []
    failed, other = curves.draw(curves=[maker(fails), maker(two_points)])
    assert failed.missing == "it failed: OSError: no space left"
    assert not failed.series and closed == [True]
    assert other.series and not other.missing


def test_a_series_without_a_contestant_says_why() -> None:
    def half(closing: ExitStack) -> Iterable[Point]:
        yield from two_points(closing)
        yield Point("b", 1, None, "not here")
        yield Point("b", 2, None, "not here")

    (found,) = curves.draw(curves=[maker(half)])
    assert list(found.series) == ["a"]
    assert found.missing == "b: not here"


def test_progress_goes_up_to_what_there_is() -> None:
    told: list[tuple[int, int]] = []
    titles: list[str] = []

    def go_on(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    makers = [maker(two_points, "first"), maker(two_points, "second")]
    curves.draw(titles.append, go_on, curves=makers)
    assert titles == ["first", "second"]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {2_000}
    assert 1_000 in {done for done, _ in told} and max(told)[0] <= 2_000


@pytest.mark.parametrize("asked", range(12))
def test_it_stops_where_it_is_told_to(asked: int) -> None:
    left = iter([True] * asked)
    makers = [maker(two_points, "first"), maker(two_points, "second")]
    first, second = curves.draw(go_on=lambda done, total: next(left, False), curves=makers)
    # A question before the curve, and one for each point and each contestant that is calibrated.
    assert bool(first.series) == (asked > 5)
    assert (first.missing == drawn.STOPPED) == (asked <= 5)
    assert second.missing == drawn.STOPPED


def test_an_interrupt_removes_what_was_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(distributions, "COUNTS", {10: 2, 20: 2})
    before = (sys.path, dict(os.environ))
    seen: list[list[str]] = []

    def go_on(done: int, total: int) -> bool:
        seen.append(os.listdir(tmp_path))
        if done:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        curves.draw(go_on=go_on, curves=[distributions.CURVE])
    assert any(seen)
    assert os.listdir(tmp_path) == []
    assert (sys.path, dict(os.environ)) == before


SMALL: list[tuple[Any, object, set[str]]] = [
    (hooks, (1, 3), {hooks.STOCK, hooks.COMPILED, hooks.BY_HAND}),
    (slots, (10, 100), {slots.MIDDLE, slots.LAST, slots.IN_C}),
    (generics, (1, 10), {f"{who}, {how}" for who in ("functools", "jumptable")
                         for how in (generics.ONE, generics.IN_TURN)}),
    (distributions, {10: 2, 20: 2}, {distributions.STOCK, distributions.DISK, distributions.AGAIN}),
]  # fmt: skip


@pytest.mark.parametrize(("module", "counts", "series"), SMALL)
def test_every_curve(
    module: Any, counts: Any, series: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if module is hooks:
        pytest.importorskip("pluggy")
    monkeypatch.setattr(module, "COUNTS", counts)
    (found,) = curves.draw(curves=[maker(module.CURVE.make)])
    assert found.missing == ""
    assert set(found.series) == series
    for points in found.series.values():
        assert [count for count, _ in points] == list(counts)
        assert all(isfinite(spread.median) and spread.median >= 0 for _, spread in points)


def test_threads() -> None:
    running = threading.active_count()
    (found,) = curves.draw(curves=[maker(threads.CURVE.make, rounds=5)])
    assert set(found.series) == set(threads.DISTANCES)
    wanted = threads.counts(len(threads.processors()))
    for points in found.series.values():
        assert [count for count, _ in points] == wanted
        assert all(isfinite(spread.median) for _, spread in points)
    assert threading.active_count() == running


@pytest.mark.parametrize(
    ("most", "wanted"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16]),
     (100, [1, 2, 4, 8, 16])],
)  # fmt: skip
def test_how_many_threads(most: int, wanted: list[int]) -> None:
    assert threads.counts(most) == wanted


@pytest.mark.parametrize("distance", threads.DISTANCES.values())
def test_words_are_as_far_apart_as_they_should_be(distance: int) -> None:
    words = threads.Words(5, distance)
    first, *others = words.addresses
    assert [address - first for address in others] == [distance * n for n in range(1, 5)]
    assert first % LINES == 0
    start, count = words._memory.buffer_info()
    # Nothing else is as near as that.
    assert first >= start
    assert words.addresses[-1] + LINES <= start + count * words._memory.itemsize


def test_distributions_are_found(tmp_path: Path) -> None:
    distributions.generate(tmp_path, 20)
    assert len(list(tmp_path.glob("*.dist-info"))) == 20
    with distributions._looking([str(tmp_path)], str(tmp_path / "index")):
        found = entry_points(group=distributions.GROUP)
    assert sorted(point.name for point in found) == ["plugin_0", "plugin_10"]


def test_without_pluggy_the_hooks_say_how_to_get_it(tmp_path: Path) -> None:
    program = """if True:
        import sys
        sys.modules["pluggy"] = None
        from jumptable.measuring import curves
        from jumptable.measuring.curves import hooks
        (found,) = curves.draw(curves=[hooks.CURVE])
        print(found.series, found.missing)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == '{} pluggy is not installed: pip install "jumptable[pluggy]"\n', done


def test_what_is_compiled_already_is_not_compared_with_itself() -> None:
    pytest.importorskip("pluggy")
    program = """if True:
        import jumptable.functools, jumptable.pluggy
        jumptable.pluggy.install()
        jumptable.functools.install()
        from jumptable.measuring import curves
        from jumptable.measuring.curves import generics, hooks
        hooks.COUNTS = generics.COUNTS = (1, 3)
        for found in curves.draw(curves=[hooks.CURVE, generics.CURVE]):
            print(sorted(found.series), found.missing.split(" in this process")[0])
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "['a list comprehension by hand', 'jumptable.pluggy'] pluggy: it is compiled",
        "['jumptable, all in turn', 'jumptable, one type'] functools: it is compiled",
    ], done
