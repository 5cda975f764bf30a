"""Table: slots under names, found by attribute, bound and rebound."""

from __future__ import annotations

import abc
import contextlib
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest

import jumptable as jt
from tests.conftest import Compile, Run


@runtime_checkable
class Filter(Protocol):
    def half(self, x: float) -> float: ...

    def negate(self, x: int) -> int: ...


class Base(abc.ABC):
    @abc.abstractmethod
    def half(self, x: float) -> float: ...

    @abc.abstractmethod
    def negate(self, x: int) -> int: ...


class Plain:
    def half(self, x: float) -> float:
        return x / 2

    def negate(self, x: int) -> int:
        return -x

    def _private(self) -> None:
        raise NotImplementedError


MAPPING = {"half": "double(double)", "negate": "int64_t(int64_t)"}
INTERFACES: list[Any] = [Filter, Base, Plain, MAPPING, types.MappingProxyType(MAPPING)]
each_interface = pytest.mark.parametrize(
    "interface", INTERFACES, ids=["Protocol", "ABC", "class", "dict", "Mapping"]
)


class Doubling:
    """A Python plugin that does something else."""

    def half(self, x: float) -> float:
        return x * 2

    def negate(self, x: int) -> int:
        return x


def state(table: jt.Table[Any]) -> tuple[object, ...]:
    """All that a failed bind must leave as it was; targets are compared by identity."""
    targets = [id(getattr(table.facade, name)) for name in table.names]
    return (targets, table.generation, table.plugin)


@pytest.fixture
def module_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], jt.Plugin]:
    """A plugin from the text of a module."""

    def make(text: str, target: str = "") -> jt.Plugin:
        name = f"plugin_{tmp_path.name}_{len(list(tmp_path.iterdir()))}"
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        return jt.open(name + target)

    return make


# ---- binding to all that can be bound ----------------------------------------------------


@each_interface
def test_a_native_plugin(interface: Any, basic: jt.Plugin) -> None:
    table = jt.Table(interface)
    assert (table.names, table.generation, table.plugin) == (("half", "negate"), 0, None)
    table.bind(basic)
    assert (table.facade.half(3.0), table.facade.negate(2)) == (1.5, -2)
    assert table.facade.half is basic.lookup("half", "double(double)")
    assert isinstance(table.facade.negate, types.BuiltinFunctionType)
    assert (table.generation, table.plugin) == (1, basic)


@each_interface
def test_python_plugins(interface: Any, module_plugin: Callable[..., jt.Plugin]) -> None:
    text = "def half(x): return x / 4\ndef negate(x): return 5\n"
    plugin = module_plugin(text)
    table = jt.Table(interface)
    table.bind(plugin)
    assert (table.facade.half(3.0), table.facade.negate(2), table.plugin) == (0.75, 5, plugin)
    assert table.facade.half is plugin.lookup("half")  # never wrapped
    made = "".join(["    " + line + "\n" for line in text.replace("(x)", "(self, x)").splitlines()])
    plugin = module_plugin(f"class Impl:\n{made}", ":Impl")
    table.bind(plugin)
    assert (table.facade.half(3.0), table.plugin, table.generation) == (0.75, plugin, 2)
    assert type(table.facade.half.__self__).__name__ == "Impl"


@each_interface
def test_objects_modules_classes_and_mappings(interface: Any) -> None:
    table = jt.Table(interface)
    module = types.ModuleType("made_up")
    vars(module).update(half=abs, negate=abs)

    class Static:
        half = staticmethod(abs)
        negate = staticmethod(abs)

    class Mine(Mapping[str, Any]):
        def __getitem__(self, name: str) -> Any:
            return {"half": abs, "negate": abs}[name]

        def __iter__(self) -> Iterator[str]:
            return iter(("negate", "half"))

        def __len__(self) -> int:
            return 2

    sources = (
        module,
        Static,
        Static(),
        Mine(),
        {"negate": abs, "half": abs},
        types.SimpleNamespace(half=abs, negate=abs),
    )
    for generation, source in enumerate(sources, 1):
        table.bind(dict.fromkeys(("half", "negate"), repr))
        table.bind(source)
        assert table.facade.half is abs
        assert (table.facade.negate(-1), table.plugin) == (1, None)
        assert table.generation == 2 * generation
    instance = Plain()
    table.bind(instance)
    assert table.facade.half == instance.half


def test_a_users_own_attributes_mean_nothing_to_a_bind() -> None:
    class Source(Doubling):
        _targets = lookup = bind = name = kind = None

    table = jt.Table(Filter)
    table.bind(Source())
    assert (table.facade.half(2.0), table.plugin) == (4.0, None)


