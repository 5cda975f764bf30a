"""Slots that are bound to Python, called from C: also by threads that Python does not know."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import jumptable as jt

Report = Any

INTEGERS = {
    "int8_t": (-(2**7), 2**7 - 1),
    "int16_t": (-(2**15), 2**15 - 1),
    "int32_t": (-(2**31), 2**31 - 1),
    "int64_t": (-(2**63), 2**63 - 1),
    "uint8_t": (0, 2**8 - 1),
    "uint16_t": (0, 2**16 - 1),
    "uint32_t": (0, 2**32 - 1),
    "uint64_t": (0, 2**64 - 1),
}
# What C gets for an exception, as the host shows it; text is None for NULL.
ZEROS = {
    "void": "",
    "double": "0",
    "float": "0",
    "bool": "0",
    **dict.fromkeys(INTEGERS, "0"),
    "void *": 0,
    "const char *": None,
}


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Report]]:
    found: list[Report] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    yield found
    found.clear()


class Slot:
    """A table of one slot, as C sees it."""

    def __init__(self, host: Any, kind: str) -> None:
        params = "const char *" if kind == "const char *" else ""
        self.host = host
        self.kind = kind
        self.table = jt.Table({"slot": f"{kind}({params})"})
        self.address = host.get_slot(self.table, "slot", f"{kind}({params}) nogil")

    def call(self, text: str | bytes | None = None, *, thread: bool = True) -> Any:
        return self.host.call(self.kind, self.address, text, thread)

    def bind(self, function: Callable[..., object]) -> None:
        self.table.bind({"slot": function})


@pytest.fixture(params=ZEROS)
def slot(request: pytest.FixtureRequest, fire_host: Any) -> Slot:
    return Slot(fire_host, request.param)


class Unwell(Exception):
    pass


@pytest.mark.parametrize("error", [Unwell, KeyboardInterrupt, SystemExit, MemoryError])
def test_exceptions_are_reported_and_give_zero(
    slot: Slot, reports: list[Report], error: type[BaseException]
) -> None:
    def fail(*words: object) -> object:
        raise error("in the callback")

    slot.bind(fail)
    for thread in (True, False):
        assert slot.call("text", thread=thread) == ZEROS[slot.kind]
    assert [report.exc_type for report in reports] == [error] * 2
    report = reports[0]
    assert str(report.exc_value) == "in the callback"
    frame = report.exc_traceback
    while frame.tb_next is not None:
        frame = frame.tb_next
    assert frame.tb_frame.f_code is fail.__code__
    assert "slot" in repr(report.object)


def test_unbound_slots_are_reported_and_give_zero(slot: Slot, reports: list[Report]) -> None:
    assert slot.call("text") == ZEROS[slot.kind]
    assert [report.exc_type for report in reports] == [jt.UnboundSlotError]
    assert "bind" in str(reports[0].exc_value)


@pytest.mark.parametrize("slot", [kind for kind in ZEROS if kind != "void"], indirect=True)
def test_results_of_a_wrong_type_are_reported(slot: Slot, reports: list[Report]) -> None:
    for wrong in (object(), 1j, [], 1.5 if slot.kind in ("bool", "void *", *INTEGERS) else ()):
        slot.bind(lambda *_, wrong=wrong: wrong)
        assert slot.call("text") == ZEROS[slot.kind]
    assert [report.exc_type for report in reports] == [TypeError] * 4


def test_void_takes_anything(fire_host: Any, reports: list[Report]) -> None:
    slot = Slot(fire_host, "void")
    calls: list[int] = []

    def note() -> object:
        calls.append(threading.get_ident())
        return object()

    slot.bind(note)
    slot.call()
    slot.call(thread=False)
    assert len(calls) == 2 and calls[1] == threading.get_ident() and reports == []


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_at_and_beyond_their_limits(
    fire_host: Any, reports: list[Report], kind: str
) -> None:
    slot = Slot(fire_host, kind)
    low, high = INTEGERS[kind]
    for value in (low, high, True):
        slot.bind(lambda value=value: value)
        assert slot.call() == str(int(value))
    assert reports == []
    for value in (low - 1, high + 1, 2**100):
        slot.bind(lambda value=value: value)
        assert slot.call() == "0"
    assert [report.exc_type for report in reports] == [OverflowError] * 3
    assert kind in str(reports[0].exc_value)


def test_numbers_with_a_point(fire_host: Any, reports: list[Report]) -> None:
    for kind in ("double", "float"):
        slot = Slot(fire_host, kind)
        for value, shown in ((1.5, "1.5"), (3, "3"), (float("inf"), "inf")):
            slot.bind(lambda value=value: value)
            assert slot.call() == shown
    assert reports == []
    slot.bind(lambda: 1e300)
    assert slot.call() == "0"
    assert [report.exc_type for report in reports] == [OverflowError]


def test_truth(fire_host: Any, reports: list[Report]) -> None:
    slot = Slot(fire_host, "bool")
    for value in (True, False, 0, 1):
        slot.bind(lambda value=value: value)
        assert slot.call() == str(int(value))
    assert reports == []
    slot.bind(lambda: 2)
    assert slot.call() == "0"
    assert len(reports) == 1


def test_addresses(fire_host: Any, reports: list[Report]) -> None:
    slot = Slot(fire_host, "void *")
    for value in (0, 1, 2**64 - 1, None):
        slot.bind(lambda value=value: value)
        assert slot.call() == (value or 0)
    assert reports == []
    for value in (-1, 2**64):
        slot.bind(lambda value=value: value)
        assert slot.call() == 0
    assert len(reports) == 2


@pytest.mark.parametrize("thread", [True, False])
def test_strings_both_ways(fire_host: Any, reports: list[Report], thread: bool) -> None:
    """Made for the call, so that nothing but jumptable keeps them while C reads."""
    slot = Slot(fire_host, "const char *")
    seen: list[object] = []

    def answer(text: str | None) -> object:
        seen.append(text)
        if text is None:
            return None
        made = "<" + text + ">"
        return made if len(text) % 2 else made.encode()

    slot.bind(answer)
    for size in (1, 2, 7, 20, 45, 120, 400):
        text = ("é" * size)[: size // 2] + "x" * (size - size // 2)
        assert slot.call(text, thread=thread) == f"<{text}>"
        assert seen[-1] == text
    assert slot.call(None, thread=thread) is None and seen[-1] is None
    slot.bind(lambda text: "")
    assert slot.call("", thread=thread) == ""
    assert reports == []
    slot.bind(lambda text: "a\0b")
    assert slot.call("", thread=thread) is None
    slot.bind(lambda text: "\udcff")
    assert slot.call("", thread=thread) is None
    assert [report.exc_type for report in reports] == [ValueError, UnicodeEncodeError]


def test_a_string_that_is_no_utf8(fire_host: Any, reports: list[Report]) -> None:
    slot = Slot(fire_host, "const char *")
    slot.bind(lambda text: "unreached")
    assert slot.call(b"\xff") is None
    assert [report.exc_type for report in reports] == [UnicodeDecodeError]


def test_objects(fire_host: Any, reports: list[Report]) -> None:
    """They are passed as they are, and counted as C counts them."""
    table = jt.Table({"slot": "object(object)"})
    slot = fire_host.get_slot(table, "slot", "object(object)")
    assert fire_host.call_object(slot, []) is None
    assert [report.exc_type for report in reports] == [jt.UnboundSlotError]
    reports.clear()

    class Thing:
        pass

    thing, other = Thing(), Thing()
    table.bind({"slot": lambda given: [given, other]})
    assert fire_host.call_object(slot, thing) == [thing, other]
    table.bind({"slot": lambda given: other})
    before = sys.getrefcount(thing), sys.getrefcount(other)
    for _ in range(1000):
        assert fire_host.call_object(slot, thing) is other
    assert (sys.getrefcount(thing), sys.getrefcount(other)) == before
    assert reports == []
    assert fire_host.call_object(slot, None) is None  # NULL is no object
    assert [report.exc_type for report in reports] == [ValueError]
    reports.clear()

    def fail(given: object) -> object:
        raise Unwell(given)

    table.bind({"slot": fail})
    assert fire_host.call_object(slot, thing) is None
    assert reports[0].exc_value.args == (thing,)
    reports.clear()
    dead = weakref.ref(thing)
    del thing
    table.bind({"slot": lambda given: given})
    gc.collect()
    assert dead() is None


def test_a_signal_when_the_callback_begins(fire_host: Any, reports: list[Report]) -> None:
    """Its handler raises before the first line of the function that C calls."""
    slot = Slot(fire_host, "int64_t")
    slot.bind(lambda: 7)

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGUSR1, interrupt)
    try:
        assert fire_host.call_after_signal(slot.address, signal.SIGUSR1) == 0
    finally:
        signal.signal(signal.SIGUSR1, usual)
    assert [report.exc_type for report in reports] == [KeyboardInterrupt]
    assert slot.call() == "7"


def test_recursion_through_c(fire_host: Any, reports: list[Report]) -> None:
    """Where Python's limit is reached, the innermost call gives zero, and the others go on."""
    slot = Slot(fire_host, "int64_t")
    depth = 0

    def deeper() -> int:
        nonlocal depth
        depth += 1
        return int(slot.call(thread=False)) + 1

    slot.bind(deeper)
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(150)
    try:
        result = int(slot.call(thread=False))
    finally:
        sys.setrecursionlimit(usual)
    # A level whose own code met the limit gives zero as well, and those around it count from there.
    assert 0 <= result <= depth
    assert reports and {report.exc_type for report in reports} == {RecursionError}
    slot.bind(lambda: 3)
    assert slot.call() == "3"


def test_a_hook_that_fails(
    fire_host: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def hook(report: object) -> None:
        raise RuntimeError("the hook itself")

    monkeypatch.setattr(sys, "unraisablehook", hook)
    slot = Slot(fire_host, "int64_t")
    slot.bind(lambda: 1 // 0)
    assert slot.call() == "0"
    assert "the hook itself" in capfd.readouterr().err


def test_many_threads_that_python_does_not_know(fire_host: Any, reports: list[Report]) -> None:
    slot = Slot(fire_host, "int64_t")
    idents: set[int] = set()

    def note() -> int:
        idents.add(threading.get_ident())
        return 1

    slot.bind(note)
    fire_host.start(slot.address, 8, 1)
    while min(fire_host.calls()) < 20:
        threading.Event().wait(0.001)
    outcomes = fire_host.finish()
    assert [outcome[1:4] for outcome in outcomes] == [(0, 0, 0)] * 8
    assert len(idents) == 8 and threading.get_ident() not in idents
    assert reports == []
