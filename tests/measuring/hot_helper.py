"""A helper of a host, in a file of its own; and how the tests look at what was found."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jumptable as jt
from jumptable.measuring.hotpath import HotPath, bench

SHORT = 0.02


def find(plugin: jt.Plugin, name: str) -> Any:
    return plugin.lookup(name)  # found here


def find_by(finder: Any, plugin: jt.Plugin) -> Any:
    return finder(plugin, "loads")


def hot(function: Callable[..., object], *arguments: Any) -> HotPath:
    return bench(function, *arguments, seconds=SHORT)


def marked(mark: str, file: str) -> int:
    """The number of the only line of a file that ends with this comment."""
    lines = [
        number
        for number, line in enumerate(linecache.getlines(file), 1)
        if line.rstrip().endswith(f"# {mark}")
    ]
    assert len(lines) == 1, f"{mark}: {lines}"
    return lines[0]


def places(found: HotPath) -> dict[tuple[str, str, int], float]:
    return {(one.kind, Path(one.file).name, one.line): one.calls for one in found.findings}
