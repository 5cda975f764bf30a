"""What the boundary between a host and one function of a plugin costs.

A native function is called from Python, as a host calls it, and from C through its pointer, with
the same arguments: that is its body, and the rest is the boundary. Where no loop of C can call it
(more arguments than registers, a Python object as its result), or the body takes so long that what
varies in it is more than the boundary, the boundary is instead what an empty function of the same
type costs. A Python function is called itself: there is no boundary, and that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter_ns
from typing import Any

from ...binding.plan import Plan
from ...binding.signatures import CType, Signature, parse, parse_signature
from ...binding.symbol import Symbol, make_function
from ...binding.table import Table
from ...loading.registry import Target
from ...loading.registry import open as open_plugin
from .. import bodies
from ..hotpath.paths import refuse_what_runs_later
from ..ladder.compiled import yardstick_rows, yardsticks
from ..results import Row, Run, few, run_of
from ..timing import Contestant, measure, statement
from ..wording import duration
from .arguments import ArgumentError, read, read_literals, words

__all__ = ["Boundary", "RaisedError", "measure_boundary", "row_name"]

FROM_PYTHON = "from Python, looked up once"
ITSELF = "called directly"
FACADE = "through a table's facade"
EMPTY = "an empty function of the same type"
FROM_C = "from C, through its pointer: the body"
CTYPES = "ctypes, argtypes set"
LOOK_UP = "with a look-up in the loop"
OPEN = "with an open and a look-up in the loop"

LATER = ", though not when it was first called"

# Beyond this, what varies in a body is more than the boundary.
LONG_NS = 10_000
# What takes longer is called a few times only.
SLOW_NS = 100_000_000
SLOW_CALLS = 5

GoOn = Callable[[int, int], bool]


class RaisedError(Exception):
    """The function raised an exception when it was called; the cause is that."""


@dataclass(frozen=True)
class Boundary:
    """What was measured: a row for each way to call, and the yardsticks.

    ``signature`` is None for a Python function.
    """

    target: str
    symbol: str
    signature: str | None
    arguments: tuple[str, ...]
    chosen: bool  # whether the arguments are none of the user's
    rows: tuple[Row, ...]

    def ns(self, name: str) -> float | None:
        """The median of one way to call, or None if it was not measured."""
        for row in self.rows:
            if row.name == row_name(self.symbol, name) and row.runs:
                return row.spread.median
        return None

    @cached_property
    def total_ns(self) -> float | None:
        return self.ns(FROM_PYTHON)

    @cached_property
    def boundary_ns(self) -> float | None:
        """What of a call from Python is not the function's own work."""
        total, body, empty = self.total_ns, self.ns(FROM_C), self.ns(EMPTY)
        if total is None:
            return None
        if self.signature is None:
            itself = self.ns(ITSELF)
            return None if itself is None else max(0.0, total - itself)
        if body is not None and (total < LONG_NS or empty is None):
            return max(0.0, total - body)
        return None if empty is None else min(empty, total)

    @cached_property
    def body_ns(self) -> float | None:
        if self.total_ns is None or self.boundary_ns is None:
            return None
        return self.total_ns - self.boundary_ns

    @cached_property
    def verdict(self) -> str:
        """What was found, in one sentence."""
        total, boundary, body = self.total_ns, self.boundary_ns, self.body_ns
        if total is None:
            return f"{self.symbol} was interrupted before anything was measured."
        cost = f"{self.symbol} costs {duration(total)} from Python"
        if boundary is None or body is None:
            return f"{cost}."
        if self.signature is None:
            parts = ", and a look-up made once adds nothing to that: it gives the object itself"
        elif body >= 1000 and boundary < body / 10:
            share = f"{100 * boundary / total:.2g} %" if boundary / total > 1e-4 else "next to none"
            return (
                f"{cost}: the boundary, {duration(boundary)}, is {share} of it, and not worth "
                "optimising."
            )
        else:
            parts = f": {duration(body)} are its body, {duration(boundary)} the boundary"
        look_up = self.ns(LOOK_UP)
        if look_up is None:
            return f"{cost}{parts}."
        ratio = look_up / total
        if ratio < 1.1:
            more = f"{duration(max(0.0, look_up - total))} more"
        else:
            more = f"{ratio:.{1 if ratio < 9.95 else 0}f} times as much"
        return f"{cost}{parts}; with a look-up in the loop it would be {more}."


