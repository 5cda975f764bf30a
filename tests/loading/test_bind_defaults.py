"""Native functions whose last arguments may be left out, as an interface's defaults say."""

from __future__ import annotations

import enum
import inspect
import math
import pickle
import textwrap
import threading
import types
from typing import Annotated, Any, Protocol

import pytest

import jumptable as jt
from tests.conftest import Compile, Run


class Defaults(Protocol):
    def scale(self, x: float, by: float = 2.5) -> float: ...
    def next(self, x: int = 41) -> int: ...
    def mix(
        self, a: Annotated[int, "uint32_t"], s: str = "A", c: Annotated[int, "int8_t"] = -1
    ) -> Annotated[int, "uint32_t"]: ...
    def name(self) -> None: ...


@pytest.fixture(scope="module")
def native(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("filter"))


def test_defaults(native: jt.Plugin) -> None:
    f = native.bind(Defaults)
    assert (f.scale(2.0), f.scale(2.0, 3.0)) == (5.0, 6.0)
    assert (f.next(), f.next(1)) == (42, 2)
    assert (f.mix(1), f.mix(1, "B"), f.mix(1, "B", 3)) == (65, 66, 70)
    assert f.scale is native.bind(Defaults).scale
    assert f.scale is not native.lookup("scale", "double(double, double)")
    assert f.name is native.lookup("name", "void()")


@pytest.mark.parametrize("arguments", [(), (1.0, 2.0, 3.0)])
def test_defaults_and_the_wrong_number_of_arguments(native: jt.Plugin, arguments: Any) -> None:
    message = rf"scale\(\) takes 1 to 2 arguments, got {len(arguments)}; .*double scale\(double, "
    with pytest.raises(TypeError, match=message):
        native.bind(Defaults).scale(*arguments)
    with pytest.raises(TypeError, match=r"next\(\) takes 0 to 1 arguments, got 2"):
        native.bind(Defaults).next(1, 2)  # type: ignore[call-arg]


def test_given_arguments_are_checked_before_defaults(native: jt.Plugin) -> None:
    with pytest.raises(TypeError, match="argument 1: expected float for 'double', got str"):
        native.bind(Defaults).scale("x")  # type: ignore[arg-type]


def test_defaults_of_calls_beyond_registers(native: jt.Plugin) -> None:
    method = "def long_one(self, a: float, b: float, c: float, d: float, e: float, "
    method += "f: float = 1, g: float = 2, h: float = 3, i: float = 4, j: float = 5) -> float: ..."
    names: dict[str, Any] = {}
    exec(f"class Long:\n    {method}", names)
    f = native.bind(names["Long"])
    assert f.long_one(0, 0, 0, 0, 0) == 15
    assert f.long_one(0, 0, 0, 0, 0, 0, 0, 0, 0, 0) == 0


def test_defaults_are_shown(native: jt.Plugin) -> None:
    f = native.bind(Defaults)
    assert str(inspect.signature(f.mix)) == "(arg1, arg2='A', arg3=-1, /)"
    assert f.mix.__doc__ == "uint32_t mix(uint32_t, const char *, int8_t)"
    for value in (math.inf, -math.inf, math.nan, -0.0, 1e300):
        odd: Any = type("Odd", (), {"scale": lambda self, x, by=value: None})
        odd.scale.__annotations__.update(x=float, by=float)
        odd.scale.__annotations__["return"] = float
        found = native.bind(odd).scale
        shown = inspect.signature(found).parameters["arg2"].default
        assert repr(shown) == repr(value)
        assert repr(found(1.0)) == repr(value)


def test_text_defaults_of_any_kind_are_shown_and_used(native: jt.Plugin) -> None:
    for text in ("\n--\n\n", "')", "\N{SNOWMAN}", "%s", "\\", ""):
        odd: Any = type("Odd", (), {"mix": lambda self, a, s=text, c=0: None})
        kinds = {"a": "uint32_t", "s": "const char *", "c": "int8_t", "return": "uint32_t"}
        odd.mix.__annotations__.update({k: Annotated[int, kind] for k, kind in kinds.items()})
        found = native.bind(odd).mix
        assert inspect.signature(found).parameters["arg2"].default == text
        assert found(0) == found(0, text)
        with pytest.raises(TypeError, match=r"declared as: uint32_t mix\(uint32_t, "):
            found()


class Level(enum.IntEnum):
    HIGH = 7


class Word(str):
    pass


class Failing:
    def __index__(self) -> int:
        return 1 // 0


class Floating:
    def __float__(self) -> float:
        raise OSError


def bind_default(native: jt.Plugin, name: str, value: object) -> Any:
    """The method of Defaults of this name, whose last parameter has this default."""
    original = getattr(Defaults, name)
    method = types.FunctionType(
        original.__code__, original.__globals__, name, (value,) * (1 + (name == "mix"))
    )
    method.__annotations__ = original.__annotations__
    return getattr(native.bind(type("Odd", (), {name: method})), name)


