"""``bench TARGET`` and ``bench --script``: the command line of measuring a user's own code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from ..errors import InterfaceError, PluginError
from . import files, fresh, machine, report
from .boundary.arguments import ArgumentError
from .boundary.crossing import (
    Boundary,
    RaisedError,
    document,
    from_document,
    measure_boundary,
)
from .hotpath import script
from .hotpath.paths import HotPath

__all__ = ["main"]

INTERRUPTED = 130
ROUNDS = 3000
SECONDS, QUICK_SECONDS = 5.0, 0.5
HEADINGS = ("call", "median ns", "minimum ns", "quartiles")

Refuse = Callable[[str], int]
CannotWrite = Callable[[str, "str | None"], int]


def main(options: argparse.Namespace, refuse: Refuse, cannot_write: CannotWrite) -> int:
    """Measure what the options name, and report; the exit status."""
    if options.json is not None:
        try:
            files.check_writable(options.json)
        except OSError as error:
            return cannot_write(repr(options.json), error.strerror)
    if options.script is not None:
        return _script(options, refuse, cannot_write)
    if len(options.words) < 2:
        return refuse(
            "bench: expected TARGET SYMBOL [SIGNATURE] [ARGS], as in: bench ./f.so apply "
            "'double(double)' 1.5"
        )
    return _boundary(options, refuse, cannot_write)


def _write(
    options: argparse.Namespace, found: Mapping[str, Any], cannot_write: CannotWrite
) -> int | None:
    if options.json is None:
        return None
    try:
        files.write_json(options.json, {**found, "machine": machine.describe()})
    except OSError as error:
        if options.json == "-":
            raise
        return cannot_write(repr(options.json), error.strerror)
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ---- bench TARGET -------------------------------------------------------------------------------


def _boundary(options: argparse.Namespace, refuse: Refuse, cannot_write: CannotWrite) -> int:
    target, symbol, *words = options.words
    signature = words.pop(0) if words and _is_signature(words[0]) else None
    job = {
        "target": target,
        "symbol": symbol,
        "signature": signature,
        "arguments": words,
        "seconds": QUICK_SECONDS if options.quick else SECONDS,
    }
    # What the function itself prints is no part of the document.
    output = sys.stderr if options.json == "-" else None
    ended = fresh.run(f"{__name__}:_measure", job, output)
    found = ended.last("boundary")
    if found is None:
        if ended.interrupted:
            return INTERRUPTED
        for key, status in (("refused", 2), ("failed", 1)):
            if ended.last(key) is not None:
                refuse(f"bench: {_one_line(ended.last(key))}")
                return status
        what = {
            "open": f"opening {target} ended the process {{}}",
            "call": f"{symbol} ended the process {{}} on its first call",
            "measure": f"{symbol} ended the process {{}} while it was measured",
        }.get(ended.last("stage"), "the process that measures ended {}")
        refuse(f"bench: {what.format(fresh.how_it_ended(ended.status))}")
        return 1
    boundary = from_document(found)
    if options.json != "-":
        _print(boundary)
    if ended.interrupted:
        print("interrupted; this is what was measured until then", file=sys.stderr)
    failed = _write(options, found, cannot_write)
    return failed if failed is not None else INTERRUPTED if ended.interrupted else 0


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
        say({"refused": str(error)})
        return 2
    say({"boundary": document(found)})
    return 0


def _print(boundary: Boundary) -> None:
    called = f"{boundary.symbol}({', '.join(boundary.arguments)})"
    title = f"What a call of {called} costs"
    if boundary.signature is not None:
        title += f", a {boundary.signature}"
    if boundary.chosen:
        title += "; nobody gave arguments, so these were chosen"
    rows = []
    for cost in boundary.costs:
        if cost.spread is None:
            rows.append([f"{cost.name} ({cost.missing})", *["-"] * (len(HEADINGS) - 1)])
            continue
        numbers = [cost.spread.median, cost.minimum, cost.spread.low, cost.spread.high]
        median, minimum, low, high = map(report.nanoseconds, numbers)
        rows.append([cost.name, median, minimum, f"{low}-{high}"])
    report.print_table(title, HEADINGS, rows)
    print(f"\n{boundary.verdict}")


# ---- bench --script -----------------------------------------------------------------------------


def _script(options: argparse.Namespace, refuse: Refuse, cannot_write: CannotWrite) -> int:
    path = options.script
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "is not there"
        return refuse(f"bench: {path!r} {what}; --script takes the file of a Python program")
    output = sys.stderr if options.json == "-" else None
    found: HotPath | script.ScriptRun
    try:
        if options.function is not None:
            seconds = QUICK_SECONDS if options.quick else SECONDS
            found, interrupted = script.bench_function(
                path, options.words, options.function, seconds, output
            )
            status = 0
        else:
            found = script.bench_script(path, options.words, output)
            interrupted, status = found.interrupted, found.status
    except script.Failure as error:
        if error.status == INTERRUPTED:
            return INTERRUPTED
        refuse(f"bench: {_one_line(str(error))}")
        return error.status
    if options.json != "-":
        print(found)
    if interrupted:
        print("interrupted; this is what was seen until then", file=sys.stderr)
    elif status:
        print(f"{path} ended with exit status {status}", file=sys.stderr)
    failed = _write(options, script.document(found), cannot_write)
    if failed is not None:
        return failed
    return INTERRUPTED if interrupted else 1 if status else 0
