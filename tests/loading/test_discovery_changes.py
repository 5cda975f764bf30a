"""Whatever is done to what is installed, the index says what importlib.metadata says."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from jumptable.loading import cache, entryindex
from jumptable.loading.discovery import entry_points, with_hidden

from .distributions import (
    add_to_archive,
    expected,
    facts,
    in_new_process,
    install,
    outcome,
    with_all,
)  # fmt: skip

pytestmark = pytest.mark.thread_unsafe(reason="sys.path and the working directory are everybody's")

SITES = ("site-packages", "source", "user", "an.egg")
NAMES = ("alpha", "Beta.Pkg", "beta_pkg", "gamma")
GROUPS = ("tools", "other", "Third.group")
GROUP = st.sampled_from(GROUPS)
DECLARED = st.dictionaries(
    GROUP,
    st.lists(st.tuples(st.sampled_from(["one", "two", "Drei"]), st.sampled_from(["a:b", "c.d"])),
             max_size=3),
    max_size=3,
)  # fmt: skip
FOLDER = st.sampled_from(["", "", "", "{}.egg-info", "{}-2.0-py3.11.egg-info", "EGG-INFO"])
TEXTS = st.sampled_from(["[tools]\none = a:b\n", "[tools]\none = a:c\n", "[other]\nx = y\n", ""])
NUMBER = st.integers(0, 1000)


class Changes(RuleBasedStateMachine):
    """One step of a life of installations at a time; after each, both are asked."""

    margin_ns = 0
    pause = 0.0
    processes = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.base = Path(self.folder.name).resolve()
        self.before = os.getcwd(), sys.path[:]
        self.steps = 0
        for site in SITES:
            (self.base / site).mkdir()
        self.patches: list[Any] = [
            mock.patch.dict(os.environ, {cache.VARIABLE: str(self.base / "cache")}),
            mock.patch.object(entryindex, "MARGIN_NS", self.margin_ns),
            mock.patch.object(entryindex, "_known", {}),
        ]
        for patch in self.patches:
            patch.start()
        sys.path[:] = [str(self.base / site) for site in SITES]

    def teardown(self) -> None:
        directory, sys.path[:] = self.before
        os.chdir(directory)
        for patch in self.patches:
            patch.stop()
        self.folder.cleanup()

    def infos(self) -> list[Path]:
        return sorted(
            info for site in SITES for info in (self.base / site).glob("*") if "-info" in info.name
            or "-INFO" in info.name
        )  # fmt: skip

    def chosen(self, number: int) -> Path | None:
        infos = self.infos()
        return infos[number % len(infos)] if infos else None

    @initialize(declared=DECLARED)
    def something(self, declared: Any) -> None:
        install(self.base / SITES[0], NAMES[0], "1.0", declared)

    @rule(
        site=st.sampled_from(SITES),
        name=st.sampled_from(NAMES),
        version=st.sampled_from(["1.0", "2.0"]),
        declared=st.none() | DECLARED,
        folder=FOLDER,
    )
    def install(self, site: str, name: str, version: str, declared: Any, folder: str) -> None:
        """A new one, or the same version again."""
        where = self.base / site
        install(where, name, version, declared, folder=folder.format(name) or None)

    @rule(number=NUMBER, declared=DECLARED)
    def upgrade(self, number: int, declared: Any) -> None:
        info = self.chosen(number)
        if info is not None and info.name.endswith("-1.0.dist-info"):
            shutil.rmtree(info)
            install(info.parent, info.name.partition("-")[0], "2.0", declared)

    @rule(number=NUMBER)
    def uninstall(self, number: int) -> None:
        info = self.chosen(number)
        if info is not None:
            shutil.rmtree(info)

    @rule(number=NUMBER, text=TEXTS)
    def rewrite(self, number: int, text: str) -> None:
        """In place, as an editable install does: nothing but the file changes."""
        info = self.chosen(number)
        if info is not None:
            (info / "entry_points.txt").write_text(text)

    @rule(number=NUMBER, text=TEXTS)
    def replace(self, number: int, text: str) -> None:
        info = self.chosen(number)
        if info is not None:
            (info / "new").write_text(text)
            os.replace(info / "new", info / "entry_points.txt")

    @rule(number=NUMBER, text=TEXTS, when=st.sampled_from([0, -86400, 3600]))
    def rewrite_and_set_the_time(self, number: int, text: str, when: int) -> None:
        """To the one that it had, or to another, past or future."""
        info = self.chosen(number)
        if info is not None:
            file = info / "entry_points.txt"
            old = file.stat().st_mtime_ns if file.exists() else time.time_ns()
            file.write_text(text)
            os.utime(file, ns=(old, old + when * 10**9))

    @rule(number=NUMBER)
    def remove_the_list(self, number: int) -> None:
        info = self.chosen(number)
        if info is not None:
            (info / "entry_points.txt").unlink(missing_ok=True)

    @rule(number=NUMBER, name=st.sampled_from(NAMES))
    def rename(self, number: int, name: str) -> None:
        info = self.chosen(number)
        target = None if info is None else info.with_name(f"{name}-3.0.dist-info")
        if info is not None and target is not None and not target.exists():
            info.rename(target)

    @rule(number=NUMBER, name=st.sampled_from(NAMES))
    def rename_inside(self, number: int, name: str) -> None:
        info = self.chosen(number)
        if info is not None:
            (info / "PKG-INFO").write_text(f"Name: {name}\nVersion: 9\n")

    @rule(number=NUMBER, when=st.sampled_from([0, -86400, 3600]))
    def touch(self, number: int, when: int) -> None:
        info = self.chosen(number)
        if info is not None:
            at = time.time() + when
            for path in (info, info.parent, info / "entry_points.txt"):
                if path.exists():
                    os.utime(path, (at, at))

    @rule(names=st.lists(st.sampled_from([*SITES, "some.zip", "nothing"]), unique=True))
    def reorder(self, names: list[str]) -> None:
        sys.path[:] = [str(self.base / name) for name in names]

    @rule(site=st.sampled_from(SITES), entry=st.sampled_from(["", ".", "../source"]))
    def work_elsewhere(self, site: str, entry: str) -> None:
        os.chdir(self.base / site)
        sys.path.insert(0, entry)

    @rule(name=st.sampled_from(NAMES), declared=DECLARED)
    def add_to_archive(self, name: str, declared: Any) -> None:
        archive = self.base / "some.zip"
        add_to_archive(archive, name, declared)
        if str(archive) not in sys.path:
            sys.path.append(str(archive))

    @rule(name=st.sampled_from(NAMES), declared=DECLARED)
    def replace_archive(self, name: str, declared: Any) -> None:
        (self.base / "some.zip").unlink(missing_ok=True)
        self.add_to_archive(name, declared)

    @rule(site=st.sampled_from(SITES))
    def swap_the_folder(self, site: str) -> None:
        """For a copy, with all times as they were."""
        copy = self.base / "copy"
        shutil.copytree(self.base / site, copy)
        os.chdir(self.base)
        shutil.rmtree(self.base / site)
        copy.rename(self.base / site)

    @rule()
    def forget(self) -> None:
        entryindex._known.clear()

    @rule()
    def lose_the_index(self) -> None:
        shutil.rmtree(self.base / "cache", ignore_errors=True)

    @invariant()
    def equal(self) -> None:
        time.sleep(self.pause)
        for params in ({"group": "tools"}, {}):
            assert answer(entry_points, params) == answer(expected, params)
        assert outcome(with_hidden, "tools") == outcome(with_all, "tools")
        self.steps += 1
        if self.processes and self.steps % self.processes == 0:
            calls = [{"group": "tools"}, {}]
            in_new_process(sys.path, Path.cwd(), calls, self.margin_ns)


def answer(function: Any, params: dict[str, str]) -> object:
    try:
        return facts(function(**params))
    except Exception as error:  # a distribution without a name
        return type(error), str(error)


def run(examples: int, steps: int, **how: Any) -> None:
    machine = type("Machine", (Changes,), how)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_changes_in_quick_succession() -> None:
    """Within a tick of the clock of file times: nothing is believed before it has aged."""
    run(25, 20, margin_ns=entryindex.MARGIN_NS)


def test_changes_of_what_is_believed() -> None:
    """With a pause, so that the index is what answers."""
    run(12, 20, margin_ns=20_000_000, pause=0.03)


@pytest.mark.long
def test_many_changes_in_quick_succession() -> None:
    run(400, 50, margin_ns=entryindex.MARGIN_NS, processes=40)


@pytest.mark.long
def test_many_changes_of_what_is_believed() -> None:
    run(120, 40, margin_ns=20_000_000, pause=0.03, processes=20)