def measure_boundary(
    target: Target,
    symbol: str,
    signature: str | None,
    arguments: Sequence[str],
    *,
    rounds: int,
    go_on: GoOn = lambda done, rounds: True,
    say: Callable[[str], object] = lambda stage: None,
) -> Boundary:
    """Time all ways to call one function of a plugin, interleaved.

    ``signature`` may be None for a Python plugin and for a library that declares its types;
    ``arguments`` are texts, see `arguments.read`. ``say`` is told "open", "call" and "measure"
    before each of these is done: any may end the process.

    Raises a `PluginError` if the function cannot be had, ArgumentError for what is wrong with the
    arguments or cannot be called, and RaisedError if a call raises.
    """
    if signature is not None and isinstance(parse(signature), CType):
        raise ArgumentError(
            f"{signature!r} is the type of a variable, which is not called; a function's has "
            f"parentheses, as '{signature}()'"
        )
    say("open")
    plugin = open_plugin(target)
    function = plugin.lookup(symbol, signature)
    owner = getattr(function, "__self__", None)
    if not callable(function):
        raise ArgumentError(
            f"{symbol!r} of {plugin.name} is no function: it is of type {type(function).__name__}"
        )
    names: dict[str, Any] = {"f": function, "plugin": plugin, "symbol": symbol}
    names |= {"signature": signature, "open": open_plugin, "target": target}
    own: Signature | None = None
    if type(owner) is Symbol:
        own = parse_signature(owner.signature)
        values, shown = read(own, arguments, symbol)
    else:
        values, shown = _python_arguments(function, symbol, arguments), list(arguments)
    listed = ", ".join(f"x{index}" for index in range(len(values)))
    names |= {f"x{index}": value for index, value in enumerate(values)}
    say("call")
    first = _first_call(function, values, symbol)
    say("measure")
    called = f"a call of {symbol}({', '.join(shown)})"
    is_slow = first > SLOW_NS
    runs: dict[str, Run] = {}
    if is_slow:
        with _own_exceptions(symbol, LATER):
            runs[FROM_PYTHON] = _slowly(function, values, first, go_on)
    contestants = [] if is_slow else _python_calls(names, listed, own is not None)
    absent: dict[str, str] = {}
    if own is not None and type(owner) is Symbol:
        entered, absent = _native_calls(owner, own, values, names, listed, is_slow)
        contestants += entered
    with _own_exceptions(symbol, LATER):
        found = measure([*contestants, *yardsticks()], rounds=rounds, go_on=go_on)
    runs |= {name: run_of(timing, found, FROM_PYTHON) for name, timing in found.timings.items()}
    rows = [
        Row(row_name(symbol, name), called, runs=(runs[name],)) for name in ORDER if name in runs
    ]
    rows += [Row(row_name(symbol, name), called, missing=why) for name, why in absent.items()]
    rows += yardstick_rows(found)
    return Boundary(
        str(target),
        symbol,
        own.text if own is not None else None,
        tuple(shown),
        bool(shown) and not arguments,
        tuple(rows),
    )


ORDER = (ITSELF, FROM_PYTHON, FACADE, FROM_C, EMPTY, LOOK_UP, OPEN, CTYPES)


def row_name(symbol: str, way: str) -> str:
    """Another function's older run has no row of that name."""
    return f"{symbol}: {way}"


def _python_arguments(function: Any, symbol: str, arguments: Sequence[str]) -> list[Any]:
    try:
        refuse_what_runs_later(function)
    except TypeError as error:
        raise ArgumentError(str(error)) from None
    values = read_literals(arguments)
    import inspect

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return values  # of a function of C that does not say; the call will
    try:
        signature.bind(*values)
    except TypeError as error:
        by_name = [
            name
            for name, one in signature.parameters.items()
            if one.kind is one.KEYWORD_ONLY and one.default is one.empty
        ]
        instead = (
            f"{by_name[0]!r} can only be given by name, and these are given by position: measure a "
            "function that calls it"
            if by_name
            else "write them behind its name, as Python literals"
        )
        raise ArgumentError(
            f"{symbol}{signature} cannot be called with {', '.join(arguments) or 'no arguments'}: "
            f"{error}; {instead}"
        ) from None
    return values


def _first_call(function: Callable[..., object], values: Sequence[Any], symbol: str) -> int:
    start = perf_counter_ns()
    with _own_exceptions(symbol, ""):
        try:
            function(*values)
        except Exception as error:
            if str(error).startswith(f"{symbol}() argument"):
                raise ArgumentError(str(error)) from None
            raise
    return perf_counter_ns() - start


@contextmanager
def _own_exceptions(symbol: str, when: str) -> Iterator[None]:
    """Those of the function as RaisedError; what ends the process does so."""
    try:
        yield
    except (SystemExit, ArgumentError):
        raise
    except BaseException as error:
        raise RaisedError(f"{symbol} raised {type(error).__name__}{when}: {error}") from error


