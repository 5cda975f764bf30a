"""Many threads call one hook while another changes it: each call sees all of one state.

The programs run in interpreters of their own, since a mistake would be a crash. On a free-threaded
interpreter the threads really run at once.
"""

from __future__ import annotations

import sys

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


# No two calls need the same plan, so that making, keeping, dropping and finding plans meet.
PLANS = """
import gc, sys, threading
import pluggy, jumptable.pluggy
from jumptable.calling.hookstats import HookStats

scenario, rounds = sys.argv[1], int(sys.argv[2])
THREADS = 8
impl = pluggy.HookimplMarker("plans")


class Plugin:
    @impl
    def hook(self, x):
        return x


def extra(x):
    return x


manager = jumptable.pluggy.PluginManager("plans")
stays = Plugin()
manager.register(stays)
caller, execute = manager.hook.hook, manager._inner_hookexec
barrier = threading.Barrier(THREADS + 1)
failures = []
done = threading.Event()


def call(thread):
    subset = manager.subset_hook_caller("hook", [Plugin()])
    for turn in range(rounds):
        value = (thread, turn)
        names = {"x": value, f"name{(thread + turn) % 9}": 2}
        if scenario in ("extra", "measured"):
            found = caller.call_extra([extra], names if turn % 2 else {"x": value})
            assert found[:2] == [value, value], found
        elif scenario == "subsets":
            left_out = manager.subset_hook_caller("hook", [stays])
            assert left_out(**names) in ([], [value])
            found = subset(**names)
        else:
            found = caller(**names)
        assert found[-1] == value and set(found) == {value}, found


def change():
    while not done.is_set():
        if scenario == "executors":
            for _ in range(20):
                manager._inner_hookexec = lambda *call: execute(*call)
            manager._inner_hookexec = execute
        elif scenario == "contained":
            jumptable.pluggy.accelerate(manager, contain=["hook"])
            jumptable.pluggy.accelerate(manager, contain=False)
        elif scenario == "measured":
            with HookStats(manager) as stats:
                stats.times()
            stats.times()
        else:
            comes = Plugin()
            manager.register(comes)
            manager.unregister(comes)
            gc.collect(0)


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
callers = [guarded(call, number) for number in range(THREADS)]
other = guarded(change)
for thread in callers:
    thread.join()
done.set()
other.join()
assert not failures, failures
assert caller(x=5) == [5]
"""
# With a GIL, threads rarely meet where it matters, and take turns for long.
PLANS_ROUNDS = 400 if getattr(sys, "_is_gil_enabled", lambda: True)() else 6_000
PLANS_SCENARIOS = ["names", "extra", "subsets", "executors", "contained", "measured"]


@pytest.mark.parametrize("scenario", PLANS_SCENARIOS)
def test_eight_threads_need_different_plans(run_python: Run, scenario: str) -> None:
    run_python(PLANS, scenario, PLANS_ROUNDS)


@pytest.mark.long
@pytest.mark.parametrize("scenario", PLANS_SCENARIOS)
def test_eight_threads_need_different_plans_for_longer(run_python: Run, scenario: str) -> None:
    run_python(PLANS, scenario, 10 * PLANS_ROUNDS)


@pytest.mark.parametrize(
    "scenario", ["plain", "wrappers", "raising", "in place", "monitored", "accelerated meanwhile"]
)
def test_sixteen_threads_call_what_another_changes(run_python: Run, scenario: str) -> None:
    run_python(PROGRAM, scenario, 150)


@pytest.mark.long
@pytest.mark.parametrize("scenario", ["plain", "wrappers", "raising", "in place"])
def test_sixteen_threads_for_longer(run_python: Run, scenario: str) -> None:
    run_python(PROGRAM, scenario, 10_000)
