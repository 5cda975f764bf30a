"""How much faster is a whole pytest run with ``-p jumptable.pytest``, and how much could it be?

Pairs of runs, stock and accelerated, in a generated project; who goes first alternates. No other
plugin is loaded. A run of its own records which hook calls pytest makes; each is then timed with
implementations that do nothing, and what these cost alone is subtracted: what remains is pluggy's
share of the run. Timed in a loop, with hot caches, it is rather too small than too large.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from hookcalls import ACCELERATED, ANSWER, BY_HAND, SILENT, STOCK, Hook, Impl
from jumptable.measuring.timing import Contestant, Spread, measure, statement
from results import Results, Times, met

FILES = 50
PAIRS = 10
SHAPE_ROUNDS = 40
AT_LEAST = 1.15
HERE = Path(__file__).parent
OPTIONS = {STOCK: [], ACCELERATED: ["-p", "jumptable.pytest"]}
COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


@dataclass(frozen=True)
class Run:
    """Seconds that a process took, and how many of them on a processor."""

    wall: float
    processor: float


def bench_pytest(results: Results, rounds: int, tests: int, tmp_path: Path) -> None:
    project = tmp_path / "project"
    generate(project, tests)
    environment = bare_environment(tmp_path)

    def timed(who: str) -> Run:
        before, start = os.times(), perf_counter()
        run(project, OPTIONS[who], environment, tests)
        wall, after = perf_counter() - start, os.times()
        user = after.children_user - before.children_user
        return Run(wall, user + after.children_system - before.children_system)

    for who in OPTIONS:
        timed(who)  # bytecode is written, files are read
    runs: dict[str, list[Run]] = {who: [] for who in OPTIONS}
    for number in range(min(rounds, PAIRS)):
        for who in reversed(OPTIONS) if number % 2 else OPTIONS:
            runs[who].append(timed(who))
    show_runs(results, runs, tests)
    shapes = tmp_path / "shapes.json"
    recording = {**environment, "HOOK_SHAPES": str(shapes)}
    run(project, ["-p", "hookshapes"], recording, tests)
    whole = Spread.of(each.processor for each in runs[STOCK]).median
    show_share(results, json.loads(shapes.read_text("utf-8")), whole, min(rounds, SHAPE_ROUNDS))


def generate(project: Path, tests: int) -> None:
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n", "utf-8")
    for file in range(FILES):
        numbers = range(file, tests, FILES)
        code = "\n\n".join(f"def test_{number}():\n    pass\n" for number in numbers)
        (project / f"test_file_{file}.py").write_text(code, "utf-8")


def bare_environment(folder: Path) -> dict[str, str]:
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # The runs have another working directory.
    path = [str(HERE), *(os.path.abspath(each) for each in inherited if each)]
    changed = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(path),
        # As in an installed package, bytecode is there; whoever runs this may have turned it off.
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
    }
    left_out = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, **changed}


def run(project: Path, options: Sequence[str], environment: Mapping[str, str], tests: int) -> None:
    done = subprocess.run(
        [*COMMAND, *options],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{tests} passed" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]


def show_runs(results: Results, runs: Mapping[str, Sequence[Run]], tests: int) -> None:
    pairs = list(zip(runs[STOCK], runs[ACCELERATED], strict=True))
    faster = {
        "wall time": Spread.of(stock.wall / ours.wall for stock, ours in pairs),
        "processor time": Spread.of(stock.processor / ours.processor for stock, ours in pairs),
    }
    rows, entries, times = [], [], []
    question = f"pytest, {tests:,} trivial tests in {FILES} files"
    for what, ratio in faster.items():
        field = "wall" if what == "wall time" else "processor"
        seconds = [Spread.of(getattr(each, field) for each in runs[who]) for who in OPTIONS]
        verdict = ratio.median >= AT_LEAST if field == "wall" else None
        facts = {"times faster": ratio.median, "at_least": AT_LEAST, "met": verdict}
        for who in OPTIONS:
            ns = [1e9 * getattr(each, field) for each in runs[who]]
            times.append(Times(question, f"{who}, {what}", ns, facts=facts))
        rows.append(
            [
                what,
                *(f"{each.median:.2f}" for each in seconds),
                f"{ratio.median:.3f}",
                f"{ratio.low:.3f}-{ratio.high:.3f}",
                f">= {AT_LEAST}" if verdict is not None else "",
                met(verdict) if verdict is not None else "",
            ]
        )
        entries.append(
            {
                "name": what,
                "seconds": {who: [getattr(each, field) for each in runs[who]] for who in OPTIONS},
                "times faster": ratio.median,
                "quartiles": [ratio.low, ratio.high],
                "met": verdict,
            }
        )
    headings = ["", "stock s", "ours s", "times faster", "quartiles", "target", "verdict"]
    results.table(f"{question}, {len(pairs)} pairs of runs", headings, rows, entries, times)


# ---- what hook calls have of it -------------------------------------------------------------


def show_share(
    results: Results, shapes: Sequence[Sequence[Any]], whole: float, rounds: int
) -> None:
    seconds = dict.fromkeys([STOCK, ACCELERATED, BY_HAND], 0.0)
    calls = asked = 0
    for arguments, first, kinds, count in shapes:
        measurement = measure(
            contestants(hook_of(arguments, first, kinds)), rounds=rounds, slice_ns=50_000
        )
        for who in seconds:
            seconds[who] += count * measurement[who].spread.median / 1e9
        calls += count
        asked += count * len(kinds)
    rows, entries, times = [], [], []
    for who in (STOCK, ACCELERATED):
        own = seconds[who] - seconds[BY_HAND]
        share, nanoseconds = own / whole, own / calls * 1e9
        rows.append([who, f"{own:.3f}", f"{nanoseconds:,.0f}", f"{share:.1%}"])
        entries.append({"name": who, "seconds": own, "ns per call": nanoseconds, "share": share})
        times.append(Times("A hook call of pytest's", who, [nanoseconds], facts={"share": share}))
    headings = ["calls themselves", "s", "ns per call", "of the stock run's processor time"]
    title = (
        f"{calls:,} hook calls of {len(shapes)} kinds come to {asked:,} implementations, which "
        f"take {seconds[BY_HAND]:.3f} s if they do nothing"
    )
    results.table(title, headings, rows, entries, times)
    most = whole / (whole - (seconds[STOCK] - seconds[BY_HAND]))
    results.note(f"\nA run whose hook calls cost nothing would be {most:.2f} times as fast.")


def hook_of(arguments: int, first: bool, kinds: Sequence[tuple[str, int]]) -> Hook:
    bodies = {"plain": SILENT if first else ANSWER, "wrapper": "return (yield)"}
    impls = [Impl(count, kind, bodies.get(kind, "yield")) for kind, count in kinds]
    if first and impls and impls[-1].kind == "plain":
        impls[-1] = Impl(impls[-1].arguments)  # the one that answered is where the call ended
    return Hook(impls, arguments, firstresult=first)


def contestants(hook: Hook) -> list[Contestant]:
    """The call, and all that its implementations do: generators are started and finished."""
    starts, ends, given = [], [], {"next": next}
    for number, (function, impl) in enumerate(zip(hook.functions, hook.impls, strict=True)):
        given[f"f{number}"] = function
        call = f"f{number}({', '.join(f'a{index}' for index in range(impl.arguments))})"
        if impl.kind == "plain":
            starts.append(call)
        else:
            starts += [f"g{number} = {call}", f"next(g{number})"]
            ends.append(f"next(g{number}, None)")  # no StopIteration is made
    code = "\n".join([*starts, *ends]) or "pass"
    return [*hook.contestants(), statement(BY_HAND, code, {**given, **hook.values})]
