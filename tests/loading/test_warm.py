"""Warming: lazy tables loaded in the background."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Compile, Run

Plugin = Callable[..., str]
NUMBERS = itertools.count()
INTERFACE = {"run": None}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    """Makes a module that runs a text when it is imported; gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(text: str = "") -> str:
        name = f"warm_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(f"{text}\ndef run(): return __name__\n")
        sys.path_importer_cache.pop(str(tmp_path), None)
        made.append(name)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)


def lazy(name: str) -> jt.Table[Any]:
    return jt.lazy(name, INTERFACE)


class Gate:
    """What a plugin waits for, and tells that it does."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self.name = f"warm_gate_{next(NUMBERS)}"
        setattr(sys, self.name, self)

    def __call__(self) -> None:
        self.reached.set()
        assert self.opened.wait(60)

    @property
    def text(self) -> str:
        return f"import sys; sys.{self.name}()"


def test_all_are_loaded_in_order(plugin: Plugin) -> None:
    names = [plugin() for _ in range(8)]
    tables = [lazy(name) for name in names]
    seen: list[jt.WarmProgress] = []
    warmup = jt.warm(tables, within=60, progress=seen.append)
    report = warmup.wait()
    assert list(report.loaded) == names == [progress.name for progress in seen]
    assert all(0 < seconds < 60 for seconds in report.loaded.values()) and report and warmup.done
    assert [(p.done, p.total, p.error, p.table) for p in seen] == [
        (number, 8, None, table) for number, table in enumerate(tables, 1)
    ]
    assert all(table.generation == 1 for table in tables)
    assert [table.facade.run() for table in tables] == names
    assert not report.failed and not report.left and not report.unfinished
    assert max(report.loaded.values()) <= report.seconds
    assert repr(seen[1]) == f"<WarmProgress: {names[1]!r} loaded, 2 of 8>"
    assert repr(warmup) == "<Warmup of 8 tables, done>"
    assert str(report).startswith(f"8 loaded in {report.seconds:.3f} s\n  {names[0]}: ")
    assert warmup.wait(0).seconds == report.seconds


def test_names_in_reports(plugin: Plugin) -> None:
    name = plugin()
    report = jt.warm({"one": lazy(name), "two": jt.Table(INTERFACE)}).wait()
    assert list(report.loaded) == ["one", "two"]
    report = jt.warm(iter([lazy(name), lazy(name)])).wait()
    assert list(report.loaded) == [name, f"{name} (2)"]
    assert jt.warm([]).wait() and jt.warm({}, threads=4).wait().seconds >= 0


def test_plugins_that_fail_stop_no_other(plugin: Plugin) -> None:
    bad = ["1 / 0", "raise SystemExit(4)", "import warm_nothing", "raise GeneratorExit", "def"]
    names = [plugin(text) for text in bad]
    good = plugin()
    tables = {name: lazy(name) for name in [*names, good, "warm_no_such_module"]}
    report = jt.warm(tables).wait(60)
    assert list(report.failed) == [*names, "warm_no_such_module"]
    assert list(report.loaded) == [good] and not report
    kinds = [type(error) for error in report.failed.values()]
    assert kinds == [*[jt.PluginInitError] * 3, GeneratorExit, *[jt.PluginInitError] * 2]
    assert isinstance(report.failed[names[0]].__cause__, ZeroDivisionError)
    assert f"{names[0]}: failed: PluginInitError: importing {names[0]} raised Zero" in str(report)
    with pytest.raises(jt.PluginInitError, match="division by zero"):
        tables[names[0]].facade.run()


def test_a_plugin_that_hangs_stops_no_other(plugin: Plugin) -> None:
    gate = Gate()
    hanging, others = plugin(gate.text), [plugin() for _ in range(5)]
    table = lazy(hanging)
    try:
        warmup = jt.warm([table, *map(lazy, others)], within=2)
        report = warmup.wait()
        assert list(report.unfinished) == [hanging] and list(report.loaded) == others
        assert 1 < report.unfinished[hanging] <= report.seconds and not report
        assert f"{hanging}: still being loaded after" in str(report)
    finally:
        gate.opened.set()
    assert table.facade.run() == hanging  # waits for the load that is under way
    while warmup.wait().unfinished:
        time.sleep(0.001)
    assert warmup.wait()


def test_the_budget(plugin: Plugin) -> None:
    names = [plugin("import time; time.sleep(0.05)") for _ in range(30)]
    tables = [lazy(name) for name in names]
    report = jt.warm(tables, 0.3).wait()
    begun = {*report.loaded, *report.unfinished}
    assert begun == set(names[: len(begun)]) and list(report.left) == names[len(begun) :]
    assert report.left and f"not begun: {report.left[0]}" in str(report)
    assert tables[-1].generation == 0 and tables[-1].facade.run() == names[-1]
    report = jt.warm([lazy(plugin())], within=0).wait()
    assert not report.loaded and len(report.left) == 1


def test_cancelling(plugin: Plugin) -> None:
    gate = Gate()
    names = [plugin(gate.text), *[plugin() for _ in range(5)]]
    warmup = jt.warm([lazy(name) for name in names])
    assert gate.reached.wait(60)
    warmup.cancel()
    assert not warmup.done and repr(warmup) == "<Warmup of 6 tables, under way>"
    waiting = warmup.wait(0.01)
    assert list(waiting.unfinished) == names[:1] and waiting.left == tuple(names[1:])
    gate.opened.set()
    report = warmup.wait()
    assert list(report.loaded) == names[:1] and report.left == tuple(names[1:]) and not report
    warmup.cancel()
    assert warmup.done


def test_several_threads(plugin: Plugin) -> None:
    gates = [Gate() for _ in range(3)]
    names = [plugin(gate.text) for gate in gates]
    warmup = jt.warm([lazy(name) for name in [*names, plugin()]], threads=3)
    for gate in gates:
        assert gate.reached.wait(60)  # all of them, before one has ended
    for gate in gates:
        gate.opened.set()
    assert set(warmup.wait().loaded) > set(names)


def test_a_call_goes_first(plugin: Plugin) -> None:
    """While a call loads its own plugin the warmer begins nothing."""
    first, call = Gate(), Gate()
    slow, own, rest = plugin(first.text), plugin(call.text), plugin()
    warmup = jt.warm([lazy(slow), lazy(rest)])
    assert first.reached.wait(60)
    thread = threading.Thread(target=lazy(own).facade.run)
    thread.start()
    assert call.reached.wait(60)
    first.opened.set()
    while slow not in warmup.wait(0.05).loaded:
        pass
    assert warmup.wait(0.2).left == (rest,)
    call.opened.set()
    thread.join()
    assert list(warmup.wait().loaded) == [slow, rest]


def test_a_call_waits_for_the_load_that_is_under_way(plugin: Plugin) -> None:
    gate = Gate()
    name = plugin(f"import sys; sys.warm_count = getattr(sys, 'warm_count', 0) + 1; {gate.text}")
    table = lazy(name)
    jt.warm([table])
    assert gate.reached.wait(60)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(table.facade.run())) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.opened.set()
    for thread in threads:
        thread.join(60)
    assert found == [name] * 4 and sys.warm_count == 1  # type: ignore[attr-defined]
    del sys.warm_count  # type: ignore[attr-defined]


def test_it_pauses_while_others_compute(plugin: Plugin) -> None:
    """Counted, not timed: the pause is fifteen times what the load took of the processor."""
    text = "import time\nend = time.thread_time() + 0.02\nwhile time.thread_time() < end: pass"
    names = [plugin(text) for _ in range(40)]
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(100))

    thread = threading.Thread(target=compute)
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("a pause is for those who share a GIL")
    thread.start()
    try:
        report = jt.warm([lazy(name) for name in names], within=1.5).wait()
    finally:
        stop.set()
        thread.join()
    # Six, if the other thread always computes; it cannot while other processes have its processor,
    # and then there is no pause. Without any, all forty would be loaded: twice 0.02 s each.
    assert 1 <= len(report.loaded) <= 20
    assert jt.warm([lazy(name) for name in names]).wait()


def test_progress_that_fails(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)

    def progress(_: object) -> None:
        raise ValueError("progress")

    names = [plugin(), plugin()]
    assert list(jt.warm([lazy(n) for n in names], progress=progress).wait().loaded) == names
    assert [args.exc_type for args in caught] == [ValueError] * 2


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((jt.Table(INTERFACE),), {}, TypeError, r"got one: warm\(\[table\]\)"),
        ((["x"],), {}, TypeError, "takes lazy tables, and got a str"),
        (({"x": 3},), {}, TypeError, "takes lazy tables, and got a int"),
        ((3,), {}, TypeError, "not iterable"),
        (([],), {"within": -1}, ValueError, "within=-1 is no number of seconds"),
        (([],), {"within": float("nan")}, ValueError, "within=nan"),
        (([],), {"within": "1"}, TypeError, "within='1'"),
        (([],), {"threads": 0}, ValueError, "threads=0 is no number of threads"),
        (([],), {"threads": 1.5}, TypeError, "threads=1.5"),
        (([],), {"progress": 3}, TypeError, "int is not callable"),
    ],
)
def test_what_makes_no_sense(
    arguments: Any, options: Any, error: type[Exception], message: str
) -> None:
    before = threading.active_count()
    with pytest.raises(error, match=message):
        jt.warm(*arguments, **options)
    assert threading.active_count() == before


# ---- exit and forks -----------------------------------------------------------------------------

EXITS = """
import pathlib, sys, time
import jumptable as jt
sys.path.insert(0, sys.argv[1])
pathlib.Path(sys.argv[1], "exit_hang.py").write_text(sys.argv[2])
names = [f"exit_{i}" for i in range(50)]
text = "import time; time.sleep(0.01)\\ndef run(): pass"
for name in names:
    pathlib.Path(sys.argv[1], name + ".py").write_text(text)
