"""The cost ladder: every rung is there, every rung does the same work, and none stops another."""

from __future__ import annotations

import importlib.util
import inspect
import math
import os
import shutil
from collections.abc import Callable

import pytest

import jumptable
from jumptable.measuring import example_python, ladder, report
from jumptable.measuring.ladder import calls, compiled, mathlibrary, rung
from jumptable.measuring.ladder.rung import Preparation, expression
from jumptable.measuring.timing import Contestant, Measurement

pytestmark = pytest.mark.thread_unsafe(reason="changes what the ladder calls, and measures")

GROUPS = {
    "Calls from Python": [
        "direct Python call",
        "builtin function",
        "native function, looked up once",
        "native plugin through a facade",
        "Python plugin through a facade",
        "interface call",
        "Cython plugin's C function",
    ],
    "Calls from C": ["C: direct call", "C: function pointer", "C: slot of a table"],
    "Counters": [
        "counter.add()",
        "C: add, padded",
        "C: add, unpadded",
        "C: two threads add, padded",
        "C: two threads add, unpadded",
    ],
    "Other ways to call": [
        "ctypes, argtypes set",
        "cffi, ABI mode",
        "cffi, API mode",
        "reflection: getattr by name",
        "reflection: signature.bind",
        "reflection: inspect.signature",
    ],
    "Hooks": ["pluggy, stock", "pluggy, compiled"],
    "Dispatch by type": ["singledispatch, stock", "singledispatch, compiled"],
    "Left in the hot path": [
        "look-up in the hot path",
        "open in the hot path",
        "open and look-up in the hot path",
        "import_module in the hot path",
        "first open of a library",
    ],
    "Sandboxes and other processes": [
        "WebAssembly: wasmtime",
        "gRPC over a Unix socket",
        "subprocess",
    ],
    "Go's plugin package": [
        "Go: direct call",
        "Go: cached function",
        "Go: interface call",
        "Go: Lookup",
        "Go: Open, already open",
        "Go: first Open",
        "Go: reflect call",
        "Go: exec",
    ],
    "The machine itself": ["six chains at once", "a chain of multiplications"],
}
NAMES = [name for names in GROUPS.values() for name in names]

# What a machine may lack, by the rows that then say so.
OPTIONAL = {
    "cffi": ["cffi, ABI mode", "cffi, API mode"],
    "wasmtime": ["WebAssembly: wasmtime"],
    "grpc": ["gRPC over a Unix socket"],
    "pluggy": ["pluggy, stock", "pluggy, compiled"],
}


def absent() -> set[str]:
    """The rows that cannot be here."""
    rows = {
        name
        for module, names in OPTIONAL.items()
        for name in names
        if importlib.util.find_spec(module) is None
    }
    if os.name != "posix" or not any(map(shutil.which, ("cc", "gcc", "clang"))):
        rows.add("cffi, API mode")
    if shutil.which("go") is None:
        rows |= set(GROUPS["Go's plugin package"])
    try:
        ladder.counting.two_processors()
    except ladder.UnavailableError:
        rows |= {"C: two threads add, padded", "C: two threads add, unpadded"}
    return rows


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> ladder.Climbed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUMPTABLE_CACHE", str(tmp_path_factory.mktemp("cache") / "jumptable"))
        return ladder.climb(3)


def test_all_rungs_are_there_in_order() -> None:
    assert [one.name for one in ladder.RUNGS] == NAMES
    assert NAMES[0] == ladder.BASELINE
    assert NAMES[-1] == ladder.YARDSTICK
    for group, names in GROUPS.items():
        assert [one.name for one in ladder.RUNGS if one.group == group] == names


def test_each_says_in_a_sentence_what_is_timed() -> None:
    abouts = [one.about for one in ladder.RUNGS]
    assert all(about[0].isupper() or about[0].islower() for about in abouts)
    assert all(one.group[0].isupper() for one in ladder.RUNGS)
    assert all(about.endswith(".") and 20 < len(about) < 160 for about in abouts)


def test_the_guide_stands_beside_its_counterparts_and_nothing_else() -> None:
    found: dict[tuple[float, float], list[str]] = {}
    for one in ladder.RUNGS:
        if one.guide is not None:
            found.setdefault((one.guide.low, one.guide.high), []).append(one.name)
    assert found == {
        (1, 1): ["direct Python call", "C: direct call", "Go: direct call"],
        (5, 5): ["native function, looked up once", "C: slot of a table", "Go: cached function"],
        (5, 10): ["interface call", "Go: interface call"],
        (100, 1000): ["look-up in the hot path", "Go: Lookup"],
        (500, 1000): ["reflection: signature.bind", "Go: reflect call"],
        (1e6, 1e7): ["first open of a library", "Go: first Open"],
        (500, 10_000): ["WebAssembly: wasmtime"],
        (50_000, 100_000): ["gRPC over a Unix socket"],
        (1e6, 1e6): ["subprocess", "Go: exec"],
    }


