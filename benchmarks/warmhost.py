"""A plugin host in a process of its own: ``python warmhost.py FOLDER MODE COUNT``.

The folder holds the plugins that `make_plugins` writes. Prints what it measured, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep

import jumptable as jt

IMPORT_MS = 5
INTERFACE = {"run": None}
# It computes, and makes few objects that the garbage collector looks through: its passes would take
# longer than the import, in whichever plugin they fall.
TEXT = f"""
from time import thread_time
_end = thread_time() + {IMPORT_MS / 1000}
table = {{}}
while thread_time() < _end:
    for _ in range(20):
        table[len(table)] = str(len(table))
def run(number):
    return number + 1
"""


def make_plugins(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"plugin{number}.py").write_text(TEXT)


Names = list[str]


def eager(names: Names) -> object:
    """Everything is opened and bound, then one plugin is called."""
    start = perf_counter()
    tables = [jt.Table(INTERFACE) for _ in names]
    for name, table in zip(names, tables, strict=True):
        table.bind(jt.open(name))
    tables[len(names) // 2].facade.run(1)
    return perf_counter() - start


def lazy(names: Names) -> object:
    start = perf_counter()
    tables = [jt.lazy(name, INTERFACE) for name in names]
    tables[len(names) // 2].facade.run(1)
    return perf_counter() - start


def warmed(names: Names) -> object:
    """As `lazy`, with a warmer."""
    start = perf_counter()
    tables = [jt.lazy(name, INTERFACE) for name in names]
    warmup = jt.warm(tables)
    tables[len(names) // 2].facade.run(1)
    first = perf_counter() - start
    warmup.wait()
    return [first, perf_counter() - start]


def first_calls(names: Names, warm: bool) -> object:
    """The time of each plugin's first call, where requests come at random, 12 ms apart on average.

    That is 1.2 s for 100 of them.
    """
    order = random.Random(1)
    tables = [jt.lazy(name, INTERFACE) for name in names]
    warmup = jt.warm(tables) if warm else None
    times = []
    for table in order.sample(tables, len(tables)):
        sleep(order.expovariate(1 / 0.012))
        start = perf_counter()
        table.facade.run(1)
        times.append(perf_counter() - start)
    if warmup is not None:
        warmup.cancel()
    return times


TURNS = 4
SECONDS = 0.3
Load = Callable[[Names], Callable[[], bool]]


def foreground(names: Names, load: Load) -> object:
    """How many calls per second a thread makes that does nothing else: alone, beside, and alone.

    ``load`` begins to load plugins, and gives what tells whether that goes on. A pair for each
    turn: the mean of before and after, and beside.
    """
    own = jt.lazy("plugin0", INTERFACE)
    own.facade.run(1)
    facade = own.facade

    def rate(goes_on: Callable[[], bool]) -> float:
        count = 0
        start = now = perf_counter()
        while now < start + SECONDS and goes_on():
            for _ in range(10_000):
                facade.run(1)
            count += 10_000
            now = perf_counter()
        return count / (now - start)

    def always() -> bool:
        return True

    rates = []
    share = len(names) // TURNS
    for turn in range(TURNS):
        before = rate(always)
        goes_on = load(names[1:][share * turn : share * (turn + 1)])
        beside = rate(goes_on)
        while goes_on():
            sleep(0.001)
        rates.append(((before + rate(always)) / 2, beside))
    return rates


def by_warmer(modules: Names) -> Callable[[], bool]:
    """All of its time is counted, its pauses too."""
    warmup = jt.warm([jt.lazy(name, INTERFACE) for name in modules], within=SECONDS)
    return lambda: not warmup.done


def by_thread(modules: Names) -> Callable[[], bool]:
    """A plain thread that opens one after the other."""

    def open_all() -> None:
        for name in modules:
            jt.open(name)

    thread = threading.Thread(target=open_all, daemon=True)
    thread.start()
    return thread.is_alive


MODES: dict[str, Callable[[Names], object]] = {
    "eager": eager,
    "lazy": lazy,
    "warmed": warmed,
    "first calls, cold": lambda names: first_calls(names, False),
    "first calls, warmer": lambda names: first_calls(names, True),
    "foreground, warmer": lambda names: foreground(names, by_warmer),
    "foreground, plain thread": lambda names: foreground(names, by_thread),
}

if __name__ == "__main__":
    folder, mode, count = sys.argv[1:]
    sys.path.insert(0, folder)
    json.dump(MODES[mode]([f"plugin{number}" for number in range(int(count))]), sys.stdout)
