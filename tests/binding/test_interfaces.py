"""What an interface asks for, and whether Python objects have it."""

from __future__ import annotations

import abc
import functools
import importlib
import inspect
import itertools
import pickle
import sys
import textwrap
import types
import typing
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar

import hypothesis
import hypothesis.strategies as st
import pytest

import jumptable as jt
from jumptable.binding.interfaces import (
    Interface,
    Member,
    fit_callables,
    fit_object,
    interface_of,
)
from jumptable.binding.shapes import Shape, shape_of

T = TypeVar("T", covariant=True)
if typing.TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers


def member(spec: Any, name: str) -> Member:
    return next(found for found in interface_of(spec).members if found.name == name)


def names(spec: Any) -> list[str]:
    return [found.name for found in interface_of(spec).members]


def signature(annotated: Callable[..., object]) -> str:
    """The C signature of one method, or why there is none."""
    found = member(type("Holder", (), {"method": annotated}), "method")
    return found.signature.text if found.signature else found.reason


# ---- which members ------------------------------------------------------------------------


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


# ---- the C signature ----------------------------------------------------------------------


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
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(signature(method))


def test_coroutines_and_generators_are_no_functions_of_c() -> None:
    async def coroutine(self: Any) -> None: ...
    def generator(self: Any) -> Iterator[int]:
        yield 1

    async def both(self: Any) -> typing.AsyncIterator[int]:
        yield 1

    assert "async def" in signature(coroutine)
    assert "a generator" in signature(generator)
    assert "a generator" in signature(both)


# ---- do objects fit -----------------------------------------------------------------------


def fits(spec: Any, subject: object) -> list[Any]:
    interface = interface_of(spec)
    return fit_object(interface, interface.members, subject, "the plugin")


def problems(spec: Any, subject: object) -> tuple[str, ...]:
    with pytest.raises(jt.InterfaceError) as caught:
        fits(spec, subject)
    assert str(caught.value).startswith("the plugin does not fit the interface ")
    assert str(caught.value).splitlines()[1:] == [f"  {one}" for one in caught.value.problems]
    return caught.value.problems


def test_the_callables_come_back_in_order() -> None:
    class Impl:
        def flush(self) -> None: ...
        def apply(self, x: float) -> float:
            return x

    impl = Impl()
    assert fits(Filter, impl) == [impl.apply, impl.flush]
    module = types.SimpleNamespace(apply=lambda x: x, flush=print)
    assert fits(Filter, module) == [module.apply, print]


def one(method: Any) -> type:
    """An interface, or a plugin, with this one method."""
    return type("One", (), {"call": method})


WAYS: list[tuple[Any, Any, str]] = [
    # interface, plugin, what is wrong
    (lambda self: 0, lambda self: 0, ""),
    (lambda self, x: 0, lambda self, y: 0, ""),
    (lambda self, x: 0, lambda self: 0, "it takes 0 positional arguments, not 1"),
    (lambda self, x: 0, lambda self, x, y: 0, "it also requires 'y'"),
    (lambda self, x: 0, lambda self, x, y=0: 0, ""),
    (lambda self, x=0: 0, lambda self, x: 0, "it also requires 'x'"),
    (lambda self, x=0: 0, lambda self, x=1, y=2: 0, ""),
    (lambda self, x, y: 0, lambda self, *values: 0, ""),
    (lambda self, x, /: 0, lambda self, x, /: 0, ""),
    (lambda self, *values: 0, lambda self, x=0: 0, "it does not take *args"),
    (lambda self, *values: 0, lambda self, *values: 0, ""),
    (lambda self, *values: 0, lambda self, x, *values: 0, "it also requires 'x'"),
    (lambda self, **values: 0, lambda self: 0, "it does not take **kwargs"),
    (lambda self, **values: 0, lambda self, **values: 0, ""),
    (lambda self, *, k: 0, lambda self, *, k: 0, ""),
    (lambda self, *, k: 0, lambda self, k: 0, ""),
    (lambda self, *, k: 0, lambda self, /, k: 0, ""),
    (lambda self, *, k: 0, lambda self, **values: 0, ""),
    (lambda self, *, k: 0, lambda self, k, /: 0, "it also requires 'k'"),
    (lambda self, *, k: 0, lambda self: 0, "it does not take the keyword 'k'"),
    (lambda self, *, k: 0, lambda self, *, k, m: 0, "it also requires the keyword 'm'"),
    (lambda self, *, k=0: 0, lambda self, *, k: 0, "it also requires the keyword 'k'"),
    (lambda self, *, k=0: 0, lambda self, k: 0, "it also requires 'k'"),
    (lambda self, x, *, k: 0, lambda self, k: 0, "it does not take the keyword 'k'"),
    (lambda self, x, *, k: 0, lambda self, k, **rest: 0, "it takes 'k' by position as well"),
    (lambda self, *a, k: 0, lambda self, k=0, *a, **r: 0, "it takes 'k' by position as well"),
    (lambda self, *, k=0: 0, lambda self, *, k=0, m=0: 0, ""),
    (lambda self: 0, lambda: 0, "it has no 'self'"),
    (lambda self: 0, lambda *values: 0, ""),
    (lambda self, x: 0, staticmethod(lambda x: 0), ""),
    (lambda self, x: 0, functools.partialmethod(lambda self, y, x: 0, 1), ""),
    (lambda self, x: 0, staticmethod(functools.partial(lambda y, x: 0, 1)), ""),
    (
        *(lambda self, x: 0, staticmethod(functools.partial(lambda y, x, z: 0, 1))),
        "it also requires 'z'",
    ),
    (lambda self, x: 0, functools.lru_cache(lambda self, x, y: 0), "it also requires 'y'"),
    (lambda self, x: 0, max, ""),  # nothing says how it may be called
    (lambda self, x: 0, type("C", (), {"__init__": lambda self, x: None}), ""),
    (lambda self, x: 0, type("C", (), {"__init__": lambda self: None}), "0 positional arguments"),
]


