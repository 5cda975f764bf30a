"""A lazy table beside a model: calls, binds by hand, failures and retries in any order."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import jumptable as jt

NAMES = ("first", "second", "third")
NUMBERS = itertools.count()
PLUGIN, PENDING = "plugin", "pending"
names = st.sampled_from(NAMES)


class Finder:
    """Finds one module, which fails to load while it is ``broken``."""

    def __init__(self) -> None:
        self.name = f"lazy_state_{next(NUMBERS)}"
        self.broken = False
        self.loads = 0

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self) if name == self.name else None  # type: ignore[arg-type]

    def create_module(self, spec: object) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        self.loads += 1
        if self.broken:
            raise RuntimeError("broken")
        for name in NAMES:
            setattr(module, name, lambda name=name: (PLUGIN, name))


class LazyStates(RuleBasedStateMachine):
    @initialize(count=st.booleans(), broken=st.booleans())
    def make(self, count: bool, broken: bool) -> None:
        self.finder = Finder()
        self.finder.broken = broken  # what has been loaded cannot fail any more
        sys.meta_path.append(self.finder)
        self.table: jt.Table[Any] = jt.lazy(self.finder.name, dict.fromkeys(NAMES), count=count)
        self.early = {name: getattr(self.table.facade, name) for name in NAMES}
        self.slots: dict[str, object] = dict.fromkeys(NAMES, PENDING)
        self.failed = self.opened = False
        self.loads = self.binds = 0

    def teardown(self) -> None:
        if hasattr(self, "finder"):
            sys.meta_path.remove(self.finder)
            sys.modules.pop(self.finder.name, None)

    def expect(self, name: str, call: Callable[[], object]) -> None:
        if self.slots[name] == PENDING and not self.failed:
            if not self.opened:
                self.loads += 1
                self.opened, self.failed = not self.finder.broken, self.finder.broken
            if self.opened:
                for other, value in self.slots.items():
                    self.slots[other] = PLUGIN if value == PENDING else value
                self.binds += 1
        if self.slots[name] == PENDING:
            with pytest.raises(jt.PluginInitError, match=r"RuntimeError: broken.*table\.retry"):
                call()
        else:
            assert call() == (self.slots[name], name)

    @rule(name=names)
    def call(self, name: str) -> None:
        self.expect(name, getattr(self.table.facade, name))

    @rule(name=names)
    def call_what_was_read_before(self, name: str) -> None:
        self.expect(name, self.early[name])

    @rule(name=names)
    def call_the_slot(self, name: str) -> None:
        self.expect(name, self.table.slot(name))

    @rule(chosen=st.sets(names, min_size=1), value=st.integers())
    def bind(self, chosen: set[str], value: int) -> None:
        self.table.bind({name: lambda name=name: (value, name) for name in chosen}, only=chosen)
        self.slots.update(dict.fromkeys(chosen, value))
        self.binds += 1

    @rule()
    def bind_something_wrong(self) -> None:
        with pytest.raises(jt.InterfaceError):
            self.table.bind({"first": len, "second": 3}, only=["first", "second"])

    @rule(broken=st.booleans())
    def mend_or_break(self, broken: bool) -> None:
        self.finder.broken = broken

    @rule()
    def retry(self) -> None:
        self.table.retry()
        self.failed = False

    @rule()
    def warm(self) -> None:
        report = jt.warm([self.table]).wait()
        if PENDING in self.slots.values():
            name = next(name for name in NAMES if self.slots[name] == PENDING)
            self.expect(name, getattr(self.table.facade, name))
        assert bool(report) == (PENDING not in self.slots.values())

    @invariant()
    def looks_as_it_is(self) -> None:
        if not hasattr(self, "table"):
            return
        assert self.finder.loads == self.loads
        assert self.table.generation == self.binds
        waiting = PENDING in self.slots.values()
        assert ("has failed to load" in repr(self.table)) == (self.failed and waiting)


LazyStates.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLazyStates = pytest.mark.thread_unsafe(reason="changes sys.meta_path")(LazyStates.TestCase)
