"""pytest on compiled hook calls, together with the plugins that most people have."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from tests.calling.test_visibility import run_module

TESTS = """
import asyncio
import pytest
from hypothesis import given, strategies

from measured import double


@pytest.mark.asyncio
async def test_waits():
    await asyncio.sleep(0)
    assert double(2) == 4


@pytest.mark.asyncio
async def test_waits_and_fails():
    await asyncio.sleep(0)
    raise ValueError("after waiting")


@given(strategies.integers())
def test_any_number(number):
    assert double(number) % 2 == 0


@given(strategies.integers(0, 100))
def test_finds_one(number):
    assert number < 50


@pytest.fixture(params=["one", "two"])
def each(request):
    yield request.param
    assert request.param == "one", "teardown"


def test_fixture(each):
    assert each


@pytest.mark.parametrize("number", range(20))
def test_many(number):
    if number == 3:
        pytest.skip("three")
    if number == 4:
        pytest.xfail("four")
    assert number != 5
"""
MEASURED = """
def double(number):
    if number is None:
        return None
    return number * 2
"""


@pytest.mark.long
@pytest.mark.parametrize("workers", ["0", "2"])
def test_outcomes_and_coverage_are_the_same(tmp_path: Path, workers: str) -> None:
    for plugin in ("hypothesis", "pytest_asyncio", "pytest_cov", "xdist"):
        pytest.importorskip(plugin)
    (tmp_path / "test_all.py").write_text(TESTS)
    (tmp_path / "measured.py").write_text(MEASURED)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(name: str, *options: str) -> tuple[Any, Any]:
        report = tmp_path / f"{name}.xml"
        done = run_module(
            tmp_path,
            *("pytest", "-q", "-n", workers, "--cov=measured", "--cov-branch"),
            *(f"--cov-report=json:{name}.json", f"--junitxml={report}", *options),
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert "INTERNALERROR" not in done.stdout
        outcomes = sorted(
            (str(case.get("name")), [(each.tag, each.get("type")) for each in case])
            for case in ElementTree.parse(report).iter("testcase")
        )
        measured = json.loads((tmp_path / f"{name}.json").read_text())["files"]["measured.py"]
        return outcomes, measured["summary"]

    stock, compiled = run("stock"), run("compiled", "-p", "jumptable.pytest")
    assert compiled == stock
    outcomes, summary = compiled
    assert len(outcomes) == 26
    assert sum(bool(marks) for _, marks in outcomes) == 6
    assert summary["covered_lines"] == 3
