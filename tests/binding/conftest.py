from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile
from tests.hosts import build

DIALECTS = [("c", "c99"), ("c", "c11"), ("c++", "c++11"), ("c++", "c++20")]


@pytest.fixture(scope="session")
def basic(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("basic"))


@pytest.fixture(scope="session")
def data(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("data"))


@pytest.fixture(scope="session")
def objects(compile_plugin: Compile, python_flags: list[str]) -> jt.Plugin:
    return jt.open(compile_plugin("objects", None, *python_flags))


@pytest.fixture(scope="session", params=DIALECTS, ids=lambda dialect: dialect[1])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same host in each dialect of C and C++, held to the strictest warnings."""
    language, standard = request.param
    folder = tmp_path_factory.mktemp(standard.replace("+", "p"))
    path = build.built(folder, "host.c", f"-std={standard}", *build.STRICT, language=language)
    return build.load(path)


@pytest.fixture(scope="session")
def c_host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return build.load(build.built(tmp_path_factory.mktemp("host"), "host.c"))


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
