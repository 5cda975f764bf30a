"""Which hook calls a pytest run makes: ``pytest -p hookshapes``; JSON to the file $HOOK_SHAPES.

A call's shape is all that its cost depends on: how many keyword arguments it passes, whether the
first result ends it, and which implementations it came to, of what kind, with how many arguments.
"""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

__all__ = ["KINDS"]

KINDS = ("plain", "wrapper", "hookwrapper")


class Asked(list[Any]):
    """Implementations, which notices how many of them pluggy comes to; it starts at the end."""

    came_to = 0

    def __reversed__(self) -> Iterator[Any]:
        for implementation in super().__reversed__():
            self.came_to += 1
            yield implementation


def kind(implementation: Any) -> str:
    if implementation.hookwrapper:
        return "hookwrapper"
    return "wrapper" if implementation.wrapper else "plain"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    shapes: Counter[tuple[object, ...]] = Counter()
    execute = pluginmanager._inner_hookexec

    def recorded(
        name: str, implementations: Sequence[Any], arguments: Mapping[str, object], first: bool
    ) -> object:
        asked = Asked(implementations)
        try:
            return execute(name, asked, arguments, first)
        finally:
            called = list(asked)[::-1][: asked.came_to]
            kinds = tuple((kind(each), len(each.argnames)) for each in called)
            shapes[len(arguments), bool(first), kinds] += 1

    # As pluggy's own monitoring does, but from the first call on, and without a look at results.
    pluginmanager._inner_hookexec = recorded
    atexit.register(lambda: save(shapes))


def save(shapes: Counter[tuple[object, ...]]) -> None:
    found = [[*shape, calls] for shape, calls in shapes.most_common()]
    Path(os.environ["HOOK_SHAPES"]).write_text(json.dumps(found), "utf-8")
