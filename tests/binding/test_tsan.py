"""ThreadSanitizer finds no race in tables that are called and rebound; and finds a planted one.

Only where the interpreter itself is instrumented: see the README for how to get there.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Compile
from tests.races import INSTRUMENTED, find_races

pytestmark = INSTRUMENTED

PROGRAM = """
import importlib.util, sys, threading
import jumptable as jt

part, host, five = sys.argv[1:]
spec = importlib.util.spec_from_file_location("fire_host", host)
fire_host = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fire_host)
assert not sys._is_gil_enabled()

names = ("one", "two", "three", "four", "five")
plugin = jt.open(five)
swaps = 400
stopping = False


class Five:
    def __init__(self, number): self.number = number
    def one(self): return self.number
    two = three = four = five = one


def run(bind, *callers):
    def keep(call):
        while not stopping:
            call()
    threads = [threading.Thread(target=keep, args=(call,)) for call in callers]
    for thread in threads: thread.start()
    for number in range(1, swaps): bind(number)
    globals()["stopping"] = True
    for thread in threads: thread.join()


def alternate(number):
    table.bind(plugin if number % 3 == 0 else Five(number))


table = jt.Table(dict.fromkeys(names, "int64_t()"), count=part == "counting")
alternate(3)  # imports what binds need
if part in ("python", "counting"):
    alternate(1)
    facade, slot = table.facade, table.slot("two")
    look = (lambda: table.calls) if part == "counting" else (lambda: repr(slot))
    run(alternate, lambda: facade.one(), slot, lambda: table.slot("three")(), look,
        lambda: (table.generation, table.plugin))
elif part == "c":
    alternate(1)
    slot = fire_host.get_slot(table, "one", "int64_t() nogil")
    fire_host.start(slot, 4, swaps)
    run(alternate, lambda: fire_host.generation(slot))
    fire_host.finish()
elif part == "writers":
    def ask():
        fresh = jt.Table(dict.fromkeys(names, "int64_t()"))
        start = threading.Barrier(3)
        def get():
            start.wait()
            for name in names:
                fire_host.call("int64_t", fire_host.get_slot(fresh, name, "int64_t() nogil"))
                fresh.slot(name)
        def bind():
            start.wait()
            for number in range(10):
                fresh.bind(plugin if number % 2 else Five(number))
        threads = [threading.Thread(target=target) for target in (get, get, bind)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    run(alternate, lambda: alternate(1), lambda: table.bind(plugin, only=("two", "four")))
    for _ in range(50): ask()
elif part == "planted":
    slot = fire_host.get_slot(table, "one", "int64_t() nogil")
    fire_host.start(slot, 2, swaps)
    while min(fire_host.calls()) < 100: pass
    for _ in range(100): fire_host.store_plainly(slot)
    fire_host.finish()
print("done")
"""


@pytest.fixture(scope="module")
def libraries(compile_plugin: Compile, python_flags: list[str]) -> list[Path]:
    sanitized = ["-g", "-fsanitize=thread", *python_flags]
    return [
        compile_plugin(
            "fire_host", None, "-std=c11", "-D_DEFAULT_SOURCE", f"-I{jt.get_include()}",
            "-pthread", *sanitized,
        ),
        compile_plugin("five", None, "-DIDENTITY=1", *sanitized),
    ]  # fmt: skip


def races(part: str, libraries: list[Path], folder: Path) -> list[str]:
    return find_races(PROGRAM, part, *libraries, folder=folder)


@pytest.mark.parametrize("part", ["python", "counting", "c", "writers"])
def test_no_race(part: str, libraries: list[Path], tmp_path: Path) -> None:
    reports = races(part, libraries, tmp_path)
    ours = re.compile("jumptable|fire_host|libfive")
    assert [report for report in reports if ours.search(report)] == []


def test_a_planted_race_is_found(libraries: list[Path], tmp_path: Path) -> None:
    """A host that writes a slot's function itself, by a plain store, while others load it."""
    reports = races("planted", libraries, tmp_path)
    found = [report for report in reports if "store_plainly" in report]
    assert found and any("jt_load" in report for report in found)
