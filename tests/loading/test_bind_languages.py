"""Plugins in C, C++, Rust and Go, bound through one interface."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from array import array
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import pytest

import jumptable as jt
from tests.conftest import Run

pytestmark = pytest.mark.thread_unsafe(reason="runs slow compilers")

C = """
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __cplusplus
#include <algorithm>
#include <numeric>
extern "C" {
#endif
static uint32_t reached;
double mean(double a, double b) { return (a + b) / 2; }
bool is_even(int64_t x) { return x % 2 == 0; }
size_t length(const char *text) { return strlen(text); }
void raise_level(uint32_t by) { reached += by; }
uint32_t level(void) { return reached; }
#ifdef __cplusplus
int64_t clamp(int64_t x, int64_t low, int64_t high) { return std::min(std::max(x, low), high); }
double total(const double *values, size_t n) { return std::accumulate(values, values + n, 0.0); }
const char *language() { return "C++"; }
}
#else
int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }
double total(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += values[i];
    return sum;
}
const char *language(void) { return "C"; }
#endif
"""

RUST = """
use std::ffi::{c_char, CStr};
use std::sync::atomic::{AtomicU32, Ordering};
static REACHED: AtomicU32 = AtomicU32::new(0);
#[no_mangle] pub extern "C" fn mean(a: f64, b: f64) -> f64 { (a + b) / 2.0 }
#[no_mangle] pub extern "C" fn clamp(x: i64, low: i64, high: i64) -> i64 { x.clamp(low, high) }
#[no_mangle] pub extern "C" fn is_even(x: i64) -> bool { x % 2 == 0 }
#[no_mangle] pub unsafe extern "C" fn length(text: *const c_char) -> usize {
    unsafe { CStr::from_ptr(text) }.to_bytes().len()
}
#[no_mangle] pub unsafe extern "C" fn total(values: *const f64, n: usize) -> f64 {
    unsafe { std::slice::from_raw_parts(values, n) }.iter().sum()
}
#[no_mangle] pub extern "C" fn raise_level(by: u32) { REACHED.fetch_add(by, Ordering::Relaxed); }
#[no_mangle] pub extern "C" fn level() -> u32 { REACHED.load(Ordering::Relaxed) }
#[no_mangle] pub extern "C" fn language() -> *const c_char { b"Rust\\0".as_ptr() as *const c_char }
"""

# Results that are pointers to C strings must be allocated by C: Go's own memory may move.
GO = """
package main

// #include <stdbool.h>
// #include <stdint.h>
// #include <string.h>
import "C"

import (
    "sync/atomic"
    "unsafe"
)

var reached uint32
var name = C.CString("Go")

//export mean
func mean(a, b C.double) C.double { return (a + b) / 2 }

//export clamp
func clamp(x, low, high C.int64_t) C.int64_t {
    if x < low {
        return low
    }
    if x > high {
        return high
    }
    return x
}

//export is_even
func is_even(x C.int64_t) C.bool { return x%2 == 0 }

//export length
func length(text *C.char) C.size_t { return C.size_t(len(C.GoString(text))) }

//export total
func total(values *C.double, n C.size_t) C.double {
    sum := C.double(0)
    for _, value := range unsafe.Slice(values, int(n)) {
        sum += value
    }
    return sum
}

//export raise_level
func raise_level(by C.uint32_t) { atomic.AddUint32(&reached, uint32(by)) }

//export level
func level() C.uint32_t { return C.uint32_t(atomic.LoadUint32(&reached)) }

//export language
func language() *C.char { return name }

func main() {}
"""

LANGUAGES = ("C", "C++", "Rust", "Go")


@runtime_checkable
class Statistics(Protocol):
    def mean(self, a: float, b: float) -> float: ...

    def clamp(self, x: int, low: int, high: int) -> int: ...

    def is_even(self, x: int) -> bool: ...

    def length(self, text: str) -> Annotated[int, "size_t"]: ...

    def total(
        self, values: Annotated[Any, "const double *"], n: Annotated[int, "size_t"]
    ) -> float: ...

    def raise_level(self, by: Annotated[int, "uint32_t"]) -> None: ...

    def level(self) -> Annotated[int, "uint32_t"]: ...

    def language(self) -> str: ...


def command(language: str, source: Path, target: Path) -> list[str]:
    if language == "C":
        compiler = shlex.split(os.environ.get("CC") or "cc")
        return [*compiler, "-shared", "-fPIC", "-O1", "-o", str(target), str(source)]
    if language == "C++":
        compiler = shlex.split(os.environ.get("CXX") or "c++")
        return [*compiler, "-shared", "-fPIC", "-O1", "-o", str(target), str(source)]
    if language == "Rust":
        return ["rustc", "-O", "--crate-type=cdylib", "-o", str(target), str(source)]
    return ["go", "build", "-buildmode=c-shared", "-o", str(target), str(source)]


def compiled(language: str, folder: Path) -> Path:
    suffix, text = {"C": ("c", C), "C++": ("cpp", C), "Rust": ("rs", RUST), "Go": ("go", GO)}[
        language
    ]
    source = folder / f"statistics.{suffix}"
    source.write_text(text)
    target = folder / "libstatistics.so"
    tool = command(language, source, target)
    if shutil.which(tool[0]) is None:
        pytest.skip(f"needs {tool[0]}")
    done = subprocess.run(tool, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What was compiled so far, so that each language is compiled once."""
    return {}


