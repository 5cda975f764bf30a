"""Lazy tables: nothing is opened before the first call, and then once."""

from __future__ import annotations

import gc
import inspect
import itertools
import os
import pickle
import pydoc
import shutil
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest

import jumptable as jt
from tests.calling.mortal import classes_die
from tests.conftest import Compile, Run

NATIVE = """
double half(double x) { return x / 2; }
long negate(long x) { return -x; }
"""


@runtime_checkable
class Filter(Protocol):
    def half(self, x: float) -> float: ...

    def negate(self, x: int) -> int: ...


PYTHON = """
import sys
sys.{name}_imports = getattr(sys, "{name}_imports", 0) + 1
def half(x): return x / 2
def negate(x): return -x
class Doubling:
    made = 0
    def __init__(self): type(self).made += 1
    def half(self, x): return 2 * x
    def negate(self, x): return x
def New(): return Doubling()
def half_only(): pass
"""

Module = Callable[..., str]


NUMBERS = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Module]:
    """Makes a module that counts how often it is imported; gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(text: str = PYTHON) -> str:
        name = f"lazy_{next(NUMBERS)}"  # of its own: plugins are opened once in a process
        (tmp_path / f"{name}.py").write_text(text.replace("{name}", name))
        sys.path_importer_cache.pop(str(tmp_path), None)
        made.append(name)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)


def imports(name: str) -> int:
    return getattr(sys, f"{name}_imports", 0)


def targets(table: jt.Table[Any]) -> list[Any]:
    return [getattr(table.facade, name) for name in table.names]


def test_the_first_call_binds_what_a_bound_table_holds(compile_plugin: Compile) -> None:
    path = compile_plugin("lazy_native", NATIVE)
    table = jt.lazy(str(path), Filter)
    assert type(table) is jt.Table and table.plugin is None and table.generation == 0
    assert table.facade.half(5.0) == 2.5
    bound = jt.Table(Filter)
    bound.bind(jt.open(path))
    assert targets(table) == targets(bound)
    assert all(type(target) is types.BuiltinFunctionType for target in targets(table))
    assert table.plugin is jt.open(path) and table.generation == 1


def test_python_plugins(module: Module) -> None:
    name = module()
    table = jt.lazy(name, Filter)
    assert not imports(name)
    assert table.facade.negate(3) == -3 and imports(name) == 1
    assert table.facade.half is sys.modules[name].half

    doubling = sys.modules[name].Doubling
    for target, factory, made in ((f"{name}:Doubling", None, 1), (name, "New", 2)):
        table = jt.lazy(target, Filter, factory=factory)
        assert doubling.made == made - 1
        assert (table.facade.half(2.0), table.facade.negate(2)) == (4.0, 2)
        assert doubling.made == made
    point = EntryPoint("x", f"{name}:New", "group")
    with pytest.raises(jt.PluginInitError, match="does not fit the interface Filter"):
        jt.lazy(point, Filter).facade.half(1.0)
    assert jt.lazy(sys.modules[name], {"half": None}).facade.half(4.0) == 2.0


def shown_signature(function: Callable[..., object]) -> str:
    return str(inspect.signature(function)).replace("'", "")  # annotations are strings here


def test_looking_at_it_loads_nothing(module: Module) -> None:
    name = module()
    table = jt.lazy(name, Filter)
    facade, half = table.facade, table.facade.half
    for shown in (table, facade, half, table.slot("half")):
        repr(shown), str(shown), dir(shown), hash(shown), bool(shown), callable(shown)
        pydoc.render_doc(shown)
        hasattr(shown, "half"), hasattr(shown, "__wrapped__"), inspect.unwrap(half)
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(shown)
    assert isinstance(facade, Filter) and half.__name__ == "half"
    assert shown_signature(half) == "(x: float) -> float"
    assert shown_signature(facade.negate) == "(x: int) -> int"
    assert (table.names, table.generation, table.plugin) == (("half", "negate"), 0, None)
    table.retry()
    assert not imports(name)
    assert repr(half) == "<slot 'half' of Filter, not loaded yet>"
    assert repr(table) == f"<Table of Filter, 2 slots, generation 0, lazily from {name!r}>"
    gc.collect()
    assert half(3.0) == 1.5 and imports(name) == 1


def test_signatures_of_all_kinds_of_methods() -> None:
    class Kinds:
        @staticmethod
        def still(a: int) -> int:
            return a

        @classmethod
        def of_class(cls, b: int) -> None: ...

        def gathering(*args: int) -> None: ...

    facade = jt.lazy("nowhere", Kinds).facade
    assert shown_signature(facade.still) == "(a: int) -> int"
    assert shown_signature(facade.of_class) == "(b: int) -> None"
    assert shown_signature(facade.gathering) == "(*args: int) -> None"  # type: ignore[misc]
    untyped = jt.lazy("nowhere", {"f": None}).facade
    assert shown_signature(untyped.f) == "(*args, **kwargs)"


def test_what_was_read_before_follows(module: Module) -> None:
    name = module()
    table = jt.lazy(name, Filter)
    early, slot = table.facade.half, table.slot("half")
    assert slot(2.0) == 1.0 and early(2.0) == 1.0
    table.bind({"half": lambda x: x + 100, "negate": abs})
    assert (early(2.0), slot(2.0), table.facade.half(2.0)) == (102.0,) * 3
    assert imports(name) == 1


def test_what_was_bound_by_hand_stays(module: Module) -> None:
    name = module()
    table = jt.lazy(name, Filter)
    early = table.facade.negate
    table.bind({"half": lambda x: x * 10}, only=["half"])
    assert table.facade.half(1.0) == 10.0 and not imports(name)
    assert table.facade.negate(1) == -1 and imports(name) == 1
    assert table.facade.half(1.0) == 10.0 and table.generation == 2

    other = module()
    table = jt.lazy(other, Filter)
    early = table.facade.negate
    table.bind({"half": float, "negate": int})
    assert early(7) == 7 and not imports(other)

    # Another lazy table's slot is a callable like any other.
    borrowed = jt.lazy(module(), Filter)
    borrowed.bind({"half": jt.lazy(name, Filter).facade.half}, only=["half"])
    assert borrowed.facade.negate(4) == -4 and borrowed.facade.half(4.0) == 2.0


def test_counted_calls(module: Module) -> None:
    table = jt.lazy(module(), Filter, count=True)
    for _ in range(3):
        table.facade.half(1.0)
    assert table.calls == {"half": 3, "negate": 0}


def test_a_relative_path_means_what_it_meant(
    compile_plugin: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compile_plugin("lazy_relative", NATIVE)
    monkeypatch.chdir(path.parent)
    tables = [jt.lazy(f"./{path.name}", Filter), jt.lazy(Path(path.name), Filter)]
    monkeypatch.chdir(tmp_path)
    for table in tables:
        assert table.facade.half(1.0) == 0.5


@pytest.mark.parametrize("target", [3, None, b"x.so", ["a"], jt.Table({"f": None})])
def test_no_target(target: Any) -> None:
    with pytest.raises(TypeError, match=r"^jumptable.lazy\(\) takes a path"):
        jt.lazy(target, Filter)


def test_what_is_wrong_at_once() -> None:
    with pytest.raises(TypeError, match="an interface is a class"):
        jt.lazy("json", 3)  # type: ignore[call-overload]
    with pytest.raises(jt.InterfaceError, match="not_a_type"):
        jt.lazy("json", {"f": "not_a_type(int)"})
    with pytest.raises(TypeError, match="a factory is the name"):
        jt.lazy("json", Filter, factory=len)  # type: ignore[call-overload]


# ---- groups of entry points -----------------------------------------------------------------


def install(folder: Path, distribution: str, points: str) -> None:
    metadata = folder / f"{distribution}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(points)


@pytest.mark.thread_unsafe(reason="changes sys.path")
def test_a_group_is_loaded_lazily(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module()
    points = f"[app.filters]\nplain = {name}\nmade = {name}:New\nbroken = no_such_module_4:X\n"
    install(tmp_path, "first", points)
    tables = jt.lazy_group("app.filters", Filter)
    assert list(tables) == ["plain", "made", "broken"] and not imports(name)
    assert all(type(table) is jt.Table for table in tables.values())
    assert repr(tables["made"]).endswith(f"lazily from '{name}:New'>")
    assert tables["plain"].facade.half(3.0) == 1.5 and imports(name) == 1
    report = jt.warm(tables).wait()
    assert list(report.loaded) == ["plain"] and list(report.failed) == ["made", "broken"]
    with pytest.raises(jt.PluginInitError, match="no_such_module_4"):
        tables["broken"].facade.half(1.0)
    made = jt.lazy_group("app.filters", {"half": None}, factory="Doubling", count=True)["plain"]
    assert made.facade.half(3.0) == 6.0 and made.calls == {"half": 1}
    assert jt.lazy_group("app.nothing", Filter) == {}
    for wrong in (None, 5, b"app.filters"):
        with pytest.raises(TypeError, match="a group of entry points is named by text"):
            jt.lazy_group(wrong, Filter)  # type: ignore[call-overload]

    other = tmp_path / "other"
    install(other, "second", f"[app.filters]\nmade = {name}:Doubling\nplain = {name}\n")
    monkeypatch.syspath_prepend(other)
    with pytest.warns(RuntimeWarning, match="two entry points 'made': ") as caught:
        tables = jt.lazy_group("app.filters", Filter)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert f"{name}:Doubling is used, and {name}:New is not" in str(caught[0].message)
    assert tables["made"].facade.half(3.0) == 6.0


@pytest.mark.thread_unsafe(reason="changes sys.path")
def test_a_plugin_that_is_removed_after_it_was_found(module: Module, tmp_path: Path) -> None:
    name = module()
    install(tmp_path, "removed", f"[app.removed]\nplain = {name}\n")
    table = jt.lazy_group("app.removed", Filter)["plain"]
    (tmp_path / f"{name}.py").unlink()
    shutil.rmtree(tmp_path / "removed-1.0.dist-info")
    sys.path_importer_cache.pop(str(tmp_path), None)
    with pytest.raises(jt.PluginInitError, match=f"there is no module '{name}'") as caught:
        table.facade.half(1.0)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert jt.lazy_group("app.removed", Filter) == {}


# ---- failures -----------------------------------------------------------------------------------


FAILURES = [
    ("", jt.InterfaceError, "does not fit the interface Filter"),
    ("raise KeyError('why')", KeyError, "raised KeyError: 'why'"),
    ("raise SystemExit(3)", SystemExit, "exited: 3"),
    ("import no_such_module_1", jt.PluginDependencyError, "imports 'no_such_module_1'"),
    ("syntax error", SyntaxError, "raised SyntaxError"),
]


@pytest.mark.parametrize(("text", "cause", "message"), FAILURES)
def test_failures_are_told_at_each_call(
    module: Module, text: str, cause: type[BaseException], message: str
) -> None:
    name = module("import sys; sys.{name}_imports = 1 + getattr(sys, '{name}_imports', 0)\n" + text)
    if "syntax" in text:
        (Path(sys.path[0]) / f"{name}.py").write_text(text)
    table = jt.lazy(name, Filter)
    raised = []
    for call in (table.facade.half, table.facade.negate, table.facade.half, table.slot("half")):
        with pytest.raises(jt.PluginInitError, match="table.retry") as caught:
            call(1)
        raised.append(caught.value)
        assert isinstance(caught.value.__cause__, cause) and caught.value.target == name
        assert message in str(caught.value) and name in str(caught.value)
    assert len(set(map(id, raised))) == 4  # each with a traceback of its own
    assert imports(name) == ("syntax" not in text)
    assert repr(table) == f"<Table of Filter, 2 slots, generation 0, {name!r} has failed to load>"

    (Path(sys.path[0]) / f"{name}.py").write_text(PYTHON.replace("{name}", name) + "# longer\n")
    sys.modules.pop(name, None)
    with pytest.raises(jt.PluginInitError):
        table.facade.half(1.0)
    if cause is jt.InterfaceError:
        return  # it was opened, once per process, and stays what it was
    table.retry()
    assert table.facade.half(1.0) == 0.5
    table.retry()
    assert table.facade.half(1.0) == 0.5 and "failed" not in repr(table)


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    for target, cause in (
        ("no_such_module_2", jt.PluginNotFoundError),
        (tmp_path / "libnone.so", FileNotFoundError),
        ("", jt.PluginNotFoundError),
        ("json:nothing", jt.SymbolNotFoundError),
    ):
        table = jt.lazy(target, Filter)
        with pytest.raises(jt.PluginInitError, match="cannot be loaded") as caught:
            table.facade.half(1.0)
        assert isinstance(caught.value.__cause__, cause)


def test_binding_by_hand_ends_a_failure() -> None:
    table = jt.lazy("no_such_module_3", Filter)
    with pytest.raises(jt.PluginInitError):
        table.facade.half(1.0)
    table.bind({"half": float, "negate": int})
    assert table.facade.half(1) == 1.0 and "failed" not in repr(table)


def test_what_is_no_exception_passes_through(module: Module) -> None:
    text = "import sys\nif not hasattr(sys, '{name}_again'):\n  sys.{name}_again = True\n"
    table = jt.lazy(module(text + "  raise KeyboardInterrupt\n" + PYTHON), Filter)
    with pytest.raises(KeyboardInterrupt):
        table.facade.half(1.0)
    assert "failed" not in repr(table)
    assert table.facade.half(1.0) == 0.5


def test_a_constructor_that_calls_its_own_table(module: Module) -> None:
    text = "import sys\ntry: sys.{name}_table.facade.half(1)\nexcept Exception as e: error = e\n"
    name = module(text + PYTHON)
    table = jt.lazy(name, Filter)
    setattr(sys, f"{name}_table", table)
    assert table.facade.half(1.0) == 0.5
    error = sys.modules[name].error
    assert isinstance(error, jt.UnboundSlotError) and "by its own initialisation" in str(error)


def test_plain_tables_have_nothing_to_retry() -> None:
    table = jt.Table({"f": None})
    table.retry()
    with pytest.raises(jt.UnboundSlotError):
        table.facade.f()


# ---- threads ------------------------------------------------------------------------------------


def together(count: int, call: Callable[[], object]) -> list[object]:
    """What ``call`` gives, or raises, in so many threads that start at once."""
    barrier = threading.Barrier(count)
    found: list[object] = []

    def run() -> None:
        barrier.wait()
        try:
            found.append(call())
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == count, "a thread hangs"
    return found


SLOW = "import time; time.sleep(0.05)\n"


@pytest.mark.parametrize("end", ["", ":Doubling"])
def test_racing_first_calls_load_once(module: Module, end: str) -> None:
    slow = PYTHON.replace("(self): type", "(self): import time; time.sleep(0.02); type")
    name = module(slow + SLOW)
    table = jt.lazy(name + end, Filter)
    assert together(32, lambda: table.facade.half(4.0)) == [8.0 if end else 2.0] * 32
    assert imports(name) == 1 and table.generation == 1
    assert sys.modules[name].Doubling.made == (1 if end else 0)


def test_racing_first_calls_fail_once(module: Module) -> None:
    text = "import sys; sys.{name}_imports = 1 + getattr(sys, '{name}_imports', 0)\n"
    name = module(text + SLOW + "1 / 0\n")
    table = jt.lazy(name, Filter)
    errors = together(32, lambda: table.facade.half(4.0))
    assert {type(error) for error in errors} == {jt.PluginInitError}
    assert {type(error.__cause__) for error in errors} == {ZeroDivisionError}  # type: ignore[attr-defined]
    assert imports(name) == 1 and len(set(map(id, errors))) == 32


def test_a_plugin_that_starts_a_thread_which_calls_it(module: Module) -> None:
    """The thread waits, as any other, for the load that has started it."""
    text = """