def test_only_some(basic: jt.Plugin) -> None:
    table = jt.Table(Filter)
    for only in (("half",), ["half"], {"half"}, {"half": 1}, iter(["half"]), ("half", "half")):
        table.bind(basic)
        before = table.facade.negate
        table.bind(Doubling(), only=only)
        assert (table.facade.half(1.0), table.plugin) == (2.0, None)
        assert table.facade.negate is before
    table.bind({"negate": abs}, only=("negate",))
    assert (table.facade.half(1.0), table.facade.negate(-7)) == (2.0, 7)
    # What is not asked for need not be there, and need not fit.
    table.bind(types.SimpleNamespace(half=abs, negate=None), only=("half",))
    assert table.generation == 14


def test_a_swap_is_seen_by_the_facade_and_by_slots_but_not_by_captured_functions(
    basic: jt.Plugin,
) -> None:
    table = jt.Table(Filter)
    facade, slot, unbound = table.facade, table.slot("half"), table.facade.half
    table.bind(basic)
    captured = facade.half
    table.bind(Doubling())
    assert table.facade is facade
    assert (facade.half(1.0), slot(1.0), captured(1.0)) == (2.0, 2.0, 0.5)
    assert table.slot("half") is slot
    with pytest.raises(jt.UnboundSlotError):
        unbound(1.0)


def test_mapping_interfaces_with_none(basic: jt.Plugin) -> None:
    table = jt.Table({"apply": "double(double)", "flush": None})
    table.bind({"apply": abs, "flush": lambda *args, **kwargs: (args, kwargs)})
    assert table.facade.flush(1, two=2) == ((1,), {"two": 2})
    with pytest.raises(jt.InterfaceError, match="count: .*gives no signature for it; write one"):
        jt.Table({"half": "double(double)", "count": None}).bind(basic)


# ---- what cannot be bound ----------------------------------------------------------------

FAILING: list[tuple[Any, list[str]]] = [
    (
        types.SimpleNamespace(halff=abs),
        [
            r"half: expected half\(x\), found nothing of that name; did you mean 'halff'",
            r"negate: expected negate\(x\), found nothing of that name",
        ],
    ),
    (
        {"half": lambda: 1, "negate": lambda x, y: 1},
        [
            r"half: expected half\(x\), found half\(\)",
            r"negate: expected negate\(x\), found negate\(x, y\): it also requires 'y'",
        ],
    ),
    ({"half": 1, "negate": None}, ["half: .* which cannot be called", "negate: .* found None"]),
    ({"half": abs, "negate": abs, "more": abs}, ["more: found, but Filter has no such method"]),
    (Plain, ["half: .* it also requires 'x'", "negate: .* it also requires 'x'"]),
    (None, ["half: .* found nothing", "negate: .* found nothing"]),
    (jt.Table(Filter), ["the jumptable.binding.table.Table object does not fit", "negate"]),
    ({}, ["half: .* found nothing", "negate: .* found nothing"]),
]


@pytest.mark.parametrize(("source", "problems"), FAILING)
def test_a_failed_bind_lists_everything_and_changes_nothing(
    basic: jt.Plugin, source: Any, problems: list[str]
) -> None:
    for bound in (False, True):
        table = jt.Table(Filter)
        if bound:
            table.bind(basic)
        before = state(table)
        with pytest.raises(jt.InterfaceError) as raised:
            table.bind(source)
        for problem in problems:
            assert re.search(problem, str(raised.value)), raised.value
        assert isinstance(raised.value, TypeError)
        assert state(table) == before


@pytest.mark.parametrize("target", ["json", "./libfilter.so", Path("libfilter.so")])
def test_a_plugin_must_be_open(target: object) -> None:
    table = jt.Table(Filter)
    table.bind(Plain())
    before = state(table)
    with pytest.raises(
        TypeError, match=r"bind takes an open plugin: table.bind\(jumptable.open\(.*(json|lib)"
    ):
        table.bind(target)
    assert state(table) == before


def test_a_class_given_by_mistake_is_called_one() -> None:
    with pytest.raises(jt.InterfaceError, match=r"the class Plain \(not an instance of it\) does"):
        jt.Table(Filter).bind(Plain)


def test_a_native_plugin_that_lacks_everything(data: jt.Plugin) -> None:
    table = jt.Table({"nothing": "double(double)", "here": "void()", "odd": None})
    before = state(table)
    with pytest.raises(jt.InterfaceError) as raised:
        table.bind(data)
    assert [problem.split(":")[0] for problem in raised.value.problems] == [*table.names]
    assert state(table) == before


