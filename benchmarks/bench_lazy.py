"""What does loading plugins lazily cost and save, and what does warming them do to others?"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

import jumptable as jt
import warmhost
from competitors import Competitors
from jumptable.measuring.timing import Spread, measure, statement
from results import Results, Times, met

FIRST_CALLS = 100  # of each kind: what is opened stays in the process
PLUGINS, FEWEST = 100, 8
AT_MOST = 1.1
SLOWER = 0.10
PROCESSES = 7
Run = Callable[[str], Any]
NATIVE = {"f0": "double(double)"}
PYTHON = {"run": None}


def bench_first_call(
    competitors: Competitors,
    results: Results,
    rounds: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first call of a lazy slot beside open, bind and call by hand, each on a new plugin."""
    built = Path(competitors.build("hundred"))
    monkeypatch.syspath_prepend(tmp_path)

    def library(number: int) -> str:
        return str(shutil.copy(built, tmp_path / f"lib{number}{built.suffix}"))

    def module(number: int) -> str:
        (tmp_path / f"first{number}.py").write_text("def run(x):\n    return x\n")
        return f"first{number}"

    rows, entries, saved = [], [], []
    calls = min(rounds, FIRST_CALLS)
    question = "Open, bind and the first call"
    for kind, make, interface, name in (
        ("native", library, NATIVE, "f0"),
        ("Python", module, PYTHON, "run"),
    ):
        targets = [make(number) for number in range(2 * calls + 4)]
        times: dict[str, list[float]] = {"by hand": [], "lazy": []}
        order = random.Random(0)
        while len(targets) > 1:
            for way in order.sample(sorted(times), 2):
                target = targets.pop()
                table: jt.Table[Any] = (
                    jt.lazy(target, interface) if way == "lazy" else jt.Table(interface)
                )
                start = perf_counter()
                if way == "by hand":
                    table.bind(jt.open(target))
                getattr(table.facade, name)(1.0)
                times[way].append(1e6 * (perf_counter() - start))
        hand, lazy = (Spread.of(times[way][2:]) for way in ("by hand", "lazy"))
        ratio = lazy.median / hand.median
        saved += [
            Times(question, f"{kind}, {way}", [1e3 * us for us in found[2:]])
            for way, found in times.items()
        ]
        for way, spread in (("by hand", hand), ("lazy", lazy)):
            own = way == "lazy"
            rows.append(
                [
                    f"{kind}, {way}",
                    f"{spread.median:.1f}",
                    f"{spread.low:.1f}-{spread.high:.1f}",
                    f"{ratio:.3f}" if own else "1",
                    f"<= {AT_MOST}" if own else "",
                    met(ratio <= AT_MOST) if own else "",
                ]
            )
        entries.append({"kind": kind, "lazy_us": lazy.median, "by_hand_us": hand.median})
    results.table(
        f"{question}, {calls} plugins each, the file in the page cache",
        ("", "median us", "quartiles", "ratio", "target", "verdict"),
        rows,
        entries,
        saved,
    )


def bench_later_calls(competitors: Competitors, results: Results, rounds: int) -> None:
    built = competitors.build("hundred")
    lazy: jt.Table[Any] = jt.lazy(built, NATIVE)
    bound: jt.Table[Any] = jt.Table(NATIVE)
    bound.bind(jt.open(built))
    early = lazy.facade.f0
    lazy.facade.f0(1.0)
    assert lazy.facade.f0 is bound.facade.f0, "not the same object"
    measurement = measure(
        [
            statement("bound table's facade", "f.f0(1.0)", {"f": bound.facade}),
            statement("lazy table's facade", "f.f0(1.0)", {"f": lazy.facade}),
            statement("what was read before the first call", "f(1.0)", {"f": early}),
            statement("lazy table's slot", "f(1.0)", {"f": lazy.slot("f0")}),
        ],
        rounds=rounds,
    )
    results.compare(
        "A later call", measurement, "lazy table's facade", {"bound table's facade": 1.02}
    )


@pytest.fixture
def plugins(checking: bool) -> int:
    return FEWEST if checking else PLUGINS


@pytest.fixture
def processes(rounds: int) -> int:
    return min(rounds, PROCESSES)


