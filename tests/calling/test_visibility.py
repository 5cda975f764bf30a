"""What watches a program sees implementations as it does with stock pluggy."""

from __future__ import annotations

import cProfile
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy
import pytest

from jumptable.pluggy import accelerate

spec = pluggy.HookspecMarker("seen")
impl = pluggy.HookimplMarker("seen")


class Specs:
    @spec
    def hook(self, a: int) -> None: ...

    @spec(firstresult=True)
    def first(self, a: int) -> None: ...

    @spec
    def failing(self, a: int) -> None: ...


class Plain:
    @impl
    def hook(self, a: int) -> int:
        return helper(a)

    @impl
    def first(self, a: int) -> int | None:
        return None

    @impl
    def failing(self, a: int) -> None:
        helper(a)
        raise LookupError(a)


class Other:
    @impl
    def hook(self) -> int:
        return 2

    @impl(trylast=True)
    def first(self, a: int) -> int:
        return helper(a)


class Wraps:
    @impl(wrapper=True)
    def hook(self, a: int) -> Any:
        result = yield
        return [helper(each) for each in result]

    @impl(hookwrapper=True)
    def first(self) -> Any:
        outcome = yield
        outcome.force_result(outcome.get_result() + 1)

    @impl(wrapper=True)
    def failing(self) -> Any:
        try:
            return (yield)
        finally:
            helper(3)


def helper(a: int) -> int:
    return a


def make_manager(accelerated: bool) -> pluggy.PluginManager:
    manager = pluggy.PluginManager("seen")
    manager.add_hookspecs(Specs)
    for plugin in (Plain(), Other(), Wraps()):
        manager.register(plugin)
    if accelerated:
        accelerate(manager)
    return manager


def call_all(manager: pluggy.PluginManager) -> None:
    for turn in range(3):
        assert manager.hook.hook(a=turn) == [2, turn]
        assert manager.hook.first(a=turn) == turn + 1
        with pytest.raises(LookupError):
            manager.hook.failing(a=turn)


def watched(watch: Callable[[Callable[[], None]], object]) -> tuple[object, object]:
    """What ``watch`` tells about the calls on a stock manager, and on an accelerated one."""
    stock, compiled = make_manager(False), make_manager(True)
    return watch(lambda: call_all(stock)), watch(lambda: call_all(compiled))


def test_a_traceback_shows_the_call_and_the_implementation() -> None:
    with pytest.raises(LookupError) as failure:
        make_manager(True).hook.failing(a=4)
    frames = traceback.extract_tb(failure.value.__traceback__)
    own = [frame for frame in frames if frame.filename == __file__]
    names = [frame.name for frame in own]
    assert names[0] == "test_a_traceback_shows_the_call_and_the_implementation"
    assert names[-1] == "failing" and own[-1].line == "raise LookupError(a)"
    # The wrapper that the exception went through is there as well.
    assert own[1].line == "return (yield)"


@pytest.mark.thread_unsafe(reason="a process has one profiler")
def test_c_profile_counts_each_implementation() -> None:
    def profile(run: Callable[[], None]) -> object:
        profiler = cProfile.Profile()
        profiler.runcall(run)
        return sorted(
            (entry.code.co_name, entry.code.co_firstlineno, entry.callcount, entry.reccallcount)
            for entry in profiler.getstats()
            if not isinstance(entry.code, str) and entry.code.co_filename == __file__
        )

    stock, compiled = watched(profile)
    assert compiled == stock
    assert ("helper", helper.__code__.co_firstlineno, 18, 0) in stock  # type: ignore[operator]


@pytest.mark.parametrize("setter", ["setprofile", "settrace"])
def test_trace_functions_see_the_same_events(setter: str) -> None:
    def trace(run: Callable[[], None]) -> object:
        events: list[Any] = []

        def tracer(frame: Any, event: str, arg: Any) -> Any:
            if frame.f_code.co_filename == __file__ and not event.startswith("c_"):
                name = type(arg[1]).__name__ if event == "exception" else repr(arg)
                events.append((frame.f_code.co_name, frame.f_lineno, event, name))
            return tracer

        getattr(sys, setter)(tracer)
        try:
            run()
        finally:
            getattr(sys, setter)(None)
        return [event for event in events if event[0] not in ("<lambda>", "trace", "call_all")]

    before = sys.gettrace()
    try:
        stock, compiled = watched(trace)
    finally:
        sys.settrace(before)  # coverage may be looking on
    assert compiled == stock and len(stock) > 50  # type: ignore[arg-type]


