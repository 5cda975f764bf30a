"""Plans are made once, and let go with the plugins that they call."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable
from typing import Any

import pluggy
import pytest

import jumptable.pluggy as jumptable_pluggy
from jumptable.calling.callers import SubsetHookCaller
from jumptable.calling.multicall import new_multicall

from .mortal import managers_die

hookimpl = pluggy.HookimplMarker("app")
Make = Callable[[str], Any]


class Plugin:
    @hookimpl
    def hook(self, one: object) -> object:
        return one


class Wraps:
    @hookimpl(wrapper=True)
    def hook(self) -> Any:
        return (yield)


class Function:
    """No generator function, though it returns a generator: pluggy's own code must call it."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self) -> Any:
        return self.function()


def accelerated(name: str) -> Any:
    manager = pluggy.PluginManager(name)
    jumptable_pluggy.accelerate(manager)
    return manager


MAKERS: list[Make] = [jumptable_pluggy.PluginManager, accelerated]


class CountsPlans:
    """The names of the hooks to contain; whoever makes a plan asks, once."""

    def __init__(self) -> None:
        self.made = 0

    def __contains__(self, name: object) -> bool:
        self.made += 1
        return False


def multicall(plans: Any) -> Any:
    return new_multicall(plans)


def counted(*plugins: object) -> tuple[Any, CountsPlans]:
    manager: Any = pluggy.PluginManager("app")
    plans = CountsPlans()
    manager._inner_hookexec = multicall(plans)
    jumptable_pluggy.accelerate(manager)
    for plugin in plugins:
        manager.register(plugin)
    return manager, plans


def ignore(*_: object) -> None: ...


# Made once


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", ["caller", "subset", "call_extra", "monitored", "stock caller"])
def test_one_plan_serves_all_calls(kind: str, wrapped: bool) -> None:
    other = Plugin()
    manager, plans = counted(Plugin(), other, *[Wraps()][: int(wrapped)])
    call = manager.hook.hook
    if kind == "subset":
        call = manager.subset_hook_caller("hook", [other])
    elif kind == "call_extra":

        def call(one: object, extra: Any = call.call_extra) -> object:
            return extra([], {"one": one})

    elif kind == "monitored":
        manager.add_hookcall_monitoring(ignore, ignore)
    elif kind == "stock caller":
        stock = pluggy.HookCaller("hook", manager._hookexec)
        for impl in call.get_hookimpls():
            stock._add_hookimpl(impl)
        call = stock
    for turn in range(50):
        assert call(one=turn) == [turn] * (1 if kind == "subset" else 2)
    assert plans.made == 1


def test_each_tuple_of_names_has_a_plan() -> None:
    manager, plans = counted(Plugin(), Plugin())
    orders = list(itertools.permutations(("one", "two", "three")))
    for turn in range(20):
        for order in orders:
            values = {name: (name, turn) for name in order}
            assert manager.hook.hook(**values) == [("one", turn)] * 2
    assert plans.made == len(orders)


def test_names_that_are_equal_and_not_the_same() -> None:
    manager, plans = counted(Plugin())
    for turn in range(20):
        assert manager.hook.hook(**{"".join(["o", "ne"]): turn}) == [turn]
    assert plans.made == 1


def test_what_pluggys_own_code_must_run_is_known_as_well() -> None:
    manager, plans = counted(Plugin())
    impl = manager.hook.hook.get_hookimpls()[0]
    opts: Any = {**impl.opts, "wrapper": True}
    other = pluggy.HookImpl(manager, "odd", Function(Wraps().hook), opts)
    manager.hook.hook._add_hookimpl(other)
    for turn in range(20):
        assert manager.hook.hook(one=turn) == [turn]
    # Of the caller, and of the multicall that pluggy's code then runs.
    assert plans.made == 2


