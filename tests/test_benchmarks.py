"""What benchmarks hand to pytest-benchmark, by whole runs of it on a benchmark that takes no time.

What it times is a contestant that says what it took, so that nothing here depends on a machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SHARED = ("conftest.py", "competitors.py", "results.py", "saving.py", "signatures.py", "pytest.ini")
TINY = """
import os

import pytest

from jumptable.measuring.timing import Contestant, measure
from results import Results, Times, entered


def taking(name, ns, empty=None):
    def loop(count):
        with open("calls", "a") as file:
            file.write(f"{name}\\n")
        return ns * count
    return Contestant(name, loop, empty)


@pytest.mark.parametrize("kind", ["one", "other"])
def bench_calls(kind, results: Results, rounds: int) -> None:
    ours = int(os.environ.get("OURS", "100"))
    found = [taking("ours", ours), taking("theirs", 400), taking("free", 5, taking("empty", 5))]
    measurement = measure(found, rounds=min(rounds, 50), slice_ns=1)
    results.compare(f"A call, {kind}", measurement, "ours", {"theirs": 0.5})


def bench_bytes(results: Results, checking: bool) -> None:
    results.table("Memory", ["who", "bytes"], [["ours", "17"]], [{"name": "ours", "bytes": 17}])
    results.note("checked" if checking else "measured")


def bench_twins(results: Results) -> None:
    measurement = measure([taking("twin", 3)], rounds=1, slice_ns=1)
    times = entered("Twins", measurement, "twin")
    disturbed = Times("Disturbed", "one", [3.0, 0.0, 5.0])
    results.table("Disturbed", ["who"], [["one"]], [], [disturbed])
    if "TWINS" in os.environ:
        results.table("Twins", ["who"], [["twin"]], [], [*times, *times])
"""

INSTALLED = find_spec("pytest_benchmark") is not None
COMMAND = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
# No others are loaded: it takes less time.
PLUGIN, NO_PLUGIN = ["-p", "benchmark"], ["-p", "no:benchmark"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def prepared(folder: Path) -> Run:
    """Runs the tiny benchmark in a folder, with the real conftest.py."""
    if not BENCHMARKS.is_dir():
        pytest.skip("there is no folder of benchmarks here")
    for name in SHARED:
        shutil.copy(BENCHMARKS / name, folder)
    shutil.copytree(BENCHMARKS / "native", folder / "native")
    (folder / "build.py").write_text("")
    (folder / "bench_tiny.py").write_text(TINY)

    def run_it(
        *options: str, with_plugin: bool = INSTALLED, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        (folder / "calls").unlink(missing_ok=True)
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        kept["PYTHONPATH"] = os.pathsep.join(os.path.abspath(each) for each in inherited if each)
        return subprocess.run(
            [*COMMAND, *(PLUGIN if with_plugin else NO_PLUGIN), *options],
            cwd=folder,
            env={**kept, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run_it


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return prepared(tmp_path)


@pytest.fixture
def saved(run: Run) -> Run:
    if not INSTALLED:
        pytest.skip("needs pytest-benchmark")
    return run


@dataclass(frozen=True)
class Done:
    folder: Path
    said: str
    run: Run


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A run whose results several tests look at: most of what a run takes is to start it."""
    if not INSTALLED:
        pytest.skip("needs pytest-benchmark")
    folder = tmp_path_factory.mktemp("done")
    run = prepared(folder)
    options = ("-s", "--benchmark-save", "first", "--benchmark-json", "out.json", "--rounds", "40")
    return Done(folder, good(run(*options)), run)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().split()


