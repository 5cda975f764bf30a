"""After a climb there is nothing that was not there before it, however it ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jumptable.measuring import ladder
from jumptable.measuring.ladder.rung import Preparation
from jumptable.measuring.timing import Contestant

psutil = pytest.importorskip("psutil")

pytestmark = pytest.mark.thread_unsafe(reason="looks at the whole process")

# Those that open something: each is the last one prepared in one of the tests.
OPENING = [
    "C: two threads add, padded",
    "first open of a library",
    "WebAssembly: wasmtime",
    "gRPC over a Unix socket",
    "Go: direct call",
]
SLICE_NS = 10_000


def state(temporary: Path) -> dict[str, object]:
    found: dict[str, object] = {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "processes": psutil.Process().children(recursive=True),
        "files": sorted(os.listdir(temporary)),
        "signals": signal.getsignal(signal.SIGINT),
    }
    if sys.platform == "linux":
        found["all threads"] = len(os.listdir("/proc/self/task"))
        found["descriptors"] = sorted(os.listdir("/proc/self/fd"))
    if hasattr(os, "sched_getaffinity"):
        found["affinity"] = os.sched_getaffinity(0)
    return found


@pytest.fixture(scope="module", autouse=True)
def _what_stays(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What libraries that are loaded keep open stays for the process, and nothing else does."""
    empty = tmp_path_factory.mktemp("empty")
    before = state(empty)
    ladder.climb(1, quick=True)
    after = state(empty)
    before.pop("descriptors", None), after.pop("descriptors", None)
    assert after == before


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "jumptable"


