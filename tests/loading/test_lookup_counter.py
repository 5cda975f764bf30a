"""A plugin's own counters: which variables are looked up as ``jt_counter``, and what that gives."""

from __future__ import annotations

import copy
import ctypes
import pickle
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Compile, Run

FLAGS = (f"-I{jt.get_include()}", "-Wall", "-Wextra", "-pedantic", "-Werror")
C = (*FLAGS, "-std=c11")
CELL = 128
GOOD = ("first", "second", "filled", "weak", "relocated")


@pytest.fixture(scope="module")
def plugin(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("counters", None, *C))


@pytest.fixture
def fresh(compile_plugin: Compile, tmp_path: Path) -> jt.Plugin:
    """A plugin in which nothing was looked up yet."""
    return jt.open(shutil.copy(compile_plugin("counters", None, *C), tmp_path / "libfresh.so"))


@pytest.mark.parametrize("name", GOOD)
def test_it_is_where_the_loader_put_it(plugin: jt.Plugin, name: str) -> None:
    address = plugin.lookup(name, "jt_counter").address
    assert plugin.path is not None
    assert address == ctypes.addressof(ctypes.c_int64.in_dll(ctypes.CDLL(plugin.path), name))
    assert address % CELL == 0


def test_no_two_share_a_cell(plugin: jt.Plugin) -> None:
    addresses = sorted(plugin.lookup(name, "jt_counter").address for name in GOOD)
    assert all(after - before >= CELL for before, after in pairwise(addresses))


def test_a_repeated_look_up_is_the_same_object(plugin: jt.Plugin) -> None:
    counter = plugin.lookup("first", "jt_counter")
    assert plugin.lookup("first", "jt_counter") is counter
    assert plugin.lookup("first", "  jt_counter ") is counter
    assert plugin.lookup("".join(["fir", "st"]), "jt_counter") is counter
    assert plugin.lookup("second", "jt_counter") is not counter


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_pickled_by_reference(plugin: jt.Plugin, protocol: int) -> None:
    counter = plugin.lookup("first", "jt_counter")
    assert pickle.loads(pickle.dumps(counter, protocol)) is counter
    assert copy.copy(counter) is copy.deepcopy(counter) is counter


def test_another_process_has_its_own(compile_plugin: Compile, run_python: Run) -> None:
    path = compile_plugin("counters", None, *C)
    counter = jt.open(path).lookup("weak", "jt_counter")
    counter.add(7)
    text = (
        "import pickle, sys\n"
        "counter = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "print(counter.name, counter.plugin.path, counter.value)"
    )
    said = run_python(text, pickle.dumps(counter).hex()).stdout
    assert said == f"weak {path} 0\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("small", "the variable 'small' of libcounters.so has 8 bytes, and a jt_counter has 128; "),
        ("short_of_one", "has 127 bytes, and a jt_counter has 128; "),
        ("pair", "has 256 bytes, and a jt_counter has 128; "),
        ("unsized", "has an unknown number of bytes, and a jt_counter has 128; "),
        ("askew", r"is at 0x[0-9a-f]+, and a jt_counter is at a multiple of 128; "),
    ],
)
def test_room_that_is_not_a_counters(plugin: jt.Plugin, name: str, message: str) -> None:
    with pytest.raises(jt.SignatureError, match=message) as caught:
        plugin.lookup(name, "jt_counter")
    declare = f"declare it as 'jt_counter {name};', with jumptable/counter.h"
    assert str(caught.value).endswith(declare)
    assert caught.value.target == plugin.path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("constant", "'constant' of libcounters.so is in read-only memory, .*, without const"),
        ("readable", "'readable' of libcounters.so is in read-only memory"),
        ("per_thread", "'per_thread' of libcounters.so is a thread-local"),
        ("count", "'count' of libcounters.so is a function, and a variable was asked for"),
    ],
)
def test_what_is_no_variable_to_add_to(plugin: jt.Plugin, name: str, message: str) -> None:
    with pytest.raises(jt.SymbolKindError, match=message):
        plugin.lookup(name, "jt_counter")


