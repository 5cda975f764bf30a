"""What hooks do, once without and once with the measuring: everything else is equal."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import pluggy
import pytest

from jumptable.calling.hookstats import HookStats

from .measured import named, new_manager, none, plain, raising, register


@pytest.fixture(params=["stock", "compiled"])
def manager(request: pytest.FixtureRequest) -> Any:
    return new_manager(request.param)


def leaving(x: Any) -> Any:
    raise SystemExit(3)


def stopping(x: Any) -> Any:
    raise StopIteration(4)


def warning(x: Any) -> Any:
    for level in range(1, 6):
        warnings.warn(f"level {level}", stacklevel=level)


def looking(x: Any) -> Any:
    frame: Any = sys._getframe()
    names = []
    while frame.f_code.co_name != "observe":
        names.append((frame.f_code.co_name, frame.f_code.co_filename))
        frame = frame.f_back
    return names


def passing(x: Any) -> Any:
    return (yield)


def adding(x: Any) -> Any:
    return [*(yield), "added"]


def swallowing(x: Any) -> Any:
    try:
        return (yield)
    except BaseException as error:
        return [repr(error)]


def raising_before(x: Any) -> Any:
    raise KeyError("before")
    yield


def raising_after(x: Any) -> Any:
    yield
    raise KeyError("after")


def not_yielding(x: Any) -> Any:
    return
    yield


def yielding_twice(x: Any) -> Any:
    yield
    yield


def clinging(x: Any) -> Any:
    yield
    try:
        yield
    except GeneratorExit:
        raise OSError("will not close") from None


def forcing(x: Any) -> Any:
    outcome = yield
    outcome.force_result(["forced"])


def reading(x: Any) -> Any:
    outcome = yield
    outcome.get_result()


PLUGGY = os.path.dirname(pluggy.__file__)
PLAIN = [plain, none, raising, leaving, stopping, warning, looking]
WRAPPERS = [passing, adding, swallowing, raising_before, raising_after, not_yielding,
            yielding_twice, clinging]  # fmt: skip
OLD = [passing, forcing, reading, raising_before, raising_after, not_yielding, yielding_twice]
if not pluggy.__version__.startswith("1.5."):  # which does not close it, so Python complains
    OLD.append(clinging)


def observe(manager: Any, name: str) -> tuple[Any, ...]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = getattr(manager.hook, name)(x=1)
        except BaseException as error:
            frames = [tuple(frame)[:3] for frame in traceback.extract_tb(error.__traceback__)]
            contexts = repr(error.__cause__), repr(error.__context__)
            result = [type(error), str(error), *frames, *contexts]
    return result, [(str(w.message), w.filename, w.lineno) for w in caught]


def is_pluggys(frame: Any) -> bool:
    return isinstance(frame, tuple) and any(str(word).startswith(PLUGGY) for word in frame)


def without_frames(seen: Any) -> Any:
    """Less what pluggy's frames add: a compiled hook has none before it is measured."""

    def filtered(part: Any) -> Any:
        if not isinstance(part, list):
            return part
        return [filtered(inner) for inner in part if not is_pluggys(inner)]

    result, caught = seen
    return filtered(result), [message for message, *_ in caught]


def plugins() -> Iterator[list[tuple[Any, dict[str, bool]]]]:
    for function in PLAIN:
        yield [(function, {}), (plain, {})]
    for wrapper in WRAPPERS:
        for function in PLAIN:
            yield [(function, {}), (wrapper, {"wrapper": True})]
    for wrapper in OLD:
        for function in PLAIN:
            yield [(function, {}), (wrapper, {"hookwrapper": True})]
            yield [(function, {}), (passing, {"wrapper": True}), (wrapper, {"hookwrapper": True}),
                   (adding, {"wrapper": True})]  # fmt: skip


@pytest.mark.parametrize("name", ["hook", "first"])
def test_everything_else_stays_the_same(manager: Any, name: str) -> None:
    stock = type(manager.hook.hook) is pluggy.HookCaller
    for number, group in enumerate(plugins()):
        registered = [
            register(manager, f"{number}.{place}", named(function, name), **options)
            for place, (function, options) in enumerate(group)
        ]
        expected = observe(manager, name)
        with HookStats(manager) as stats:
            measured = observe(manager, name)
        assert {row.calls for row in stats.times()} == {1}
        if not stock:
            measured, expected = without_frames(measured), without_frames(expected)
        assert measured == expected, [function.__name__ for function, _ in group]
        for plugin in registered:
            manager.unregister(plugin)
