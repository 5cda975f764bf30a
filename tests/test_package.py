"""The package as a whole: what importing it costs, and which room uses which."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import jumptable as jt

ROOMS = ["errors", "counting", "binding", "loading", "calling", "pluggy", "functools", "pytest",
         "measuring", "run", "cli"]  # fmt: skip
PACKAGE = Path(jt.__file__).parent


def test_public_names() -> None:
    for name in jt.__all__:
        assert getattr(jt, name).__doc__
    assert jt.__all__ == sorted(jt.__all__)


def test_importing_pulls_in_nothing_heavy() -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import jumptable; print(*sys.modules)"
    # Without site: its .pth files may import anything before.
    command = [sys.executable, "-I", "-S", "-c", program, str(PACKAGE.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"inspect", "typing", "ctypes", "importlib.metadata", "re", "dataclasses", "pathlib",
             "difflib", "logging", "threading", "subprocess", "tempfile"}  # fmt: skip
    assert not heavy & loaded
    assert not {"jumptable.measuring", "jumptable.binding.interfaces"} & loaded


def rooms_used(source: str, module: list[str]) -> set[str]:
    """The rooms that a file imports from, by absolute or relative imports and cimports."""
    used = set()
    for line in source.splitlines():
        words = line.replace("cimport", "import").split()
        if len(words) < 3 or words[0] != "from" or "import" not in words:
            continue
        name = words[1]
        level = len(name) - len(name.lstrip("."))
        parts = (module[: len(module) - level] if level else []) + name.lstrip(".").split(".")
        if parts[0] == "jumptable" and len(parts) > 1 and parts[1]:
            used.add(parts[1])
    return used


@pytest.mark.parametrize(
    "file",
    [
        file
        for pattern in ("*.py", "*.pyx", "*.pxd")
        for file in sorted(PACKAGE.rglob(pattern))
        if file.parent != PACKAGE or file.stem in ROOMS
    ],
    ids=lambda file: str(file.relative_to(PACKAGE)),
)
def test_imports_go_one_way(file: Path) -> None:
    module = ["jumptable", *file.relative_to(PACKAGE).with_suffix("").parts]
    for used in rooms_used(file.read_text("utf-8"), module):
        assert ROOMS.index(used) <= ROOMS.index(module[1]), f"{module} must not use {used}"


def test_the_rule_of_the_rooms_can_fail() -> None:
    source = "from ..loading.registry import open\nfrom jumptable.cli import main\n"
    assert rooms_used(source, ["jumptable", "binding", "symbol"]) == {"loading", "cli"}


def is_protocol(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.pyi")), ids=lambda file: str(file.stem))
def test_stubs_name_what_there_is(file: Path) -> None:
    name = ".".join(["jumptable", *file.relative_to(PACKAGE).with_suffix("").parts])
    __import__(name)
    module = sys.modules[name]
    for node in ast.parse(file.read_text("utf-8")).body:
        names = []
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        for declared in names:
            if not is_protocol(node):
                assert hasattr(module, declared), f"{name} has no {declared}"


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.pyx")), ids=lambda file: str(file.stem))
def test_compiled_methods_check_self(file: Path) -> None:
    """Cython's own functions take anything for ``self``, and read its memory as the class's."""
    name = ".".join(["jumptable", *file.relative_to(PACKAGE).with_suffix("").parts])
    __import__(name)
    for cls in vars(sys.modules[name]).values():
        is_python = isinstance(cls, type) and cls.__flags__ & 1 << 9  # Py_TPFLAGS_HEAPTYPE
        if not isinstance(cls, type) or cls.__module__ != name or is_python:
            continue
        for attribute, function in vars(cls).items():
            kind = type(function).__name__
            assert kind != "cython_function_or_method", f"{cls.__name__}.{attribute}"
            if kind in ("method_descriptor", "wrapper_descriptor"):
                with pytest.raises(TypeError):
                    function(object(), object())


def list_comprehensions(source: str) -> list[int]:
    """The lines with a list comprehension, or a generator that Cython makes one of."""
    lines = []
    open_brackets = [""]
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.string in ("(", "[", "{"):
            makes_list = token.string == "(" and before in ("list", "sorted", "tuple")
            open_brackets.append("[" if makes_list else token.string)
        elif token.string in (")", "]", "}"):
            open_brackets.pop()
        elif token.string == "for" and open_brackets[-1] == "[":
            lines.append(token.start[0])
        before = token.string
    return lines


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.pyx")), ids=lambda file: str(file.stem))
def test_cython_has_no_list_comprehensions(file: Path) -> None:
    lines = list_comprehensions(file.read_text("utf-8"))
    assert not lines, (
        f"{file.name}, lines {lines}: where memory runs out, the list comprehensions of Cython "
        "3.3.1 release an element twice; append in a loop"
    )


def test_the_rule_of_comprehensions_can_fail() -> None:
    source = (
        "a = [f(x)\n for x in y]\nb = tuple(x for x in y)\nc = (z, *[g(i) for i in y])\n"
        "d = {x: y for x in [1, 2]}\ne = any(x for x in y[:3])\nfor x in [1]: pass\n"
        "cdef int *p = &z[0]\n# [x for x in y]\n"
    )
    assert list_comprehensions(source) == [2, 3, 4]
