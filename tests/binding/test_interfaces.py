"""What an interface asks for, and whether Python objects have it."""

from __future__ import annotations

import abc
import functools
import pickle
import types
import typing
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import pytest

import jumptable as jt
from jumptable.binding.interfaces import Interface, fit_callables, interface_of
from tests.binding.asking import fits, member, names, one, problems

T = TypeVar("T", covariant=True)
if typing.TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers


class Filter(Protocol):
    def apply(self, x: float) -> float: ...
    def flush(self) -> None: ...
    def _private(self) -> None: ...


def test_a_protocol() -> None:
    found = interface_of(Filter)
    assert (found.name, found.type) == ("Filter", Filter)
    assert names(Filter) == ["apply", "flush"]
    assert not any(one.is_attribute for one in found.members)


class Base(abc.ABC):
    @abc.abstractmethod
    def first(self) -> None: ...
    @abc.abstractmethod
    def second(self) -> None: ...
    def third(self) -> int:
        return 3

    def fourth(self) -> int:
        return 4


class Derived(Base):
    third = None  # type: ignore[assignment]
    fourth = 4  # type: ignore[assignment]

    class Nested:
        pass

    def second(self, more: int = 0) -> None: ...
    def last(self) -> None: ...


def test_inherited_methods_count_and_overridden_ones_once() -> None:
    assert names(Derived) == ["first", "second", "last"]
    assert member(Derived, "second").defaults == (0,)


def test_annotations_alone_ask_for_attributes_in_protocols_only() -> None:
    class WithAttribute(Protocol):
        rate: float
        title: str = ""
        callback: typing.ClassVar[int]

        def apply(self) -> None: ...

    class Without(WithAttribute, Protocol):
        title = None  # type: ignore[assignment, misc]

        def apply(self) -> None: ...

    class Plain:
        rate: float
        title: str = ""

        def apply(self) -> None: ...

    assert names(WithAttribute) == ["title", "apply", "rate", "callback"]
    assert member(WithAttribute, "rate").is_attribute
    assert member(WithAttribute, "title").is_attribute
    assert [one.name for one in interface_of(WithAttribute).methods] == ["apply"]
    assert names(Without) == ["apply", "rate", "callback"]
    assert names(Plain) == ["apply"]


ALIASES: dict[str, Any] = {
    "annotated": typing.Annotated[int, "uint32_t"],
    "union": typing.Union[int, str],  # noqa: UP007
    "optional": typing.Optional[int],  # noqa: UP045
    "bar": int | str,
    "old_list": typing.List[int],  # noqa: UP006
    "new_list": list[int],
    "bare_list": typing.List,  # noqa: UP006
    "old_callable": typing.Callable[[int], int],
    "new_callable": Callable[[int], int],
    "new_type": typing.NewType("new_type", int),
    "variable": T,
    "anything": Any,
    "literal": typing.Literal["a"],
}


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("base", [Protocol, abc.ABC, object])
def test_type_aliases_are_no_members(alias: str, base: Any) -> None:
    def channel(self: Any, number: int) -> None: ...

    body = {"Word": ALIASES[alias], "channel": channel}
    assert names(types.new_class("Aliasing", (base,), {}, lambda space: space.update(body))) == [
        "channel"
    ]


def test_declared_type_aliases_are_no_members() -> None:
    class Quoted(Protocol):
        Word: typing.TypeAlias = typing.Annotated[int, "uint32_t"]  # type: ignore[misc]
        Plain: "typing.TypeAlias" = int  # type: ignore[misc]

        def channel(self, number: Word) -> Plain: ...

    assert names(Quoted) == ["channel"]
    found = member(Quoted, "channel").signature
    assert found and found.text == "int64_t(uint32_t)"


def test_properties_are_attributes() -> None:
    class Sized:
        @property
        def size(self) -> int:
            return 0

        @functools.cached_property
        def area(self) -> int:
            return 0

        def apply(self) -> None: ...

    assert [one.name for one in interface_of(Sized).members if one.is_attribute] == ["size", "area"]


