"""Where in the user's own code something happens, and what the line says."""

from __future__ import annotations

import ast
import linecache
import os
import sysconfig
from dataclasses import dataclass
from functools import cache
from textwrap import dedent
from types import FrameType
from typing import Any

__all__ = ["Place", "arguments_of", "first_literal", "is_users", "place_of", "shown",
           "text_of"]  # fmt: skip

MOST_LINES = 8

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
    while found is not None and not is_users(found.f_code.co_filename):
        found = found.f_back
    found = found or frame
    return found.f_code.co_filename, found.f_lineno


@cache
def is_users(file: str) -> bool:
    """Whether a file is neither this package's nor Python's own."""
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


def text_of(file: str, line: int, names: dict[str, Any] | None) -> str:
    """A line, if there is one; the loader that a module may have for it is the user's."""
    try:
        return linecache.getline(file, line, names)
    except Exception:
        return ""


def _calls(file: str, line: int, names: dict[str, Any] | None, name: str) -> list[ast.Call]:
    """The calls of something named so in the statement, or the head of a block, at a line."""
    lines = [text_of(file, number, names) for number in range(line, line + MOST_LINES)]
    for count in range(1, MOST_LINES + 1):
        text = dedent("".join(lines[:count])).rstrip()
        for program in (text, f"{text}\n    pass", f"if 1:\n    pass\n{text}\n    pass"):
            try:
                nodes = list(ast.walk(ast.parse(program)))
            except (SyntaxError, ValueError):
                continue
            return [
                node
                for node in nodes
                if isinstance(node, ast.Call)
                and name == getattr(node.func, "attr", getattr(node.func, "id", None))
            ]
    return []


def first_literal(place: Place, name: str) -> str:
    """``'apply'`` of ``plugin.lookup('apply', ...)``, or nothing if it cannot be told."""
    calls = _calls(place.file, place.line, None, name)
    if len(calls) == 1 and calls[0].args and isinstance(calls[0].args[0], ast.Constant):
        return repr(calls[0].args[0].value)
    return ""


def arguments_of(frame: FrameType, name: str) -> tuple[list[Any], dict[str, Any]] | None:
    """What the only call of ``name`` on a frame's line is given, or None if it cannot be told.

    Literals, names and attributes that are plain data are read: nothing of the user's is run.
    """
    file, line = frame.f_code.co_filename, frame.f_lineno
    calls = _calls(file, line, frame.f_globals, name)
    if len(calls) != 1 or any(keyword.arg is None for keyword in calls[0].keywords):
        return None
    try:
        positional = [_value(node, frame) for node in calls[0].args]
        keywords = {str(one.arg): _value(one.value, frame) for one in calls[0].keywords}
    except (LookupError, AttributeError, TypeError):
        return None
    return positional, keywords


def _value(node: ast.expr, frame: FrameType) -> Any:
    """LookupError, AttributeError or TypeError where it is nothing that can be read."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        local = frame.f_locals
        return local[node.id] if node.id in local else frame.f_globals[node.id]
    if not isinstance(node, ast.Attribute):
        raise LookupError
    owner = _value(node.value, frame)
    return object.__getattribute__(owner, "__dict__")[node.attr]
