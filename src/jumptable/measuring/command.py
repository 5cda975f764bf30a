"""``python -m jumptable bench`` without a target: the ladder, its reports and comparisons."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from time import perf_counter

from . import comparison, files, ladder, machine, report, saved
from .results import Report, Row
from .workers import Crew, merged

__all__ = ["chosen", "finish", "measured", "notes", "older", "run"]

PROCESSES, ROUNDS, QUICK_ROUNDS = 3, 1_500, 300
# Status: something is slower than the threshold allows.
SLOWER = 1
INTERRUPTED = 130
# Other programs computing on so much of the processors spoil a measurement.
BUSY = 0.5

Refuse = Callable[[str], int]


def run(options: argparse.Namespace, refuse: Refuse, cannot_write: files.CannotWrite) -> int:
    """Measure, show, write and compare; the exit status."""
    old = older(options, refuse)
    if isinstance(old, int):
        return old
    failed = files.check_all((options.json, options.html), cannot_write)
    if failed is not None:
        return failed
    try:
        only = chosen(options.only)
    except LookupError as error:
        return refuse(f"bench: {error}")
    found, interrupted = measured(quick=options.quick, curves=options.html is not None, only=only)
    if not any(row.runs for row in found.rows):
        if interrupted:
            return INTERRUPTED
        return refuse(f"bench: nothing could be measured: {'; '.join(found.notes)}")
    if "-" not in (options.json, options.html):
        report.print_report(found)
    texts = (
        (options.json, lambda: json.dumps(saved.document(found), indent=1) + "\n"),
        (options.html, lambda: _page(found)),
    )
    return finish(options, old, found.rows, INTERRUPTED if interrupted else 0, texts, cannot_write)


def older(options: argparse.Namespace, refuse: Refuse) -> saved.Saved | int | None:
    """What --compare names, None without it; the exit status if that cannot be read."""
    if options.compare is None:
        return None
    try:
        return saved.load(options.compare)
    except OSError as error:
        return refuse(f"bench: cannot read {options.compare!r}: {error.strerror}")
    except saved.NotResultsError as error:
        return refuse(f"bench: cannot compare with {options.compare!r}: {error}")


def finish(
    options: argparse.Namespace,
    old: saved.Saved | None,
    rows: Sequence[Row],
    status: int,
    texts: Iterable[tuple[str | None, Callable[[], str]]],
    cannot_write: files.CannotWrite,
) -> int:
    """Compare with the older run and write what is asked for; the exit status, if none is yet."""
    if old is not None:
        compared = comparison.compare(old, rows, options.threshold / 100, ladder.YARDSTICK)
        with _printing_to_stderr("-" in (options.json, options.html)):
            report.print_comparison(compared, options.threshold / 100)
        if compared.named(comparison.SLOWER) and not status:
            status = SLOWER
    failed = files.write_all(texts, cannot_write)
    return status if failed is None else failed


def _page(found: Report) -> str:
    from .page import render

    return render(found)


def _printing_to_stderr(needed: bool) -> ExitStack:
    """Where the standard output is JSON or HTML, and nothing else."""
    stack = ExitStack()
    if needed:
        stack.enter_context(redirect_stdout(sys.stderr))
    return stack


def chosen(texts: Sequence[str]) -> list[str] | None:
    """The rows whose name or group has one of the texts in it, and what they are compared with."""
    if not texts:
        return None
    always = (ladder.BASELINE, ladder.YARDSTICK)
    found: list[str] = []
    for text in texts:
        fits = [
            rung.name
            for rung in ladder.RUNGS
            if text.casefold() in f"{rung.group}\n{rung.name}".casefold()
        ]
        if not fits:
            groups = ", ".join(dict.fromkeys(rung.group for rung in ladder.RUNGS))
            raise LookupError(
                f"no row and no group has {text!r} in its name; the groups are: {groups}"
            )
        found += fits
    return [rung.name for rung in ladder.RUNGS if rung.name in always or rung.name in found]


def measured(
    *, quick: bool, curves: bool = False, only: list[str] | None = None, seed: int = 0
) -> tuple[Report, bool]:
    """Everything, by processes of their own; and whether an interrupt ended it early.

    ``only`` are names of rows; then there are neither experiments nor curves.
    """
    ladder_alone = quick or only is not None
    began = perf_counter()
    facts = machine.describe() | machine.packages()
    processes = 1 if quick else PROCESSES
    with ExitStack() as stack:
        show = stack.enter_context(_Progress(processes + (0 if ladder_alone else 1 + curves)))
        crew = Crew(show.update)
        climbs = []
        for number in range(processes):
            show.begin(f"ladder, process {number + 1} of {processes}")
            rounds = QUICK_ROUNDS if quick else ROUNDS
            climbs.append(
                crew.work("ladder", rounds=rounds, seed=seed + number, quick=quick, only=only)
            )
        experiments, drawn = [], []
        if not ladder_alone:
            show.begin("what not to optimise")
            experiments = crew.work("experiments")
        if curves and not ladder_alone:
            show.begin("curves")
            drawn = crew.work("curves")
    rows = merged(climbs)
    rounds = max((run.rounds for row in rows for run in row.runs), default=0)
    facts["processes"] = sum(map(bool, climbs))
    facts["rounds"] = f"{rounds} in each process, interleaved"
    facts["took"] = f"{perf_counter() - began:.0f} s"
    found = Report(facts, rows, drawn, experiments)
    told = notes(found, crew.failures, interrupted=crew.interrupted)
    return Report(facts, rows, drawn, experiments, told), crew.interrupted


def notes(found: Report, failures: list[str], *, interrupted: bool) -> list[str]:
    """What a reader must know before believing a number."""
    told = [f"Failed: {failure}." for failure in failures]
    if interrupted:
        told.append("Interrupted: what was measured until then is shown, and the rest is missing.")
    busy, usable = found.machine.get("load"), found.machine.get("usable cpus", 1)
    if isinstance(busy, float) and isinstance(usable, int) and busy > BUSY * usable:
        told.append(
            f"Something else computed on this machine when the measurement began (load {busy:g} on "
            f"{usable} processor{'s' if usable > 1 else ''}): times may be too long."
        )
    shaky = [row.name for row in found.rows if row.unstable]
    if ladder.YARDSTICK in shaky:
        told.append(
            "Unstable: work that is always the same did not always take the same time, so this "
            "machine's speed changed meanwhile. Ratios hold, since rounds are compared within "
            "themselves; for times, run it again when nothing else runs."
        )
    if shaky:
        told.append(f"Unstable, by more than a tenth while it was measured: {', '.join(shaky)}.")
    return told


class _Progress:
    """How far it is, on a terminal: drawn when there is news, by no thread of its own."""

    def __init__(self, stages: int) -> None:
        self.stages, self.stage, self.name = stages, 0, ""
        self.draw: Callable[[str, float], None] = lambda text, part: None
        self.stack = ExitStack()

    def __enter__(self) -> _Progress:
        if sys.stderr is not None and sys.stderr.isatty():
            try:
                self.draw = self.stack.enter_context(_bar(self.stages))
            except ImportError:
                self.draw = self.stack.enter_context(_line())
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def begin(self, name: str) -> None:
        self.stage, self.name = self.stage + 1, name
        self.update("starting", 0, 0)

    def update(self, doing: str, done: int, total: int) -> None:
        self.draw(f"{self.name}: {doing}", self.stage - 1 + (done / total if total else 0))


@contextmanager
def _bar(stages: int) -> Iterator[Callable[[str, float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Progress(
        *columns, console=Console(stderr=True), transient=True, auto_refresh=False
    ) as progress:
        task = progress.add_task("", total=stages)

        def draw(text: str, done: float) -> None:
            progress.update(task, description=text, completed=done, refresh=True)

        yield draw


@contextmanager
def _line() -> Iterator[Callable[[str, float], None]]:
    def draw(text: str, done: float) -> None:
        print(f"\r\x1b[2K{text}"[:78], end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
