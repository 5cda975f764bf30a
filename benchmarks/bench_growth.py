"""What does a look-up cost when there are many, in time and in memory; does a call notice?

Each process of growth.py starts afresh, and the competitors' processes take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import jumptable
from competitors import Competitors
from growth import DECADES
from jumptable.measuring import report
from jumptable.measuring.timing import measure, statement
from results import Results, met

# cffi is left out: declaring 100,000 functions takes it half a minute.
WHO = ("jumptable", "ctypes")
MOST_BYTES = 400
MOST_GROWTH = 2.0
REPEATS = 5


def bench_lookups(competitors: Competitors, results: Results) -> None:
    path = competitors.build("many")
    runs = [{who: child(who, "time", path) for who in WHO} for _ in range(REPEATS)]
    rows, entries = [], []
    for who in WHO:
        decades = [run[who] for run in runs]
        each = [median(run[index][1] for run in decades) for index in range(len(DECADES))]
        # The first decade pays for what happens once.
        growth = median(run[-1][1] / run[1][1] for run in decades)
        cells = [f"<= {MOST_GROWTH}", met(growth <= MOST_GROWTH)] if who == WHO[0] else ["", ""]
        rows.append([who, *map(report.nanoseconds, each), f"{growth:.2f}", *cells])
        entries.append({"name": who, "ns": dict(zip(DECADES, each, strict=True)), "growth": growth})
    headings = ["first look-ups", *[f"ns at {decade:,}" for decade in DECADES]]
    headings += ["last / second", "target", "verdict"]
    results.table(f"Look-ups of distinct symbols, {REPEATS} processes", headings, rows, entries)


def bench_memory(competitors: Competitors, results: Results) -> None:
    path = competitors.build("many")
    measures = ["tracemalloc"]
    if Path("/proc/self/status").exists():
        # RssAnon is what is allocated; VmRSS adds the library's own symbol table, paged in.
        measures += ["RssAnon", "VmRSS"]
    rows, entries = [], []
    for who in WHO:
        found = {how: child(who, how, path) for how in measures}
        for how, each in found.items():
            ours = who == WHO[0]
            cells = [f"< {MOST_BYTES}", met(each < MOST_BYTES)] if ours else ["", ""]
            rows.append([who, how, f"{each:.0f}", *cells])
            entries.append({"name": who, "how": how, "bytes": each})
    headings = ("one more symbol, its name included", "measured by", "bytes", "target", "verdict")
    results.table(
        f"Memory from {DECADES[-2]:,} to {DECADES[-1]:,} symbols", headings, rows, entries
    )


def bench_first_and_last(competitors: Competitors, results: Results, rounds: int) -> None:
    plugin = jumptable.open(competitors.build("many"))
    found = [plugin.lookup(f"f{index}", "double(double)") for index in range(DECADES[-1])]
    assert found[-1](1.5) == 1.5
    ends = {"the first": found[0], "the last": found[-1]}
    measurement = measure(
        [statement(name, "f(x)", {"f": function, "x": 1.5}) for name, function in ends.items()],
        rounds=rounds,
    )
    title = f"A call, of {DECADES[-1]:,} symbols looked up"
    results.compare(title, measurement, "the last", {"the first": 1.10})


def child(who: str, what: str, path: str) -> Any:
    """What growth.py says."""
    command = [sys.executable, str(Path(__file__).with_name("growth.py")), who, what, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
