"""A plugin host in a process of its own: ``python warmhost.py FOLDER MODE``.

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
from typing import Any

import jumptable as jt

PLUGINS = 100
IMPORT_MS = 5
INTERFACE = {"run": None}
# What an import mostly does: it runs code of the module's own, and makes objects that stay.
TEXT = f"""
from time import thread_time
_end = thread_time() + {IMPORT_MS / 1000}
table = {{}}
while thread_time() < _end:
    for _ in range(20):
        table[len(table)] = (str(len(table)), [])
def run(number):
    return number + 1
"""


def make_plugins(folder: Path) -> None:
    for number in range(PLUGINS):
        (folder / f"plugin{number}.py").write_text(TEXT)


def names() -> list[str]:
    return [f"plugin{number}" for number in range(PLUGINS)]


def eager() -> object:
    """Everything is opened and bound, then one plugin is called."""
    start = perf_counter()
    tables = [jt.Table(INTERFACE) for _ in names()]
    for name, table in zip(names(), tables, strict=True):
        table.bind(jt.open(name))
    tables[PLUGINS // 2].facade.run(1)
    return perf_counter() - start


def lazy() -> object:
    start = perf_counter()
    tables = [jt.lazy(name, INTERFACE) for name in names()]
    tables[PLUGINS // 2].facade.run(1)
    return perf_counter() - start


def warmed() -> object:
    """As `lazy`, with a warmer."""
    start = perf_counter()
    tables = [jt.lazy(name, INTERFACE) for name in names()]
    warmup = jt.warm(tables)
    tables[PLUGINS // 2].facade.run(1)
    first = perf_counter() - start
    warmup.wait()
    return [first, perf_counter() - start]


def first_calls(warm: bool) -> object:
    """The time of each plugin's first call, where requests come at random, 12 ms apart on average.

    That is 1.2 s for all of them.
    """
    order = random.Random(1)
    tables = [jt.lazy(name, INTERFACE) for name in names()]
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


def foreground(seconds: float) -> object:
    """How many calls a thread makes per second that does nothing else: alone, and while warming.

    Half a second alone, and so much while warming, in turns.
    """
    tables = [jt.lazy(name, INTERFACE) for name in names()]
    own = jt.lazy("plugin0", INTERFACE)
    own.facade.run(1)
    own.facade.run(1)

    def calls(facade: Any, until: float) -> int:
        count = 0
        while perf_counter() < until:
            for _ in range(100):
                facade.run(1)
            count += 100
        return count

    rates: list[tuple[float, float]] = []
    loaded = 0
    for turn in range(5):
        pair = []
        for warming in (False, True):
            warmup = jt.warm(tables[20 * turn :]) if warming else None
            start = perf_counter()
            count = calls(own.facade, start + seconds)
            pair.append(count / (perf_counter() - start))
            if warmup is not None:
                warmup.cancel()
                loaded += len(warmup.wait().loaded)
        rates.append((pair[0], pair[1]))
    return {"rates": rates, "loaded": loaded}


def open_all(modules: list[str], stop: threading.Event) -> None:
    for name in modules:
        if stop.is_set():
            return
        jt.open(name)


def by_thread(seconds: float) -> object:
    """As `foreground`, with a plain thread that imports one plugin after the other instead."""
    own = jt.lazy("plugin0", INTERFACE)
    own.facade.run(1)
    rates: list[tuple[float, float]] = []
    for turn in range(2):
        pair = []
        for importing in (False, True):
            stop = threading.Event()
            own_share = names()[50 * turn : 50 * (turn + 1)]
            thread = threading.Thread(target=open_all, args=(own_share, stop), daemon=True)
            start = perf_counter()
            if importing:
                thread.start()
            count = 0
            until = start + seconds
            while perf_counter() < until and (not importing or thread.is_alive()):
                for _ in range(100):
                    own.facade.run(1)
                count += 100
            pair.append(count / (perf_counter() - start))
            stop.set()
        rates.append((pair[0], pair[1]))
    return {"rates": rates}


MODES: dict[str, Callable[[], object]] = {
    "eager": eager,
    "lazy": lazy,
    "warmed": warmed,
    "first calls, cold": lambda: first_calls(False),
    "first calls, warmer": lambda: first_calls(True),
    "foreground, warmer": lambda: foreground(0.5),
    "foreground, plain thread": lambda: by_thread(0.5),
}

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    json.dump(MODES[sys.argv[2]](), sys.stdout)
