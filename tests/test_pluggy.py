"""jumptable.pluggy as its users see it: names, acceleration, installation, fault containment."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pluggy
import pytest

import jumptable.pluggy as jumptable_pluggy
from jumptable.calling import stock
from jumptable.calling.callers import HookCaller, SubsetHookCaller
from jumptable.calling.multicall import is_multicall

hookspec = pluggy.HookspecMarker("app")
hookimpl = pluggy.HookimplMarker("app")


class Specs:
    @hookspec
    def each(self, value: int) -> None: ...

    @hookspec(firstresult=True)
    def first(self, value: int) -> None: ...

    @hookspec(historic=True)
    def historic(self, value: int) -> None: ...


class Adds:
    def __init__(self, number: int) -> None:
        self.number = number

    @hookimpl
    def each(self, value: int) -> int:
        return value + self.number

    @hookimpl
    def first(self, value: int) -> int:
        return value + self.number


class Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    @hookimpl
    def each(self) -> None:
        raise self.error

    @hookimpl
    def first(self) -> None:
        raise self.error


def manager_with(*plugins: object, contain: Any = False) -> Any:
    manager = jumptable_pluggy.PluginManager("app", contain=contain)
    manager.add_hookspecs(Specs)
    for plugin in plugins:
        manager.register(plugin)
    return manager


@pytest.fixture
def _uninstalled() -> Iterator[None]:
    jumptable_pluggy.uninstall()
    yield
    jumptable_pluggy.uninstall()


# Names


def test_every_public_name_of_pluggy() -> None:
    for name in pluggy.__all__:
        assert name in jumptable_pluggy.__all__
        if name not in ("PluginManager", "__version__"):
            assert getattr(jumptable_pluggy, name) is getattr(pluggy, name)
    assert jumptable_pluggy.__version__ == pluggy.__version__
    assert issubclass(jumptable_pluggy.PluginManager, pluggy.PluginManager)


def test_a_name_that_pluggy_lacks() -> None:
    module: Any = jumptable_pluggy
    with pytest.raises(AttributeError, match=r"'jumptable\.pluggy' has no attribute 'acelerate'"):
        module.acelerate  # noqa: B018
    # That would make a package of it, with second copies of pluggy's modules inside.
    assert not hasattr(module, "__path__")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("jumptable.pluggy._hooks")


def test_star_import() -> None:
    namespace: dict[str, object] = {}
    exec("from jumptable.pluggy import *", namespace)
    assert set(jumptable_pluggy.__all__) <= set(namespace)


def test_without_pluggy() -> None:
    program = (
        "import sys; sys.modules['pluggy'] = None\n"
        "try: import jumptable.pluggy\n"
        "except ModuleNotFoundError as error: print(error.name, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("pluggy jumptable.pluggy needs pluggy")
    assert 'pip install "jumptable[pluggy]"' in done.stdout


# Managers


def test_a_manager_makes_compiled_callers() -> None:
    manager = manager_with(Adds(1), Adds(2))
    assert type(manager.hook.each) is HookCaller
    assert isinstance(manager.hook.each, pluggy.HookCaller)
    assert manager.hook.each(value=10) == [12, 11]
    assert manager.hook.first(value=10) == 12


def test_a_hook_without_specification() -> None:
    manager = jumptable_pluggy.PluginManager("app")
    manager.register(Adds(1))
    assert type(manager.hook.each) is HookCaller
    assert manager.hook.each(value=1) == [2]
    manager.add_hookspecs(Specs)  # later
    assert manager.hook.first(value=1) == 2
    manager.check_pending()


def test_an_unknown_hook() -> None:
    with pytest.raises(AttributeError, match="'HookRelay' object has no attribute 'nothing'"):
        manager_with().hook.nothing  # noqa: B018


def test_accelerate_in_place() -> None:
    manager = pluggy.PluginManager("app")
    manager.add_hookspecs(Specs)
    manager.register(Adds(1))
    relay, held = manager.hook, manager.hook.each
    jumptable_pluggy.accelerate(manager)
    assert manager.hook is relay
    assert type(relay.each) is HookCaller
    assert type(held) is pluggy.HookCaller
    manager.register(Adds(2))
    assert held(value=10) == relay.each(value=10) == [12, 11]
    assert held.get_hookimpls() == relay.each.get_hookimpls()
    manager.unregister(name=manager.list_name_plugin()[0][0])
    assert held(value=10) == relay.each(value=10) == [12]


def test_old_callers_see_a_later_specification() -> None:
    manager = pluggy.PluginManager("app")
    manager.register(Adds(1))
    held = manager.hook.first
    jumptable_pluggy.accelerate(manager)
    manager.add_hookspecs(Specs)
    assert held.has_spec()
    assert held(value=1) == 2


def test_accelerating_again_changes_nothing() -> None:
    manager = manager_with(Adds(1))
    before = dict(vars(manager.hook)), manager._inner_hookexec, manager.subset_hook_caller
    jumptable_pluggy.accelerate(manager)
    after = dict(vars(manager.hook)), manager._inner_hookexec, manager.subset_hook_caller
    assert before == after


@pytest.mark.parametrize("what", [None, "app", pluggy.PluginManager, manager_with().hook])
def test_what_cannot_be_accelerated(what: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a pluggy\.PluginManager"):
        jumptable_pluggy.accelerate(what)


def test_accelerating_a_traced_manager() -> None:
    manager = pluggy.PluginManager("app")
    manager.add_hookspecs(Specs)
    manager.register(Adds(1))
    seen = []
    undo = manager.add_hookcall_monitoring(
        lambda name, *_: seen.append(name), lambda *_: seen.append("done")
    )
    jumptable_pluggy.accelerate(manager)
    assert manager.hook.each(value=1) == [2]
    assert seen == ["each", "done"]
    undo()
    assert manager._inner_hookexec is stock.MULTICALL
    assert manager.hook.each(value=1) == [2]
    assert len(seen) == 2


def test_subset_callers_are_compiled_and_follow() -> None:
    one, two = Adds(1), Adds(2)
    manager = manager_with(one, two)
    subset = manager.subset_hook_caller("each", remove_plugins=[two])
    assert type(subset) is SubsetHookCaller
    assert isinstance(subset, stock.SubsetHookCaller)
    assert subset(value=10) == [11]
    manager.register(Adds(3))
    assert subset(value=10) == [13, 11]
    manager.unregister(one)
    assert subset(value=10) == [13]
    assert manager.subset_hook_caller("each", remove_plugins=[object()]) is manager.hook.each


def test_a_subclass_with_its_own_subset_hook_caller() -> None:
    class Own(pluggy.PluginManager):
        asked = 0

        def subset_hook_caller(self, name: str, remove_plugins: Any) -> Any:
            self.asked += 1
            return super().subset_hook_caller(name, remove_plugins)

    manager, plugin = Own("app"), Adds(1)
    jumptable_pluggy.accelerate(manager)
    manager.register(plugin)
    assert manager.subset_hook_caller("each", [plugin])(value=1) == []
    assert manager.asked == 1


# Installation


@pytest.mark.thread_unsafe(reason="installs and uninstalls")
@pytest.mark.usefixtures("_uninstalled")
def test_install_and_uninstall() -> None:
    stock_init = pluggy.PluginManager.__init__
    before = pluggy.PluginManager("app")
    jumptable_pluggy.install()
    jumptable_pluggy.install()
    meanwhile = pluggy.PluginManager("app")
    jumptable_pluggy.uninstall()
    assert pluggy.PluginManager.__init__ is stock_init
    jumptable_pluggy.uninstall()
    assert pluggy.PluginManager.__init__ is stock_init
    after = pluggy.PluginManager("app")
    for manager, compiled in ((before, False), (meanwhile, True), (after, False)):
        manager.add_hookspecs(Specs)
        assert (type(manager.hook.each) is HookCaller) is compiled
        assert is_multicall(manager._inner_hookexec) is compiled


@pytest.mark.usefixtures("_uninstalled")
def test_install_reaches_subclasses_that_are_not_done_yet() -> None:
    class Early(pluggy.PluginManager):
        def __init__(self) -> None:
            super().__init__("app")
            self.add_hookspecs(Specs)

    jumptable_pluggy.install()
    assert type(Early().hook.each) is HookCaller


@pytest.mark.usefixtures("_uninstalled")
def test_install_where_somebody_has_undone_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stock_init = pluggy.PluginManager.__init__
    jumptable_pluggy.install()
    monkeypatch.setattr(pluggy.PluginManager, "__init__", stock_init)
    assert not is_multicall(pluggy.PluginManager("app")._inner_hookexec)
    jumptable_pluggy.install()
    assert is_multicall(pluggy.PluginManager("app")._inner_hookexec)
    jumptable_pluggy.uninstall()
    assert pluggy.PluginManager.__init__ is stock_init
    monkeypatch.undo()


@pytest.mark.usefixtures("_uninstalled")
def test_uninstall_below_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    jumptable_pluggy.install()
    ours = pluggy.PluginManager.__init__

    @functools.wraps(ours)
    def wrapped(self: Any, *args: Any) -> None:
        ours(self, *args)

    monkeypatch.setattr(pluggy.PluginManager, "__init__", wrapped)
    jumptable_pluggy.uninstall()
    assert pluggy.PluginManager.__init__ is wrapped
    assert not is_multicall(pluggy.PluginManager("app")._inner_hookexec)
    jumptable_pluggy.install()
    assert is_multicall(pluggy.PluginManager("app")._inner_hookexec)
    assert pluggy.PluginManager.__init__ is wrapped
    monkeypatch.undo()
    jumptable_pluggy.uninstall()
    assert not is_multicall(pluggy.PluginManager("app")._inner_hookexec)


def test_a_relay_of_ones_own() -> None:
    class Relay(pluggy.HookRelay):  # type: ignore[misc]
        pass

    manager = pluggy.PluginManager("app")
    relay: Any = Relay()
    vars(manager)["hook"] = relay
    jumptable_pluggy.accelerate(manager)
    manager.add_hookspecs(Specs)
    assert isinstance(manager.hook, Relay)
    assert type(manager.hook.each) is HookCaller


# Fault containment


def test_containment_runs_the_rest() -> None:
    errors = [ValueError("one"), KeyError("two")]
    manager = manager_with(Adds(1), Raises(errors[0]), Adds(2), Raises(errors[1]), contain=True)
    with pytest.raises(jumptable_pluggy.ContainedErrors) as caught:
        manager.hook.each(value=10)
    assert caught.value.exceptions == (errors[1], errors[0])
    assert type(caught.value).__mro__[1].__name__ == "ExceptionGroup"
    assert "2 of 4 implementations of the hook 'each' raised" in str(caught.value)
    assert caught.value.results == [12, 11]
    for error, name in zip(errors, [1, 3], strict=True):
        (note,) = error.__notes__
        assert repr(manager.list_name_plugin()[name][0]) in note
        assert "'each'" in note
    with pytest.raises(jumptable_pluggy.ContainedErrors):
        manager.hook.each(value=10)
    assert all(len(error.__notes__) == 1 for error in errors)


def test_containment_is_off_by_default() -> None:
    error = ValueError("one")
    with pytest.raises(ValueError, match="one"):
        manager_with(Adds(1), Raises(error)).hook.each(value=1)


def test_containment_of_some_hooks() -> None:
    manager = manager_with(Raises(ValueError("one")), contain=["each"])
    with pytest.raises(jumptable_pluggy.ContainedErrors):
        manager.hook.each(value=1)
    with pytest.raises(ValueError, match="one"):
        manager.hook.first(value=1)


def test_containment_with_firstresult() -> None:
    manager = manager_with(Adds(1), Adds(2), Raises(ValueError("one")), contain=True)
    with pytest.raises(jumptable_pluggy.ContainedErrors) as caught:
        manager.hook.first(value=10)
    assert caught.value.results == 12


def test_containment_lets_interrupts_through() -> None:
    stop = KeyboardInterrupt()
    manager = manager_with(Adds(1), Raises(stop), Raises(ValueError("one")), contain=True)
    with pytest.raises(KeyboardInterrupt) as caught:
        manager.hook.each(value=1)
    assert isinstance(caught.value.__context__, jumptable_pluggy.ContainedErrors)


def test_wrappers_get_the_group() -> None:
    class Wraps:
        @hookimpl(wrapper=True)
        def each(self) -> Any:
            try:
                return (yield)
            except jumptable_pluggy.ContainedErrors as group:
                return group.results

    manager = manager_with(Wraps(), Adds(1), Raises(ValueError("one")), contain=True)
    assert manager.hook.each(value=1) == [2]


def test_containment_of_calls_that_are_not_compiled() -> None:
    class Asks:
        @hookimpl
        def free(self, nothing: int) -> None: ...

    class Fails:
        @hookimpl
        def free(self) -> None:
            raise ValueError("one")

    class Answers:
        @hookimpl
        def free(self, value: int) -> int:
            return value

    class Wraps:
        @hookimpl(wrapper=True)
        def free(self) -> Any:
            try:
                return (yield)
            finally:
                seen.append("wrapped")

    seen: list[str] = []
    manager = manager_with(Answers(), Asks(), Fails(), Answers(), Wraps(), contain=True)
    with pytest.raises(jumptable_pluggy.ContainedErrors) as caught:
        manager.hook.free(value=5)
    assert list(map(type, caught.value.exceptions)) == [ValueError, pluggy.HookCallError]
    assert caught.value.results == [5, 5]
    assert seen == ["wrapped"]
    manager.hook.free._hookimpls[:] = manager.hook.free._hookimpls[::3]
    assert manager.hook.free(value=5) == [5, 5]


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    number: int


class Strange(Exception):
    __notes__: Any = "text"


def test_exceptions_that_take_no_notes() -> None:
    errors = [Frozen(1), Strange(), ValueError()]
    manager = manager_with(*map(Raises, errors), contain=True)
    with pytest.raises(jumptable_pluggy.ContainedErrors) as caught:
        manager.hook.each(value=1)
    assert list(caught.value.exceptions) == errors[::-1]
    assert Strange.__notes__ == "text"


def test_parts_of_a_group_have_the_results() -> None:
    manager = manager_with(Adds(1), Raises(ValueError()), Raises(KeyError()), contain=True)
    with pytest.raises(jumptable_pluggy.ContainedErrors) as caught:
        manager.hook.each(value=1)
    matching, rest = caught.value.split(ValueError)
    for part in (matching, rest, pickle.loads(pickle.dumps(caught.value))):
        assert isinstance(part, jumptable_pluggy.ContainedErrors)
        assert part.results == [2]


@pytest.mark.parametrize("call", ["traced", "extra", "historic", "subset", "old caller"])
def test_containment_by_other_ways(call: str) -> None:
    class Historic(Raises):
        @hookimpl
        def historic(self) -> None:
            raise self.error

    manager = pluggy.PluginManager("app")
    manager.add_hookspecs(Specs)
    held = manager.hook.each
    jumptable_pluggy.accelerate(manager, contain=True)
    manager.register(Historic(ValueError("one")))
    manager.register(other := Adds(1))
    calls: dict[str, Callable[[], object]] = {
        "traced": lambda: manager.hook.each(value=1),
        "extra": lambda: manager.hook.each.call_extra([lambda value: value], {"value": 1}),
        "historic": lambda: manager.hook.historic.call_historic(kwargs={"value": 1}),
        "subset": lambda: manager.subset_hook_caller("each", [other])(value=1),
        "old caller": lambda: held(value=1),
    }
    if call == "traced":
        manager.add_hookcall_monitoring(lambda *_: None, lambda *_: None)
    with pytest.raises(jumptable_pluggy.ContainedErrors):
        calls[call]()


def test_containment_switched_on_and_off() -> None:
    manager = manager_with(Raises(ValueError("one")))
    jumptable_pluggy.accelerate(manager, contain=True)
    jumptable_pluggy.accelerate(manager)  # leaves it as it is
    with pytest.raises(jumptable_pluggy.ContainedErrors):
        manager.hook.each(value=1)
    jumptable_pluggy.accelerate(manager, contain=False)
    with pytest.raises(ValueError, match="one"):
        manager.hook.each(value=1)


@pytest.mark.parametrize("contain", ["each", b"each", [1], 5])
def test_containment_of_what_is_no_hook(contain: Any) -> None:
    with pytest.raises(TypeError, match="expected True, False, or a collection of names"):
        manager_with(contain=contain)


def test_containment_below_a_monitor() -> None:
    manager = manager_with()
    undo = manager.add_hookcall_monitoring(lambda *_: None, lambda *_: None)
    with pytest.raises(RuntimeError, match="traced or monitored"):
        jumptable_pluggy.accelerate(manager, contain=True)
    undo()
    jumptable_pluggy.accelerate(manager, contain=True)
