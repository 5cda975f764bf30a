"""From annotations to C signatures."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import pytest

from tests.binding.asking import member, signature

if typing.TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers


def test_standard_annotations() -> None:
    def method(self: Any, a: float, b: int, c: bool, d: str, e: bytes) -> None: ...

    assert signature(method) == "void(double, int64_t, bool, const char *, const char *)"
    method.__annotations__ = {"a": float, "b": int, "c": bool, "d": str, "e": bytes, "return": None}
    assert signature(method) == "void(double, int64_t, bool, const char *, const char *)"


Handle = Annotated[int, "void *"]
Money = typing.NewType("Money", float)
Word = Annotated[int, "uint64_t"]


class Shadowing:
    Word = Annotated[int, "uint16_t"]

    def use(self, x: Word, y: Handle, z: Money) -> Annotated[None, "void"]:
        pass

    def float(self, x: float) -> float:
        return x


def test_exact_types() -> None:
    def exact(  # type: ignore[empty-body]
        self: Any,
        a: Annotated[int, "uint32_t"],
        b: Annotated[memoryview, 0, "double*", "its length is c"],
        c: "Annotated[int, 'uint8_t']",
        d: Annotated[int, "no C at first", 3, "int8_t"],
        e: Annotated[float, "float"],
        f: Annotated[int, 3],
    ) -> Annotated[str, "const char *"]: ...

    wanted = "const char *(uint32_t, double *, uint8_t, int8_t, float, int64_t)"
    assert signature(exact) == wanted
    exact.__annotations__ = typing.get_type_hints(exact, include_extras=True)
    assert signature(exact) == wanted
    found = member(Shadowing, "use")
    assert found.signature and found.signature.text == "void(uint16_t, void *, double)"


def test_a_method_named_like_a_type_is_not_that_type() -> None:
    found = member(Shadowing, "float")
    assert found.signature and found.signature.text == "double(double)"


def test_reasons_name_every_parameter() -> None:
    def method(  # type: ignore[no-untyped-def]
        self,
        a,
        b: Any,
        c: typing.Optional[int],  # noqa: UP045
        d: OnlyForCheckers,
        e: Annotated[int, "uint33_t"],
        f: None,
        g: Annotated[int, "int8_t", "int16_t"],
        h: memoryview,
        i: 1 / 0,  # type: ignore[valid-type]
    ): ...

    found = member(type("Holder", (), {"method": method}), "method")
    assert found.signature is None and not found.silent
    for expected in (
        "'a' has no annotation",
        "'b' is annotated typing.Any",
        "'c' is annotated typing.Optional[int]",
        "'d' has the annotation 'OnlyForCheckers', which cannot be evaluated (NameError",
        "'e' has no C type in its Annotated: cannot read the signature 'uint33_t'",
        "'f' is void",
        "'g' has several C types in its Annotated: 'int8_t' and 'int16_t'",
        "'h' is annotated memoryview, which stands for no C type; write for instance Annotated[...,"
        ' "double *"]',
        "'i' has the annotation '1 / 0', which cannot be evaluated (ZeroDivisionError",
        "no annotation for its result; write '-> None'",
    ):
        assert expected in found.reason


def test_missing_hints_are_told_apart_from_wrong_ones() -> None:
    def bare(self, x): ...  # type: ignore[no-untyped-def]

    found = member(type("Holder", (), {"method": bare}), "method")
    assert found.signature is None and found.silent


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (lambda self, *values: None, "takes [*]args"),
        (lambda self, **values: None, "takes [*][*]kwargs"),
        (lambda self, *, key: None, "'key' is keyword-only"),
        (lambda: None, "no parameter 'self'"),
    ],
)
def test_what_c_cannot_be_called_with(method: Any, reason: str) -> None:
    assert re.search(reason, signature(method))


def test_coroutines_and_generators_are_no_functions_of_c() -> None:
    async def coroutine(self: Any) -> None: ...
    def generator(self: Any) -> Iterator[int]:
        yield 1

    async def both(self: Any) -> typing.AsyncIterator[int]:
        yield 1

    assert "async def" in signature(coroutine)
    assert "a generator" in signature(generator)
    assert "a generator" in signature(both)