def test_a_climb_has_a_row_for_each_rung(climbed: ladder.Climbed) -> None:
    assert [row.name for row in climbed.rows] == NAMES
    for row, one in zip(climbed.rows, ladder.RUNGS, strict=True):
        assert (row.group, row.about, row.guide) == (one.group, one.about, one.guide)
        assert len(row.runs) == (not row.missing)


def test_what_can_be_here_is(climbed: ladder.Climbed) -> None:
    missing = {row.name: row.missing for row in climbed.rows if row.missing}
    assert set(missing) == absent(), missing


def test_a_run_has_rounds_and_ratios(climbed: ladder.Climbed) -> None:
    for row in climbed.rows:
        for run in row.runs:
            assert run.rounds == len(run.values) == 3
            assert run.minimum >= 0 and run.loops > 0
            if row.name not in absent():
                assert len(run.ratios) == 3


def test_no_row_costs_nothing_but_what_c_can_hide(climbed: ladder.Climbed) -> None:
    for row in climbed.rows:
        if row.runs and not row.name.startswith("C:"):
            assert row.minimum > 0, row.name


@pytest.mark.parametrize(
    ("names", "module", "attribute"),
    [
        (GROUPS["Calls from Python"][:1], example_python, "magnitude"),
        (["reflection: signature.bind"], example_python, "magnitude"),
        (["reflection: inspect.signature"], example_python, "magnitude"),
        (["import_module in the hot path"], example_python, "magnitude"),
        (["reflection: getattr by name"], example_python, "magnitude"),
        (["builtin function"], math, "fabs"),
    ],
)
def test_a_rung_that_gives_another_result_is_not_timed(
    names: list[str], module: object, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, attribute, lambda x: x)
    for row in ladder.climb(1, only=names).rows:
        assert row.missing == "it failed: ValueError: the call gave -1.5, expected 1.5"


def test_an_interface_call_is_one_of_the_bound_object_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "Table", None)
    assert ladder.climb(1, only=["interface call"]).rows[0].missing == ""


@pytest.mark.parametrize(("name", "once"), [("signature.bind", True), ("inspect.signature", False)])
def test_what_is_reflected_for_each_call(
    name: str, once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Go's reflect.Value, too, is made before the loop."""
    made: list[object] = []
    signature = inspect.signature

    def counted(f: Callable[..., object]) -> inspect.Signature:
        made.append(f)
        return signature(f)

    monkeypatch.setattr(inspect, "signature", counted)
    assert ladder.climb(2, only=[f"reflection: {name}"]).rows[0].missing == ""
    assert (len(made) == 1) == once


def test_another_c_function_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    floor = ladder.math_library().lookup("floor", "double(double)")
    for module in (calls, compiled):
        monkeypatch.setattr(module, "FABS", ("floor", "double(double)"))
    names = ["native function, looked up once", "C: function pointer"]
    assert floor(-1.5) == -2
    wanted = ["the call gave -2.0, expected 1.5"]
    wanted += ["the call gave [-2.0, -2.0, -2.0], expected [1.5, 1.5, 1.5]"]
    found = [row.missing for row in ladder.climb(1, only=names).rows]
    assert found == [f"it failed: ValueError: {text}" for text in wanted]


def test_an_expression_runs_all_its_lines() -> None:
    seen: list[float] = []

    def keep(x: float) -> None:
        seen.append(x)

    timed = expression("two lines", "keep(x)\nabs(x)", {"keep": keep, "abs": abs})
    assert seen == [rung.TRIED]
    timed.loop(3)
    assert seen[1:] == [rung.ARGUMENT] * 3


def test_a_machine_without_a_math_library_has_all_rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathlibrary, "ELSEWHERE", ("libthere_is_no_such.so.99", "/no/such/*.so"))
    monkeypatch.setattr(mathlibrary, "LIBRARIES", {})
    ladder.math_library.cache_clear()
    try:
        rows = ladder.climb(1, only=GROUPS["Calls from Python"]).rows
    finally:
        ladder.math_library.cache_clear()
    reasons = {row.name: row.missing for row in rows}
    looked = "no C math library found; looked for libthere_is_no_such.so.99, /no/such/*.so"
    assert reasons["native function, looked up once"] == looked
    assert reasons["direct Python call"] == ""


def test_the_math_library_has_fabs() -> None:
    assert ladder.math_library().lookup("fabs", "double(double)")(-2.5) == 2.5


