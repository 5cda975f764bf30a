"""Opens, binds, swaps, failures, calls and drops in any order, against a model of plain dicts."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import jumptable as jt
from tests.conftest import Compile

NAMES = ("apply", "shift")
SIGNATURES = {"apply": "double(double)", "shift": "int64_t(int64_t)"}
NATIVE = """
#include <stdint.h>
double apply(double x) { return x + OFFSET; }
#ifndef PARTIAL
int64_t shift(int64_t x) { return x + OFFSET; }
#endif
"""
PYTHON = "def apply(x): return x + {0}\ndef shift(x): return x + {0}\n"
CLASS = """
class Impl:
    def apply(self, x): return x + {0}
    def shift(self, x): return x + {0}
"""


class Filter(Protocol):
    def apply(self, x: float) -> float: ...

    def shift(self, x: int) -> int: ...


@dataclass(frozen=True)
class Source:
    """A plugin to open, and what its functions add; None if it does not fit the interface."""

    target: str
    kind: str
    offset: int | None


@dataclass
class Follow:
    """A target that is another table's slot."""

    table: Model
    name: str


Target = int | Follow | None


@dataclass
class Model:
    """What is known of a table. ``targets`` are what is added, by name; None is unbound."""

    count: bool
    targets: dict[str, Target] = field(default_factory=lambda: dict.fromkeys(NAMES))
    natives: dict[str, Source | None] = field(default_factory=lambda: dict.fromkeys(NAMES))
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    stored: dict[tuple[str, bool], int] = field(default_factory=dict)  # generations of C's slots
    generation: int = 0
    plugin: object = None

    def bound(self, targets: dict[str, Target], source: Source | None, plugin: object) -> None:
        self.targets.update(targets)
        self.natives.update(dict.fromkeys(targets, source))
        self.generation += 1
        self.plugin = plugin
        for key in self.stored:
            if key[0] in targets:
                self.stored[key] = self.generation

    def offset(self, name: str, calls: int = 1) -> int | None:
        """What a call through Python adds now; counts it where the table does."""
        self.calls[name] += calls * self.count
        target = self.targets[name]
        return target.table.offset(target.name, calls) if isinstance(target, Follow) else target

    def reaches(self, other: Model, name: str) -> bool:
        target = self.targets[name]
        if self is other:
            return True
        return isinstance(target, Follow) and target.table.reaches(other, target.name)


@dataclass
class Held:
    """Something that a host holds: it stays good when the table is dropped."""

    model: Model
    table: jt.Table[Any] | None
    facade: Any


class Thing:
    """A Python object to bind."""

    def __init__(self, offset: int) -> None:
        self.apply = self.shift = lambda x: x + offset


class Environment:
    def __init__(self, sources: list[Source], host: Any) -> None:
        self.sources = sources
        self.host = host


tables = Bundle[Held]("tables")
slots = Bundle[tuple[Model, str, Any]]("slots")
captured = Bundle[tuple[Target, Model, str, Any]]("captured")
lines = Bundle[tuple[Model, str, bool, int]]("lines")
names = st.sampled_from(NAMES)
some_names = st.lists(names, min_size=1, unique=True).map(tuple)
offsets = st.integers(-100, 100)
arguments = st.integers(-1000, 1000)