@pytest.mark.parametrize("change", ["registered", "unregistered", "reordered", "executor"])
def test_a_change_costs_one_plan(change: str) -> None:
    plugin = Plugin()
    manager, plans = counted(Plugin(), plugin)
    for turn in range(10):
        manager.hook.hook(one=turn)
    before = plans.made
    if change == "registered":
        manager.register(Plugin())
    elif change == "unregistered":
        manager.unregister(plugin)
    elif change == "reordered":
        manager.hook.hook._hookimpls.reverse()
    else:
        manager._inner_hookexec = multicall(plans)
    for turn in range(10):
        manager.hook.hook(one=turn)
    assert (before, plans.made) == (1, 2)


# Let go


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    "kind",
    [
        "caller",
        "wrapped",
        "subset",
        "call_extra",
        "subset call_extra",
        "monitored",
        "monitored before",
        "monitored afterwards",
        "raising",
        "named at run time",
    ],
)
def test_an_unregistered_plugin_is_gone(kind: str, make: Make) -> None:
    manager, other, plugin = make("app"), Plugin(), Plugin()
    manager.register(other)
    manager.register(plugin)
    call = caller = manager.hook.hook
    subset = manager.subset_hook_caller("hook", [other])
    undo: Callable[[], None] | None = None
    if kind == "wrapped":
        manager.register(Wraps())
    elif kind == "raising":
        manager.register(Raises())
    elif kind.startswith("monitored") and kind != "monitored afterwards":
        undo = manager.add_hookcall_monitoring(ignore, ignore)
    if kind == "subset":
        call = subset
    if kind in ("call_extra", "subset call_extra"):
        for _ in range(2):
            (call if kind == "call_extra" else subset).call_extra([], {"one": 1})
    elif kind == "named at run time":
        for number in range(10):
            call(**{"one": 1, f"name{number}": 2})
    else:
        for _ in range(2):
            try:
                call(one=1)
            except LookupError:
                assert kind == "raising"
    if undo is not None and kind == "monitored before":
        undo()
    if kind == "monitored afterwards":
        manager.add_hookcall_monitoring(ignore, ignore)
    gone = weakref.ref(plugin)
    assert manager.unregister(plugin) is plugin
    del plugin
    gc.collect()
    assert gone() is None
    assert caller.get_hookimpls()


class Raises:
    @hookimpl(trylast=True)
    def hook(self) -> None:
        raise LookupError


@pytest.mark.parametrize("make", MAKERS)
def test_what_call_extra_is_given_is_gone(make: Make) -> None:
    manager, extra = make("app"), Plugin()
    manager.register(Plugin())
    for _ in range(2):
        assert manager.hook.hook.call_extra([extra.hook], {"one": 1}) == [1, 1]
    gone = weakref.ref(extra)
    del extra
    gc.collect()
    assert gone() is None


@managers_die
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_a_manager_that_holds_its_own_callers_is_collected(
    held: bool, called: bool, make: Make
) -> None:
    manager, plugin = make("app"), Plugin()
    manager.register(plugin)
    subset = manager.subset_hook_caller("hook", [])
    if held:
        manager.kept = manager.hook.hook, subset
    if called:
        manager.hook.hook(one=1)
        subset(one=1)
    gone = weakref.ref(manager), weakref.ref(plugin)
    del manager, plugin, subset
    gc.collect()
    assert [each() for each in gone] == [None, None]


# Callers of managers that are not ours


@pytest.mark.thread_unsafe(reason="installs and uninstalls")
@pytest.mark.parametrize("how", ["accelerate", "accelerate a subclass", "install"])
def test_subset_callers_of_a_stock_manager_are_compiled(how: str) -> None:
    class Own(pluggy.PluginManager):
        pass

    if how == "install":
        jumptable_pluggy.install()
        try:
            manager: Any = pluggy.PluginManager("app")
        finally:
            jumptable_pluggy.uninstall()
    else:
        manager = (Own if how == "accelerate a subclass" else pluggy.PluginManager)("app")
        jumptable_pluggy.accelerate(manager)
    left_out = Plugin()
    manager.register(left_out)
    manager.register(Plugin())
    subset = manager.subset_hook_caller("hook", [left_out])
    assert type(subset) is SubsetHookCaller
    assert subset(one=3) == [3]
    # Nothing to leave out: the caller itself.
    assert manager.subset_hook_caller("hook", []) is manager.hook.hook
