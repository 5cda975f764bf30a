"""ThreadSanitizer finds no race in counters that threads use; and finds a planted one.

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

LOOPS = """
#include <jumptable/counter.h>

void add_many(int64_t *word, int64_t times) {
    for (int64_t done = 0; done < times; done++)
        jt_word_add(word, 1);
}

void add_plainly(int64_t *word, int64_t times) {
    for (int64_t done = 0; done < times; done++)
        *(volatile int64_t *)word += 1;
}
"""
PROGRAM = """
import ctypes, sys, threading
import jumptable as jt
from jumptable.counting.counter import thread_number

part, library, path = sys.argv[1:]
loops = ctypes.CDLL(library)
for function in (loops.add_many, loops.add_plainly):
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_int64], None
assert not sys._is_gil_enabled()


def run(*jobs):
    start = threading.Barrier(len(jobs))
    def keep(job):
        start.wait()
        for _ in range(200): job()
    threads = [threading.Thread(target=keep, args=(job,)) for job in jobs]
    for thread in threads: thread.start()
    for thread in threads: thread.join()


def use(counter, others):
    def in_place():
        mine = counter
        mine += 2
        mine -= 1
    word = counter.addresses[-1]
    run(counter.add, in_place, counter.reset, lambda: counter.value, lambda: repr(counter),
        lambda: loops.add_many(word, 5), lambda: counter.addresses, others, others)


def churn():
    thread = threading.Thread(target=lambda: (jt.Counter(stripes=64).add(), thread_number()))
    thread.start()
    thread.join()


if part == "memory":
    for counter in (jt.Counter(), jt.Counter(stripes=8)):
        use(counter, counter.add)
    stats = jt.Counters(["a", "b"], stripes=2)
    use(stats.a, lambda: (stats.b.add(), stats.snapshot(), stats.reset()))
elif part == "shared":
    stats = jt.Counters(["a", "b"], path=path, stripes=2)
    again = jt.Counters(path=path)
    use(stats.a, lambda: (again.b.add(), again.a.add(), stats.snapshot(), again.reset()))
    opened = []
    def grow():
        if len(opened) < 40: opened.append(jt.Counters(path=path))
    use(stats.b, grow)
elif part == "threads":
    run(churn, churn, churn)
elif part == "planted":
    counter = jt.Counter()
    run(*[lambda: loops.add_plainly(counter.address, 20_000)] * 2)
print("done")
"""


@pytest.fixture(scope="module")
def library(compile_plugin: Compile) -> Path:
    flags = ["-g", "-fsanitize=thread", f"-I{jt.get_include()}"]
    return compile_plugin("counted", LOOPS, *flags)


@pytest.mark.parametrize("part", ["memory", "shared", "threads"])
def test_no_race(part: str, library: Path, tmp_path: Path) -> None:
    reports = find_races(PROGRAM, part, library, tmp_path / "stats", folder=tmp_path)
    ours = re.compile("jumptable|libcounted|jt_")
    assert [report for report in reports if ours.search(report)] == []


def test_a_planted_race_is_found(library: Path, tmp_path: Path) -> None:
    """A counter to which C adds by a load and a store."""
    reports = find_races(PROGRAM, "planted", library, tmp_path / "stats", folder=tmp_path)
    assert any(report.count("add_plainly") == 2 for report in reports)
