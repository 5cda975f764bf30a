"""Many threads call one hook while another changes it: each call sees all of one state.

The programs run in interpreters of their own, since a mistake would be a crash. On a free-threaded
interpreter the threads really run at once.
"""

from __future__ import annotations

import pytest

from tests.conftest import Run

PROGRAM = """
import sys, threading, types, warnings
import pluggy
from jumptable.pluggy import accelerate

scenario, rounds = sys.argv[1], int(sys.argv[2])
THREADS = 16
spec, impl = pluggy.HookspecMarker("threads"), pluggy.HookimplMarker("threads")


class Specs:
    @spec
    def collect(self, a, b, c): ...

    @spec(firstresult=True)
    def first(self, a, b, c): ...


class Problem(Exception):
    pass


def stays(number):
    class Stays:
        @impl
        def collect(self, a, c):
            return ("stays", number, a, c)

        @impl(trylast=True)
        def first(self, b, a):
            return ("stays", a, b)

    return Stays()


class Comes:
    def __init__(self, number):
        self.number = number

    @impl(tryfirst=True)
    def collect(self, c, b):
        return ("comes", self.number, b, c)

    @impl
    def first(self): ...


class Wraps:
    @impl(wrapper=True)
    def collect(self, a):
        result = yield
        return [("wrapped", a), *result]

    @impl(hookwrapper=True)
    def first(self, c):
        outcome = yield
        outcome.force_result((*outcome.get_result(), c))


class Raises:
    @impl(trylast=True)
    def collect(self, a):
        raise Problem(a)


manager = pluggy.PluginManager("threads")
manager.add_hookspecs(Specs)
for number in range(3):
    manager.register(stays(number), f"stays{number}")
if scenario == "raising":
    manager.register(Raises())
barrier = threading.Barrier(THREADS + 1)
failures = []
done = threading.Event()
# Threads pass the arguments in different orders: each order has a plan of its own.
ORDERS = [("a", "b", "c"), ("c", "b", "a"), ("b", "a", "c"), ("a", "c", "b", "unused")]


def check(result, values):
    a, b, c = values["a"], values["b"], values["c"]
    wrapped = [each for each in result if each[0] == "wrapped"]
    assert wrapped in ([], [("wrapped", a)]), result
    rest = result[len(wrapped):]
    lasting = [each for each in rest if each[0] == "stays"]
    assert lasting == [("stays", number, a, c) for number in (2, 1, 0)], result
    passing = rest[:-3]
    assert len(passing) == len(set(passing)), result
    assert all(each == ("comes", each[1], b, c) for each in passing), result


def call(thread):
    order = ORDERS[thread % len(ORDERS)]
    barrier.wait()
    for turn in range(rounds):
        values = {name: (thread, turn, name) for name in order}
        if scenario == "raising":
            try:
                manager.hook.collect(**values)
            except Problem as problem:
                assert problem.args == (values["a"],), problem.args
            else:
                raise AssertionError("the exception is lost")
            continue
        check(manager.hook.collect(**values), values)
        first = manager.hook.first(**values)
        assert first[:3] == ("stays", values["a"], values["b"]), first
        assert first[3:] in ((), (values["c"],)), first


def change():
    # What this thread has registered, it finds; what it has unregistered is not called again.
    comes, wraps = [Comes(number) for number in range(4)], Wraps()
    barrier.wait()
    turn = 0
    while not done.is_set():
        turn += 1
        plugin = comes[turn % 4]
        manager.register(plugin)
        if scenario == "wrappers":
            manager.register(wraps)
        if scenario == "monitored":
            undo = manager.add_hookcall_monitoring(lambda *what: None, lambda *what: None)
        if scenario == "in place":
            impls = manager.hook.collect._hookimpls
            impls[:] = [*impls]
        if scenario != "raising":
            seen = [each[1] for each in manager.hook.collect(a=1, b=2, c=3) if each[0] == "comes"]
            assert seen == [plugin.number], seen
        if scenario == "monitored":
            undo()
        if scenario == "wrappers":
            manager.unregister(wraps)
        manager.unregister(plugin)
        if scenario != "raising":
            kinds = {each[0] for each in manager.hook.collect(a=1, b=2, c=3)}
            assert kinds == {"stays"}, kinds


def accelerates():
    # Others may call hooks meanwhile, but not register.
    barrier.wait()
    while not done.is_set():
        accelerate(manager)


def guarded(target, *args):
    def run():
        try:
            target(*args)
        except BaseException as failure:
            failures.append(failure)
            done.set()
            raise
    thread = threading.Thread(target=run)
    thread.start()
    return thread


if scenario != "accelerated meanwhile":
    accelerate(manager)
sys.setswitchinterval(1e-5)
callers = [guarded(call, number) for number in range(THREADS)]
other = guarded(accelerates if scenario == "accelerated meanwhile" else change)
for thread in callers:
    thread.join()
done.set()
other.join()
assert not failures, failures
"""


@pytest.mark.parametrize(
    "scenario", ["plain", "wrappers", "raising", "in place", "monitored", "accelerated meanwhile"]
)
def test_sixteen_threads_call_what_another_changes(run_python: Run, scenario: str) -> None:
    run_python(PROGRAM, scenario, 150)


@pytest.mark.long
@pytest.mark.parametrize("scenario", ["plain", "wrappers", "raising", "in place"])
def test_sixteen_threads_for_longer(run_python: Run, scenario: str) -> None:
    run_python(PROGRAM, scenario, 10_000)
