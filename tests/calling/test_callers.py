"""Compiled hook callers: pluggy's own in everything but the call, and the plans that they keep."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import sysconfig
import weakref
from typing import Any

import pluggy
import pytest

import jumptable.pluggy as jumptable_pluggy
from jumptable.calling import stock
from jumptable.calling.callers import (
    HookCaller,
    SubsetHookCaller,
    take_over,
    take_over_subset,
)

hookspec = pluggy.HookspecMarker("app")
hookimpl = pluggy.HookimplMarker("app")


class Specs:
    @hookspec
    def hook(self, one: object, two: object) -> None: ...

    @hookspec
    def bare(self) -> None: ...

    @hookspec(historic=True)
    def historic(self, one: object) -> None: ...


class Pair:
    @hookimpl
    def hook(self, one: object, two: object) -> object:
        return one, two


class Second:
    @hookimpl
    def hook(self, two: object) -> object:
        return two


def new_manager(*plugins: object) -> Any:
    manager = jumptable_pluggy.PluginManager("app")
    manager.add_hookspecs(Specs)
    for plugin in plugins:
        manager.register(plugin)
    return manager


# An object like pluggy's own


@pytest.mark.parametrize("name", sorted(set(dir(stock.HookCaller)) - set(dir(object))))
def test_has_what_pluggys_own_has(name: str) -> None:
    plain = pluggy.PluginManager("app")
    plain.add_hookspecs(Specs)
    assert type(getattr(new_manager().hook.hook, name)) is type(getattr(plain.hook.hook, name))


def test_looks_like_pluggys_own() -> None:
    caller = new_manager().hook.hook
    assert repr(caller) == "<HookCaller 'hook'>"
    assert caller.name == "hook"
    assert inspect.signature(caller) == inspect.signature(stock.CALL).replace(
        parameters=list(inspect.signature(stock.CALL).parameters.values())[1:]
    )
    assert not hasattr(caller, "__dict__")
    assert not hasattr(caller, "_state")
    with pytest.raises(TypeError):
        weakref.ref(caller)


def test_fields_are_those_of_the_home() -> None:
    manager = new_manager(Pair())
    held: Any = manager.hook.hook.__reduce__()[2]
    assert type(held) is pluggy.HookCaller
    caller: Any = manager.hook.hook
    for field in ("spec", "_hookimpls", "_call_history", "_hookexec", "name"):
        assert getattr(caller, field) is getattr(held, field)
    caller._hookimpls = []
    assert held._hookimpls == []
    assert caller(one=1, two=2) == held(one=1, two=2) == []
    setattr(held, "name", "other")  # noqa: B010
    assert caller.name == "other"
    del caller.name
    with pytest.raises(AttributeError, match="name"):
        held.name  # noqa: B018


def test_dunder_call_is_pluggys_own() -> None:
    assert new_manager(Pair()).hook.hook.__call__(one=1, two=2) == [(1, 2)]


def test_one_that_was_never_given_a_home() -> None:
    caller = HookCaller("hook", stock.MULTICALL)
    assert caller.name == "hook"
    assert caller() == []
    assert copy.copy(manager := new_manager(Pair())).hook is manager.hook
    empty = HookCaller.__new__(HookCaller)
    with pytest.raises(AttributeError):
        empty()
    with pytest.raises(TypeError):
        empty.__reduce__()
    with pytest.raises(AttributeError):
        SubsetHookCaller.__new__(SubsetHookCaller)()


def test_what_is_not_taken_over() -> None:
    custom = pluggy.HookCaller("hook", lambda *_: ["mine"])
    assert take_over(custom) is custom

    class Executes(pluggy.PluginManager):
        def _hookexec(self, *_: object) -> list[str]:
            return ["mine"]

    manager = Executes("app")
    jumptable_pluggy.accelerate(manager)
    manager.add_hookspecs(Specs)
    assert type(manager.hook.bare) is pluggy.HookCaller
    assert manager.hook.bare() == ["mine"]
    others: list[Any] = [new_manager().hook.bare, None, "hook", custom]
    for other in others:
        assert take_over(other) is other
        assert take_over_subset(other) is other


def test_copies() -> None:
    manager = new_manager(Pair())
    shallow = copy.copy(manager.hook.hook)
    assert type(shallow) is HookCaller
    manager.register(Second())
    assert shallow(one=1, two=2) == [2, (1, 2)]

    deep = copy.deepcopy(manager)
    assert type(deep.hook.hook) is HookCaller
    execute: Any = deep.hook.hook._hookexec
    assert execute.__self__ is deep
    deep.register(Second(), "third")
    assert deep.hook.hook(one=1, two=2) == [2, 2, (1, 2)]
    assert manager.hook.hook(one=1, two=2) == [2, (1, 2)]
    plugin = deep.get_plugin("third")
    assert deep.subset_hook_caller("hook", [plugin])(one=1, two=2) == [2, (1, 2)]

    subset = manager.subset_hook_caller("hook", [manager.list_name_plugin()[0][1]])
    assert type(copy.copy(subset)) is SubsetHookCaller
    assert copy.copy(subset)(one=1, two=2) == subset(one=1, two=2) == [2]


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="there, accelerated managers live as long as the process",
)
def test_a_manager_is_collected() -> None:
    plugin = Pair()
    manager = new_manager(plugin)
    manager.hook.hook(one=1, two=2)
    manager.subset_hook_caller("hook", [plugin])(one=1, two=2)
    gone = weakref.ref(manager), weakref.ref(plugin)
    del manager, plugin
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


# Calls


def test_keywords_in_any_order() -> None:
    hook = new_manager(Pair()).hook.hook
    for _ in range(2):
        assert hook(one=1, two=2) == [(1, 2)]
        assert hook(two=2, one=1) == [(1, 2)]


def test_keywords_made_at_run_time() -> None:
    hook = new_manager(Pair()).hook.hook
    for _ in range(2):
        names = ["".join(["o", "n", "e"]), "".join(["t", "w", "o"])]
        assert hook(**dict(zip(names, (1, 2), strict=True))) == [(1, 2)]


def test_more_keyword_tuples_than_are_kept() -> None:
    hook = new_manager(Pair()).hook.hook
    for _ in range(3):
        for number in range(20):
            assert hook(one=1, two=2, **{f"extra{number}": 3}) == [(1, 2)]
            assert hook(one=1, two=2) == [(1, 2)]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1,), {}), ((1,), {"one": 1, "two": 2}), ((), {"self": 1}), ((), {"self": 1, "one": 1})],
)
def test_calls_that_no_hook_takes(args: Any, kwargs: Any) -> None:
    plain = pluggy.HookCaller("hook", stock.MULTICALL)
    with pytest.raises(TypeError) as expected:
        plain(*args, **kwargs)
    with pytest.raises(TypeError) as found:
        new_manager(Pair()).hook.hook(*args, **kwargs)
    assert str(found.value) == str(expected.value)


def test_a_historic_hook_called_directly() -> None:
    with pytest.raises(AssertionError, match="Cannot directly call a historic hook"):
        new_manager().hook.historic(one=1)


def test_a_missing_argument_is_blamed_on_the_caller() -> None:
    hook = new_manager(Second()).hook.hook
    plain = pluggy.PluginManager("app")
    plain.add_hookspecs(Specs)
    found = []
    for caller in (hook, plain.hook.hook):
        with pytest.warns(UserWarning, match="'one'") as warned:
            caller(two=2)
        found.append((warned[0].filename, str(warned[0].message)))
    assert found[0] == found[1]


def test_a_list_changed_in_place() -> None:
    hook = new_manager(Pair(), Second()).hook.hook
    assert hook(one=1, two=2) == [2, (1, 2)]
    hook._hookimpls.reverse()
    assert hook(one=1, two=2) == [(1, 2), 2]
    del hook._hookimpls[0]
    assert hook(one=1, two=2) == [(1, 2)]
    hook._hookimpls.clear()
    assert hook(one=1, two=2) == []


def test_a_list_of_something_else() -> None:
    hook = new_manager(Pair()).hook.hook

    class Impl:
        function = staticmethod(lambda two: -two)
        argnames, kwargnames = ("two",), ()
        hookwrapper = wrapper = tryfirst = trylast = False
        plugin, plugin_name = None, "impl"

    hook._hookimpls.append(Impl())
    assert hook(one=1, two=2) == [-2, (1, 2)]


def test_a_function_replaced() -> None:
    hook = new_manager(Pair(), Second()).hook.hook
    assert hook(one=1, two=2) == [2, (1, 2)]
    hook._hookimpls[0].function = lambda one, two: one + two
    assert hook(one=1, two=2) == [2, 3]
    del hook._hookimpls[1].function
    with pytest.raises(AttributeError, match="function"):
        hook(one=1, two=2)


def test_a_wrapper_replaced_by_what_is_none() -> None:
    class Wraps:
        @hookimpl(wrapper=True)
        def hook(self) -> Any:
            return (yield)

    hook = new_manager(Pair(), Wraps()).hook.hook
    assert hook(one=1, two=2) == [(1, 2)]
    hook._hookimpls[-1].function = lambda: 5
    for _ in range(2):
        with pytest.raises(TypeError, match="'int' object is not an iterator"):
            hook(one=1, two=2)


@pytest.mark.parametrize("argnames", [("one",) * 50, ["one"], (1,), 5, ("nothing",)])
def test_argument_names_that_somebody_has_set(argnames: Any) -> None:
    results: list[object] = []
    for manager in (new_manager(Pair()), pluggy.PluginManager("app")):
        if not results:
            hook = manager.hook.hook
        else:
            manager.add_hookspecs(Specs)
            manager.register(Pair())
            hook = manager.hook.hook
        impl: Any = hook._hookimpls[0]
        impl.argnames = argnames
        try:
            results.append(hook(one=1, two=2))
        except Exception as error:
            results.append((type(error), str(error)))
    assert results[0] == results[1]


def test_many_arguments() -> None:
    names = [f"a{number}" for number in range(60)]
    namespace: dict[str, Any] = {}
    exec(f"def hook({', '.join(names)}): return [{', '.join(names)}]", namespace)
    plugin = type("Plugin", (), {"hook": staticmethod(hookimpl(namespace["hook"]))})
    manager = jumptable_pluggy.PluginManager("app")
    manager.register(plugin)
    values = {name: object() for name in names}
    assert manager.hook.hook(**values) == [list(values.values())]


def test_implementations_of_every_kind() -> None:
    class Called:
        def __call__(self, one: object) -> object:
            return "object", one

    class Kinds:
        @staticmethod
        def static(one: object, two: object) -> object:
            return "static", one, two

        @classmethod
        def own(cls, one: object) -> object:
            return cls.__name__, one

        def method(self, two: object) -> object:
            return "method", two

        @classmethod
        def wraps(cls) -> Any:
            return (yield)

    def new_impl(function: Any) -> Any:
        options: Any = dict.fromkeys(
            ("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast", "specname"), False
        )
        options["wrapper"] = function == Kinds.wraps
        return pluggy.HookImpl(None, "plugin", function, options)

    partial = functools.partial(lambda *args: ("partial", *args), 3)
    functions = [Kinds.static, Kinds.own, Kinds().method, Called(), partial, Kinds, Kinds.wraps]
    hook = new_manager().hook.hook
    hook._hookimpls += map(new_impl, functions)
    results = hook(one=1, two=2)
    assert type(results[0]) is Kinds
    assert results[1:] == [
        ("partial", 3),
        ("object", 1),
        ("method", 2),
        ("Kinds", 1),
        ("static", 1, 2),
    ]


def test_registering_from_inside_a_call() -> None:
    class Registers:
        done = False

        @hookimpl(tryfirst=True)
        def bare(self) -> str:
            if not self.done:
                self.done = True
                manager.register(Later())
                manager.unregister(earlier)
            return "registers"

    class Later:
        @hookimpl
        def bare(self) -> str:
            return "later"

    class Earlier:
        @hookimpl
        def bare(self) -> str:
            return "earlier"

    earlier = Earlier()
    manager = new_manager(earlier, Registers())
    assert manager.hook.bare() == ["registers", "earlier"]
    assert manager.hook.bare() == ["registers", "later"]


def test_tracing_from_inside_a_call() -> None:
    seen: list[str] = []

    class Traces:
        @hookimpl
        def bare(self) -> None:
            undo.append(
                manager.add_hookcall_monitoring(
                    lambda name, *_: seen.append(name), lambda *_: seen.append("done")
                )
            )

    undo: list[Any] = []
    manager = new_manager(Traces())
    manager.hook.bare()
    assert seen == []
    manager.hook.hook(one=1, two=2)
    assert seen == ["hook", "done"]
    undo[0]()
    manager.hook.hook(one=1, two=2)
    assert len(seen) == 2


def test_pickling() -> None:
    manager = pickle.loads(pickle.dumps(new_manager()))
    manager.register(Pair())
    assert type(manager.hook.hook) is HookCaller
    assert manager.hook.hook(one=1, two=2) == [(1, 2)]
    assert manager.hook.hook.call_extra([], {"one": 1, "two": 2}) == [(1, 2)]


def test_every_way_to_set_what_runs_the_calls() -> None:
    manager: Any = new_manager(Pair())
    hook = manager.hook.hook
    compiled = manager._inner_hookexec

    def other(*_: object) -> str:
        return "other"

    def by_update(value: object) -> None:
        vars(manager).update(_inner_hookexec=value)

    def by_item(value: object) -> None:
        vars(manager)["_inner_hookexec"] = value

    def by_setattr(value: object) -> None:
        object.__setattr__(manager, "_inner_hookexec", value)

    def by_attribute(value: object) -> None:
        manager._inner_hookexec = value

    def by_clearing(value: object) -> None:
        kept = vars(manager).copy()
        vars(manager).clear()
        vars(manager).update(kept, _inner_hookexec=value)

    for setter in (by_update, by_item, by_setattr, by_attribute, by_clearing):
        for _ in range(100):  # the interpreter specialises what it runs often
            setter(other)
            assert hook(one=1, two=2) == "other"
            setter(compiled)
            assert hook(one=1, two=2) == [(1, 2)]
    del manager._inner_hookexec
    with pytest.raises(AttributeError, match="_inner_hookexec"):
        hook(one=1, two=2)
