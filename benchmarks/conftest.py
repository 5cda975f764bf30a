"""Benchmarks: ``python -m pytest benchmarks -s``. Each prints a table; none fails on a time.

`jumptable.measuring.timing` lets contestants take turns; pytest-benchmark gets what that measured
(saving.py), for its ``--benchmark-save``, ``--benchmark-compare`` and so on.
"""

from __future__ import annotations

import pytest

from competitors import Competitors
from results import Results
from saving import Saving

ROUNDS = 2_000
TESTS, FEWEST_TESTS = 5_000, 20
PLUGIN = "jumptable-benchmarks"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption(
        "--rounds",
        type=int,
        help=f"rounds of each measurement (default: {ROUNDS:,}; 1 with --benchmark-disable)",
    )
    parser.addoption(
        "--tests",
        type=int,
        help=f"tests of a pytest run (default: {TESTS:,}; {FEWEST_TESTS} with --benchmark-disable)",
    )
    if not pluginmanager.hasplugin("benchmark"):
        parser.addoption(
            "--benchmark-disable",
            action="store_true",
            help="measure nothing: check that everything runs, and that all give the same",
        )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Saving(config), PLUGIN)


@pytest.fixture(scope="session")
def saving(request: pytest.FixtureRequest) -> Saving:
    found = request.config.pluginmanager.get_plugin(PLUGIN)
    assert isinstance(found, Saving)
    if not found.checking:
        print("\n" + "  ".join(f"{name}: {fact}" for name, fact in found.machine.items()))
    return found


@pytest.fixture(scope="session")
def checking(saving: Saving) -> bool:
    """Whether nothing is measured: sizes may then be the smallest that run all of the code."""
    return saving.checking


def chosen(given: int | None, usual: int, least: int, checking: bool) -> int:
    if given is not None:
        return given
    return least if checking else usual


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest, checking: bool) -> int:
    return chosen(request.config.getoption("--rounds"), ROUNDS, 1, checking)


@pytest.fixture(scope="session")
def tests(request: pytest.FixtureRequest, checking: bool) -> int:
    return chosen(request.config.getoption("--tests"), TESTS, FEWEST_TESTS, checking)


@pytest.fixture(scope="session")
def competitors(request: pytest.FixtureRequest) -> Competitors:
    cache = request.config.cache
    assert cache is not None
    return Competitors(cache.mkdir("competitors"))


@pytest.fixture
def results(request: pytest.FixtureRequest, saving: Saving) -> Results:
    return Results(saving, request.node)