def test_names_that_are_not_exported(plugin: jt.Plugin) -> None:
    with pytest.raises(jt.SymbolNotFoundError, match="no symbol 'frist'; did you mean 'first'"):
        plugin.lookup("frist", "jt_counter")
    for name in ("hidden", "", "first\0", "\udc80"):
        with pytest.raises(jt.SymbolNotFoundError):
            plugin.lookup(name, "jt_counter")


def test_a_refused_look_up_changes_nothing(fresh: jt.Plugin) -> None:
    for name in ("small", "askew", "constant", "count", "nothing"):
        for _ in range(2):
            with pytest.raises(jt.SymbolError):
                fresh.lookup(name, "jt_counter")
    assert fresh.lookup("small", "int64_t").value == 3
    assert fresh.lookup("first", "jt_counter").value == 0


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("jt_counter *", "pass a counter's address as 'void *'"),
        ("jt_counter()", "a jt_counter is a variable, and neither passed nor returned"),
        ("void(jt_counter)", "a jt_counter is a variable, and neither passed nor returned"),
        ("void(jt_counter *)", "pass a counter's address as 'void *'"),
        ("void(const jt_counter *)", "pass a counter's address as 'void *'"),
        ("jt_conter", "did you mean 'jt_counter'"),
        ("unsigned jt_counter", "found 'jt_counter' where"),
        ("jt_counter jt_counter", "found 'jt_counter' where"),
        ("jt_counter[2]", "found '[' where"),
        ("jt_counter nogil", "'nogil' belongs behind the ')'"),
    ],
)
def test_types_that_are_none(plugin: jt.Plugin, signature: str, message: str) -> None:
    with pytest.raises(jt.SignatureError, match=re.escape(message)):
        plugin.lookup("first", signature)


def test_a_counter_is_no_number(plugin: jt.Plugin) -> None:
    with pytest.raises(jt.SignatureError, match="'first' of libcounters.so has 128 bytes"):
        plugin.lookup("first", "int64_t")


@pytest.mark.parametrize(
    "make",
    [
        lambda: jt.from_pointer(128, "void(jt_counter)"),
        lambda: jt.from_pointer(128, "jt_counter"),
        lambda: jt.Table({"count": "void(jt_counter)"}),
    ],
)
def test_nothing_but_a_look_up_takes_the_type(make: Callable[[], object]) -> None:
    with pytest.raises((jt.SignatureError, jt.InterfaceError)):
        make()


def test_a_python_plugin_has_none() -> None:
    with pytest.raises((jt.SymbolError, TypeError)):
        jt.open("json").lookup("dumps", "jt_counter")


@pytest.mark.thread_unsafe(reason="all threads have the one plugin")
def test_a_counter_in_cpp(compile_plugin: Compile) -> None:
    text = """
    #include <jumptable/counter.h>
    extern "C" {
    jt_counter first, second{5, {}};
    void count(int64_t n) { jt_counter_add(&first, n); }
    int64_t counted() { return jt_counter_load(&first) + jt_counter_load(&second); }
    }
    static_assert(sizeof(jt_counter) == 128 && alignof(jt_counter) == 128, "");
    """
    path = compile_plugin("cppcounters", text, *FLAGS, "-std=c++11", language="cpp")
    plugin = jt.open(path)
    first, second = (plugin.lookup(name, "jt_counter") for name in ("first", "second"))
    plugin.lookup("count", "void(int64_t)")(3)
    first.add(4)
    second.add(-2)
    assert (first.value, second.value) == (7, 3)
    assert plugin.lookup("counted", "int64_t()")() == 10
    assert abs(second.address - first.address) >= CELL
    assert first.address % CELL == second.address % CELL == 0
