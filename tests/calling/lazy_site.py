"""Distributions with entry points that name plugins, and runs of a host that loads them."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import time
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pluggy
import pytest

import jumptable.pluggy as jumptable_pluggy
from jumptable.calling import hookrecords
from jumptable.loading import cache
from tests.hosts import build

GROUP = "app.plugins"
HEAD = """
import events
import pluggy
hookimpl = pluggy.HookimplMarker("app")
events.log.append(f"import {__name__}")
"""
hookspec = pluggy.HookspecMarker("app")


class Specs:
    @hookspec
    def each(self, value: Any, more: Any) -> None: ...

    @hookspec
    def other(self, value: Any) -> None: ...

    @hookspec(firstresult=True)
    def first(self, value: Any) -> None: ...

    @hookspec(historic=True)
    def past(self, value: Any) -> None: ...


class Site:
    """A folder on sys.path; each `run` finds it as a new process would."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.log: list[Any] = []
        events: Any = types.ModuleType("events")
        events.log = self.log
        monkeypatch.setitem(sys.modules, "events", events)
        monkeypatch.setenv(cache.VARIABLE, str(folder.parent / "cache"))
        monkeypatch.setattr(hookrecords, "SETTLED_NS", 0)
        # Bytecode knows the source's second only.
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        # Without all that is installed for tests, which takes its time to look through.
        path = [str(folder), *(each for each in sys.path if not each.endswith("-packages"))]
        monkeypatch.setattr(sys, "path", path)

    def write(self, path: str, code: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + code)
        return file

    def install(
        self,
        project: str,
        modules: Mapping[str, str],
        plugins: Mapping[str, str],
        version: str = "1",
    ) -> None:
        for path, code in modules.items():
            self.write(path, code)
        info = self.folder / f"{project}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
        )
        lines = [f"{name} = {value}\n" for name, value in plugins.items()]
        (info / "entry_points.txt").write_text("".join([f"[{GROUP}]\n", *lines]))

    def plugin(self, name: str, code: str) -> Path:
        """A distribution that is one module, which is the plugin."""
        self.install(name, {f"{name}.py": code}, {name: name})
        return self.folder / f"{name}.py"

    def uninstall(self, project: str) -> None:
        for info in self.folder.glob(f"{project}-*.dist-info"):
            shutil.rmtree(info)

    def start(self) -> None:
        """What is imported from here is no more; what is here is as old as it is."""
        own = {path.stem for path in self.folder.iterdir()}
        for name in [*sys.modules]:
            if name.partition(".")[0] in own:
                del sys.modules[name]
        importlib.invalidate_caches()
        self.log.clear()
        # The clock of files is slower than others.
        (self.folder / "clock").touch()
        now = (self.folder / "clock").stat().st_ctime_ns
        self.monkeypatch.setattr(hookrecords, "STARTED", now + 1)

    def pass_time(self) -> None:
        """What is written from now on is newer than what is there, by the clock of files."""
        time.sleep(0.02)

    def imported(self) -> list[str]:
        events = [event for event in self.log if isinstance(event, str)]
        return [event.removeprefix("import ") for event in events if event.startswith("import ")]

    # -- runs ---------------------------------------------------------------------------------

    def stock(self, specs: object = Specs) -> Any:
        self.start()
        manager = pluggy.PluginManager("app")
        if specs is not None:
            manager.add_hookspecs(specs)  # type: ignore[arg-type]
        manager.load_setuptools_entrypoints(GROUP)
        return manager

    def run(self, specs: object = Specs, **options: Any) -> Any:
        self.start()
        manager = jumptable_pluggy.PluginManager("app", **options)
        if specs is not None:
            manager.add_hookspecs(specs)  # type: ignore[arg-type]
        manager.load_setuptools_entrypoints(GROUP, lazy=True)
        return manager

    def lazy(self, specs: object = Specs, **options: Any) -> Any:
        """The second run, which has loaded nothing."""
        self.run(specs, **options)
        imported = self.imported()
        manager = self.run(specs, **options)
        assert imported and self.imported() == []
        return manager

    def process(self, code: str) -> str:
        environment = {**build.ENVIRONMENT, cache.VARIABLE: os.environ[cache.VARIABLE]}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder, monkeypatch)
    yield site
    site.start()


def outcome(call: Any) -> Any:
    """What a call gives or raises, comparable."""
    try:
        return call()
    except BaseException as error:
        return type(error), str(error)
