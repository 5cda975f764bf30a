from __future__ import annotations

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
