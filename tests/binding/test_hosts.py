"""Slots called from C and C++, with and without the GIL; the host is tests/hosts/host.c."""

from __future__ import annotations

import ctypes
import gc
import math
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile
from tests.hosts import build

SIGNED = {f"int{bits}": bits for bits in (8, 16, 32, 64)}
UNSIGNED = {f"uint{bits}": bits for bits in (8, 16, 32, 64)}
VALUES: dict[str, list[Any]] = {
    "bool": [True, False],
    "char": [0, 1, 127],
    **{name: [-(2 ** (bits - 1)), -1, 0, 2 ** (bits - 1) - 1] for name, bits in SIGNED.items()},
    **{name: [0, 1, 2**bits - 1] for name, bits in UNSIGNED.items()},
    "float": [0.0, -1.5, 2.0**100, float("inf")],
    "double": [0.0, -1.5, 1e300, float("inf")],
    "string": ["", "né", None],
    "pointer": [None, 1, 2**63 + 1],
}
C_TYPES = {name: f"{name}_t" for name in (*SIGNED, *UNSIGNED)}
C_TYPES |= {"string": "const char *", "pointer": "void *"}
SEVEN = f"int64_t({', '.join(['int64_t'] * 7)})"
MIXED = "double(int32_t, double, const char *, float, uint8_t, bool, double, int64_t, int16_t)"
MIXED_GIVEN = (-1, 0.5, "four", 2.25, 200, True, 1e3, 1 << 40, -30000)
INTERFACE = {f"echo_{name}": "{0}({0})".format(C_TYPES.get(name, name)) for name in VALUES}
INTERFACE |= {
    "count": "void()",
    "total": "double(const double *, size_t)",
}
GIL = pytest.mark.parametrize("nogil", [False, True], ids=["gil", "nogil"])


@pytest.fixture(scope="module")
def plugin(compile_plugin: Compile) -> jt.Plugin:
    text = (build.SOURCES / "plugin.c").read_text()
    return jt.open(compile_plugin("hosts", text, f"-I{build.include()}"))


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reported: list[str] = []

    def report(what: Any) -> None:
        reported.append(f"{type(what.exc_value).__name__}: {what.exc_value}")

    monkeypatch.setattr(sys, "unraisablehook", report)
    return reported


def get(host: Any, table: jt.Table[Any], name: str, nogil: bool = False) -> int:
    """The slot, asked for by the signature that the table's interface gives it."""
    text = {**INTERFACE, "seven": SEVEN, "mixed": MIXED}.get(name, "double(double)")
    slot: int = host.get_slot(table, name, text + " nogil" * nogil)
    return slot


def loaded(host: Any, slot: int) -> int:
    address: int = host.describe(slot)["load"]
    return address


# ---- calls ------------------------------------------------------------------------------


def python_targets() -> dict[str, Callable[..., Any]]:
    targets: dict[str, Callable[..., Any]] = {name: lambda value: value for name in INTERFACE}
    targets["count"] = lambda: None
    targets["total"] = lambda address, count: sum((ctypes.c_double * count).from_address(address))
    return targets


@GIL
@pytest.mark.parametrize("kind", ["native", "python"])
def test_values_of_every_type_come_back(
    host: Any, basic: jt.Plugin, kind: str, nogil: bool
) -> None:
    table = jt.Table(INTERFACE)
    table.bind(basic if kind == "native" else python_targets())
    for name, values in VALUES.items():
        slot = get(host, table, f"echo_{name}", nogil)
        for value in values:
            result = getattr(host, f"echo_{name}")(
                slot, nogil, value if name != "pointer" else value or 0
            )
            assert (result, type(result)) == (value, type(value)), name
        if kind == "native":
            symbol = basic.lookup(f"echo_{name}", INTERFACE[f"echo_{name}"]).__self__
            assert loaded(host, slot) == symbol.address
    assert host.call_total(get(host, table, "total", nogil), nogil, 0.5, 2.0, 4.0) == 6.5
    assert host.call_void(get(host, table, "count", nogil), nogil) is None


@pytest.mark.thread_unsafe(reason="counts calls of one library")
def test_void_functions_are_called(c_host: Any, basic: jt.Plugin, compile_plugin: Compile) -> None:
    calls = jt.open(compile_plugin("basic")).lookup("calls", "int")
    table = jt.Table({"count": "void()"})
    slot = c_host.get_slot(table, "count", "void()")
    table.bind(basic)
    before = calls.value
    c_host.call_void(slot, True)
    assert calls.value == before + 1
    counted: list[int] = []
    table.bind({"count": lambda: counted.append(1)})
    c_host.call_void(slot, True)
    assert (calls.value, counted) == (before + 1, [1])


