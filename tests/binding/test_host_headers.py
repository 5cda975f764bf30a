"""The headers for hosts: getting slots, the layout, other versions; hosts in C++ and Cython."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Run
from tests.hosts import build

# What is in this table must never change: hosts that were compiled long ago rely on it.
LAYOUT = """
    sizeof(jt_slot) == 128
    offsetof(jt_slot, function) == 0
    offsetof(jt_slot, generation) == 8
    offsetof(jt_slot, sequence) == 16
    offsetof(jt_slot, name) == 24
    offsetof(jt_slot, signature) == 32
    offsetof(jt_slot, reserved) == 40
    sizeof(((jt_slot *)0)->function) == 8
    sizeof(((jt_slot *)0)->generation) == 8
    sizeof(((jt_slot *)0)->sequence) == 8
    sizeof(((jt_slot *)0)->reserved) == 88
    sizeof(jt_host_api) == 16
    offsetof(jt_host_api, abi) == 0
    offsetof(jt_host_api, size) == 4
    offsetof(jt_host_api, get_slot) == 8
    JUMPTABLE_ABI == 1
"""
CAPSULE = "jumptable._host_api"


# ---- getting a slot ----------------------------------------------------------------------


def test_slots_are_lines_of_their_own(host: Any) -> None:
    table = jt.Table({f"slot{index}": "double(double)" for index in range(64)})
    slots = {
        host.get_slot(table, name, "double(double)" + end)
        for name in table.names
        for end in ("", " nogil")
    }
    assert len(slots) == 128
    assert {address % 128 for address in slots} == {0}
    described = host.describe(host.get_slot(table, "slot7", "double(double)"))
    assert (described["name"], described["signature"]) == ("slot7", "double(double)")


def test_the_same_arguments_give_the_same_slot(c_host: Any) -> None:
    table = jt.Table({"apply": "int64_t(size_t) nogil"})
    slot = c_host.get_slot(table, "apply", "int64_t(size_t)")
    assert c_host.get_slot(table, "apply", "int64_t(size_t)") == slot
    assert c_host.get_slot(table, "apply", " int64_t ( size_t )") == slot
    if ctypes.sizeof(ctypes.c_long) == 8:
        assert c_host.get_slot(table, "apply", "long(unsigned long)") == slot
    assert c_host.get_slot(table, "apply", "int64_t(size_t) nogil") != slot
    assert (
        c_host.get_slot(jt.Table({"apply": "int64_t(size_t)"}), "apply", "int64_t(size_t)") != slot
    )
    table.bind({"apply": abs})
    assert c_host.get_slot(table, "apply", "int64_t(size_t)") == slot


def test_a_table_lives_as_long_as_its_slots(c_host: Any, basic: jt.Plugin) -> None:
    table = jt.Table({"half": "double(double)"})
    watch = weakref.ref(table)
    slot = c_host.get_slot(table, "half", "double(double) nogil")
    table.bind({"half": lambda x: x / 4})
    del table
    gc.collect()
    assert c_host.echo_double(slot, True, 4.0) == 1.0
    assert watch() is not None


@pytest.mark.parametrize(
    ("name", "signature", "error", "message"),
    [
        ("aply", "double(double)", AttributeError, "no slot 'aply'; did you mean 'apply'"),
        ("", "double(double)", AttributeError, "no slot ''"),
        ("apply", "float(double)", jt.SignatureError, r"is 'double\(double\)', and was asked for"),
        ("apply", "double(float)", jt.SignatureError, "use its own signature"),
        ("apply", "double(double, double)", jt.SignatureError, "and was asked for as"),
        ("apply", "double()", jt.SignatureError, "and was asked for as"),
        ("apply", "double", jt.SignatureError, "double"),
        ("apply", "double(", jt.SignatureError, "double"),
        ("apply", "", jt.SignatureError, "signature"),
        ("apply", "object(object) nogil", jt.SignatureError, "nogil"),
        ("flush", "void()", jt.SignatureError, "'flush' .* has no C signature, and was asked for"),
        (None, "double(double)", TypeError, "takes a name and a signature, and got NULL"),
        ("apply", None, TypeError, "takes a name and a signature, and got NULL"),
    ],
)
def test_mistakes_are_errors_when_the_slot_is_asked_for(
    host: Any, name: str, signature: str, error: type[Exception], message: str
) -> None:
    table = jt.Table({"apply": "double(double)", "flush": None})
    table.bind({"apply": abs, "flush": print})
    with pytest.raises(error, match=message):
        host.get_slot(table, name, signature)
    assert host.get_slot(table, "apply", "double(double)")


@pytest.mark.parametrize("thing", [None, 1, {"apply": abs}, jt.Table, object()])
def test_what_is_no_table(host: Any, thing: object) -> None:
    with pytest.raises(TypeError, match=f"takes a jumptable.Table, not {type(thing).__name__}"):
        host.get_slot(thing, "apply", "double(double)")
    with pytest.raises(TypeError, match="takes a jumptable.Table, not "):
        host.get_slot(jt.Table({"apply": None}).facade, "apply", "double(double)")


def test_a_table_that_is_null(host: Any) -> None:
    with pytest.raises(TypeError, match="takes a jumptable.Table, and got NULL"):
        host.get_slot_of_null(None)
    with pytest.raises(KeyError, match="why there is none"):
        host.get_slot_of_null("why there is none")


def test_methods_without_a_c_signature_say_why(c_host: Any) -> None:
    class Odd:
        def apply(self, x: list[int]) -> float:
            raise NotImplementedError

        def flush(self, *, now: bool) -> None: ...

    table = jt.Table(Odd)
    with pytest.raises(jt.SignatureError, match=r"parameter 'x' is annotated list\[int\]"):
        c_host.get_slot(table, "apply", "double(double)")
    with pytest.raises(jt.SignatureError, match="keyword-only"):
        c_host.get_slot(table, "flush", "void(bool)")


def test_before_jt_import(tmp_path: Path) -> None:
    careless = build.load(build.built(tmp_path, "host.c", "-DNO_IMPORT"))
    with pytest.raises(RuntimeError, match=r"call jt_import\(\) before jt_get_slot\(\)"):
        careless.get_slot(jt.Table({"apply": "double(double)"}), "apply", "double(double)")


# ---- layout and versions -----------------------------------------------------------------


@pytest.mark.parametrize(("language", "standard"), [("c", "c11"), ("c++", "c++11")])
def test_the_layout_is_pinned(tmp_path: Path, language: str, standard: str) -> None:
    keyword = "_Static_assert" if language == "c" else "static_assert"
    lines = [line.strip() for line in LAYOUT.strip().splitlines()]
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <Python.h>\n#include <stddef.h>\n#include <jumptable/host.h>\n"
        + "".join([f'{keyword}({line}, "{line}");\n' for line in lines])
        + "extern const char capsule[];\nconst char capsule[] = JT_HOST_CAPSULE;\n"
    )
    target = tmp_path / "layout.so"
    build.compile_host(source, target, f"-std={standard}", *build.STRICT, language=language)
    if language == "c":
        symbol = (ctypes.c_char * (len(CAPSULE) + 1)).in_dll(ctypes.CDLL(str(target)), "capsule")
        assert symbol.value == CAPSULE.encode()


def test_the_capsule_is_what_the_header_says() -> None:
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    capsule: Any = vars(jt)["_host_api"]
    address = get_pointer(capsule, CAPSULE.encode())
    assert list((ctypes.c_uint32 * 2).from_address(address)) == [1, 16]
    assert ctypes.c_void_p.from_address(address + 8).value


FAKE = """
import ctypes, sys
import jumptable
from tests.hosts import build