def test_a_python_plugin_whose_class_raises(module_plugin: Callable[..., jt.Plugin]) -> None:
    plugin = module_plugin("class Impl:\n    def __init__(self): raise KeyError('no')\n", ":Impl")
    table = jt.Table(Filter)
    table.bind(Plain())
    before = state(table)
    with pytest.raises(jt.PluginInitError) as raised:
        table.bind(plugin)
    assert isinstance(raised.value.__cause__, KeyError)
    assert state(table) == before


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_source_that_raises_while_it_is_read(error: type[BaseException]) -> None:
    class Raising(Plain):
        @property
        def negate(self) -> Any:
            raise error("while it was read")

    table = jt.Table(Filter)
    table.bind(Plain())
    before = state(table)
    expected = KeyboardInterrupt if error is KeyboardInterrupt else jt.InterfaceError
    with pytest.raises(expected, match="while it was read"):
        table.bind(Raising())
    assert state(table) == before


@pytest.mark.parametrize(
    ("only", "error", "message"),
    [
        ((), ValueError, "only= names no slot; leave it out to bind all"),
        ("half", TypeError, r"only=\('half',\), and not a str"),
        (("hal",), ValueError, "a table of Filter has no slot 'hal'; did you mean 'half'"),
        (("half", "x", "y"), ValueError, "no slot 'x', 'y'"),
        ((None,), ValueError, "no slot None"),
        (([],), TypeError, "unhashable"),
        (5, TypeError, "not iterable"),
    ],
)
def test_only_must_name_slots(only: Any, error: type[Exception], message: str) -> None:
    table = jt.Table(Filter)
    before = state(table)
    with pytest.raises(error, match=message):
        table.bind(Plain(), only=only)
    assert state(table) == before


def test_only_takes_its_own_from_a_mapping_of_more_slots(basic: jt.Plugin) -> None:
    table = jt.Table(Filter)
    table.bind(basic)
    before = table.facade.negate
    for other in (float.__neg__, None):  # what is not asked for need not fit
        table.bind({"half": abs, "negate": other}, only=("half",))
        assert (table.facade.half, table.facade.negate) == (abs, before)


def test_mappings_may_hold_slots_only() -> None:
    table = jt.Table(Filter)
    with pytest.raises(jt.InterfaceError) as caught:
        table.bind({"half": abs, "negat": abs}, only=("half",))
    assert caught.value.problems == (
        "negat: found, but Filter has no such method; did you mean 'negate'?",
    )
    assert table.generation == 0


NATIVE = """
const char *text(const char *x) { return x; }
double number(double x) { return x; }
int whole(int x) { return x; }
void nothing(double x) { (void)x; }
void *address(void *x) { return x; }
"""
SIGNATURES = {
    "text": "const char *(const char *)",
    "number": "double(double)",
    "whole": "int32_t(int32_t)",
    "nothing": "void(double)",
    "address": "void *(void *)",
}
CLASHES = {
    ("number", "text"): ["parameter 1 is 'const char *', not 'double'", "result is 'const char *'"],
    ("text", "number"): ["parameter 1 is 'double', not 'const char *'", "result is 'double'"],
    ("number", "nothing"): ["result is 'void', not 'double'"],
    ("number", "address"): ["parameter 1 is 'void *', not 'double'"],
    ("address", "number"): ["result is 'double', not 'void *'"],
    ("whole", "nothing"): ["result is 'void', not 'int32_t'"],
    ("whole", "text"): ["parameter 1 is 'const char *'", "result is 'const char *', not 'int32_t'"],
    ("text", "whole"): ["parameter 1 is 'int32_t'", "result is 'int32_t', not 'const char *'"],
    ("nothing", "text"): ["parameter 1 is 'const char *', not 'double'"],
    ("nothing", "address"): ["parameter 1 is 'void *', not 'double'"],
    ("text", "nothing"): ["parameter 1 is 'double', not 'const char *'"],
}


@pytest.mark.parametrize("wanted", SIGNATURES)
@pytest.mark.parametrize("found", SIGNATURES)
def test_native_functions_of_a_type_that_no_call_can_meet(
    compile_plugin: Compile, wanted: str, found: str
) -> None:
    function = jt.open(compile_plugin("kinds", NATIVE)).lookup(found, SIGNATURES[found])
    table = jt.Table({"apply": SIGNATURES[wanted]})
    clashes = CLASHES.get((wanted, found), [])
    if not clashes:
        table.bind({"apply": function})
        assert table.facade.apply is function
        return
    with pytest.raises(jt.InterfaceError) as caught:
        table.bind({"apply": function})
    (problem,) = caught.value.problems
    assert [text in problem for text in clashes] == [True] * len(clashes)
    assert problem.count(" is '") == len(clashes)
    assert table.generation == 0


# ---- interfaces that no table can have ---------------------------------------------------


class WithAttribute(Protocol):
    limit: int

    @property
    def size(self) -> int: ...

    def half(self, x: float) -> float: ...


