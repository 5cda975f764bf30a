"""Every way to count from Python: who counts, and the code that adds one."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import jumptable
from competitors import Competitors
from threads import free_threaded

__all__ = [
    "ADD",
    "CEREGGII_PLUS",
    "EMPTY",
    "FLOORS",
    "HELD",
    "MULTIPROCESS",
    "PLUS",
    "SHARED",
    "STATS",
    "STRIPED",
    "Tally",
    "imported",
    "shared_by_processes",
    "tallies",
]

ADD = "jumptable: counter.add()"
STRIPED = "jumptable: counter.add(), striped"
STATS = "jumptable: stats.hits.add()"
SHARED, HELD = f"{STATS}, in a file", "jumptable: counter.add(), in a file"
PLUS, CEREGGII_PLUS = "jumptable: counter += 1", "cereggii: AtomicInt64 += 1"
EMPTY, ONLY_ADDS = "an empty METH_NOARGS method", "METH_NOARGS, one atomic add"
FASTCALL = "METH_FASTCALL, one atomic add"
FLOORS = (EMPTY, ONLY_ADDS, FASTCALL)
MULTIPROCESS = "prometheus_client: inc(), multiprocess"


@dataclass(frozen=True)
class Tally:
    """``code`` counts, on the objects in ``names``; ``value`` says how often it did, if it can."""

    name: str
    code: str
    names: Mapping[str, object]
    value: Callable[[], float] | None = None

    def check(self) -> None:
        if self.value is not None:
            before = self.value()
            exec("\n".join([self.code] * 3), dict(self.names))
            assert self.value() == before + 3, self.name


def ours(competitors: Competitors) -> list[Tally]:
    one, three, plus = (jumptable.Counter() for _ in range(3))
    striped = jumptable.Counter(stripes=None)
    stats = jumptable.Counters(["hits", "misses"])
    empty = competitors.module("empty").Empty()
    return [
        Tally(ADD, "c.add()", {"c": one}, lambda: one.value),
        Tally("jumptable: counter.add(3)", "c.add(3)", {"c": three}, lambda: three.value / 3),
        Tally(PLUS, "c += 1", {"c": plus}, lambda: plus.value),
        Tally(STRIPED, "c.add()", {"c": striped}, lambda: striped.value),
        Tally(STATS, "s.hits.add()", {"s": stats}, lambda: stats.hits.value),
        Tally(EMPTY, "e.nothing()", {"e": empty}),
        Tally(ONLY_ADDS, "e.add()", {"e": empty}),
        Tally(FASTCALL, "e.add_fast()", {"e": empty}),
    ]


def standard_library() -> list[Tally]:
    count = itertools.count()
    total = SimpleNamespace(n=0)
    return [
        Tally("next(itertools.count())", "next(c)", {"c": count, "next": next}),
        Tally(
            "with Lock(): o.n += 1",
            "with lock:\n    o.n += 1",
            {"lock": threading.Lock(), "o": total},
            lambda: total.n,
        ),
    ]


def with_cereggii() -> list[Tally]:
    module = imported("cereggii")
    one, plus = module.AtomicInt64(0), module.AtomicInt64(0)
    name = "cereggii: AtomicInt64"
    return [
        Tally(f"{name}.increment_and_get()", "c.increment_and_get()", {"c": one}, one.get),
        Tally(CEREGGII_PLUS, "c += 1", {"c": plus}, plus.get),
    ]


def with_ft_utils() -> list[Tally]:
    counter = imported("ft_utils.concurrency").AtomicInt64(0)
    return [Tally("ft_utils: AtomicInt64.incr()", "c.incr()", {"c": counter}, counter.get)]


def with_fastcounter() -> list[Tally]:
    module = imported("fastcounter")
    found = []
    for kind in ("FastWriteCounter", "FastReadCounter"):
        made = getattr(module, kind)()
        # Reading a FastWriteCounter changes it, and is accounted for.
        value = None if kind == "FastWriteCounter" else lambda made=made: made.value
        found.append(Tally(f"fastcounter: {kind}.increment()", "c.increment()", {"c": made}, value))
    return found


def with_prometheus() -> list[Tally]:
    module = imported("prometheus_client")
    counter = module.Counter("hits", "Hits", registry=module.CollectorRegistry())
    return [Tally("prometheus_client: inc()", "c.inc()", {"c": counter}, counter._value.get)]


PEERS = (with_cereggii, with_ft_utils, with_fastcounter, with_prometheus)


def tallies(competitors: Competitors, missing: dict[str, str]) -> list[Tally]:
    """All that can take part; ``missing`` gets the others, with the reason."""
    found = [*ours(competitors), *standard_library()]
    for made in PEERS:
        try:
            found += made()
        except ImportError as error:
            missing[made.__name__.removeprefix("with_")] = str(error)
    return found


def imported(name: str) -> Any:
    """A package, unless it would bring the GIL back, for all that is measured afterwards."""
    package = name.partition(".")[0]
    if package not in sys.modules and free_threaded():
        code = f"import sys, {name}; sys.exit(3 * sys._is_gil_enabled())"
        command = [sys.executable, "-W", "ignore", "-c", code]
        if subprocess.run(command, capture_output=True, check=False).returncode == 3:
            raise ImportError("it would enable the GIL")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise ImportError("not installed") from None


def shared_by_processes(folder: str, missing: dict[str, str]) -> list[Tally]:
    """Counters in files of ``folder``, which other processes could add to."""
    stats = jumptable.Counters(["hits", "misses"], path=os.path.join(folder, "stats"))
    found = [Tally(SHARED, "s.hits.add()", {"s": stats}, lambda: stats.hits.value)]
    held = stats.misses
    found.append(Tally(HELD, "c.add()", {"c": held}, lambda: held.value))
    try:
        counter = multiprocess_counter(folder)
    except ImportError as error:
        missing[MULTIPROCESS] = str(error)
    else:
        found.append(Tally(MULTIPROCESS, "c.inc()", {"c": counter}, counter._value.get))
    return found


def multiprocess_counter(folder: str) -> Any:
    """What a process gets that has set PROMETHEUS_MULTIPROC_DIR before the import."""
    module, values = imported("prometheus_client"), imported("prometheus_client.values")
    name = "PROMETHEUS_MULTIPROC_DIR"
    before, usual = os.environ.get(name), values.ValueClass
    os.environ[name] = tempfile.mkdtemp(dir=folder)
    try:
        values.ValueClass = values.get_value_class()
        return module.Counter("hits", "Hits", registry=module.CollectorRegistry())
    finally:
        values.ValueClass = usual
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
