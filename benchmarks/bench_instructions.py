"""Do instruction counts and the clock put calls in the same order?

A clock on a shared machine is noisy, a count is not: callgrind counts the instructions of a child
process. What takes half as many again should take longer; where it does not, both figures are
printed. It need not: an atomic addition is one instruction, which waits for all before it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

import instructions
from competitors import Competitors
from jumptable.measuring import report
from jumptable.measuring.timing import Contestant, Measurement, measure
from results import Results, entered, met

HERE = Path(__file__).parent
# Less than this many times as many instructions say nothing about time.
MORE = 1.5
HOW_TO_GET_IT = "valgrind is not installed: apt-get install valgrind, or dnf install valgrind"


def bench_instructions(
    competitors: Competitors, results: Results, rounds: int, tmp_path: Path
) -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip(HOW_TO_GET_IT)
    found, missing = instructions.rows(competitors.path)
    every = [row.name for row in instructions.everything(found)]
    counted = count(valgrind, competitors.path, every, tmp_path)
    measurement = measure(found, rounds=rounds)
    show_counts(results, found, counted, measurement, missing)
    show_order(results, counted_of(found, counted), measurement)


def count(valgrind: str, library: str, names: list[str], folder: Path) -> dict[str, float]:
    """Instructions per repetition, the loop's own included."""
    command = [valgrind, "-q", "--tool=callgrind", "--dump-line=no"]
    command += [f"--dump-before={instructions.MARKER}", f"--callgrind-out-file={folder}/part"]
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [str(HERE), *(os.path.abspath(each) for each in inherited if each)]
    done = subprocess.run(
        [*command, sys.executable, instructions.__file__, library],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    numbered = {int(each.suffix[1:]): each for each in folder.glob("part.*")}
    totals = [total(numbered[number]) for number in sorted(numbered)]
    assert len(totals) == 3 * len(names), f"{len(totals)} parts for {len(names)} rows"
    found = {}
    for index, name in enumerate(names):
        before, after = totals[3 * index + 1 : 3 * index + 3]
        few, many = instructions.counts(name)
        found[name] = (after - before) / (many - few)
    return found


def total(part: Path) -> int:
    found = re.search(r"^totals: (\d+)", part.read_text("utf-8", "replace"), re.MULTILINE)
    assert found, f"{part.name} has no total"
    return int(found[1])


def counted_of(rows: list[Contestant], counted: dict[str, float]) -> dict[str, float]:
    """Each without its loop."""
    return {
        row.name: counted[row.name] - (counted[row.empty.name] if row.empty else 0) for row in rows
    }


def show_counts(
    results: Results,
    found: list[Contestant],
    counted: dict[str, float],
    measurement: Measurement,
    missing: dict[str, str],
) -> None:
    own = counted_of(found, counted)
    rows, entries = [], []
    facts: dict[str, dict[str, object]] = {}
    for name, each in own.items():
        timing, replaced = measurement[name], instructions.REPLACED.get(name)
        facts[name] = {"instructions": each}
        fewer = ["", ""]
        if replaced is not None:
            ratio = measurement.ratio(replaced, name).median
            fewer = [f"{own[replaced] / each:.1f}", f"{ratio:.1f}"]
            facts[name]["times fewer instructions"] = own[replaced] / each
        rows.append(
            [
                name,
                f"{each:,.1f}",
                report.nanoseconds(timing.spread.median),
                report.nanoseconds(timing.minimum),
                f"{each / timing.spread.median:.1f}" if timing.spread.median else "-",
                *fewer,
            ]
        )
        entries.append({"name": name, **report.timing_entry(timing), **facts[name]})
    results.absent(missing)
    rows += [[name, "-", "-", "-", "-", "", f"missing: {why}"] for name, why in missing.items()]
    entries += [{"name": name, "missing": why} for name, why in missing.items()]
    headings = ["call", "instructions", "median ns", "minimum ns", "per ns"]
    headings += ["times fewer", "times faster"]
    question = "Instructions and nanoseconds of a call"
    title = f"{question}  (callgrind; median of {measurement.rounds} rounds)"
    times = entered(question, measurement, "jumptable: half(x)", facts)
    results.table(title, headings, rows, entries, times)


def show_order(results: Results, counted: dict[str, float], measurement: Measurement) -> None:
    rows, entries = [], []
    apart = 0
    for less, more in combinations(sorted(counted, key=lambda name: counted[name]), 2):
        if counted[more] <= MORE * max(counted[less], 0.0):
            continue
        apart += 1
        clock = [measurement[name].spread.median for name in (less, more)]
        if clock[0] < clock[1]:
            continue
        figures = [
            f"{counted[name]:,.1f} and {ns:.2f}"
            for name, ns in zip((less, more), clock, strict=True)
        ]
        rows.append([f"{less} / {more}", *figures, met(False)])
        entries.append({"pair": [less, more], "ns": clock, "met": False})
    agreeing = apart - len(rows)
    rows.append([f"in the same order: {agreeing} of {apart}", "", "", met(agreeing == apart)])
    entries.append({"pairs": apart, "agreeing": agreeing, "met": agreeing == apart})
    headings = ["pair", "instructions and ns", "instructions and ns", "verdict"]
    title = f"Pairs of which one takes more than {MORE} times the instructions, and not the time"
    results.table(title, headings, rows, entries)
