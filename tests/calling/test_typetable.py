"""TypeTable against a dictionary: keys of one type and of several, types that die, forgetting."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jumptable.calling.typetable import TypeTable
from tests.calling.mortal import classes_die

FRONT = 4  # entries that are not hashed: typetable.h
NUMBERS = st.integers(0, 39)


def new_type() -> type:
    return type("T", (), {})


class AgainstDictionary(RuleBasedStateMachine):
    """The dictionary has the numbers of types as keys, so that it keeps no type alive."""

    @initialize(arity=st.integers(1, 3))
    def start(self, arity: int) -> None:
        self.table = TypeTable(arity)
        self.types = [new_type() for _ in range(40)]
        self.model: dict[tuple[int, ...], object] = {}
        self.arity = arity

    def key(self, numbers: tuple[int, ...]) -> tuple[type, ...]:
        return tuple(self.types[number] for number in numbers)

    @rule(numbers=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=30))
    def store(self, numbers: list[tuple[int, ...]]) -> None:
        for each in numbers:
            known, value = each[: self.arity], object()
            assert self.table.store(self.key(known), value) == (known not in self.model)
            self.model.setdefault(known, value)

    @rule(number=NUMBERS)
    def replace_type(self, number: int) -> None:
        """A type dies, and its memory may become that of the next."""
        if not classes_die():
            return
        gone = weakref.ref(self.types[number])
        self.types[number] = int
        gc.collect()
        assert gone() is None
        self.types[number] = new_type()
        self.model = {known: v for known, v in self.model.items() if number not in known}

    @rule()
    def forget(self) -> None:
        self.table.clear()
        self.model.clear()

    @rule(numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS))
    def find(self, numbers: tuple[int, ...]) -> None:
        known = numbers[: self.arity]
        if known in self.model:
            assert self.table.find(*self.key(known)) is self.model[known]
        else:
            with pytest.raises(KeyError):
                self.table.find(*self.key(known))

    @invariant()
    def holds_the_same(self) -> None:
        assert len(self.table) == len(self.model)
        for known, value in self.model.items():
            assert self.table.find(*self.key(known)) is value


TestAgainstDictionary = AgainstDictionary.TestCase
TestAgainstDictionary.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, database=None
)


@pytest.mark.parametrize("count", [1, FRONT, FRONT + 1, 100, 3_000])
def test_sizes(count: int) -> None:
    table, types = TypeTable(), [new_type() for _ in range(count)]
    for number, each in enumerate(types):
        assert table.store((each,), number)
    assert len(table) == count
    assert [table.find(each) for each in types] == list(range(count))
    if not classes_die():
        return
    kept = types[::3]
    del types, each
    gc.collect()
    assert len(table) == len(kept)
    assert [table.find(each) for each in kept] == list(range(0, count, 3))


def test_order_of_types_matters() -> None:
    table = TypeTable(2)
    table.store((int, str), 1)
    table.store((str, int), 2)
    assert (table.find(int, str), table.find(str, int)) == (1, 2)
    with pytest.raises(KeyError):
        table.find(int, int)


def test_no_subclasses_and_no_equality() -> None:
    class Equal(type):
        def __eq__(cls, other: object) -> bool:
            return True

        def __hash__(cls) -> int:
            return 0

    one, other = Equal("one", (), {}), Equal("other", (), {})
    table = TypeTable()
    table.store((one,), 1)
    table.store((int,), 2)
    for each in (other, bool):
        with pytest.raises(KeyError):
            table.find(each)


@pytest.mark.parametrize("arity", [-1, 0, 9])
def test_impossible_arity(arity: int) -> None:
    with pytest.raises(ValueError, match=f"found {arity} types to a key; expected 1 to 8"):
        TypeTable(arity)


@pytest.mark.parametrize(
    ("types", "message"),
    [((int,), "found 1 types; expected 2"), ((int, 5), "found 5; expected a type")],
)
def test_wrong_keys(types: tuple[Any, ...], message: str) -> None:
    table = TypeTable(2)
    with pytest.raises(TypeError, match=message):
        table.find(*types)
    with pytest.raises(TypeError, match=message):
        table.store(types, 1)
    assert len(table) == 0


def test_collected_with_what_it_holds() -> None:
    """A value that refers to the table, and a type that is reachable from nowhere else."""

    class Value:
        pass

    table, value = TypeTable(), Value()
    value.table, value.type = table, new_type()  # type: ignore[attr-defined]
    table.store((value.type,), value)  # type: ignore[attr-defined]
    gone: list[Any] = [weakref.ref(each) for each in (table, value, value.type)]  # type: ignore[attr-defined]
    del table, value
    gc.collect()
    assert [each() for each in gone[: 3 if classes_die() else 2]] in ([None] * 3, [None] * 2)


def test_collected_when_nothing_but_the_table_can_let_go() -> None:
    def tables() -> int:  # weak references are cleared whether or not what they meant is freed
        gc.collect()
        return sum(type(each) is TypeTable for each in gc.get_objects())

    before = tables()
    for _ in range(10):
        table = TypeTable()
        table.store((int,), table.find)
    del table
    assert tables() == before


def test_a_value_that_comes_back_while_it_is_dropped() -> None:
    table = TypeTable()

    class Returns:
        def __del__(self) -> None:
            for _ in range(50):
                table.store((new_type(),), 1)
            table.store((int,), "back")

    table.store((int,), Returns())
    table.clear()
    gc.collect()
    stored = table.store((int,), "new")
    assert table.find(int) == ("new" if stored else "back")
    gc.collect()
    assert len(table) == 1


def test_threads() -> None:
    """Readers find what is there all the time, while others grow, shrink and clear."""
    table, stable = TypeTable(), [new_type() for _ in range(30)]
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for number, each in enumerate(stable):
                try:
                    found = table.find(each)
                except KeyError:
                    continue  # cleared, and not stored again so far
                if found != number:
                    wrong.append((number, found))

    def write(clears: bool) -> None:
        for turn in range(60):
            new = [new_type() for _ in range(turn)]
            for value, each in enumerate(new, 100):
                table.store((each,), value)
            for number, each in enumerate(stable):
                table.store((each,), number)
            wrong.extend(
                (value, found)
                for value, each in enumerate(new, 100)
                if (found := find(each)) not in (value, None)
            )
            if clears and turn % 7 == 0:
                table.clear()

    def find(each: type) -> object:
        try:
            return table.find(each)
        except KeyError:
            return None

    readers = [threading.Thread(target=read) for _ in range(3)]
    writers = [threading.Thread(target=write, args=(clears,)) for clears in (True, False)]
    for thread in itertools.chain(readers, writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert wrong == []
