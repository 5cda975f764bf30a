"""Swap under fire: tables are rebound while threads call them, from Python and from C.

What is bound returns the generation that it was bound as, so each thread can tell a call that
went to the wrong place or time. The writer publishes a generation once `bind` has returned.
"""

from __future__ import annotations

import operator
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile

pytestmark = pytest.mark.thread_unsafe(reason="starts threads of its own, as many as it needs")

NAMES = ("one", "two", "three", "four", "five")
SIGNATURE = "int64_t()"
# How many swaps, and threads that call meanwhile: what fits into the ordinary suite, and more.
SIZES = ("swaps", "threads")
QUICK = [pytest.param(300, 6, id="quick")]
FULL = [*QUICK, pytest.param(10_000, 16, id="full", marks=pytest.mark.long)]
SYNCS = 20  # times that the writer waits for everybody to have called
HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


class Generation:
    """A plugin in Python whose methods return the generation it is bound as."""

    def __init__(self, number: int) -> None:
        self.number = number

    def one(self) -> int:
        return self.number

    two = three = four = five = one


class Caller:
    """A thread that calls until it is told to stop, and notes the first thing that is wrong."""

    def __init__(self, call: Callable[[], Any], fire: Fire) -> None:
        self.call = call
        self.fire = fire
        self.started = self.returned = self.last = 0
        self.wrong: object = None
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        try:
            while not self.fire.stopping and self.wrong is None:
                self.once()
            self.once()
        except BaseException as error:
            self.wrong = error

    def once(self) -> None:
        floor = self.fire.published
        self.started += 1
        found = self.call()
        self.returned += 1
        if type(found) is not int or not 0 < found <= self.fire.swaps:
            self.wrong = f"torn: {found!r}"
        elif found < floor:
            self.wrong = f"stale: {found}, though {floor} was bound before the call"
        elif found < self.last:
            self.wrong = f"backwards: {found} after {self.last}"
        self.last = found


