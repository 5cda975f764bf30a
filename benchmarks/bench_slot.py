"""What does C pay for a call that can be swapped, beside a function pointer, and beside Go?

native/host.c has the loops: all call the same ``double(double)``, and differ in the call only. A
raw function pointer is volatile there, so that it is loaded for each call as a slot's is; "loaded
once" is what a compiler makes of a pointer that it knows not to change. What Go needs is timed in
a process of its own, which takes turns with this one.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from types import ModuleType

import pytest

import jumptable
from competitors import Competitors, MissingError
from jumptable.measuring.timing import Contestant, measure, statement
from results import Results

SLOT = "a slot"
POINTER = "a raw function pointer"
GO_CACHED = "Go: a plugin's function, cached"
AT_MOST = {POINTER: 1.05, GO_CACHED: 1.0}
SIGNATURE = "double(double)"


def bench_slot(competitors: Competitors, results: Results, rounds: int) -> None:
    host = host_of(competitors)
    table = jumptable.Table({"half": SIGNATURE})
    table.bind(competitors.jumptable)
    slot = host.get_slot(table, "half", SIGNATURE)
    free = host.get_slot(table, "half", f"{SIGNATURE} nogil")
    address = competitors.jumptable.lookup("half", SIGNATURE).__self__.address
    found = [
        in_c(SLOT, host.slot, slot),
        in_c(f"{SLOT}, without the GIL", host.slot_nogil, free),
        in_c(f"{SLOT}, with its generation: jt_read", host.read, slot),
        in_c(POINTER, host.pointer, address),
        in_c("the same, loaded once", host.held, address),
        in_c("a function of a library it is linked with", host.linked, 0),
        in_c("a function of its own", host.direct, 0),
    ]
    missing = {}
    try:
        path = competitors.build("go")
    except MissingError as error:
        missing[GO_CACHED] = str(error)
        measurement = measure(found, rounds=rounds)
    else:
        with go_host(path) as turns:
            measurement = measure([*found, *turns], rounds=rounds)
    results.compare(f"From C: {SIGNATURE}", measurement, SLOT, AT_MOST, missing)


def bench_callback(competitors: Competitors, results: Results, rounds: int) -> None:
    host = host_of(competitors)

    def half(x: float) -> float:
        return 0.5 * x

    table = jumptable.Table({"half": SIGNATURE})
    table.bind({"half": half})
    slot = host.get_slot(table, "half", SIGNATURE)
    free = host.get_slot(table, "half", f"{SIGNATURE} nogil")
    callback = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(half)
    address = ctypes.cast(callback, ctypes.c_void_p).value
    subject = "a slot bound to a Python function"
    measurement = measure(
        [
            in_c(subject, host.slot, slot),
            in_c("the same, without the GIL", host.slot_nogil, free),
            in_c("a callback of ctypes", host.pointer, address),
            in_c("the same, no GIL", host.pointer_nogil, address),
            statement("that function from Python", "half(1.5)", {"half": half}),
        ],
        rounds=rounds,
    )
    results.compare(f"From C to Python: {SIGNATURE}", measurement, subject, {})


def host_of(competitors: Competitors) -> ModuleType:
    try:
        return competitors.module("host")
    except MissingError as error:
        pytest.skip(f"the C host does not build: {error}")


def in_c(name: str, run: Callable[[int | None, int], float], address: int | None) -> Contestant:
    """A loop of native/host.c; what Python adds to it is a call per turn."""
    assert run(address, 1) == 0.75, name

    def loop(count: int) -> int:
        start = perf_counter_ns()
        run(address, count)
        return perf_counter_ns() - start

    return Contestant(name, loop, overhead=False)


@contextmanager
def go_host(path: str) -> Iterator[list[Contestant]]:
    """What native/go/host.go times, each turn at a request."""
    command = [path, str(Path(path).with_name("plugin.so"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def asking(how: str) -> Callable[[int], int]:
            def loop(count: int) -> int:
                requests.write(f"{how} {count}\n")
                return int(answers.readline())

            return loop

        yield [
            Contestant(GO_CACHED, asking("plugin"), overhead=False),
            Contestant("Go: a direct call", asking("direct"), overhead=False),
        ]
        requests.close()
