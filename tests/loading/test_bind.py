"""plugin.bind(Interface): native libraries, and Python modules, objects, classes and factories."""

from __future__ import annotations

import abc
import math
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import pytest

import jumptable as jt
from tests.conftest import Compile, Run


@runtime_checkable
class Filter(Protocol):
    def apply(self, x: float, /) -> float: ...
    def flush(self) -> None: ...


@pytest.fixture(scope="module")
def native(compile_plugin: Compile) -> jt.Plugin:
    return jt.open(compile_plugin("filter"))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Write a module; gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write_module(text: str) -> str:
        name = f"bound_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return name

    yield write_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


def problems(bind: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(jt.InterfaceError) as caught:
        bind()
    assert str(caught.value).splitlines()[1:] == [f"  {one}" for one in caught.value.problems]
    return caught.value.problems


# ---- native -------------------------------------------------------------------------------


def test_native_methods_are_the_functions_of_lookup(native: jt.Plugin) -> None:
    f: Filter = native.bind(Filter)
    assert f.apply(1.5) == 3.0
    assert f.flush() is None  # type: ignore[func-returns-value]
    assert f.apply is native.lookup("apply", "double(double)")
    assert isinstance(f.apply, types.BuiltinFunctionType)
    assert isinstance(f, Filter)


def test_abcs_plain_classes_and_mappings(native: jt.Plugin) -> None:
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def apply(self, x: float) -> float: ...

    class Plain(Abstract):
        def apply(self, x: float) -> float:
            return x

        def ready(self) -> bool:
            return False

        def total(self, x: Annotated[Any, "const double *"], n: Annotated[int, "size_t"]) -> float:
            return 0.0

    assert native.bind(Abstract).apply(2.0) == 4.0
    plain: Plain = native.bind(Plain)
    assert plain.ready() is True
    assert plain.total(memoryview(b"\0" * 16).cast("d"), 2) == 0.0
    assert native.bind({"apply": "double(double) nogil"}).apply(1.0) == 2.0


def test_every_native_problem_is_listed(native: jt.Plugin) -> None:
    class Wanted(Protocol):
        rate: float

        def aply(self, x: float) -> float: ...
        def version(self) -> int: ...
        def apply(self, x: Unknown) -> float: ...  # type: ignore[name-defined]  # noqa: F821
        def flush(self): ...  # type: ignore[no-untyped-def]
        def nothing(self): ...  # type: ignore[no-untyped-def]
        def scale(self, x: float, by: float = "2") -> float: ...  # type: ignore[assignment]
        def next(self, x: int = ...) -> int: ...
        def mix(self, *values: int) -> None: ...
        async def ready(self) -> bool: ...
        @property
        def name(self) -> str: ...

    found = problems(lambda: native.bind(Wanted))
    expected = [
        "aply: expected double aply(double), found no symbol of that name; did you mean 'apply'?",
        "version: expected int64_t version(void), but 'version' of libfilter.so is a variable",
        "apply: expected a function of C, but parameter 'x' has the annotation 'Unknown'",
        "flush: expected a C signature, but it has no annotation for its result",
        "nothing: expected nothing(), found no symbol of that name",
        "scale: expected defaults that fit double scale(double, double), but scale() argument 2:"
        " expected float for 'double', got str",
        "next: expected defaults that fit int64_t next(int64_t), but next() argument 1: the default"
        " is '...', which is no value",
        "mix: expected a function of C, but it takes *args",
        "ready: expected a function of C, but it is an async def",
        "name: expected a function of C, but it is a property",
        "rate: expected a function of C, but it is an annotated attribute",
    ]
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


def test_a_native_plugin_has_no_factory(native: jt.Plugin) -> None:
    with pytest.raises(TypeError, match="is a native library.*no factory 'New'"):
        native.bind(Filter, factory="New")


DECLARED = """
#include <jumptable/plugin.h>
static double twice(double x, double by) { return x * by; }
double quarter(double x) { return x / 4; }
JUMPTABLE_PLUGIN("declared", "1.0");
JUMPTABLE_EXPORT_AS(apply, twice, "double(double, double)");
JUMPTABLE_EXPORT(quarter, "double(double)");
"""


def test_a_plugin_that_describes_itself_needs_no_hints(compile_plugin: Compile) -> None:
    plugin = jt.open(compile_plugin("declared", DECLARED, f"-I{jt.get_include()}"))

    class Bare:
        def apply(self, x, by=3.0): ...  # type: ignore[no-untyped-def]
        def quarter(self, x): ...  # type: ignore[no-untyped-def]

    f: Any = plugin.bind(Bare)
    assert (f.apply(2.0), f.apply(2.0, 2.0), f.quarter(1.0)) == (6.0, 4.0, 0.25)
    assert f.quarter is plugin.lookup("quarter", "double(double)")

    class Wrong:
        def apply(self, x): ...  # type: ignore[no-untyped-def]
        def quarter(self, x: int) -> float: ...  # type: ignore[empty-body]
        def gone(self, x): ...  # type: ignore[no-untyped-def]

    found = problems(lambda: plugin.bind(Wrong))
    assert found[0] == "apply: expected apply(x), found double apply(double, double)"
    assert found[1].startswith("quarter: expected double quarter(int64_t), but ")
    assert "'double(double)'" in found[1]
    assert found[2].startswith("gone: expected gone(x), found no symbol of that name; is it static")
    assert len(found) == 3


def test_suggestions_are_what_can_be_looked_up(compile_plugin: Compile) -> None:
    plugin = jt.open(compile_plugin("declared", DECLARED, f"-I{jt.get_include()}"))
    assert problems(lambda: plugin.bind({"aply": "double(double, double)"})) == (
        "aply: expected double aply(double, double), found no symbol of that name; did you mean "
        "'apply'?",
    )
    (problem,) = problems(lambda: plugin.bind({"jumptable_entry_aply": "double(double)"}))
    assert "jumptable_entry_apply" not in problem


def test_a_declared_function_that_is_hidden_is_no_missing_name(
    compile_plugin: Compile, tmp_path: Path
) -> None:
    script = tmp_path / "hide.map"
    script.write_text("{ global: jumptable_plugin*; local: *; };")
    flags = [f"-I{jt.get_include()}", f"-Wl,--version-script={script}"]
    plugin = jt.open(compile_plugin("hiding", DECLARED.replace('"declared"', '"hiding"'), *flags))
    (problem,) = problems(lambda: plugin.bind({"quarter": "double(double)"}))
    assert "but hiding declares 'quarter', and exports neither" in problem


# ---- Python -------------------------------------------------------------------------------

PLUGIN = """
import abc

made = []

def apply(x):
    return x + 1

def flush():
    return None

class Filter:
    def __init__(self):
        made.append(self)
    def apply(self, x):
        return 2 * x
    def flush(self):
        return None
    @classmethod
    def create(cls):
        self = cls()
        self.created = True
        return self

class Abstract(abc.ABC):
    @abc.abstractmethod
    def apply(self, x): ...
    @abc.abstractmethod
    def flush(self): ...

class Dispatching(Abstract):
    def __new__(cls):
        return object.__new__(Filter)

class Choosy:
    def __init__(self, path):
        raise AssertionError

class Failing:
    def __init__(self):
        raise RuntimeError("no device")

def New():
    return Filter()

def Forgot():
    Filter()

def Exits():
    raise SystemExit(3)

def Interrupted():
    raise KeyboardInterrupt

VALUE = 3
ready = Filter()
"""


@pytest.fixture
def module(write: Callable[[str], str]) -> str:
    return write(PLUGIN)


def test_a_module_comes_back_itself(module: str) -> None:
    f: Filter = jt.open(module).bind(Filter)
    assert f is sys.modules[module]
    assert f.apply(1.0) == 2.0


def test_an_object_comes_back_itself(module: str) -> None:
    assert jt.open(f"{module}:ready").bind(Filter) is sys.modules[module].ready


def test_a_class_is_instantiated_by_each_bind(module: str) -> None:
    plugin = jt.open(f"{module}:Filter")
    first, second = plugin.bind(Filter), plugin.bind(Filter)
    assert type(first) is type(second) is sys.modules[module].Filter
    assert first is not second
    assert sys.modules[module].made[-2:] == [first, second]


def test_factories(module: str) -> None:
    plugin = jt.open(module)
    assert type(plugin.bind(Filter, factory="New")) is sys.modules[module].Filter
    assert type(plugin.bind(Filter, factory="Filter")) is sys.modules[module].Filter
    assert plugin.bind(Filter, factory="Filter.create").created  # type: ignore[attr-defined]
    assert jt.open(f"{module}:Filter").bind(Filter, "create").created  # type: ignore[attr-defined]


def test_wrong_factories(module: str) -> None:
    plugin = jt.open(module)
    with pytest.raises(jt.SymbolNotFoundError, match="no attribute 'Neww'; did you mean 'New'"):
        plugin.bind(Filter, factory="Neww")
    with pytest.raises(TypeError, match="a factory is the name of an attribute.*not function"):
        plugin.bind(Filter, factory=lambda: 0)  # type: ignore[call-overload]
    (problem,) = problems(lambda: plugin.bind(Filter, factory="VALUE"))
    assert problem == "factory: expected a callable, found an object of type int"
    (problem,) = problems(lambda: plugin.bind(Filter, factory="Forgot"))
    assert problem == "Forgot: expected an object, found None; does it lack a 'return'?"


def test_what_a_factory_raises_is_the_cause(module: str) -> None:
    plugin = jt.open(module)
    with pytest.raises(jt.PluginInitError, match="raised RuntimeError: no device") as caught:
        jt.open(f"{module}:Failing").bind(Filter)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.target == f"{module}:Failing"
    with pytest.raises(jt.PluginInitError, match="exited: 3"):
        plugin.bind(Filter, factory="Exits")
    with pytest.raises(jt.PluginInitError, match="without arguments: name a factory"):
        jt.open(f"{module}:Choosy").bind(Filter)
    with pytest.raises(KeyboardInterrupt):
        plugin.bind(Filter, factory="Interrupted")


def test_an_abstract_class_lacks_methods(module: str) -> None:
    found = problems(lambda: jt.open(f"{module}:Abstract").bind(Filter))
    assert [one.partition(":")[0] for one in found] == ["apply", "flush"]
    made = jt.open(f"{module}:Dispatching").bind(Filter)
    assert type(made) is sys.modules[module].Filter


def test_a_python_plugin_that_does_not_fit(module: str) -> None:
    class Wanted(Protocol):
        def appli(self, x: float) -> float: ...
        def flush(self, hard: bool) -> None: ...
        def made(self) -> None: ...

    with pytest.raises(jt.InterfaceError) as caught:
        jt.open(module).bind(Wanted)
    assert str(caught.value).splitlines() == [
        f"{module} does not fit the interface Wanted:",
        "  appli: expected appli(x), found nothing of that name; did you mean 'apply'?",
        "  flush: expected flush(hard), found flush(): it takes 0 positional arguments, not 1",
        "  made: expected made(), found an object of type list, which cannot be called",
    ]


def test_extension_modules_are_python_plugins() -> None:
    class Math(Protocol):
        def sqrt(self, x: float, /) -> float: ...
        def hypot(self, x: float, y: float, /) -> float: ...

    assert jt.open("math").bind(Math) is math


# ---- both ---------------------------------------------------------------------------------


@pytest.mark.parametrize("interface", [3, None, "apply", Filter.apply])
def test_what_is_no_interface(native: jt.Plugin, interface: Any) -> None:
    with pytest.raises(TypeError, match="an interface is a class"):
        native.bind(interface)


def test_binds_are_audited_before_anything_is_resolved(run_python: Run, native: jt.Plugin) -> None:
    program = """
        import sys
        import jumptable as jt
        seen = []
        def record(event, args):
            if event.startswith("jumptable."):
                seen.append((event, args))
        sys.addaudithook(record)
        class Filter:
            def apply(self, x: float) -> float: ...
        plugin = jt.open(sys.argv[1])
        seen.clear()
        plugin.bind(Filter)
        assert [event for event, _ in seen] == ["jumptable.bind", "jumptable.lookup"], seen
        target, name = seen[0][1]
        assert name == "Filter" and target == seen[1][1][0]
        def refuse(event, args):
            if event == "jumptable.bind":
                raise PermissionError(args[0])
        sys.addaudithook(refuse)
        try:
            jt.open("math").bind(Filter)
        except PermissionError as error:
            assert str(error) == "math"
        else:
            raise AssertionError
    """
    run_python(textwrap.dedent(program), native.path)


TYPED = """
import abc
from typing import Protocol
import jumptable as jt

class ByProtocol(Protocol):
    def apply(self, x: float) -> float: ...
class ByABC(abc.ABC):
    @abc.abstractmethod
    def apply(self, x: float) -> float: ...
class ByClass:
    def apply(self, x: float) -> float:
        return x

plugin = jt.open("x")
a: ByProtocol = plugin.bind(ByProtocol)
b: ByABC = plugin.bind(ByABC, factory="New")
c: ByClass = plugin.bind(ByClass)
x: float = plugin.bind(ByProtocol).apply(1.0) + plugin.bind(ByABC).apply(1.0)
"""
WRONG = """
plugin.bind(ByProtocol).aply(1.0)
plugin.bind(ByABC).apply("text")
plugin.bind(3)
"""


def test_type_checkers_know_what_a_bind_gives(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    for name, text, lines in (("right", TYPED, 0), ("wrong", TYPED + WRONG, 3)):
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)]
        done = subprocess.run(
            [*command, "--cache-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            cwd=Path(jt.__file__).parent.parent,
        )
        errors = [line for line in done.stdout.splitlines() if ": error:" in line]
        assert len(errors) == lines, done.stdout + done.stderr


def test_what_cpp_does_to_names(compile_plugin: Compile) -> None:
    text = "double apply(double x) { return x; }\nvoid flush() {}\n"
    plugin = jt.open(compile_plugin("mangled", text, language="cpp"))
    with pytest.raises(jt.InterfaceError) as caught:
        plugin.bind(Filter)
    assert str(caught.value).count('compiled as C++ without extern "C"?') == 2


@pytest.mark.parametrize("name", ["app\udcffly", "apply\0", "\0", "flus\ud800"])
def test_what_cannot_be_written_after_a_dot_is_no_method(native: jt.Plugin, name: str) -> None:
    odd = type("Odd", (), {name: lambda self: None, "flush": Filter.flush})
    assert type(native.bind(odd)).__slots__ == ("flush",)


FREED = """
import ctypes, gc, sys, types
import jumptable as jt

new = ctypes.pythonapi.PyCapsule_New
new.restype = ctypes.py_object
new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
freed = []
destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(freed.append)
name = b"double (double)"
module = types.ModuleType("capsules")
sys.modules["capsules"] = module

def capsule():
    address = ctypes.cast(ctypes.CDLL(None).fabs, ctypes.c_void_p).value
    return new(address, name, ctypes.cast(destructor, ctypes.c_void_p))

plugin = jt.open(module)
functions = []
for signature in ("double(double)", "double(double) nogil"):
    module.__pyx_capi__ = {"f": capsule()}
    functions.append(plugin.lookup("f", signature))
module.__pyx_capi__.clear()
gc.collect()
assert not freed
assert [function(-1.0) for function in functions] == [1.0, 1.0]
del functions
module.__pyx_capi__["g"] = capsule()
module.__pyx_capi__.clear()
assert len(freed) == 1
sys.stdout.flush()
import os; os._exit(0)  # the destructor is gone before the capsules are
"""


def test_a_capsule_lives_as_long_as_what_was_made_of_it(run_python: Run) -> None:
    run_python(FREED)