import sys, threading
results = []
def call(): results.append(sys.{name}_table.facade.half(8.0))
thread = threading.Thread(target=call)
thread.start()
"""
    name = module(text + SLOW + PYTHON)
    table = jt.lazy(name, Filter)
    setattr(sys, f"{name}_table", table)
    assert table.facade.half(4.0) == 2.0
    plugin = sys.modules[name]
    plugin.thread.join(60)
    assert plugin.results == [4.0] and imports(name) == 1


CIRCLE = """
import sys, time
sys.meet.wait(10)
try: early = sys.{other}_table.facade.half(8.0)
except Exception as error: early = error
def half(x): return x / 2
def negate(x): return -x
"""


def test_plugins_that_load_each_other_do_not_wait_for_each_other(
    run_python: Run, tmp_path: Path
) -> None:
    """Each thread imports one plugin, which calls the other's table meanwhile."""
    text = f"""
import sys, threading, pathlib
import jumptable as jt
sys.path.insert(0, sys.argv[1])
sys.meet = threading.Barrier(2)
for one, other in ("ab", "ba"):
    file = pathlib.Path(sys.argv[1], f"circle_{{one}}.py")
    file.write_text({CIRCLE!r}.replace("{{other}}", other))
    setattr(sys, one + "_table", jt.lazy(f"circle_{{one}}", {{"half": None}}))
results = []
threads = [
    threading.Thread(target=lambda t=t: results.append(t.facade.half(4.0)), daemon=True)
    for t in (sys.a_table, sys.b_table)
]
for thread in threads: thread.start()
for thread in threads: thread.join(20)
assert results == [2.0, 2.0], results
import circle_a, circle_b
print("done", circle_a.early, circle_b.early)
"""
    assert "done" in run_python(text, tmp_path).stdout


