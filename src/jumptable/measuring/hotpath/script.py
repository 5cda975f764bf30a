"""A script's hot path: one of its functions, or whatever it does again and again.

A script is run as it is by ``python``, in processes of its own: a function of it is timed in one
that has run the file as a module; without a function the file is run as the main program twice,
once watched and once timed, so that each run finds the world as the first one does.
"""

from __future__ import annotations

import inspect
import io
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.machinery import SourceFileLoader
from subprocess import DEVNULL
from time import perf_counter_ns
from types import ModuleType
from typing import IO, Any

from ...binding.suggest import suggestion
from .. import fresh
from ..results import Row, few
from ..wording import duration
from .costs import new_watch, refer
from .paths import (
    LEAST_ROUNDS,
    Found,
    HotPath,
    bench_until,
    found_in,
    inside,
    refuse_what_runs_later,
    table,
    within,
)

__all__ = ["Failure", "ScriptRun", "bench_function", "bench_script", "facts", "rows_of"]

WHOLE = "a whole program"
INTERRUPTED = 130
# What happens less often on one line is no loop worth the name.
OFTEN = 100
REFERENCES = 300
COSTS_SECONDS = 2.0

Say = Callable[[Mapping[str, Any]], None]


class Failure(Exception):
    """Why there is nothing to report; ``status`` is the command's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ScriptRun:
    """What a script's lines did again and again, and what that is of the whole.

    ``ns`` is how long it took without being watched, or None if it did not come to that;
    ``watched_ns`` how long while it was. ``status`` is what it ended with; ``interrupted`` says
    that somebody pressed Ctrl-C in either run; ``disturbed`` that the script set a profiler of its
    own, and what came later was not seen.
    """

    script: str
    ns: int | None
    watched_ns: int
    status: int
    interrupted: bool
    findings: tuple[Found, ...]
    disturbed: bool = False

    @cached_property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        name = os.path.basename(self.script)
        cost = f"{name} took {duration(self.watched_ns if self.ns is None else self.ns)}"
        if self.status == INTERRUPTED:
            cost = f"{name} was interrupted after {duration(self.watched_ns)}"
        elif self.ns is None:
            cost += " while it was watched"
        if self.disturbed:
            cost += " and set or removed a profiler, after which nothing was seen"
        if self.findings:
            return f"{cost}, {inside(self.findings, often=True)}."
        return (
            f"{cost}; no open, look-up, bind or signature check was on a line that made {OFTEN} of "
            "them or more."
        )

    def __str__(self) -> str:
        if not self.findings:
            return self.verdict
        headings = ("what was inside", "times", "each", "share")
        return f"{self.verdict}\n\n{table(self.findings, headings)}"


def facts(found: HotPath | ScriptRun) -> dict[str, Any]:
    """What is not times of rows, as JSON; times are in nanoseconds, of a call or a whole run."""
    findings = [{**asdict(one), "ns": one.ns} for one in found.findings]
    if isinstance(found, ScriptRun):
        own: dict[str, Any] = {
            "script": found.script,
            "watched_ns": found.watched_ns,
            "status": found.status,
            "interrupted": found.interrupted,
            "disturbed": found.disturbed,
        }
    else:
        own = {
            "function": found.name,
            "empty_ns": found.empty_ns,
            "calls": found.calls,
            "counted": found.counted,
        }
    return {**own, "findings": findings, "verdict": found.verdict}


def rows_of(found: ScriptRun) -> list[Row]:
    """The time of the whole run, which was measured once."""
    name = os.path.basename(found.script)
    if found.ns is None:
        return [Row(name, WHOLE, missing="it did not come to its end, so it was not timed")]
    return [Row(name, WHOLE, runs=(few([found.ns]),))]


def bench_function(
    script: str, arguments: Sequence[str], name: str, seconds: float, output: int | IO[Any] | None
) -> tuple[HotPath, list[Row], bool]:
    """`bench` of one function of a script, its rows, and whether somebody interrupted it."""
    job = {"script": script, "arguments": list(arguments), "function": name, "seconds": seconds}
    ended = fresh.run(f"{__name__}:_bench_function", job, output)
    found = ended.last("found")
    if found is None:
        raise _failure(script, ended)
    return found, ended.last("rows"), ended.interrupted


def bench_script(script: str, arguments: Sequence[str], output: int | IO[Any] | None) -> ScriptRun:
    """Run a script watched, and then once more, unseen, to be timed."""
    job = {"script": script, "arguments": list(arguments), "watch": True}
    watched = fresh.run(f"{__name__}:_run_script", job, output)
    found = watched.last("watched_ns")
    if found is None:
        raise _failure(script, watched)
    interrupted = watched.interrupted or bool(watched.last("interrupted"))
    ns = None
    status = watched.last("status")
    if not interrupted and status == 0:
        timed = fresh.run(f"{__name__}:_run_script", {**job, "watch": False}, DEVNULL)
        interrupted = timed.interrupted
        if timed.last("status") == status and not interrupted:
            ns = timed.last("ns")
    findings = []
    for one in watched.last("findings") or ():
        if one.ns is not None:
            one = replace(one, share=min(1.0, one.ns / max(1, ns or found)))
        findings.append(one)
    return ScriptRun(
        script, ns, found, status, interrupted, within(findings), watched.last("disturbed")
    )


def _failure(script: str, ended: fresh.Ended) -> Failure:
    if ended.interrupted:
        return Failure(f"{script} was interrupted before anything was measured", INTERRUPTED)
    refused = ended.last("refused")
    if refused is not None:
        return Failure(refused, 2)
    if ended.last("raised"):
        return Failure(f"{script} raised an exception", 1)
    return Failure(f"{script} ended the process {fresh.how_it_ended(ended.status)}", 1)


# ---- in the process -----------------------------------------------------------------------------


def _bench_function(job: dict[str, Any], say: Say) -> int:
    script, name = job["script"], job["function"]
    _set_up(job)
    stem = os.path.splitext(os.path.basename(script))[0]
    module = _new_module(script, f"_{stem}_" if stem in sys.modules else stem)
    status = _guarded(lambda: _execute(script, module), say)
    if status:
        return status
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        say({"refused": f"{script} has no function {name!r}{_others(module, name)}"})
        return 2
    stopped = fresh.stop_at_interrupt()

    def work() -> None:
        # Not before: what the script imports is its own affair.
        from ..ladder.compiled import yardstick_rows, yardsticks

        found = bench_until(function, (), job["seconds"], stopped, yardsticks())
        row = Row(f"{name}()", os.path.basename(script), runs=(found.run,))
        rows = [row, *yardstick_rows(found.beside)]
        say({"found": replace(found.path, name=name), "rows": rows})

    if problem := _problem(function, name):
        say({"refused": problem})
        return 2
    return _guarded(work, say)


def _problem(function: Any, name: str) -> str:
    """Why a function cannot be called as it is, if it cannot."""
    try:
        refuse_what_runs_later(function)
    except TypeError as error:
        return str(error)
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        return f"{name}() needs arguments ({error}); name a function that takes none"
    except ValueError:  # a function of C that does not say
        pass
    return ""


def _others(module: ModuleType, name: str) -> str:
    known = [
        other
        for other, value in vars(module).items()
        if callable(value)
        and not other.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
    ]
    listed = ", ".join(known[:10]) or "none"
    return suggestion(name, known, otherwise=f"; those that it has: {listed}")


def _run_script(job: dict[str, Any], say: Say) -> int:
    script = job["script"]
    _set_up(job)
    module = _new_module(script, "__main__")
    if not job["watch"]:
        start = perf_counter_ns()
        status = _guarded(lambda: _execute(script, module), say)
        say({"ns": perf_counter_ns() - start, "status": status})
        return status
    with new_watch() as watch:
        for _ in range(REFERENCES):
            refer()
        start = perf_counter_ns()
        status = _guarded(lambda: _execute(script, module), say)
        elapsed = perf_counter_ns() - start
        disturbed = not watch.undisturbed
        for _ in range(REFERENCES):
            refer()
    for key in [key for key, one in watch.seen.items() if one.count < OFTEN]:
        del watch.seen[key]
    until = perf_counter_ns() + COSTS_SECONDS * 1e9
    findings = found_in(
        watch, 1, float(elapsed), lambda done, _: done < LEAST_ROUNDS or perf_counter_ns() < until
    )
    say({"watched_ns": elapsed, "status": status, "findings": findings, "disturbed": disturbed})
    return status


def _set_up(job: Mapping[str, Any]) -> None:
    """What ``python script`` sets up for a program."""
    script = job["script"]
    sys.argv = [script, *job["arguments"]]
    # In the place of that of this process's own program, which python -m or a script has put there.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path[:1] = [os.path.dirname(os.path.realpath(script))]


def _new_module(script: str, name: str) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = script
    module.__loader__ = SourceFileLoader(name, script)
    module.__dict__.setdefault("__builtins__", __builtins__)
    sys.modules[name] = module
    return module


def _execute(script: str, module: ModuleType) -> None:
    with io.open_code(os.path.abspath(script)) as file:
        source = file.read()
    exec(compile(source, script, "exec", dont_inherit=True), module.__dict__)


def _guarded(work: Callable[[], object], say: Say) -> int:
    """Do what is the user's own; the exit status that it has given, 1 if it has raised."""
    try:
        work()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say({"interrupted": True})
        return INTERRUPTED
    except BaseException as error:
        _show(error)
        say({"raised": True})
        return 1
    return 0


def _show(error: BaseException) -> None:
    """Its traceback, from the user's first frame on."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((package, "<timed: ")):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)
