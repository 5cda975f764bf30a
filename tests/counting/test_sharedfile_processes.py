"""Processes that count in one file: exact sums, forks, the dead ones' slabs, races."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Run

from .programs import needs_fork, run_program


@needs_fork
def test_sums_of_processes_are_exact(path: Path, run_python: Run) -> None:
    text = """
stats = jt.Counters(["hits", "misses"], path=path)
children = [child(adding, 20_000, "hits" if n % 2 else "misses") for n in range(6)]
adding(5_000)
while any(children):
    seen = stats.snapshot()
    assert 0 <= seen["misses"] <= 60_000 and 5_000 <= seen["hits"] <= 65_000, seen
    ended(children.pop())
    if not children: break
assert stats.snapshot() == {"hits": 65_000, "misses": 60_000}, stats
"""
    run_program(run_python, text, path)
    assert jt.Counters(path=path).snapshot() == {"hits": 65_000, "misses": 60_000}


@needs_fork
def test_a_forked_child_has_a_slab_of_its_own(path: Path, run_python: Run) -> None:
    """Its addresses are the parent's: what C holds stays right."""
    text = """
stats = jt.Counters(["hits"], path=path, stripes=2)
stats.hits.add(1)
addresses, add = stats.hits.addresses, stats.hits.add

def grand_child():
    assert stats.hits.addresses == addresses
    add(100)
    assert stats.hits.value == 111, stats

def first_child():
    assert stats.hits.addresses == addresses
    assert stats.hits.value == 1
    add(10)
    assert stats.hits.value == 11
    in_child(grand_child)
    assert stats.hits.value == 111

in_child(first_child)
assert stats.hits.value == 111
assert slabs()[:3] == [1, 10, 100], slabs()
add(1000)
assert slabs()[0] == 1001
assert stats.hits.reset() == 1111 and stats.hits.value == 0
"""
    run_program(run_python, text, path)


@needs_fork
def test_the_parent_may_die_first(path: Path, run_python: Run) -> None:
    """Its slab is the next process's; the child keeps its own."""
    text = """
r, w = os.pipe()

def parent():
    global stats
    stats = jt.Counters(["hits"], path=path)
    stats.hits.add(1)
    pid = os.getpid()
    def orphan():
        while os.getppid() == pid: time.sleep(0.001)
        stats.hits.add(10)
        new = jt.Counters(path=path)
        new.hits.add(100)
        assert stats.hits.value == new.hits.value == 111
        os.write(w, json.dumps(slabs()).encode())
    child(orphan)

in_child(parent)
os.close(w)
found = json.loads(os.read(r, 1000))
assert found[:2] == [101, 10], found
"""
    run_program(run_python, text, path)


@needs_fork
def test_dead_processes_values_stay_and_their_slabs_are_taken_over(
    path: Path, run_python: Run
) -> None:
    text = """
jt.Counters(["hits"], path=path).hits.add(1)
sizes = set()
for number in range(50):
    in_child(adding, 10)
    sizes.add(os.path.getsize(path))
assert len(sizes) == 1, sizes
assert jt.Counters(path=path).hits.value == 501
assert len(slabs()) <= 4, slabs()
"""
    run_program(run_python, text, path)


@needs_fork
def test_living_processes_do_not_share_slabs(path: Path, run_python: Run) -> None:
    text = """
stats = jt.Counters(["hits"], path=path)
r, w = os.pipe()
done, wait = os.pipe()

def live(amount):
    os.close(wait)
    mine = jt.Counters(path=path) if amount % 2 else stats
    mine.hits.add(amount)
    os.write(w, b"x")
    os.read(done, 1)

children = [child(live, amount) for amount in range(1, 9)]
seen = b""
while len(seen) < 8: seen += os.read(r, 8)
assert stats.hits.value == 36
counted = sorted(slab for slab in slabs() if slab)
assert counted == [1, 2, 3, 4, 5, 6, 7, 8], counted
os.close(wait)
for pid in children: ended(pid)
assert stats.hits.value == 36
"""
    run_program(run_python, text, path)


@needs_fork
def test_processes_race_to_make_the_file(path: Path, run_python: Run) -> None:
    text = """
for attempt in range(10):
    name = f"{path}.{attempt}"
    go, start = os.pipe()

    def make():
        os.close(start)
        os.read(go, 1)
        jt.Counters(["hits"], path=name).hits.add(3)

    children = [child(make) for _ in range(20)]
    os.close(start)
    for pid in children: ended(pid)
    assert jt.Counters(path=name).hits.value == 60
"""
    run_program(run_python, text, path)
    assert len(list(path.parent.iterdir())) == 10  # and no temporary file


