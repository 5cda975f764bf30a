"""Random hook set-ups behave on compiled callers as on stock ones; see ``differential``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy
import pytest

import jumptable.pluggy
from tests.calling.differential import Accelerate, Make, check
from tests.calling.hook_cases import describe, generate

pytestmark = pytest.mark.thread_unsafe(reason="collects garbage and freezes it")


def nothing(manager: pluggy.PluginManager) -> None: ...


def made_while_installed(project: str) -> pluggy.PluginManager:
    jumptable.pluggy.install()
    try:
        return pluggy.PluginManager(project)
    finally:
        jumptable.pluggy.uninstall()


WAYS: dict[str, tuple[Make, Accelerate]] = {
    "accelerate": (pluggy.PluginManager, jumptable.pluggy.accelerate),
    "PluginManager": (jumptable.pluggy.PluginManager, nothing),
    "install": (made_while_installed, nothing),
}
BATCH = 250


@pytest.mark.parametrize("first", range(0, 8 * BATCH, BATCH))
def test_accelerated_like_stock(first: int) -> None:
    check(first, BATCH, *WAYS["accelerate"])


@pytest.mark.parametrize(("way", "first"), [("PluginManager", 8 * BATCH), ("install", 9 * BATCH)])
def test_compiled_from_the_start_like_stock(way: str, first: int) -> None:
    check(first, BATCH, *WAYS[way])


@pytest.mark.long
@pytest.mark.parametrize("first", range(100_000, 300_000, 10_000))
def test_like_stock_at_length(first: int) -> None:
    check(first, 10_000, *WAYS[[*WAYS][first // 10_000 % len(WAYS)]])


def test_a_case_is_the_same_each_time() -> None:
    check(0, 200, pluggy.PluginManager, nothing)
    assert all(generate(seed) == generate(seed) for seed in range(200))


# What the comparison would miss would make it worthless: managers that are wrong in one way each.

Hookexec = Callable[[str, Any, Any, bool], Any]


def around(change: Callable[[Hookexec, str, Any, Any, bool], Any]) -> Accelerate:
    """An accelerate() that puts ``change`` around the calls."""

    def accelerate(manager: pluggy.PluginManager) -> None:
        stock: Hookexec = manager._inner_hookexec

        def hookexec(name: str, impls: Any, kwargs: Any, firstresult: bool) -> Any:
            return change(stock, name, impls, kwargs, firstresult)

        manager._inner_hookexec = hookexec  # type: ignore[assignment]

    return accelerate


def callers_like(caller: type[pluggy.HookCaller]) -> Accelerate:
    def accelerate(manager: pluggy.PluginManager) -> None:
        for each in vars(manager.hook).values():
            each.__class__ = caller

    return accelerate


def wrong_order(call: Hookexec, name: str, impls: Any, *rest: Any) -> Any:
    plain = [impl for impl in impls if not (impl.wrapper or impl.hookwrapper)]
    return call(name, [*plain[::-1], *impls[len(plain) :]], *rest)


def wrong_wrapper_order(call: Hookexec, name: str, impls: Any, *rest: Any) -> Any:
    plain = [impl for impl in impls if not (impl.wrapper or impl.hookwrapper)]
    return call(name, [*plain, *impls[len(plain) :][::-1]], *rest)


def ignores_firstresult(call: Hookexec, name: str, impls: Any, kwargs: Any, first: bool) -> Any:
    result = call(name, impls, kwargs, False)
    return (result[0] if result else None) if first and isinstance(result, list) else result


def copies_results(call: Hookexec, *rest: Any) -> Any:
    result = call(*rest)
    return tuple(result) if isinstance(result, list) else result


def failing(handle: Callable[[BaseException], None]) -> Accelerate:
    def change(call: Hookexec, *rest: Any) -> Any:
        try:
            return call(*rest)
        except BaseException as error:
            handle(error)
            raise

    return around(change)


def loses_cause(error: BaseException) -> None:
    error.__cause__ = None


def loses_context(error: BaseException) -> None:
    error.__context__ = None


def changes_text(error: BaseException) -> None:
    error.args = ("changed",)


def loses_traceback(call: Hookexec, *rest: Any) -> Any:
    failure: BaseException
    try:
        return call(*rest)
    except BaseException as error:
        failure = error
    raise failure.with_traceback(None)


def is_seen_in_handlers(call: Hookexec, *rest: Any) -> Any:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        return call(*rest)


def stale() -> Accelerate:
    kept: dict[tuple[int, str], Any] = {}

    def change(call: Hookexec, name: str, impls: Any, *rest: Any) -> Any:
        return call(
            name, kept.setdefault((id(impls[0].plugin) if impls else 0, name), impls), *rest
        )

    return around(change)


class OneFrameMore(pluggy.HookCaller):
    __slots__ = ()

    def __call__(self, **kwargs: object) -> Any:
        return super().__call__(**kwargs)


class NoWarning(pluggy.HookCaller):
    __slots__ = ()

    def _verify_all_args_are_provided(self, kwargs: Any) -> None: ...


def forgets_undo(manager: pluggy.PluginManager) -> None:
    manager.add_hookcall_monitoring = lambda *both: lambda: None  # type: ignore[method-assign]


MISTAKES: dict[str, Accelerate] = {
    "order": around(wrong_order),
    "wrapper order": around(wrong_wrapper_order),
    "firstresult": around(ignores_firstresult),
    "result type": around(copies_results),
    "cause": failing(loses_cause),
    "context": failing(loses_context),
    "text": failing(changes_text),
    "traceback": around(loses_traceback),
    "handled exception": around(is_seen_in_handlers),
    "stale implementations": stale(),
    "stack level": callers_like(OneFrameMore),
    "warning": callers_like(NoWarning),
    "monitoring stays": forgets_undo,
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_finds(mistake: str) -> None:
    with pytest.raises(AssertionError, match="rerun: python -m tests.calling.differential"):
        check(0, 400, pluggy.PluginManager, MISTAKES[mistake])


def test_a_failing_case_is_made_small() -> None:
    with pytest.raises(AssertionError) as failure:
        check(0, 400, pluggy.PluginManager, MISTAKES["order"])
    assert "  stock: " in str(failure.value)
    assert str(failure.value).count("\n    label=") <= 2  # an order needs two
    assert describe(generate(0))
