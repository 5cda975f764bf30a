"""The doctor's command line: what is asked for, and where the answers go."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from .. import files, machine
from ..wording import printable
from . import page, report
from .diagnosis import NoEntryPointsError, Target, diagnose, status, targets_of

__all__ = ["main"]


def main(
    options: argparse.Namespace,
    refuse: Callable[[str], int],
    cannot_write: files.CannotWrite,
) -> int:
    """Examine what the options name, and report; the exit status."""
    failed = files.check_all((options.json, options.html), cannot_write)
    if failed is not None:
        return failed
    try:
        targets = targets_of(options.targets, options.group)
    except NoEntryPointsError as error:
        return refuse(f"doctor: {error}")
    shown = _show_progress(len(targets)) if sys.stderr is not None and sys.stderr.isatty() else None
    try:
        found = diagnose(
            targets,
            runs=options.runs,
            timeout=options.timeout,
            max_ms=options.max_ms,
            progress=shown or (lambda index, target, what: None),
        )
    except OSError as error:
        return refuse(f"doctor: cannot start a process for a plugin: {error}")
    finally:
        if shown is not None:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
    document = report.document(found, machine.describe(), vars(options))
    if "-" not in (options.json, options.html):
        report.print_diagnoses(found, options.runs)
    failed = files.write_all(
        (
            (options.json, lambda: json.dumps(document, indent=2) + "\n"),
            (options.html, lambda: page.page(found, document)),
        ),
        cannot_write,
    )
    return status(found) if failed is None else failed


def _show_progress(number: int) -> Callable[[int, Target, str], None]:
    """One line on a terminal; a thread that draws would be in the way of what is timed."""

    def show(index: int, target: Target, what: str) -> None:
        line = printable(f"{index + 1} of {number}: {target.name}, {what}")[:78]
        print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)

    return show