@needs_fork
def test_a_program_may_close_all_its_descriptors(path: Path, run_python: Run) -> None:
    """As daemons do. What has the descriptor's number afterwards is left alone."""
    text = """
stats = jt.Counters(["hits"], path=path)
stats.hits.add(1)
os.closerange(3, 256)
other = open(path + ".other", "w+")
others = [os.dup(other.fileno()) for _ in range(5)]
stats.hits.add(1)
assert stats.hits.value == 2

def forked():
    stats.hits.add(10)
    assert stats.hits.value == 12
    assert os.fstat(others[0]).st_size == 0

in_child(forked)
assert stats.snapshot() == {"hits": 12}
in_child(adding, 100)
assert stats.hits.value == 112
del stats
for descriptor in others: os.fstat(descriptor)
other.write("x")
other.close()
"""
    run_program(run_python, text, path)
    path.with_name("stats.other").unlink()


@needs_fork
def test_a_program_that_closed_all_finds_another_file(path: Path, run_python: Run) -> None:
    text = """
stats = jt.Counters(["hits"], path=path)
stats.hits.add(1)
os.closerange(3, 256)
os.unlink(path)
jt.Counters(["hits"], path=path).hits.add(50)
os.closerange(3, 256)
try:
    stats.hits.value
except OSError as error:
    assert error.filename == path and "another one has its name" in error.strerror, error
else:
    raise AssertionError("it reads another file")
assert "another one" in repr(stats.hits)
stats.hits.add(1)
"""
    run_program(run_python, text, path)


@needs_fork
def test_resets_race_with_adds_of_other_processes(path: Path, run_python: Run) -> None:
    """All that resets returned, and what is left, is what was added."""
    text = """
stats = jt.Counters(["hits"], path=path)
r, w = os.pipe()

def resetting():
    taken = 0
    for _ in range(10_000):
        got = stats.hits.reset()
        assert got >= 0, got
        taken += got
    os.write(w, f"{taken}\\n".encode())

resetters = [child(resetting) for _ in range(2)]
adders = [child(adding, 300_000)]
for pid in adders + resetters: ended(pid)
os.close(w)
taken = sum(map(int, os.read(r, 1000).split()))
assert taken > 0
assert taken + stats.hits.value == 300_000, (taken, stats)
"""
    run_program(run_python, text, path)


@needs_fork
def test_readers_go_on_while_the_file_grows(path: Path, run_python: Run) -> None:
    text = """
stats = jt.Counters(["hits"], path=path)
stats.hits.add(5)

def grow():
    kept = [jt.Counters(path=path) for _ in range(300)]
    for more in kept: more.hits.add(1)

children = [child(grow), child(grow)]
while children:
    for _ in range(50):
        assert 5 <= stats.hits.value <= 605
    if os.waitpid(children[0], os.WNOHANG)[0]:
        children.pop(0)
assert stats.hits.value == 605
assert len(slabs()) > 300
"""
    run_program(run_python, text, path)


def count_in_spawned(stats: jt.Counters, counter: jt.Counter, amount: int) -> None:
    stats.hits.add(amount)
    counter.add(amount)


def test_they_are_sent_to_spawned_processes(path: Path) -> None:
    stats = jt.Counters(["hits", "misses"], path=path)
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=count_in_spawned, args=(stats, stats.misses, amount))
        for amount in (1, 10)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert stats.snapshot() == {"hits": 11, "misses": 11}


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no /proc")
def test_descriptors_are_not_inherited_by_programs(path: Path) -> None:
    """A program that is started keeps no lock of its parent's."""
    stats = jt.Counters(["hits"], path=path)
    descriptors = [
        int(name)
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
        and os.path.realpath(f"/proc/self/fd/{name}") == str(path)
    ]
    assert descriptors and not any(os.get_inheritable(number) for number in descriptors)
    left = "import os; print([n for n in os.listdir('/proc/self/fd') if 'stats' in os.path.realpath"
    command = [sys.executable, "-c", left + "('/proc/self/fd/' + n)])"]
    done = subprocess.run(command, capture_output=True, text=True, close_fds=False, check=True)
    assert done.stdout.strip() == "[]"
    assert stats.hits.value == 0
