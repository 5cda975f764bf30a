"""What type checkers see of tables and binds; a program that also runs.

Each line that ends in two ignores is a mistake, which both mypy and pyright must find: either one
complains of an ignore that it does not need.
"""

from __future__ import annotations

import abc
import sys
from typing import Any, Protocol, TypeVar

import jumptable as jt

if sys.version_info >= (3, 11):
    from typing import assert_type
else:
    from typing_extensions import assert_type

Out = TypeVar("Out", covariant=True)
T = TypeVar("T")


class Filter(Protocol):
    def fabs(self, x: float, /) -> float: ...

    def gcd(self, x: int, y: int, /) -> int: ...


class Base(abc.ABC):
    @abc.abstractmethod
    def fabs(self, x: float, /) -> float: ...


class Plain:
    """A class that is made with an argument; as an interface it is not made at all."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def fabs(self, x: float, /) -> float:
        return self.scale * x


class Source(Protocol[Out]):
    def fabs(self, x: float, /) -> Out: ...


def table_of(interface: type[T]) -> jt.Table[T]:
    return jt.Table(interface)


def binds(plugin: jt.Plugin) -> float:
    assert_type(plugin.bind(Filter), Filter)
    assert_type(plugin.bind(Base), Base)
    assert_type(plugin.bind(Plain), Plain)
    assert_type(plugin.bind(Source[float]), Source[float])
    assert_type(plugin.bind({"fabs": "double(double)", "gcd": None}), Any)
    return plugin.bind(Filter).fabs(-1.5)


def tables(plugin: jt.Plugin) -> float:
    table = jt.Table(Filter)
    assert_type(table, jt.Table[Filter])
    assert_type(table.facade, Filter)
    table.bind(plugin)
    table.bind({"fabs": abs}, only=("fabs",))
    assert_type(table.facade.gcd(4, 6), int)
    assert_type(table.names, tuple[str, ...])
    assert_type(table.generation, int)
    assert_type(table.plugin, jt.Plugin | None)
    assert_type(table.slot("fabs")(-1.0), Any)

    counting = jt.Table(Base, count=True)
    assert_type(counting.facade, Base)
    assert_type(counting.calls, dict[str, int])
    assert_type(jt.Table(Plain).facade, Plain)
    assert_type(jt.Table(Source[float]).facade, Source[float])
    assert_type(jt.Table[Filter](Filter).facade, Filter)
    assert_type(table_of(Plain).facade, Plain)

    loose = jt.Table({"fabs": "double(double)", "gcd": None})
    assert_type(loose, jt.Table[Any])
    assert_type(loose.facade, Any)
    signatures = {"fabs": "double(double)"}
    assert_type(jt.Table(signatures).facade, Any)
    return table.facade.fabs(-2.5)


def hot_paths() -> str:
    path = jt.bench(len, "text", seconds=0.1)
    assert_type(path, jt.HotPath)
    assert_type(path.ns.median, float)
    assert_type(path.empty_ns, float | None)
    assert_type([found.line for found in path.findings], list[int])
    jt.bench(5)  # type: ignore[arg-type]  # pyright: ignore
    jt.bench(len, second=1.0)  # type: ignore[call-arg]  # pyright: ignore
    return path.verdict


def mistakes(table: jt.Table[Filter], plugin: jt.Plugin) -> None:
    print(table.facade.nope)  # type: ignore[attr-defined]  # pyright: ignore
    table.facade.fabs("x")  # type: ignore[arg-type]  # pyright: ignore
    table.facade.gcd(1)  # type: ignore[call-arg]  # pyright: ignore
    table.facade = plugin.bind(Filter)  # type: ignore[misc]  # pyright: ignore
    table.generation = 5  # type: ignore[misc]  # pyright: ignore
    table.calls["fabs"] = "many"  # type: ignore[assignment]  # pyright: ignore
    table.bind(plugin, ("fabs",))  # type: ignore[call-arg]  # pyright: ignore
    table.bind(plugin, only=5)  # type: ignore[arg-type]  # pyright: ignore
    table.bind()  # type: ignore[call-arg]  # pyright: ignore
    table.slot(5)  # type: ignore[arg-type]  # pyright: ignore
    jt.Table()  # type: ignore[call-overload]  # pyright: ignore
    jt.Table(5)  # type: ignore[call-overload]  # pyright: ignore
    jt.Table("fabs")  # type: ignore[call-overload]  # pyright: ignore
    jt.Table({"fabs": 5})  # type: ignore[dict-item]  # pyright: ignore
    jt.Table(Filter, True)  # type: ignore[call-overload]  # pyright: ignore
    plugin.bind(5)  # type: ignore[call-overload]  # pyright: ignore
    plugin.bind(Filter, factory=5)  # type: ignore[call-overload]  # pyright: ignore
    other: jt.Table[Base] = table  # type: ignore[assignment]  # pyright: ignore
    wrong: Plain = jt.Table(Filter).facade  # type: ignore[assignment]  # pyright: ignore
    number: int = plugin.bind(Filter).fabs(1.0)  # type: ignore[assignment]  # pyright: ignore
    print(other, wrong, number)


if __name__ == "__main__":
    opened = jt.open("math")
    print(binds(opened), tables(opened))