@GIL
def test_more_arguments_than_registers(host: Any, plugin: jt.Plugin, nogil: bool) -> None:
    table = jt.Table({"seven": SEVEN, "mixed": MIXED})
    slots = [get(host, table, name, nogil) for name in ("seven", "mixed")]
    given: list[tuple[Any, ...]] = []

    def seven(*args: int) -> int:
        given.append(args)
        return -5

    def mixed(*args: Any) -> float:
        given.append(args)
        return 0.25

    table.bind({"seven": seven, "mixed": mixed})
    assert host.call_seven(slots[0], nogil) == -5
    assert host.call_mixed(slots[1], nogil) == 0.25
    assert given == [(1, 2, 3, 4, 5, 6, 7), MIXED_GIVEN]
    assert [type(value) for value in given[1]] == [type(value) for value in MIXED_GIVEN]
    table.bind(plugin)
    assert host.call_seven(slots[0], nogil) == 7654321
    assert host.call_mixed(slots[1], nogil) == plugin.lookup("mixed")(*MIXED_GIVEN)
    for slot, name in zip(slots, ("seven", "mixed"), strict=True):
        assert loaded(host, slot) == plugin.lookup(name).__self__.address


@GIL
def test_a_lazy_table_is_loaded_by_the_first_call_from_c(
    host: Any, compile_plugin: Compile, unraisable: list[str], nogil: bool
) -> None:
    path = compile_plugin("basic")
    given = INTERFACE["echo_double"]
    table = jt.lazy(str(path), {"echo_double": given, "echo_int32": INTERFACE["echo_int32"]})
    slots = [get(host, table, name, nogil) for name in table.names]
    callback = loaded(host, slots[0])
    assert table.plugin is None
    assert host.echo_double(slots[0], nogil, 1.5) == 1.5
    own = jt.open(path)
    assert table.plugin is own and loaded(host, slots[0]) != callback
    for slot, name in zip(slots, table.names, strict=True):
        assert loaded(host, slot) == own.lookup(name, INTERFACE[name]).__self__.address
    absent = jt.lazy("no_such_module_5", {"echo_double": given})
    slot = get(host, absent, "echo_double", nogil)
    for _ in range(2):
        assert host.echo_double(slot, nogil, 1.5) == 0
    assert len(unraisable) == 2 and unraisable[0].startswith("PluginInitError: no_such_module_5")


def test_objects(host: Any, objects: jt.Plugin, unraisable: list[str]) -> None:
    table = jt.Table({"same": "object(object)"})
    slot = host.get_slot(table, "same", "object(object)")
    thing = object()
    for source in (objects, {"same": lambda value: value}):
        table.bind(source)
        before = sys.getrefcount(thing)
        assert host.echo_object(slot, False, thing) is thing
        assert sys.getrefcount(thing) == before
    table.bind({"same": "abc".index})
    assert host.echo_object(slot, False, "z") == "NULL"
    assert unraisable == ["ValueError: substring not found"]


def test_a_direct_function_leaves_its_exception_to_a_host_with_the_gil(
    c_host: Any, objects: jt.Plugin
) -> None:
    table = jt.Table({"reciprocal": "double(double)"})
    table.bind(objects)
    slot = get(c_host, table, "reciprocal")
    assert c_host.echo_double(slot, False, 4.0) == 0.25
    with pytest.raises(ZeroDivisionError, match="from C"):
        c_host.echo_double(slot, False, 0.0)


def test_functions_that_may_use_python_get_the_gil(
    c_host: Any, objects: jt.Plugin, unraisable: list[str]
) -> None:
    table = jt.Table({"reciprocal": "double(double)"})
    table.bind(objects)
    address = objects.lookup("reciprocal", "double(double)").__self__.address
    held, free = get(c_host, table, "reciprocal"), get(c_host, table, "reciprocal", nogil=True)
    assert loaded(c_host, held) == address
    assert loaded(c_host, free) not in (address, 0)
    assert c_host.echo_double(free, True, 4.0) == 0.25
    assert c_host.echo_double(free, True, 0.0) == 0.0
    assert unraisable == ["ZeroDivisionError: from C"]
    # Whoever looks a function up as nogil says that it needs no GIL.
    table.bind({"reciprocal": objects.lookup("reciprocal", "double(double) nogil")})
    assert loaded(c_host, held) == loaded(c_host, free) == address
    table.bind({"reciprocal": objects.lookup("reciprocal", "double(double)")})
    assert loaded(c_host, free) != address


