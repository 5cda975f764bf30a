"""What not to optimise: every experiment runs, and its sentence is what the numbers say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest
from tests.measuring.reports import spread

from jumptable.measuring import experiments
from jumptable.measuring.experiments import (
    collecting,
    mapping,
    optimising,
    pooling,
    stripping,
    tried,
    trying,
)
from jumptable.measuring.ladder.rung import UnavailableError
from jumptable.measuring.results import Trial
from jumptable.measuring.timing import Spread

pytestmark = pytest.mark.thread_unsafe(reason="it asks whether its temporary files are gone")

COMPILED = {mapping.EXPERIMENT.idea, collecting.EXPERIMENT.idea, stripping.EXPERIMENT.idea,
            optimising.EXPERIMENT.idea}  # fmt: skip


# ---- what is said ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (spread(100), spread(50), -1),
        (spread(50), spread(100), 1),
        (spread(100), spread(102), 0),
        (spread(100, 0.2), spread(110, 0.2), 0),  # their quartiles overlap
        (spread(110, 0.2), spread(100, 0.2), 0),
        (spread(0.1, 0), spread(0.3, 0), 0),  # nobody can tell
        (spread(0), spread(10), 1),
    ],
)
def test_what_is_more_and_what_is_noise(before: Spread, after: Spread, wanted: int) -> None:
    assert trying.compared(before, after) == wanted


@pytest.mark.parametrize(
    ("again", "pool", "said"),
    [
        (130, 30, "A pool saves 100 ns of the 130 ns of jt.open, but a variable that holds the "
                  "plugin takes 1.00 ns."),
        (30, 30, "A pool saves nothing, 30.0 ns against the 30.0 ns of jt.open, which is a pool "
                 "itself; a variable that holds the plugin takes 1.00 ns."),
        (30, 60, "A pool saves nothing, 60.0 ns against the 30.0 ns of jt.open, which is a pool "
                 "itself; a variable that holds the plugin takes 1.00 ns."),
    ],
)  # fmt: skip
def test_pooling(again: float, pool: float, said: str) -> None:
    assert pooling.verdict(spread(again), spread(pool), spread(1)) == said


@pytest.mark.parametrize(
    ("mapped", "said"),
    [
        (150e3, "Mapping the file first only adds to it: a first open takes 150 µs instead of "
                "only 100 µs, since the loader maps it anyway."),
        (100e3, "Mapping the file first makes no difference that stands out: a first open "
                "takes 100 µs against 100 µs, within the noise."),
        (50e3, "Mapping the file first pays here: a first open takes 50.0 µs instead of 100 µs."),
    ],
)  # fmt: skip
def test_mapping(mapped: float, said: str) -> None:
    assert mapping.verdict(spread(100e3), spread(mapped)) == said


@pytest.mark.parametrize(
    ("collected", "after", "said"),
    [
        (3e6, 20, "gc.collect() takes 3.00 ms, 6.00 times as long as the open, and calls are no "
                  "faster after it: 20.0 ns against 20.0 ns, within the noise."),
        (1e5, 10, "gc.collect() takes 100 µs, 20% of what the open takes, and calls are faster "
                  "after it: 10.0 ns instead of 20.0 ns."),
        (5e5, 40, "gc.collect() takes 500 µs, 1.00 times as long as the open, and calls are slower "
                  "after it: 40.0 ns instead of only 20.0 ns."),
    ],
)  # fmt: skip
def test_collecting(collected: float, after: float, said: str) -> None:
    found = collecting.verdict(spread(5e5), spread(collected), spread(20), spread(after))
    assert found == said


WHOLE = stripping.Kind(20_000, spread(200e3), spread(7e6), spread(20), "dwarf")


def test_stripping_that_takes_something_away() -> None:
    less = stripping.Kind(10_000, spread(100e3), spread(30e3), spread(10), "asserted")
    assert stripping.verdict(WHOLE, less) == (
        "Stripping saves 50% of the file; a first open takes 100 µs instead of 200 µs, a first "
        "look-up 30.0 µs instead of 7.00 ms; calls are faster; what is exported is still found, "
        "but nothing checks its signature any more (evidence 'dwarf' became 'asserted')."
    )


def test_stripping_that_changes_nothing_or_makes_it_worse() -> None:
    assert stripping.verdict(WHOLE, WHOLE) == (
        "Stripping saves nothing of the file; a first open takes 200 µs against 200 µs, within the "
        "noise, a first look-up 7.00 ms against 7.00 ms, within the noise; calls "
        "are the same; what is exported is still found."
    )
    worse = replace(WHOLE, opened=spread(400e3), called=spread(40))
    assert "a first open takes 400 µs instead of only 200 µs" in stripping.verdict(WHOLE, worse)
    assert "calls are slower" in stripping.verdict(WHOLE, worse)


def by_flag(*values: float) -> dict[str, Spread]:
    return {flag: spread(value) for flag, value in zip(optimising.FLAGS, values, strict=True)}


@pytest.mark.parametrize(
    ("calls", "bodies", "said"),
    [
        ((20, 20, 20), (1000, 250, 250),
         "No -O flag changes the call itself (20.0 ns to 20.0 ns); the plugin's own work takes "
         "4.0 times as long with -O0 as with -O2, and -O3 brings no more."),
        ((20, 15, 10), (1000, 500, 100),
         "-O3 makes the call faster than -O0 (20.0 ns to 10.0 ns); the plugin's own work takes "
         "2.0 times as long with -O0 as with -O2, and -O3 is faster still."),
        ((10, 15, 20), (1000, 500, 800),
         "-O3 makes the call slower than -O0 (10.0 ns to 20.0 ns); the plugin's own work takes "
         "2.0 times as long with -O0 as with -O2, and -O3 makes it slower."),
    ],
)  # fmt: skip
def test_optimising(calls: tuple[float, ...], bodies: tuple[float, ...], said: str) -> None:
    assert optimising.verdict(by_flag(*calls), by_flag(*bodies)) == said


# ---- what is done ---------------------------------------------------------------------------


def test_all_of_them_are_measured_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ideas: list[str] = []
    found = experiments.run(ideas.append, rounds=5, copies=2)
    assert os.listdir(tmp_path) == []
    assert ideas == [one.idea for one in found] == [one.idea for one in experiments.EXPERIMENTS]
    for one in found:
        assert one.missing == ""
        assert one.verdict.endswith(".") and not re.search(r"\.\s+[A-Z]", one.verdict)
        assert len(one.trials) >= 3
        for trial in one.trials:
            assert isfinite(trial.spread.median) and trial.spread.median >= 0


def test_stripping_loses_what_checks_signatures() -> None:
    pytest.importorskip("elftools")
    (found,) = experiments.run(experiments=[stripping.EXPERIMENT], rounds=5, copies=2)
    assert "evidence 'dwarf' became 'asserted'" in found.verdict
    whole, stripped = found.trials[:2]
    assert whole.unit == stripped.unit == "bytes"
    assert whole.spread.median > stripped.spread.median > 500_000


@pytest.mark.parametrize("how", ["CC that is not there", "nothing on the PATH"])
def test_without_a_compiler(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    if how == "nothing on the PATH":
        monkeypatch.setenv("PATH", "/no/such/folder")
    found = {one.idea: one for one in experiments.run(rounds=5, copies=2)}
    if how == "CC that is not there":  # another one is found
        assert not any(one.missing for one in found.values())
        return
    missing = {idea for idea, one in found.items() if one.missing}
    assert missing >= {stripping.EXPERIMENT.idea, optimising.EXPERIMENT.idea}
    assert missing <= COMPILED
    for idea in missing:
        assert found[idea].missing == (
            "there is no C compiler: install gcc or clang, or set CC to one that takes their "
            "options"
        )
        assert not found[idea].trials and not found[idea].verdict


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken-cc"
    broken.write_text("#!/bin/sh\necho cannot do that in $TMPDIR >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    (found,) = experiments.run(experiments=[optimising.EXPERIMENT], rounds=5)
    said, _, folder = found.missing.partition(" in ")
    assert said == f"{broken} does not make the library: cannot do that"
    # What compilers leave behind when they are ended is removed too.
    assert os.path.basename(folder).startswith("jumptable-bench-")


def test_without_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/such/folder")
    with ExitStack() as closing:
        given = trying.Trying(closing, lambda: True, rounds=1, copies=1)
        with pytest.raises(UnavailableError, match="there is no strip here: install binutils"):
            stripping._strip(given, given.folder / "any.so")


@pytest.mark.parametrize("asked", [0, 1, 2, 5, 20])
def test_it_stops_where_it_is_told_to(
    asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = iter([True] * asked)
    found = experiments.run(go_on=lambda done, total: next(left, False), rounds=5, copies=2)
    assert os.listdir(tmp_path) == []
    stopped = [one.missing == tried.STOPPED for one in found]
    assert stopped == sorted(stopped) and stopped[-1]
    assert all(one.trials for one, has in zip(found, stopped, strict=True) if not has)


def test_an_interrupt_removes_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made: list[list[str]] = []

    def go_on(done: int, total: int) -> bool:
        made.append(os.listdir(tmp_path))
        if made[-1]:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        experiments.run(go_on=go_on, experiments=[mapping.EXPERIMENT], copies=2)
    assert made[-1] and os.listdir(tmp_path) == []


def test_what_was_not_foreseen_is_one_missing_experiment() -> None:
    def fails(trying: trying.Trying) -> tuple[list[Trial], str]:
        raise ZeroDivisionError("of all things")

    broken = experiments.Maker("broken", fails)
    first, second = experiments.run(experiments=[broken, pooling.EXPERIMENT], rounds=5, copies=2)
    assert first.missing == "it failed: ZeroDivisionError: of all things"
    assert second.verdict


def test_it_is_not_imported_with_jumptable() -> None:
    program = "import jumptable, sys; print(*[m for m in sys.modules if 'measuring' in m])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == ""
