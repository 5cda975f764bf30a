"""Which symbols of a library are accepted, as what."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Compile


@pytest.fixture(scope="module", params=["gnu", "sysv"])
def data(compile_plugin: Compile, request: pytest.FixtureRequest) -> jt.Plugin:
    return jt.open(compile_plugin("data", None, f"-Wl,--hash-style={request.param}"))


@pytest.fixture
def basic_copy(compile_plugin: Compile, tmp_path: Path) -> jt.Plugin:
    """A plugin in which nothing was looked up yet."""
    return jt.open(shutil.copy(compile_plugin("basic"), tmp_path / "libcopy.so"))


def test_functions(data: jt.Plugin) -> None:
    assert data.lookup("get_ratio", "double()")() == 0.25
    assert data.lookup("weak", "int()")() == 5
    assert data.lookup("indirect", "double(double)")(1.0) == 2.0
    assert data.lookup("untyped", "void()")() is None


def test_data_is_no_function(data: jt.Plugin) -> None:
    message = "'ratio' of libdata.so is a variable, and a function was asked for; .*'int32_t'"
    with pytest.raises(jt.SymbolKindError, match=message):
        data.lookup("ratio", "double()")


def test_a_function_is_no_variable(data: jt.Plugin) -> None:
    for name in ("get_ratio", "indirect", "untyped"):
        message = f"'{name}' of libdata.so is a function, and a variable was asked for"
        with pytest.raises(jt.SymbolKindError, match=message):
            data.lookup(name, "double")


@pytest.mark.parametrize("signature", ["int()", "int"])
def test_a_thread_local_variable(data: jt.Plugin, signature: str) -> None:
    with pytest.raises(jt.SymbolKindError, match="'per_thread' of libdata.so is a thread-local"):
        data.lookup("per_thread", signature)


@pytest.mark.parametrize("signature", ["void()", "int"])
def test_a_null_symbol(data: jt.Plugin, signature: str) -> None:
    with pytest.raises(jt.SymbolKindError, match="'absent' of libdata.so is NULL"):
        data.lookup("absent", signature)


@pytest.mark.parametrize("signature", ["void()", "int32_t"])
def test_a_number_is_no_address(data: jt.Plugin, signature: str) -> None:
    with pytest.raises(jt.SymbolKindError, match="'absolute' of libdata.so is a number"):
        data.lookup("absolute", signature)


def test_names_that_are_subclasses_of_str(data: jt.Plugin) -> None:
    class Name(str):
        pass

    assert data.lookup(Name("get_ratio"), "double()") is data.lookup("get_ratio", "double()")


@pytest.mark.parametrize(
    "name", ["hidden", "hidden_by_static", "", "weak\0", "weak\0er", "\udc80", "x" * 9999]
)
def test_names_that_are_not_exported(data: jt.Plugin, name: str) -> None:
    with pytest.raises(jt.SymbolNotFoundError, match="libdata.so exports no symbol") as raised:
        data.lookup(name, "int()")
    assert isinstance(raised.value, AttributeError)
    assert raised.value.target == data.path


def test_near_names_are_suggested(data: jt.Plugin) -> None:
    message = "no symbol 'get_abi_versoin'; did you mean 'get_abi_version'"
    with pytest.raises(jt.SymbolNotFoundError, match=re.escape(message)):
        data.lookup("get_abi_versoin", "int32_t()")
    with pytest.raises(jt.SymbolNotFoundError, match=r"hidden \(-fvisibility=hidden\)"):
        data.lookup("completely_different", "int()")


@pytest.mark.parametrize("signature", ["size_t(const char *)", "int"])
def test_a_symbol_of_a_dependency_is_not_the_plugins(data: jt.Plugin, signature: str) -> None:
    with pytest.raises(jt.SymbolNotFoundError, match=r"no symbol 'strlen' of its own; .*libc"):
        data.lookup("strlen", signature)


def test_without_a_signature(data: jt.Plugin) -> None:
    with pytest.raises(
        jt.SignatureError, match=r"plugin.lookup\('get_ratio', 'double\(double\)'\)"
    ):
        data.lookup("get_ratio")
    with pytest.raises(jt.SignatureError, match=r"plugin.lookup\('ratio', 'int32_t'\)"):
        data.lookup("ratio")
    for name in ("nothing", "\udc80", "weak\0"):
        with pytest.raises(jt.SymbolNotFoundError):
            data.lookup(name)


def test_wrong_signatures_change_nothing(data: jt.Plugin) -> None:
    for wrong in ("flot()", "", 3, b"int()", ["int()"]):
        with pytest.raises(jt.SignatureError) as raised:
            data.lookup("get_ratio", wrong)  # type: ignore[arg-type]
        assert raised.value.target == data.path
    with pytest.raises(TypeError):
        data.lookup(3, "int()")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        data.lookup()  # type: ignore[call-arg]
    assert data.lookup("get_ratio", "double()")() == 0.25


def test_versioned_symbols(
    compile_plugin: Compile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = tmp_path_factory.mktemp("versions") / "map"
    script.write_text("V1 { global: answer; }; V2 { global: answer; } V1;")
    text = (
        '__asm__(".symver old, answer@V1"); __asm__(".symver new, answer@@V2");\n'
        "int old(void) { return 1; }\nint new(void) { return 2; }\n"
    )
    plugin = jt.open(compile_plugin("versioned", text, f"-Wl,--version-script={script}"))
    assert plugin.lookup("answer", "int()")() == 2


@pytest.mark.thread_unsafe(reason="counts calls of one library")
def test_a_cpp_library(compile_plugin: Compile) -> None:
    text = """
        static int made = 41;
        extern "C" int next_one() { return ++made; }
        int mangled() { return 7; }
    """
    plugin = jt.open(compile_plugin("mangling", text, "-lstdc++", language="cpp"))
    assert plugin.lookup("next_one", "int()")() == 42
    assert plugin.lookup("_Z7mangledv", "int()")() == 7
    with pytest.raises(jt.SymbolNotFoundError, match='C\\+\\+ without extern "C"|did you mean'):
        plugin.lookup("mangled", "int()")


def test_racing_lookups_give_one_function(basic_copy: jt.Plugin) -> None:
    names = ["half", "negate", "add", "count"]
    signatures = ["double(double)", "int64_t(int64_t)", "double(double, double)", "void()"]
    barrier = threading.Barrier(16)
    found: list[list[object]] = []

    def race() -> None:
        barrier.wait()
        found.append(list(map(basic_copy.lookup, names, signatures)))

    threads = [threading.Thread(target=race) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert all(list(map(id, functions)) == list(map(id, found[0])) for functions in found)
