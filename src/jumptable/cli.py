"""The command line: ``python -m jumptable``, and the script ``jumptable``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence

from . import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from re import Pattern
    from typing import TypeVar

    Number = TypeVar("Number", int, float)

__all__ = ["main"]

# What a shell reports for a program that SIGINT or SIGPIPE ended.
INTERRUPTED = 130
BROKEN_PIPE = 141
USAGE = 2

EXAMPLES = """\
examples:
  python -m jumptable bench                     the cost ladder on this machine
  python -m jumptable bench --html ladder.html  the same to look at, with curves
  python -m jumptable bench ./f.so apply 'double(double)' 1.5
                                                your own boundary against its body
  python -m jumptable bench --script host.py    what a host opens and looks up again and again
  python -m jumptable doctor mypkg.filters      what opening a plugin costs, and does
  python -m jumptable run -m pytest -q          a program on compiled hooks and dispatch
  cc -I"$(python -m jumptable include)" ...     compile what includes jumptable's headers
"""

BENCH_EXAMPLES = """\
Times are those of one call, without the loop around it. 'x direct' is the ratio to a direct Python
call, taken in each round. The exit status is 0 if all is well, 1 if --compare found something
slower, 2 if the command cannot be carried out or a report cannot be written, and 130 after Ctrl-C.

With TARGET SYMBOL, one function of a plugin is called in every way instead: the verdict says what
of it is its body, and what the boundary. SIGNATURE may be left out for a Python function, and for a
library that declares its types. Arguments are written by the function's types: 1.5, inf or nan; 1
or 0x10; true or false; any text for 'const char *', where NULL is NULL; [1000] for a pointer to
1000 zeros, float64[1000] to say of which type, or 1,2,3 for a pointer to these; NULL, an address or
[64], which are bytes, for 'void *'; a Python literal for an object, and for all arguments of a
Python function. Without any, numbers are 1.5, integers 1, texts 'text' and truths true.

With --script, a program is run twice, watched and timed, and with --function one of its functions
is called again and again: the verdict says which open, look-up, bind or signature check is in it,
on which line. What begins with a dash goes behind --.

examples:
  python -m jumptable bench                        the ladder, in five processes
  python -m jumptable bench --quick                in one, in under ten seconds
  python -m jumptable bench --only hook            only the rows and groups named so
  python -m jumptable bench --html ladder.html     a page to look at, with curves
  python -m jumptable bench --json now.json        pyperf compare_to old.json now.json
  python -m jumptable bench --compare old.json --threshold 20     for CI
  python -m jumptable bench ./f.so apply 'double(double)' 1.5
  python -m jumptable bench ./f.so total 'double(const double *, size_t)' '[1000]' 1000
  python -m jumptable bench mypkg.filters apply 1.5
  python -m jumptable bench --script host.py -- --verbose input.txt
  python -m jumptable bench --script host.py --function handle
"""

DOCTOR_EXAMPLES = """\
Each plugin is opened in a process that is watched, and then in N that are timed. The exit status is
0 if all is well or there are only notes, 1 if there are warnings or errors or a budget is exceeded,
and 2 if the command cannot be carried out.

