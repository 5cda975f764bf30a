"""Benchmarks: ``python -m pytest benchmarks -s``. Each prints a table; none fails on a time.

pytest-benchmark is not used: it times one contestant after the other, so a machine that slows
down meanwhile decides who wins. `jumptable.measuring.timing` lets them take turns.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from competitors import Competitors
from results import Results


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--json", metavar="FILE", help="write all tables as JSON; '-' prints it")
    parser.addoption(
        "--rounds", type=int, default=2000, help="rounds of each measurement (default: %(default)s)"
    )
    parser.addoption(
        "--tests", type=int, default=5000, help="tests of a pytest run (default: %(default)s)"
    )


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--rounds"))


@pytest.fixture(scope="session")
def competitors(request: pytest.FixtureRequest) -> Competitors:
    cache = request.config.cache
    assert cache is not None
    return Competitors(cache.mkdir("competitors"))


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    found = Results()
    found.start()
    yield found
    path = request.config.getoption("--json")
    if path:
        found.save(path)
