"""Hook calls measured: right numbers, and nothing else changed."""

from __future__ import annotations

import gc
import sysconfig
import threading
import time
import weakref
from collections.abc import Generator
from typing import Any

import pluggy
import pytest

from jumptable.calling.hookstats import HookStats, HookTime, add_up
from jumptable.pluggy import accelerate

from .measured import Plugin, named, new_manager, none, plain, raising, register


@pytest.fixture(params=["stock", "compiled"])
def manager(request: pytest.FixtureRequest) -> Any:
    return new_manager(request.param)


def by_name(stats: HookStats) -> dict[tuple[str, str], HookTime]:
    return {(row.hook, row.plugin): row for row in stats.times()}


def work(milliseconds: int) -> None:
    """Last until the steady clock, which is the one that measures, has moved on by as much."""
    end = time.monotonic_ns() + milliseconds * 1_000_000
    while time.monotonic_ns() < end:
        pass


def test_calls_are_counted_for_each_hook_and_plugin(manager: Any) -> None:
    def hook(x: Any) -> Any:
        return x

    def other(x: Any) -> Any:
        return manager.hook.hook(x=x)

    register(manager, "a", hook)
    register(manager, "b", hook)
    register(manager, "a2", other)
    manager.hook.hook(x=0)
    with HookStats(manager) as stats:
        assert manager.hook.hook(x=1) == [1, 1]
        assert manager.hook.other(x=2) == [[2, 2]]
    manager.hook.hook(x=3)
    calls = {key: row.calls for key, row in by_name(stats).items()}
    assert calls == {("hook", "a"): 2, ("hook", "b"): 2, ("other", "a2"): 1}


def test_own_time_leaves_out_hook_calls_and_total_does_not(manager: Any) -> None:
    def hook(x: Any) -> Any:
        work(10)

    def other(x: Any) -> Any:
        work(2)
        manager.hook.hook(x=x)
        manager.hook.hook(x=x)

    register(manager, "inner", hook)
    register(manager, "outer", other)
    with HookStats(manager) as stats:
        manager.hook.other(x=1)
    times = by_name(stats)
    inner, outer = times["hook", "inner"], times["other", "outer"]
    assert inner.own == inner.total >= 20e6
    assert 2e6 <= outer.own <= outer.total - inner.total
    assert stats.times() == sorted(stats.times(), key=lambda row: -row.own)


@pytest.mark.parametrize("style", ["wrapper", "hookwrapper"])
def test_wrappers_are_measured_in_both_halves_without_what_they_wrap(
    manager: Any, style: str
) -> None:
    def hook(x: Any) -> Generator[None, Any, Any]:
        work(2)
        result = yield
        work(3)
        return result

    register(manager, "wrapper", hook, **{style: True})
    register(manager, "wrapped", named(lambda x: work(5), "hook"))
    with HookStats(manager) as stats:
        start = time.monotonic_ns()
        manager.hook.hook(x=1)
        elapsed = time.monotonic_ns() - start
    times = by_name(stats)
    wrapper, wrapped = times["hook", "wrapper"], times["hook", "wrapped"]
    assert wrapper.calls == 1
    assert 5e6 <= wrapper.own == wrapper.total <= elapsed - wrapped.total


def test_a_hook_call_in_a_wrapper_is_not_its_own_time(manager: Any) -> None:
    def hook(x: Any) -> Generator[None, Any, Any]:
        manager.hook.other(x=x)
        result = yield
        manager.hook.other(x=x)
        return result

    def other(x: Any) -> None:
        work(10)

    register(manager, "wrapper", hook, wrapper=True)
    register(manager, "inner", other)
    with HookStats(manager) as stats:
        manager.hook.hook(x=1)
    times = by_name(stats)
    wrapper, inner = times["hook", "wrapper"], times["other", "inner"]
    assert wrapper.own <= wrapper.total - inner.total
    assert inner.total >= 20e6


def test_recursion_counts_time_once(manager: Any) -> None:
    def hook(x: Any) -> Any:
        work(1)
        return manager.hook.hook(x=x - 1) if x else None

    register(manager, "a", hook)
    with HookStats(manager) as stats:
        start = time.monotonic_ns()
        manager.hook.hook(x=9)
        elapsed = time.monotonic_ns() - start
    (row,) = stats.times()
    assert row.calls == 10
    assert 10e6 <= row.own <= row.total <= elapsed


