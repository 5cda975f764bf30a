"""The user's own boundary: what is called, with what, and what is said of it; never how fast."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from tests.conftest import Compile

import jumptable as jt
from jumptable.binding.signatures import parse_signature
from jumptable.measuring import bodies
from jumptable.measuring.boundary import Boundary, measure_boundary
from jumptable.measuring.boundary.arguments import ArgumentError, read, words
from jumptable.measuring.boundary.crossing import (
    CTYPES,
    EMPTY,
    FACADE,
    FROM_C,
    FROM_PYTHON,
    ITSELF,
    LOOK_UP,
    OPEN,
    RaisedError,
    row_name,
)
from jumptable.measuring.ladder import YARDSTICKS
from jumptable.measuring.results import Row, few

pytestmark = pytest.mark.thread_unsafe(reason="counts calls in a library that all tests share")

NATIVE = [FROM_PYTHON, FACADE, FROM_C, EMPTY, LOOK_UP, OPEN, CTYPES]


def way(boundary: Boundary, row: Row) -> str:
    return row.name.removeprefix(f"{boundary.symbol}: ")


def names(boundary: Boundary) -> list[str]:
    return [way(boundary, row) for row in boundary.rows if row.name not in YARDSTICKS]


def measured(boundary: Boundary) -> list[str]:
    rows = [row for row in boundary.rows if row.name not in YARDSTICKS and row.runs]
    return [way(boundary, row) for row in rows]


@pytest.fixture
def basic(compile_plugin: Compile) -> str:
    return str(compile_plugin("basic"))


# ---- native functions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "signature", "arguments"),
    [
        ("half", "double(double)", ["3"]),
        ("scale", "double(double, int32_t) nogil", ["inf", "0x10"]),
        ("addf", "float(float, float)", ["1.5", "nan"]),
        ("not", "bool(bool)", ["true"]),
        ("echo_uint64", "uint64_t(uint64_t)", ["0xffffffffffffffff"]),
        ("length", "size_t(const char *)", ["text"]),
        ("length", "size_t(const char *)", ["NULL"]),
        ("total", "double(const double *, size_t)", ["[1000]", "1000"]),
        ("total", "double(const double *, size_t)", ["1,2.5,3", "3"]),
        ("poke", "void(char *, size_t)", ["[8]", "8"]),
        ("sum_bool", "int64_t(const bool *, size_t)", ["bool[8]", "8"]),
        ("clear", "void(void *, size_t)", ["[8]", "8"]),
        ("count", "void()", []),
    ],
)
def test_every_way_is_measured(
    basic: str, symbol: str, signature: str, arguments: list[str]
) -> None:
    found = measure_boundary(basic, symbol, signature, arguments, rounds=2)
    assert measured(found) == NATIVE
    assert found.arguments == tuple(arguments)
    assert not found.chosen
    assert found.total_ns is not None
    assert found.body_ns is not None and found.boundary_ns is not None
    assert found.body_ns >= 0 and found.boundary_ns >= 0
    # What more is said depends on the figures: that is tested with given ones.
    assert found.verdict.startswith(f"{symbol} costs ")


def test_arguments_are_chosen_and_said(basic: str) -> None:
    found = measure_boundary(basic, "scale", "double(double, int32_t)", [], rounds=1)
    assert (found.arguments, found.chosen) == (("1.5", "1"), True)


def test_too_many_arguments_for_a_loop_of_c(basic: str) -> None:
    signature = "int64_t(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)"
    found = measure_boundary(basic, "ints7", signature, [], rounds=2)
    assert FROM_C not in measured(found) and FROM_C in names(found)
    assert found.boundary_ns == min(found.ns(EMPTY) or 0.0, found.total_ns or 0.0)


def test_objects(compile_plugin: Compile, python_flags: list[str]) -> None:
    text = (
        "#include <Python.h>\n"
        "PyObject *same(PyObject *x) { Py_INCREF(x); return x; }\n"
        "void look(PyObject *x) { (void)x; }\n"
        'void fail(PyObject *x) { PyErr_SetString(PyExc_LookupError, "its own"); (void)x; }\n'
    )
    path = str(compile_plugin("sameobject", text, *python_flags))
    found = measure_boundary(path, "same", "object(object)", ["[1, 2]"], rounds=2)
    assert FROM_C not in measured(found) and EMPTY in measured(found)
    assert CTYPES in measured(found)
    found = measure_boundary(path, "look", "void(object)", ["{'a': 1}"], rounds=2)
    assert FROM_C in measured(found)
    with pytest.raises(RaisedError, match="fail raised LookupError: its own"):
        measure_boundary(path, "fail", "void(object)", ["1"], rounds=2)


def test_a_library_that_declares_its_types(compile_plugin: Compile) -> None:
    path = compile_plugin("embedded", None, f"-I{jt.get_include()}")
    plugin = jt.open(path)
    symbol = next(
        name
        for name in plugin._source.exports  # type: ignore[attr-defined]
        if plugin.lookup(name).__self__.signature == "double(double)"
    )
    found = measure_boundary(str(path), symbol, None, ["2"], rounds=1)
    assert found.signature == "double(double)"
    assert LOOK_UP in measured(found)


def test_a_slow_function_is_called_a_few_times(compile_plugin: Compile) -> None:
    text = "#include <unistd.h>\nint calls;\nvoid wait_long(void) { calls++; usleep(120000); }\n"
    path = compile_plugin("slow", text)
    found = measure_boundary(str(path), "wait_long", "void()", [], rounds=1000)
    assert measured(found) == [FROM_PYTHON, EMPTY]
    assert jt.open(path).lookup("calls", "int").value <= 7
    assert "not worth optimising" in found.verdict


def test_it_stops_when_it_is_told_and_keeps_what_it_has(basic: str) -> None:
    rounds = []

    def go_on(done: int, of: int) -> bool:
        rounds.append(done)
        return done < 3

    found = measure_boundary(basic, "half", "double(double)", [], rounds=10**9, go_on=go_on)
    assert max(rounds) == 3 and measured(found) == NATIVE
    nothing = measure_boundary(
        basic, "half", "double(double)", [], rounds=9, go_on=lambda done, of: False
    )
    assert measured(nothing) == []
    assert "interrupted before anything was measured" in nothing.verdict


def test_the_stages_are_said_before_they_begin(basic: str) -> None:
    said: list[str] = []
    measure_boundary(basic, "half", "double(double)", [], rounds=1, say=said.append)
    assert said == ["open", "call", "measure"]


# ---- Python functions ---------------------------------------------------------------------------


def test_a_python_function() -> None:
    found = measure_boundary("json", "dumps", None, ["[1, 'x']"], rounds=2)
    assert measured(found) == [ITSELF, FROM_PYTHON, FACADE, LOOK_UP, OPEN]
    assert found.signature is None
    assert "it gives the object itself" in found.verdict


def test_a_cython_function_has_a_boundary() -> None:
    found = measure_boundary(
        "jumptable.measuring.example", "magnitude", "double(double)", ["-1"], rounds=2
    )
    assert FROM_C in measured(found)


@pytest.mark.parametrize(
    ("symbol", "arguments", "message"),
    [
        ("dumps", [], "missing a required argument: 'obj'"),
        ("dumps", ["1", "2"], "too many positional"),
        ("dumps", ["hello"], "'hello' is no Python literal; write one, such as"),
        ("__name__", [], "is no function: it is of type str"),
    ],
)
def test_python_functions_that_cannot_be_called(
    symbol: str, arguments: list[str], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        measure_boundary("json", symbol, None, arguments, rounds=1)


def test_a_coroutine_function() -> None:
    with pytest.raises(ArgumentError, match="asyncio"):
        measure_boundary("asyncio", "sleep", None, ["0"], rounds=1)


# ---- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "signature", "arguments", "message"),
    [
        ("half", "double(double)", ["1", "2"], r"half\(\) takes 1 argument \(double\), and 2 are"),
        ("scale", "double(double, int)", ["1"], r"takes 2 arguments \(double, int\), and 1 is"),
        ("half", "double(double)", ["x"], "argument 1: expected a number for a 'double'"),
        ("negate", "int64_t(int64_t)", ["1.5"], "expected an integer for an 'int64_t'"),
        ("echo_int8", "int8_t(int8_t)", ["300"], r"echo_int8\(\) argument 1"),
        ("not", "bool(bool)", ["maybe"], "expected true or false for a 'bool', found 'maybe'"),
        ("total", "double(const double *, size_t)", [], r"nothing can be chosen; .* \[1000\]"),
        ("total", "double(const double *, size_t)", ["int32[3]", "3"], r"write float64\[3\] or"),
        ("total", "double(const double *, size_t)", ["x", "3"], r"write float64\[1000\] or"),
        ("total", "double(const double *, size_t)", ["[99999999999]", "3"], "gibibyte"),
        ("clear", "void(void *, size_t)", ["x", "3"], "NULL, or an address"),
        ("calls", "int", [], "'int' is the type of a variable"),
    ],
)
def test_arguments_that_do_not_fit(
    basic: str, symbol: str, signature: str, arguments: list[str], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        measure_boundary(basic, symbol, signature, arguments, rounds=1)


def test_errors_of_the_look_up_are_its_own(basic: str) -> None:
    with pytest.raises(jt.SymbolNotFoundError, match="did you mean 'scale'"):
        measure_boundary(basic, "scal", "double(double)", [], rounds=1)
    with pytest.raises(jt.SignatureError):
        measure_boundary(basic, "scale", "double(duble)", [], rounds=1)
    with pytest.raises(jt.PluginNotFoundError):
        measure_boundary("./there/is/none.so", "scale", "double(double)", [], rounds=1)


# ---- the loop of C ------------------------------------------------------------------------------

needs_words = pytest.mark.skipif(bodies.MOST_INTS == 0, reason="arguments are positional here")


@needs_words
@pytest.mark.parametrize("ints", range(7))
@pytest.mark.parametrize("floats", [0, 1, 2, 3, 8])
def test_a_loop_of_c_passes_what_it_is_given(ints: int, floats: int) -> None:
    calls: list[tuple[Any, ...]] = []
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * ints, *[ctypes.c_double] * floats)
    given = (tuple(range(-3, ints - 3)), tuple(index + 0.5 for index in range(floats)))
    kept = kind(lambda *given: calls.append(given))
    address = ctypes.cast(kept, ctypes.c_void_p)
    assert address.value is not None
    bodies.repeat(address.value, *given, 3)
    assert calls == [(*given[0], *given[1])] * 3


@needs_words
def test_arguments_as_words_are_what_a_call_passes() -> None:
    signature = parse_signature(
        "void(float, int8_t, double, const char *, bool, uint64_t, double *, void *)"
    )
    texts = ["1.5", "-1", "2.5", "text", "true", "0xffffffffffffffff", "1,2", "NULL"]
    values, _ = read(signature, texts, "f")
    keep: list[object] = []
    ints, floats = words(signature, values, keep)
    text, memory = ints[1], ints[4]
    seen: list[Any] = []

    def callback(*given: Any) -> None:
        *rest, items = given
        seen.append((*rest, items[:2]))

    kind = ctypes.CFUNCTYPE(
        None, ctypes.c_float, ctypes.c_int8, ctypes.c_double, ctypes.c_char_p, ctypes.c_bool,
        ctypes.c_uint64, ctypes.POINTER(ctypes.c_double),
    )  # fmt: skip
    kept = kind(callback)
    address = ctypes.cast(kept, ctypes.c_void_p).value
    assert address is not None and text and memory
    bodies.repeat(address, ints, floats, 1)
    assert seen == [(1.5, -1, 2.5, b"text", True, 2**64 - 1, [1.0, 2.0])]


def test_a_loop_of_c_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="NULL"):
        bodies.repeat(0, (), (), 1)
    with pytest.raises(ValueError, match="at most"):
        bodies.repeat(1, (0,) * 7, (), 1)


@pytest.mark.parametrize("signature", ["void()", "int64_t(int64_t)", "double(double)",
                                       "float(float)", "object(object)", "const char *()",
                                       "bool()"])  # fmt: skip
def test_an_empty_function_does_nothing(signature: str) -> None:
    parsed = parse_signature(signature)
    nothing = jt.from_pointer(bodies.nothing(parsed.result.kind), signature)
    assert nothing(*[1] * len(parsed.params)) in (None, 0)


# ---- what is said of it -------------------------------------------------------------------------


def made(signature: str | None = "double(double)", **costs: float) -> Boundary:
    ways = {"python": FROM_PYTHON, "c": FROM_C, "empty": EMPTY, "itself": ITSELF, "lookup": LOOK_UP}
    rows = tuple(
        Row(row_name("apply", ways[name]), "", runs=(few([ns]),)) for name, ns in costs.items()
    )
    return Boundary("./f.so", "apply", signature, ("1.5",), False, rows)


@pytest.mark.parametrize(
    ("boundary", "verdict"),
    [
        (
            made(python=27.1, c=2.1, empty=26, lookup=352.3),
            "apply costs 27.1 ns from Python: 2.10 ns are its body, 25.0 ns the boundary; with a "
            "look-up in the loop it would be 13 times as much.",
        ),
        (
            made(python=800, c=760, empty=26, lookup=840),
            "apply costs 800 ns from Python: 760 ns are its body, 40.0 ns the boundary; with a "
            "look-up in the loop it would be 40.0 ns more.",
        ),
        (
            made(python=40, empty=30, lookup=80),
            "apply costs 40.0 ns from Python: 10.0 ns are its body, 30.0 ns the boundary; with a "
            "look-up in the loop it would be 2.0 times as much.",
        ),
        (
            made(python=52000, c=51000, empty=26, lookup=52040),
            "apply costs 52.0 µs from Python: the boundary, 26.0 ns, is 0.05 % of it, and not "
            "worth optimising.",
        ),
        (
            made(python=2, c=2.5, empty=3, lookup=4),
            "apply costs 2.00 ns from Python: 2.00 ns are its body, 0 ns the boundary; with a "
            "look-up in the loop it would be 2.0 times as much.",
        ),
        (
            made(None, python=61, itself=61, lookup=122),
            "apply costs 61.0 ns from Python, and a look-up made once adds nothing to that: it "
            "gives the object itself; with a look-up in the loop it would be 2.0 times as much.",
        ),
    ],
)
def test_verdicts(boundary: Boundary, verdict: str) -> None:
    assert boundary.verdict == verdict


def test_the_yardsticks_are_measured_along(basic: str) -> None:
    found = measure_boundary(basic, "half", "double(double)", [], rounds=2)
    assert [row.name for row in found.rows[-2:]] == list(YARDSTICKS)
    assert [run.rounds for row in found.rows[-2:] for run in row.runs] == [2, 2]
