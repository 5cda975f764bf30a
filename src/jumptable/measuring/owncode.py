"""``bench TARGET`` and ``bench --script``: the command line of measuring a user's own code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import IO, Any

from ..errors import InterfaceError, PluginError, SignatureError
from . import command, files, fresh, ladder, machine, report
from .boundary.arguments import ArgumentError
from .boundary.crossing import Boundary, RaisedError, measure_boundary, row_name
from .hotpath import script
from .hotpath.paths import HotPath
from .neighbours import Quiet, quiet
from .results import Report, Row
from .wording import duration, printable, quartiles
from .workers import merged

__all__ = ["main"]

INTERRUPTED = 130
ROUNDS = 3000
PROCESSES, SECONDS, QUICK_SECONDS = 3, 5.0, 0.5
HEADINGS = ("call", "median", "minimum", "quartiles")

Refuse = Callable[[str], int]
CannotWrite = files.CannotWrite


def main(options: argparse.Namespace, refuse: Refuse, cannot_write: CannotWrite) -> int:
    """Measure what the options name, and report; the exit status."""
    wrong = _clash(options)
    if wrong:
        return refuse(f"bench: {wrong}")
    old = command.older(options, refuse)
    if isinstance(old, int):
        return old
    failed = files.check_all([options.json], cannot_write)
    if failed is not None:
        return failed
    found = _script(options, refuse) if options.script is not None else _boundary(options, refuse)
    if isinstance(found, int):
        return found
    facts = machine.describe()
    notes = command.notes(
        Report(facts, found.rows), [], found.undisturbed.notes, interrupted=found.interrupted
    )
    disturbed = found.undisturbed.disturbed
    whole = Report(facts, found.rows, notes=notes, disturbed=disturbed)

    def show() -> None:
        if options.json != "-":
            for note in found.undisturbed.notes:
                print(f"{note}\n")
        found.show()  # which ends with the verdict

    texts = [(options.json, lambda: command.json_text(whole, found.beside))]
    return command.finish(options, old, whole, found.status, texts, show, cannot_write)


@dataclass(frozen=True)
class Outcome:
    """What was measured: ``beside`` is all that is not rows."""

    rows: Sequence[Row]
    beside: Mapping[str, object]
    interrupted: bool
    status: int
    show: Callable[[], None]
    undisturbed: Quiet = field(default_factory=lambda: Quiet(()))


def _clash(options: argparse.Namespace) -> str:
    """What the options ask for that there is not; empty if all is well."""
    what = "--script" if options.script is not None else "TARGET"
    if options.html is not None:
        return f"--html is a page of the whole ladder, and there is none of {what}; use --json"
    if options.only:
        return f"--only chooses rows of the ladder, and {what} has none; leave it out"
    if options.script is not None and options.function is None and options.compare is not None:
        return (
            "--compare takes what is measured again and again, and a whole program is timed once; "
            "name one of its functions with --function"
        )
    if options.script is None and len(options.words) < 2:
        return (
            "expected TARGET SYMBOL [SIGNATURE] [ARGS], as in: bench ./f.so apply "
            "'double(double)' 1.5"
        )
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ---- bench TARGET -------------------------------------------------------------------------------


def _boundary(options: argparse.Namespace, refuse: Refuse) -> Outcome | int:
    target, symbol, *words = options.words
    signature = words.pop(0) if words and _is_signature(words[0]) else None
    job = {
        "target": target,
        "symbol": symbol,
        "signature": signature,
        "arguments": words,
    }
    found: list[Boundary] = []
    for seconds in _seconds(options):
        ended = fresh.run(f"{__name__}:_measure", {**job, "seconds": seconds}, _output(options))
        boundary = ended.last("boundary")
        if boundary is not None:
            found.append(boundary)
        elif not ended.interrupted:
            return _failed(ended, target, symbol, refuse)
        if ended.interrupted:
            break
    if not found:
        return INTERRUPTED
    undisturbed = quiet([one.rows for one in found], ladder.YARDSTICK, ladder.CROWD)
    boundary = replace(found[0], rows=tuple(merged(undisturbed.climbs)))
    interrupted = ended.interrupted

    def show() -> None:
        if options.json != "-":
            _print(boundary)
        if interrupted:
            print("interrupted; this is what was measured until then", file=sys.stderr)

    beside = {
        "target": boundary.target,
        "symbol": boundary.symbol,
        "signature": boundary.signature,
        "arguments": list(boundary.arguments),
        "arguments_chosen": boundary.chosen,
        "body_ns": boundary.body_ns,
        "boundary_ns": boundary.boundary_ns,
        "verdict": boundary.verdict,
    }
    status = INTERRUPTED if interrupted else 0
    return Outcome(boundary.rows, {"boundary": beside}, interrupted, status, show, undisturbed)


def _seconds(options: argparse.Namespace) -> list[float]:
    """How long each process measures; see `workers` for why there are several."""
    if options.quick:
        return [QUICK_SECONDS]
    return [SECONDS / PROCESSES] * PROCESSES


def _output(options: argparse.Namespace) -> IO[str] | None:
    """What the user's code prints is no part of a document."""
    return sys.stderr if options.json == "-" else None


