"""Folders and archives of distributions, installed as installers do, and what they declare."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import jumptable

importlib.import_module("importlib.metadata._adapters")  # which 3.13 would when sys.path is another

__all__ = [
    "Facts", "add_to_archive", "expected", "facts", "fresh", "in_new_process", "install", "outcome",
    "text_of", "with_all",
]  # fmt: skip

Facts = list[tuple[str, ...]]
Declared = Mapping[str, Iterable[tuple[str, str]]]


def text_of(groups: Declared) -> str:
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points), ""]
    return "\n".join(lines)


def install(
    site: Path,
    name: str,
    version: str = "1.0",
    groups: Declared | None = None,
    *,
    folder: str | None = None,
) -> Path:
    """What an installer leaves, or ``folder``, another kind; replaces what has this very name."""
    info = site / (folder or f"{name}-{version}.dist-info")
    if info.exists():
        shutil.rmtree(info)
    info.mkdir(parents=True)
    metadata = "PKG-INFO" if info.name.lower().endswith("egg-info") else "METADATA"
    (info / metadata).write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if groups is not None:
        (info / "entry_points.txt").write_text(text_of(groups), "utf-8")
    return info


def add_to_archive(path: Path, name: str, groups: Declared, folder: str | None = None) -> None:
    with ZipFile(path, "a") as archive:
        info = folder or f"{name}-{len(archive.namelist())}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Name: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/PKG-INFO", f"Name: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/entry_points.txt", text_of(groups))


def fresh() -> None:
    """Let importlib.metadata forget what it listed: it compares times that may be too coarse."""
    forget: Any = importlib.metadata.MetadataPathFinder.__dict__["invalidate_caches"]
    getattr(forget, "__func__", forget)(importlib.metadata.MetadataPathFinder)


def expected(**params: Any) -> Any:
    fresh()
    return importlib.metadata.entry_points(**params)


def facts(points: Any) -> Facts:
    """All that can be told of entry points, in their order."""
    if isinstance(points, dict):  # Python 3.10 and 3.11, without arguments
        told: Facts = [("type", type(points).__name__)]
        for name, found in dict.items(points):
            told += [("group", name), *facts(found)]
        return told
    told = [("type", f"{type(points).__module__}.{type(points).__name__}")]
    for point in points:
        dist = point.dist
        told.append((
            type(point).__name__, point.name, point.value, point.group,
            type(dist).__name__, type(dist._path).__name__, str(dist._path),
            str(dist.metadata["Name"]), str(dist.metadata["Version"]),
        ))  # fmt: skip
    return told


def with_all(group: str) -> Iterator[tuple[Any, Any]]:
    """What pluggy loads: hidden distributions too, and one after the other."""
    fresh()
    for distribution in [*importlib.metadata.distributions()]:
        for point in distribution.entry_points:
            if point.group == group:
                yield point, distribution


def outcome(function: Callable[[str], Iterable[tuple[Any, Any]]], group: str) -> list[Any]:
    """Each pair in its order, up to an error and with it."""
    told: list[Any] = []
    try:
        for point, distribution in function(group):
            assert point.dist._path == distribution._path
            told.append((point.name, point.value, point.group, str(distribution._path)))
    except Exception as error:
        told += [type(error), str(error)]
    return told


PROGRAM = """
import sys, json, os
path, folder, calls = json.loads(sys.argv[1])
sys.path.insert(0, sys.argv[4])
os.chdir(folder)
from jumptable.loading import entryindex
entryindex.MARGIN_NS = int(sys.argv[2])
sys.path.insert(0, sys.argv[3])
from distributions import expected, facts
from jumptable.loading.discovery import entry_points
import zipfile, email.parser, json  # before the path goes
sys.path[:] = path
for params in calls:
    assert facts(entry_points(**params)) == facts(expected(**params)), params
    assert facts(entry_points(**params)) == facts(expected(**params)), params
print("equal")
"""


def in_new_process(
    path: list[str], folder: Path, calls: list[dict[str, str]], margin_ns: int
) -> None:
    """What a new interpreter finds equals what importlib.metadata does there."""
    arguments = [json.dumps([path, str(folder), calls]), str(margin_ns)]
    arguments += [str(Path(__file__).parent), str(Path(jumptable.__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout == "equal\n", done.stderr