@pytest.mark.thread_unsafe(reason="a process has one profiler")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_monitoring_sees_the_same_events() -> None:
    def monitor(run: Callable[[], None]) -> object:
        monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        tool, names = 4, monitoring.events
        kinds = ["PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME", "PY_THROW", "PY_UNWIND", "RAISE"]
        seen: list[Any] = []
        monitoring.use_tool_id(tool, "jumptable's tests")
        for kind in kinds:

            def callback(code: Any, *rest: Any, kind: str = kind) -> None:
                if code.co_filename == __file__:
                    seen.append((kind, code.co_name))

            monitoring.register_callback(tool, getattr(names, kind), callback)
        monitoring.set_events(tool, sum(getattr(names, kind) for kind in kinds))
        try:
            run()
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)
        return [event for event in seen if event[1] not in ("<lambda>", "monitor", "call_all")]

    stock, compiled = watched(monitor)
    assert compiled == stock and len(stock) > 50  # type: ignore[arg-type]


PLUGIN = """
import pluggy
impl = pluggy.HookimplMarker("watched")


class Plain:
    @impl
    def hook(self, a):
        if a > 3:
            return 1
        return a


class Wraps:
    @impl(wrapper=True)
    def hook(self, a):
        try:
            result = yield
        except ValueError:
            return None
        return result

    @impl(hookwrapper=True)
    def other(self):
        outcome = yield
        if outcome.exception:
            outcome.force_result([])


def call(manager):
    manager.register(Plain())
    manager.register(Wraps())
    assert manager.hook.hook(a=1) == [1]
    assert manager.hook.other() == []
"""
HIDING = """
import pluggy, pytest
impl = pluggy.HookimplMarker("watched")


class Fails:
    @impl
    def visible(self, a):
        in_between(a)

    @impl
    def hidden(self, a):
        __tracebackhide__ = True
        raise ValueError("hidden")

    @impl
    def calls_back(self, manager):
        __tracebackhide__ = True
        manager.hook.visible(a=3)


class Wraps:
    @impl(wrapper=True)
    def visible(self):
        __tracebackhide__ = True
        return (yield)


def in_between(a):
    __tracebackhide__ = True
    fails(a)


def fails(a):
    assert a == 4


@pytest.fixture
def manager():
    manager = pluggy.PluginManager("watched")
    manager.register(Fails())
    manager.register(Wraps())
    return manager


def test_visible(manager):
    manager.hook.visible(a=3)


def test_hidden(manager):
    manager.hook.hidden(a=3)


def test_calls_back(manager):
    manager.hook.calls_back(manager=manager)
"""


def run_module(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in paths if path),
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # all that is installed takes a second to load
    }
    return subprocess.run(
        [sys.executable, "-m", *args],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_tracebackhide_hides_the_same_frames_in_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_hiding.py").write_text(HIDING)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def failures(*options: str) -> list[str]:
        done = run_module(
            tmp_path, "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *options
        )
        assert done.returncode == 1, done.stdout + done.stderr
        # What is in pluggy's own files is there only with stock callers.
        text = re.sub(r"(?m)^\S*[/\\]pluggy[/\\]_\w+\.py:.*\n(    .*\n)*", "", done.stdout)
        return re.sub(r"in \d+\.\d+s", "", text).splitlines()

    stock, compiled = failures(), failures("-p", "jumptable.pytest")
    assert compiled == stock
    shown = [line.split(": in ")[1] for line in compiled if ": in " in line]
    assert shown.count("fails") == 2 and "in_between" not in shown and "calls_back" not in shown


def test_coverage_measures_the_same_lines(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    (tmp_path / "plugin.py").write_text(PLUGIN)
    start = "import pluggy, jumptable.pluggy, plugin\nmanager = pluggy.PluginManager('watched')\n"
    end = "plugin.call(manager)\n"
    (tmp_path / "stock.py").write_text(start + end)
    (tmp_path / "compiled.py").write_text(f"{start}jumptable.pluggy.accelerate(manager)\n{end}")

    def lines(program: str) -> Any:
        data = tmp_path / f"{program}.data"
        options = [f"--data-file={data}"]
        done = run_module(
            tmp_path,
            "coverage",
            "run",
            "--branch",
            "--include=plugin.py",
            *options,
            f"{program}.py",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        done = run_module(tmp_path, "coverage", "json", "-o", f"{program}.json", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        measured = json.loads((tmp_path / f"{program}.json").read_text())["files"]["plugin.py"]
        keys = ("executed_lines", "missing_lines", "executed_branches", "missing_branches")
        return {key: measured[key] for key in keys}

    stock, compiled = lines("stock"), lines("compiled")
    assert compiled == stock
    assert len(stock["executed_lines"]) > 20
