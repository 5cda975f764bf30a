"""The compiled loops do what they say, exactly as often as they are told."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import jumptable
from jumptable.measuring import loops
from jumptable.measuring.adding import Adder
from jumptable.measuring.ladder.counting import Words

# Around the ten that a turn of a loop repeats.
COUNTS = [0, 1, 9, 10, 11, 1003]


@contextmanager
def counted() -> Iterator[tuple[list[float], Callable[[float], float]]]:
    calls: list[float] = []

    def twice(x: float) -> float:
        calls.append(x)
        return x + 1

    yield calls, twice


@pytest.mark.parametrize("count", COUNTS)
def test_a_pointer_is_called_with_the_result_of_the_call_before(count: int) -> None:
    with counted() as (calls, function):
        callback = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(function)
        address = ctypes.cast(callback, ctypes.c_void_p).value
        assert address is not None
        assert loops.call(address, 2.5, count) == 2.5 + count
    assert calls == [2.5 + number for number in range(count)]


@pytest.mark.parametrize("count", COUNTS)
def test_a_slot_is_called_so_too_and_follows_swaps(count: int) -> None:
    table = jumptable.Table({"next": "double(double)"})
    address = loops.slot_address(table, "next", "double(double)")
    for _ in range(2):
        with counted() as (calls, function):
            table.bind({"next": function})
            assert loops.slot(address, 2.5, count) == 2.5 + count
        assert calls == [2.5 + number for number in range(count)]


@pytest.mark.parametrize("x", [-1.5, 1.5, float("-inf")])
def test_the_direct_function_is_fabs(x: float) -> None:
    assert loops.direct(x, 1) == loops.direct(x, 25) == abs(x)
    assert loops.direct(x, 0) == x


@pytest.mark.parametrize("count", COUNTS)
def test_adds_are_counted(count: int) -> None:
    counter = jumptable.Counter()
    loops.add(counter.address, count)
    assert counter.value == count


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 10, 1000])
def test_a_busy_function_takes_every_step(steps: int) -> None:
    x = steps
    for _ in range(steps):
        x = (x * x + 1) % 2**64
    x -= (x >> 63) << 64
    called = jumptable.from_pointer(loops.busy_address(), "int64_t(int64_t)")
    assert called(steps) == loops.busy(steps, 1) == loops.busy(steps, 12) == x
    assert loops.busy(steps, 0) == 0


@pytest.mark.parametrize("steps", [0, 1, 2, 60])
def test_so_does_one_of_many_chains(steps: int) -> None:
    chains = [steps + number for number in range(6)]
    for _ in range(steps):
        chains = [(x ^ (x >> 7 + 2 * number)) + 1 for number, x in enumerate(chains)]
    assert loops.crowd(steps, 1) == loops.crowd(steps, 12) == sum(chains)


def test_nothing_is_nothing() -> None:
    loops.empty(1000)
    loops.empty(-1)
    loops.busy(-5, 3)


@pytest.mark.parametrize("loop", [loops.call, loops.slot])
def test_null_is_refused(loop: Callable[[int, float, int], float]) -> None:
    with pytest.raises(ValueError, match="the address is NULL"):
        loop(0, 1.0, 1)


def test_null_is_refused_by_adds() -> None:
    with pytest.raises(ValueError, match="the address is NULL"):
        loops.add(0, 1)
    with pytest.raises(ValueError, match="the address is NULL"):
        Adder().begin(0)


def test_a_slot_that_there_is_not() -> None:
    table = jumptable.Table({"next": "double(double)"})
    with pytest.raises(AttributeError):
        loops.slot_address(table, "other", "double(double)")
    with pytest.raises(jumptable.SignatureError):
        loops.slot_address(table, "next", "int64_t(int64_t)")
    with pytest.raises(TypeError):
        loops.slot_address(None, "next", "double(double)")  # type: ignore[arg-type]


# ---- the thread that adds beside ------------------------------------------------------------


@contextmanager
def adding() -> Iterator[Adder]:
    adder = Adder()
    thread = threading.Thread(target=adder.run)
    thread.start()
    try:
        yield adder
    finally:
        adder.close()
        thread.join()


def test_the_other_thread_adds_between_begin_and_end_only() -> None:
    counter, meanwhile = jumptable.Counter(), jumptable.Counter()
    with adding() as adder:
        for _ in range(20):
            before = counter.value
            adder.begin(counter.address)
            began = counter.value
            while counter.value == began:  # it goes on by itself
                pass
            adder.end()
            after = counter.value
            loops.add(meanwhile.address, 20_000)
            assert counter.value == after > began >= before + 1000


def test_both_threads_lose_no_add() -> None:
    counter = jumptable.Counter()
    alone = jumptable.Counter()
    with adding() as adder:
        adder.begin(counter.address)
        loops.add(counter.address, 100_000)
        adder.end()
        theirs = counter.value - 100_000
        assert theirs % 100 == 0 and theirs >= 1000
        adder.begin(alone.address)
        adder.end()
        assert alone.value % 100 == 0


def test_close_ends_a_turn_and_may_be_repeated() -> None:
    counter = jumptable.Counter()
    with adding() as adder:
        adder.begin(counter.address)
        adder.close()
        value = counter.value
        adder.close()
        assert counter.value == value


def test_misuse_is_refused() -> None:
    counter = jumptable.Counter()
    with adding() as adder:
        with pytest.raises(RuntimeError, match="does not add"):
            adder.end()
        adder.begin(counter.address)
        with pytest.raises(RuntimeError, match="adds already"):
            adder.begin(counter.address)
        with pytest.raises(RuntimeError, match="runs once"):
            adder.run()
    with pytest.raises(RuntimeError, match="is closed"):
        adder.begin(counter.address)
    with pytest.raises(RuntimeError, match="runs once"):
        adder.run()


def test_an_adder_that_never_ran_is_freed() -> None:
    for _ in range(100):
        Adder()
    unused = Adder()
    unused.close()


@pytest.mark.parametrize("distance", [8, 128])
def test_words_lie_as_far_apart_as_asked(distance: int) -> None:
    words = Words(distance)
    first, second = words.addresses
    assert (first % 128, second - first) == (0, distance)
    loops.add(first, 3)
    loops.add(second, 5)
    assert words.values == (3, 5)