def test_what_else_can_be_a_method() -> None:
    class Unusual:
        @staticmethod
        def static(x: float) -> float:
            return x

        @classmethod
        def of_class(cls, x: float) -> float:
            return x

        def _base(self, x: float, y: int) -> float:
            return x

        partial = functools.partialmethod(_base, 1.0)

        @functools.lru_cache  # noqa: B019
        def cached(self, x: float) -> float:
            return x

    for name in ("static", "of_class", "cached"):
        found = member(Unusual, name)
        assert str(found.shape) == "(x)"
        assert found.signature and found.signature.text == "double(double)"
    assert str(member(Unusual, "partial").shape) == "(y)"


def test_bases_that_every_interface_has_add_nothing() -> None:
    class Source(Protocol, Generic[T]):
        def get(self) -> T: ...

    class Both(Source[int], abc.ABC):
        def put(self) -> None: ...

    assert names(Source) == ["get"]
    assert names(Source[int]) == ["get"]
    assert names(Both) == ["get", "put"]


def test_overloads_may_be_called_in_any_way() -> None:
    class Overloaded(Protocol):
        @typing.overload
        def get(self, x: int) -> int: ...
        @typing.overload
        def get(self, x: str, y: int) -> str: ...

    assert member(Overloaded, "get").shape is None


@pytest.mark.parametrize("spec", [3, "apply", None, ["apply"], lambda: None])
def test_what_is_no_interface(spec: Any) -> None:
    with pytest.raises(TypeError, match="an interface is a class, or a mapping") as caught:
        interface_of(spec)
    assert not isinstance(caught.value, jt.InterfaceError)


def test_an_interface_without_methods_is_refused() -> None:
    class Attributes(Protocol):
        rate: float

    specs: list[Any] = [object, type("Empty", (), {}), Attributes, {}]
    for spec in specs:
        with pytest.raises(jt.InterfaceError, match="cannot be used as an interface"):
            interface_of(spec)


@pytest.mark.parametrize(
    ("annotation", "method"),
    [
        (Callable[[float], float], "def apply(self, x: float) -> float"),
        ("Callable[[float], float]", "def apply(self, x: float) -> float"),
        (
            typing.Callable[[int, T], None],
            "def apply(self, x1: int, x2: T) -> None",
        ),
        (Callable[[], bool], "def apply(self) -> bool"),
        (Callable[..., int], "def apply(self, ...) -> int"),
        (Callable, "def apply(self, ...)"),
        ("Callable[[OnlyForCheckers], int]", "def apply(self, ...)"),
    ],
)
@pytest.mark.parametrize("base", [Protocol, object])
def test_an_attribute_that_is_called_should_be_a_method(
    annotation: Any, method: str, base: Any
) -> None:
    body = {"__annotations__": {"apply": annotation}, "__module__": __name__}
    spec = types.new_class("Wanted", (base,), {}, lambda space: space.update(body))
    with pytest.raises(jt.InterfaceError) as caught:
        interface_of(spec)
    (problem,) = caught.value.problems
    assert problem.startswith("it has no public method")
    assert problem.endswith(f"; what can be called is a method: write {method}")


def test_mappings() -> None:
    found = interface_of({"apply": "double(double)", "flush": None})
    assert found.type is None
    apply, flush = found.members
    assert apply.signature and apply.signature.text == "double(double)"
    assert str(apply.shape) == "(arg1, /)"
    assert (flush.signature, flush.shape) == (None, None)
    assert "gives no signature" in flush.reason
    assert names(types.MappingProxyType({"apply": None})) == ["apply"]


def test_every_bad_entry_of_a_mapping_is_listed() -> None:
    entries: dict[Any, Any] = {
        "two words": None,
        "class": None,
        "_hidden": None,
        3: None,
        "wrong": "dble(double)",
        "variable": "double",
        "number": 4,
        "fine": "void()",
    }
    with pytest.raises(jt.InterfaceError) as caught:
        interface_of(entries)
    starts = [problem.partition(":")[0] for problem in caught.value.problems]
    assert starts == ["'two words'", "'class'", "_hidden", "3", "wrong", "variable", "number"]
    assert "did you mean 'double'" in caught.value.problems[4]
    for problem in caught.value.problems:
        assert f"\n  {problem}" in str(caught.value)