def test_a_constructor_that_loads_another_plugin(
    compile_plugin: Compile, run_python: Run, python_flags: list[str]
) -> None:
    """The thread that runs it holds the lock that whoever loads the other plugin waits for."""
    path = compile_plugin(
        "lazy_constructor",
        """
        #include <Python.h>
        __attribute__((constructor)) static void begin(void) {
            PyRun_SimpleString("import sys; sys.in_constructor()");
        }
        double half(double x) { return x / 2; }
        """,
        *python_flags,
    )
    text = """
import sys, threading, ctypes
import jumptable as jt
other = jt.lazy("libm.so.6", {"fabs": "double(double)"})
inside, begun = threading.Event(), threading.Event()
def load_other():
    begun.wait(10)
    results.append(other.facade.fabs(-1.0))  # makes the attempt, and waits for the loader's lock
def in_constructor():
    begun.set()
    import time; time.sleep(0.2)
    results.append(other.facade.fabs(-2.0))
sys.in_constructor = in_constructor
results = []
thread = threading.Thread(target=load_other, daemon=True)
thread.start()
table = jt.lazy(sys.argv[1], {"half": "double(double)"})
assert table.facade.half(3.0) == 1.5
thread.join(20)
assert sorted(results) == [1.0, 2.0], results
print("done")
"""
    assert "done" in run_python(text, path).stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_another_thread_loads(run_python: Run) -> None:
    text = """
import os, sys, threading, time, warnings
import jumptable as jt
warnings.simplefilter("ignore", DeprecationWarning)
class Slow:
    def __init__(self):
        if threading.current_thread() is not threading.main_thread():
            inside.set(); time.sleep(1)
    def half(self, x): return x / 2
sys.modules["slow_plugin"] = sys.modules["__main__"]
inside = threading.Event()
table = jt.lazy("slow_plugin:Slow", {"half": None})
thread = threading.Thread(target=lambda: table.facade.half(1.0))
thread.start()
inside.wait(10)
child = os.fork()
if child == 0:
    assert table.facade.half(4.0) == 2.0
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
thread.join()
assert table.facade.half(4.0) == 2.0
print("done")
"""
    assert "done" in run_python(text).stdout