@pytest.mark.parametrize("interface", ["double(double)", "double(double) nogil"])
def test_a_host_may_want_either_whatever_the_interface_says(
    c_host: Any, compile_plugin: Compile, interface: str
) -> None:
    table = jt.Table({"half": interface})
    table.bind(jt.open(compile_plugin("basic")))
    slots = [get(c_host, table, "half"), get(c_host, table, "half", nogil=True)]
    assert slots[0] != slots[1]
    assert [c_host.describe(slot)["signature"] for slot in slots] == [
        "double(double)",
        "double(double) nogil",
    ]
    assert [c_host.echo_double(slot, True, 3.0) for slot in slots[1:]] == [1.5]
    assert c_host.echo_double(slots[0], False, 3.0) == 1.5


# ---- what C gets while a slot is bound to this and that ---------------------------------


def test_unbound_and_failing_slots_give_zero(c_host: Any, unraisable: list[str]) -> None:
    table = jt.Table({**INTERFACE, "object": "object(object)"})
    slots = {name: get(c_host, table, f"echo_{name}", nogil=True) for name in VALUES}
    wholly = c_host.get_slot(table, "object", "object(object)")

    def call_all() -> list[Any]:
        found = [
            getattr(c_host, f"echo_{name}")(slots[name], True, VALUES[name][1]) for name in VALUES
        ]
        return [*found, c_host.echo_object(wholly, False, ())]

    zeros = [False, *[0] * 9, 0.0, 0.0, None, None, "NULL"]
    assert call_all() == zeros
    assert len(unraisable) == len(zeros)
    assert {text.split(":")[0] for text in unraisable} == {"UnboundSlotError"}
    assert "echo_int8() was called, and nothing is bound" in unraisable[2]

    def fail(*args: object) -> object:
        raise SystemExit("no")

    unraisable.clear()
    table.bind(dict.fromkeys(table.names, fail))
    assert call_all() == zeros
    assert unraisable == ["SystemExit: no"] * len(zeros)


@pytest.mark.parametrize(
    ("name", "result", "complaint"),
    [
        ("int8", 128, "OverflowError: the result 128 is out of range for 'int8_t'"),
        ("int8", -129, "OverflowError: the result -129 is out of range for 'int8_t'"),
        ("uint16", -1, "OverflowError: the result -1 is out of range for 'uint16_t'"),
        ("uint64", 2**64, "OverflowError: the result 18446744073709551616 is out of range"),
        ("int32", 1.0, "TypeError: 'float' object cannot be interpreted as an integer"),
        ("bool", 2, "OverflowError: the result 2 is out of range for 'bool'"),
        ("float", 1e300, "OverflowError: the result 1e+300 is out of range for 'float'"),
        ("double", "1", "TypeError: must be real number, not str"),
        ("string", 1, "TypeError: expected str, bytes or None as the result, got int"),
        ("string", "a\0b", "ValueError: the result holds a NUL"),
        ("pointer", -1, "OverflowError: the result -1 is out of range for 'void *'"),
    ],
)
def test_results_are_checked_as_arguments_are(
    c_host: Any, unraisable: list[str], name: str, result: object, complaint: str
) -> None:
    table = jt.Table({f"echo_{name}": INTERFACE[f"echo_{name}"]})
    slot = get(c_host, table, f"echo_{name}", nogil=True)
    table.bind({f"echo_{name}": lambda value: result})
    assert not getattr(c_host, f"echo_{name}")(slot, True, VALUES[name][1])
    assert len(unraisable) == 1
    assert unraisable[0].startswith(complaint)


def test_texts_that_are_no_utf8_are_reported(c_host: Any, unraisable: list[str]) -> None:
    table = jt.Table({"echo_string": "const char *(const char *)"})
    table.bind({"echo_string": lambda text: b"\xff"})
    slot = get(c_host, table, "echo_string")
    with pytest.raises(UnicodeDecodeError):  # the host's own: C got what Python returned
        c_host.echo_string(slot, False, "x")
    assert unraisable == []
    called: list[object] = []
    table.bind({"echo_string": called.append})
    c_host.echo_string(slot, False, "né")
    assert called == ["né"]


def test_one_bind_changes_what_all_slots_call(c_host: Any, basic: jt.Plugin) -> None:
    table = jt.Table({"half": "double(double)", "echo_double": "double(double)"})
    slots = {
        (name, nogil): get(c_host, table, name, nogil)
        for name in table.names
        for nogil in (False, True)
    }
    for generation in range(1, 4):
        table.bind({"half": float(generation).__add__, "echo_double": lambda x: -x})
        assert [
            c_host.echo_double(slots["half", nogil], nogil, 1.0) for nogil in (False, True)
        ] == [generation + 1.0] * 2
        assert {c_host.describe(slot)["generation"] for slot in slots.values()} == {generation}
    table.bind(basic, only=("half",))
    assert c_host.echo_double(slots["half", True], True, 1.0) == 0.5
    assert c_host.echo_double(slots["echo_double", True], True, 1.0) == -1.0
    assert [c_host.describe(slot)["generation"] for slot in slots.values()] == [4, 4, 3, 3]
    for slot in slots.values():
        described = c_host.describe(slot)
        assert described["load"] == described["read"]