def _failed(ended: fresh.Ended, target: str, symbol: str, refuse: Refuse) -> int:
    for key, status in (("refused", 2), ("failed", 1)):
        if ended.last(key) is not None:
            refuse(f"bench: {_one_line(ended.last(key))}")
            return status
    ending = fresh.how_it_ended(ended.status)
    what = {
        "open": f"opening {target} ended the process {ending}",
        "call": f"{symbol} ended the process {ending} on its first call",
        "measure": f"{symbol} ended the process {ending} while it was measured",
    }.get(ended.last("stage"), f"the process that measures ended {ending}")
    refuse(f"bench: {_one_line(what)}")
    return 1


def _is_signature(word: str) -> bool:
    """Whether it begins as a type does and has a parenthesis; no argument is like that."""
    return "(" in word and (word[0].isalpha() or word[0] == "_")


def _measure(job: dict[str, Any], say: Callable[[Mapping[str, Any]], None]) -> int:
    stopped = fresh.stop_at_interrupt()
    until = monotonic() + job["seconds"]
    try:
        found = measure_boundary(
            job["target"],
            job["symbol"],
            job["signature"],
            job["arguments"],
            rounds=ROUNDS,
            # One round at least: without any there is nothing.
            go_on=lambda done, rounds: not stopped() and (done < 1 or monotonic() < until),
            say=lambda stage: say({"stage": stage}),
        )
    except RaisedError as error:
        say({"failed": str(error)})
        return 1
    except (PluginError, InterfaceError, ArgumentError) as error:
        what = str(error)
        if job["signature"] is None and isinstance(error, SignatureError):
            # What it advises is for a program.
            what = (
                f"{what.partition('; ')[0]}; write its signature behind the name, with "
                "parentheses, as in 'double(double)'"
            )
        say({"refused": what})
        return 2
    say({"boundary": found})
    return 0


def _print(boundary: Boundary) -> None:
    called = f"{boundary.symbol}({', '.join(boundary.arguments)})"
    title = f"What a call of {called} costs"
    if boundary.signature is not None:
        title += f", a {boundary.signature}"
    if boundary.chosen:
        title += "; nobody gave arguments, so these were chosen"
    rows = []
    for row in boundary.rows:
        if row.name in ladder.YARDSTICKS:
            continue
        name = row.name.removeprefix(row_name(boundary.symbol, ""))
        if row.runs:
            low = duration(row.minimum)
            rows.append([name, duration(row.spread.median), low, quartiles(row.spread)])
        else:
            rows.append([f"{name} ({row.missing})", *["-"] * (len(HEADINGS) - 1)])
    report.print_table(printable(title), HEADINGS, rows)
    print(f"\n{printable(boundary.verdict)}")


# ---- bench --script -----------------------------------------------------------------------------


def _script(options: argparse.Namespace, refuse: Refuse) -> Outcome | int:
    path = options.script
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "is not there"
        return refuse(f"bench: {path!r} {what}; --script takes the file of a Python program")
    try:
        if options.function is None:
            return _program(options)
        return _function(options)
    except script.Failure as error:
        if error.status != INTERRUPTED:
            refuse(f"bench: {_one_line(str(error))}")
        return error.status


def _program(options: argparse.Namespace) -> Outcome:
    found = script.bench_script(options.script, options.words, _output(options))

    def show() -> None:
        _show(options, found, found.interrupted)
        if found.status and not found.interrupted:
            print(f"{options.script} ended with exit status {found.status}", file=sys.stderr)

    status = INTERRUPTED if found.interrupted else 1 if found.status else 0
    beside = {"hot_path": script.facts(found)}
    return Outcome(script.rows_of(found), beside, found.interrupted, status, show)


def _function(options: argparse.Namespace) -> Outcome:
    climbs: list[list[Row]] = []
    paths: list[HotPath] = []
    for seconds in _seconds(options):
        try:
            path, rows, interrupted = script.bench_function(
                options.script, options.words, options.function, seconds, _output(options)
            )
        except script.Failure as error:
            if error.status != INTERRUPTED or not paths:
                raise
            interrupted = True
            break
        paths.append(path)
        climbs.append(rows)
        if interrupted:
            break
    undisturbed = quiet(climbs, ladder.YARDSTICK, ladder.CROWD)
    together = merged(undisturbed.climbs)
    # What was inside is the same in each; what a call costs, all of them know better than one.
    found = paths[0].costing(together[0].spread, together[0].minimum)
    status = INTERRUPTED if interrupted else 0
    beside = {"hot_path": script.facts(found)}

    def show() -> None:
        _show(options, found, interrupted)

    return Outcome(together, beside, interrupted, status, show, undisturbed)


def _show(
    options: argparse.Namespace, found: HotPath | script.ScriptRun, interrupted: bool
) -> None:
    if options.json != "-":
        print(found)
    if interrupted:
        print("interrupted; this is what was seen until then", file=sys.stderr)