def test_an_error_stops_the_clock_like_a_return(manager: Any) -> None:
    def hook(x: Any) -> Any:
        work(1)
        raise KeyError(x)

    def other(x: Any) -> Any:
        for _ in range(3):
            with pytest.raises(KeyError):
                manager.hook.hook(x=x)
        work(1)
        raise OSError(x)

    register(manager, "raising", hook)
    register(manager, "outer", other)
    with HookStats(manager) as stats:
        for _ in range(2):
            with pytest.raises(OSError, match="1"):
                manager.hook.other(x=1)
    times = by_name(stats)
    assert times["hook", "raising"].calls == 6
    outer = times["other", "outer"]
    assert outer.calls == 2
    assert 2e6 <= outer.own <= outer.total - times["hook", "raising"].total


def test_threads_have_their_own_nesting(manager: Any) -> None:
    meet = threading.Barrier(4)

    def hook(x: Any) -> Any:
        meet.wait()
        manager.hook.other(x=x)
        meet.wait()

    def other(x: Any) -> Any:
        meet.wait()

    register(manager, "outer", hook)
    register(manager, "inner", other)
    with HookStats(manager) as stats:
        threads = [
            threading.Thread(target=lambda: [manager.hook.hook(x=1) for _ in range(50)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for _ in range(100):
            stats.times()  # reading meanwhile is allowed
        for thread in threads:
            thread.join()
    times = by_name(stats)
    outer, inner = times["hook", "outer"], times["other", "inner"]
    assert outer.calls == inner.calls == 200
    assert outer.own + inner.total <= outer.total


def test_call_extra_subset_historic_and_late_plugins(manager: Any) -> None:
    def hook(x: Any) -> Any:
        return x

    a = register(manager, "a", hook)
    with HookStats(manager) as stats:
        manager.hook.hook(x=1)
        register(manager, "b", hook)
        manager.hook.hook(x=1)
        assert manager.subset_hook_caller("hook", [a])(x=1) == [1]
        assert manager.hook.hook.call_extra([lambda x: x + 1], {"x": 1}) == [2, 1, 1]
        manager.unregister(a)
        manager.hook.hook(x=1)

        def old(x: Any) -> Any:
            return x

        results: list[Any] = []
        manager.hook.old.call_historic(results.append, {"x": 5})
        register(manager, "late", old)
        assert results == [5]
    calls = {key: row.calls for key, row in by_name(stats).items()}
    assert calls == {
        ("hook", "a"): 3, ("hook", "b"): 4, ("hook", "<temp>"): 1, ("old", "late"): 1,
    }  # fmt: skip


def test_other_implementations_in_the_same_number(manager: Any) -> None:
    a, b, c = (register(manager, name, named(plain, "hook")) for name in "abc")
    with HookStats(manager) as stats:
        for removed in ([a, b], [b, c], [a, c], [a, b]):
            manager.subset_hook_caller("hook", removed)(x=1)
        manager.unregister(c)
        register(manager, "d", named(none, "hook"))
        assert manager.hook.hook(x=1) == [1, 1]
    calls = {key: row.calls for key, row in by_name(stats).items()}
    assert calls == {("hook", "a"): 2, ("hook", "b"): 2, ("hook", "c"): 2, ("hook", "d"): 1}


def test_a_function_that_is_replaced_while_measured(manager: Any) -> None:
    register(manager, "a", named(plain, "hook"))
    (implementation,) = manager.hook.hook.get_hookimpls()
    original = implementation.function
    with HookStats(manager) as stats:
        assert manager.hook.hook(x=1) == [1]
        implementation.function = named(lambda x: x + 1, "hook")
        assert manager.hook.hook(x=1) == [2]
        implementation.function = original
        assert manager.hook.hook(x=1) == [1]
    assert [row.calls for row in stats.times()] == [3]


def test_monitoring_from_before_that_is_undone_ends_the_measuring(manager: Any) -> None:
    before = manager._inner_hookexec
    register(manager, "a", named(plain, "hook"))
    undo = manager.add_hookcall_monitoring(lambda *_: None, lambda *_: None)
    with HookStats(manager) as stats:
        manager.hook.hook(x=1)
        undo()
        assert manager.hook.hook(x=1) == [1]
    assert manager._inner_hookexec is before
    assert [row.calls for row in stats.times()] == [1]


def test_a_wrapper_that_is_on_its_way_when_measuring_stops(manager: Any) -> None:
    def hook(x: Any) -> Generator[None, Any, Any]:
        work(2)
        result = yield
        work(50)
        return result

    def stopping(x: Any) -> None:
        stats.stop()

    register(manager, "w", hook, wrapper=True)
    stopping.__name__ = "hook"
    register(manager, "a", stopping)
    stats = HookStats(manager)
    start = time.monotonic_ns()
    assert manager.hook.hook(x=1) == []
    elapsed = time.monotonic_ns() - start
    assert by_name(stats)["hook", "w"].own <= elapsed - 50e6


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="there, accelerated managers live as long as the process",
)
def test_managers_are_collected_while_measured(manager: Any) -> None:
    other = pluggy.PluginManager("p")
    accelerate(other)
    register(other, "a", named(plain, "hook"))
    stats = HookStats(other)
    other.hook.hook(x=1)
    died = weakref.ref(other)
    del other, stats
    gc.collect()
    assert died() is None


def test_plugins_without_a_name_are_called_by_their_class(manager: Any) -> None:
    for _ in range(2):
        register(manager, None, named(plain, "hook"))
    with HookStats(manager) as stats:
        manager.hook.hook(x=1)
    (row,) = stats.times()
    assert row.calls == 2
    assert row.plugin == f"<{Plugin.__module__}.Plugin>"


def test_off_nothing_is_left(manager: Any) -> None:
    before, caller = manager._inner_hookexec, manager.hook.hook
    plugin = register(manager, "a", named(plain, "hook"))
    stats = HookStats(manager)
    manager.hook.hook(x=1)
    stats.stop()
    assert manager._inner_hookexec is before
    assert manager.hook.hook is caller
    stats.stop()
    assert manager._inner_hookexec is before
    manager.unregister(plugin)
    manager.hook.hook.call_extra([], {"x": 1})  # the compiled multicall keeps its last plan
    died = weakref.ref(plugin)
    del plugin
    gc.collect()
    assert died() is None
    assert [row.calls for row in stats.times()] == [1]


def test_unregistered_plugins_are_let_go(manager: Any) -> None:
    def make() -> weakref.ref[Any]:
        plugin = register(manager, "short-lived", named(plain, "hook"))
        manager.hook.hook(x=1)
        manager.unregister(plugin)
        return weakref.ref(plugin)

    with HookStats(manager):
        died = make()
        manager.hook.hook(x=1)
        gc.collect()
        assert died() is None


@pytest.mark.parametrize("order", ["inner first", "outer first"])
def test_two_at_once_and_tracing(manager: Any, order: str) -> None:
    before = manager._inner_hookexec

    def hook(x: Any) -> Generator[None, Any, Any]:
        return (yield)

    register(manager, "w", hook, wrapper=True)
    one = HookStats(manager)
    two = HookStats(manager)
    seen: list[str] = []
    undo = manager.add_hookcall_monitoring(
        lambda name, impls, kwargs: seen.append(impls[0].plugin_name), lambda *_: None
    )
    manager.hook.hook(x=1)
    for stats in [one, two] if order == "inner first" else [two, one]:
        stats.stop()
    assert manager.hook.hook(x=1) == []
    undo()
    one.stop()
    assert manager._inner_hookexec is before
    assert seen == ["w", "w"]
    for stats in (one, two):
        (row,) = stats.times()
        assert row.calls == 1 and row.own > 0


def test_rows_of_several_processes_add_up() -> None:
    rows = [("h", "a", 1, 10, 20), ("h", "b", 1, 25, 25), ("h", "a", 2, 30, 40)]
    assert add_up(rows) == [HookTime("h", "a", 3, 40, 60), HookTime("h", "b", 1, 25, 25)]
    assert add_up([]) == []


def test_missing_and_positional_arguments(manager: Any) -> None:
    def hook(x: Any) -> Any:
        return x

    register(manager, "a", hook)

    def without_x() -> str:
        with (
            pytest.warns(UserWarning, match="cannot be found in this hook call") as caught,
            pytest.raises(pluggy.HookCallError, match="must provide argument 'x'"),
        ):
            manager.hook.hook()
        return caught[0].filename

    expected = without_x()
    with HookStats(manager) as stats:
        assert without_x() == expected
        with pytest.raises(TypeError):
            manager.hook.hook(1)
        assert manager.hook.hook(x=2) == [2]
    assert [row.calls for row in stats.times()] == [1]


def test_deep_recursion_is_an_error_and_not_a_crash(manager: Any) -> None:
    def hook(x: Any) -> Any:
        return manager.hook.hook(x=x)

    register(manager, "a", hook)
    with HookStats(manager) as stats:
        for _ in range(3):
            with pytest.raises(RecursionError):
                manager.hook.hook(x=1)
        register(manager, "b", named(plain, "other"))
        assert manager.hook.other(x=1) == [1]
    (row,) = (row for row in stats.times() if row.hook == "hook")
    assert 0 < row.own <= row.total


def test_measured_calls_do_not_leak(manager: Any) -> None:
    import tracemalloc

    def hook(x: Any) -> Any:
        return (yield)

    register(manager, "w", hook, wrapper=True)
    register(manager, "r", named(raising, "hook"))

    def calls(count: int) -> None:
        for _ in range(count):
            try:
                manager.hook.hook(x=1)
            except ValueError:
                pass

    with HookStats(manager):
        tracemalloc.start()
        try:
            calls(2_000)
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            calls(10_000)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert grown < 10_000