def test_interfaces_show_what_they_ask_for() -> None:
    found = interface_of(Filter)
    assert repr(found) == "<Interface Filter: apply, flush>"
    assert repr(found.members[0]) == "<Member 'apply(x)'>"
    assert isinstance(found, Interface)


# ---- do objects fit ----------------------------------------------------------------------


def test_the_callables_come_back_in_order() -> None:
    class Impl:
        def flush(self) -> None: ...
        def apply(self, x: float) -> float:
            return x

    impl = Impl()
    assert fits(Filter, impl) == [impl.apply, impl.flush]
    module = types.SimpleNamespace(apply=lambda x: x, flush=print)
    assert fits(Filter, module) == [module.apply, print]


def test_every_problem_is_listed_and_pickles() -> None:
    class Wanted(Protocol):
        rate: float
        size: int

        def apply(self) -> None: ...
        def flush(self) -> None: ...
        def close(self) -> None: ...
        def broken(self) -> None: ...
        def hidden(self) -> None: ...

    class Impl:
        close = None
        size = property(lambda self: 1 / 0)  # only its existence counts

        def aply(self) -> None: ...
        def flush(self, x: int) -> None: ...
        @property
        def broken(self) -> None:
            raise SystemExit("gone")

        @property
        def hidden(self) -> None:
            raise AttributeError("inside")

    found = problems(Wanted, Impl())
    assert found == (
        "apply: expected apply(), found nothing of that name; did you mean 'aply'?",
        "flush: expected flush(), found flush(x): it also requires 'x'",
        "close: expected close(), found None, which cannot be called",
        "broken: expected broken(), but reading it raised SystemExit: gone",
        "hidden: expected hidden(), but reading it raised AttributeError: inside",
        "rate: expected an attribute rate, found nothing of that name",
    )
    error = jt.InterfaceError("text", found)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == ("text", found)
    assert jt.InterfaceError("text").problems == ()


