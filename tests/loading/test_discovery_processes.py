"""Processes that share an index while others install and uninstall."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jumptable
from jumptable.loading import cache

from .distributions import install

# What is there at any time: one distribution that says how many changes there were, odd while one
# is being made, and some that come and go. A reader compares only what it saw between two changes.
READER = """
import pathlib, sys, time
from jumptable.loading import entryindex
entryindex.MARGIN_NS = int(sys.argv[2])
from jumptable.loading.discovery import entry_points
sys.path[:0] = [sys.argv[3]]
from distributions import expected, facts
sys.path[:] = [sys.argv[1]]
(mark,) = pathlib.Path(sys.argv[1]).glob("stays*/entry_points.txt")
agreed = looks = 0
end = time.monotonic() + float(sys.argv[4])
while time.monotonic() < end:
    looks += 1
    if looks % 3 == 0:
        entryindex._known.clear()
    start = mark.read_text()
    try:
        wanted, ours = facts(expected(group="tools")), facts(entry_points(group="tools"))
        problem = None
    except Exception as error:  # what has just been found is no longer there
        problem = error
    if mark.read_text() == start and "even" in start:
        assert problem is None and ours == wanted, (ours, wanted, problem)
        agreed += 1
assert facts(entry_points(group="tools")), "nothing left"
print(agreed)
"""


def hammer(tmp_path: Path, seconds: float, readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(Path(jumptable.__file__).parents[1]))
    site = tmp_path / "site"
    stays = install(site, "stays", groups={"tools": [("even0", "a:b")]}) / "entry_points.txt"
    marks = itertools.count(1)

    def mark() -> None:
        number = next(marks)
        new = stays.with_suffix(".new")
        new.write_text(f"[tools]\n{'odd' if number % 2 else 'even'}{number} = a:b\n")
        os.replace(new, stays)

    command = [sys.executable, "-c", READER, str(site)]
    rest = [str(Path(__file__).parent), str(seconds)]
    running = [
        subprocess.Popen([*command, str(margin), *rest], stdout=subprocess.PIPE, text=True)
        for margin in ([2_500_000_000, 30_000_000] * readers)[:readers]
    ]
    step = 0
    while any(process.poll() is None for process in running):
        step += 1
        mark()
        info = install(site, f"comes{step % 5}", str(step % 3), {"tools": [(f"n{step}", "a:b")]})
        mark()
        time.sleep(0.06)
        mark()
        (info / "entry_points.txt").write_text(f"[tools]\nn{step} = a:c\n")
        mark()
        time.sleep(0.06)
        mark()
        if step % 2:
            shutil.rmtree(info)
        mark()
        time.sleep(0.06)
        for file in list((tmp_path / "cache").glob("*"))[: step % 2]:
            if step % 4:
                file.write_bytes(os.urandom(step % 300))  # not as we write: in place
    for process in running:
        output, _ = process.communicate()
        assert process.returncode == 0
        assert int(output) > 0
    left = [file.name for file in (tmp_path / "cache").iterdir() if file.name.endswith(".tmp")]
    assert not left


def test_readers_while_another_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hammer(tmp_path, 2.0, 2, monkeypatch)


@pytest.mark.long
def test_many_readers_while_another_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hammer(tmp_path, 60.0, 8, monkeypatch)
