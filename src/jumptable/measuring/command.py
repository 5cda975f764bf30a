"""``python -m jumptable bench`` without a target: the ladder, its reports and comparisons."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from time import perf_counter

from . import comparison, files, ladder, machine, report, saved
from .neighbours import quiet
from .results import Report
from .wording import printable
from .workers import Crew, merged

__all__ = ["chosen", "finish", "json_text", "measured", "notes", "older", "run"]

# In single processes, single rows have code or data in an unlucky place, and take a fifth longer.
PROCESSES, ROUNDS, QUICK_ROUNDS = 5, 900, 300
# Status: something is slower than the threshold allows.
SLOWER = 1
INTERRUPTED = 130
# Other programs computing on so much of the processors spoil a measurement.
BUSY = 0.5
# More names than this are no longer read.
NAMED = 5
# Of a terminal that does not tell.
USUAL_WIDTH = 80

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
    texts = ((options.json, lambda: json_text(found)), (options.html, lambda: _page(found)))

    def show() -> None:
        if "-" not in (options.json, options.html):
            report.print_report(found)

    if old is not None and only is not None:
        old = replace(old, rows={name: old.rows[name] for name in old.rows if name in only})
    status = INTERRUPTED if interrupted else 0
    return finish(options, old, found, status, texts, show, cannot_write)


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
    found: Report,
    status: int,
    texts: Iterable[tuple[str | None, Callable[[], str]]],
    show: Callable[[], None],
    cannot_write: files.CannotWrite,
) -> int:
    """Write what is asked for, show it and compare; the exit status, which may be one already."""
    # Written first of all: who reads the standard output may have gone.
    failed = files.write_all(texts, cannot_write)
    show()
    if old is not None:
        threshold = options.threshold / 100
        compared = comparison.compare(old, found, threshold, ladder.YARDSTICK, ladder.CROWD)
        with _printing_to_stderr("-" in (options.json, options.html)):
            report.print_comparison(compared, threshold)
        if compared.named(comparison.SLOWER) and not status:
            status = SLOWER
    return status if failed is None else failed


def json_text(found: Report, beside: Mapping[str, object] | None = None) -> str:
    """What --json writes; ``beside`` is added to what pyperf skips."""
    return json.dumps(saved.document(found, beside), indent=1, allow_nan=False) + "\n"


def _page(found: Report) -> str:
    from .page import render

    return render(found)


def _printing_to_stderr(needed: bool) -> ExitStack:
    """Where the standard output is JSON or HTML, and nothing else."""
    stack = ExitStack()
    if needed:
        errors = sys.stderr
        if errors is None:  # it is closed
            errors = io.StringIO()
        stack.enter_context(redirect_stdout(errors))
    return stack


def chosen(texts: Sequence[str]) -> list[str] | None:
    """The rows whose name or group has one of the texts in it, and what they are compared with."""
    if not texts:
        return None
    always = (ladder.BASELINE, ladder.YARDSTICK, ladder.CROWD)
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
        stack.enter_context(crew.passing_interrupts_on())
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
    rounds = max((run.rounds for rows in climbs for row in rows for run in row.runs), default=0)
    undisturbed = quiet(climbs, ladder.YARDSTICK, ladder.CROWD)
    rows = merged(undisturbed.climbs)
    facts["processes"] = sum(map(bool, climbs))
    facts["rounds"] = f"{rounds} in each process, interleaved"
    facts["took"] = f"{perf_counter() - began:.0f} s"
    found = Report(facts, rows, drawn, experiments)
    told = notes(found, crew.failures, undisturbed.notes, interrupted=crew.interrupted)
    return replace(found, notes=told, disturbed=undisturbed.disturbed), crew.interrupted


def notes(
    found: Report, failures: Sequence[str], left_out: Sequence[str] = (), *, interrupted: bool
) -> list[str]:
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
    told += left_out
    shaky = [row.name for row in found.rows if row.unstable]
    if ladder.YARDSTICK in shaky:
        told.append(
            "Unstable: work that is always the same did not always take the same time, so this "
            "machine's speed changed meanwhile. Ratios hold, since rounds are compared within "
            "themselves; for times, run it again when nothing else runs."
        )
    elif ladder.CROWD in shaky:
        told.append(
            "Unstable: work that needs all of a core did not always take the same time, so "
            "something else used the same cores in what is left, too. Run it again "
            "when nothing else runs."
        )
    if shaky:
        which = ", ".join(shaky)
        if len(shaky) > NAMED:
            measured = sum(bool(row.runs) for row in found.rows)
            which = f"{len(shaky)} of {measured} rows, which are marked"
        told.append(f"Unstable, by more than a tenth while it was measured: {which}.")
    return told


class _Progress:
    """How far it is, on a terminal: drawn when there is news, by no thread of its own."""

    def __init__(self, stages: int) -> None:
        self.stages, self.stage, self.name = stages, 0, ""
        self.draw: Callable[[str, float], None] = lambda text, part: None
        self.stack = ExitStack()

    def __enter__(self) -> _Progress:
        # A dumb terminal, such as an editor's, would show each step as a line of its own.
        if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
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
        # A line that is too long would be continued on the next, and left there.
        try:
            width = os.get_terminal_size(sys.stderr.fileno()).columns or USUAL_WIDTH
        except (OSError, ValueError):
            width = USUAL_WIDTH
        print(f"\r\x1b[2K{printable(text)[: width - 1]}", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
