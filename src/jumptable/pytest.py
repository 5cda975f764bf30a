"""A pytest plugin: pytest's hook calls compiled, and on request measured.

``pytest -p jumptable.pytest``, or the same in ``addopts``, in ``PYTEST_PLUGINS``, or in a root
conftest's ``pytest_plugins``. ``--hook-stats`` says how long each plugin's hooks took, those in
pytest-xdist's workers too.

PYTEST_DONT_REWRITE: it has no assertions, and a run inside a test would warn that it is too late.
"""
# pytest looks for that word in the docstring of the imported module, and nowhere else.

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pluggy
import pytest

from .calling.hookstats import HookStats, HookTime, add_up
from .pluggy import accelerate

__all__: list[str] = []

ROWS = 20
WORKER_KEY = "jumptable_hook_stats"
STATS = pytest.StashKey[HookStats]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("jumptable", "hook calls (jumptable)")
    group.addoption(
        "--hook-stats",
        action="store_true",
        help="measure hook calls, and show which hooks and plugins took how long",
    )
    group.addoption(
        "--hook-stats-rows",
        type=_rows,
        default=ROWS,
        metavar="N|all",
        help=f"how many rows --hook-stats shows in each table, slowest first (default: {ROWS})",
    )


def _rows(text: str) -> int | None:
    if text == "all":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither 'all' nor a number above 0")


# Not in pytest_addoption, which is called before a later "-p no:jumptable.pytest" is seen.
@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    _begin(early_config, early_config.known_args_namespace)


# Where it comes with a conftest, and in the workers of pytest-xdist.
@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    _begin(config, config.option)


def _begin(config: pytest.Config, options: argparse.Namespace) -> None:
    manager = config.pluginmanager
    accelerate(manager)
    if getattr(options, "hook_stats", False) and STATS not in config.stash:
        stats = HookStats(manager)
        config.stash[STATS] = stats
        config.add_cleanup(stats.stop)
        manager.register(_Report(config, stats), "jumptable_hook_stats")


def pytest_report_header(config: pytest.Config) -> str | None:
    # Not where nobody sees it: pluggy's version is read from files each time.
    if hasattr(config, "workerinput") or config.getoption("verbose") < 0:
        return None
    measured = ", and measured for --hook-stats" if STATS in config.stash else ""
    return f"jumptable: hook calls compiled (pluggy {pluggy.__version__}){measured}"


class _Report:
    """Registered only for ``--hook-stats``: collects all processes' numbers, and shows them."""

    def __init__(self, config: pytest.Config, stats: HookStats) -> None:
        self.config = config
        self.stats = stats
        self.workers = 0
        self.lost = 0
        self.rows: list[tuple[str, str, int, int, int]] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        output: dict[str, Any] | None = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[WORKER_KEY] = [list(time) for time in self.stats.times()]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        rows = getattr(node, "workeroutput", {}).get(WORKER_KEY)
        if rows is None:
            self.lost += 1
        else:
            self.workers += 1
            self.rows.extend(tuple(row) for row in rows)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        times = add_up([*self.stats.times(), *self.rows])
        limit = self.config.getoption("hook_stats_rows", ROWS)
        terminalreporter.section("hook calls")
        for line in self.lines(times, limit):
            terminalreporter.line(line)

    def lines(self, times: list[HookTime], limit: int | None) -> Iterator[str]:
        whole, calls = sum(time.own for time in times), sum(time.calls for time in times)
        yield f"{_ms(whole)} ms in {calls:,} calls of {len(times):,} implementations"
        yield "own: without the hook calls made inside; total: with them"
        yield "pytest_pyfunc_call of python: the tests themselves"
        if self.workers:
            workers = _counted(self.workers, "worker")
            yield f"{workers} and this process; dsession: waiting for the workers"
        if self.lost:
            lost = _counted(self.lost, "worker")
            yield f"without the numbers of {lost} that ended early"
        yield ""
        rows: list[tuple[str, ...]] = [
            (_ms(time.own), _ms(time.total), f"{time.calls:,}", time.hook, self.short(time.plugin))
            for time in times[:limit]
        ]
        yield from _table(("own ms", "total ms", "calls", "hook", "plugin"), rows, len(times))
        yield ""
        plugins = add_up(("", time.plugin, time.calls, time.own, 0) for time in times)
        rows = [
            (_ms(time.own), f"{time.calls:,}", self.short(time.plugin)) for time in plugins[:limit]
        ]
        yield from _table(("own ms", "calls", "plugin"), rows, len(plugins))

    def short(self, plugin: str) -> str:
        """A conftest is called by its whole path; shown as below the root it is enough."""
        root = str(self.config.rootpath) + os.sep
        return plugin[len(root) :] if plugin.startswith(root) else plugin


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:,.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], count: int) -> Iterator[str]:
    """Columns of text, the ones that count things aligned to the right."""
    numbers = head.index("calls") + 1
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if place < numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
    if count > len(rows):
        yield f"and {count - len(rows):,} more; --hook-stats-rows=all shows them"
