"""How long does a command of a host with 30 plugins take, one of which it needs?

Whole processes, each of which is started, loads its plugins, calls one hook and ends; who goes when
is shuffled for each round. The plugins are those of `lazyhost.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import perf_counter_ns, sleep

from jumptable.calling import hookrecords
from jumptable.measuring.timing import Contestant, measure
from lazyhost import HOST, PLUGINS, generate
from results import Results

PROCESSES = 20
STOCK, EAGER = "stock pluggy", "ours, eager"
FIRST, NEXT = "ours, lazy, first run", "ours, lazy, next runs"
NONE = "stock pluggy, no plugins"
IMPORT = {STOCK: "import pluggy", NONE: "import pluggy"}
NEEDED = f"['lazyplugin_{PLUGINS // 2 + 1}']"


def bench_lazy_hooks(results: Results, rounds: int, tmp_path: Path) -> None:
    generate(tmp_path / "site")
    runs = min(rounds, PROCESSES)
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [str(tmp_path / "site"), *(os.path.abspath(each) for each in inherited if each)]
    # As in an installed package, bytecode is there; whoever runs this may have turned it off.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    fresh = count()

    def run(who: str) -> str:
        own = {**environment, "JUMPTABLE_CACHE": str(tmp_path / "cache")}
        own["PYTHONPATH"] = os.pathsep.join(path[1:] if who == NONE else path)
        if who == FIRST:
            own["JUMPTABLE_CACHE"] = str(tmp_path / f"cache-{next(fresh)}")
        code = HOST.format(
            module=IMPORT.get(who, "import jumptable.pluggy as pluggy"),
            arguments=", lazy=True" if who in (FIRST, NEXT) else "",
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=own, capture_output=True, text=True, check=True
        )
        return done.stdout

    def starter(who: str) -> Callable[[int], int]:
        def loop(times: int) -> int:
            start = perf_counter_ns()
            for _ in range(times):
                run(who)
            return perf_counter_ns() - start

        return loop

    sleep(hookrecords.SETTLED_NS / 1e9)  # what has just been installed is not recorded
    contestants = [STOCK, EAGER, FIRST, NEXT, NONE]
    for who in (*contestants, *contestants):
        said = run(who)
    loaded = {who: run(who).split() for who in contestants}
    assert loaded.pop(NONE)[:2] == ["0", "[]"], said
    assert all(words[:2] == [str(PLUGINS), NEEDED] for words in loaded.values()), loaded
    modules = {who: int(words[2]) for who, words in loaded.items()}
    assert modules[STOCK] == modules[EAGER] == modules[FIRST] > PLUGINS
    assert modules[NEXT] == 2, "the package that is needed, and its part"

    measurement = measure(
        [Contestant(who, starter(who)) for who in contestants],
        rounds=runs,
        slice_ns=1,  # one process per round and contestant
    )
    title = f"A process with {PLUGINS} plugins of which it needs one"
    results.compare(title, measurement, NEXT, {STOCK: 1.0, EAGER: 1.0})