@pytest.mark.parametrize(
    ("interface", "error", "message"),
    [
        (5, TypeError, "an interface is a class, or a mapping of names to C signatures, not 5"),
        ("half", TypeError, "not 'half'"),
        (None, TypeError, "not None"),
        (Plain(), TypeError, "an interface is a class"),
        ([("half", None)], TypeError, "an interface is a class"),
        (object, jt.InterfaceError, "it has no public method"),
        ({}, jt.InterfaceError, "it is empty"),
        ({"half": 5}, jt.InterfaceError, "half: a signature is a str"),
        ({"half": "double"}, jt.InterfaceError, "half: 'double' is the type of a variable"),
        ({1: None, "a b": None, "if": None, "_x": None}, jt.InterfaceError, "1: .*\n.*\n.*\n  _x"),
        (WithAttribute, jt.InterfaceError, "these are attributes: size, limit; make them methods"),
    ],
)
def test_interfaces_that_are_none(interface: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        jt.Table(interface)


# ---- unbound slots -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [False, True])
def test_unbound_slots(count: bool) -> None:
    table = jt.Table(Filter, count=count)
    message = (
        r"^half\(\) was called, and nothing is bound to that slot of the table Filter; "
        r"call table.bind\(plugin\) first$"
    )
    for call in (table.facade.half, table.slot("half")):
        for args in ((), (1.0,), (1, 2, 3)):
            with pytest.raises(jt.UnboundSlotError, match=message):
                call(*args)
        with pytest.raises(RuntimeError, match=message):
            call(x=1.0)
    assert "unbound slot 'half' of Filter" in repr(table.facade.half)
    table.bind({"half": abs}, only=("half",))
    assert table.facade.half(-1) == 1
    with pytest.raises(jt.UnboundSlotError, match=r"negate\(\) was called"):
        table.facade.negate(1)


# ---- on the whole ------------------------------------------------------------------------


def test_ten_thousand_slots() -> None:
    names = [f"slot{index}" for index in range(10_000)]
    table = jt.Table(dict.fromkeys(names, "double(double)"))
    table.bind({name: float(index).__add__ for index, name in enumerate(names)})
    assert [getattr(table.facade, name)(1.0) for name in names[:3]] == [1.0, 2.0, 3.0]
    assert table.facade.slot9999(1.0) == table.slot("slot9999")(1.0) == 10_000.0
    table.bind({"slot5000": abs}, only=("slot5000",))
    assert (table.facade.slot5000(-1), table.facade.slot4999(0.0)) == (1, 4999.0)
    before = state(table)
    with pytest.raises(jt.InterfaceError) as raised:
        table.bind({**dict.fromkeys(names, abs), "slot9999": None})
    assert len(raised.value.problems) == 1
    assert state(table) == before


def test_a_bind_is_audited_before_it_happens(run_python: Run) -> None:
    run_python("""
import sys
import jumptable as jt

seen, refuse = [], False
def hook(event, args):
    if event == "jumptable.swap":
        seen.append((args, table.generation))
        if refuse:
            raise PermissionError("not now")
sys.addaudithook(hook)
table = jt.Table({"a": None, "b": None})
table.bind({"a": abs, "b": abs})
class Source:
    a = b = staticmethod(abs)
table.bind(Source(), only=("b",))
assert seen == [
    (("{a, b}", "the mapping", ["a", "b"]), 0),
    (("{a, b}", "the __main__.Source object", ["b"]), 1),
], seen
refuse, before = True, table.facade.a
try:
    table.bind({"a": repr, "b": repr})
except PermissionError:
    assert table.generation == 2 and table.facade.a is before
else:
    raise AssertionError("it was not refused")
""")


def test_a_table_says_how_it_is_made() -> None:
    assert str(inspect.signature(jt.Table)) == "(interface, /, *, count=False)"
    for wrong in ((), (Filter, True)):
        with pytest.raises(TypeError, match=r"Table\(\) takes one interface, as in Table\(Filter"):
            jt.Table(*wrong)


class Answering(type):
    def __getattr__(cls, name: str) -> object:
        return lambda *args: ["what a metaclass answers"]


def test_sources_are_taken_for_what_they_are() -> None:
    class Odd(metaclass=Answering):
        def half(self, x: float) -> float:
            return x / 2

        def negate(self, x: int) -> int:
            return -x

        def __fspath__(self) -> str:
            return "libfilter.so"

    table = jt.Table(Filter)
    table.bind(Odd())
    assert (table.facade.half(3.0), table.facade.negate(3), table.plugin) == (1.5, -3, None)


def test_names_that_are_no_plain_attributes() -> None:
    class Text(str):
        def __str__(self) -> str:
            return "__dict__"

    with pytest.raises((TypeError, jt.InterfaceError)):
        jt.Table({"__dict__": None})
    with contextlib.suppress(TypeError, jt.InterfaceError):
        assert jt.Table({Text("half"): None}).names == ("half",)
