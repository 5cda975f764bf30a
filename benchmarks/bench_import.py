"""What does ``import jumptable`` add to a bare interpreter, in milliseconds and in modules?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

from jumptable.measuring.timing import Contestant, Spread, measure
from results import Results, entered, met

AT_MOST_MS = 8.0
FORBIDDEN = {"inspect", "typing", "ctypes", "importlib.metadata"}
BARE, OURS = "bare interpreter", "import jumptable"
STATEMENTS = {
    BARE: "pass",
    OURS: "import jumptable",
    "import ctypes": "import ctypes",
    "import cffi": "import cffi",
    "import importlib.metadata": "import importlib.metadata",
}
PROCESSES = 40


def bench_import(results: Results, rounds: int, tmp_path: Path) -> None:
    processes = min(rounds, PROCESSES)
    # As in an installed package, bytecode is there; whoever runs this may have turned it off.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def starter(code: str) -> Callable[[int], int]:
        def loop(count: int) -> int:
            start = perf_counter_ns()
            for _ in range(count):
                run(code)
            return perf_counter_ns() - start

        return loop

    def modules(code: str) -> set[str]:
        return set(run(f"{code}\nimport sys\nprint('\\n'.join(sys.modules))").stdout.split())

    present = {name: code for name, code in STATEMENTS.items() if run(code).returncode == 0}
    results.absent({name: "not installed" for name in STATEMENTS if name not in present})
    measurement = measure(
        [Contestant(name, starter(code)) for name, code in present.items()],
        rounds=processes,
        slice_ns=1,  # one process per round and contestant
    )
    bare = measurement[BARE].raw_ns
    rows, entries = [], []
    facts: dict[str, dict[str, object]] = {}
    for name in present:
        added = [
            (own - base) / 1e6 for own, base in zip(measurement[name].raw_ns, bare, strict=True)
        ]
        spread = Spread.of(added)
        target, verdict = "", ""
        if name == OURS:
            target, verdict = f"<= {AT_MOST_MS:.0f} ms", met(spread.median <= AT_MOST_MS)
        facts[name] = {"added_ms": spread.median, "target": target, "verdict": verdict}
        low_high = f"{spread.low:.2f}-{spread.high:.2f}"
        rows.append([name, f"{spread.median:.2f}", low_high, target, verdict])
        entries.append({"name": name, "added_ms": spread.median, "verdict": verdict})
    headings = ("process", "added ms", "quartiles", "target", "verdict")
    question = "Start-up beyond a bare interpreter"
    times = entered(question, measurement, OURS, facts)
    results.table(f"{question}, {processes} processes each", headings, rows, entries, times)

    pulled = sorted(modules(STATEMENTS[OURS]) - modules(STATEMENTS[BARE]))
    forbidden = sorted(FORBIDDEN.intersection(pulled))
    verdict = met(not forbidden)
    results.table(
        "Modules that import jumptable pulls in",
        ("module", "verdict"),
        [[name, "missed" if name in FORBIDDEN else ""] for name in pulled]
        + [["none of " + ", ".join(sorted(FORBIDDEN)), verdict]],
        {"modules": pulled, "forbidden": forbidden},
    )