@pytest.fixture
def run_host(plugins: int, tmp_path: Path) -> Run:
    warmhost.make_plugins(tmp_path, plugins)
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, warmhost.__file__, str(tmp_path)]

    def run(mode: str) -> Any:
        done = subprocess.run(
            [*command, mode, str(plugins)],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        return json.loads(done.stdout)

    run("eager")  # writes the bytecode
    return run


def bench_first_result(run_host: Run, plugins: int, processes: int, results: Results) -> None:
    times: dict[str, list[float]] = {"eager": [], "lazy": [], "lazy, with a warmer": []}
    complete = []
    for _ in range(processes):
        times["eager"].append(run_host("eager"))
        times["lazy"].append(run_host("lazy"))
        first, everything = run_host("warmed")
        times["lazy, with a warmer"].append(first)
        complete.append(everything)
    eager = Spread.of(times["eager"]).median
    rows, entries = [], []
    for name, seconds in times.items():
        spread = Spread.of([1000 * second for second in seconds])
        ratio = eager * 1000 / spread.median
        low_high = f"{spread.low:.1f}-{spread.high:.1f}"
        rows.append([name, f"{spread.median:.1f}", low_high, f"{ratio:.1f}"])
        entries.append({"name": name, "ms": spread.median, "eager / this": ratio})
    everything = 1000 * Spread.of(complete).median
    rows.append(
        ["  until all are loaded", f"{everything:.1f}", "", f"{1000 * eager / everything:.2f}"]
    )
    entries.append({"name": "until all are loaded", "ms": everything})
    question = "Time to the first result"
    saved = {**times, "until all are loaded": complete}
    results.table(
        f"{plugins} Python plugins of {warmhost.IMPORT_MS} ms: time to the first result, "
        f"{processes} processes each",
        ("host", "median ms", "quartiles", "eager / this"),
        rows,
        entries,
        [Times(question, name, [1e9 * one for one in each]) for name, each in saved.items()],
    )


def bench_first_calls(run_host: Run, plugins: int, processes: int, results: Results) -> None:
    rows, entries, saved = [], [], []
    question = "The first call of each plugin"
    for name, mode in (("lazy", "cold"), ("lazy, with a warmer", "warmer")):
        times: list[float] = []
        for _ in range(processes):
            times += run_host(f"first calls, {mode}")
        saved.append(Times(question, name, [1e9 * each for each in times]))
        times.sort()
        shares = {share: 1000 * times[int(share * len(times))] for share in (0.5, 0.9, 0.99)}
        rows.append(
            [name, *[f"{value:.3f}" for value in shares.values()], f"{1000 * times[-1]:.2f}"]
        )
        entries.append({"name": name, "ms": shares})
    results.table(
        f"The first call of each of {plugins} plugins, a request every 12 ms at random, "
        f"{processes} processes",
        ("host", "p50 ms", "p90", "p99", "worst"),
        rows,
        entries,
        saved,
    )


def bench_foreground(run_host: Run, processes: int, results: Results) -> None:
    """How much slower a computing thread is while plugins are loaded beside it."""
    rows, entries, saved = [], [], []
    question = "A call of a thread that computes all the time"
    for name, mode in (("jumptable.warm", "warmer"), ("a thread that opens all", "plain thread")):
        rates: list[tuple[float, float]] = []
        for _ in range(processes):
            rates += run_host(f"foreground, {mode}")
        spread = Spread.of(alone / beside for alone, beside in rates)
        slower = spread.median - 1
        own = mode == "warmer"
        rows.append(
            [
                name,
                f"{100 * slower:.1f} %",
                f"{100 * (spread.low - 1):.1f}-{100 * (spread.high - 1):.1f}",
                f"<= {100 * SLOWER:.0f} %" if own else "",
                met(slower <= SLOWER) if own else "",
            ]
        )
        entries.append({"name": name, "slower": slower})
        saved.append(Times(question, f"alone, {name}", [1e9 / alone for alone, _ in rates]))
        saved.append(Times(question, f"beside {name}", [1e9 / beside for _, beside in rates]))
    results.table(
        "What a thread that computes all the time loses while plugins are loaded beside it",
        ("loading", "slower", "quartiles", "target", "verdict"),
        rows,
        entries,
        saved,
    )