warmup = jt.warm([jt.lazy(name, {"run": None}) for name in ["exit_hang", *names]], within=0.2)
time.sleep(0.1)
print("main is done", flush=True)
sys.exit(5)
"""


@pytest.mark.parametrize("text", ["import time; time.sleep(100)", "while True: pass"])
def test_exit_while_warming(run_python: Run, tmp_path: Path, text: str) -> None:
    done = run_python(EXITS, tmp_path, text, check=False)  # which waits for 150 seconds at most
    assert (done.returncode, done.stdout, done.stderr) == (5, "main is done\n", "")


HANGING = """
#include <unistd.h>
__attribute__((constructor)) static void hang(void) { sleep(1000); }
double run(double x) { return x; }
"""

LINGERING = """
import atexit, ctypes, sys
import jumptable as jt
puts = ctypes.CDLL(None).puts  # later, it would wait for the loader's lock
warmup = jt.warm([jt.lazy(sys.argv[1], {"run": "double(double)"})], within=0.2)
print(warmup.wait().unfinished.keys(), end="")
atexit.register(print, "handler", end="")
puts(b" and C's own buffers")
sys.exit(6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="for glibc's exit handlers")
def test_exit_while_a_constructor_hangs(compile_plugin: Compile, run_python: Run) -> None:
    path = compile_plugin("warm_hanging", HANGING)
    done = run_python(LINGERING, path, check=False)
    assert done.returncode == 6, done.stderr
    assert done.stdout.startswith(f"dict_keys(['{path}'])")
    assert "handler" in done.stdout and "C's own buffers" in done.stdout