class Fire:
    """Threads that make some calls, again and again, while `bind` is called."""

    def __init__(self, bind: Callable[[int], object], swaps: int) -> None:
        self.bind = bind
        self.swaps = swaps
        self.published = 0
        self.stopping = False

    def run(self, calls: list[Callable[[], Any]]) -> None:
        self.swap(1)
        callers = [Caller(call, self) for call in calls]
        for caller in callers:
            caller.thread.start()
        for number in range(2, self.swaps + 1):
            self.swap(number)
            if number % (self.swaps // SYNCS) == 0:  # so that everybody calls between the swaps
                before = [caller.returned for caller in callers]
                for caller, calls_before in zip(callers, before, strict=True):
                    while caller.thread.is_alive() and caller.returned == calls_before:
                        time.sleep(0)
        self.stopping = True
        for caller in callers:
            caller.thread.join()
        assert [caller.wrong for caller in callers] == [None] * len(callers)
        assert [caller.started - caller.returned for caller in callers] == [0] * len(callers)
        # The last call of each began after the last bind.
        assert {caller.last for caller in callers} == {self.swaps}

    def swap(self, number: int) -> None:
        self.bind(number)
        self.published = number


def native_generations(compile_plugin: Compile, count: int) -> list[Any]:
    plugin = jt.open(compile_plugin("generations", None, "-O0"))
    return [None, *(plugin.lookup(f"f{9999 + g}", SIGNATURE) for g in range(1, count + 1))]


def calls_of(table: Any, threads: int) -> list[Callable[[], Any]]:
    """By the facade's attribute, by a slot, by both in turn, and by all five names."""
    facade, slot = table.facade, table.slot("one")

    def by_both() -> int:
        first, second = facade.one(), slot()
        return int(second) if first <= second else -1

    def by_names() -> int:
        """What is called first is no newer than what is called last."""
        found = [getattr(facade, name)() for name in NAMES]
        return int(found[-1]) if found == sorted(found) else -1

    kinds = [lambda: facade.one(), slot, by_both, by_names]
    return [kinds[index % len(kinds)] for index in range(threads)]


@pytest.mark.parametrize("count", [False, True], ids=["plain", "counting"])
@pytest.mark.parametrize(SIZES, FULL)
def test_python_objects(swaps: int, threads: int, count: bool) -> None:
    table = jt.Table(dict.fromkeys(NAMES), count=count)
    fire = Fire(lambda number: table.bind(Generation(number)), swaps)
    fire.run(calls_of(table, threads))
    assert table.generation == swaps


@pytest.mark.parametrize(SIZES, FULL)
def test_native_functions(compile_plugin: Compile, swaps: int, threads: int) -> None:
    functions = native_generations(compile_plugin, swaps)
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    fire = Fire(lambda number: table.bind(dict.fromkeys(NAMES, functions[number])), swaps)
    fire.run(calls_of(table, threads))
    assert table.generation == swaps


@pytest.mark.parametrize(SIZES, FULL)
def test_the_generation_is_that_of_what_is_called(swaps: int, threads: int) -> None:
    """Who reads a generation calls what that bind stored, or something newer."""
    table = jt.Table(dict.fromkeys(NAMES))
    facade = table.facade

    def call() -> Any:
        generation = table.generation
        found = facade.five()
        return found if found >= generation else -1

    Fire(lambda number: table.bind(Generation(number)), swaps).run([call] * threads)


@pytest.mark.parametrize(SIZES, FULL)
def test_two_plugins(compile_plugin: Compile, swaps: int, threads: int) -> None:
    plugins = [jt.open(compile_plugin("five", None, f"-DIDENTITY={n}")) for n in (2, 1)]
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    table.bind(plugins[1])
    every = operator.attrgetter(*NAMES)  # never lets go of the GIL
    stopping = False
    wrong: list[object] = []
    returned = [0] * threads

    def keep_calling(index: int) -> None:
        while not stopping and not wrong:
            seen = {target() for target in every(table.facade)}
            returned[index] += 1
            if not seen <= {1, 2} or (HAS_GIL and len(seen) > 1):
                wrong.append(seen)

    callers = [threading.Thread(target=keep_calling, args=(index,)) for index in range(threads)]
    for caller in callers:
        caller.start()
    for number in range(2, swaps + 1):
        table.bind(plugins[number % 2])
        assert table.plugin is plugins[number % 2]
        assert table.facade.three() == (1 if number % 2 else 2)
        if number % (swaps // SYNCS) == 0:
            before = list(returned)
            for index, caller in enumerate(callers):
                while caller.is_alive() and returned[index] == before[index]:
                    time.sleep(0)
    stopping = True
    for caller in callers:
        caller.join()
    assert wrong == []
    assert all(calls >= SYNCS for calls in returned)


def fire_from_c(host: Any, bind: Callable[[int], object], swaps: int) -> None:
    """Swap while the host's threads, which were started before, call."""
    for number in range(2, swaps + 1):
        bind(number)
        host.publish(number)
        if number % (swaps // SYNCS) == 0:
            before = host.calls()
            while any(now == then for now, then in zip(host.calls(), before, strict=True)):
                time.sleep(0.0001)
    # Two more calls of each: the second one began after the last bind.
    before = host.calls()
    while any(now < then + 2 for now, then in zip(host.calls(), before, strict=True)):
        time.sleep(0.0001)
    outcomes = host.finish()
    assert outcomes
    for calls, torn, backwards, stale, last in outcomes:
        assert calls >= SYNCS
        assert (torn, backwards, stale) == (0, 0, 0)
        assert last == swaps


@pytest.mark.parametrize(SIZES, FULL)
@pytest.mark.parametrize("targets", ["native", "python", "alternating"])
def test_calls_from_c(
    compile_plugin: Compile, fire_host: Any, swaps: int, threads: int, targets: str
) -> None:
    native = native_generations(compile_plugin, swaps)
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))

    def bind(number: int) -> None:
        in_c = targets == "native" or (targets == "alternating" and number % 2)
        table.bind(dict.fromkeys(NAMES, native[number] if in_c else Generation(number).one))

    bind(1)
    slot = fire_host.get_slot(table, "one", "int64_t() nogil")
    fire_host.start(slot, threads, swaps)
    fire_from_c(fire_host, bind, swaps)


@pytest.mark.parametrize(
    SIZES,
    [  # many, because the moment in which they could be torn apart is short
        pytest.param(40_000, 3, id="quick"),
        pytest.param(500_000, 16, id="full", marks=pytest.mark.long),
    ],
)
def test_what_c_reads_belongs_together(
    compile_plugin: Compile, fire_host: Any, swaps: int, threads: int
) -> None:
    """One plugin is bound as the odd generations, the other as the even ones."""
    plugins = [jt.open(compile_plugin("five", None, f"-DIDENTITY={n}")) for n in (2, 1)]
    even, odd = (plugin.lookup("one", SIGNATURE).__self__.address for plugin in plugins)
    table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
    table.bind(plugins[1])
    slot = fire_host.get_slot(table, "one", "int64_t() nogil")
    fire_host.start(slot, threads, swaps, odd, even)
    fire_from_c(fire_host, lambda number: table.bind(plugins[number % 2], only=("one",)), swaps)


@pytest.mark.parametrize("rounds", [50, pytest.param(2000, marks=pytest.mark.long)])
def test_a_slot_that_c_asks_for_during_binds(
    compile_plugin: Compile, fire_host: Any, rounds: int
) -> None:
    """Whichever comes first: C ends up with what was bound last."""
    native = native_generations(compile_plugin, 100)
    for _ in range(rounds):
        table = jt.Table(dict.fromkeys(NAMES, SIGNATURE))
        slots: list[int] = []
        start = threading.Barrier(3)

        def ask(table: Any = table, slots: list[int] = slots, start: Any = start) -> None:
            start.wait()
            slots.extend(fire_host.get_slot(table, name, "int64_t() nogil") for name in NAMES)

        def bind(table: Any = table, start: Any = start) -> None:
            start.wait()
            for number in range(1, 21):
                table.bind(dict.fromkeys(NAMES, native[number]))

        threads = [threading.Thread(target=target) for target in (ask, ask, bind)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(slots) == 10 and len(set(slots)) == 5
        for slot in slots:
            assert fire_host.call("int64_t", slot) == "20"
            assert fire_host.generation(slot) == 20


@pytest.mark.parametrize(SIZES, FULL)
def test_several_writers(swaps: int, threads: int) -> None:
    """Binds don't mix: all five come from one bind, and no generation is used twice."""
    table = jt.Table(dict.fromkeys(NAMES))
    every = operator.attrgetter(*NAMES)
    each = swaps // threads

    def keep_binding() -> None:
        for number in range(each):
            table.bind(Generation(number))

    writers = [threading.Thread(target=keep_binding) for _ in range(threads)]
    for thread in writers:
        thread.start()
    while any(thread.is_alive() for thread in writers):
        if HAS_GIL and table.generation:
            assert len({target.__self__ for target in every(table.facade)}) == 1
        time.sleep(0.0005)
    for thread in writers:
        thread.join()
    assert table.generation == threads * each
    assert len({target.__self__ for target in every(table.facade)}) == 1