def _slowly(function: Callable[..., object], values: Sequence[Any], first: int, go_on: GoOn) -> Run:
    times: list[int] = []
    while len(times) < SLOW_CALLS and go_on(len(times), SLOW_CALLS):
        start = perf_counter_ns()
        function(*values)
        times.append(perf_counter_ns() - start)
    return few(times or [first])


def _python_calls(names: Mapping[str, Any], listed: str, native: bool) -> list[Contestant]:
    """What a host in Python may do; only one of these is right."""
    table: Table[Any] = Table({"call": None})
    table.bind({"call": names["f"]})
    look_up = "plugin.lookup(symbol)" if names["signature"] is None else (
        "plugin.lookup(symbol, signature)"
    )  # fmt: skip
    everything = {**names, "facade": table.facade}
    codes = {
        FROM_PYTHON: f"f({listed})",
        FACADE: f"facade.call({listed})",
        LOOK_UP: f"{look_up}({listed})",
        OPEN: f"{look_up.replace('plugin', 'open(target)', 1)}({listed})",
    }
    if not native:
        codes[ITSELF] = codes[FROM_PYTHON]
    return [statement(name, code, everything) for name, code in codes.items()]


def _native_calls(
    owner: Symbol,
    signature: Signature,
    values: Sequence[Any],
    names: Mapping[str, Any],
    listed: str,
    is_slow: bool,
) -> tuple[list[Contestant], dict[str, str]]:
    """The body and the boundary alone, and what ctypes makes of the same."""
    # As the plugin's own are, which look for exceptions only if there may be any.
    plan = Plan(signature, checked=getattr(names["plugin"]._source, "checked", True))
    address = bodies.nothing(signature.result.kind)
    nothing = make_function("nothing", plan, address, None, from_plugin=False)
    contestants = [statement(EMPTY, f"f({listed})", {**names, "f": nothing})]
    absent: dict[str, str] = {}
    if is_slow:
        return contestants, absent
    keep: list[object] = []
    ints, floats = words(signature, values, keep)
    if owner.evidence == "capsule":  # Cython's may take words that Python does not pass
        ints += (0,) * (bodies.MOST_INTS - len(ints))
    if signature.result.kind == "object":
        absent[FROM_C] = "its result is a Python object"
    elif len(ints) > bodies.MOST_INTS or len(floats) > bodies.MOST_FLOATS:
        absent[FROM_C] = "it has more arguments than a loop of C can pass here"
    else:
        contestants.append(_c_loop(owner.address, ints, floats, keep))
    try:
        call, given = _ctypes_call(owner.address, signature, values)
    except Exception as error:  # ctypes has limits of its own
        absent[CTYPES] = f"ctypes refuses: {error}"
    else:
        given_names = {f"x{index}": value for index, value in enumerate(given)}
        contestants.append(statement(CTYPES, f"f({listed})", {"f": call, **given_names}))
    return contestants, absent


def _c_loop(
    address: int, ints: tuple[int, ...], floats: tuple[float, ...], keep: object
) -> Contestant:
    def loop(count: int, _keep: object = keep) -> int:
        start = perf_counter_ns()
        bodies.repeat(address, ints, floats, count)
        return perf_counter_ns() - start

    return Contestant(FROM_C, loop)


def _ctypes_call(
    address: int, signature: Signature, values: Sequence[Any]
) -> tuple[Callable[..., object], list[Any]]:
    import ctypes

    def of(own: CType) -> Any:
        if own.kind in ("signed", "unsigned"):
            return getattr(ctypes, f"c_{'u' * (own.kind == 'unsigned')}int{8 * own.size}")
        return {
            "void": None, "bool": ctypes.c_bool, "float": ctypes.c_float,
            "double": ctypes.c_double, "string": ctypes.c_char_p, "object": ctypes.py_object,
        }.get(own.kind, ctypes.c_void_p)  # fmt: skip

    given = []
    for param, value in zip(signature.params, values, strict=True):
        if param.kind == "string" and value is not None:
            value = value.encode()
        elif param.kind in ("buffer", "address") and not isinstance(value, (int, type(None))):
            size = memoryview(value).nbytes
            value = (ctypes.c_char * size).from_buffer(value) if size else None
        given.append(value)
    uses_python = any(own.kind == "object" for own in (signature.result, *signature.params))
    make = ctypes.PYFUNCTYPE if uses_python else ctypes.CFUNCTYPE
    call = make(of(signature.result), *map(of, signature.params))(address)
    call(*given)
    return call, given