FORKS = """
import os, pathlib, sys, threading, time, warnings
import jumptable as jt
warnings.simplefilter("ignore", DeprecationWarning)
sys.path.insert(0, sys.argv[1])
names = [f"fork_{i}" for i in range(100)]
text = "import time; time.sleep(0.003)\\ndef run(): return 3"
for name in names:
    pathlib.Path(sys.argv[1], name + ".py").write_text(text)
tables = {name: jt.lazy(name, {"run": None}) for name in names}
warmup = jt.warm(tables, threads=2)
children = []
for _ in range(5):
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        report = warmup.wait()
        assert warmup.done and not report.unfinished and report.left
        assert sorted([*report.loaded, *report.left]) == sorted(names), report
        assert all(table.facade.run() == 3 for table in tables.values())
        assert jt.warm(tables).wait()
        os._exit(0)
    children.append(child)
assert warmup.wait(), warmup.wait()
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 5
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forks_while_warming(run_python: Run, tmp_path: Path) -> None:
    assert run_python(FORKS, tmp_path).stdout == "done\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_by_a_plugin_that_is_being_loaded(run_python: Run, tmp_path: Path) -> None:
    text = """
import os, pathlib, sys
import jumptable as jt
sys.path.insert(0, sys.argv[1])
pathlib.Path(sys.argv[1], "forking.py").write_text('''
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
def run(): return 3
''')
assert jt.warm([jt.lazy("forking", {"run": None})]).wait()
print("done")
"""
    assert run_python(text, tmp_path).stdout == "done\n"


def test_a_hook_for_errors_that_fails(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: 1 // 0)
    monkeypatch.setattr(sys, "excepthook", lambda kind, *rest: told.append(kind))
    tables = [lazy(plugin()) for _ in range(3)]
    report = jt.warm(tables, progress=lambda progress: progress.nothing).wait(60)  # type: ignore
    assert (len(report.loaded), report.unfinished) == (3, {})
    assert told == [ZeroDivisionError] * 3


def test_budgets_and_waits_without_end(plugin: Plugin) -> None:
    for long in (float("inf"), 1e12):
        warmup = jt.warm([lazy(plugin("import time; time.sleep(0.05)"))], within=long)
        assert warmup.wait()
        assert jt.warm([lazy(plugin("import time; time.sleep(0.05)"))]).wait(long)


def test_waiting_for_oneself(plugin: Plugin) -> None:
    found: list[Any] = []
    begun = threading.Event()

    def progress(_: jt.WarmProgress) -> None:
        begun.wait(60)
        found.append(warmup.wait(0))
        try:
            warmup.wait()
        except RuntimeError as error:
            found.append(str(error))

    warmup = jt.warm([lazy(plugin())], progress=progress)
    begun.set()
    assert warmup.wait(60)
    assert [*map(type, found)] == [type(warmup.wait()), str]
    assert "would never return" in found[1]


def test_many_tables_of_one_name(plugin: Plugin) -> None:
    name = plugin()
    warmup = jt.warm([*(lazy(name) for _ in range(3)), lazy(plugin())], within=0)
    assert warmup.wait().left[:3] == (name, f"{name} (2)", f"{name} (3)")


FORKERS = """
import os, signal, sys, threading, time, warnings
import jumptable as jt
warnings.simplefilter("ignore", DeprecationWarning)
class Slow:
    def __init__(self): inside.set(); time.sleep(0.5)
    def half(self, x): return x / 2
class Quick(Slow):
    def __init__(self): pass
sys.modules["plugin"] = sys.modules["__main__"]
sys.unraisablehook = lambda told: print(told.exc_type.__name__)
inside = threading.Event()
interface = {"half": None}
warmups = [
    jt.warm([jt.lazy("plugin:Slow", interface), jt.lazy("plugin:Quick", interface)])
    for _ in range(2)
]
assert inside.wait(60)

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

def several_fork():
    threads = [threading.Thread(target=fork) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

def interrupted():
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    fork()

globals()[sys.argv[1]]()
for warmup in warmups:
    assert warmup.wait(4), warmup.wait(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_warming_goes_on_when_several_threads_have_forked(run_python: Run) -> None:
    run_python(FORKERS, "several_fork")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_warming_goes_on_when_a_fork_was_interrupted(run_python: Run) -> None:
    assert run_python(FORKERS, "interrupted").stdout == "KeyboardInterrupt\n"