@pytest.mark.skipif(not classes_die(), reason="free-threaded builds keep classes and facades")
def test_tables_are_collected(module: Module) -> None:
    name = module()
    for load in (False, True):
        table = jt.lazy(name, Filter)
        if load:
            table.facade.half(1.0)
        facade, gone = table.facade, weakref.ref(table)
        del table
        gc.collect()
        assert facade.negate(1) == -1
        del facade
        gc.collect()
        assert gone() is None


EVERY_MOMENT = """
import faulthandler, sys, threading
import jumptable as jt
faulthandler.dump_traceback_later(60, exit=True)

class Plugin:
    def half(self, x): return x / 2

sys.modules["plugin"] = sys.modules["__main__"]
left = 0

def happen(frame, event, argument):
    # Where Python looks for signals.
    global left
    if event in ("call", "c_return") and frame.f_code.co_filename.endswith("lazy.py"):
        left -= 1
        if left == 0:
            now()

moments = 1
while left <= 0:
    left = moments
    table = jt.lazy("plugin:Plugin", {"half": None})
    sys.setprofile(happen)
    try:
        assert table.facade.half(3.0) == 1.5
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(None)
    assert table.facade.half(1.0) == 0.5
    other = threading.Thread(target=jt.lazy("plugin:Plugin", {"half": None}).facade.half, args=[1])
    other.start()
    other.join()
    moments += 1
assert moments > 10
from jumptable.loading import lazy
assert not lazy._attempts and not lazy.foreground_loads()
print("done")
"""


