"""What do look-ups, and the slots of a table, cost when there are many; does a call notice?

Each process of growth.py starts afresh, and the competitors' processes take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import jumptable
from competitors import Competitors, MissingError
from growth import decades
from hosts import host_of, in_c
from jumptable.measuring import report
from jumptable.measuring.timing import Contestant, measure, statement
from results import Results, Times, entered, met

# cffi is left out: declaring 100,000 functions takes it half a minute.
WHO = ("jumptable", "ctypes")
MOST_BYTES = 400
MOST_GROWTH = 2.0
REPEATS = 5
MANY, FEWEST = 100_000, 1_000
LINE = 128  # bytes; allocated by C, where tracemalloc does not see them
SIGNATURE = "double(double)"


@pytest.fixture
def many(checking: bool) -> int:
    """How many symbols, or slots, there are."""
    return FEWEST if checking else MANY


@pytest.fixture
def library(many: int, competitors: Competitors) -> str:
    """A library with so many functions."""
    return competitors.build("many" if many == MANY else "thousand")


@pytest.fixture
def repeats(checking: bool) -> int:
    return 1 if checking else REPEATS


def bench_lookups(library: str, many: int, repeats: int, results: Results) -> None:
    runs = [{who: child(who, "time", library, str(many)) for who in WHO} for _ in range(repeats)]
    rows, entries, times = [], [], []
    question = "Look-ups of distinct symbols"
    for who in WHO:
        found = [run[who] for run in runs]
        each: dict[int, float] = {}
        for index, decade in enumerate(decades(many)):
            sample = [run[index][1] for run in found]
            each[decade] = median(sample)
            times.append(Times(question, f"{who}, up to {decade:,}", sample))
        # The first decade pays for what happens once.
        growth = median(run[-1][1] / run[1][1] for run in found)
        cells = [f"<= {MOST_GROWTH}", met(growth <= MOST_GROWTH)] if who == WHO[0] else ["", ""]
        rows.append([who, *map(report.nanoseconds, each.values()), f"{growth:.2f}", *cells])
        entries.append({"name": who, "ns": each, "growth": growth})
    headings = ["first look-ups", *[f"ns at {decade:,}" for decade in decades(many)]]
    headings += ["last / second", "target", "verdict"]
    results.table(f"{question}, {repeats} processes", headings, rows, entries, times)


def bench_memory(library: str, many: int, results: Results) -> None:
    measures = ["tracemalloc"]
    if Path("/proc/self/status").exists():
        # RssAnon is what is allocated; VmRSS adds the library's own symbol table, paged in.
        measures += ["RssAnon", "VmRSS"]
    rows, entries = [], []
    for who in WHO:
        found = {how: child(who, how, library, str(many)) for how in measures}
        for how, each in found.items():
            ours = who == WHO[0]
            cells = [f"< {MOST_BYTES}", met(each < MOST_BYTES)] if ours else ["", ""]
            rows.append([who, how, f"{each:.0f}", *cells])
            entries.append({"name": who, "how": how, "bytes": each})
    headings = ("one more symbol, its name included", "measured by", "bytes", "target", "verdict")
    *_, first, last = decades(many)
    results.table(f"Memory from {first:,} to {last:,} symbols", headings, rows, entries)


def bench_first_and_last(library: str, many: int, results: Results, rounds: int) -> None:
    plugin = jumptable.open(library)
    found = [plugin.lookup(f"f{index}", SIGNATURE) for index in range(many)]
    assert found[-1](1.5) == 1.5
    ends = {"the first": found[0], "the last": found[-1]}
    measurement = measure(
        [statement(name, "f(x)", {"f": function, "x": 1.5}) for name, function in ends.items()],
        rounds=rounds,
    )
    title = f"A call, of {many:,} symbols looked up"
    results.compare(title, measurement, "the last", {"the first": 1.10})


def bench_tables(
    competitors: Competitors, library: str, many: int, results: Results, rounds: int
) -> None:
    host, sizes = built_host(competitors), sorted({10, *decades(many)})
    repeats = min(REPEATS, 1 + rounds // 100)  # each takes a quarter of a minute
    runs = [
        {slots: child("table", "time", str(slots), library, host) for slots in sizes}
        for _ in range(repeats)
    ]
    rows, entries, times = [], [], []
    question = "What is done to a table once, per slot"
    for step in runs[0][sizes[0]]:
        each = {}
        for slots in sizes:
            sample = [run[slots][step] for run in runs]
            each[slots] = median(sample)
            times.append(Times(question, f"{step}, {slots:,} slots", sample))
        # Small tables pay for what happens once.
        growth = median(run[sizes[-1]][step] / run[sizes[-3]][step] for run in runs)
        cells = [f"{growth:.2f}", f"<= {MOST_GROWTH}", met(growth <= MOST_GROWTH)]
        rows.append([step, *map(report.nanoseconds, each.values()), *cells])
        entries.append({"step": step, "ns per slot": each, "growth": growth})
    headings = ["the table is", *[f"ns at {slots:,}" for slots in sizes]]
    headings += [f"{sizes[-1]:,} / {sizes[-3]:,}", "target", "verdict"]
    title = f"{question}, median of {repeats} processes"
    results.table(title, headings, rows, entries, times)


def bench_table_memory(
    competitors: Competitors, library: str, many: int, results: Results, rounds: int
) -> None:
    sizes = sorted({10, *decades(many)})
    if rounds < 100 and many == MANY:
        sizes.pop()  # the last takes half a minute
    host = built_host(competitors)
    traced = {slots: child("table", "tracemalloc", str(slots), library, host) for slots in sizes}
    rows, entries = [], []
    total: dict[int, float] = dict.fromkeys(sizes, 0)
    for step in traced[sizes[0]]:
        line = LINE if step == "C asks for all" else 0
        each = {slots: traced[slots][step] + line for slots in sizes}
        total = {slots: total[slots] + each[slots] for slots in sizes}
        if line or abs(total[sizes[-1]] - each[sizes[-1]]) < 1 or abs(each[sizes[-1]]) > 1:
            rows.append([step, *[f"{each[slots]:+.0f}" for slots in sizes]])
            rows.append(["  in total, KiB", *[kib(total[n] * n) for n in sizes]])
            entries.append({"step": step, "bytes per slot": each, "in total per slot": total})
    headings = ["the table is", *[f"bytes at {slots:,}" for slots in sizes]]
    title = (
        f"What a table takes, per slot: tracemalloc, and {LINE} bytes for each slot that C asks for"
    )
    results.table(title, headings, rows, entries)


def kib(size: float) -> str:
    return f"{size / 1024:,.1f}"


def built_host(competitors: Competitors) -> str:
    try:
        return competitors.build("host")
    except MissingError:
        return ""


def bench_slots(competitors: Competitors, many: int, results: Results, rounds: int) -> None:
    """Flat is a call whose cost depends neither on the table's size nor on the slot's place."""
    half = competitors.jumptable.lookup("half", SIGNATURE)
    host = host_of(competitors)
    found: dict[str, list[Contestant]] = {"facade": [], "slot(name)": [], "C": []}
    for slots in (10, FEWEST, many) if many > FEWEST else (10, FEWEST):
        # A class keeps its attributes in the order of their names.
        names = [f"s{index:06}" for index in range(slots)]
        table = jumptable.Table(dict.fromkeys(names, SIGNATURE))
        table.bind(dict.fromkeys(names, half))
        header = type(table.facade).__basicsize__ - slots * POINTER
        nearest = (FARTHEST - header) // POINTER
        for place in sorted({0, slots // 2, slots - 1, min(nearest, slots - 1)}):
            which = f"{place + 1:,} of {slots:,}"
            values: dict[str, object] = {"f": table.facade, "x": 1.5}
            found["facade"].append(statement(f"facade, {which}", f"f.{names[place]}(x)", values))
            if place == nearest:
                code = f"f.{names[place + 1]}(x)"
                found["facade"].append(
                    statement(f"facade, {place + 2:,} of {slots:,}", code, values)
                )
            if place in (0, slots - 1):
                slot = {"f": table.slot(names[place]), "x": 1.5}
                found["slot(name)"].append(statement(f"slot(name), {which}", "f(x)", slot))
                line = host.get_slot(table, names[place], SIGNATURE)
                found["C"].append(in_c(f"C, {which}", host.slot, line))
    measurement = measure([each for kind in found.values() for each in kind], rounds=rounds)
    rows, entries = [], []
    facts: dict[str, dict[str, object]] = {}
    for kind in found.values():
        for contestant in kind:
            name, ratio = contestant.name, measurement.ratio(contestant.name, kind[0].name)
            timing = measurement[name]
            flat = ratio.median <= MOST_SLOWER
            facts[name] = {f"this / {kind[0].name}": ratio.median, "met": flat}
            rows.append(
                [
                    name,
                    report.nanoseconds(timing.spread.median),
                    report.nanoseconds(timing.minimum),
                    f"{ratio.median:.3f}",
                    f"{ratio.low:.3f}-{ratio.high:.3f}",
                    f"<= {MOST_SLOWER}",
                    met(flat),
                ]
            )
            entries.append({"name": name, **report.timing_entry(timing), "ratio": ratio.median})
    headings = ("slot", "median ns", "minimum ns", "x 1 of 10", "quartiles", "target", "verdict")
    question = "A call, by the slot's place and the table's size"
    title = (
        f"{question}, {measurement.rounds} rounds "
        f"(CPython specialises attributes up to byte {FARTHEST:,} of an object)"
    )
    times = entered(question, measurement, found["facade"][0].name, facts)
    results.table(title, headings, rows, entries, times)


# An inline cache of CPython keeps an attribute's offset in 16 bits.
FARTHEST = 65_535
POINTER = 8 if sys.maxsize > 1 << 32 else 4
MOST_SLOWER = 1.10


def child(*arguments: str) -> Any:
    """What growth.py says."""
    command = [sys.executable, str(Path(__file__).with_name("growth.py")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
