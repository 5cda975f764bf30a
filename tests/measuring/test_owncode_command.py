"""``bench TARGET`` and ``bench --script`` on the command line, in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Compile

import jumptable
from jumptable import cli
from jumptable.measuring import owncode, saved
from jumptable.measuring.ladder import YARDSTICKS
from jumptable.measuring.neighbours import Quiet
from jumptable.measuring.results import Row, few

pytestmark = pytest.mark.thread_unsafe(reason="programs in processes of their own")

posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(jumptable.__file__).parent.parent)}


# What is said does not depend on how long is measured, but for a comparison, which takes four
# rounds at least.
PROGRAM = (
    "import sys, jumptable.cli, jumptable.measuring.owncode as own; "
    "own.QUICK_SECONDS = float(sys.argv[1]); sys.exit(jumptable.cli.main(sys.argv[2:]))"
)
COMPARABLE = 0.5


def bench(
    *arguments: str, folder: Path | None = None, seconds: float = 0.1
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(seconds), "bench", "--quick", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=folder,
        env=ENVIRONMENT,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], status: int = 2) -> str:
    """The one line that says what is wrong."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("jumptable: bench: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def below_the_note(shown: str) -> list[str]:
    """Its lines, without what is said first where a neighbour was left out."""
    lines = shown.splitlines()
    if lines[0].startswith("Left out: "):
        assert lines[1] == ""
        return lines[2:]
    return lines


def test_what_was_left_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row(name, "", runs=(few([20.0] * 4),)) for name in ("apply", *YARDSTICKS)]
    undisturbed = Quiet([rows], stretches=20, left_out=3)
    (note,) = undisturbed.notes
    assert note.startswith("Left out: 3 of 20 stretches")
    outcome = owncode.Outcome(rows, {}, False, 0, lambda: print("the table"), undisturbed)
    monkeypatch.setattr(owncode, "_boundary", lambda *_: outcome)
    file = tmp_path / "own.json"
    words = ["bench", "./f.so", "apply", "--json"]
    assert cli.main([*words, str(file)]) == 0
    assert capsys.readouterr().out == f"{note}\n\nthe table\n"
    assert note in json.loads(file.read_text("utf-8"))["jumptable"]["notes"]
    assert cli.main([*words, "-"]) == 0
    assert "benchmarks" in json.loads(capsys.readouterr().out.removesuffix("the table\n"))


# ---- bench TARGET -------------------------------------------------------------------------------


@pytest.fixture
def library(compile_plugin: Compile) -> str:
    text = (
        "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
        "double apply(double x) { return 2 * x; }\n"
        "double first(const double *x) { return *x; }\n"
        "int crash(int x) { raise(SIGSEGV); return x; }\n"
        "int leave(int x) { exit(x); }\n"
        "int later(int x) { static int calls; if (++calls > 1) exit(3); return x; }\n"
        'int print(int x) { static int calls; if (!calls++) { puts("printed"); fflush(stdout); }\n'
        "    return x; }\n"
        "void wait_for_ever(void) { for (;;) pause(); }\n"
    )
    return str(compile_plugin("commands", text))


def test_a_boundary_of_ones_own(library: str) -> None:
    done = bench(library, "apply", "double(double)", "-1.5")
    assert (done.returncode, done.stderr) == (0, "")
    lines = below_the_note(done.stdout)
    assert lines[0] == "What a call of apply(-1.5) costs, a double(double)"
    assert lines[-1].startswith("apply costs ") and lines[-1].endswith(" as much.")
    for row in ("from Python, looked up once", "from C", "with a look-up in the loop", "ctypes"):
        assert any(line.startswith(row) for line in lines), row


