"""Processes that are killed, or stopped, at any moment: nobody else notices, nothing is lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Run

from .programs import needs_fork, run_program

pytestmark = needs_fork

KILLING = """
import mmap, random, sysconfig
kills, seed = int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
WRITERS = 4
# Where counters are immortal, what was opened is never given back.
IMMORTAL = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
TURNS = 1000 if IMMORTAL else 5
# What each life of a writer has attempted, and what add() has returned from.
control = memoryview(mmap.mmap(-1, 16 * (kills + WRITERS))).cast("q")
stats = jt.Counters(["before", "hits", "after"], path=path, stripes=2)

def only_add(life):
    add, number = stats.hits.add, 0
    while True:
        number += 1
        control[2 * life] = number
        add()
        control[2 * life + 1] = number

def open_and_add(life):
    number = 0
    while True:
        mine = jt.Counters(path=path)
        for _ in range(TURNS):
            number += 1
            control[2 * life] = number
            mine.hits.add()
            control[2 * life + 1] = number

def read_and_add(life):
    number = 0
    while True:
        assert stats.hits.value >= number
        number += 1
        control[2 * life] = number
        stats.hits.add()
        control[2 * life + 1] = number

def start(life):
    return child((only_add, open_and_add, read_and_add)[life % 3], life)

def check(reader):
    acknowledged = sum(control[1::2])
    read = reader.hits.value
    attempted = sum(control[0::2])
    assert acknowledged <= read <= attempted, (seed, acknowledged, read, attempted)
    assert (reader.before.value, reader.after.value) == (0, 0), seed

lives = WRITERS
writers = [start(life) for life in range(WRITERS)]
for kill in range(kills):
    time.sleep(chance.random() * 0.003)
    victim = chance.choice(writers)
    if kill % 8 == 0:  # whatever it is in the middle of: it stays there while others go on
        os.kill(victim, signal.SIGSTOP)
        os.waitpid(victim, os.WUNTRACED)
        check(stats)
        in_child(lambda: check(jt.Counters(path=path)))
    check(stats)
    os.kill(victim, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(victim, 0)[1]) == signal.SIGKILL
    check(stats)
    writers[writers.index(victim)] = start(lives)
    lives += 1
for victim in writers:
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
check(stats)
in_child(check, jt.Counters(path=path))
attempted, acknowledged = sum(control[0::2]), sum(control[1::2])
assert attempted - acknowledged <= lives and acknowledged > kills
assert IMMORTAL or len(slabs()) <= 4 * WRITERS, slabs()
print(acknowledged, stats.hits.value, attempted)
"""


@pytest.mark.parametrize("kills", [200, pytest.param(2000, marks=pytest.mark.long)])
def test_acknowledged_is_counted_and_nothing_else(
    kills: int, tmp_path: Path, run_python: Run
) -> None:
    seed = random.randrange(1 << 30)
    said = run_program(run_python, KILLING, tmp_path / "stats", kills, seed)
    acknowledged, read, attempted = map(int, said.split())
    assert acknowledged <= jt.Counters(path=tmp_path / "stats").hits.value == read <= attempted


RESETTING = """
import random
kills, seed = int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
stats = jt.Counters(["hits"], path=path)

def resetting():
    while True:
        assert stats.hits.reset() >= 0

added = resets = 0
for kill in range(kills):
    pid = child(resetting)
    for _ in range(chance.randrange(150_000)): stats.hits.add(); added += 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    left = stats.hits.value
    resets += left < added
    assert 0 <= left <= added, (seed, left, added)
    assert stats.hits.reset() == left and stats.hits.value == 0, seed
    added = 0
assert resets > 5
"""


def test_a_reset_is_done_or_not(tmp_path: Path, run_python: Run) -> None:
    run_program(run_python, RESETTING, tmp_path / "stats", 50, random.randrange(1 << 30))


CREATING = """
import random
kills, seed = int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
names = [f"n{number}" for number in range(2000)]
made = 0
for kill in range(kills):
    path = sys.argv[1] + str(kill)
    r, w = os.pipe()

    def create():
        os.write(w, b"x")
        mine = jt.Counters(names, path=path, stripes=64)
        mine.n0.add(1)
        time.sleep(60)

    pid = child(create)
    os.read(r, 1)
    time.sleep(chance.random() * 0.004)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(r)
    os.close(w)
    made += os.path.exists(path)
    if os.path.exists(path):
        assert 0 <= jt.Counters(path=path).n0.value <= 1, seed
    mine = jt.Counters(names, path=path)
    mine.n1999.add(5)
    assert mine.n0.value in (0, 1) and mine.n1999.value == 5, seed
    os.unlink(path)
print(made)
"""


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path, run_python: Run) -> None:
    """Killed while it makes the file, a process leaves at most a temporary one behind."""
    seed = random.randrange(1 << 30)
    assert 0 < int(run_program(run_python, CREATING, tmp_path / "stats", 60, seed)) < 60
    assert {path.suffix for path in tmp_path.glob(".jumptable*")} <= {".tmp"}
    assert list(tmp_path.glob("stats*")) == []


STOPPED = """
step = sys.argv[2]
if step in ("open", "holding"):
    jt.Counters(["hits"], path=path)

def hook(event, arguments):
    if event == step:
        os.kill(os.getpid(), signal.SIGSTOP)

def stopping():
    sys.addaudithook(hook)
    if step == "holding":
        mine = jt.Counters(["hits"], path=path)
        os.kill(os.getpid(), signal.SIGSTOP)
    jt.Counters(["hits"], path=path).hits.add(1)

pid = child(stopping)
assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
stats = jt.Counters(["hits"], path=path)
stats.hits.add(10)
assert stats.hits.value == 10
in_child(adding, 10)
assert stats.hits.reset() == 20
sys.stdout.flush()
os.kill(pid, signal.SIGCONT)
while not (found := os.waitpid(pid, os.WUNTRACED))[0] or os.WIFSTOPPED(found[1]):
    os.kill(pid, signal.SIGCONT)
assert found[1] == 0
assert stats.hits.value == 1
"""


@pytest.mark.parametrize("step", ["open", "os.link", "os.remove", "holding"])
def test_a_stopped_process_holds_up_nobody(step: str, tmp_path: Path, run_python: Run) -> None:
    """``step`` is the audited event in which it stops: as it opens the file, or makes it."""
    run_program(run_python, STOPPED, tmp_path / "stats", step)
