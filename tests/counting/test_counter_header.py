"""jumptable/counter.h: in C and C++, in Cython, and in plugins whose counters are looked up."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile
from tests.hosts import build

from .loops import run_threads

pytestmark = pytest.mark.thread_unsafe(reason="one plugin's counters; slow compilers")

CHECKED = """
    sizeof(jt_counter) == 128
    alignof(jt_counter) == 128
    offsetof(jt_counter, value) == 0
    sizeof(((jt_counter *)0)->value) == 8
    offsetof(jt_counter, reserved) == 8
    sizeof(((jt_counter *)0)->reserved) == 120
    JT_COUNTER_SIZE == 128
"""
PROGRAM = """
#include <jumptable/counter.h>
#include <jumptable/counter.h> /* twice */
#include <stdio.h>

ASSERTIONS

static jt_counter one;
static jt_counter several[3];
static struct { char before; jt_counter counter; char after; } within;

int main(void) {
    jt_counter local = {0, {0}};
    int64_t word = 5;
    jt_counter *all[] = {&one, several, several + 1, several + 2, &within.counter, &local};
    unsigned i;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        if ((uintptr_t)all[i] % 128 != 0 || jt_counter_load(all[i]) != 0)
            return 1;
        jt_counter_add(all[i], 3);
        jt_counter_add(all[i], -1);
        if (jt_counter_load(all[i]) != 2 || jt_word_load(&all[i]->value) != 2)
            return 2;
    }
    jt_word_add(&word, INT64_MAX); /* wraps around */
    if (word != INT64_MIN + 4)
        return 3;
    if (sizeof(within) != 3 * 128)
        return 4;
    printf("right\\n");
    return 0;
}
"""
COMPILERS = [
    pytest.param(
        name, language, standard,
        marks=pytest.mark.skipif(not shutil.which(name), reason=f"no {name} here"),
        id=f"{name}-{standard}",
    )
    for name, language, standard in [
        ("gcc", "c", "c99"), ("gcc", "c", "c11"), ("gcc", "c", "gnu17"),
        ("g++", "c++", "c++11"), ("g++", "c++", "c++17"), ("g++", "c++", "c++20"),
        ("clang", "c", "c99"), ("clang", "c", "c11"),
        ("clang++", "c++", "c++11"), ("clang++", "c++", "c++17"),
    ]
]  # fmt: skip


@pytest.mark.parametrize(("compiler", "language", "standard"), COMPILERS)
def test_it_compiles_without_a_word(
    compiler: str, language: str, standard: str, tmp_path: Path
) -> None:
    form = "static_assert({0}, #{0});" if language == "c++" else "_Static_assert({0}, #{0});"
    lines = [line.strip() for line in CHECKED.strip().splitlines()]
    if standard == "c99":  # which has neither of the two; the header asserts in its own way
        lines = []
    assertions = "\n".join(form.format(line).replace(f"#{line}", '"layout"') for line in lines)
    if language == "c" and lines:
        assertions = f"#include <stdalign.h>\n{assertions}"
    source, target = tmp_path / "program.source", tmp_path / "program"
    source.write_text(PROGRAM.replace("ASSERTIONS", assertions))
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow", "-Wconversion"]
    if language == "c++":
        strict += ["-Wno-missing-field-initializers"]
    done = subprocess.run(
        [
            compiler, f"-std={standard}", *strict, f"-I{build.include()}", "-x", language, source,
            "-o", target,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.run([target], capture_output=True, text=True, check=True).stdout == "right\n"


THREADED = """
#include <jumptable/counter.h>
#include <pthread.h>

static int64_t *words[16], times;

static void *run(void *which) {
    for (int64_t i = 0; i < times; i++)
        jt_word_add(words[(intptr_t)which], 1);
    return NULL;
}

int add_in_threads(int64_t *const *given, int count, int64_t wanted) {
    pthread_t threads[16];
    times = wanted;
    for (int i = 0; i < count; i++)
        words[i] = given[i];
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i) != 0)
            return -1;
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return count;
}
"""


@pytest.mark.parametrize("stripes", [1, 4])
def test_threads_of_c_add_to_what_python_made(
    stripes: int, compile_plugin: Compile, tmp_path: Path
) -> None:
    flags = [f"-I{jt.get_include()}", "-pthread", "-O2"]
    add = ctypes.CDLL(str(compile_plugin("threaded", THREADED, *flags))).add_in_threads
    add.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int64]
    counters = [
        jt.Counter(stripes=stripes),
        jt.Counters(["a", "b"], stripes=stripes).b,
        jt.Counters(["a", "b"], stripes=stripes, path=tmp_path / "stats").b,
    ]
    for counter in counters:
        words = (ctypes.c_void_p * 8)(*(counter.addresses[i % stripes] for i in range(8)))

        def python(adding: jt.Counter = counter) -> None:
            for _ in range(20_000):
                adding.add(-2)

        run_threads([partial(add, words, 8, 300_000), python, python])
        assert counter.value == 8 * 300_000 - 2 * 2 * 20_000


CYTHON = """
# cython: language_level=3
from jumptable cimport jt_counter, jt_counter_add, jt_counter_load, jt_word_add, jt_word_load
from libc.stdint cimport int64_t, intptr_t

cdef jt_counter mine

def add(intptr_t address, int64_t n, int64_t times):
    cdef int64_t i
    with nogil:
        for i in range(times):
            jt_word_add(<int64_t *>address, n)
            jt_counter_add(&mine, 1)
    return jt_word_load(<const int64_t *>address), jt_counter_load(&mine)

