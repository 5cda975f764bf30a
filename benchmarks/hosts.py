"""Hosts that are not Python: loops of native/host.c, and a process of native/go/host.go."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from types import ModuleType

import pytest

from competitors import Competitors
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
            Contestant(GO_CACHED, asking("plugin")),
            Contestant("Go: a direct call", asking("direct")),
        ]
        requests.close()