@pytest.mark.parametrize(
    "number",
    [
        "-1.5",
        "-inf",
        *(
            pytest.param(number, marks=pytest.mark.long)
            for number in ("-1", "-.5", "-1e3", "-1e-5", "-Infinity", "-nan")
        ),
    ],
)
def test_negative_numbers_are_no_options(library: str, number: str) -> None:
    done = bench(library, "apply", "double(double)", number)
    assert (done.returncode, done.stderr) == (0, "")
    assert below_the_note(done.stdout)[0].startswith(f"What a call of apply({number}) costs")


def test_negative_integers_and_lists_are_no_options(library: str) -> None:
    for symbol, signature, words in (
        ("print", "int(int)", ["-0x10"]),
        ("first", "double(const double *)", ["-1,-2e-3,inf"]),
    ):
        done = bench(library, symbol, signature, *words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_options_between_the_words(library: str) -> None:
    done = bench(library, "apply", "--quick", "double(double)", "-1.5")
    assert (done.returncode, done.stderr) == (0, "")
    assert "-z" in bench(library, "apply", "-z").stderr


def test_chosen_arguments_are_said(library: str) -> None:
    assert "so these were chosen" in bench(library, "apply", "double(double)").stdout


def test_a_python_function_needs_no_signature() -> None:
    done = bench("json", "dumps", "[1, 2]")
    assert (done.returncode, done.stderr) == (0, "")
    assert "dumps costs " in done.stdout


def test_json_and_what_the_function_prints(library: str, tmp_path: Path) -> None:
    done = bench("--json", "-", library, "print", "int(int)", "7")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["jumptable"]["boundary"]["arguments"] == ["7"]
    assert document["metadata"]["jumptable"] == jumptable.__version__
    assert "printed" in done.stderr
    file = tmp_path / "boundary.json"
    done = bench("--json", str(file), library, "apply", "double(double)")
    assert "apply costs" in done.stdout
    assert json.loads(file.read_text())["jumptable"]["boundary"]["symbol"] == "apply"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["aply", "double(double)"], "did you mean 'apply'"),
        (["apply", "double(duble)"], "did you mean 'double'"),
        (["apply", "double(double"], "cannot read the signature"),
        (["apply", "double(double)", "1", "2"], "takes 1 argument (double), and 2 are given"),
        (["apply", "double(double)", "x"], "found 'x'"),
        (["apply"], "with parentheses, as in 'double(double)'"),
        (["apply", "double"], "with parentheses, as in 'double(double)'"),
        ([], "expected TARGET SYMBOL"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(
    library: str, words: list[str], message: str
) -> None:
    assert message in refused(bench(library, *words))


def test_no_such_library() -> None:
    assert "./there/is/none.so" in refused(bench("./there/is/none.so", "apply", "double(double)"))


def test_an_unwritable_document_is_found_out_first(library: str, tmp_path: Path) -> None:
    done = bench("--json", str(tmp_path), library, "crash", "int(int)")
    assert done.returncode == 2
    assert done.stderr.startswith("jumptable: cannot write")


@posix
def test_a_crash_is_told(library: str) -> None:
    said = refused(bench(library, "crash", "int(int)"), 1)
    assert "crash ended the process with SIGSEGV on its first call" in said
    said = refused(bench(library, "leave", "int(int)", "3"), 1)
    assert "leave ended the process with exit status 3 on its first call" in said
    said = refused(bench(library, "later", "int(int)"), 1)
    assert "later ended the process with exit status 3 while it was measured" in said


def test_a_crash_of_the_library_itself_is_told(compile_plugin: Compile, tmp_path: Path) -> None:
    text = (
        "#include <stdlib.h>\n__attribute__((constructor)) static void begin(void) { exit(4); }\n"
        "void apply(void) {}\n"
    )
    path = str(compile_plugin("leaving", text))
    said = refused(bench(path, "apply", "void()"), 1)
    assert f"opening {path} ended the process with exit status 4" in said
    shutil.copy(path, tmp_path / "{ending}.so")
    said = refused(bench("./{ending}.so", "apply", "void()", folder=tmp_path), 1)
    assert "opening ./{ending}.so ended the process with exit status 4" in said


def test_what_it_raises_is_told(tmp_path: Path) -> None:
    (tmp_path / "raising.py").write_text("def fails():\n    raise LookupError('its own')\n")
    said = refused(bench("raising", "fails", folder=tmp_path), 1)
    assert "fails raised LookupError: its own" in said


def test_what_it_raises_later_is_told(tmp_path: Path) -> None:
    (tmp_path / "raising.py").write_text(
        "import sys\ncalls = 0\n"
        "def later():\n    global calls\n    calls += 1\n"
        "    if calls > 5:\n        raise LookupError('its own')\n"
        "def interrupts():\n    raise KeyboardInterrupt('its own')\n"
        "def leaves():\n    sys.exit(3)\n"
        "def by_name(*, x):\n    return x\n"
    )
    said = refused(bench("raising", "later", folder=tmp_path), 1)
    assert "later raised LookupError, though not when it was first called: its own" in said
    said = refused(bench("raising", "interrupts", folder=tmp_path), 1)
    assert "interrupts raised KeyboardInterrupt: its own" in said
    said = refused(bench("raising", "leaves", folder=tmp_path), 1)
    assert "leaves ended the process with exit status 3 on its first call" in said
    assert "'x' can only be given by name" in refused(bench("raising", "by_name", folder=tmp_path))


def test_help_says_how_arguments_are_written() -> None:
    done = bench("--help")
    assert done.returncode == 0
    for word in ("float64[1000]", "--script", "NULL", "examples:"):
        assert word in done.stdout


# ---- results in a file --------------------------------------------------------------------------


def ways(file: Path) -> set[str]:
    return {name.partition(": ")[0] for name in saved.load(str(file)).rows}


def changed(file: Path, factor: float) -> str:
    """The same results, in which all but the yardsticks took so many times as long."""
    found = json.loads(file.read_text())
    for one in found["benchmarks"]:
        if one["metadata"]["name"] not in YARDSTICKS:
            for run in one["runs"]:
                run["values"] = [factor * value for value in run["values"]]
    other = file.with_suffix(".changed.json")
    other.write_text(json.dumps(found))
    return str(other)


def test_an_older_run_of_a_boundary(library: str, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    words = (library, "apply", "double(double)")
    assert bench(*words, "--json", str(file), seconds=COMPARABLE).returncode == 0
    assert ways(file) == {"apply", *YARDSTICKS}
    compare_to(file)
    done = bench(*words, "--compare", changed(file, 0.01), "--threshold", "50", seconds=COMPARABLE)
    assert done.returncode == 1
    assert "apply: from Python, looked up once" in done.stdout
    assert "The yardstick takes " in done.stdout
    done = bench(*words, "--compare", changed(file, 100), "--json", "-", seconds=COMPARABLE)
    assert done.returncode == 0 and "0 of 7 slower" in done.stderr
    assert json.loads(done.stdout)["jumptable"]["boundary"]["verdict"].startswith("apply costs")


def compare_to(file: Path) -> None:
    pytest.importorskip("pyperf")
    command = [sys.executable, "-m", "pyperf", "compare_to", str(file), changed(file, 2)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "2.00x slower" in done.stdout


def test_an_older_run_of_a_function(folder: Path) -> None:
    words = ("--script", "host.py", "--function", "handle")
    assert bench(*words, "--json", "old.json", folder=folder, seconds=COMPARABLE).returncode == 0
    compare_to(folder / "old.json")
    done = bench(
        *words, "--compare", changed(folder / "old.json", 0.01), folder=folder, seconds=COMPARABLE
    )
    assert done.returncode == 1 and "1 of 1 slower" in done.stdout
    done = bench(
        *words, "--compare", changed(folder / "old.json", 100), folder=folder, seconds=COMPARABLE
    )
    assert done.returncode == 0 and "0 of 1 slower" in done.stdout


def test_results_of_a_whole_script(folder: Path) -> None:
    assert bench("--script", "host.py", "--json", "now.json", folder=folder).returncode == 0
    assert ways(folder / "now.json") == {"host.py"}
    compare_to(folder / "now.json")


def test_what_there_is_not_of_ones_own_code(library: str, folder: Path) -> None:
    boundary = (library, "crash", "int(int)")
    program = ("--script", "host.py")
    for words in (boundary, program, (*program, "--function", "handle")):
        assert "--html" in refused(bench(*words, "--html", "page.html", folder=folder))
        assert "--only" in refused(bench(*words, "--only", "ctypes", folder=folder))
        assert (
            "cannot read"
            in refused(bench(*words[:2], *words[2:], "--compare", "none.json", folder=folder))
            or words == program
        )
    assert "--function" in refused(bench(*program, "--compare", "none.json", folder=folder))


# ---- bench --script -----------------------------------------------------------------------------

HOST = """\
import sys
import jumptable as jt
import helper

plugin = jt.open("json")


def handle():
    return plugin.lookup("loads")


def clean(loads=plugin.lookup("loads")):
    return loads("1")


def takes(one):
    return one


def yields():
    yield 1


def main():
    for _ in range(300):
        handle()
    for _ in range(200):
        helper.find("json")
    for _ in range(5):
        jt.Table({"loads": None})
    print("done", *sys.argv[1:])


if __name__ == "__main__":
    main()
"""

HELPER = """\
import importlib


def find(name):
    return importlib.import_module(name)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host.py").write_text(HOST)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def document_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["version"] == "1.0"
    own: dict[str, Any] = found["jumptable"]["hot_path"]
    return {**own, "rows": [one["metadata"]["name"] for one in found["benchmarks"]]}


def lines(found: dict[str, Any]) -> dict[tuple[str, int, str], float]:
    return {
        (Path(one["file"]).name, one["line"], one["kind"]): one["calls"]
        for one in found["findings"]
    }


def test_a_function_of_a_script(folder: Path) -> None:
    done = bench("--script", "host.py", "--function", "handle", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "in a look-up at host.py:9: look 'loads' up once" in done.stdout
    assert 'return plugin.lookup("loads")' in done.stdout
    assert "done" not in done.stdout  # it is no main program
    done = bench("--script", "host.py", "--function", "clean", folder=folder)
    assert "no open, look-up, bind or signature check was seen in it" in done.stdout


def test_a_function_of_a_script_as_json(folder: Path) -> None:
    done = bench("--json", "-", "--script", "host.py", "--function", "handle", folder=folder)
    found = document_of(done)
    assert found["function"] == "handle"
    assert found["rows"] == ["handle()", *YARDSTICKS]
    assert lines(found) == {("host.py", 9, "look-up"): 1.0}


def test_functions_that_are_not_there(folder: Path) -> None:
    def said(name: str) -> str:
        return refused(bench("--script", "host.py", "--function", name, folder=folder))

    assert "did you mean 'handle'?" in said("handel")
    assert "those that it has: handle, clean, takes, yields, main" in said("nothing_like_it")
    assert "no function 'plugin'" in said("plugin")
    assert "takes() needs arguments (missing" in said("takes")
    assert "lambda: list(yields())" in said("yields")


def test_a_whole_script(folder: Path) -> None:
    done = bench("--json", "-", "--script", "host.py", "--", "--more", "x", folder=folder)
    assert done.returncode == 0
    assert done.stderr == "done --more x\n"  # once, and not among the JSON
    found = document_of(done)
    assert lines(found) == {("host.py", 9, "look-up"): 300.0, ("helper.py", 5, "import"): 200.0}
    assert found["rows"] == ["host.py"] and found["watched_ns"] > 0 and found["status"] == 0
    for one in found["findings"]:
        assert 0 <= one["share"] <= 1


def test_a_whole_script_as_a_text(folder: Path) -> None:
    done = bench("--script", "host.py", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("done\nhost.py took ")
    assert "host.py:9  Plugin.lookup" in done.stdout
    assert "helper.py:5  importlib.import_module" in done.stdout


def test_a_script_that_hides_itself(tmp_path: Path) -> None:
    (tmp_path / "hides.py").write_text(
        "import jumptable, sys\n"
        "for _ in range(300):\n    jumptable.open('json')\n"
        "sys.setprofile(None)\n"
    )
    done = bench("--script", "hides.py", folder=tmp_path)
    assert " and set or removed a profiler, after which nothing was seen, " in done.stdout
    assert "hides.py:3  jumptable.open" in done.stdout


def test_a_clean_script(tmp_path: Path) -> None:
    (tmp_path / "clean.py").write_text("import json\nfor _ in range(300):\n    json.loads('1')\n")
    done = bench("--script", "clean.py", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no open, look-up, bind or signature check" in done.stdout


def test_a_script_that_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "import sys\n\ndef f():\n    raise LookupError('own')\n\nf()\n"
    )
    done = bench("--script", "bad.py", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "LookupError: own" in done.stderr
    assert "hotpath" not in done.stderr  # from the script's own first frame on
    for function in ("f", "g"):
        done = bench("--script", "bad.py", "--function", function, folder=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "LookupError: own" in done.stderr
    (tmp_path / "bad.py").write_text("def f(:\n")
    done = bench("--script", "bad.py", folder=tmp_path)
    assert done.returncode == 1 and "SyntaxError" in done.stderr


def test_a_script_that_exits(tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(3)\n")
    done = bench("--script", "exits.py", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("exits.py took")
    assert "ended with exit status 3" in done.stderr
    (tmp_path / "exits.py").write_text("import os\nos._exit(3)\n")
    said = refused(bench("--script", "exits.py", folder=tmp_path), 1)
    assert "exits.py ended the process with exit status 3" in said


def test_what_is_no_script(tmp_path: Path) -> None:
    assert "is not there" in refused(bench("--script", "nothing.py", folder=tmp_path))
    assert "is a folder" in refused(bench("--script", ".", folder=tmp_path))
    assert "--script FILE" in refused(bench("--function", "f", folder=tmp_path))


# ---- Ctrl-C -------------------------------------------------------------------------------------


def interrupted(folder: Path, ready: Path, *arguments: str) -> tuple[int, str, str]:
    """Run, and press Ctrl-C, as a terminal does, when ``ready`` is there."""
    command = [sys.executable, "-m", "jumptable", "bench", "--quick", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        start_new_session=True, env=ENVIRONMENT,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not ready.exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


@posix
def test_ctrl_c_keeps_what_was_counted(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text(
        "import jumptable, pathlib, time\n"
        "for _ in range(150):\n"
        "    jumptable.open('json')\n"
        "pathlib.Path('ready').touch()\n"
        "time.sleep(100)\n"
    )
    status, out, err = interrupted(tmp_path, tmp_path / "ready", "--script", "long.py")
    assert status == 130
    assert "long.py was interrupted after" in out
    assert "long.py:3  jumptable.open" in out
    assert "Traceback" not in err and "interrupted; this is what" in err


@posix
def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "slowly.py").write_text(
        "import pathlib, time\ncalls = 0\n"
        "def wait():\n"
        "    global calls\n"
        "    calls += 1\n"
        "    if calls == 3:\n"
        "        pathlib.Path('ready').touch()\n"
        "    time.sleep(0.11)\n"
    )
    arguments = ("--script", "slowly.py", "--function", "wait")
    status, out, err = interrupted(tmp_path, tmp_path / "ready", *arguments)
    assert status == 130
    assert "wait() costs" in out and "interrupted; this is what" in err
    (tmp_path / "ready").unlink()
    status, out, err = interrupted(tmp_path, tmp_path / "ready", "slowly", "wait")
    assert status == 130
    assert "wait costs" in out and "Traceback" not in err
