"""Counters as metrics of prometheus_client."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt

from .programs import needs_fork, run_program

pytest.importorskip("prometheus_client")

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from jumptable.counting.prometheus import CounterCollector
from tests.conftest import Run


def registry(*collectors: CounterCollector) -> CollectorRegistry:
    made = CollectorRegistry()
    for collector in collectors:
        made.register(collector)
    return made


def served(source: CollectorRegistry) -> dict[str, float]:
    """What Prometheus reads, by the samples' names."""
    families = text_string_to_metric_families(generate_latest(source).decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_values_of_the_moment_are_served() -> None:
    stats = jt.Counters(["hits", "misses"])
    source = registry(CounterCollector(stats))
    assert served(source) == {"hits_total": 0, "misses_total": 0}
    stats.hits.add(3)
    stats.misses.add(-2)
    assert served(source) == {"hits_total": 3, "misses_total": -2}
    assert stats.reset() == {"hits": 3, "misses": -2}
    stats.hits.add()
    assert served(source) == {"hits_total": 1, "misses_total": 0}


def test_the_text_that_is_served() -> None:
    stats = jt.Counters(["hits", "misses"])
    text = generate_latest(
        registry(CounterCollector(stats, prefix="app_", help={"hits": "Found\nat once"}))
    ).decode()
    assert text.splitlines() == [
        r"# HELP app_hits_total Found\nat once",
        "# TYPE app_hits_total counter",
        "app_hits_total 0.0",
        "# HELP app_misses_total misses, counted by jumptable",
        "# TYPE app_misses_total counter",
        "app_misses_total 0.0",
    ]


def test_an_ending_of_the_names_own_is_not_doubled() -> None:
    stats = jt.Counters(["hits_total"])
    stats.hits_total.add()
    assert served(registry(CounterCollector(stats))) == {"hits_total": 1}


@pytest.mark.thread_unsafe(reason="damages the file")
def test_names_are_described_without_being_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A registry asks at once, so that a name given twice is found as it is registered."""
    path = tmp_path / "stats"
    collector = CounterCollector(jt.Counters(["hits", "misses"], path=path), prefix="app_")
    os.truncate(path, 0)
    families = list(collector.describe())
    assert [(family.name, family.type, family.samples) for family in families] == [
        ("app_hits", "counter", []),
        ("app_misses", "counter", []),
    ]
    source = registry(collector)
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        source.register(CounterCollector(jt.Counters(["hits"]), prefix="app_"))
    source.register(CounterCollector(jt.Counters(["hits"]), prefix="other_"))
    assert not caplog.records


@pytest.mark.parametrize(
    ("names", "prefix", "shown"),
    [
        (["two words"], "", "'two words'"),
        (["GET /index"], "app_", "'app_GET /index'"),
        (["1"], "", "'1'"),
        (["é"], "", "'é'"),
        (["hits\n"], "", r"'hits\n'"),
        (["hits"], "my app ", "'my app hits'"),
        (["hits"], "-", "'-hits'"),
    ],
)
def test_names_that_no_metric_has(names: list[str], prefix: str, shown: str) -> None:
    message = f"a metric cannot be called {re.escape(shown)}: letters, digits, .* or another prefix"
    with pytest.raises(ValueError, match=message):
        CounterCollector(jt.Counters(names), prefix=prefix)


def test_names_that_metrics_have() -> None:
    stats = jt.Counters(["1", "a:b", "A_9"])
    assert set(served(registry(CounterCollector(stats, prefix="_")))) == {
        "_1_total",
        "_a:b_total",
        "_A_9_total",
    }


def test_counters_that_would_be_one_metric() -> None:
    with pytest.raises(ValueError, match="'hits' and 'hits_total' would both be app_hits_total"):
        CounterCollector(jt.Counters(["hits", "hits_total"]), prefix="app_")


@pytest.mark.parametrize(
    ("description", "error", "message"),
    [
        ({"hit": "Found", "miss": ""}, ValueError, "describes hit, miss, and there is no such"),
        ({"hits": 3}, TypeError, "describes 'hits' by a str, not int"),
        ({"hits": None}, TypeError, "describes 'hits' by a str, not NoneType"),
    ],
)
def test_descriptions_that_are_refused(
    description: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        CounterCollector(jt.Counters(["hits"]), help=description)


@pytest.mark.parametrize("given", [jt.Counter(), {"hits": 1}, ["hits"], None])
def test_what_are_no_counters(given: Any) -> None:
    message = f"serves Counters, and got {type(given).__name__}; make them with"
    with pytest.raises(TypeError, match=message):
        CounterCollector(given)


@needs_fork
def test_any_process_serves_what_all_have_counted(tmp_path: Path, run_python: Run) -> None:
    text = """
from jumptable.counting.prometheus import CounterCollector
from prometheus_client import CollectorRegistry

def served(stats):
    registry = CollectorRegistry()
    registry.register(CounterCollector(stats, prefix="app_"))
    return registry.get_sample_value("app_hits_total")

mine = adding(1, names=["hits", "misses"])
source = CollectorRegistry()
source.register(CounterCollector(mine, prefix="app_"))

def worker():
    mine.hits.add(100)
    stats = adding(1000)
    assert served(stats) == served(mine) == source.get_sample_value("app_hits_total")

def killed():
    mine.hits.add(10_000)
    os.kill(os.getpid(), signal.SIGKILL)

in_child(worker)
assert os.waitpid(child(killed), 0)[1] == signal.SIGKILL
in_child(worker)
assert source.get_sample_value("app_hits_total") == 12_201
in_child(lambda: mine.reset())
assert source.get_sample_value("app_hits_total") == 0
"""
    run_program(run_python, text, tmp_path / "stats")


@pytest.mark.thread_unsafe(reason="damages the file")
def test_a_damaged_file_is_left_out_and_the_others_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "stats"
    damaged = jt.Counters([f"n{number}" for number in range(12)], path=path)
    good = jt.Counters(["hits"], path=tmp_path / "good")
    good.hits.add(2)
    again = CounterCollector(good, prefix="again_")
    source = registry(CounterCollector(damaged), CounterCollector(good), again)
    assert len(served(source)) == 14
    assert not caplog.records
    whole = path.stat().st_size
    os.truncate(path, 1000)
    for _ in range(2):
        caplog.clear()
        assert served(source) == {"hits_total": 2, "again_hits_total": 2}
        (record,) = caplog.records  # and not one for each counter
        assert (record.name, record.levelno) == ("jumptable", logging.ERROR)
        said = record.getMessage()
        assert said.startswith("not served, the counters 'n0', 'n1', ")
        assert f"and 2 more: {path} is damaged: it has 1000 bytes" in said
    os.truncate(path, whole)


def test_it_is_an_extra_that_nothing_else_needs(tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('not installed')")
    program = "import jumptable as jt; jt.Counters(['a'], path='stats'); "
    program += "import jumptable.counting.prometheus"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.endswith("ImportError: not installed\n")
    assert (tmp_path / "stats").exists()
