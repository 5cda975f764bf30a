"""What does finding entry points cost, with 10 to 2,000 distributions installed?

importlib.metadata is asked as in a new process: what it remembers of folders is forgotten before,
as ours is where the index on disk is measured. Nobody's forgetting is timed.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import pytest

from distributions import GROUP, generate
from jumptable.loading import cache, entryindex
from jumptable.loading.discovery import entry_points
from jumptable.measuring.timing import Contestant, Measurement, measure
from results import Results, Times, entered, met

SIZES = {10: 400, 100: 200, 300: 150, 2000: 40}  # and rounds, at most
QUESTION = "entry_points(group=...)"
STOCK = "importlib.metadata"
LISTED = "importlib.metadata, folders known"
DISK = "jumptable, index on disk"
AGAIN = "jumptable, again in a process"
FIRST = "jumptable, no index yet"
STEVEDORE, STEVEDORE_AGAIN = "stevedore, cache on disk", "stevedore, again in a process"
FASTER = {DISK: 30.0, AGAIN: 30.0, FIRST: 1 / 1.2}
AT_MOST_MS = {(300, DISK): 1.0, (300, AGAIN): 1.0}
HEADINGS = ("distributions", "contestant", "median ms", "minimum ms", "times as fast", "quartiles",
            "targets", "verdict")  # fmt: skip

Ask = Callable[[], Any]
Fact = dict[str, object]


@pytest.fixture
def stevedore_cache() -> Any:
    return pytest.importorskip("stevedore._cache").Cache


def bench_entry_points(
    results: Results,
    rounds: int,
    checking: bool,
    stevedore_cache: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "index"))
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    library = [
        entry for entry in sys.path if entry in standard or entry.endswith((".zip", "lib-dynload"))
    ]
    sizes = dict(list(SIZES.items())[:2]) if checking else SIZES
    for size in sizes:
        generate(tmp_path / f"site{size}", size)
    time.sleep(2 * entryindex.MARGIN_NS / 1e9)  # until all that is old enough to be believed
    rows: list[list[str]] = []
    entries: list[dict[str, object]] = []
    times: list[Times] = []
    for size, most in sizes.items():
        with monkeypatch.context() as patched:
            patched.setattr(sys, "path", [*library, str(tmp_path / f"site{size}")])
            measurement = measure(
                contestants(stevedore_cache, tmp_path), rounds=min(rounds, most), slice_ns=1
            )
        facts: dict[str, dict[str, object]] = {}
        for name in measurement.timings:
            row, entry, facts[name] = judged(size, name, measurement)
            rows.append(row)
            entries.append(entry)
        times += entered(f"{QUESTION}, {size:,} distributions", measurement, DISK, facts)
    title = f"{QUESTION} of one distribution in ten  (times as fast: as {STOCK})"
    results.table(title, HEADINGS, rows, entries, times)


def contestants(stevedore_cache: Any, tmp_path: Path) -> list[Contestant]:
    index, theirs = tmp_path / "index", tmp_path / "stevedore"

    def forget() -> None:
        unlist: Any = importlib.metadata.MetadataPathFinder.__dict__["invalidate_caches"]
        getattr(unlist, "__func__", unlist)(importlib.metadata.MetadataPathFinder)

    def forget_ours() -> None:
        forget()
        entryindex._known.clear()

    def forget_all() -> None:
        forget_ours()
        shutil.rmtree(index, ignore_errors=True)

    def stevedores() -> Any:
        made = stevedore_cache(str(theirs))
        made._disable_caching = False  # as it is where Python is installed below /tmp
        return made

    known = stevedores()

    def ours() -> Any:
        return entry_points(group=GROUP)

    def stock() -> Any:
        return importlib.metadata.entry_points(group=GROUP)

    ways: dict[str, tuple[Callable[[], object], Ask]] = {
        STOCK: (forget, stock),
        LISTED: (stock, stock),
        FIRST: (forget_all, ours),
        DISK: (forget_ours, ours),
        AGAIN: (ours, ours),
        STEVEDORE: (forget, lambda: stevedores().get_group_all(GROUP)),
        STEVEDORE_AGAIN: (lambda: None, lambda: known.get_group_all(GROUP)),
    }
    wanted = {(point.name, point.value) for point in stock()}
    for name, (before, ask) in ways.items():
        for _ in range(2):
            before()
            assert {(point.name, point.value) for point in ask()} == wanted, name

    # An index is there for whoever's turn it is: the one without an index leaves a new one.
    return [Contestant(name, timed(*way)) for name, way in ways.items()]


def timed(before: Callable[[], object], ask: Ask) -> Callable[[int], int]:
    def loop(count: int) -> int:
        total = 0
        for _ in range(count):
            before()
            start = perf_counter_ns()
            ask()
            total += perf_counter_ns() - start
        return total

    return loop


def judged(size: int, name: str, measurement: Measurement) -> tuple[list[str], Fact, Fact]:
    timing = measurement[name]
    median = timing.spread.median / 1e6
    ratio = measurement.ratio(STOCK, name)
    targets: list[str] = []
    verdicts: list[bool] = []
    if name in FASTER:
        targets.append(f">= {FASTER[name]:.3g} x")
        verdicts.append(ratio.median >= FASTER[name])
    if (size, name) in AT_MOST_MS:
        targets.append(f"<= {AT_MOST_MS[size, name]:.0f} ms")
        verdicts.append(median <= AT_MOST_MS[size, name])
    verdict = ", ".join(map(met, verdicts))
    row = [
        str(size),
        name,
        f"{median:.3f}",
        f"{timing.minimum / 1e6:.3f}",
        f"{ratio.median:.2f}",
        f"{ratio.low:.2f}-{ratio.high:.2f}",
        ", ".join(targets),
        verdict,
    ]
    entry: Fact = {
        "distributions": size,
        "name": name,
        "median_ms": median,
        "minimum_ms": timing.minimum / 1e6,
        "times as fast": ratio.median,
        "quartiles": [ratio.low, ratio.high],
        "verdict": verdict,
    }
    return row, entry, {"targets": targets, "met": all(verdicts) if verdicts else None}
