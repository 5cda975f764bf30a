"""Where in the user's own code something happens, and what the line says."""

from __future__ import annotations

import ast
import linecache
import os
import sysconfig
from dataclasses import dataclass
from functools import cache
from types import FrameType, ModuleType
from typing import Any

__all__ = ["Place", "first_argument", "first_literal", "place_of", "shown"]

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
LIBRARIES = tuple(
    sysconfig.get_path(name) + os.sep
    for name in ("stdlib", "platstdlib")
    if sysconfig.get_path(name)
)
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@dataclass(frozen=True)
class Place:
    """A line: its file as the code names it, its number and its text without indentation."""

    file: str
    line: int
    source: str


def place_of(frame: FrameType) -> tuple[str, int]:
    """The file and the line of the innermost frame that is neither this package's nor Python's.

    If there is none, of the frame itself.
    """
    found: FrameType | None = frame
    while found is not None and not _is_users(found.f_code.co_filename):
        found = found.f_back
    found = found or frame
    return found.f_code.co_filename, found.f_lineno


@cache
def _is_users(file: str) -> bool:
    if file.startswith(("<frozen ", "<timed: ", PACKAGE)):
        return False
    if file.startswith(LIBRARIES):
        return any(folder in file for folder in INSTALLED)
    return True


def shown(file: str) -> str:
    """A file's name from here, if it is in the current directory; else the whole of it."""
    try:
        relative = os.path.relpath(file)
    except (OSError, ValueError):
        return file
    return file if relative.startswith(os.pardir) or file.startswith("<") else relative


def source_line(file: str, line: int, names: dict[str, Any] | None = None) -> str:
    return linecache.getline(file, line, names).strip()


def _calls(source: str, name: str) -> list[ast.Call]:
    """The calls of something named so in one line, which may be the head of a block."""
    for text in (source, f"{source}\n    pass", f"if 1:\n    pass\n{source}\n    pass"):
        try:
            nodes = list(ast.walk(ast.parse(text)))
        except (SyntaxError, ValueError):
            continue
        return [
            node
            for node in nodes
            if isinstance(node, ast.Call)
            and name == getattr(node.func, "attr", getattr(node.func, "id", None))
        ]
    return []


def first_literal(source: str, name: str) -> str:
    """``'apply'`` of ``plugin.lookup('apply', ...)``, or nothing if it cannot be told."""
    calls = _calls(source, name)
    if len(calls) == 1 and calls[0].args and isinstance(calls[0].args[0], ast.Constant):
        return repr(calls[0].args[0].value)
    return ""


def first_argument(frame: FrameType, source: str, name: str) -> object:
    """What the first argument of the line's only call of ``name`` is now, or None.

    Only names and attributes that are plain data are followed: nothing of the user's is run.
    """
    calls = _calls(source, name)
    if len(calls) != 1 or not calls[0].args:
        return None
    return _value(calls[0].args[0], frame)


def _value(node: ast.expr, frame: FrameType) -> object:
    if isinstance(node, ast.Name):
        local = frame.f_locals
        return local[node.id] if node.id in local else frame.f_globals.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    owner = _value(node.value, frame)
    if isinstance(owner, ModuleType):
        return vars(owner).get(node.attr)
    try:
        return object.__getattribute__(owner, "__dict__").get(node.attr)
    except (AttributeError, TypeError):
        return None