def document(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def good(done: subprocess.CompletedProcess[str], passed: int = 4) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout
    return done.stdout


def test_the_readme_names_every_benchmark() -> None:
    if not BENCHMARKS.is_dir():
        pytest.skip("there is no folder of benchmarks here")
    table = (BENCHMARKS / "README.md").read_text("utf-8")
    found = sorted(path.name for path in BENCHMARKS.glob("bench_*.py"))
    assert [name for name in found if f"| `{name}` |" not in table] == []


def test_each_contestant_of_each_question_becomes_an_entry(done: Done) -> None:
    written = document(done.folder / "out.json")
    entries = {entry["fullname"]: entry for entry in written["benchmarks"]}
    prefix = "bench_tiny.py::bench_calls"
    # What costs nothing has no per cent that it could become slower by.
    assert set(entries) == {
        f"{prefix}[{kind}]: A call, {kind}: {who}"
        for kind in ("one", "other")
        for who in ("ours", "theirs")
    } | {"bench_tiny.py::bench_twins: Disturbed: one"}
    theirs = entries[f"{prefix}[one]: A call, one: theirs"]
    assert theirs["group"] == "A call, one"
    assert theirs["param"] == "theirs"
    assert theirs["stats"]["data"] == pytest.approx([400e-9] * 20)
    assert theirs["stats"]["median"] == pytest.approx(400e-9)
    disturbed = entries["bench_tiny.py::bench_twins: Disturbed: one"]["stats"]["data"]
    assert disturbed == pytest.approx([3e-9, 5e-9])
    facts = theirs["extra_info"]
    assert facts["ours / this"] == 0.25
    assert (facts["at_most"], facts["met"], facts["rounds"]) == (0.5, True, 40)
    assert entries[f"{prefix}[one]: A call, one: ours"]["extra_info"]["met"] is None


def test_what_is_no_time_is_saved_too(done: Done) -> None:
    ours = document(done.folder / "out.json")["jumptable"]
    assert ours["schema"] == "jumptable-benchmarks/2"
    assert ours["machine"]["python"]
    found = {table.get("title", table.get("note")): table for table in ours["tables"]}
    assert found["Memory"]["rows"] == [{"name": "ours", "bytes": 17}]
    assert found["Memory"]["test"] == "bench_tiny.py::bench_bytes"
    assert "measured" in found
    (calls,) = (found[title] for title in found if title.startswith("A call, one "))
    assert [row["name"] for row in calls["rows"]] == ["ours", "theirs", "free"]
    # What costs nothing has no ratio, and JSON no NaN.
    assert calls["rows"][2]["ours / this"] is None
    for path in (done.folder / "out.json", *(done.folder / ".benchmarks").rglob("*.json")):
        assert "NaN" not in path.read_text("utf-8")


def test_a_run_without_any_time_is_saved_too(saved: Run, tmp_path: Path) -> None:
    good(saved("--benchmark-json", "out.json", "-k", "bytes"), passed=1)
    written = document(tmp_path / "out.json")
    assert written["benchmarks"] == []
    assert written["jumptable"]["tables"][0]["title"] == "Memory"


def test_a_saved_run_names_no_host_and_nothing_that_always_changes(done: Done) -> None:
    (path,) = (done.folder / ".benchmarks").rglob("0001_first.json")
    facts = document(path)["machine_info"]
    assert "node" not in facts
    assert not [name for name in facts["cpu"] if name.startswith("hz_actual")]
    assert document(path)["jumptable"]["tables"]


def test_runs_are_compared_and_one_that_got_slower_fails(done: Done) -> None:
    compared = ("--benchmark-compare=0001", "--benchmark-compare-fail=median:10%")
    slower = done.run(*compared, "-k", "calls", OURS="130")
    assert slower.returncode != 0
    said = slower.stdout + slower.stderr
    assert "bench_calls[one]: ours" in said and "Performance has regressed" in said
    assert "theirs (0001_first) - Field" not in said
    # Faster is no failure.
    faster = done.run(*compared, "-k", "calls", "--rounds", "30", OURS="50")
    assert "bench_calls[one]: ours (0001_first)" in good(faster, passed=2)
    assert "machine_info is different" not in faster.stdout + faster.stderr


def test_pytest_benchmarks_table_is_shown_to_who_asks_for_it(done: Done) -> None:
    assert "A call, one  (ratio" in done.said and "Outliers" not in done.said
    options = ("--benchmark-only", "--benchmark-columns=median", "--benchmark-sort=name")
    asked = good(done.run("-s", *options))
    assert "A call, one  (ratio" in asked and "benchmark 'A call, one': 2 tests" in asked
    assert "Median" in asked and "StdDev" not in asked


def test_none_of_the_benchmarks(saved: Run) -> None:
    assert "4 skipped" in saved("--benchmark-skip").stdout


def test_a_run_that_is_disabled_runs_everything_once_and_shows_nothing(
    run: Run, tmp_path: Path
) -> None:
    said = good(run("-s", "--benchmark-disable"))
    assert "A call" not in said and "Memory" not in said and "measured" not in said
    # Twice to find out how often, to warm up, and in the round; what takes long is not warmed up.
    found = Counter(calls(tmp_path))
    assert found.pop("twin") == 2 + 1 + 1
    assert found == {"ours": 8, "theirs": 8, "free": 8, "empty": 8}
    assert not list(tmp_path.rglob("*.json"))


def test_processes_beside_one_another_only_check(saved: Run) -> None:
    pytest.importorskip("xdist")
    good(saved("-p", "xdist", "-n", "1"))


def test_without_pytest_benchmark_all_is_measured_and_shown(run: Run, tmp_path: Path) -> None:
    said = good(run("-s", "--rounds", "5", with_plugin=False))
    assert "A call, one  (ratio" in said
    assert "pytest-benchmark is not installed" in said
    assert calls(tmp_path).count("ours") == 2 * (2 + 1 + 5)


@pytest.mark.parametrize("with_plugin", [INSTALLED, False], ids=["measured", "disabled"])
def test_two_contestants_of_one_name_are_an_error(
    run: Run, tmp_path: Path, with_plugin: bool
) -> None:
    """With pytest-benchmark, and without it in a run that only checks."""
    options = ("-k", "twins") if with_plugin else ("-s", "--benchmark-disable")
    failed = run(*options, with_plugin=with_plugin, TWINS="1")
    assert failed.returncode == 1
    assert "bench_twins: Twins: twin': one would hide the other" in failed.stdout
    if not with_plugin:
        assert "A call" not in failed.stdout
        assert calls(tmp_path).count("ours") == 2 * 4
