"""Hosts that are not Python: loops of native/host.c, and a process of go/host.go."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from types import ModuleType

import pytest

from competitors import Competitors
from jumptable.measuring.ladder import gobuild
from jumptable.measuring.timing import Contestant

__all__ = ["GO_CACHED", "go_host", "host_of", "in_c"]

GO_CACHED = "Go: a plugin's function, cached"


def host_of(competitors: Competitors) -> ModuleType:
    """The C host. Not a competitor but ours: where there is a compiler, it has to build."""
    if shutil.which(shlex.split(os.environ.get("CC") or "cc")[0]) is None:
        pytest.skip("needs a C compiler")
    return competitors.module("host")


def in_c(name: str, run: Callable[[int | None, int], float], address: int | None) -> Contestant:
    """A loop of native/host.c; what Python adds to it is a call per turn."""
    assert run(address, 1) == 0.75, name

    def loop(count: int) -> int:
        start = perf_counter_ns()
        run(address, count)
        return perf_counter_ns() - start

    return Contestant(name, loop)


@contextmanager
def go_host(folder: str) -> Iterator[list[Contestant]]:
    """What go/host.go times, each turn at a request."""
    with gobuild.start(Path(folder)) as process:
        yield [
            Contestant(GO_CACHED, process.loop("half-cached")),
            Contestant("Go: a direct call", process.loop("half-direct")),
        ]
