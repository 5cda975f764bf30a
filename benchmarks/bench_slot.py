"""What does C pay for a call that can be swapped, beside a function pointer, and beside Go?

native/host.c has the loops: all call the same ``double(double)``, and differ in the call only. A
raw function pointer is volatile there, so that it is loaded for each call as a slot's is; "loaded
once" is what a compiler makes of a pointer that it knows not to change. What Go needs is timed in
a process of its own, which takes turns with this one.
"""

from __future__ import annotations

import ctypes

import jumptable
from competitors import Competitors, MissingError
from hosts import GO_CACHED, go_host, host_of, in_c
from jumptable.measuring.timing import measure, statement
from results import Results

SLOT = "a slot"
POINTER = "a raw function pointer"
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
