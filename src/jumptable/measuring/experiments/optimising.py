"""Compile the plugin with other -O flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...loading.registry import open as open_plugin
from .. import loops
from ..ladder.compiled import empty_loop, timed
from ..results import Trial
from ..timing import Contestant, Spread, statement
from ..wording import duration
from .compiling import library
from .trying import Maker, Trying, compared

__all__ = ["EXPERIMENT", "FLAGS", "verdict"]

FLAGS = ("-O0", "-O2", "-O3")
STEPS = 256
SIGNATURE = "double(double)"
PROGRAM = f"""
double same(double x) {{ return x; }}
double body(double x) {{
    double values[{STEPS}], sum = 0;
    for (int i = 0; i < {STEPS}; i++) values[i] = x * i + 1;
    for (int i = 0; i < {STEPS}; i++) sum += values[i] * values[{STEPS} - 1 - i];
    return sum;
}}
"""


def _try_out(trying: Trying) -> tuple[Sequence[Trial], str]:
    contestants = []
    for flag in FLAGS:
        plugin = open_plugin(str(library(trying, f"optimised{flag}", PROGRAM, flag)))
        same, body = (plugin.lookup(name, SIGNATURE) for name in ("same", "body"))
        contestants.append(statement(_call(flag), "f(x)", {"f": same, "x": 1.5}))
        contestants.append(_in_c(_body(flag), body.__self__.address))
    found = trying.measured(contestants)
    names = [name(flag) for name in (_call, _body) for flag in FLAGS]
    calls = {flag: found[_call(flag)] for flag in FLAGS}
    bodies = {flag: found[_body(flag)] for flag in FLAGS}
    return [Trial(name, found[name]) for name in names], verdict(calls, bodies)


def _call(flag: str) -> str:
    return f"{flag}: a call that returns its argument"


def _body(flag: str) -> str:
    return f"{flag}: {2 * STEPS} steps of work, from C"


def _in_c(name: str, address: int) -> Contestant:
    return Contestant(name, timed(lambda count: loops.call(address, 1.5, count)), empty_loop())


def verdict(calls: Mapping[str, Spread], bodies: Mapping[str, Spread]) -> str:
    low, usual, high = FLAGS
    call = {
        -1: f"{high} makes the call faster than {low}",
        0: "no -O flag changes the call itself",
        1: f"{high} makes the call slower than {low}",
    }[compared(calls[low], calls[high])]
    took = f"{duration(calls[low].median)} to {duration(calls[high].median)}"
    slower = bodies[low].median / bodies[usual].median if bodies[usual].median else 0.0
    work = f"the plugin's own work takes {slower:.1f} times as long with {low} as with {usual}"
    more = {
        -1: f"{high} is faster still",
        0: f"{high} brings no more",
        1: f"{high} makes it slower",
    }[compared(bodies[usual], bodies[high])]
    return f"{call[0].upper()}{call[1:]} ({took}); {work}, and {more}."


EXPERIMENT = Maker("Compile with -O3 instead of -O2", _try_out)
