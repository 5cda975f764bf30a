"""Threads that add, in Python and in C, while others look and reset: totals are exact."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import jumptable as jt
from jumptable.counting.counter import thread_number
from tests.conftest import Compile, Run

from .loops import loops, run_threads
from .programs import needs_fork, run_program

pytestmark = pytest.mark.thread_unsafe(reason="starts threads of its own, as many as it needs")

THREADS = 16
Make = Callable[[], jt.Counter]


@pytest.fixture(params=["one cell", "striped", "among many", "shared"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    ways: dict[str, Make] = {
        "one cell": jt.Counter,
        "striped": partial(jt.Counter, stripes=8),
        "among many": lambda: jt.Counters(["a", "hits", "b"], stripes=2).hits,
        "shared": lambda: jt.Counters(["a", "hits", "b"], path=tmp_path / "stats").hits,
    }
    return ways[request.param]


@pytest.fixture(scope="module")
def c(compile_plugin: Compile) -> ctypes.CDLL:
    return loops(compile_plugin)


def add_many(counter: jt.Counter, times: int) -> None:
    add = counter.add
    for _ in range(times):
        add()


def add_in_place(counter: jt.Counter, times: int) -> None:
    for _ in range(times):
        counter += 3
        counter -= 2


@pytest.mark.parametrize("times", [10_000, pytest.param(1_000_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("way", [add_many, add_in_place])
def test_python_threads(make: Make, times: int, way: Callable[[jt.Counter, int], None]) -> None:
    counter = make()
    run_threads([partial(way, counter, times)] * THREADS)
    assert counter.value == THREADS * times


def test_c_threads(make: Make, c: ctypes.CDLL) -> None:
    """A million each, without the GIL, to whichever word."""
    counter = make()
    words = counter.addresses
    run_threads(
        partial(c.add_many, words[number % len(words)], 1, 1_000_000) for number in range(THREADS)
    )
    assert counter.value == THREADS * 1_000_000


def test_c_and_python_threads(make: Make, c: ctypes.CDLL) -> None:
    counter = make()
    words = counter.addresses
    run_threads(
        partial(add_many, counter, 20_000)
        if number % 2
        else partial(c.add_many, words[number % len(words)], -3, 200_000)
        for number in range(8)
    )
    assert counter.value == 4 * 20_000 - 3 * 4 * 200_000


def test_neighbours(c: ctypes.CDLL) -> None:
    """All counters of one stripe, which share cache lines, each in a thread of its own."""
    stats = jt.Counters([f"c{number}" for number in range(8)], stripes=1)
    run_threads(
        partial(c.add_many, stats[name].address, number, 200_000)
        for number, name in enumerate(stats)
    )
    assert list(stats.snapshot().values()) == [200_000 * number for number in range(8)]


def test_resets_lose_nothing(make: Make, c: ctypes.CDLL) -> None:
    """What resets returned, and what is left, is what was added."""
    counter = make()
    taken: list[int] = []
    added: list[int] = []
    adders = 3

    def add(chunk: int, way: Callable[[int], object]) -> None:
        total = 0
        while len(taken) < 20:
            way(chunk)
            total += chunk
        added.append(total)

    def reset() -> None:
        while len(added) < adders:
            if amount := counter.reset():
                taken.append(amount)

    def look() -> None:
        while len(added) < adders:
            assert counter.value >= 0

    run_threads([
        partial(add, 50_000, partial(c.add_many, counter.addresses[-1], 1)),
        partial(add, 50_000, partial(c.add_many, counter.address, 1)),
        partial(add, 1_000, partial(add_many, counter)),
        reset, reset, look,
    ])  # fmt: skip
    assert min(taken) > 0
    assert sum(taken) + counter.value == sum(added)


def test_snapshots_and_resets_of_many(c: ctypes.CDLL) -> None:
    stats = jt.Counters(["a", "b", "c"], stripes=2)
    times = 1_000_000
    finished: list[bool] = []
    sums = dict.fromkeys(stats, 0)

    def add(name: str) -> None:
        try:
            c.add_many(stats[name].address, 1, times)
        finally:
            finished.append(True)

    def look() -> None:
        while len(finished) < 3:
            before = stats.snapshot()
            for name, amount in stats.reset().items():
                assert before[name] <= amount <= times  # nobody else resets
                sums[name] += amount

    run_threads([partial(add, name) for name in stats] + [look])
    left = stats.reset()
    assert {name: sums[name] + left[name] for name in stats} == dict.fromkeys(stats, times)


# ---- the numbers of threads -------------------------------------------------------------

NUMBERS = """
import threading
from jumptable.counting.counter import thread_number

