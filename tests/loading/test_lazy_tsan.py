"""Under ThreadSanitizer: first calls that race with each other, with binds and with a warmer."""

from __future__ import annotations

from pathlib import Path

from tests.races import INSTRUMENTED, find_races

pytestmark = INSTRUMENTED

PROGRAM = """
import random, sys, threading, types
import jumptable as jt

INTERFACE = {"first": None, "second": None}
for number in range(60):
    module = types.ModuleType(f"lazy_race_{number}")
    module.first = module.second = abs
    sys.modules[module.__name__] = module

def call(tables, barrier, seed):
    order = random.Random(seed)
    for table in tables:
        barrier.wait()
        kind = order.randrange(6)
        try:
            if kind == 0:
                table.bind({"first": abs}, only=["first"])
            elif kind == 1:
                table.retry(), repr(table), table.generation, table.plugin
            for _ in range(3):
                assert table.facade.first(-1) == 1 and table.slot("second")(-1) == 1
        except jt.PluginInitError:
            assert "failing" in repr(table)

tables = [
    jt.lazy(f"lazy_race_{number}" if number % 6 else "failing_no_such", INTERFACE)
    for number in range(60)
]
barrier = threading.Barrier(4)
threads = [threading.Thread(target=call, args=(tables, barrier, n)) for n in range(4)]
for thread in threads: thread.start()
warmup = jt.warm(tables[30:], threads=2)
for thread in threads: thread.join()
warmup.wait(60)
print("done")
"""


def test_no_races(tmp_path: Path) -> None:
    reports = find_races(PROGRAM, folder=tmp_path)
    # The warmer's threads are daemons, which nobody joins.
    assert [report for report in reports if "thread leak" not in report] == []
