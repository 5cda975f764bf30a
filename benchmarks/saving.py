"""Hands what was measured to pytest-benchmark, which saves it, compares it and draws its own table.

pytest-benchmark times one contestant after the other, and takes no times that it has not measured.
So this uses what it has inside: ``config._benchmarksession``, of which the list ``benchmarks`` and
``disabled``, and ``stats.Metadata``, to which `Entry` is the fixture. All else are its documented
hooks and its options. Without pytest-benchmark, everything is still measured and printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from jumptable.measuring import files, machine

__all__ = ["Entry", "Saving", "Times"]

HERE = Path(__file__).parent
SCHEMA = "jumptable-benchmarks/2"
# Who asks for one of these wants to see pytest-benchmark's table, which nobody else gets to see.
SHOWN_BY = tuple(
    f"--benchmark-{option}"
    for option in (
        *("columns", "compare", "group-by", "histogram"),
        *("name", "sort", "time-unit", "verbose"),
    )
)


@dataclass(frozen=True)
class Times:
    """What one contestant of one question took: nanoseconds per call, of stretches of the run.

    ``question`` and ``name`` must be the same in every run: by them a run finds its predecessor.
    """

    question: str
    name: str
    ns: Sequence[float]
    loops: int = 1
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Entry:
    """What pytest-benchmark reads of its fixture."""

    name: str
    fullname: str
    group: str
    param: str
    params: Mapping[str, object]
    extra_info: Mapping[str, object]
    cprofile_stats: None = None
    has_error: bool = False


class Saving:
    """A plugin of pytest: what this session has found, and whether it measures at all."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.machine = machine.describe()
        self.tables: list[dict[str, object]] = []
        self.known: set[str] = set()
        self.missing: dict[str, str] = {}

    @property
    def session(self) -> Any:
        """pytest-benchmark's, or None. It is there once all plugins are configured."""
        return getattr(self.config, "_benchmarksession", None)

    @property
    def checking(self) -> bool:
        """Whether things only have to run: processes side by side have no times worth having."""
        if "PYTEST_XDIST_WORKER" in os.environ:
            return True
        if self.session is not None:
            return bool(self.session.disabled)
        return bool(self.config.getoption("benchmark_disable", False))

    def enter(self, node: pytest.Item, times: Times) -> None:
        fullname = f"{node.nodeid}: {times.question}: {times.name}"
        if fullname in self.known:
            raise ValueError(f"two contestants are called {fullname!r}: one would hide the other")
        self.known.add(fullname)
        # To nothing, no change can be given in per cent: it is left out, be it that something costs
        # no more than its loop, or that the loop was disturbed in a short stretch.
        more_than_nothing = [ns for ns in times.ns if ns > 0]
        if self.session is None or self.checking or 2 * len(more_than_nothing) < len(times.ns):
            return
        stats: Any = import_module("pytest_benchmark.stats")
        entry = Entry(
            name=f"{node.name}: {times.name}",
            fullname=fullname,
            group=times.question,
            param=times.name,
            params={"contestant": times.name},
            extra_info=dict(times.facts),
        )
        made = stats.Metadata(entry, iterations=times.loops, options={})
        for each in more_than_nothing:
            made.stats.update(each / 1e9)
        self.session.benchmarks.append(made)

    def document(self) -> dict[str, object]:
        """All that was printed, times or not."""
        return {"schema": SCHEMA, "machine": self.machine, "tables": self.tables}

    # ---- hooks of pytest and of pytest-benchmark ------------------------------------------

    @pytest.hookimpl(hookwrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Iterator[None]:
        """--benchmark-only and --benchmark-skip look for who asks for pytest-benchmark's fixture.

        Nobody does here; for the time that it looks, all do.
        """
        asking = [
            item.fixturenames
            for item in items
            if isinstance(item, pytest.Function) and item.path.is_relative_to(HERE)
        ]
        for names in asking:
            names.append("benchmark")
        yield
        for names in asking:
            names.remove("benchmark")

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """A saved file does not name the host; and a clock rate is another one in every run."""
        machine_info.pop("node", None)
        cpu = machine_info.get("cpu", {})
        for name in [name for name in cpu if name.startswith("hz_actual")]:
            del cpu[name]

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, object]) -> None:
        output_json["jumptable"] = self.document()

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_group_stats(self) -> list[object] | None:
        """No groups, no table: ours have been printed."""
        given = [str(argument) for argument in self.config.invocation_params.args]
        return None if any(argument.startswith(SHOWN_BY) for argument in given) else []

    def pytest_sessionfinish(self) -> None:
        """pytest-benchmark writes nothing where no times were entered; memory and counts are."""
        given: Any = self.config.getoption("benchmark_json", None)
        if given and self.tables and not self.session.benchmarks:
            # Before its version 5.3, an open file.
            path = given if isinstance(given, Path) else given.name
            files.write_json(str(path), {"benchmarks": [], "jumptable": self.document()})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.session is None:
            terminalreporter.write_line(
                "pytest-benchmark is not installed: nothing can be saved or compared "
                '(python -m pip install ".[bench]")'
            )
        if self.checking:
            for name, reason in self.missing.items():
                terminalreporter.write_line(f"not checked: {name}: {reason}")