counter = jt.Counter(stripes=64)
assert thread_number() == 0

def run(job):
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()

seen = set()
def churn():
    counter.add()
    seen.add(thread_number())
    assert thread_number() == thread_number()

for _ in range(int(sys.argv[2])): run(churn)
# pthread_join returns after the number was given back; a Thread is joined a little earlier.
assert max(seen) < 16, seen  # a thread gives its number back after join() returned
assert counter.value == int(sys.argv[2])

# As many as there are numbers: each has its own, and they are the first ones.
def hold(count):
    numbers, start, end = [], threading.Barrier(count + 1), threading.Barrier(count + 1)
    def job():
        start.wait()
        counter.add()
        numbers.append(thread_number())
        end.wait()
    threads = [threading.Thread(target=job, daemon=True) for _ in range(count)]
    for thread in threads: thread.start()
    start.wait()
    end.wait()
    for thread in threads: thread.join()
    return sorted(numbers)

def settled():
    # Threads that are joined may be about to give their numbers back.
    for _ in range(1000):
        found = []
        run(lambda: found.append(thread_number()))
        if found == [1]: return
        time.sleep(0.01)
    raise AssertionError(found)

settled()
for count in (3, 30, 63):
    assert hold(count) == [*range(1, count + 1)], count
    settled()
numbers = hold(63 + 128)
assert {numbers.count(number) for number in range(1, 64)} <= {2, 3, 4}, numbers
assert max(numbers) == 63
settled()

# A forked child has one thread, and its number; the others' are free.
def held_by_child():
    assert thread_number() == 0
    assert hold(5) == [1, 2, 3, 4, 5]
go = threading.Event()
def other(): thread_number(); go.wait()
others = [threading.Thread(target=other, daemon=True) for _ in range(5)]
for thread in others: thread.start()
time.sleep(0.05)
in_child(held_by_child)
go.set()
for thread in others: thread.join()
"""


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_numbers_are_few_and_used_again(count: int, tmp_path: Path, run_python: Run) -> None:
    run_program(run_python, NUMBERS, tmp_path / "stats", count)


def test_churn_of_threads_loses_nothing(make: Make) -> None:
    counter = make()
    numbers: set[int] = set()

    def churn() -> None:
        for _ in range(160):
            thread = threading.Thread(target=short)
            thread.start()
            thread.join()

    def short() -> None:
        counter.add(5)
        numbers.add(thread_number())

    run_threads([churn] * 16)
    assert counter.value == 16 * 160 * 5
    assert numbers <= set(range(64))


def test_threads_add_to_stripes_of_their_own() -> None:
    counter = jt.Counter(stripes=64)
    held = threading.Barrier(9)

    def job(amount: int) -> None:
        counter.add(amount)
        held.wait()

    threads = [threading.Thread(target=job, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    held.wait()
    for thread in threads:
        thread.join()
    words = [ctypes.c_int64.from_address(address).value for address in counter.addresses]
    assert sorted(word for word in words if word) == [1, 2, 3, 4, 5, 6, 7, 8]


FORKING = """
import threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
own = jt.Counter(stripes=4)
shared = jt.Counters(["hits"], path=path).hits
stopping = False
added = []

def add():
    count = 0
    while not stopping:
        own.add()
        shared.add()
        count += 1
    added.append(count)

def forked():
    # The other threads are gone, and what they added to this process's own counter stays here.
    before = own.value
    for _ in range(1000): own.add(); shared.add()
    assert own.value == before + 1000, (before, own)

threads = [threading.Thread(target=add, daemon=True) for _ in range(3)]
for thread in threads: thread.start()
children = [child(forked) for _ in range(20)]
for pid in children: ended(pid)
stopping = True
for thread in threads: thread.join()
assert own.value == sum(added), (own, added)
assert shared.value == sum(added) + 20 * 1000, (shared, added)
"""


@needs_fork
def test_forks_while_threads_add(tmp_path: Path, run_python: Run) -> None:
    run_program(run_python, FORKING, tmp_path / "stats")