def test_the_example_plugins_do_the_same() -> None:
    native = jumptable.open("jumptable.measuring.example").lookup("magnitude", "double(double)")
    module = jumptable.open("jumptable.measuring.example_python")
    for x in (0.0, 1.5, -1.5, float("inf"), float("-inf")):
        assert native(x) == module.lookup("magnitude")(x) == abs(x)
        assert module.lookup("New")().magnitude(x) == abs(x)


# ---- how it is climbed ----------------------------------------------------------------------


def rung_of(name: str, make: Callable[[Preparation], Contestant]) -> ladder.Rung:
    return ladder.Rung(name, "a group", "Something.", make)


def steady(name: str) -> ladder.Rung:
    return rung_of(name, lambda preparation: Contestant(name, lambda count: 10 * count))


def failing(error: Exception) -> Callable[[Preparation], Contestant]:
    def make(preparation: Preparation) -> Contestant:
        raise error

    return make


def test_a_maker_that_fails_is_a_missing_row_and_stops_no_other() -> None:
    rungs = [
        rung_of("not here", failing(ladder.UnavailableError("it is not installed: buy it"))),
        rung_of("broken", failing(OSError("first line\nsecond line"))),
        rung_of("silent", failing(RuntimeError())),
        steady(ladder.BASELINE),
    ]
    rows = ladder.climb(2, rungs=rungs).rows
    assert [row.missing for row in rows] == [
        "it is not installed: buy it",
        "it failed: OSError: first line",
        "it failed: RuntimeError()",
        "",
    ]
    assert rows[3].spread.median == 10


def test_one_that_fails_while_it_is_timed_is_missing_too() -> None:
    calls: list[int] = []

    def loop(count: int) -> int:
        calls.append(count)
        if len(calls) > 3:
            raise ConnectionError("the other end is gone")
        return 10 * count

    broken = rung_of("broken", lambda preparation: Contestant("broken", loop))
    rows = ladder.climb(5, rungs=[broken, steady(ladder.BASELINE)]).rows
    assert rows[0].missing == "it failed: ConnectionError: the other end is gone"
    assert (rows[1].missing, rows[1].runs[0].rounds) == ("", 5)


def test_only_some() -> None:
    names = ["builtin function", "direct Python call"]
    assert [row.name for row in ladder.climb(1, only=names).rows] == names[::-1]


def test_a_row_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="unknown rows: 'fly'; expected some of: 'direct Python"):
        ladder.climb(1, only=["fly", "builtin function"])


def test_progress_is_told() -> None:
    started: list[str] = []
    asked: list[tuple[int, int]] = []

    def go_on(done: int, rounds: int) -> bool:
        asked.append((done, rounds))
        return True

    rungs = [steady("one"), steady("two")]
    ladder.climb(2, rungs=rungs, starting=started.append, go_on=go_on)
    assert started == ["one", "two"]
    assert asked[-2:] == [(0, 2), (1, 2)]


def test_a_stop_keeps_what_there_is() -> None:
    found = ladder.climb(100, rungs=[steady("one")], go_on=lambda done, rounds: done < 7)
    assert (found.measurement.rounds, found.rows[0].runs[0].rounds) == (7, 7)


def test_a_stop_before_the_first_round() -> None:
    found = ladder.climb(100, rungs=[steady("one")], go_on=lambda done, rounds: False)
    assert found.measurement == Measurement({}, 0, 0)
    assert found.rows[0].missing == "not measured: the bench was stopped before"
    assert found.rows[0].runs == ()


@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_an_error_of_who_is_told_is_not_a_rungs(error: type[Exception]) -> None:
    def fail(*_: object) -> bool:
        raise error

    with pytest.raises(error):
        ladder.climb(1, rungs=[steady("one")], starting=fail)
    with pytest.raises(error):
        ladder.climb(1, rungs=[steady("one")], go_on=fail)


def test_the_same_order_for_the_same_seed() -> None:
    def order(seed: int) -> list[str]:
        turns: list[str] = []

        def noted(name: str) -> ladder.Rung:
            def loop(count: int) -> int:
                turns.append(name)
                return 10 * count

            return rung_of(name, lambda preparation: Contestant(name, loop))

        ladder.climb(9, seed=seed, rungs=[noted(name) for name in "abc"])
        return turns

    assert order(1) == order(1) != order(2)


# ---- how it is shown ------------------------------------------------------------------------


def test_a_table_is_aligned_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_table("Title", ("call", "ns"), [["short", "1.0"], ["much longer", "100"]])
    assert capsys.readouterr().out.splitlines() == [
        "Title",
        "",
        "call          ns",
        "-----------  ---",
        "short        1.0",
        "much longer  100",
    ]
