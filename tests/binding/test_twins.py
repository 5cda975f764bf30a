"""Classes that exist twice: real files, imported twice."""

from __future__ import annotations

import abc
import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.binding.asking import fits, problems

API = """
from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

class Filter(ABC):
    @abstractmethod
    def apply(self, x): ...

class Plain:
    def apply(self, x):
        raise NotImplementedError

class Structural(Protocol):
    def apply(self, x): ...

@runtime_checkable
class Checked(Protocol):
    def apply(self, x): ...

class Wider(Filter):
    pass

class Concrete(Checked):
    pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package whose module ``api`` can also be imported as a module of its own."""
    name = "twins_" + tmp_path.name.replace("-", "_")
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / f"api_{name}.py").write_text(API)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield name
    for loaded in set(sys.modules) - before:
        del sys.modules[loaded]


def inherits(base: type) -> object:
    return type("Impl", (base,), {"apply": lambda self, x: x})()


def test_one_file_under_two_names(package: str, tmp_path: Path) -> None:
    inner = importlib.import_module(f"{package}.api_{package}")
    outer = importlib.import_module(f"api_{package}")
    assert inner.Filter is not outer.Filter
    for name in ("Filter", "Plain"):
        (problem,) = problems(getattr(inner, name), inherits(getattr(outer, name)))
        file = str(tmp_path / package / f"api_{package}.py")
        assert problem.startswith("isinstance: ") and problem.count(file) == 2
        assert f"{package}.api_{package}.{name} (" in problem
        assert f" api_{package}.{name} (" in problem
        assert f"import it as '{package}.api_{package}' everywhere" in problem
        fits(getattr(inner, name), inherits(getattr(inner, name)))
        fits(getattr(inner, name), inherits(type("Other", (), {})))


def test_where_isinstance_does_not_fail_nothing_is_wrong(package: str) -> None:
    inner = importlib.import_module(f"{package}.api_{package}")
    outer = importlib.import_module(f"api_{package}")
    for name in ("Structural", "Checked"):
        fits(getattr(inner, name), inherits(getattr(outer, name)))
    fits(inner.Concrete, inherits(outer.Checked))
    impl = inherits(outer.Filter)
    inner.Filter.register(type(impl))
    fits(inner.Filter, impl)


def test_a_base_of_the_interface_that_exists_twice(package: str) -> None:
    inner = importlib.import_module(f"{package}.api_{package}")
    outer = importlib.import_module(f"api_{package}")
    (problem,) = problems(inner.Wider, inherits(outer.Filter))
    assert f"{package}.api_{package}.Filter (" in problem


def test_a_reload(package: str) -> None:
    api = importlib.import_module(f"api_{package}")
    impl = inherits(api.Filter)
    fits(api.Filter, impl)
    importlib.reload(api)
    (problem,) = problems(api.Filter, impl)
    assert "was run twice, by a reload" in problem


def test_a_vendored_copy(package: str, tmp_path: Path) -> None:
    api = importlib.import_module(f"api_{package}")
    copied = tmp_path / package / f"copy_{package}.py"
    copied.write_text("'''Vendored.'''\nSURPLUS = 1\n" + API)
    copy = importlib.import_module(f"copy_{package}")
    for name in ("Filter", "Plain"):
        (problem,) = problems(getattr(api, name), inherits(getattr(copy, name)))
        assert str(copied) in problem and "a copy of the other" in problem


def test_a_plugins_own_class_may_be_named_like_the_interface(package: str, tmp_path: Path) -> None:
    api = importlib.import_module(f"api_{package}")
    own = f"own_{package}"
    text = """
        class Plain:
            def apply(self, x): return 2 * x

        class Fast(Plain):
            pass

        def larger():
            class Plain:
                def apply(self, x): raise NotImplementedError
                def more(self): pass
            return Plain

        class Same:
            def apply(self, x): raise NotImplementedError

        Larger, Same.__qualname__ = larger(), "Plain"
        Larger.__qualname__ = "Plain"
    """
    (tmp_path / package / f"{own}.py").write_text(textwrap.dedent(text))
    plugin = importlib.import_module(own)
    for impl in (plugin.Plain(), plugin.Fast(), plugin.Same(), inherits(plugin.Larger)):
        fits(api.Plain, impl)


def test_a_class_that_a_function_makes_twice() -> None:
    def make() -> type:
        class Local(abc.ABC):
            @abc.abstractmethod
            def apply(self, x: float) -> float: ...

        return Local

    (problem,) = problems(make(), inherits(make()))
    assert "the function that defines it ran twice" in problem
