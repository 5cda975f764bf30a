"""Plugins that were unregistered are let go of: whoever calls meanwhile, and after a fork."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Run

BEGIN = """
import gc, os, sys, threading, warnings, weakref
import pluggy
from jumptable.pluggy import accelerate

impl = pluggy.HookimplMarker("gone")
manager = pluggy.PluginManager("gone")
accelerate(manager)

class Plugin:
    @impl
    def hook(self, a):
        return a

def alive(references):
    gc.collect()
    return sum(reference() is not None for reference in references)
"""

# At any time one of two threads is inside of the hook.
OVERLAPPING = """
class Waits:
    @impl
    def hook(self, a):
        if a:
            inside[a].set()
            go[a].wait()

def begin(a):
    thread = threading.Thread(target=lambda: manager.hook.hook(a=a), daemon=True)
    thread.start()
    inside[a].wait()
    return thread

inside, go = [threading.Event() for _ in range(6)], [threading.Event() for _ in range(6)]
manager.register(Waits())
manager.hook.hook(a=0)
before, references = begin(1), []
for number in range(2, 6):
    comes = Plugin()
    references.append(weakref.ref(comes))
    manager.register(comes)
    manager.hook.hook(a=0)
    manager.unregister(comes)
    del comes
    manager.hook.hook(a=0)
    after = begin(number)
    go[number - 1].set()
    before.join()
    # The last one may wait for the call that has begun since.
    assert alive(references[:-1]) == 0, number
    before = after
go[5].set()
before.join()
assert alive(references) == 0
"""

FORKED = """
class Waits:
    @impl
    def hook(self, a):
        if a:
            inside.set()
            go.wait()

inside, go = threading.Event(), threading.Event()
manager.register(Waits())
manager.hook.hook(a=0)
thread = threading.Thread(target=lambda: manager.hook.hook(a=1), daemon=True)
thread.start()
inside.wait()

def replaced():
    references = []
    for _ in range(5):
        comes = Plugin()
        references.append(weakref.ref(comes))
        manager.register(comes)
        manager.hook.hook(a=0)
        manager.unregister(comes)
        manager.hook.hook(a=0)
        del comes
    return alive(references)

class Forks:
    @impl
    def hook(self, a):
        global pid
        pid = os.fork()
        if pid == 0:
            # The plan that this call runs by is the one that is replaced.
            manager.unregister(forks)
            assert replaced() == 0
        return a

warnings.simplefilter("ignore", DeprecationWarning)
forks = Forks()
manager.register(forks)
if sys.argv[1] == "in a call":
    manager.hook.hook(a=0)
else:
    forks.hook(0)
if pid == 0:
    status = 1
    try:
        assert replaced() == 0
        status = 0
    finally:
        if status:
            sys.excepthook(*sys.exc_info())
        os._exit(status)
go.set()
thread.join()
assert os.waitpid(pid, 0)[1] == 0
"""

# The set of plugins that a subset caller leaves out asks for a plugin's hash as a plan is made.
UNREGISTERED_MEANWHILE = """
class Hashed(Plugin):
    def __hash__(self):
        if armed and manager.is_registered(comes):
            manager.unregister(comes)
        return 1

armed = False
comes, hashed = Plugin(), Hashed()
reference = weakref.ref(comes)
manager.register(comes)
manager.register(hashed)
subset = manager.subset_hook_caller("hook", [hashed])
armed = True
subset(a=1)
armed = False
assert not manager.is_registered(comes)
del comes
assert alive([reference]) == 0
assert subset(a=1) == []
"""

CHANGING = """
manager.register(Plugin())
manager.register(Plugin())
caller = manager.hook.hook
last = caller.get_hookimpls()[-1]
done = False

def calls(number):
    orders = [{"a": 1, f"x{number}_{turn}": 2} for turn in range(40)]
    while not done:
        for order in orders:
            caller(**order)

threads = [threading.Thread(target=calls, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for _ in range(int(sys.argv[1])):
    caller._remove_plugin(last.plugin)
    caller._add_hookimpl(last)
done = True
for thread in threads:
    thread.join()
"""


def test_calls_that_always_overlap_keep_no_plugin(run_python: Run) -> None:
    run_python(BEGIN + OVERLAPPING)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("where", ["in a call", "outside"])
def test_calls_that_a_fork_cut_off_keep_no_plugin(run_python: Run, where: str) -> None:
    run_python(BEGIN + FORKED, where)


def test_a_plugin_that_goes_while_a_plan_is_made(run_python: Run) -> None:
    run_python(BEGIN + UNREGISTERED_MEANWHILE)


@pytest.mark.long
def test_plans_are_made_while_all_are_let_go_of(run_python: Run) -> None:
    run_python(BEGIN + CHANGING, 200_000)
