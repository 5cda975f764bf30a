"""Threads call one generic function while others change what it calls.

A call gets what was registered at some moment while it ran: nothing that had been replaced before
it began, nothing that came after it ended. The programs run in interpreters of their own, since a
mistake would be a crash. On a free-threaded interpreter the threads really run at once.
"""

from __future__ import annotations

import pytest

from tests.calling.dispatch_hierarchies import GIL
from tests.conftest import Run

PROGRAM = """
import abc, gc, random, sys, threading, weakref
from jumptable.functools import singledispatch, singledispatchmethod

scenario, types, rounds, callers = sys.argv[1], *map(int, sys.argv[2:])
failures = []
done = threading.Event()


class Base: ...
class Abstract(abc.ABC): ...


class Problem(Exception): ...


@singledispatch
def generic(x, key=None):
    return ("default", 0)


class Host:
    @singledispatchmethod
    def method(self, x, key=None):
        return ("default", 0)


if scenario == "methods":
    call, register, clear = (
        lambda x: host.method(x, key=1),
        vars(Host)["method"].register,
        vars(Host)["method"].dispatcher._clear_cache,
    )
    host = Host()
else:
    call, register, clear = generic, generic.register, generic._clear_cache


def versions(number, version):
    # What is registered for a type tells which one it is, in the ways that there are.
    def function(*args, key=None):
        return (number, version)

    class Callable:
        def __call__(self, *args, key=None):
            return (number, version)

    def raising(*args, key=None):
        raise Problem(number, version)

    if scenario == "methods":
        return [function, staticmethod(function), raising][version % 3]
    return [function, Callable(), raising][version % 3]


def result(x):
    try:
        return call(x)
    except Problem as problem:
        return problem.args


class Registered:
    # One type, whose implementation its own thread replaces: the numbers of the last that was
    # registered, and of the last that somebody began to register.
    def __init__(self, number):
        self.number = number
        self.cls = type(f"Type{number}", (Base,), {})
        self.begun = self.ended = 0
        register(self.cls, versions(number, 0))

    def replace(self):
        self.begun += 1
        implementation = versions(self.number, self.begun)
        if self.begun % 2:
            register(self.cls, implementation)
        else:
            register(self.cls)(implementation)
        self.ended += 1
        # What this thread has registered it finds.
        assert result(self.cls()) == (self.number, self.begun), "not what was registered just now"

    def check(self):
        x, earliest = self.cls(), self.ended
        number, version = result(x)
        assert number == self.number, (number, self.number)
        assert earliest <= version <= self.begun, (earliest, version, self.begun)


class Virtual:
    # Types that become subclasses of an abstract class while they are called with.
    seen = 0

    def __init__(self):
        self.classes = [(type("Virtual", (), {}), [False]) for _ in range(8)]

    def turn(self):
        classes = [(type("Virtual", (), {}), [False]) for _ in range(8)]
        self.classes = classes
        for cls, begun in classes:
            begun[0] = True
            Abstract.register(cls)
            self.find(cls)

    def find(self, cls):
        # The abc module itself forgets a registration, until the next one, if another thread has
        # begun to ask for it before, and ends after it. There is nothing to be found then.
        for _ in range(20):
            if result(cls()) == ("abstract", 0):
                Virtual.seen += 1
                return
            if not issubclass(cls, Abstract):
                return
        raise AssertionError("not what was registered just now")

    def check(self):
        cls, begun = random.choice(self.classes)
        name, _ = result(cls())
        assert name == "default" or (name == "abstract" and begun[0]), name


class Changing:
    # The same of what is found for those that have no implementation of their own.
    def __init__(self):
        self.cls = type("Changing", (Abstract,), {})
        self.inherits = [type("Inherits", (self.cls,), {}) for _ in range(3)]
        self.begun = self.ended = 0
        self.replace()

    def replace(self):
        self.begun += 1
        version = self.begun
        register(self.cls, lambda *args, key=None: ("changing", version))
        self.ended += 1
        for cls in (*self.inherits, type("Inherits", (self.cls,), {})):
            assert result(cls()) == ("changing", version), "not what was registered just now"

    def check(self):
        earliest = self.ended
        new = type("Inherits", (self.cls,), {})
        name, version = result(random.choice([*self.inherits, new])())
        assert name == "changing" and earliest <= version <= self.begun, (earliest, version)


def short_lived():
    # Their memory is soon that of other classes, which have other implementations.
    for number in range(8):
        if number % 2:
            assert result(type("Short", (all_types[0].cls,), {})())[0] == 0
        else:
            assert result(type("Short", (), {"__slots__": ()})()) == ("default", 0)
    gc.collect(0)


register(Abstract, lambda *args, key=None: ("abstract", 0))
all_types = [Registered(number) for number in range(types)]
virtual, changing = Virtual(), Changing()


def caller(number):
    choice = random.Random(number)
    for turn in range(rounds):
        choice.choice(all_types).check()
        if scenario in ("abstract", "all") and turn % 4 == 0:
            virtual.check()
        if scenario in ("changing", "all") and turn % 8 == 0:
            changing.check()


def until_done(action):
    def run():
        while not done.is_set():
            action()
    return run


def replacing(part):
    numbers = iter(range(10**9))
    mine = all_types[part::2]
    return until_done(lambda: mine and mine[next(numbers) % len(mine)].replace())


OTHERS = {
    "registering": [replacing(0), replacing(1)],
    "methods": [replacing(0), replacing(1), until_done(clear)],
    "clearing": [until_done(clear), until_done(clear)],
    "abstract": [until_done(virtual.turn), replacing(0)],
    "changing": [until_done(changing.replace), until_done(short_lived)],
    "classes": [until_done(short_lived), until_done(short_lived)],
    "all": [
        *(replacing(0), replacing(1), until_done(virtual.turn), until_done(changing.replace)),
        *(until_done(clear), until_done(short_lived)),
    ],
}
others = OTHERS[scenario]
barrier = threading.Barrier(callers + len(others))


def guarded(target, *args):
    def run():
        barrier.wait()
        try:
            target(*args)
        except BaseException as failure:
            failures.append(failure)
            done.set()
            raise
    thread = threading.Thread(target=run)
    thread.start()
    return thread


sys.setswitchinterval(1e-5)
calling = [guarded(caller, number) for number in range(callers)]
changing_it = [guarded(other) for other in others]
for thread in calling:
    thread.join()
done.set()
for thread in changing_it:
    thread.join()
assert not failures, failures
seen = Virtual.seen
virtual.turn()
assert Virtual.seen == seen + 8  # now nobody else asks
for each in all_types:
    assert result(each.cls()) == (each.number, each.begun)
"""

# With how many types, and how often each thread calls. What takes long for each call, because the
# others leave it little to find in the table, is called less.
SCENARIOS = [
    ("registering", 1, 2_000),
    ("registering", 8, 1_000),
    ("registering", 100, 1_000),
    ("clearing", 8, 1_000),
    ("abstract", 8, 1_000),
    ("changing", 8, 4_000),
    ("classes", 100, 1_000),
    ("methods", 8, 1_000),
    ("all", 8, 150),
    ("all", 100, 50),
]


@pytest.mark.parametrize(("scenario", "types", "calls"), SCENARIOS)
def test_calls_get_what_is_registered(
    run_python: Run, scenario: str, types: int, calls: int
) -> None:
    run_python(PROGRAM, scenario, types, calls if GIL else calls // 2, 4)


@pytest.mark.long
@pytest.mark.parametrize(("scenario", "types", "calls"), SCENARIOS)
def test_calls_get_what_is_registered_for_longer(
    run_python: Run, scenario: str, types: int, calls: int
) -> None:
    # Without a GIL they are in each other's way all the time, and it takes long.
    run_python(PROGRAM, scenario, types, (20 if GIL else 3) * calls, 8)