def test_an_interrupt_passes() -> None:
    class Impl:
        @property
        def call(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fits(one(lambda self: 0), Impl())


def test_annotations_that_cannot_be_evaluated_do_not_matter_to_python() -> None:
    class Wanted(Protocol):
        def apply(self, x: OnlyForCheckers) -> OnlyForCheckers: ...

    assert len(fits(Wanted, types.SimpleNamespace(apply=lambda x: x))) == 1


def test_objects_that_answer_to_any_name() -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            if name == "missing":
                raise AttributeError(name)
            return lambda *args: name

    class Wanted(Protocol):
        rate: float

        def apply(self, x: float) -> float: ...
        def missing(self) -> None: ...

    (problem,) = problems(Wanted, Proxy())
    assert problem.startswith("missing: ")


class Empties(Protocol):
    def dots(self, x: float) -> float: ...
    def passes(self, x: float) -> float:
        pass

    def documented(self, x: float) -> float:
        """What it is for."""

    def both(self, x: float) -> float:
        """What it is for."""
        ...

    async def waits(self, x: float) -> float: ...
    async def waits_documented(self, x: float) -> float:
        """What it is for."""
        ...

    @staticmethod
    def static(x: float) -> float: ...
    @classmethod
    def of_class(cls, x: float) -> float: ...
    @typing.overload
    def overloaded(self, x: int) -> int: ...
    @typing.overload
    def overloaded(self, x: float) -> float: ...


class Full(Protocol):
    def number(self) -> float:
        return 3

    def text(self) -> str:
        return "text"

    def documented(self) -> str:
        """What it is for."""
        return "text"

    def same(self, x: float) -> float:
        """What it is for."""
        return x

    async def waits(self) -> int:
        return 3

    @staticmethod
    def static() -> float:
        return 3

    def ellipsis(self) -> Any:
        return ...


def test_a_protocols_own_empty_methods_are_no_implementation() -> None:
    class Forgetful(Empties):
        def dots(self, x: float) -> float:  # type: ignore[empty-body]
            pass  # whoever wrote that meant it

    left = [name for name in names(Empties) if name != "dots"]
    wanted: dict[str, None] = dict.fromkeys(names(Empties))
    for spec in (Empties, wanted):
        found = problems(spec, Forgetful())  # type: ignore[abstract]
        assert [problem.partition(":")[0] for problem in found] == left
    assert found[0] == (
        "passes: expected passes(...), found only that of the Protocol Empties, which is empty; "
        "define it in the class"
    )


def test_the_empty_methods_of_a_class_itself() -> None:
    class Wanted(Protocol):
        @staticmethod
        def apply(x: float) -> float: ...

    class Impl(Wanted):
        pass

    (problem,) = problems(Wanted, Impl)
    assert "found only that of the Protocol Wanted, which is empty" in problem


def test_defaults_that_a_protocol_implements_are_accepted() -> None:
    class Lazy(Full):
        pass

    assert len(fits(Full, Lazy())) == 7


def test_an_instance_may_replace_a_protocols_empty_method() -> None:
    class Late(Filter):
        def __init__(self) -> None:
            self.apply = lambda x: x  # type: ignore[method-assign]
            self.flush = lambda: None  # type: ignore[method-assign]

    assert len(fits(Filter, Late())) == 2  # type: ignore[abstract]


def test_empty_methods_of_other_classes_are_accepted() -> None:
    class Base:
        def apply(self, x: float) -> float: ...  # type: ignore[empty-body]
        def flush(self) -> None: ...

    class Impl(Base):
        pass

    assert len(fits(Filter, Impl())) == 2


def test_mappings_of_callables() -> None:
    interface = interface_of(Filter)
    apply = lambda x: x  # noqa: E731
    found = fit_callables(interface, interface.members, {"flush": print, "apply": apply}, "it")
    assert found == [apply, print]
    some = interface.members[:1]
    assert fit_callables(interface, some, {"apply": apply}, "it") == [apply]
    wrong: dict[str, Any] = {"aply": apply, "apply": 3}
    with pytest.raises(jt.InterfaceError) as caught:
        fit_callables(interface, interface.members, wrong, "it")
    assert caught.value.problems == (
        "apply: expected apply(x), found an object of type int, which cannot be called",
        "flush: expected flush(), found nothing of that name",
        "aply: found, but Filter has no such method; did you mean 'apply'?",
    )
    more: dict[str, Any] = {"apply": apply, "flush": 3}
    assert fit_callables(interface, some, more, "it") == [apply]


class Text(str):
    def __str__(self) -> str:
        return "__dict__"

    def isidentifier(self) -> bool:
        return True

    def startswith(self, *prefixes: Any) -> bool:
        return False


def test_names_are_what_they_hold_whatever_their_class_says() -> None:
    assert names({Text("apply"): None}) == ["apply"]
    with pytest.raises(jt.InterfaceError, match="does not start with an underscore"):
        interface_of({Text("__weakref__"): None})
    body = {"apply": lambda self: None, "a b": lambda self: None, "\ud800": lambda self: None}
    assert names(type("Odd", (), body)) == ["apply"]


class Unshowable:
    def __repr__(self) -> str:
        raise ZeroDivisionError

    __str__ = __repr__


def test_annotations_that_cannot_be_shown() -> None:
    class Odd(Protocol):
        def apply(self, x: Unshowable()) -> None: ...  # type: ignore[valid-type]

    Odd.apply.__annotations__ = {"x": Unshowable(), "return": None}
    Odd.__annotations__ = {"y": Unshowable()}
    (member,) = [member for member in interface_of(Odd).members if member.name == "apply"]
    assert "an object of Unshowable" in member.reason