kind, path = sys.argv[1:]
if kind == "absent":
    del jumptable._host_api
elif kind == "no capsule":
    jumptable._host_api = 5
elif kind == "not installed":
    sys.modules["jumptable"] = None
else:
    abi, size = map(int, kind.split(","))
    api = (ctypes.c_uint32 * 16)(abi, size)
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p] * 3
    name = ctypes.create_string_buffer(b"jumptable._host_api")
    jumptable._host_api = make(ctypes.addressof(api), ctypes.addressof(name), None)
try:
    print("imported", build.load(path).__name__)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("1,16", "imported host"),
        ("1,64", "imported host"),  # what a later jumptable has appended
        ("2,16", "ImportError this module was compiled for jumptable ABI 1, and the .* has ABI 2"),
        ("0,64", "ImportError this module was compiled for jumptable ABI 1, and the .* has ABI 0"),
        ("1,15", "ImportError .* for a later jumptable than .* has 15 bytes, expected 16 or more"),
        ("1,0", "ImportError .* for a later jumptable than .* has 0 bytes, expected 16 or more"),
        ("absent", "ImportError the jumptable that is installed has no C interface"),
        ("no capsule", "ImportError the jumptable that is installed has no C interface"),
        ("not installed", "ModuleNotFoundError .*jumptable"),
    ],
)
def test_other_versions_of_jumptable_are_refused(
    run_python: Run, c_host: Any, kind: str, expected: str
) -> None:
    root = Path(build.__file__).parent.parent.parent
    done = run_python(
        f"import sys; sys.path.insert(0, {str(root)!r})\n{FAKE}", kind, c_host.__file__
    )
    assert re.match(expected, done.stdout), done.stdout


def test_the_include_folder_is_the_same_from_everywhere() -> None:
    assert build.include() == jt.get_include()
    assert sorted(os.listdir(Path(jt.get_include()) / "jumptable")) == [
        "abi.h",
        "counter.h",
        "host.h",
        "plugin.h",
    ]


