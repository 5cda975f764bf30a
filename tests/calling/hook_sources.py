"""Source text of the implementations that random cases use, compiled once per shape.

A shape is what an implementation's code looks like: a plain function, or a generator that yields,
catches and returns in a certain way. What it does in between is its description's business: the
text only calls ``run.enter``, ``run.leave`` and so on, which log, act, return and raise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from textwrap import dedent, indent
from types import CodeType, FunctionType
from typing import Any

FILE_NAME = "<hook case>"

PLAIN = {"plain": "return run.enter(impl, args)"}

WRAPPERS = {
    "passes": """
        run.enter(impl, args)
        return (yield)
    """,
    "finishes": """
        run.enter(impl, args)
        result = yield run.value(impl)
        return run.leave(impl, result)
    """,
    "mutates": """
        run.enter(impl, args)
        result = yield
        if isinstance(result, list):
            result.append(impl.label)
        return result
    """,
    "guards": """
        run.enter(impl, args)
        try:
            result = yield
        except BaseException as error:
            return run.leave(impl, error)
        return run.leave(impl, result)
    """,
    "guards exceptions": """
        run.enter(impl, args)
        try:
            result = yield
        except Exception as error:
            run.leave(impl, error)
            raise
        else:
            return result
        finally:
            run.note(impl, "finally")
    """,
    "cleans up": """
        run.enter(impl, args)
        try:
            return (yield)
        finally:
            run.leave(impl, None)
    """,
    "translates": """
        run.enter(impl, args)
        try:
            return (yield)
        except Exception as error:
            raise LookupError(impl.label) from error
    """,
    "drops the context": """
        run.enter(impl, args)
        try:
            return (yield)
        except Exception:
            raise LookupError(impl.label) from None
    """,
    "delegates": """
        run.enter(impl, args)
        def inner():
            try:
                return run.leave(impl, (yield run.value(impl)))
            finally:
                run.note(impl, "inner")
        return (yield from inner())
    """,
    "uses a context": """
        run.enter(impl, args)
        with run.suppressing(impl):
            return (yield)
        return run.value(impl)
    """,
    "does not yield": """
        run.enter(impl, args)
        if not args:
            return run.value(impl)
        return run.value(impl)
        yield
    """,
    "yields twice": """
        run.enter(impl, args)
        yield 1
        run.note(impl, "again")
        try:
            yield 2
        except GeneratorExit:
            run.closed(impl)
            raise
    """,
    "yields after an error": """
        run.enter(impl, args)
        try:
            return (yield)
        except BaseException as error:
            run.leave(impl, error)
            yield
    """,
    "raises when closed": """
        run.enter(impl, args)
        try:
            yield
            yield
        except GeneratorExit:
            run.closed(impl)
            raise run.error(impl)
    """,
    "returns when closed": """
        run.enter(impl, args)
        try:
            yield
            yield
        except GeneratorExit:
            run.closed(impl)
            return run.value(impl)
    """,
    "does not close": """
        run.enter(impl, args)
        yield
        try:
            yield
        except GeneratorExit:
            run.closed(impl)
            yield
    """,
    "stops": """
        run.enter(impl, args)
        try:
            yield
        except Exception:
            raise StopIteration(run.value(impl))
        raise StopIteration(run.value(impl))
    """,
}

OLD_WRAPPERS = {
    "looks": """
        run.enter(impl, args)
        outcome = run.seen((yield run.value(impl)))
        run.leave(impl, outcome)
    """,
    "gets the result": """
        run.enter(impl, args)
        result = run.seen((yield)).get_result()
        if isinstance(result, list):
            result.append(impl.label)
    """,
    "only yields": """
        run.enter(impl, args)
        run.seen((yield))
    """,
    "forces a result": """
        run.enter(impl, args)
        outcome = run.seen((yield))
        outcome.force_result(run.leave(impl, outcome))
    """,
    "forces an exception": """
        run.enter(impl, args)
        outcome = run.seen((yield))
        outcome.force_exception(run.error(impl))
    """,
    "swallows": """
        run.enter(impl, args)
        outcome = run.seen((yield))
        try:
            outcome.get_result()
        except Exception as error:
            run.leave(impl, error)
            outcome.force_result([run.value(impl)])
    """,
    "returns a value": """
        run.enter(impl, args)
        outcome = run.seen((yield))
        return run.leave(impl, outcome.excinfo and outcome.excinfo[0])
    """,
    "guards for nothing": """
        run.enter(impl, args)
        try:
            outcome = run.seen((yield))
            run.leave(impl, outcome)
        finally:
            run.note(impl, "finally")
    """,
    "does not yield": """
        run.enter(impl, args)
        return run.value(impl)
        yield
    """,
    "raises in teardown": """
        run.enter(impl, args)
        outcome = run.seen((yield))
        raise run.error(impl)
    """,
    "yields twice": """
        run.enter(impl, args)
        outcome = run.seen((yield))
        run.leave(impl, outcome)
        try:
            yield
        except GeneratorExit:
            run.closed(impl)
            raise
    """,
    "raises when closed": """
        run.enter(impl, args)
        run.seen((yield))
        try:
            yield
        except GeneratorExit:
            run.closed(impl)
            raise run.error(impl)
    """,
    "does not close": """
        run.enter(impl, args)
        run.seen((yield))
        try:
            yield
        except GeneratorExit:
            run.closed(impl)
            yield
    """,
}

BODIES = {"plain": PLAIN, "wrapper": WRAPPERS, "hookwrapper": OLD_WRAPPERS, "spec": {"spec": "..."}}


def names_of(parameters: str) -> list[str]:
    """The names in "a, b=7, *rest, c=1", but not those that collect the rest."""
    names = [part.split("=")[0].strip() for part in parameters.split(",")]
    return [name for name in names if name.isidentifier()]


@cache
def _factory(first: str, parameters: str, body: str) -> Callable[[Any, Any], FunctionType]:
    listed = ", ".join(filter(None, [first, parameters]))
    args = "".join(f"{name}, " for name in names_of(parameters))
    inner = indent(dedent(body).strip("\n"), " " * 8).rstrip()
    text = (
        "def make(run, impl):\n"
        f"    def made({listed}):\n"
        f"        args = ({args})\n{inner}\n"
        "    return made\n"
    )
    scope: dict[str, Any] = {}
    exec(compile(text, FILE_NAME, "exec"), scope)
    made: Callable[[Any, Any], FunctionType] = scope["make"]
    return made


@cache
def _named(code: CodeType, name: str) -> CodeType:
    return code.replace(co_name=name)


def make_function(
    run: Any, impl: Any, style: str, shape: str, parameters: str, first: str, name: str
) -> FunctionType:
    """A function whose own name, in tracebacks too, is ``name``."""
    function = _factory(first, parameters, BODIES[style][shape])(run, impl)
    function.__code__ = _named(function.__code__, name)
    function.__name__ = name
    # varnames() of pluggy strips self only from what looks like a method.
    function.__qualname__ = f"Plugin.{name}" if first else name
    return function
