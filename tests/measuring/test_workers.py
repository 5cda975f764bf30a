"""Processes that measure: real ones, that are interrupted, killed, or fail."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from jumptable.measuring import ladder
from jumptable.measuring.results import Row, Run
from jumptable.measuring.workers import Crew, merged

pytestmark = pytest.mark.thread_unsafe(reason="signals and processes")

# Far more rounds than there is time for: what ends these is an interrupt.
ENDLESS = 10**7
JOB = {"seed": 0, "quick": True, "only": [ladder.BASELINE]}


def test_a_worker_sends_rows() -> None:
    crew = Crew()
    rows = crew.work("ladder", rounds=20, **JOB)
    assert [row.name for row in rows] == [ladder.BASELINE]
    assert rows[0].runs[0].rounds == 20
    assert (crew.interrupted, crew.failures) == (False, [])


def test_how_far_it_is_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    Crew(lambda what, done, total: told.append((what, done, total))).work(
        "ladder", rounds=20, **JOB
    )
    assert ("starting", 0, 0) in told
    assert (f"preparing: {ladder.BASELINE}", 0, 0) in told


def at_the_first(word: str, act: object) -> object:
    """For progress: calls ``act`` once, when ``word`` is told for the first time."""
    waiting = [act]

    def progress(what: str, done: int, total: int) -> None:
        if what.startswith(word) and waiting:
            waiting.pop()()  # type: ignore[operator]

    return progress


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_an_interrupt_keeps_what_was_measured_and_ends_the_rest() -> None:
    before = signal.getsignal(signal.SIGINT)
    crew = Crew(at_the_first("measuring", interrupt))  # type: ignore[arg-type]
    rows = crew.work("ladder", rounds=ENDLESS, **JOB)
    assert crew.interrupted
    assert crew.failures == []
    assert 0 < rows[0].runs[0].rounds < ENDLESS
    assert crew.work("ladder", rounds=5, **JOB) == []
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("when", ["starting", "preparing"])
def test_an_interrupt_before_the_first_round_leaves_nothing(when: str) -> None:
    crew = Crew(at_the_first(when, interrupt))  # type: ignore[arg-type]
    rows = crew.work("ladder", rounds=ENDLESS, **JOB)
    assert all(not row.runs or row.runs[0].rounds < ENDLESS for row in rows)
    assert (crew.interrupted, crew.failures) == (True, [])


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_second_interrupt_ends_a_worker_that_does_not_listen() -> None:
    def stop_it_and_interrupt_twice() -> None:
        assert crew._process is not None
        crew._process.send_signal(signal.SIGSTOP)
        interrupt()
        interrupt()

    crew = Crew(at_the_first("measuring", stop_it_and_interrupt_twice))  # type: ignore[arg-type]
    assert crew.work("ladder", rounds=ENDLESS, **JOB) == []
    assert (crew.interrupted, crew.failures) == (True, [])


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_worker_that_crashes_is_a_failure_with_its_reason() -> None:
    def crash() -> None:
        assert crew._process is not None
        crew._process.send_signal(signal.SIGSEGV)

    crew = Crew(at_the_first("measuring", crash))  # type: ignore[arg-type]
    assert crew.work("ladder", rounds=ENDLESS, **JOB) == []
    assert crew.failures == ["ladder: its process was ended by SIGSEGV while measuring"]
    assert not crew.interrupted


def test_a_worker_that_raises_is_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    crew = Crew()
    assert crew.work("nothing of the kind") == []
    assert crew.failures == ["nothing of the kind: its process ended with status 1 while starting"]
    assert "KeyError" in capfd.readouterr().err


def test_what_a_worker_prints_is_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cffi.py").write_text("print('cffi is imported')\nraise ImportError\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    crew = Crew()
    rows = crew.work("ladder", rounds=3, seed=0, quick=True, only=None)
    assert len(rows) == len(ladder.RUNGS)
    shown = capfd.readouterr()
    assert "cffi is imported" in shown.err
    assert "cffi is imported" not in shown.out


def test_what_is_printed_before_a_worker_begins_is_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello'); print('.', end='')\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    crew = Crew()
    assert crew.work("ladder", rounds=3, **JOB)
    assert crew.failures == []
    shown = capfd.readouterr()
    assert ("hello" in shown.err, shown.out) == (True, "")


@pytest.mark.parametrize("executable", ["", "/no/such/python"])
def test_a_process_that_cannot_be_started_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    monkeypatch.setattr("sys.executable", executable)
    crew = Crew()
    assert crew.work("ladder", rounds=3, **JOB) == []
    (failure,) = crew.failures
    assert failure.startswith("ladder: its process cannot be started: ")


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_an_interrupt_between_two_workers_loses_nothing() -> None:
    crew = Crew()
    with crew.passing_interrupts_on():
        rows = crew.work("ladder", rounds=3, **JOB)
        interrupt()
        assert crew.work("ladder", rounds=3, **JOB) == []
    assert rows
    assert crew.interrupted


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_what_a_worker_started_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that starts a process when it is imported stands for a compiler, or a server."""
    (tmp_path / "cffi.py").write_text(
        "import subprocess, sys, os, signal\n"
        f"held = open({str(tmp_path / 'held')!r}, 'w')\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "subprocess.Popen(command, stdout=held)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    try:
        crew = Crew()
        assert crew.work("ladder", rounds=3, seed=0, quick=True, only=["cffi, ABI mode"]) == []
        assert crew.failures
        for _ in range(200):
            try:
                assert os.read(held, 1) == b""  # nobody holds it any more
                return
            except BlockingIOError:
                time.sleep(0.05)
        pytest.fail("the worker's child is still there")
    finally:
        os.close(held)


def test_a_worker_whose_parent_is_gone_ends(tmp_path: Path) -> None:
    """Where nobody listens any more, it ends at the next word about how far it is."""
    ended = threading.Event()
    kept: list[int] = []

    def leave() -> None:
        assert crew._process is not None
        kept.append(crew._process.pid)
        assert crew._process.stdout is not None
        os.dup2(os.open(os.devnull, os.O_RDONLY), crew._process.stdout.fileno())
        process = crew._process

        def wait() -> None:
            process.wait()
            ended.set()

        threading.Thread(target=wait, daemon=True).start()
        assert ended.wait(60)

    crew = Crew(at_the_first("measuring", leave))  # type: ignore[arg-type]
    assert crew.work("ladder", rounds=ENDLESS, **JOB) == []
    assert kept
    time.sleep(0)


def row(name: str, *runs: Run, missing: str = "") -> Row:
    return Row(name, "calls", missing=missing, runs=runs)


def run(ns: float) -> Run:
    return Run((ns, ns), (), ns, 10)


def test_rows_of_several_processes_are_put_together() -> None:
    one, other = run(10), run(30)
    found = merged([[row("a", one), row("b", one)], [row("a", other), row("c", other)], []])
    assert [(made.name, made.runs) for made in found] == [
        ("a", (one, other)),
        ("b", (one,)),
        ("c", (other,)),
    ]
    assert found[0].spread.median == 20


def test_a_row_that_one_process_has_is_not_missing() -> None:
    lost = row("a", missing="the server did not start")
    assert merged([[lost], [row("a", run(10))]])[0].missing == ""
    assert merged([[row("a", run(10))], [lost]])[0].runs
    assert merged([[lost], [lost]])[0].missing == "the server did not start"