@pytest.mark.parametrize("path", ["include/jumptable/host.h", "__init__.pxd"])
def test_what_hosts_compile_with_is_installed(path: str) -> None:
    assert (Path(jt.__file__).parent / path).is_file()


# ---- C++ ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cpp_host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("cpp")
    return build.load(build.built(folder, "host.cpp", "-std=c++11", "-pthread", *build.STRICT))


def test_threads_that_python_does_not_know(cpp_host: Any, basic: jt.Plugin) -> None:
    table = jt.Table({"apply": "int64_t(int64_t)"})
    for target, calls in ((basic.lookup("negate", "int64_t(int64_t)"), 1000), (lambda x: -x, 100)):
        table.bind({"apply": target})
        assert cpp_host.call_from_threads(table, 4, calls) == -4 * sum(range(calls))
    with pytest.raises(jt.SignatureError):
        cpp_host.call_from_threads(jt.Table({"apply": "double(double)"}), 1, 1)


# ---- Cython ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[(), ("--cplus",)], ids=["C", "C++"])
def cython_host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if importlib.util.find_spec("Cython") is None:
        pytest.skip("needs Cython")
    return build.load(build.cythonized(tmp_path_factory.mktemp("cython"), *request.param))


def test_a_host_in_cython(cython_host: Any, basic: jt.Plugin) -> None:
    table = jt.Table({"apply": "double(double)"})
    host = cython_host.Host(table)
    assert host.text == ("apply", "double(double) nogil")
    half = basic.lookup("half", "double(double)")
    for generation, target in enumerate((lambda x: x + 1, half, abs), 1):
        table.bind({"apply": target})
        expected = target(-3.0)
        assert (host.with_gil(-3.0), host.without_gil(-3.0)) == (expected, expected)
        assert host.without_gil(-3.0, 10) == 10 * expected
        assert host.batch(-3.0, 10) == (10 * expected, generation)
        direct = half.__self__.address
        assert host.addresses == (direct, direct) or target is not half


def test_mistakes_in_cython(cython_host: Any) -> None:
    with pytest.raises(TypeError, match="takes a jumptable.Table, not dict"):
        cython_host.Host({"apply": abs})
    with pytest.raises(jt.SignatureError, match="and was asked for as"):
        cython_host.Host(jt.Table({"apply": "float(float)"}))
    with pytest.raises(AttributeError, match="no slot 'applyx'; did you mean 'apply'"):
        cython_host.get_slot(jt.Table({"apply": "float(float)"}), b"applyx", b"float(float)")
    with pytest.raises(AttributeError, match="has no slot"):
        cython_host.get_slot(jt.Table({"apply": "float(float)"}), b"\xff", b"float(float)")


def test_exported_functions_of_cython(
    cython_host: Any, c_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"exporting_{id(cython_host)}"
    monkeypatch.setitem(sys.modules, name, cython_host)
    plugin = jt.open(name)
    exported = plugin.lookup("exported", "double(double) nogil")
    overridable = plugin.lookup("overridable", "double(double)")
    table = jt.Table({"apply": "double(double)"})
    slot = c_host.get_slot(table, "apply", "double(double) nogil")
    table.bind({"apply": exported})
    assert c_host.describe(slot)["load"] == exported.__self__.address
    assert c_host.echo_double(slot, True, 1.5) == 4.5
    # A cpdef function has a parameter that C hosts know nothing of.
    table.bind({"apply": overridable})
    assert c_host.describe(slot)["load"] != overridable.__self__.address
    before = cython_host.count()
    assert c_host.echo_double(slot, True, 1.5) == 6.0
    assert cython_host.count() == before + 1
    held = c_host.get_slot(table, "apply", "double(double)")
    assert c_host.describe(held)["load"] != overridable.__self__.address
    assert c_host.echo_double(held, False, 1.5) == 6.0


def test_without_the_python_headers_of_a_host_plugins_compile(tmp_path: Path) -> None:
    source = tmp_path / "plugin.c"
    source.write_text((build.SOURCES / "plugin.c").read_text())
    command = [*build.compiler("c"), "-c", *build.STRICT, f"-I{build.include()}", str(source)]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "plugin.o")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_header_in_the_limited_api(tmp_path: Path) -> None:
    source = tmp_path / "limited.c"
    source.write_text(
        textwrap.dedent("""
        #define Py_LIMITED_API 0x030A0000
        #include <jumptable/host.h>
        int use(PyObject *table) {
            if (jt_import() < 0) return -1;
            return jt_get_slot(table, "apply", "void()") != NULL;
        }
        """)
    )
    if hasattr(sys, "abiflags") and "t" in sys.abiflags:
        pytest.skip("free-threaded builds have no limited API")
    build.compile_host(source, tmp_path / "limited.so", "-std=c11", *build.STRICT, language="c")
