"""What a Counter does, and where in memory it does it."""

from __future__ import annotations

import copy
import ctypes
import inspect
import itertools
import os
import pickle
import sys
import sysconfig
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import jumptable as jt
from jumptable.counting.counter import stripe_count
from tests.conftest import Run

CELL = 128
LEAST, MOST = -(2**63), 2**63 - 1
STRIPES = [1, 2, 64]


def wrapped(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


class Index:
    """What is no int, and can be used as one."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __index__(self) -> int:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value  # type: ignore[no-any-return]


class Comparison(RuleBasedStateMachine):
    """A counter beside an int, modulo 2**64."""

    amounts = st.one_of(st.integers(LEAST, MOST), st.sampled_from([0, 1, -1, LEAST, MOST]))

    @initialize(stripes=st.sampled_from(STRIPES))
    def start(self, stripes: int) -> None:
        self.counter = self.first = jt.Counter(stripes=stripes)
        self.expected = 0

    @rule()
    def add_one(self) -> None:
        assert self.counter.add() is None  # type: ignore[func-returns-value]
        self.expected += 1

    @rule(amount=amounts)
    def add(self, amount: int) -> None:
        self.counter.add(amount)
        self.expected += amount

    @rule(amount=amounts)
    def add_in_place(self, amount: int) -> None:
        self.counter += amount
        self.expected += amount

    @rule(amount=amounts)
    def subtract_in_place(self, amount: int) -> None:
        self.counter -= amount
        self.expected -= amount

    @rule(amount=amounts, data=st.data())
    def add_as_c_does(self, amount: int, data: st.DataObject) -> None:
        address = data.draw(st.sampled_from(self.counter.addresses))
        ctypes.c_int64.from_address(address).value += amount
        self.expected += amount

    @rule(amount=st.one_of(st.integers(MOST + 1), st.integers(max_value=LEAST - 1)))
    def add_too_much(self, amount: int) -> None:
        with pytest.raises(OverflowError):
            self.counter.add(amount)

    @rule()
    def reset(self) -> None:
        assert self.counter.reset() == wrapped(self.expected)
        self.expected = 0

    @invariant()
    def same(self) -> None:
        assert self.counter is self.first
        assert self.counter.value == int(self.counter) == wrapped(self.expected)
        assert repr(self.counter) == f"<Counter: {wrapped(self.expected)}>"


TestComparison = Comparison.TestCase
TestComparison.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("stripes", STRIPES)
def test_values_wrap_around(stripes: int) -> None:
    counter = jt.Counter(stripes=stripes)
    counter.add(MOST)
    counter.add()
    assert counter.value == LEAST
    counter -= 1
    assert counter.value == MOST
    counter -= LEAST  # whose negative is no int64
    assert counter.value == -1
    assert counter.reset() == -1


def test_sums_of_stripes_wrap_around() -> None:
    counter = jt.Counter(stripes=4)
    for address in counter.addresses:
        ctypes.c_int64.from_address(address).value = MOST
    assert counter.value == wrapped(4 * MOST) == -4
    assert (counter.reset(), counter.value) == (-4, 0)


def test_what_can_be_an_index_is_added() -> None:
    counter = jt.Counter()
    for amount in (True, Index(5), Index(-2)):
        counter.add(amount)
        counter += amount
    assert counter.value == 8


TOO_MUCH = "takes what an int64_t can hold, -2**63 to 2**63 - 1, and got"


@pytest.mark.parametrize("stripes", [1, 2])
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: c.add(1.0), TypeError, "add() takes an int, and got float"),
        (lambda c: c.add("1"), TypeError, "add() takes an int, and got str"),
        (lambda c: c.add(None), TypeError, "add() takes an int, and got NoneType"),
        (lambda c: c.add(MOST + 1), OverflowError, f"add() {TOO_MUCH} {MOST + 1}"),
        (lambda c: c.add(Index(LEAST - 1)), OverflowError, f"add() {TOO_MUCH} {LEAST - 1}"),
        (lambda c: c.add(Index(ValueError("no"))), ValueError, "no"),
        (lambda c: c.add(Index("1")), TypeError, "__index__ returned non-int"),
        (lambda c: c.add(1, 2), TypeError, "at most 1 argument, how much to add (2 given)"),
        (lambda c: c.add(n=1), TypeError, "takes no keyword arguments"),
        (lambda c: c.__iadd__(MOST + 1), OverflowError, f"counter += {TOO_MUCH} {MOST + 1}"),
        (lambda c: c.__isub__(MOST + 1), OverflowError, f"counter -= {TOO_MUCH} {MOST + 1}"),
        (lambda c: c.__iadd__(Index(ValueError("no"))), ValueError, "no"),
        (lambda c: exec("c += 1.5", {"c": c}), TypeError, "unsupported operand"),
        (lambda c: exec("c -= '1'", {"c": c}), TypeError, "unsupported operand"),
        (lambda c: c + 1, TypeError, "unsupported operand"),
        (lambda c: c.reset(1), TypeError, "0 positional arguments (1 given)"),
        (lambda c: setattr(c, "value", 3), AttributeError, "not writable"),
        (lambda c: setattr(c, "name", "x"), AttributeError, "not writable"),
        (lambda c: setattr(c, "add", None), AttributeError, "read-only"),
        (lambda c: setattr(c, "other", 3), AttributeError, "no attribute 'other'"),
        (pickle.dumps, TypeError, "cannot pickle or copy a Counter: it is memory of this process"),
        (copy.copy, TypeError, "cannot pickle or copy"),
        (copy.deepcopy, TypeError, "cannot pickle or copy"),
    ],
)
def test_what_is_refused_changes_nothing(
    call: Callable[[Any], object], error: type[Exception], message: str, stripes: int
) -> None:
    counter = jt.Counter(stripes=stripes)
    counter.add(7)
    with pytest.raises(error) as caught:
        call(counter)
    assert message in str(caught.value)
    assert counter.value == 7


@pytest.mark.parametrize("method", ["add", "reset", "__reduce__", "__iadd__", "__int__"])
def test_methods_refuse_what_is_no_counter(method: str) -> None:
    for arguments in ((), (1,), (object(), 1), (None,)):
        with pytest.raises(TypeError):
            getattr(jt.Counter, method)(*arguments)
    with pytest.raises(TypeError):
        vars(jt.Counter)["value"].__get__(1)


# ---- making one -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "given"),
    [(1, 1), (2, 2), (3, 4), (5, 8), (33, 64), (64, 64), (True, 1), (Index(3), 4)],
)
def test_stripes_are_rounded_up(asked: Any, given: int) -> None:
    counter = jt.Counter(stripes=asked)
    assert counter.stripes == len(counter.addresses) == given
    counters = jt.Counters(["a"], stripes=asked)
    assert counters.stripes == len(counters.a.addresses) == given


@pytest.mark.parametrize(
    ("cpus", "given"), [(None, 1), (1, 1), (2, 2), (6, 8), (64, 64), (65, 64), (500, 64)]
)
def test_one_stripe_per_cpu(cpus: int | None, given: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jt.Counter(stripes=None).stripes == stripe_count(os.cpu_count())
    monkeypatch.setattr(os, "cpu_count", lambda: cpus)
    assert jt.Counter(stripes=None).stripes == given
    assert jt.Counter().stripes == 1
    assert jt.Counters(["a"]).stripes == given


@pytest.mark.parametrize("make", [jt.Counter, lambda **given: jt.Counters(["a"], **given)])
@pytest.mark.parametrize("stripes", [0, -1, 65, 2**70, -(2**70)])
def test_stripes_out_of_range(make: Any, stripes: int) -> None:
    with pytest.raises(ValueError, match=f"^stripes={stripes}: expected 1 to 64, or None for one"):
        make(stripes=stripes)


@pytest.mark.parametrize("make", [jt.Counter, lambda **given: jt.Counters(["a"], **given)])
@pytest.mark.parametrize("stripes", [1.0, "2", [1]])
def test_stripes_that_are_no_number(make: Any, stripes: object) -> None:
    with pytest.raises(TypeError, match=f"None for one per CPU, and not {type(stripes).__name__}"):
        make(stripes=stripes)


def test_nothing_else_can_be_given() -> None:
    for given in ((1,), (None,), (jt.Counter(),), ("name", 1)):
        with pytest.raises(TypeError, match="starts at 0 and takes nothing but stripes="):
            jt.Counter(*given)
    for wrong in ({"start": 1}, {"stripe": 2}, {"name": "hits", "stripes": 1}):
        with pytest.raises(TypeError, match="starts at 0 and takes nothing but stripes="):
            jt.Counter(**wrong)


def test_new_alone_makes_a_whole_counter() -> None:
    counter = jt.Counter.__new__(jt.Counter)
    counter.add(2)
    assert (counter.value, counter.stripes, counter.name) == (2, 1, None)
    with pytest.raises(TypeError):
        object.__new__(jt.Counter)
    counter.__init__()
    assert counter.value == 2


def test_subclasses_are_refused() -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (jt.Counter,), {})
    with pytest.raises(TypeError):
        jt.Counter.add = None  # type: ignore[method-assign, assignment]


def test_what_help_and_inspect_say() -> None:
    assert str(inspect.signature(jt.Counter)) == "(*, stripes=1)"
    assert str(inspect.signature(jt.Counter().add)) == "(n=1, /)"
    assert str(inspect.signature(jt.Counter.add)) == "(self, n=1, /)"
    assert str(inspect.signature(jt.Counter().reset)) == "()"
    for documented in (jt.Counter, jt.Counter.add, jt.Counter.reset, jt.Counter.value):
        text = inspect.getdoc(documented)
        assert text and "--\n" not in text and not text.startswith(" ")
    assert jt.Counter().add.__name__ == "add"
    assert "Add ``n``" in (jt.Counter.add.__doc__ or "")


def test_a_counter_of_nobody() -> None:
    counter = jt.Counter()
    assert (counter.name, counter.plugin) == (None, None)
    assert counter != jt.Counter()
    assert len({counter, counter, jt.Counter()}) == 2


# ---- memory -----------------------------------------------------------------------------


@pytest.mark.parametrize("stripes", [1, 2, 8, 64])
def test_cells_are_aligned_and_apart(stripes: int) -> None:
    counter = jt.Counter(stripes=stripes)
    addresses = counter.addresses
    assert (counter.address, len(addresses)) == (addresses[0], stripes)
    assert [address % CELL for address in addresses] == [0] * stripes
    assert {b - a for a, b in itertools.pairwise(addresses)} <= {CELL}


def test_no_two_counters_share_a_cell() -> None:
    counters = [jt.Counter(stripes=2 ** (number % 4)) for number in range(2000)]
    cells = [address // CELL for counter in counters for address in counter.addresses]
    assert len(set(cells)) == len(cells)
    for counter in counters:
        counter.add()
    assert {counter.value for counter in counters} == {1}


def test_the_words_are_what_is_counted() -> None:
    counter = jt.Counter(stripes=4)
    words = [ctypes.c_int64.from_address(address) for address in counter.addresses]
    assert [word.value for word in words] == [0] * 4
    counter.add(5)
    assert sorted(word.value for word in words) == [0, 0, 0, 5]
    for word in words:
        word.value = 10
    assert counter.value == 40
    assert (counter.reset(), [word.value for word in words]) == (40, [0] * 4)


def test_adding_leaves_the_rest_of_the_cell_alone() -> None:
    counter = jt.Counter(stripes=2)
    ctypes.memset(counter.address, 0xFF, 2 * CELL)
    counter.reset()
    counter.add(-1)
    assert ctypes.string_at(counter.address, 2 * CELL).count(0xFF) == 2 * CELL - 8


def test_the_size_of_the_object() -> None:
    # Its head, where it counts (4 words), and five references or numbers.
    assert sys.getsizeof(jt.Counter(stripes=64)) == object.__basicsize__ + 4 * 8 + 5 * 8


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="they are immortal")
def test_memory_comes_back() -> None:
    assert len({jt.Counter(stripes=64).address for _ in range(200)}) < 50


RESIDENT = """
import os
import jumptable as jt

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

before = resident()
counters = [jt.Counter(stripes=64) for _ in range(2000)]
print(resident() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_a_stripe_takes_its_cell_and_little_more(run_python: Run) -> None:
    """The object and the allocator's own are in what each counter takes, too."""
    each = int(run_python(RESIDENT).stdout) / 2000
    assert 64 * CELL * 0.9 < each < 64 * CELL * 1.1
