"""Processes that share an index while others install and uninstall."""

from __future__ import annotations

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

# What is there at any time: all of a generation's distributions, or some that come and go. A reader
# compares only what cannot have changed between its two looks.
READER = """
import sys, time
from jumptable.loading import entryindex
entryindex.MARGIN_NS = int(sys.argv[2])
from jumptable.loading.discovery import entry_points
sys.path[:0] = [sys.argv[3]]
from distributions import expected, facts
sys.path[:] = [sys.argv[1]]
agreed = looks = 0
end = time.monotonic() + float(sys.argv[4])
while time.monotonic() < end:
    looks += 1
    if looks % 3 == 0:
        entryindex._known.clear()
    before = facts(expected(group="tools"))
    ours = facts(entry_points(group="tools"))
    after = facts(expected(group="tools"))
    if before == after:
        assert ours == before, (ours, before)
        agreed += 1
assert facts(entry_points(group="tools")), "nothing left"
print(agreed)
"""


def hammer(tmp_path: Path, seconds: float, readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(Path(jumptable.__file__).parents[1]))
    site = tmp_path / "site"
    install(site, "stays", groups={"tools": [("n", "a:b")]})
    command = [sys.executable, "-c", READER, str(site)]
    rest = [str(Path(__file__).parent), str(seconds)]
    running = [
        subprocess.Popen([*command, str(margin), *rest], stdout=subprocess.PIPE, text=True)
        for margin in ([2_500_000_000, 30_000_000] * readers)[:readers]
    ]
    step = 0
    while any(process.poll() is None for process in running):
        step += 1
        info = install(site, f"comes{step % 5}", str(step % 3), {"tools": [(f"n{step}", "a:b")]})
        time.sleep(0.06)
        (info / "entry_points.txt").write_text(f"[tools]\nn{step} = a:c\n")
        time.sleep(0.06)
        if step % 2:
            shutil.rmtree(info)
        time.sleep(0.06)
        for file in list((tmp_path / "cache").glob("*"))[: step % 2]:
            if step % 4:
                file.write_bytes(os.urandom(step % 300))  # not as we write: in place
    for process in running:
        output, _ = process.communicate()
        assert process.returncode == 0
        assert int(output) > 5
    left = [file.name for file in (tmp_path / "cache").iterdir() if file.name.endswith(".tmp")]
    assert not left


def test_readers_while_another_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hammer(tmp_path, 2.0, 2, monkeypatch)


@pytest.mark.long
def test_many_readers_while_another_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hammer(tmp_path, 60.0, 8, monkeypatch)
