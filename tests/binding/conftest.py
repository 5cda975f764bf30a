from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile


@pytest.fixture(scope="session")
def basic(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("basic"))


@pytest.fixture(scope="session")
def data(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("data"))


@pytest.fixture(scope="session")
def objects(compile_plugin: Compile, python_flags: list[str]) -> jt.Plugin:
    return jt.open(compile_plugin("objects", None, *python_flags))


@pytest.fixture(scope="session")
def fire_host_path(compile_plugin: Compile, python_flags: list[str]) -> Path:
    """A host in C, compiled against the headers as a user has them."""
    return compile_plugin(
        "fire_host", None, "-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Werror",
        f"-I{jt.get_include()}", *python_flags, "-pthread",
    )  # fmt: skip


@pytest.fixture(scope="session")
def fire_host(fire_host_path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("fire_host", fire_host_path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
