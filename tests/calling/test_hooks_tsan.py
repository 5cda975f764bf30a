"""ThreadSanitizer finds no race where threads call hooks and others register; see the README.

pluggy's own registration is no business of threads, so there is one that registers.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.races import INSTRUMENTED, find_races

pytestmark = INSTRUMENTED

PROGRAM = """
import sys, threading
import jumptable.pluggy as pluggy

part = sys.argv[1]
assert not sys._is_gil_enabled()
spec, impl = pluggy.HookspecMarker("p"), pluggy.HookimplMarker("p")


class Specification:
    @spec
    def hook(self, a, b): ...


class Plugin:
    @impl
    def hook(self, a): return a


class Wrapper:
    @impl(wrapper=True)
    def hook(self, a): return (yield)


manager = pluggy.PluginManager("p")
manager.add_hookspecs(Specification)
manager.register(Plugin())
if part == "wrappers": manager.register(Wrapper())
stopping = False
hook = manager.hook.hook


def call():
    value = object()
    while not stopping:
        hook(a=value, b=1)
        hook(b=1, a=value)
        manager.hook.hook(a=value, b=2)


threads = [threading.Thread(target=call) for _ in range(3)]
for thread in threads: thread.start()
for turn in range(150):
    other = Plugin()
    manager.register(other)
    hook(a=turn, b=turn)
    manager.unregister(other)
stopping = True
for thread in threads: thread.join()
assert hook(a=1, b=2) == [1]
print("done")
"""


@pytest.mark.parametrize("part", ["plain", "wrappers"])
def test_no_race(part: str, tmp_path: Path) -> None:
    reports = find_races(PROGRAM, part, folder=tmp_path)
    assert [report for report in reports if re.search("jumptable|jt_", report)] == []