@pytest.mark.parametrize(
    "now",
    [
        "def now(): raise KeyboardInterrupt",
        "def now(): assert jt.lazy('plugin:Plugin', {'half': None}).facade.half(5.0) == 2.5",
    ],
    ids=["Ctrl-C", "handler"],
)
def test_signals_at_every_moment(run_python: Run, now: str) -> None:
    assert run_python(f"{now}\n{EVERY_MOMENT}").stdout == "done\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_threads_of_a_forked_child_are_not_those_that_load(run_python: Run) -> None:
    text = """
import os, sys, threading, time, warnings
import jumptable as jt
warnings.simplefilter("ignore", DeprecationWarning)
class Slow:
    def __init__(self):
        if os.getpid() == parent:
            inside.set(); time.sleep(1)
    def half(self, x): return x / 2
sys.modules["slow_plugin"] = sys.modules["__main__"]
inside, parent = threading.Event(), os.getpid()
table = jt.lazy("slow_plugin:Slow", {"half": None})
thread = threading.Thread(target=lambda: table.facade.half(1.0))
thread.start()
inside.wait(10)
child = os.fork()
if child == 0:
    results = []
    # It gets the identifier of the one that is no more.
    again = threading.Thread(target=lambda: results.append(table.facade.half(4.0)))
    again.start()
    again.join()
    os._exit(0 if results == [2.0] else 1)
assert os.waitpid(child, 0)[1] == 0
thread.join()
print("done")
"""
    assert run_python(text).stdout == "done\n"