class Tables(RuleBasedStateMachine):
    environment: Environment

    def __init__(self) -> None:
        super().__init__()
        self.opened: dict[str, jt.Plugin] = {}
        self.live: list[Held] = []
        self.lines: list[tuple[Model, str, bool, int]] = []
        self.reported: list[Any] = []
        self.hook = sys.unraisablehook
        sys.unraisablehook = lambda what: self.reported.append(what.exc_type)

    def teardown(self) -> None:
        sys.unraisablehook = self.hook
        self.live.clear()

    def source(self, number: int) -> tuple[Source, jt.Plugin]:
        source = self.environment.sources[number % len(self.environment.sources)]
        return source, self.opened.setdefault(source.target, jt.open(source.target))

    # ---- plugins ----

    @rule(number=st.integers(0, 9))
    def open(self, number: int) -> None:
        source, plugin = self.source(number)
        assert jt.open(source.target) is plugin
        assert plugin.kind == source.kind

    @rule(number=st.integers(0, 9), x=arguments)
    def bind_plugin(self, number: int, x: int) -> None:
        source, plugin = self.source(number)
        if source.offset is None:
            with pytest.raises(jt.InterfaceError):
                plugin.bind(Filter)
            return
        bound = plugin.bind(Filter)
        assert (bound.apply(x), bound.shift(x)) == (x + source.offset, x + source.offset)

    # ---- tables ----

    @initialize(target=tables)
    def first_table(self) -> Held:
        return self.table(Filter, False)

    @rule(target=tables, interface=st.sampled_from([Filter, SIGNATURES]), count=st.booleans())
    def make_table(self, interface: Any, count: bool) -> Held:
        return self.table(interface, count)

    def table(self, interface: Any, count: bool) -> Held:
        table = jt.Table(interface, count=count)
        held = Held(Model(count), table, table.facade)
        self.live.append(held)
        return held

    @precondition(lambda self: len(self.live) > 1)
    @rule(held=consumes(tables))
    def drop(self, held: Held) -> None:
        held.table = None
        self.live = [other for other in self.live if other is not held]
        gc.collect(0)

    @rule(held=tables, number=st.integers(0, 9), only=st.none() | some_names)
    def bind_to_a_plugin(self, held: Held, number: int, only: tuple[str, ...] | None) -> None:
        source, plugin = self.source(number)
        assert held.table is not None
        if source.offset is None and only != ("apply",):
            with pytest.raises(jt.InterfaceError):
                held.table.bind(plugin, only=only)
            return
        offset = source.offset
        if offset is None:  # it lacks shift alone
            offset = int(plugin.lookup("apply", SIGNATURES["apply"])(0))
        held.table.bind(plugin, only=only)
        targets: dict[str, Target] = dict.fromkeys(only or NAMES, offset)
        held.model.bound(targets, source if source.kind == "native" else None, plugin)

    @rule(held=tables, offset=offsets, only=st.none() | some_names)
    def bind_to_an_object(self, held: Held, offset: int, only: tuple[str, ...] | None) -> None:
        assert held.table is not None
        held.table.bind(Thing(offset), only=only)
        held.model.bound(dict.fromkeys(only or NAMES, offset), None, None)

    @rule(held=tables, given=st.dictionaries(names, offsets, min_size=1), more=st.booleans())
    def bind_to_a_mapping(self, held: Held, given: dict[str, int], more: bool) -> None:
        mapping: dict[str, Any] = dict.fromkeys(NAMES) if more else {}
        mapping.update({name: Thing(offset).apply for name, offset in given.items()})
        assert held.table is not None
        held.table.bind(mapping, only=None if len(given) == len(NAMES) else tuple(given))
        held.model.bound(dict(given), None, None)

    @rule(held=tables, slot=slots)
    def bind_to_a_slot(self, held: Held, slot: tuple[Model, str, Any]) -> None:
        model, name, function = slot
        if model.reaches(held.model, name):
            return  # a RecursionError, which test_table_facade looks at
        assert held.table is not None
        held.table.bind({name: function}, only=(name,))
        held.model.bound({name: Follow(model, name)}, None, None)

    @rule(
        held=tables,
        only=st.none() | some_names,
        source=st.sampled_from(
            [
                {"apply": abs},
                {"shift": abs},
                {"apply": abs, "shift": None},
                {"apply": lambda: 1, "shift": lambda x, y: 1},
                {"apply": abs, "shift": abs, "more": abs},
                {},
                None,
                Filter,
            ]
        ),
    )
    def fail_to_bind(self, held: Held, only: tuple[str, ...] | None, source: Any) -> None:
        if isinstance(source, dict) and only and set(source) <= set(NAMES):
            given = [source.get(name) for name in only]
            if given == [abs] * len(only):
                return
        assert held.table is not None
        with pytest.raises(jt.InterfaceError):
            held.table.bind(source, only=only)

    @rule(held=tables, only=st.sampled_from([(), "apply", ("aply",), ("apply", "x"), (None,), 5]))
    def fail_to_name(self, held: Held, only: Any) -> None:
        assert held.table is not None
        with pytest.raises((TypeError, ValueError)):
            held.table.bind(Thing(1), only=only)
        with pytest.raises(TypeError):
            held.table.bind("states_module")

    # ---- calls from Python ----

    def check(self, call: Callable[[int], object], offset: int | None, x: int) -> None:
        if offset is None:
            with pytest.raises(jt.UnboundSlotError):
                call(x)
        else:
            assert call(x) == x + offset

    @rule(held=tables, name=names, x=arguments)
    def call(self, held: Held, name: str, x: int) -> None:
        self.check(getattr(held.facade, name), held.model.offset(name), x)

    @rule(target=slots, held=tables, name=names)
    def take_slot(self, held: Held, name: str) -> tuple[Model, str, Any]:
        assert held.table is not None
        slot = held.table.slot(name)
        assert held.table.slot(name) is slot
        return held.model, name, slot

    @rule(slot=slots, x=arguments)
    def call_slot(self, slot: tuple[Model, str, Any], x: int) -> None:
        model, name, function = slot
        self.check(function, model.offset(name), x)

    @rule(target=captured, held=tables, name=names)
    def capture(self, held: Held, name: str) -> tuple[Target, Model, str, Any]:
        model = held.model
        target = Follow(model, name) if model.count else model.targets[name]
        return target, model, name, getattr(held.facade, name)

    @rule(function=captured, x=arguments)
    def call_captured(self, function: tuple[Target, Model, str, Any], x: int) -> None:
        target, _, _, call = function
        offset = target.table.offset(target.name) if isinstance(target, Follow) else target
        self.check(call, offset, x)

    # ---- calls from C ----

    @rule(target=lines, held=tables, name=names, nogil=st.booleans())
    def take_line(self, held: Held, name: str, nogil: bool) -> tuple[Model, str, bool, int]:
        host, model, key = self.environment.host, held.model, (name, nogil)
        assert held.table is not None
        with pytest.raises(jt.SignatureError):
            host.get_slot(held.table, name, "float(float)")
        line = host.get_slot(held.table, name, SIGNATURES[name] + " nogil" * nogil)
        model.stored.setdefault(key, model.generation)
        taken = (model, name, nogil, line)
        self.lines.append(taken)
        return taken

    @rule(line=lines, x=arguments)
    def call_line(self, line: tuple[Model, str, bool, int], x: int) -> None:
        model, name, nogil, address = line
        host = self.environment.host
        call = host.echo_double if name == "apply" else host.echo_int64
        offset = model.offset(name)
        model.calls[name] -= model.count  # calls from C are not counted, what they lead to is
        self.reported.clear()
        assert call(address, nogil, x) == (0 if offset is None else x + offset)
        assert self.reported == ([jt.UnboundSlotError] if offset is None else [])

    # ---- always ----

    @invariant()
    def tables_are_as_the_model_says(self) -> None:
        for held in self.live:
            model, table = held.model, held.table
            assert table is not None
            assert table.facade is held.facade
            assert (table.names, table.generation) == (NAMES, model.generation)
            assert table.plugin is model.plugin
            if model.count:
                assert table.calls == model.calls
            for name in NAMES:
                assert (model.offset(name, 0) is None) == ("unbound" in repr(table.slot(name)))

    @invariant()
    def so_is_what_c_sees(self) -> None:
        for model, name, nogil, address in self.lines:
            described = self.environment.host.describe(address)
            assert described["generation"] == model.stored[name, nogil]
            assert described["load"] == described["read"]
            native = model.natives[name]
            if native is not None:
                symbol = self.opened[native.target].lookup(name, SIGNATURES[name]).__self__
                assert described["load"] == symbol.address


@pytest.fixture(scope="module")
def environment(
    compile_plugin: Compile, c_host: Any, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder = tmp_path_factory.mktemp("modules")

    def native(name: str, offset: int, *flags: str) -> str:
        return str(compile_plugin(name, NATIVE, f"-DOFFSET={offset}", *flags))

    def module(name: str, text: str) -> str:
        (Path(folder) / f"{name}.py").write_text(text)
        return name

    sources = [
        Source(native("states_one", 1000), "native", 1000),
        Source(native("states_two", 2000), "native", 2000),
        Source(native("states_partial", 3000, "-DPARTIAL"), "native", None),
        Source(module("states_module", PYTHON.format(4000)), "python", 4000),
        Source(module("states_class", CLASS.format(5000)) + ":Impl", "python", 5000),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield Environment(sources, c_host)


def run(environment: Environment, examples: int, steps: int) -> None:
    machine = type("Machine", (Tables,), {"environment": environment})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.thread_unsafe(reason="a random battery, long as it is")
def test_tables_behave_as_dicts_do(environment: Environment) -> None:
    run(environment, 100, 40)


@pytest.mark.long
def test_tables_behave_as_dicts_do_for_long(environment: Environment) -> None:
    run(environment, 1500, 60)
