"""Results in files: pyperf reads what is written, and what is read back is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jumptable.measuring import machine, saved
from jumptable.measuring.results import Curve, Experiment, Guide, Report, Row, Run, Trial
from jumptable.measuring.timing import Spread

pytestmark = pytest.mark.thread_unsafe(reason="processes and modules that pyperf changes")


def row(name: str, *values: float, group: str = "calls") -> Row:
    run = Run(values, values, min(values), 1000)
    return Row(name, group, "what it is", Guide("cached", 5, 10), runs=(run, run))


def report(*rows: Row) -> Report:
    facts: dict[str, str | int | float] = {"cpu": "a chip", "usable cpus": 2, "load": 0.5, "x": ""}
    curve = Curve("threads", "how", "threads", "ns", {"padded": [(1, Spread(1, 1, float("nan")))]})
    tried = Experiment("pooling", [Trial("pool", Spread(1, 1, 1))], "No gain.")
    return Report(facts, rows, [curve], [tried], ["Unstable."])


def write(path: Path, found: Report) -> Path:
    path.write_text(json.dumps(saved.document(found), allow_nan=False), "utf-8")
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path / "new.json", report(row("a", 10, 20), row("b", 5.5)))
    found = saved.load(str(path))
    assert {name: [round(v, 9) for v in values] for name, values in found.rows.items()} == {
        "a": [10, 20, 10, 20],
        "b": [5.5, 5.5],
    }
    assert found.processes == {"a": 2, "b": 2}
    assert (found.facts["cpu"], found.facts["usable_cpus"]) == ("a chip", 2)


def test_pyperf_loads_it(tmp_path: Path) -> None:
    pyperf = pytest.importorskip("pyperf")
    rows = row("a", 10, 20), row("nothing", 0, 0), Row("absent", "calls", missing="not installed")
    path = write(tmp_path / "new.json", report(*rows))
    suite = pyperf.BenchmarkSuite.load(str(path))
    assert suite.get_benchmark_names() == ["a", "nothing"]
    benchmark = suite.get_benchmark("a")
    assert benchmark.get_nrun() == 2
    assert benchmark.median() == pytest.approx(15e-9)
    assert benchmark.get_unit() == "second"
    metadata = benchmark.get_metadata()
    assert (metadata["cpu"], metadata["usable_cpus"], metadata["loops"]) == ("a chip", 2, 1000)
    assert metadata["guide_low_ns"] == 5


def test_pyperf_compares_it(tmp_path: Path) -> None:
    pytest.importorskip("pyperf")
    old = write(tmp_path / "old.json", report(row("a", 10, 10.1), row("b", 7, 7.1)))
    new = write(tmp_path / "new.json", report(row("a", 20, 20.1), row("b", 7, 7.1)))
    command = [sys.executable, "-m", "pyperf", "compare_to", str(old), str(new)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "a: Mean +- std dev: [old] 10" in done.stdout
    assert "2.00x slower" in done.stdout
    assert "(1): b" in done.stdout


def test_every_command_of_pyperf_reads_it(tmp_path: Path) -> None:
    """In one process: they are functions of one module."""
    pytest.importorskip("pyperf")
    made = report(row("a", 10, 10.1), row("free", 0, 0))
    path = write(tmp_path / "new.json", replace(made, machine={**machine.describe(), "x": ""}))
    commands = ("stats", "hist", "metadata", "show", "check", "dump", "slowest")
    code = (
        "import runpy, sys\n"
        "from pyperf import Runner\n"
        f"for command in {commands!r}:\n"
        f"    Runner._created.clear()  # which are once per process\n"
        f"    print('command:', command); sys.argv = ['pyperf', command, {str(path)!r}]\n"
        "    try: runpy.run_module('pyperf', run_name='__main__')\n"
        "    except SystemExit as ended: assert not ended.code, ended.code\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("command:") == len(commands)
    assert "Start date: 20" in done.stdout
    assert f"- cpu: {machine.describe()['cpu']}" in done.stdout


def test_what_pyperf_writes_is_read(tmp_path: Path) -> None:
    pyperf = pytest.importorskip("pyperf")
    runs = [
        pyperf.Run([1e-8, 2e-8], metadata={"name": "one", "loops": 4}, collect_metadata=False)
        for _ in range(2)
    ]
    pyperf.Benchmark(runs).dump(str(tmp_path / "one.json"))
    found = saved.load(str(tmp_path / "one.json"))
    assert list(found.rows["one"]) == pytest.approx([10, 20, 10, 20])
    assert found.processes == {"one": 2}
    assert list(found.disturbed) == []


def test_a_process_counts_for_as_much_as_it_has(tmp_path: Path) -> None:
    assert saved.effective([20, 20, 20]) == 3
    assert 1 < saved.effective([60, 1, 1, 1, 1]) < 1.2
    assert saved.effective([]) == saved.effective([0]) == 0


@pytest.mark.parametrize("odd", [None, 3, {"a": 1}, [1, None]])
def test_what_may_be_disturbed_is_read_back(tmp_path: Path, odd: object) -> None:
    path = write(tmp_path / "new.json", replace(report(row("a", 10)), disturbed=["a", "gone"]))
    assert list(saved.load(str(path)).disturbed) == ["a", "gone"]
    found = json.loads(path.read_text("utf-8"))
    found["jumptable"]["disturbed"] = odd
    path.write_text(json.dumps(found), "utf-8")
    assert "a" not in saved.load(str(path)).disturbed


def test_what_pyperf_has_no_place_for_is_there_too() -> None:
    rows = row("a", 10), Row("absent", "calls", missing="not installed")
    beside = saved.document(report(*rows))["jumptable"]
    assert isinstance(beside, dict)
    assert beside["missing"] == {"absent": "not installed"}
    assert beside["notes"] == ["Unstable."]
    assert beside["experiments"][0]["verdict"] == "No gain."
    # Of what is not a number there is none in JSON.
    assert beside["curves"][0]["series"]["padded"] == [[1, {"median": 1, "low": 1, "high": None}]]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "not JSON"),
        ("[1]", "expected what bench --json or pyperf writes"),
        ("{}", "expected what bench --json or pyperf writes"),
        ('{"benchmarks": []}', "stopped before its first round"),
        ('{"benchmarks": [{}]}', "has no name"),
        ('{"benchmarks": [7]}', "has no name"),
        ('{"benchmarks": [{"metadata": {"name": "a"}, "runs": {}}]}', "no list 'runs'"),
        ('{"benchmarks": [{"metadata": {"name": "a"}, "runs": [{"values": ["1"]}]}]}', "of 'a'"),
        ('{"benchmarks": [{"metadata": {"name": "a"}, "runs": [{"values": [-1]}]}]}', "of 'a'"),
        ('{"benchmarks": [{"metadata": {"name": "a"}, "runs": [{"values": [NaN]}]}]}', "of 'a'"),
        ('{"benchmarks": [{"metadata": {"name": "a"}, "runs": [{"values": [true]}]}]}', "of 'a'"),
        ('{"benchmarks": [{"metadata": {"name": "a"}, "runs": [5]}]}', "of 'a'"),
        (
            '{"benchmarks": [{"metadata": {"name": "a"}, "runs": [{"values": [1e308]}]}]}',
            "of 'a'",
        ),
        (
            '{"benchmarks": [{"metadata": {"name": "a"}, "runs": [{"values": [1%s]}]}]}'
            % ("0" * 400),
            "of 'a'",
        ),
        (
            '{"metadata": {"unit": "byte"}, "benchmarks": '
            '[{"metadata": {"name": "a"}, "runs": [{"values": [1]}]}]}',
            "the unit of 'a' is 'byte'",
        ),
        ("[" * 100_000, "nested too deeply"),
        ('{"schema": "jumptable-bench/1", "rows": []}', "expected what bench --json"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, "utf-8")
    with pytest.raises(saved.NotResultsError, match=wrong):
        saved.load(str(path))


def test_binary_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(b"\x7fELF\xff\xfe")
    with pytest.raises(saved.NotResultsError, match="not JSON"):
        saved.load(str(path))