def layout():
    return sizeof(jt_counter), <intptr_t>&mine % 128
"""


@pytest.mark.parametrize("language", ["c", "c++"])
def test_cython(language: str, tmp_path: Path) -> None:
    pytest.importorskip("Cython")
    (tmp_path / "counting.pyx").write_text(CYTHON)
    generated = tmp_path / ("counting.cpp" if language == "c++" else "counting.c")
    options = ["-Xfreethreading_compatible=True", *(["--cplus"] if language == "c++" else [])]
    subprocess.run(
        [sys.executable, "-m", "cython", *options, "-o", generated.name, "counting.pyx"],
        cwd=tmp_path, env=build.ENVIRONMENT, check=True, capture_output=True,
    )  # fmt: skip
    target = tmp_path / "counting.so"
    build.compile_host(generated, target, "-w", language=language)
    module: Any = build.load(target, "counting")
    counter = jt.Counter()
    counter.add(5)
    assert module.add(counter.address, -2, 10) == (-15, 10)
    assert counter.value == -15
    assert module.layout() == (128, 0)
    run_threads([partial(module.add, counter.address, 1, 300_000)] * 4)
    assert counter.value == 4 * 300_000 - 15
    assert module.add(counter.address, 0, 0)[1] == 4 * 300_000 + 10


# ---- a plugin's own ---------------------------------------------------------------------

PLUGIN = """
#include <jumptable/counter.h>
#include <stdalign.h>

jt_counter Counter;
jt_counter Preset = {.value = 7};
const jt_counter Constant = {.value = 1};
_Thread_local jt_counter Local;
int64_t Word;
alignas(128) char Small[64];
alignas(128) char Large[256];
static struct { alignas(128) char before[8]; char data[248]; } room;
int64_t Number = 3;

void work(int64_t n) { jt_counter_add(&Counter, n); }
int64_t worked(void) { return jt_counter_load(&Counter); }
void *where(void) { return &Counter; }
void *room_at(void) { return &room; }
int64_t local(void) { return jt_counter_load(&Local); }
__asm__(".globl Shifted\\n.type Shifted, @object\\n.size Shifted, 128\\n.set Shifted, room + 8");
"""


@pytest.fixture(scope="module")
def plugin(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("counts", PLUGIN, "-std=gnu11", f"-I{jt.get_include()}"))


def test_a_plugins_counter_is_the_same_memory(plugin: jt.Plugin) -> None:
    counter = plugin.lookup("Counter", "jt_counter")
    work = plugin.lookup("work", "void(int64_t)")
    worked = plugin.lookup("worked", "int64_t()")
    assert type(counter) is jt.Counter
    assert (counter.name, counter.plugin, counter.stripes) == ("Counter", plugin, 1)
    assert counter.address == plugin.lookup("where", "void *()")()
    assert counter.address % 128 == 0
    assert repr(counter) == f"<Counter 'Counter': {worked()}>"
    start = counter.reset()
    assert worked() == 0 and start >= 0
    work(5)
    counter.add(2)
    counter += 1
    assert worked() == counter.value == 8
    assert plugin.lookup("Counter", "jt_counter").value == 8
    assert counter.reset() == 8 and worked() == 0


def test_a_preset_counter(plugin: jt.Plugin) -> None:
    counter = plugin.lookup("Preset", "jt_counter")
    assert counter.value == 7
    counter -= 7
    assert plugin.lookup("Preset", "jt_counter").value == 0
    counter += 7


def test_threads_of_both_sides(plugin: jt.Plugin) -> None:
    counter = plugin.lookup("Counter", "jt_counter")
    work = plugin.lookup("work", "void(int64_t)")
    counter.reset()

    def call() -> None:
        for _ in range(20_000):
            work(3)

    def add() -> None:
        for _ in range(20_000):
            counter.add(-1)

    run_threads([call, add] * 4)
    assert counter.reset() == 4 * 20_000 * 2


def test_it_is_pickled_as_a_look_up(plugin: jt.Plugin) -> None:
    counter = plugin.lookup("Counter", "jt_counter")
    function, arguments = counter.__reduce__()
    assert function(*arguments).address == counter.address


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("Word", jt.SignatureError, "has 8 bytes, and a jt_counter has 128; declare it as"),
        ("Small", jt.SignatureError, "has 64 bytes, and a jt_counter has 128"),
        ("Large", jt.SignatureError, "has 256 bytes, and a jt_counter has 128"),
        ("Shifted", jt.SignatureError, "jt_counter is at a multiple of 128; declare it as"),
        ("Constant", jt.SymbolKindError, "in read-only memory, where nothing can be counted"),
        ("work", jt.SymbolKindError, "'work'"),
        ("Local", jt.SymbolKindError, "'Local'"),
        ("Missing", jt.SymbolNotFoundError, "'Missing'"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="only ELF tells sizes")
def test_what_is_no_counter(
    plugin: jt.Plugin, name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        plugin.lookup(name, "jt_counter")
    assert message in str(caught.value)
    assert os.path.basename(plugin.path or "") in str(caught.value) or plugin.name in str(
        caught.value
    )


@pytest.mark.parametrize("text", ["jt_counter()", "void(jt_counter)", "jt_counter *"])
def test_it_is_no_type_of_arguments(plugin: jt.Plugin, text: str) -> None:
    with pytest.raises(jt.SignatureError):
        plugin.lookup("work", text)


def test_untyped_look_ups_say_what_to_write(plugin: jt.Plugin) -> None:
    with pytest.raises(jt.SignatureError, match=r"plugin\.lookup\('Counter', 'jt_counter'\)"):
        plugin.lookup("Counter")
