"""The cost ladder: every rung is there, and every rung does the same work."""

from __future__ import annotations

import ctypes
import json

import pytest

import jumptable
from jumptable.measuring import ladder, loops, report


NAMES = [
    "direct Python call",
    "Python callable through a look-up",
    "native function through a look-up",
    "Cython plugin's C function",
    "native function, called from C",
    "ctypes, argtypes set",
    "cffi, ABI mode",
    "look-up in the hot path",
    "open and look-up in the hot path",
    "import_module in the hot path",
    "reflection: inspect, bind, call",
]


def test_all_rungs_are_there_in_order() -> None:
    assert [rung.name for rung in ladder.rungs()] == NAMES
    assert NAMES[0] == ladder.BASELINE


def test_a_rung_is_timed_or_says_why_not() -> None:
    for rung in ladder.rungs():
        assert (rung.contestant is None) == bool(rung.missing)


def test_a_machine_without_a_math_library_has_all_rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "ELSEWHERE", ("libthere_is_no_such.so.99", "/no/such/*.so"))
    monkeypatch.setattr(ladder, "LIBRARIES", {})
    ladder.math_library.cache_clear()
    try:
        rungs = ladder.rungs()
    finally:
        ladder.math_library.cache_clear()
    assert [rung.name for rung in rungs] == NAMES
    missing = [rung.name for rung in rungs if rung.missing == "no C math library found"]
    assert "native function through a look-up" in missing
    assert "direct Python call" not in missing


def test_the_math_library_has_fabs() -> None:
    assert ladder.math_library().lookup("fabs", "double(double)")(-2.5) == 2.5


def test_the_example_plugins_do_the_same() -> None:
    native = jumptable.open("jumptable.measuring.example").lookup("magnitude", "double(double)")
    scripted = jumptable.open("jumptable.measuring.example_python").lookup("magnitude")
    for x in (0.0, 1.5, -1.5, float("inf"), float("-inf")):
        assert native(x) == scripted(x) == abs(x)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_the_c_loop_calls_as_often_as_asked(count: int) -> None:
    calls: list[float] = []

    def count_it(x: float) -> float:
        calls.append(x)
        return x

    counted = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(count_it)
    address = ctypes.cast(counted, ctypes.c_void_p).value
    assert address is not None
    loops.call(address, 2.5, count)
    assert calls == [2.5] * count


def test_the_c_loop_refuses_null() -> None:
    with pytest.raises(ValueError, match="NULL"):
        loops.call(0, 1.0, 1)


def test_the_document_has_every_rung_and_is_json() -> None:
    rungs, measurement = ladder.climb(3)
    document = report.ladder_document(rungs, measurement, {"cpu": "test"})
    assert json.loads(json.dumps(document)) == document
    assert (document["schema"], document["baseline"]) == ("jumptable-bench/1", NAMES[0])
    assert document["rounds"] == 3
    rows = document["rows"]
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == NAMES
    assert rows[0]["ratio"] == 1.0
    for row in rows:
        if "missing" not in row:
            assert set(row) == {
                "name",
                "median_ns",
                "minimum_ns",
                "quartiles_ns",
                "loops",
                "ratio",
                "ratio_quartiles",
            }


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