examples:
  python -m jumptable doctor mypkg.filters ./f.so     a module and a library
  python -m jumptable doctor --group myapp.plugins    what a host would find
  python -m jumptable doctor mypkg --html page.html   a time-line to look at
  python -m jumptable doctor mypkg --max-ms 20        for CI: status 1 if it takes longer
  python -m jumptable doctor mypkg --json - --runs 1  for a script to read
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
    options = _parsed(parser, arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    if sys.stdout is None:
        return _cannot_write("standard output", "it is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an encoding may have no "µs"
    try:
        status = COMMANDS[options.command](options)
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


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """What argparse makes of it, and words of ``bench`` also behind an option in their midst."""
    options, more = parser.parse_known_args(arguments)
    is_word = _negative_argument().match
    if more and (
        options.command != "bench"
        or any(word.startswith("-") and not is_word(word) for word in more)
    ):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        options.words += more
    return options


def _parser() -> argparse.ArgumentParser:
    import argparse  # not for ``run``, which is not to find one of the program's

    parser = argparse.ArgumentParser(
        prog="jumptable",
        description="Measure what calls across a plugin boundary cost and what opening plugins "
        "does, run programs on compiled hook calls and dispatch, and find the C headers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser._negative_number_matcher = _negative_argument()
    parser.add_argument("--version", action="version", version=f"jumptable {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_bench(commands)
    _add_doctor(commands)
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


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    import argparse

    bench = commands.add_parser(
        "bench",
        help="the cost ladder on this machine",
        description="Time one small call in every way a host could make it, interleaved.",
        epilog=BENCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench.add_argument(
        "--quick",
        action="store_true",
        help="one process and fewer rounds, the ladder alone: under ten seconds",
    )
    bench.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="only rows with this in their name or group; may be repeated",
    )
    bench.add_argument(
        "--json",
        metavar="FILE",
        help="write the results as pyperf's JSON; '-' is standard output",
    )
    bench.add_argument(
        "--html",
        metavar="FILE",
        help="write a page to look at, with curves; '-' is standard output; needs matplotlib",
    )
    bench.add_argument(
        "--compare",
        metavar="OLD.json",
        help="say what became slower since --json wrote that file; then the status is 1",
    )
    bench.add_argument(
        "--threshold",
        type=_percent,
        default=10.0,
        metavar="PERCENT",
        help="how much slower a row may be for --compare (default: 10)",
    )
    _add_own_code(bench)


def _add_own_code(bench: argparse.ArgumentParser) -> None:
    bench._negative_number_matcher = _negative_argument()
    bench.add_argument(
        "words",
        nargs="*",
        metavar="TARGET",
        help="TARGET SYMBOL [SIGNATURE] [ARGS]: a function of a plugin, and what the boundary to "
        "it costs; with --script, what the script finds in its sys.argv",
    )
    bench.add_argument(
        "--script", metavar="FILE", help="a program: what it opens and looks up again and again"
    )
    bench.add_argument(
        "--function", metavar="NAME", help="a function of the script: what is in a call of it"
    )


def _negative_argument() -> Pattern[str]:
    """What begins with a dash and is no option: numbers as `bench` takes them, and lists of them.

    argparse itself knows only some of them, as -1 and -1.5.
    """
    import re

    number = r"-(\d[\w.]*([eEpP][-+]?\d+)?|\.\d[\w.]*([eE][-+]?\d+)?|(?i:inf(inity)?|nan))"
    return re.compile(rf"^{number}(,.*)?$")


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    import argparse

    doctor = commands.add_parser(
        "doctor",
        help="what opening plugins costs, and what they do meanwhile",
        description="Open each plugin in fresh processes: say how long that takes, and what its "
        "initialisation does that it should leave to the host.",
        epilog=DOCTOR_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="what jumptable.open() takes: a library's path or name, a module, 'module:object'",
    )
    doctor.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME",
        help="all entry points of a group; may be repeated",
    )
    doctor.add_argument(
        "--runs", type=_at_least_one, default=5, metavar="N", help="timed runs of each (default: 5)"
    )
    doctor.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long opening may take (default: 30)",
    )
    doctor.add_argument(
        "--max-ms",
        type=_milliseconds,
        metavar="N",
        help="a budget: opening one may take this long, by the median",
    )
    for kind in ("json", "html"):
        doctor.add_argument(
            f"--{kind}",
            metavar="FILE",
            help=f"write a report as {kind.upper()}; '-' is standard output",
        )


def _at_least_one(text: str) -> int:
    return _number(text, int, "a number of runs, 1 or more", lambda number: number >= 1)


def _seconds(text: str) -> float:
    # A day: more than the clocks of some systems can wait for is no limit either.
    return _number(text, float, "seconds, more than 0 and at most 86400", lambda n: 0 < n <= 86400)


def _milliseconds(text: str) -> float:
    return _number(text, float, "milliseconds, 0 or more", lambda n: 0 <= n < float("inf"))


def _percent(text: str) -> float:
    return _number(text.removesuffix("%"), float, "a percentage, 0 or more", lambda n: 0 <= n < 1e6)


def _number(
    text: str, kind: Callable[[str], Number], expected: str, fits: Callable[[Number], bool]
) -> Number:
    import argparse

    try:
        number = kind(text)
    except ValueError:
        pass
    else:
        if fits(number):
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")


def _doctor(options: argparse.Namespace) -> int:
    if not (options.targets or options.group):
        return _refuse("doctor: expected a TARGET or --group NAME; see jumptable doctor --help")
    clash = _clash(options)
    if clash:
        return _refuse(f"doctor: {clash}")
    try:
        import psutil  # noqa: F401
        import rich.table  # noqa: F401
    except ImportError as error:
        missing = (error.name or "a package").partition(".")[0]
        return _refuse(
            f'doctor needs {missing}, which is not installed: pip install "jumptable[doctor]"'
        )
    from .measuring.doctor import command

    return command.main(options, _refuse, _cannot_write)


def _include(options: argparse.Namespace) -> int:
    from .binding.headers import get_include

    print(get_include())
    return 0


def _bench_own_code(options: argparse.Namespace) -> int:
    if options.function is not None and options.script is None:
        return _refuse("bench: --function names a function of --script FILE, which is missing")
    from .measuring import owncode

    return owncode.main(options, _refuse, _cannot_write)


def _bench(options: argparse.Namespace) -> int:
    if options.words or options.script is not None or options.function is not None:
        return _bench_own_code(options)
    clash = _clash(options)
    if clash:
        return _refuse(f"bench: {clash}")
    if options.html is not None:
        # Drawn after minutes of measuring: what keeps it from being drawn is said before.
        from .measuring import page

        try:
            page.drawer()
        except page.MatplotlibMissingError as error:
            return _refuse(f"bench {error}")
        except Exception as error:
            return _refuse(f"bench --html: matplotlib cannot be used: {error}")
    from .measuring import command

    return command.run(options, _refuse, _cannot_write)


def _clash(options: argparse.Namespace) -> str:
    """Why both reports cannot go where they should; empty if they can."""
    if options.json == options.html == "-":
        return "--json - and --html - cannot both be standard output"
    files = [os.path.realpath(path) for path in (options.json, options.html) if path is not None]
    if len(files) == 2 and files[0] == files[1] != os.devnull:
        return "--json and --html cannot be one file; name two"
    return ""


def _refuse(what: str) -> int:
    print(f"jumptable: {what}", file=sys.stderr)
    return USAGE


def _cannot_write(what: str, reason: str | None) -> int:
    print(f"jumptable: cannot write {what}: {reason or 'no reason was given'}", file=sys.stderr)
    return USAGE


COMMANDS = {"bench": _bench, "doctor": _doctor, "include": _include}