@pytest.fixture(params=LANGUAGES)
def library(
    request: pytest.FixtureRequest,
    libraries: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Path]:
    language = request.param
    if language not in libraries:
        folder = tmp_path_factory.mktemp(language.replace("+", "p"))
        libraries[language] = compiled(language, folder)
    return language, libraries[language]


def use(statistics: Statistics, language: str) -> None:
    """Call everything; the level is left one higher."""
    assert statistics.language() == language
    assert statistics.mean(1.0, 4.0) == 2.5
    assert [statistics.clamp(x, -(2**40), 2**40) for x in (-(2**50), 7, 2**50)] == [
        -(2**40),
        7,
        2**40,
    ]
    assert (statistics.is_even(2), statistics.is_even(-3)) == (True, False)
    assert (statistics.length("né"), statistics.length("")) == (3, 0)
    assert statistics.total(array("d", [0.5, 2.0, 4.0]), 3) == 6.5
    before = statistics.level()
    assert statistics.raise_level(1) is None  # type: ignore[func-returns-value]
    assert statistics.level() == before + 1
    with pytest.raises(TypeError):
        statistics.mean("1", 2.0)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        statistics.raise_level(-1)
    with pytest.raises(TypeError):
        statistics.total(array("f", [1.0]), 1)


def use_all(path: str, language: str) -> None:
    """By bind, through a table, and from several threads."""
    plugin = jt.open(path)
    bound = plugin.bind(Statistics)
    assert isinstance(bound, Statistics)
    use(bound, language)
    table = jt.Table(Statistics)
    table.bind(plugin)
    use(table.facade, language)
    assert table.facade.mean is plugin.lookup("mean", "double(double, double)")
    before = table.facade.level()

    def work() -> None:
        for _ in range(500):
            table.facade.raise_level(1)
            assert table.facade.mean(1.0, 2.0) == 1.5

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = before + 2000
    # What is written in C counts without atomics: exact only where the GIL is held around a call.
    free = hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled()
    assert table.facade.level() == expected or (free and language in ("C", "C++"))


def test_a_plugin_is_bound_and_called(library: tuple[str, Path], run_python: Run) -> None:
    # In a process of its own: Go's runtime starts threads and takes over signals.
    language, path = library
    root = Path(__file__).parent.parent.parent
    done = run_python(
        f"import sys\nsys.path.insert(0, {str(root)!r})\n"
        "from tests.loading.test_bind_languages import use_all\n"
        "use_all(*sys.argv[1:])\nprint('done')",
        path,
        language,
    )
    assert done.stdout == "done\n"


def test_what_an_interface_lacks_in_any_language(
    library: tuple[str, Path], run_python: Run
) -> None:
    path = library[1]
    done = run_python(
        """
import sys
import jumptable as jt

plugin = jt.open(sys.argv[1])
table = jt.Table({"mean": "double(double, double)", "median": "double()", "levle": "uint32_t()"})
try:
    table.bind(plugin)
except jt.InterfaceError as error:
    print(*[problem.split(":")[0] for problem in error.problems], table.generation)
    print("did you mean 'level'" in str(error))
""",
        path,
    )
    assert done.stdout == "median levle 0\nTrue\n"


def test_one_table_is_swapped_between_languages(libraries: dict[str, Path], tmp_path: Path) -> None:
    table = jt.Table(Statistics)
    plugins = []
    for language in ("C", "C++", "Rust"):
        if language == "Rust" and shutil.which("rustc") is None:
            continue
        folder = tmp_path / language
        folder.mkdir()
        plugins.append((language, jt.open(libraries.get(language) or compiled(language, folder))))
    for _ in range(3):
        for generation, (language, plugin) in enumerate(plugins, table.generation + 1):
            table.bind(plugin)
            use(table.facade, language)
            assert (table.plugin, table.generation) == (plugin, generation)


def test_a_plugin_in_cpp_that_forgot_extern_c(tmp_path: Path) -> None:
    source = tmp_path / "mangled.cpp"
    source.write_text("double mean(double a, double b) { return (a + b) / 2; }\n")
    target = tmp_path / "libmangled.so"
    subprocess.run(command("C++", source, target), check=True)
    with pytest.raises(jt.InterfaceError, match="mean: .*found no symbol of that name"):
        jt.Table({"mean": "double(double, double)"}).bind(jt.open(target))
