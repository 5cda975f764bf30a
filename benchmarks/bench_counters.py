"""What does counting cost, beside other ways to count, and how much do threads wait for each other?

Two threads that add to neighbouring words wait for each other's cache line; further apart, they do
not. That is measured in C, without the GIL (native/adding.c), and by calls from Python.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import jumptable
from competitors import Competitors
from jumptable.measuring import report
from jumptable.measuring.timing import Contestant, Spread, measure, statement
from results import Results, met
from tallies import (
    ADD,
    CEREGGII_PLUS,
    EMPTY,
    FLOORS,
    HELD,
    MULTIPROCESS,
    PLUS,
    SHARED,
    STATS,
    STRIPED,
    Tally,
    shared_by_processes,
    tallies,
)
from threads import (
    REGISTERS,
    Scaling,
    free_threaded,
    in_c,
    in_registers,
    in_threads,
    no_conclusion,
    repeated,
    times_of,
    turns,
)

DISTANCES = (0, 8, 64, 128, 256)
PADDED = 128
AT_MOST_ALONE = 1.1
OVER_EMPTY = 1.10
AHEAD = 1.0
# What "no slower" means: equal times differ by a few per cent.
NO_SLOWER = 1.05
AT_MOST_NS = 10.0
OURS = "jumptable"


# ---- the hardware ---------------------------------------------------------------------------


def bench_distances(competitors: Competitors, results: Results, rounds: int) -> None:
    """Two threads in C, each with a word of its own, or with one and the same."""
    adding = competitors.module("adding")
    memory = (ctypes.c_char * (4 * PADDED))()
    first = -(-ctypes.addressof(memory) // PADDED) * PADDED
    counters = jumptable.Counter(), jumptable.Counter()
    striped = jumptable.Counter(stripes=2)
    works = [in_registers(adding)]
    wanted: dict[str, float] = {}
    for distance in DISTANCES:
        name = f"words {distance} bytes apart" if distance else "one word"
        works.append(in_c(name, adding.word, adding.now, (first, first + distance)))
        if distance >= PADDED:
            wanted[name] = AT_MOST_ALONE
    for name, addresses in (
        ("a jt_counter each", (counters[0].address, counters[1].address)),
        ("stripes of one counter", (striped.addresses[0], striped.addresses[1])),
    ):
        works.append(in_c(name, adding.counter, adding.now, addresses))
        wanted[name] = AT_MOST_ALONE
    count = turns(rounds, at_once=True)
    found = in_threads(works, rounds=count)
    problem = no_conclusion(found)
    rows, entries = [], []
    for name, scaling in found.items():
        slower = scaling.slowdown
        target = None if problem else wanted.get(name)
        verdict = None if target is None else slower.median <= target
        rows.append([name, *cells(scaling, slower), *judgement(target, verdict)])
        entries.append({**entry(scaling), "times as long": slower.median, "met": verdict})
    headings = ["two threads in C add to", "alone ns", "min", "both ns", "min", "times as long"]
    headings += ["quartiles", "target", "verdict"]
    title = "An add in each of two threads, beside one thread alone"
    heading = f"{title}  (median of {count} rounds)"
    results.table(heading, headings, rows, entries, times_of(title, found))
    if problem is not None:
        results.note(problem)


def cells(scaling: Scaling, spread: Spread) -> list[str]:
    found = []
    for values in (scaling.alone_ns, scaling.together_ns):
        found += [report.nanoseconds(Spread.of(values).median), report.nanoseconds(min(values))]
    return [*found, f"{spread.median:.2f}", f"{spread.low:.2f}-{spread.high:.2f}"]


def entry(scaling: Scaling) -> dict[str, object]:
    return {
        "name": scaling.name,
        "alone_ns": Spread.of(scaling.alone_ns).median,
        "together_ns": Spread.of(scaling.together_ns).median,
    }


def judgement(target: float | None, verdict: bool | None) -> list[str]:
    return ["", ""] if target is None or verdict is None else [f"<= {target:.3g}", met(verdict)]


# ---- from Python ----------------------------------------------------------------------------


def bench_add(competitors: Competitors, results: Results, rounds: int) -> None:
    """In one thread."""
    missing: dict[str, str] = {}
    found = tallies(competitors, missing)
    at_most = {each.name: AHEAD for each in found if is_peer(each)} | {EMPTY: OVER_EMPTY}
    measurement = measure(timed(found), rounds=rounds)
    results.compare("One more, from Python", measurement, ADD, at_most, missing)
    if CEREGGII_PLUS in measurement.timings:
        ratio = measurement.ratio(PLUS, CEREGGII_PLUS)
        results.note(
            f"+= beside that of cereggii: {ratio.median:.3f} ({ratio.low:.3f}-{ratio.high:.3f}), "
            f"at most {AHEAD:g}: {met(ratio.median <= AHEAD)}"
        )


def is_peer(tally: Tally) -> bool:
    return tally.name not in FLOORS and not tally.name.startswith(OURS)


def timed(found: list[Tally]) -> list[Contestant]:
    for each in found:
        each.check()
    return [statement(each.name, each.code, each.names) for each in found]


def bench_add_in_threads(competitors: Competitors, results: Results, rounds: int) -> None:
    """Two threads that count with one and the same object."""
    missing: dict[str, str] = {}
    found = tallies(competitors, missing)
    for each in found:
        each.check()
    works = [repeated(each.name, each.code, each.names) for each in found]
    count = turns(rounds, at_once=free_threaded())
    scalings = in_threads([in_registers(competitors.module("adding")), *works], rounds=count)
    problem = no_conclusion(scalings)
    peers = {each.name for each in found if is_peer(each)}
    rows, entries = [], []
    for name, scaling in scalings.items():
        line = [name, *cells(scaling, scaling.throughput)]
        item = {**entry(scaling), "throughput": scaling.throughput.median}
        if name != REGISTERS:
            for who in (STRIPED, ADD):
                ratio = beside(scalings[who], scaling)
                target = AHEAD if name in peers and problem is None and who == STRIPED else None
                verdict = None if target is None else ratio.median <= target
                line += [f"{ratio.median:.3f}"]
                item[f"{who} / this"] = ratio.median
                if who == STRIPED:
                    verdicts, item["met"] = judgement(target, verdict), verdict
            line += verdicts
        rows.append([*line, *[""] * (11 - len(line))])
        entries.append(item)
    results.absent(missing)
    rows += [[name, *["-"] * 8, "", f"missing: {why}"] for name, why in missing.items()]
    entries += [{"name": name, "missing": why} for name, why in missing.items()]
    headings = ["both threads count with one object", "alone ns", "min", "both ns", "min"]
    headings += ["throughput", "quartiles", "striped / this", "one cell / this", "target"]
    question = "One more, in each of two threads"
    title = f"{question}  (ratio: ours / this, while both run; median of {count} rounds)"
    times = times_of(question, scalings)
    results.table(title, [*headings, "verdict"], rows, entries, times)
    if not free_threaded():
        results.note("this build has a GIL: the two threads take turns")
    if problem is not None:
        results.note(problem)


def beside(own: Scaling, other: Scaling) -> Spread:
    """What an add of ours takes, beside one of another, while two threads run."""
    pairs = zip(own.together_ns, other.together_ns, strict=True)
    return Spread.of(mine / its for mine, its in pairs)


# ---- shared by processes --------------------------------------------------------------------


def bench_processes(competitors: Competitors, results: Results, rounds: int) -> None:
    """Counters in a file, beside those of one process; then while another process counts too."""
    adding = competitors.module("adding")
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        shared = shared_by_processes(folder, missing)
        own = [each for each in tallies(competitors, {}) if each.name in (ADD, STATS, EMPTY)]
        inside = jumptable.Counters(["hits"])
        path = str(Path(folder, "stats"))
        outside = jumptable.Counters(path=path)
        words = {"in this process": inside.hits, "in a file": outside.hits}
        contestants = [
            *(in_one_thread(f"C: a word {where}", adding, one) for where, one in words.items()),
            *timed([*own, *shared]),
        ]
        tables = {"no other process counts": measure(contestants, rounds=rounds)}
        with another(competitors, path):
            tables["another process counts too, without pause"] = measure(
                contestants, rounds=rounds
            )
        title = "Counters that processes share"
        for when, measurement in tables.items():
            in_c_ns = measurement["C: a word in a file"].spread.median
            results.compare(
                f"{title}; {when}",
                measurement,
                SHARED,
                {STATS: NO_SLOWER, MULTIPROCESS: AHEAD},
                missing,
            )
            ratio = measurement.ratio(HELD, ADD)
            results.note(
                f"an add in C, in a file: {in_c_ns:.1f} ns, at most {AT_MOST_NS:g}: "
                f"{met(in_c_ns <= AT_MOST_NS)}; from Python, the counter held: {ratio.median:.3f} "
                f"times that of one process, at most {NO_SLOWER:g}: "
                f"{met(ratio.median <= NO_SLOWER)}"
            )


def in_one_thread(name: str, adding: Any, counter: jumptable.Counter) -> Contestant:
    """A loop of native/adding.c in this thread, as long as `measure` wants it."""
    address = counter.addresses[-1]  # not that of this thread, which the others may be using

    def loop(count: int) -> int:
        return int(adding.times(address, count))

    return Contestant(name, loop)


@contextmanager
def another(competitors: Competitors, path: str) -> Iterator[None]:
    """A process that adds to the same counters in C, until the end of this block."""
    command = [sys.executable, str(Path(__file__).with_name("countermore.py"))]
    command += [competitors.build("adding"), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "counting\n"
            yield
            assert process.poll() is None, "the other process has ended"
        finally:
            process.kill()


# ---- memory ---------------------------------------------------------------------------------


MEMORY: Mapping[str, tuple[str, str]] = {
    "jumptable: Counter()": ("import jumptable", "jumptable.Counter()"),
    "jumptable: Counter(stripes=8)": ("import jumptable", "jumptable.Counter(stripes=8)"),
    "jumptable: Counter(stripes=64)": ("import jumptable", "jumptable.Counter(stripes=64)"),
    "jumptable: one of Counters of 1,000, stripes=1": (
        "import jumptable",
        "jumptable.Counters(NAMES, stripes=1)",
    ),
    "jumptable: one of Counters of 1,000, stripes=8": (
        "import jumptable",
        "jumptable.Counters(NAMES, stripes=8)",
    ),
    "itertools.count()": ("import itertools", "itertools.count()"),
    "threading.Lock() and an int": ("import threading", "[threading.Lock(), 1000]"),
    "cereggii: AtomicInt64": ("import cereggii", "cereggii.AtomicInt64(0)"),
    "ft_utils: AtomicInt64": ("import ft_utils.concurrency as f", "f.AtomicInt64(0)"),
    "fastcounter: FastWriteCounter": ("import fastcounter", "fastcounter.FastWriteCounter()"),
    "prometheus_client: Counter": (
        "import prometheus_client as p",
        "p.Counter('hits', 'Hits', registry=None)",
    ),
}


def bench_memory(results: Results) -> None:
    """What a counter takes, by the system's account: most of ours is not Python's memory."""
    if sys.platform != "linux":
        pytest.skip("the memory of a process is read from Linux's /proc")
    rows, entries = [], []
    for name, (prepare, make) in MEMORY.items():
        per = 1000 if "NAMES" in make else 1
        command = [sys.executable, str(Path(__file__).with_name("countermemory.py"))]
        command += [prepare, make, str(per)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1]
            results.absent({name: reason})
            rows.append([name, "-", f"missing: {reason}"])
            entries.append({"name": name, "missing": reason})
            continue
        each = float(json.loads(done.stdout))
        rows.append([name, f"{each:.0f}", ""])
        entries.append({"name": name, "bytes": each})
    results.table("Memory of a counter", ["one more", "bytes (RssAnon)", ""], rows, entries)