def test_defaults_are_kept_as_plain_values(native: jt.Plugin) -> None:
    found = bind_default(native, "next", Level.HIGH)
    assert found() == 8
    assert type(inspect.signature(found).parameters["arg1"].default) is int
    assert bind_default(native, "next", True)() == 2
    assert bind_default(native, "scale", 2)(3.0) == 6.0
    assert bind_default(native, "next", 1) is not bind_default(native, "next", True)
    assert bind_default(native, "scale", 0.0) is not bind_default(native, "scale", -0.0)

    class Text(Protocol):
        def mix(
            self, a: Annotated[int, "uint32_t"], s: str = Word("B"), c: Annotated[int, "int8_t"] = 0
        ) -> Annotated[int, "uint32_t"]: ...

    text = native.bind(Text).mix
    assert text(0) == 66
    assert type(inspect.signature(text).parameters["arg2"].default) is str


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("next", 2**63, "argument 1: .* is out of range for 'int64_t'"),
        pytest.param("next", 10**5000, "a huge int is out of range", id="huge"),
        ("next", 1.5, "expected int for 'int64_t', got float"),
        ("next", None, "expected int for 'int64_t', got NoneType"),
        ("next", [], "the default is of type list"),
        (
            "next",
            Failing(),
            r"next\(\) argument 1: the default is of type Failing, which raised Zero",
        ),
        ("scale", Failing(), r"scale\(\) argument 2: the default is of type Failing, which raised"),
        ("scale", Floating(), "argument 2: the default is of type Floating, which raised OSError "),
        ("scale", "x", "expected float for 'double', got str"),
        ("scale", None, "expected float for 'double', got NoneType"),
        ("mix", "nul\0inside", "NUL at byte 3"),
        ("mix", "\ud800", "surrogates not allowed"),
    ],
)
def test_defaults_that_c_refuses(native: jt.Plugin, name: str, value: object, message: str) -> None:
    with pytest.raises(jt.InterfaceError, match=message) as caught:
        bind_default(native, name, value)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: expected defaults that fit ")


def test_arrays_are_no_defaults(native: jt.Plugin) -> None:
    numpy = pytest.importorskip("numpy")
    for name, position in (("next", 1), ("scale", 2)):
        with pytest.raises(
            jt.InterfaceError, match="one that every call shares is a num"
        ) as caught:
            bind_default(native, name, numpy.zeros(3))
        assert f"argument {position}: the default is of type ndarray" in str(caught.value)


def test_none_is_a_default_for_pointers(native: jt.Plugin) -> None:
    class Nothing(Protocol):
        def mix(
            self,
            a: Annotated[int, "uint32_t"],
            s: Annotated[str | None, "const char *"] = None,
            c: Annotated[int, "int8_t"] = 0,
        ) -> Annotated[int, "uint32_t"]: ...

    assert native.bind(Nothing).mix(5) == 5


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_functions_with_defaults_pickle(native: jt.Plugin, protocol: int) -> None:
    f = native.bind(Defaults)
    for function in (f.scale, f.mix, f.next):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
        symbol = function.__self__
        assert pickle.loads(pickle.dumps(symbol, protocol)) is symbol


def test_a_default_of_a_function_named_like_an_attribute_of_symbols(
    compile_plugin: Compile, run_python: Run
) -> None:
    library = compile_plugin("signature", "double signature(double x) { return x; }")

    class Named(Protocol):
        def signature(self, x: float = 4.0) -> float: ...

    found = jt.open(library).bind(Named).signature
    assert pickle.loads(pickle.dumps(found)) is found
    pickled = pickle.dumps(found)
    done = run_python(f"import pickle; print(pickle.loads({pickled!r})())")
    assert done.stdout == "4.0\n"


def test_refused_defaults_leave_nothing_behind(run_python: Run, native: jt.Plugin) -> None:
    program = """
        import gc, sys
        import jumptable as jt
        plugin = jt.open(sys.argv[1])
        class Bad:
            def scale(self, x: float, by: float = object()) -> float: ...
        def refuse():
            try:
                plugin.bind(Bad)
            except jt.InterfaceError:
                pass
        for _ in range(10):
            refuse()
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(500):
            refuse()
        gc.collect()
        assert sys.getallocatedblocks() - before < 100
    """
    run_python(textwrap.dedent(program), native.path)


def test_threads_that_bind_get_the_same_functions(native: jt.Plugin) -> None:
    found: list[Any] = []
    start = threading.Barrier(8)

    class Fresh(Protocol):
        def scale(self, x: float, by: float = 123.25) -> float: ...

    def bind() -> None:
        start.wait()
        found.append(native.bind(Fresh).scale)

    threads = [threading.Thread(target=bind) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(map(id, found))) == 1
