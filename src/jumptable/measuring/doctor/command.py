"""The doctor's command line: what is asked for, and where the answers go."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from .. import files, machine
from . import page, report
from .diagnosis import NoEntryPointsError, Target, diagnose, status, targets_of
from .findings import printable

__all__ = ["main"]


def main(
    options: argparse.Namespace,
    refuse: Callable[[str], int],
    cannot_write: Callable[[str, str | None], int],
) -> int:
    """Examine what the options name, and report; the exit status."""
    for path in (options.json, options.html):
        if path is not None:
            try:
                files.check_writable(path)
            except OSError as error:
                return cannot_write(repr(path), error.strerror)
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
    texts: tuple[tuple[str | None, Callable[[], str]], ...] = (
        (options.json, lambda: json.dumps(document, indent=2) + "\n"),
        (options.html, lambda: page.page(found, document)),
    )
    for path, text in texts:
        if path is None:
            continue
        try:
            files.write_text(path, text())
        except OSError as error:
            if path == "-":
                raise
            return cannot_write(repr(path), error.strerror)
    return status(found)


def _show_progress(number: int) -> Callable[[int, Target, str], None]:
    """One line on a terminal; a thread that draws would be in the way of what is timed."""

    def show(index: int, target: Target, what: str) -> None:
        line = printable(f"{index + 1} of {number}: {target.name}, {what}")[:78]
        print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)

    return show
