"""Calls of each kind, a million in the long battery: memory and counts stay as they were."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Run

from .mortal import managers_die

PROGRAM = """
import gc, sys, tracemalloc, warnings
import pluggy
from jumptable.pluggy import accelerate

kind, calls = sys.argv[1], int(sys.argv[2])
spec, impl = pluggy.HookspecMarker("leaks"), pluggy.HookimplMarker("leaks")
first, second = [object()], {"a": object()}
given = "".join(["na", "me"])


class Problem(Exception):
    pass


class Specs:
    @spec(firstresult="firstresult" in kind)
    def hook(self, first, second): ...


class Short:
    def __dir__(self):  # what pluggy looks at, name by name, is most of what registering takes
        return ["hook"]


class Plain(Short):
    @impl
    def hook(self, second, first):
        return first


class Nothing(Short):
    @impl(tryfirst=True)
    def hook(self):
        return None


class Raises:
    @impl
    def hook(self, first):
        raise Problem(first)


class Wraps:
    @impl(wrapper=True)
    def hook(self, second):
        return (yield)


class Handles:
    @impl(wrapper=True, tryfirst=True)
    def hook(self, second):
        try:
            return (yield)
        except Problem as problem:
            raise LookupError(second) from problem


class OldWraps:
    @impl(hookwrapper=True)
    def hook(self, second):
        outcome = yield
        if outcome.exception is None:
            outcome.force_result(outcome.get_result())


class YieldsTwice:
    @impl(wrapper=True)
    def hook(self):
        yield
        yield


class DoesNotYield:
    @impl(wrapper=True)
    def hook(self):
        if kind:
            return
        yield


class FailsLate:
    @impl(hookwrapper=True)
    def hook(self):
        yield
        raise Problem(first)


class Closes:
    @impl(wrapper=True)
    def hook(self):
        yield
        try:
            yield
        except GeneratorExit:
            raise Problem(first)


PLUGINS = {
    "none": [],
    "wrappers": [Plain, Wraps, Wraps],
    "old wrappers": [Plain, OldWraps, Wraps],
    "wrappers, firstresult": [Plain, Wraps, OldWraps],
    "raising": [Plain, Raises],
    "raising, firstresult": [Nothing, Raises],
    "raising through wrappers": [Raises, Wraps, Handles, Wraps],
    "raising through old wrappers": [Raises, OldWraps, Wraps],
    "second yield": [Plain, YieldsTwice, Wraps],
    "no yield": [Plain, DoesNotYield],
    "late": [Plain, FailsLate, Wraps],
    "closing": [Plain, Closes, OldWraps],
}
RAISING = ("raising", "second", "no yield", "late", "closing", "missing", "positional", "self")

manager = pluggy.PluginManager("leaks")
manager.add_hookspecs(Specs)
plugins = [each() for each in PLUGINS.get(kind, [Plain, Nothing])]
for plugin in plugins:
    manager.register(plugin)
accelerate(manager)
hook = manager.hook.hook
other = Plain()
warnings.simplefilter("ignore")

calling = lambda: hook(first=first, second=second)
if kind == "one name":
    calling = lambda: hook(**{"".join([given, str(5)]): first, "first": 1, "second": 2})
elif kind == "many names":
    # More tuples of names than any cache should keep.
    numbers = iter(range(10**9))
    calling = lambda: hook(first=first, second=second, **{f"n{next(numbers)}": first})
elif kind == "missing":
    calling = lambda: hook(first=first)
elif kind == "positional":
    calling = lambda: hook(first, second)
elif kind == "self":
    calling = lambda: hook(self=first, first=first, second=second)
elif kind == "rebuilding":
    def calling():
        manager.register(other)
        hook(first=first, second=second)
        manager.unregister(other)
        hook(first=first, second=second)
elif kind == "in place":
    def calling():
        hook._hookimpls.reverse()
        hook(first=first, second=second)
elif kind == "subset":
    calling = lambda: manager.subset_hook_caller("hook", plugins[:1])(first=first, second=second)
elif kind == "extra":
    def extra(first): return first
    calling = lambda: hook.call_extra([extra], {"first": first, "second": second})
elif kind == "monitored":
    manager.add_hookcall_monitoring(lambda *what: None, lambda *what: None)
elif kind == "monitoring":
    def calling():
        undo = manager.add_hookcall_monitoring(lambda *what: None, lambda *what: None)
        hook(first=first, second=second)
        undo()
        hook(first=first, second=second)
elif kind == "managers":
    def calling():
        made = pluggy.PluginManager("leaks")
        made.register(other, "other")
        accelerate(made)
        made.add_hookspecs(Specs)
        made.register(plugins[0], "first")
        made.hook.hook(first=first, second=second)

fails = kind.startswith(RAISING)


def run(count):
    failed = 0
    for _ in range(count):
        try:
            calling()
        except (Problem, LookupError, RuntimeError, TypeError, pluggy.HookCallError):
            failed += 1
    assert failed == (count if fails else 0), failed


def state():
    gc.collect()
    watched = [first, second, first[0], given, Problem, type(plugins[0]) if plugins else Problem]
    return sys.getallocatedblocks(), [sys.getrefcount(each) for each in watched]


# Past what the interpreter and the callers keep: free lists, specialised code, plans.
run(max(int(sys.argv[3]), calls // 20))
before, counts = state()
run(calls)
after, new_counts = state()
# The interpreter's cache of attributes keeps some of the names that registering makes.
managers, registers = kind == "managers", kind in ("managers", "rebuilding")
slack = calls // 2 if registers else 60
# A free-threaded interpreter frees the tables of some dictionaries later, when it comes to it.
free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()
if free_threaded:
    slack = max(slack, calls // 4)
assert after - before < slack, f"{after - before} blocks more"
assert all(abs(one - two) < 3 for one, two in zip(counts, new_counts)), (counts, new_counts)

# Blocks alone don't tell of one that grows, which it does an eighth at a time.
window = 1_600 if managers else 800
tracemalloc.start()
run(200)
gc.collect()
before = tracemalloc.get_traced_memory()[0]
run(window)
gc.collect()
grown = tracemalloc.get_traced_memory()[0] - before
slack = 64 * window if managers else 24 * window if registers else 3_200
assert grown < slack or free_threaded, f"{grown} bytes more after {window} calls"
"""

FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()

KINDS = [
    *("plain", "none", "firstresult", "one name", "many names", "wrappers", "old wrappers"),
    *("wrappers, firstresult", "raising", "raising, firstresult", "raising through wrappers"),
    *("raising through old wrappers", "second yield", "no yield", "late", "closing", "missing"),
    *("positional", "self", "rebuilding", "in place", "subset", "extra", "monitored"),
    "monitoring",
    pytest.param("managers", marks=managers_die),
]
# What takes long each time is repeated less: calls in the suite, in the long battery, to warm up.
COUNTS = {"rebuilding": (1_000, 50_000, 4_000), "managers": (1_000, 10_000, 3_000)}
# Without a GIL what grows at first comes back only after some ten thousand calls.
USUAL = (20_000 if FREE_THREADED else 2_500, 1_000_000, 1_500)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_leaks(run_python: Run, kind: str) -> None:
    calls, _, warm_up = COUNTS.get(kind, USUAL)
    run_python(PROGRAM, kind, calls, warm_up)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_leaks_over_a_million_calls(run_python: Run, kind: str) -> None:
    _, calls, warm_up = COUNTS.get(kind, USUAL)
    run_python(PROGRAM, kind, calls, warm_up)
