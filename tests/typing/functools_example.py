"""What type checkers see of jumptable.functools, which is what they see of functools.

As example.py is; and a line that ends in one ignore is a mistake that one of the two finds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import jumptable.functools
from jumptable.functools import singledispatch, singledispatchmethod

if sys.version_info >= (3, 11):
    from typing import assert_type
else:
    from typing_extensions import assert_type


@singledispatch
def show(value: object, indent: int = 0) -> str:
    return f"{indent}:object"


@show.register
def _(value: int, indent: int = 0) -> str:
    return f"{indent}:int"


@show.register(float)
def _(value: float, indent: int = 0) -> str:
    return f"{indent}:float"


def show_list(value: list[Any], indent: int = 0) -> str:
    return f"{indent}:list"


show.register(list, show_list)


class Shop:
    @singledispatchmethod
    def price(self, item: object) -> float:
        return 0.0

    @price.register
    def _(self, item: int) -> float:
        return item / 10

    @price.register(str)
    def of_name(self, item: str) -> float:
        return len(item) / 10

    @singledispatchmethod
    @classmethod
    def at(cls, where: object) -> str:
        return f"{cls.__name__}:object"

    @at.register
    @classmethod
    def _(cls, where: str) -> str:
        return f"{cls.__name__}:str"


def functions() -> list[str]:
    assert_type(show(5), str)
    assert_type(show("five", indent=1), str)
    assert_type(show.dispatch(int), Callable[..., str])
    assert_type(show.dispatch(int)(5), str)
    registry: Mapping[Any, Callable[..., str]] = show.registry
    assert_type(registry[object](5), str)
    assert_type(show._clear_cache(), None)
    return [show(5), show(2.5, indent=1), show([]), show.dispatch(str)("x")]


def methods(shop: Shop) -> list[float | str]:
    assert_type(shop.price(5), float)
    assert_type(shop.price("five"), float)
    assert_type(shop.of_name("five"), float)
    assert_type(Shop.at(5), str)
    assert_type(shop.at("here"), str)
    generic: singledispatchmethod[float] = Shop.__dict__["price"]
    assert_type(generic.__get__(shop, Shop)(5), float)
    assert_type(generic.func(shop, 5), float)
    return [shop.price(5), shop.price("five"), Shop.at(5), shop.at("here")]


def installing() -> None:
    @jumptable.functools.singledispatch
    def other(value: object) -> int:
        return 0

    assert_type(other(5), int)
    assert_type(jumptable.functools.install(), None)
    assert_type(jumptable.functools.uninstall(), None)


def mistakes(shop: Shop) -> None:
    @singledispatch
    def wide(value: int) -> str:
        return ""

    @wide.register
    def _(value: str) -> str:  # type: ignore[misc]
        return ""

    @wide.register(str)
    def _(value: bool) -> str:  # type: ignore[misc]
        return ""

    @wide.register(bool)  # pyright: ignore
    def _(value: bool) -> int:
        return 5

    @singledispatch
    def none() -> str:  # type: ignore[misc]
        return ""

    show()  # type: ignore[call-arg]
    show(5, "x")  # type: ignore[arg-type]
    number: int = show(5)  # type: ignore[assignment]  # pyright: ignore
    number = shop.price(5)  # type: ignore[assignment]  # pyright: ignore
    show.registry[5] = show_list  # type: ignore[index]  # pyright: ignore
    show.register(5, show_list)  # type: ignore[call-overload]  # pyright: ignore
    print(show.nope)  # type: ignore[attr-defined]  # pyright: ignore
    print(shop.price.nope)  # type: ignore[attr-defined]  # pyright: ignore
    generic: singledispatchmethod[str] = Shop.__dict__["price"]
    number = generic.func(shop, 5)  # type: ignore[assignment]  # pyright: ignore
    singledispatch(5)  # type: ignore[arg-type]  # pyright: ignore
    singledispatchmethod()  # type: ignore[call-arg]  # pyright: ignore
    singledispatchmethod(5)  # type: ignore[arg-type]  # pyright: ignore
    print(number, none, wide("x"))  # type: ignore[arg-type]


def mistakes_of_installing() -> None:
    jumptable.functools.install(5)  # type: ignore[call-arg]  # pyright: ignore
    jumptable.functools.uninstal()  # type: ignore[attr-defined]  # pyright: ignore


if __name__ == "__main__":
    installing()
    print(*functions(), *methods(Shop()))
