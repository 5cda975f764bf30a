"""The command line: ``python -m jumptable``, and the script ``jumptable``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from . import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

__all__ = ["main"]

# What a shell reports for a program that SIGINT or SIGPIPE ended.
INTERRUPTED = 130
BROKEN_PIPE = 141
USAGE = 2

ROUNDS, QUICK_ROUNDS = 5_000, 500

EXAMPLES = """\
examples:
  python -m jumptable bench                     the cost ladder on this machine
  python -m jumptable bench --quick             the same in under three seconds
  python -m jumptable bench --json ladder.json  for a script to read; '-' is standard output
  python -m jumptable run -m pytest -q          a program on compiled hooks and dispatch
  cc -I"$(python -m jumptable include)" ...     compile what includes jumptable's headers
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    if arguments is None:
        arguments = sys.argv[1:]
    if list(arguments[:1]) == ["run"]:
        # Its words are the program's, and so are its exceptions: nothing here may touch them.
        from . import run

        return run.main(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    if sys.stdout is None:
        return _cannot_write("standard output", "it is closed")
    try:
        status = _include() if options.command == "include" else _bench(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # The interpreter flushes standard output once more at exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return BROKEN_PIPE
        return _cannot_write("standard output", error.strerror)
    return status


def _parser() -> argparse.ArgumentParser:
    import argparse  # not for ``run``, which is not to find one of the program's

    parser = argparse.ArgumentParser(
        prog="jumptable",
        description="Measure what calls across a plugin boundary cost, run programs on compiled "
        "hook calls and dispatch, and find the C headers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jumptable {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    bench = commands.add_parser(
        "bench",
        help="the cost ladder on this machine",
        description="Time one small call in every way a host could make it, interleaved.",
        epilog="Times are nanoseconds per call. 'x direct' is the ratio to a direct Python call, "
        "taken in each round: its median and quartiles. Nothing is compiled.",
    )
    bench.add_argument("--quick", action="store_true", help="fewer rounds: under three seconds")
    bench.add_argument(
        "--json", metavar="FILE", help="write the results as JSON; '-' is standard output"
    )
    commands.add_parser(
        "run",
        help="a program on the drop-ins for pluggy and functools: "
        "run [-m module | -c code | script] ...",
    )
    commands.add_parser(
        "include",
        help="the folder with the C headers",
        description="Print the folder to compile with, -I, for jumptable/plugin.h and host.h.",
    )
    return parser


def _include() -> int:
    from .binding.headers import get_include

    print(get_include())
    return 0


def _bench(options: argparse.Namespace) -> int:
    from .measuring import ladder, machine, report

    if options.json is not None:
        try:
            report.check_writable(options.json)
        except OSError as error:
            return _cannot_write(repr(options.json), error.strerror)
    rungs, measurement = ladder.climb(QUICK_ROUNDS if options.quick else ROUNDS)
    facts = machine.describe()
    if options.json != "-":
        report.print_ladder(rungs, measurement, facts)
    if options.json is not None:
        document = report.ladder_document(rungs, measurement, facts)
        try:
            report.write_json(options.json, document)
        except OSError as error:
            if options.json == "-":
                raise
            return _cannot_write(repr(options.json), error.strerror)
    return 0


def _cannot_write(what: str, reason: str | None) -> int:
    print(f"jumptable: cannot write {what}: {reason or 'no reason was given'}", file=sys.stderr)
    return USAGE