@pytest.mark.parametrize(("wanted", "found", "wrong"), WAYS)
def test_ways_of_calling(wanted: Any, found: Any, wrong: str) -> None:
    subject = one(found)()
    if not wrong:
        assert len(fits(one(wanted), subject)) == 1
    else:
        (problem,) = problems(one(wanted), subject)
        assert problem.startswith("call: expected call(")
        assert wrong in problem


@pytest.mark.parametrize(("wanted", "found", "wrong"), WAYS)
def test_the_verdict_is_that_of_real_calls(wanted: Any, found: Any, wrong: str) -> None:
    """What fits can be called in the interface's ways; what does not, fails in one of them."""
    shape = member(one(wanted), "call").shape
    assert shape is not None
    given = dict.fromkeys(shape.keywords, 0)
    needed = dict.fromkeys(shape.needed, 0)
    count = len(shape.names)
    calls = [((0,) * count, given), ((0,) * shape.required, needed), ((0,) * count, needed)]
    if shape.varargs:
        calls.append(((0,) * (count + 3), given))
    if shape.varkeywords:
        calls.append(((0,) * count, {**given, "surplus": 0}))
    failures = 0
    for args, keywords in calls:
        try:
            one(found)().call(*args, **keywords)
        except TypeError as error:
            failures += "not iterable" not in str(error)  # max, whose arguments are unknown
    assert bool(failures) == bool(wrong)


@st.composite
def definitions(draw: st.DrawFn) -> str:
    """The parameters of some function, such as ``a, b=0, /, *, c``."""
    order = draw(st.permutations("abcd"))
    only, both, keywords = draw(st.tuples(*[st.integers(0, 2)] * 3))
    positional = order[: min(only + both, 4)]
    required = draw(st.integers(0, len(positional)))
    listed = [name if k < required else f"{name}=0" for k, name in enumerate(positional)]
    if 0 < only <= len(listed):
        listed.insert(only, "/")
    named = order[len(positional) :][:keywords]
    varargs = draw(st.booleans())
    if varargs or named:
        listed.append("*args" if varargs else "*")
    listed += [name + draw(st.sampled_from(["", "=0"])) for name in named]
    if draw(st.booleans()):
        listed.append("**rest")
    return ", ".join(listed)


def possible_calls(shape: Shape) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
    """Every way in which an interface's method may be called."""
    optional = [name for name in shape.keywords if name not in shape.needed]
    for count in range(shape.required, len(shape.names) + (5 if shape.varargs else 0) + 1):
        for size in range(len(optional) + 1):
            for chosen in itertools.combinations(optional, size):
                named = dict.fromkeys((*shape.needed, *chosen), 0)
                yield (0,) * count, named
                if shape.varkeywords:
                    yield (0,) * count, {**named, "surplus": 0}


@hypothesis.given(definitions(), definitions())
def test_the_verdict_is_that_of_all_calls(wanted: str, found: str) -> None:
    interface = one(eval(f"lambda {', '.join(filter(None, ['self', wanted]))}: 0"))
    function = eval(f"lambda {found}: 0")
    shape = member(interface, "call").shape
    assert shape is not None
    failures = []
    for args, named in possible_calls(shape):
        try:
            function(*args, **named)
        except TypeError as error:
            failures.append(error)
    try:
        fits(interface, types.SimpleNamespace(call=function))
        fit = True
    except jt.InterfaceError:
        fit = False
    assert fit == (not failures)
    assert str(shape_of(function)) == str(inspect.signature(function)).replace(
        "=0", "=..."
    ).replace("**rest", "**kwargs")


def test_decorated_methods_are_what_they_say() -> None:
    def decorated(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> object:
            return function(*args, **keywords)

        return call

    class Impl:
        @decorated
        def call(self, x: int, y: int) -> None: ...

    (problem,) = problems(one(lambda self, x: 0), Impl())
    assert "found call(x, y): it also requires 'y'" in problem


def test_coroutines_where_results_are_expected() -> None:
    class Wanted:
        def plain(self) -> int: ...  # type: ignore[empty-body]
        def awaited(self) -> Awaitable[int]: ...  # type: ignore[empty-body]
        async def waits(self) -> None: ...
        async def either(self) -> None: ...

    class Impl:
        async def plain(self) -> int:
            return 1

        async def awaited(self) -> int:
            return 1

        async def waits(self) -> None: ...
        def either(self) -> None: ...

    (problem,) = problems(Wanted, Impl())
    assert problem.startswith("plain: ") and "'async def'" in problem

    class Callable:
        async def __call__(self) -> int:
            return 1

    (problem,) = problems(one(lambda self: 0), types.SimpleNamespace(call=Callable()))
    assert "'async def'" in problem


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
        "aply: found, but it is not one of those to bind; did you mean 'apply'?",
    )


# ---- classes that exist twice -------------------------------------------------------------

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


def test_interfaces_show_what_they_ask_for() -> None:
    found = interface_of(Filter)
    assert repr(found) == "<Interface Filter: apply, flush>"
    assert repr(found.members[0]) == "<Member 'apply(x)'>"
    assert isinstance(found, Interface)
