"""What do two threads get done that call one and the same object, beside one thread?

Without a GIL, what each call writes to, a reference count or a lock, is what threads wait for. With
one, two threads get done what one does, whatever they call.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Iterable
from typing import Any

import pluggy

import jumptable
import jumptable.functools
import jumptable.pluggy
from competitors import Competitors
from dispatchers import function, new_types
from hookcalls import PROJECT, Impl, plugin, specification
from jumptable.measuring import report
from jumptable.measuring.timing import Spread
from results import Results, met
from threads import (
    Scaling,
    Work,
    free_threaded,
    in_registers,
    in_threads,
    no_conclusion,
    repeated,
    times_of,
    turns,
)

AT_LEAST = 1.8
PYTHON, FABS = "a Python function", "math.fabs"
METHOD = "a Python method, o.m(1)"
# One cell and one object are what these share, and what they wait for.
ONE_CELL, ONE_OBJECT = "jumptable: counter.add()", "jumptable: singledispatchmethod, o.m(1)"
UNJUDGED = (ONE_CELL, ONE_OBJECT)
SIGNATURE = "double(double)"


def bench_threads(competitors: Competitors, results: Results, rounds: int) -> None:
    adding = competitors.module("adding")
    works = [in_registers(adding), *plain(), *native(competitors)]
    works += [*hooks(), *generics(), *counters()]
    rounds = turns(rounds, at_once=free_threaded())
    show(results, in_threads(works, rounds=rounds), rounds)


def plain() -> Iterable[Work]:
    f = function(1)
    yield repeated(PYTHON, "f(1.5)", {"f": f})
    yield repeated(FABS, "f(1.5)", {"f": math.fabs})
    o = type("C", (), {"m": function(1, "self, x")})()
    yield repeated(METHOD, "o.m(1)", {"o": o})


def native(competitors: Competitors) -> Iterable[Work]:
    plugin = competitors.jumptable
    half = plugin.lookup("half", SIGNATURE)
    table = jumptable.Table({"half": SIGNATURE})
    table.bind(plugin)
    python = jumptable.Table({"half": None})
    python.bind({"half": function(1)})
    pointer = jumptable.from_pointer(half.__self__.address, SIGNATURE)
    theirs = half_of_ctypes(competitors)
    ours = (half, pointer, table.facade.half, table.slot("half"))
    assert [f(1.5) for f in (theirs, *ours)] == [0.75] * 5
    yield repeated("ctypes: half(1.5)", "f(1.5)", {"f": theirs})
    yield repeated("jumptable: half(1.5)", "f(1.5)", {"f": half})
    yield repeated("jumptable: from_pointer(...)(1.5)", "f(1.5)", {"f": pointer})
    yield repeated("jumptable: facade.half(1.5)", "f.half(1.5)", {"f": table.facade})
    yield repeated("jumptable: facade.half(1.5), Python", "f.half(1.5)", {"f": python.facade})
    yield repeated("jumptable: table.slot('half')(1.5)", "f(1.5)", {"f": table.slot("half")})
    yield repeated(
        "jumptable: plugin.lookup('half', ...)",
        "p.lookup('half', signature)",
        # As in the code of a module: exec() makes strings that are counted.
        {"p": plugin, "signature": sys.intern(SIGNATURE)},
    )


def half_of_ctypes(competitors: Competitors) -> Any:
    import ctypes

    made = competitors.ctypes["half"]
    made.argtypes, made.restype = [ctypes.c_double], ctypes.c_double
    return made


def hooks() -> Iterable[Work]:
    for name, module in (("pluggy", pluggy), ("jumptable", jumptable.pluggy)):
        manager = module.PluginManager(PROJECT)
        manager.add_hookspecs(specification(["h"], 1, firstresult=False))
        manager.register(plugin("plugin", {"h": Impl()}, methods=False))
        assert manager.hook.h(a0=1) == [1]
        yield repeated(f"{name}: manager.hook.h(a0=1)", "m.hook.h(a0=1)", {"m": manager})
        yield repeated(f"{name}: hook.h(a0=1)", "hook.h(a0=1)", {"hook": manager.hook})
        yield repeated(f"{name}: h(a0=1)", "h(a0=1)", {"h": manager.hook.h})


def generics() -> Iterable[Work]:
    types = new_types(3)
    for name, module in (("functools", functools), ("jumptable", jumptable.functools)):
        f = module.singledispatch(function("object"))
        m = module.singledispatchmethod(function("object", "self, x"))
        for cls in (int, *types):
            f.register(cls, function(1))
            m.register(cls, function(1, "self, x"))
        o = type("C", (), {"m": m})()
        assert f(1) == o.m(1) == 1
        yield repeated(f"{name}: singledispatch, f(1)", "f(1)", {"f": f})
        yield repeated(f"{name}: singledispatchmethod, o.m(1)", "o.m(1)", {"o": o})
        # As many objects as threads: of the method alone is asked.
        yield repeated(f"{name}: the same, an object each", "o.m(1)", {"C": type(o)}, "o = C()")


def counters() -> Iterable[Work]:
    yield repeated(ONE_CELL, "c.add()", {"c": jumptable.Counter()})
    striped = jumptable.Counter(stripes=None)
    yield repeated("jumptable: counter.add(), striped", "c.add()", {"c": striped})
    stats = jumptable.Counters(["hits", "misses"])
    yield repeated("jumptable: stats.hits.add()", "s.hits.add()", {"s": stats})


def summary(values: list[float]) -> tuple[float, float]:
    return Spread.of(values).median, min(values)


def show(results: Results, found: dict[str, Scaling], rounds: int) -> None:
    problem = no_conclusion(found)
    # As near to it as a Python function comes in the same run.
    wanted = min(AT_LEAST, found[PYTHON].throughput.median)
    rows, entries = [], []
    for name, scaling in found.items():
        throughput = scaling.throughput
        judged = name.startswith("jumptable") and name not in UNJUDGED
        judged = judged and problem is None and free_threaded()
        verdict = throughput.median >= wanted if judged else None
        alone, together = summary(scaling.alone_ns), summary(scaling.together_ns)
        rows.append(
            [
                name,
                *(report.nanoseconds(value) for value in (*alone, *together)),
                f"{throughput.median:.2f}",
                f"{throughput.low:.2f}-{throughput.high:.2f}",
                f">= {wanted:.2f}" if judged else "",
                "" if verdict is None else met(verdict),
            ]
        )
        entries.append(
            {
                "name": name,
                "alone_ns": alone[0],
                "together_ns": together[0],
                "throughput": throughput.median,
                "quartiles": [throughput.low, throughput.high],
                "at_least": wanted if judged else None,
                "met": verdict,
            }
        )
    headings = ["both threads call", "alone ns", "min", "together ns", "min"]
    headings += ["throughput", "quartiles", "target", "verdict"]
    title = "Two threads beside one: how much more they get done"
    heading = f"{title}  (median of {rounds} rounds)"
    results.table(heading, headings, rows, entries, times_of(title, found))
    if not free_threaded():
        results.note(
            "this build has a GIL: threads that call Python take turns, about 1 is all there is"
        )
    if problem is not None:
        results.note(problem)