@pytest.mark.skipif(not classes_die(), reason="free-threaded builds free some things later")
def test_a_failure_that_is_forgotten_is_freed(module: Module) -> None:
    class Local:
        pass

    def call() -> weakref.ref[Local]:
        local = Local()
        with pytest.raises(jt.PluginInitError):
            table.facade.half(1.0)
        return weakref.ref(local)

    table = jt.lazy(module("raise ValueError"), Filter)
    gc.collect()
    gc.disable()
    try:
        kept = call()
        table.retry()
        assert kept() is None
    finally:
        gc.enable()


def test_a_slot_that_holds_another_slot(module: Module) -> None:
    class Two:
        def half(self, x: float) -> float:
            raise NotImplementedError

        def also(self, x: float) -> float:
            raise NotImplementedError

    table = jt.lazy(module(PYTHON + "def also(x): return -x\n"), Two)
    table.bind({"also": table.facade.half}, only=["also"])
    assert [table.facade.also(4.0), table.facade.also(4.0), table.facade.half(6.0)] == [2, 2, 3]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a working directory that is in use")
def test_without_a_working_directory(tmp_path: Path, run_python: Run) -> None:
    text = """
import os, sys
import jumptable as jt
os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])
jt.lazy("/somewhere/plugin.so", {"half": None})
try:
    jt.lazy("./plugin.so", {"half": None})
except jt.PluginNotFoundError as error:
    print(error)
"""
    done = run_python(text, tmp_path / "gone")
    assert done.stdout.startswith("'./plugin.so' is relative, and the working directory is gone")


def test_the_error_of_who_cannot_wait(run_python: Run, tmp_path: Path) -> None:
    """The host's import calls what another thread loads, which waits for the host's import."""
    (tmp_path / "host.py").write_text("""
import sys, threading
import jumptable as jt
table = jt.lazy("circular", {"run": None})
begun = sys.begun = threading.Event()
other = threading.Thread(target=lambda: table.facade.run())
other.start()
assert begun.wait(60)
while True:  # until it waits for this module
    frames = sys._current_frames()
    frame = frames[other.ident]
    if "_bootstrap" in frame.f_code.co_filename and "acquire" in frame.f_code.co_name:
        break
try:
    table.facade.run()
except jt.PluginInitError as error:
    print(error)
""")
    (tmp_path / "circular.py").write_text("""
import sys
sys.begun.set()
import host
def run(): return 3
""")
    text = """
import faulthandler, sys
faulthandler.dump_traceback_later(60, exit=True)
import host
host.other.join()
print(host.table.facade.run())
"""
    done = run_python(text)
    assert "could not wait; call it later\n3\n" in done.stdout
    assert "retry" not in done.stdout
