"""Hooks that call hooks without end raise RecursionError; the interpreter goes on."""

from __future__ import annotations

import pytest

from tests.conftest import Run

PROGRAM = """
import sys, threading
import pluggy
from pluggy._hooks import HookImpl
from jumptable.pluggy import accelerate

kind, where = sys.argv[1:]
impl = pluggy.HookimplMarker("deep")
manager = pluggy.PluginManager("deep")


class Calls:
    deepest = 0

    @impl
    def plain(self, depth):
        Calls.deepest = depth
        return manager.hook.plain(depth=depth + 1)

    @impl(wrapper=True)
    def setup(self, depth):
        manager.hook.setup(depth=depth + 1)
        return (yield)

    @impl(wrapper=True)
    def teardown(self, depth):
        result = yield
        manager.hook.teardown(depth=depth + 1)
        return result

    @impl(hookwrapper=True)
    def old(self, depth):
        manager.hook.old(depth=depth + 1)
        yield

    @impl
    def ping(self):
        return manager.hook.pong()

    @impl
    def pong(self):
        return manager.hook.ping()

    @impl
    def ends(self, depth):
        return manager.hook.ends(depth=depth - 1) if depth else "the end"


manager.register(Calls())
accelerate(manager)
options = dict.fromkeys(("wrapper", "hookwrapper", "optionalhook", "tryfirst", "trylast"), False)
for hook in ("itself", "two"):
    setattr(manager.hook, hook, pluggy.HookCaller(hook, manager._hookexec))
caller, two = manager.hook.itself, manager.hook.two
# No Python frame between one call and the next.
caller._add_hookimpl(HookImpl(None, "itself", caller, {**options, "specname": None}))
for _ in range(2):
    two._add_hookimpl(HookImpl(None, "itself", two, {**options, "specname": None}))
CALLS = {
    "itself": lambda: caller(),
    "twice itself": lambda: two(),
    "call_extra": lambda: caller.call_extra([caller], {}),
    "pong": lambda: manager.hook.ping(),
    **{name: lambda name=name: getattr(manager.hook, name)(depth=0)
       for name in ("plain", "setup", "teardown", "old")},
}


def check():
    for _ in range(3):
        try:
            CALLS[kind]()
        except RecursionError:
            pass
        else:
            raise AssertionError("it came to an end")
    result = manager.hook.ends(depth=50)
    for _ in range(51):
        [result] = result
    assert result == "the end", result
    if kind == "plain":
        assert Calls.deepest > 100, Calls.deepest


if where == "thread":
    problems = []
    threading.excepthook = problems.append
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    assert not problems, problems
else:
    check()
print("goes on")
"""


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize(
    "kind",
    ["plain", "setup", "teardown", "old", "pong", "itself", "twice itself", "call_extra"],
)
def test_endless_calls_raise_recursion_error(run_python: Run, kind: str, where: str) -> None:
    assert run_python(PROGRAM, kind, where).stdout == "goes on\n"
