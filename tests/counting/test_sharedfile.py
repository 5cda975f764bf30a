"""Counters that processes share through a file: exact sums, forks, dead processes, races."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Run

from .programs import needs_fork, run_program

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder / "stats"


# ---- one process ------------------------------------------------------------------------


def test_a_file_is_made_and_opened_again(path: Path) -> None:
    made = jt.Counters(["hits", "two words", "é"], path=path, stripes=2)
    assert (made.path, made.names, made.stripes) == (str(path), ("hits", "two words", "é"), 2)
    assert repr(made) == f"<Counters hits, two words, é in {str(path)!r}>"
    made.hits.add(3)
    made["é"] += 4
    for names in (None, ["hits", "two words", "é"]):
        again = jt.Counters(names, path=os.fsencode(path).decode(), stripes=8)
        assert (again.names, again.stripes) == (made.names, 2)  # the file's own
        again.hits += 1
    assert made.snapshot() == {"hits": 5, "two words": 0, "é": 4}
    assert [item.name for item in path.parent.iterdir()] == ["stats"]


@pytest.mark.skipif(sys.platform == "win32", reason="paths have a limit there")
def test_a_file_name_may_be_as_long_as_names_can_be(path: Path) -> None:
    longest = path.with_name("n" * os.pathconf(path.parent, "PC_NAME_MAX"))
    jt.Counters(["hits"], path=longest).hits.add(1)
    assert jt.Counters(path=longest)["hits"].value == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libraries are preloaded")
def test_a_file_system_that_cannot_reserve(path: Path, tmp_path: Path) -> None:
    source, library = tmp_path / "refuse.c", tmp_path / "refuse.so"
    source.write_text(
        "#include <errno.h>\n"
        "int posix_fallocate(int fd, long at, long size) { return EOPNOTSUPP; }\n"
        "int posix_fallocate64(int fd, long at, long size) { return EOPNOTSUPP; }\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    program = (
        "import sys, jumptable as jt\n"
        "made = [jt.Counters(['hits'], path=sys.argv[1]) for _ in range(3)]\n"
        "for each in made: each.hits.add(1)\n"
        "assert made[0].hits.value == 3\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, path],
        check=True,
        env={**os.environ, "LD_PRELOAD": str(library)},
    )
    stats = jt.Counters(path=path)
    assert stats["hits"].value == 3
    assert path.stat().st_blocks * 512 >= path.stat().st_size  # no hole


def test_no_counters_at_all(path: Path) -> None:
    made = jt.Counters([], path=path)
    again = jt.Counters(path=path)
    assert again.names == made.names == () and again.snapshot() == again.reset() == {}


def test_values_wrap_around_and_reset(path: Path) -> None:
    first, second = jt.Counters(["a", "b"], path=path), jt.Counters(path=path)
    first.a.add(2**63 - 1)
    second.a.add(1)
    second.b.add(-1)
    assert first.snapshot() == second.snapshot() == {"a": -(2**63), "b": -1}
    assert first.a.reset() == -(2**63)
    assert second.snapshot() == {"a": 0, "b": -1}
    first.a.add(-5)
    assert second.reset() == {"a": -5, "b": -1}
    assert first.reset() == {"a": 0, "b": 0}


def test_layout_of_the_words(path: Path) -> None:
    stats = jt.Counters([f"c{number}" for number in range(20)], path=path, stripes=4)
    begin = stats.c0.address
    assert begin % 128 == 0
    for number, name in enumerate(stats):
        first = begin + 8 * number
        assert stats[name].addresses == tuple(first + 256 * stripe for stripe in range(4))


def test_other_names_are_refused(path: Path) -> None:
    jt.Counters(["a", "b"], path=path).a.add(7)
    content = path.read_bytes()
    for names in (["a"], ["b", "a"], ["a", "b", "c"], []):
        with pytest.raises(ValueError, match="counts 'a', 'b', and was opened for") as caught:
            jt.Counters(names, path=path)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    with pytest.raises(ValueError, match="'n9' and 90 more"):
        jt.Counters([f"n{number}" for number in range(100)], path=path)


def test_names_can_only_be_left_out_for_an_existing_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        jt.Counters(path=path)
    assert caught.value.filename == str(path)
    assert list(path.parent.iterdir()) == []


def test_the_working_directory_may_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    stats = jt.Counters(["a"], path="stats")
    monkeypatch.chdir("/")
    assert stats.path == str(path)
    copy = pickle.loads(pickle.dumps(stats))
    copy.a.add(2)
    assert stats.a.value == 2


def test_a_deleted_file_counts_on(path: Path) -> None:
    old = jt.Counters(["a"], path=path)
    old.a.add(3)
    path.unlink()
    old.a.add(1)
    new = jt.Counters(["a"], path=path)
    new.a.add(10)
    assert (old.a.value, new.a.value) == (4, 10)


def test_pickled_they_are_the_same_counters(path: Path) -> None:
    stats = jt.Counters(["a", "two words"], path=path)
    for take in (pickle.dumps(stats), pickle.dumps(stats["two words"])):
        thing = pickle.loads(take)
        counter = thing["two words"] if isinstance(thing, jt.Counters) else thing
        assert counter.name == "two words"
        counter.add(5)
    assert stats.snapshot() == {"a": 0, "two words": 10}


LEAKING = """
def open_many(count):
    for number in range(count):
        stats = jt.Counters(["hits"], path=path)
        assert stats.hits.value == number + before
        stats.hits.add()
        del stats

def resources():
    with open("/proc/self/maps") as maps:
        return len(os.listdir("/proc/self/fd")), sum(path in line for line in maps)

before = 0
open_many(1)
first = resources()
before = 1
open_many(300)
assert resources() == first, (first, resources())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="no /proc")
@pytest.mark.skipif(FREE_THREADED, reason="they are immortal")
def test_dropped_counters_give_back_what_they_took(path: Path, run_python: Run) -> None:
    """Descriptors, mappings, and with them the slab: the file does not grow."""
    run_program(run_python, LEAKING, path)
    size = path.stat().st_size
    stats = jt.Counters(path=path)
    assert stats.hits.value == 301
    assert path.stat().st_size == size


# ---- several processes ------------------------------------------------------------------


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
def test_a_child_keeps_a_socket_that_has_the_descriptors_number(
    path: Path, run_python: Run
) -> None:
    """Not to be opened by its descriptor, it is not taken for the file, which the path leads to."""
    text = """
import socket
stats = jt.Counters(["hits"], path=path)
os.closerange(3, 256)
sockets = [socket.socket() for _ in range(8)]

def forked():
    stats.hits.add(10)
    assert len(slabs()) >= 2
    for each in sockets:
        os.fstat(each.fileno())

in_child(forked)
assert stats.hits.value == 10
"""
    run_program(run_python, text, path)


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
    for _ in range(2000):
        got = stats.hits.reset()
        assert got >= 0, got
        taken += got
    os.write(w, f"{taken}\\n".encode())

adders = [child(adding, 100_000) for _ in range(3)]
resetters = [child(resetting) for _ in range(2)]
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


def test_a_path_may_be_a_symbolic_link(path: Path) -> None:
    path.symlink_to(path.with_name("real"))
    with pytest.raises(FileNotFoundError) as caught:
        jt.Counters(["a"], path=path)  # nothing is made where a link points to nothing
    assert caught.value.filename == str(path)
    made = jt.Counters(["a"], path=path.with_name("real"))
    jt.Counters(path=path).a.add(3)
    assert made.a.value == 3
