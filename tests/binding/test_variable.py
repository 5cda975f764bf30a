"""Variables: the plugin's own memory."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

import jumptable as jt
from tests.conftest import Compile


@pytest.mark.thread_unsafe(reason="writes a variable of one library")
def test_reading_and_writing(data: jt.Plugin) -> None:
    version = data.lookup("abi_version", "int32_t")
    assert isinstance(version, jt.Variable)
    assert version.value == 3
    version.value = -5
    assert data.lookup("get_abi_version", "int32_t()")() == -5
    version.value = 3
    assert data.lookup("abi_version", "int32_t") is version
    assert repr(version) == f"<Variable 'int32_t abi_version' of {data!r}>"
    assert (version.name, version.type, version.plugin) == ("abi_version", "int32_t", data)
    assert version.address > 0


@pytest.mark.parametrize(
    ("name", "ctype", "value", "other"),
    [
        ("small", "uint8_t", 200, 255),
        ("small", "char", None, -1),
        ("wide", "int64_t", -(2**63), 2**63 - 1),
        ("huge", "uint64_t", 2**64 - 1, 2**63),
        ("single", "float", 0.5, -math.inf),
        ("ratio", "double", 0.25, 5e-324),
        ("flag", "bool", True, False),
        ("zeroed", "int", 0, 7),
    ],
)
def test_every_number_type(
    data: jt.Plugin, name: str, ctype: str, value: object, other: object
) -> None:
    variable = data.lookup(name, ctype)
    before = variable.value
    if value is not None:
        assert before == value
    variable.value = other
    assert variable.value == other
    assert type(variable.value) is type(other)
    variable.value = before
    assert variable.value == before


def test_values_that_do_not_fit_change_nothing(data: jt.Plugin) -> None:
    version = data.lookup("abi_version", "int32_t")
    with pytest.raises(OverflowError, match="abi_version.value: 2147483648 is out of .*'int32_t'"):
        version.value = 2**31
    with pytest.raises(TypeError, match="abi_version.value: expected int for 'int32_t', got float"):
        version.value = 1.0
    with pytest.raises(TypeError, match="ratio.value: expected float for 'double', got str"):
        data.lookup("ratio", "double").value = "1"
    with pytest.raises(OverflowError, match="single.value: 1e.300 is out of range for 'float'"):
        data.lookup("single", "float").value = 1e300
    with pytest.raises(AttributeError):
        del version.value
    assert version.value == 3


def test_a_constant_cannot_be_written(data: jt.Plugin) -> None:
    constant = data.lookup("constant", "int32_t")
    assert constant.value == 42
    assert not constant.writable
    with pytest.raises(AttributeError, match="constant cannot be written: .* read-only memory"):
        constant.value = 1
    assert constant.value == 42


def test_pointers(data: jt.Plugin) -> None:
    label = data.lookup("label", "const char *")
    assert label.value == "first"
    for variable in (label, data.lookup("values", "double *")):
        with pytest.raises(TypeError, match="would keep a pointer to memory that Python may free"):
            variable.value = np.zeros(1)
    assert data.lookup("values", "double *").value > 0
    address = data.lookup("address", "void *")
    assert address.value is None
    address.value = 1234
    assert address.value == 1234
    with pytest.raises(TypeError, match="expected an int address or None"):
        address.value = b"x"
    with pytest.raises(OverflowError):
        address.value = -1
    address.value = None
    assert address.value is None


def test_the_size_must_be_the_variables_own(data: jt.Plugin) -> None:
    for wrong in ("int64_t", "int16_t", "double"):
        with pytest.raises(
            jt.SignatureError, match=rf"'abi_version' of .* has 4 bytes, but '{wrong}'"
        ):
            data.lookup("abi_version", wrong)


def test_a_relocated_constant_is_constant_too(compile_plugin: Compile) -> None:
    text = "static int target; int *const pointer = &target;\n"
    pointer = jt.open(compile_plugin("relro", text)).lookup("pointer", "void *")
    assert pointer.value > 0
    with pytest.raises(AttributeError, match="read-only"):
        pointer.value = None


@pytest.mark.thread_unsafe(reason="writes a variable of one library")
def test_objects(objects: jt.Plugin) -> None:
    shared = objects.lookup("shared", "object")
    with pytest.raises(AttributeError, match="shared is NULL"):
        _ = shared.value
    thing = ["mine"]
    shared.value = thing
    assert shared.value is thing
    shared.value = None
    assert shared.value is None


def test_objects_from_many_threads(objects: jt.Plugin) -> None:
    """Without a GIL, an unguarded reference count is lost within a fraction of this."""
    shared = objects.lookup("shared", "object")

    def swap() -> None:
        for number in range(20_000):
            shared.value = [number]
            assert type(shared.value) is list

    threads = [threading.Thread(target=swap) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert type(shared.value) is list
