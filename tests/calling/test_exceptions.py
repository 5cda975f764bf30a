"""Exceptions of wrappers and implementations leave the rest of the program as stock pluggy does."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pluggy
import pytest

import jumptable.pluggy as jumptable_pluggy
from jumptable.calling import stock

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

hookimpl = pluggy.HookimplMarker("app")
pytestmark = pytest.mark.filterwarnings("ignore::pluggy.PluggyTeardownRaisedWarning")


class Outer(Exception):
    pass


class Failing:
    """Hooks in whose calls exceptions are handled in each of the ways that there are."""

    @hookimpl(hookwrapper=True)
    def teardown(self) -> Any:
        yield
        raise ValueError

    @hookimpl(wrapper=True)
    def no_yield(self) -> Any:
        if self is None:
            yield

    @hookimpl(hookwrapper=True)
    def second_yield(self) -> Any:
        yield
        yield

    @hookimpl(wrapper=True)
    def passes(self) -> Any:
        return (yield)

    @hookimpl(specname="passes")
    def raises(self) -> None:
        raise ValueError

    @hookimpl
    def plain(self) -> None:
        raise ValueError


HOOKS = ["teardown", "no_yield", "second_yield", "passes", "plain"]
MAKERS: list[Any] = [pluggy.PluginManager, jumptable_pluggy.PluginManager]


def caller_of(hook: str, make: Callable[[str], Any]) -> Any:
    manager = make("app")
    manager.register(Failing())
    return getattr(manager.hook, hook)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_generator_that_waits_keeps_nobodys_exception(hook: str, make: Any) -> None:
    call = caller_of(hook, make)

    def calls() -> Iterator[BaseException | None]:
        try:
            call()
        except (ValueError, RuntimeError):
            pass
        yield sys.exc_info()[1]
        yield sys.exc_info()[1]
        try:
            raise LookupError
        except LookupError as error:
            yield error.__context__
        raise

    generator = calls()
    try:
        raise Outer
    except Outer as error:
        gone = weakref.ref(error)
        assert next(generator) is error
    gc.collect()
    assert gone() is None
    assert next(generator) is None
    assert next(generator) is None
    with pytest.raises(RuntimeError, match="No active exception"):
        next(generator)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_coroutine_that_waits_keeps_nobodys_exception(hook: str, make: Any) -> None:
    call = caller_of(hook, make)

    async def calls() -> BaseException | None:
        try:
            call()
        except (ValueError, RuntimeError):
            pass
        await asyncio.sleep(0)
        return sys.exc_info()[1]

    coroutine = calls()
    try:
        raise Outer
    except Outer:
        coroutine.send(None)
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    assert stop.value.value is None


@pytest.mark.parametrize("hook", HOOKS)
def test_what_is_being_handled_is_the_context_and_stays(hook: str) -> None:
    def contexts(make: Callable[[str], Any]) -> list[str]:
        call, found = caller_of(hook, make), []
        try:
            raise Outer
        except Outer as outer:
            try:
                call()
            except (ValueError, RuntimeError) as failure:
                error: BaseException | None = failure
                while error is not None:
                    found.append(type(error).__name__)
                    error = error.__context__
            assert sys.exc_info()[1] is outer
            assert outer.__context__ is None
        assert sys.exc_info()[1] is None
        return found

    stock_contexts, compiled = map(contexts, MAKERS)
    assert compiled == stock_contexts
    assert compiled[-1] == "Outer"


# Wrappers whose call ends without them


class Log(list[str]):
    """A manager's wrappers, below each other; what they do is noted."""

    @hookimpl(hookwrapper=True, tryfirst=True, specname="hook")
    def outermost(self) -> Any:
        outcome = yield
        self.append(f"outermost {type(outcome.exception).__name__}")
        outcome.force_result("forced")
        self.append("outermost ends")

    @hookimpl(wrapper=True, tryfirst=True, specname="hook")
    def outer(self) -> Any:
        try:
            return (yield)
        except BaseException as error:
            self.append(f"outer {type(error).__name__}")
            raise
        finally:
            self.append("outer ends")

    @hookimpl(hookwrapper=True, specname="hook")
    def closes(self) -> Any:
        try:
            yield
        finally:
            self.append("closes ends")

    @hookimpl(wrapper=True, trylast=True, specname="hook")
    def yields_twice(self) -> Any:
        yield
        try:
            yield
        finally:
            self.append("closed")


def test_old_wrappers_above_a_second_yield_are_told_that_it_is_over() -> None:
    def log(make: Callable[[str], Any]) -> tuple[list[str], str]:
        manager, noted = make("app"), Log()
        # An object that compares by identity; a list does not hash.
        manager.register(type("Plugin", (), {name: getattr(noted, name) for name in NAMES}))
        try:
            manager.hook.hook()
        except RuntimeError as error:
            message = str(error).partition("\n")[0].split(" wrap_")[0]
        gc.collect()
        return [*noted], message.split(" at ")[0]

    stock_log, compiled = map(log, MAKERS)
    assert sorted(compiled[0]) == sorted(stock_log[0])
    assert compiled[1] == stock_log[1]
    assert compiled[0][0] == "closed"
    if not stock.SHARED_OUTCOME:  # 1.5 only closes them
        assert "outermost GeneratorExit" in compiled[0]
        assert "outermost ends" in compiled[0]


NAMES = ["outermost", "outer", "closes", "yields_twice"]


# Fault containment


class Fails:
    def __init__(self, error: Callable[[], BaseException], context: bool) -> None:
        self.error, self.context = error, context

    @hookimpl
    def hook(self) -> None:
        if not self.context:
            raise self.error()
        try:
            raise Outer
        except Outer:
            raise self.error()  # noqa: B904


@pytest.mark.parametrize("ends", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("context", [False, True])
def test_what_ends_a_contained_call_keeps_its_context(
    ends: type[BaseException], context: bool
) -> None:
    manager: Any = jumptable_pluggy.PluginManager("app", contain=True)
    manager.register(Fails(ends, context))
    manager.register(Fails(ValueError, False))
    with pytest.raises(ends) as caught:
        manager.hook.hook()
    assert isinstance(caught.value.__context__, Outer if context else ExceptionGroup)
