"""The compiled multicall by itself: as pluggy's own for any implementations and arguments."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pluggy
import pytest

from jumptable.calling import stock
from jumptable.calling.multicall import is_multicall, new_multicall


def impl(function: Any, **options: Any) -> Any:
    names = ("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast", "specname")
    chosen: Any = dict.fromkeys(names, False) | options
    return pluggy.HookImpl(None, "plugin", function, chosen)


def same(value: object) -> object:
    return value


def nothing() -> None: ...


@pytest.fixture
def call() -> Any:
    return new_multicall(False)


def test_signature(call: Any) -> None:
    parameters = inspect.signature(stock.MULTICALL).parameters
    assert list(inspect.signature(call).parameters) == list(parameters)
    assert call.__doc__
    assert is_multicall(call)
    assert not is_multicall(stock.MULTICALL)
    assert not is_multicall(len)


def test_calls_from_the_last_to_the_first(call: Any) -> None:
    impls = [impl(lambda: 1), impl(nothing), impl(same), impl(lambda: 3)]
    assert call("hook", impls, {"value": 2}, False) == [3, 2, 1]
    assert call("hook", impls, {"value": 2}, True) == 3
    assert call("hook", tuple(impls), {"value": 5, "more": 0}, False) == [3, 5, 1]
    assert call("hook", [], {}, False) == []
    assert call("hook", [], {}, True) is None
    assert call(hook_name="hook", hook_impls=impls, caller_kwargs={"value": 7}, firstresult=0) == [
        3, 7, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", [(), ("hook", []), ("hook", 5, {}, False)])
def test_wrong_arguments(call: Any, arguments: Any) -> None:
    with pytest.raises(TypeError):
        call(*arguments)


def test_a_missing_argument(call: Any) -> None:
    for function in (stock.MULTICALL, call):
        with pytest.raises(pluggy.HookCallError, match="must provide argument 'value'"):
            function("hook", [impl(same)], {"other": 1}, False)


def test_arguments_that_are_no_plain_dictionary(call: Any) -> None:
    class Defaults(dict[str, object]):
        def __missing__(self, name: str) -> str:
            return f"the {name}"

    assert call("hook", [impl(same)], Defaults(), False) == ["the value"]
    assert call("hook", [impl(same)], {"value": 1, 2: 3}, False) == [1]


def test_changed_between_calls() -> None:
    call = new_multicall(False)
    impls = [impl(same)]
    for _ in range(2):
        assert call("hook", impls, {"value": 1}, False) == [1]
        assert call("hook", impls, {"value": 1}, True) == 1
        assert call("hook", [*impls, impl(nothing)], {"value": 2}, False) == [2]
        assert call("hook", impls, {"other": 0, "value": 3}, False) == [3]


def test_copied_and_pickled() -> None:
    call = new_multicall(frozenset({"hook"}))
    again = pickle.loads(pickle.dumps(call))
    assert is_multicall(again)
    assert is_multicall(copy.deepcopy(call))
    failing = impl(lambda: 1 / 0)
    with pytest.raises(Exception, match="1 of 1 implementations of the hook 'hook' raised"):
        again("hook", [failing], {}, False)
    with pytest.raises(ZeroDivisionError):
        again("other", [failing], {}, False)
