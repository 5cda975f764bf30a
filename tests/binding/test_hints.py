"""From annotations to C signatures."""

from __future__ import annotations

import decimal
import enum
import re
import sys
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
        "'h' is annotated memoryview, which stands for no C type; write for instance "
        'Annotated[memoryview, "double *"], with the type of its items',
        "'i' has the annotation '1 / 0', which cannot be evaluated (ZeroDivisionError",
        "no annotation for its result; write '-> None'",
    ):
        assert expected in found.reason


class Level(enum.IntEnum):
    HIGH = 1


class Label(str):
    pass


@pytest.mark.parametrize(
    ("annotation", "example"),
    [
        (str | None, 'Annotated[str | None, "const char *"]'),
        (typing.Optional[bytes], 'Annotated[typing.Optional[bytes], "const char *"]'),  # noqa: UP045
        ("str | bytes", 'Annotated[str | bytes, "const char *"]'),
        (int | float, 'Annotated[int | float, "double"]'),
        (typing.Literal["a", "b"], "Annotated[typing.Literal['a', 'b'], \"const char *\"]"),
        (typing.Literal[1, 2], 'Annotated[typing.Literal[1, 2], "int32_t"]'),
        (Any, 'Annotated[typing.Any, "int32_t"]'),
        (Level, f'Annotated[{__name__}.Level, "int32_t"]'),
        (Label, f'Annotated[{__name__}.Label, "const char *"]'),
        (bytearray, 'Annotated[bytearray, "double *"], with the type of its items'),
        (decimal.Decimal, 'Annotated[decimal.Decimal, "double"]'),
    ],
)
def test_the_example_is_the_annotation_with_a_type(annotation: Any, example: str) -> None:
    def method(self, x): ...  # type: ignore[no-untyped-def]

    method.__annotations__ = {"x": annotation, "return": None}
    reason = signature(method)
    assert reason.endswith(f", which stands for no C type; write for instance {example}")
    written = example.partition(", with")[0]
    names = {**globals(), __name__.partition(".")[0]: sys.modules["tests"]}
    method.__annotations__["x"] = eval(written, names)
    assert signature(method).startswith("void(")


T = typing.TypeVar("T")


@pytest.mark.parametrize(
    "annotation",
    [
        *(list, list[str], dict[str, int], tuple[int, ...], T, object, int | None, str | int, 3),
        *(complex, "typing.List[bytes]", lambda: 0, Iterator[str], list[bytearray], Iterator),
        *(typing.Callable, type("no name", (str,), {})),
    ],
)
def test_there_is_no_example_where_none_fits(annotation: Any) -> None:
    def method(self, x): ...  # type: ignore[no-untyped-def]

    method.__annotations__ = {"x": annotation, "return": None}
    reason = signature(method)
    assert "Annotated" not in reason
    assert reason.endswith(
        "stands for no C type; a C function takes numbers, str, bytes and buffers"
    )


def test_missing_hints_are_told_apart_from_wrong_ones() -> None:
    def bare(self, x): ...  # type: ignore[no-untyped-def]

    found = member(type("Holder", (), {"method": bare}), "method")
    assert found.signature is None and found.silent


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (lambda self, *values: None, "takes [*]args; give the function a fixed number of par"),
        (
            lambda self, **values: None,
            "takes [*][*]kwargs; give the function a fixed number of par",
        ),
        (lambda self, *, key: None, "'key' is keyword-only, .*; make it positional"),
        (lambda: None, "no parameter 'self'; add one, or make it a @staticmethod"),
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

    assert signature(coroutine) == (
        "it is an async def, and a C function returns its result: that cannot be awaited; "
        "make it a plain def"
    )
    for method in (generator, both):
        assert signature(method).startswith("it is a generator, and a C function returns one")
        assert "; make it a plain def" in signature(method)


def test_attributes_and_overloads_are_no_functions_of_c() -> None:
    class Wanted(typing.Protocol):
        rate: float

        @property
        def size(self) -> int: ...
        @typing.overload
        def get(self, x: int) -> int: ...
        @typing.overload
        def get(self, x: float) -> float: ...

    for name in ("rate", "size"):
        reason = member(Wanted, name).reason
        assert reason.endswith("; make it a method, or leave it out of the interface")
    assert member(Wanted, "get").reason.endswith("overloads; write one def, without @overload")