def test_a_failed_bind_changes_nothing_for_c(c_host: Any, basic: jt.Plugin) -> None:
    table = jt.Table({"half": "double(double)", "echo_double": "double(double)"})
    slot = get(c_host, table, "half")
    table.bind(basic)
    before = ctypes.string_at(slot, 128)
    with pytest.raises(jt.InterfaceError):
        table.bind({"half": abs, "echo_double": None})
    assert ctypes.string_at(slot, 128) == before


def test_a_slot_asked_for_late_has_the_generation_of_that_moment(c_host: Any) -> None:
    table = jt.Table({"half": "double(double)", "other": None})
    assert c_host.describe(get(c_host, table, "half"))["generation"] == 0
    table.bind({"half": abs, "other": abs})
    assert c_host.describe(get(c_host, table, "half"))["generation"] == 1
    table.bind({"other": abs}, only=("other",))
    assert c_host.describe(get(c_host, table, "half", nogil=True))["generation"] == 2


def test_other_python_callables(c_host: Any, basic: jt.Plugin) -> None:
    table = jt.Table({"half": "double(double)"})
    slot = get(c_host, table, "half", nogil=True)
    other = jt.Table({"half": "double(double)"}, count=True)
    other.bind(basic)
    for target in (math.fabs, other.slot("half"), float, basic.lookup("half", "double(double)")):
        table.bind({"half": target})
        assert c_host.echo_double(slot, True, -2.0) == target(-2.0)
    assert other.calls == {"half": 2}


def test_a_function_of_another_type_goes_through_python(c_host: Any, basic: jt.Plugin) -> None:
    table = jt.Table({"apply": "double(double)"})
    slot = get(c_host, table, "apply")
    for name, signature, result in (
        ("addf", "float(float, float)", None),
        ("negate", "int64_t(int64_t)", None),
        ("echo_float", "float(float)", 1.5),
    ):
        function = basic.lookup(name, signature)
        if result is None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "unraisablehook", lambda what: None)
                try:
                    table.bind({"apply": function})
                except jt.InterfaceError:  # it cannot even be called with one argument
                    continue
                assert c_host.echo_double(slot, False, 1.5) == 0.0  # a float is no int64_t
        else:
            table.bind({"apply": function})
            assert c_host.echo_double(slot, False, 1.5) == result
        assert loaded(c_host, slot) != function.__self__.address


def test_defaults_of_an_interface_are_no_matter_to_c(c_host: Any, basic: jt.Plugin) -> None:
    class Scaler:
        def scale(self, x: float, k: int = 2) -> float:
            raise NotImplementedError

        def half(self, x: float) -> float:
            raise NotImplementedError

    table = jt.Table(Scaler)
    with pytest.raises(jt.SignatureError, match=r"'scale' .* is 'double\(double, int64_t\)'"):
        c_host.get_slot(table, "scale", "double(double)")
    slot = c_host.get_slot(table, "half", "double(double)")
    table.bind(basic, only=("half",))
    assert loaded(c_host, slot) == basic.lookup("half", "double(double)").__self__.address


def test_what_owns_a_pointer_lives_on_after_a_swap(c_host: Any) -> None:
    made = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x + 10)
    watch = weakref.ref(made)
    table = jt.Table({"apply": "double(double)"})
    slot = get(c_host, table, "apply")
    table.bind({"apply": jt.from_pointer(made, "double(double)")})
    assert loaded(c_host, slot) == ctypes.cast(made, ctypes.c_void_p).value
    old = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(loaded(c_host, slot))
    del made
    table.bind({"apply": abs})
    gc.collect()
    assert watch() is not None  # C may still be about to call it
    assert old(1.0) == 11.0
    assert c_host.echo_double(slot, False, -1.0) == 1.0


def test_a_pointer_that_c_never_saw_is_given_up() -> None:
    made = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x)
    watch = weakref.ref(made)
    table = jt.Table({"apply": "double(double)"})
    table.bind({"apply": jt.from_pointer(made, "double(double)")})
    del made
    table.bind({"apply": abs})
    gc.collect()
    if not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled():
        assert watch() is None