@pytest.fixture(autouse=True)
def nothing_is_left(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("JUMPTABLE_CACHE", str(cache))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = state(tmp_path)
    yield
    # A thread that was joined is still there for a moment, as the system sees it.
    until = time.monotonic() + 10
    while state(tmp_path) != before and time.monotonic() < until:
        time.sleep(0.01)
    assert state(tmp_path) == before
    assert not cache.exists() or not [name for name in os.listdir(cache) if "." in name]


def test_after_all_rounds() -> None:
    ladder.climb(2, slice_ns=SLICE_NS)


def test_after_a_stop() -> None:
    ladder.climb(5, slice_ns=SLICE_NS, only=OPENING, go_on=lambda done, rounds: done < 1)
    ladder.climb(5, slice_ns=SLICE_NS, only=OPENING, go_on=lambda done, rounds: False)


def test_after_an_interrupt_between_rounds() -> None:
    def interrupt(done: int, rounds: int) -> bool:
        if done == 1:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        ladder.climb(5, slice_ns=SLICE_NS, only=OPENING, go_on=interrupt)


@pytest.mark.parametrize("number", range(len(OPENING)))
def test_after_an_interrupt_while_preparing(number: int) -> None:
    def interrupt(name: str) -> None:
        if name == OPENING[number]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ladder.climb(1, only=OPENING, starting=interrupt)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug"), MemoryError()])
def test_after_a_maker_that_fails_with_everything_open(error: BaseException) -> None:
    def fails(rung: ladder.Rung) -> Callable[[Preparation], Contestant]:
        def make(preparation: Preparation) -> Contestant:
            rung.make(preparation)
            raise error

        return make

    rungs = [
        ladder.Rung(rung.name, rung.group, rung.about, fails(rung))
        for rung in ladder.RUNGS
        if rung.name in OPENING
    ]
    if isinstance(error, Exception):
        rows = ladder.climb(1, rungs=rungs).rows
        assert all(row.missing for row in rows)
    else:
        with pytest.raises(KeyboardInterrupt):
            ladder.climb(1, rungs=rungs)


def test_what_one_rung_opened_is_closed_before_the_next_if_it_fails() -> None:
    closed: list[str] = []

    def make(preparation: Preparation) -> Contestant:
        preparation.closing.callback(closed.append, preparation.name)
        if preparation.name == "broken":
            raise RuntimeError("a bug")
        return Contestant(preparation.name, lambda count: 10 * count)

    rungs = [ladder.Rung(name, "a group", "Something.", make) for name in ("broken", "whole")]
    started: list[list[str]] = []
    ladder.climb(1, rungs=rungs, starting=lambda name: started.append([*closed]))
    assert started == [[], ["broken"]]
    assert closed == ["broken", "whole"]


@pytest.mark.parametrize("error", [OSError("the folder is busy"), RuntimeError("a bug")])
def test_what_does_not_close_loses_no_results(error: Exception) -> None:
    def fail() -> None:
        raise error

    def make(preparation: Preparation) -> Contestant:
        preparation.closing.callback(fail)
        if preparation.name == "broken":
            raise ladder.UnavailableError("it is broken")
        return Contestant(preparation.name, lambda count: 10 * count)

    rungs = [ladder.Rung(name, "a group", "Something.", make) for name in ("broken", "whole")]
    broken, whole = ladder.climb(1, rungs=rungs).rows
    assert broken.missing.endswith(str(error))
    assert whole.spread.median == 10


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads cannot be pinned")
def test_the_affinity_is_this_threads_own_between_turns() -> None:
    """Only while a row with two threads runs is this one pinned."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("needs two processors")
    seen = []

    def make(preparation: Preparation) -> Contestant:
        def loop(count: int) -> int:
            seen.append(os.sched_getaffinity(0))
            return 10 * count

        return Contestant(preparation.name, loop)

    two = [rung for rung in ladder.RUNGS if "two threads" in rung.name]
    ladder.climb(5, rungs=[*two, ladder.Rung("other", "a group", "Something.", make)])
    assert seen and all(found == allowed for found in seen)


# ---- when this process is killed ------------------------------------------------------------

PROGRAM = """
import os, sys, time
from contextlib import ExitStack
import psutil
from jumptable.measuring import ladder

def go_on(done, rounds):
    if done == 1:
        print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
        time.sleep(600)
    return True

ladder.climb(2, only=sys.argv[1:], go_on=go_on)
"""


@pytest.mark.parametrize(
    ("name", "processes"),
    [
        ("gRPC over a Unix socket", 2),
        pytest.param("Go: cached function", 1, marks=pytest.mark.long),
    ],
)
def test_its_processes_die_with_it(name: str, processes: int) -> None:
    rung = next(rung for rung in ladder.RUNGS if rung.name == name)
    if ladder.climb(1, only=[name]).rows[0].missing:
        pytest.skip(f"{rung.name} is not there")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == processes
        parent.kill()
    _gone, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    for path in Path(tempfile.gettempdir()).glob("jumptable-bench-*"):
        for inside in path.iterdir():
            inside.unlink()  # what nobody could remove
        path.rmdir()


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
@pytest.mark.skipif(shutil.which("go") is None, reason="needs go")
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(
            ["-c", "from jumptable.measuring import ladder; ladder.climb(1, only=['Go: Lookup'])"],
            marks=pytest.mark.long,
        ),
        ["-m", "jumptable", "bench", "--only", "Go: Lookup"],
    ],
)
def test_an_interrupted_build_leaves_no_compiler(tmp_path: Path, program: list[str]) -> None:
    """A ``go`` that takes its time, and has started something that does too."""
    (tmp_path / "bin").mkdir()
    go = tmp_path / "bin" / "go"
    go.write_text(
        f'#!/bin/sh\n[ "$1" = version ] && exit 0\nsleep 600 &\necho $! $$ >{tmp_path}/pids.new\n'
        f"mv {tmp_path}/pids.new {tmp_path}/pids\nwait\n"
    )
    go.chmod(0o700)
    environment = {**os.environ, "PATH": f"{go.parent}{os.pathsep}{os.environ['PATH']}"}
    pids, cache = tmp_path / "pids", tmp_path / "cache"
    with subprocess.Popen(
        [sys.executable, *program],
        env={**environment, "JUMPTABLE_CACHE": str(cache)},
        stderr=subprocess.DEVNULL,
    ) as process:
        while not pids.exists():
            assert process.poll() is None
            time.sleep(0.01)
        compilers = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
        process.send_signal(signal.SIGINT)
    _gone, alive = psutil.wait_procs(compilers, timeout=30)
    assert not alive
    assert os.listdir(cache) == []
    for path in (go, pids):
        path.unlink()
    go.parent.rmdir()
    cache.rmdir()
