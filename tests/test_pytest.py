"""The pytest plugin, in pytest runs of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pluggy
import pytest

pytestmark = pytest.mark.thread_unsafe(reason="programs in processes of their own")

Done = subprocess.CompletedProcess[str]

HEADER = f"jumptable: hook calls compiled (pluggy {pluggy.__version__})"

# A test that says which of its pytest's hook callers are compiled.
TELLING = """
def test_tell(request):
    import pluggy
    hooks = vars(request.config.pluginmanager.hook).values()
    kinds = {type(caller) is pluggy.HookCaller for caller in hooks}
    print("STOCK" if kinds == {True} else "COMPILED" if kinds == {False} else "MIXED")
    print("EXECUTOR", request.config.pluginmanager._inner_hookexec)
"""


# Nobody sees the header of a quiet run or of a worker: it is not to cost anything there.
HEADERS = """
def test_headers(request):
    config = request.config
    lines = config.hook.pytest_report_header(config=config, start_path=config.rootpath)
    hidden = hasattr(config, "workerinput") or config.option.verbose < 0
    assert any("jumptable" in line for line in lines) == (not hidden), lines
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(TELLING + "def test_no(): assert 0\n")
    return tmp_path


def run(*words: str, cwd: Path, **environment: str) -> Done:
    plugins = ["-p", "xdist"] if "-n2" in words else []
    start = ["-m", "pytest", "-p", "no:cacheprovider"]
    return python(*start, *plugins, *words, cwd=cwd, **environment)


def python(*words: str, cwd: Path, **environment: str) -> Done:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    inherited["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what else is installed may warn
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**inherited, **environment},
    )


def test_on_the_command_line(folder: Path) -> None:
    done = run("-s", "-p", "jumptable.pytest", cwd=folder)
    assert done.returncode == 1
    assert HEADER + "\n" in done.stdout
    assert "COMPILED" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_without_it_nothing_happens(folder: Path) -> None:
    done = run("-s", cwd=folder)
    assert "STOCK" in done.stdout
    assert "jumptable" not in done.stdout
    assert "unrecognized arguments: --hook-stats" in run("--hook-stats", cwd=folder).stderr


@pytest.mark.parametrize("how", ["pytest.ini", "pyproject", "PYTEST_ADDOPTS", "PYTEST_PLUGINS",
                                 "conftest", "required"])  # fmt: skip
def test_every_way_to_ask_for_a_plugin(folder: Path, how: str) -> None:
    environment = {}
    if how == "pytest.ini":
        (folder / "pytest.ini").write_text("[pytest]\naddopts = -p jumptable.pytest --hook-stats")
    elif how == "pyproject":
        (folder / "pyproject.toml").write_text(
            "[tool.pytest.ini_options]\naddopts = ['-p', 'jumptable.pytest', '--hook-stats']\n"
        )
    elif how == "PYTEST_ADDOPTS":
        environment[how] = "-p jumptable.pytest --hook-stats"
    elif how == "PYTEST_PLUGINS":
        environment[how] = "jumptable.pytest"
    elif how == "conftest":
        (folder / "conftest.py").write_text("pytest_plugins = ['jumptable.pytest', 'later']\n")
        (folder / "later.py").write_text(  # configured first, but for what asks to be
            "def pytest_configure(config): print('LATER', config.pluginmanager._inner_hookexec)\n"
        )
    else:  # twice is once
        environment["PYTEST_PLUGINS"] = "jumptable.pytest"
        environment["PYTEST_ADDOPTS"] = "-p jumptable.pytest -p jumptable.pytest"
        (folder / "conftest.py").write_text("pytest_plugins = 'jumptable.pytest'\n")
    options = () if "addopts" in how.lower() or how in ("pytest.ini", "pyproject") else (
        "--hook-stats",)  # fmt: skip
    done = run("-s", *options, cwd=folder, **environment)
    assert "COMPILED" in done.stdout
    assert done.stdout.count(f"{HEADER}, and measured for --hook-stats\n") == 1
    assert done.stdout.count("= hook calls =") == 1
    assert (how == "conftest") == ("LATER <built-in method timed_hookexec" in done.stdout)
    assert not re.search(r"\d warning", done.stdout)
    assert done.returncode == 1


@pytest.mark.parametrize("words", [("-p", "no:jumptable.pytest"), ("-pno:jumptable.pytest",)])
def test_it_can_be_switched_off_again(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p jumptable.pytest")
    done = run("-s", *words, cwd=folder)
    assert "STOCK" in done.stdout
    assert "jumptable" not in done.stdout.replace("no:jumptable.pytest", "")


def table(output: str) -> list[list[str]]:
    """The rows of the first table: own, total, calls, hook, plugin."""
    text = re.split(r"own ms +total ms +calls +hook +plugin\n", output)[1].split("\n\n")[0]
    return [line.split(None, 4) for line in text.splitlines()]


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_hook_stats(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "def pytest_addoption(parser): pass\n"
        "def pytest_runtest_setup(item): pass\n"
        "def pytest_runtest_logfinish(): pass\n"
    )
    done = run("-p", "jumptable.pytest", "--hook-stats", "--hook-stats-rows", "all", cwd=folder)
    assert done.returncode == 1
    rows = table(done.stdout)
    own = [number(row[0]) for row in rows]
    assert own == sorted(own, reverse=True)
    found = {(row[3], row[4]): row for row in rows}
    assert found["pytest_addoption", "conftest.py"][2] == "1"  # while conftests are loaded
    setup = found["pytest_runtest_setup", "conftest.py"]
    assert setup[2] == "2"
    assert found["pytest_runtest_logfinish", "conftest.py"][2] == "2"
    protocol = found["pytest_runtest_protocol", "runner"]
    rounding = 0.02
    assert number(protocol[0]) <= number(protocol[1]) - number(setup[0]) + rounding
    assert "the tests themselves" in done.stdout
    plugins = done.stdout.split("\n\n")
    assert any(re.search(r"^ *[\d,]+\.\d\d +5 +conftest\.py$", part, re.M) for part in plugins)
    assert "more;" not in done.stdout


@pytest.mark.parametrize(("words", "rows"), [((), 20), (("--hook-stats-rows=3",), 3)])
def test_how_many_rows(folder: Path, words: tuple[str, ...], rows: int) -> None:
    done = run("-p", "jumptable.pytest", "--hook-stats", *words, "test_it.py", cwd=folder)
    assert len(table(done.stdout)) == rows + 1
    assert done.stdout.count("more; --hook-stats-rows=all shows them") == 2


@pytest.mark.parametrize("value", ["0", "-1", "many", ""])
def test_a_number_of_rows_that_is_none(folder: Path, value: str) -> None:
    done = run("-p", "jumptable.pytest", "--hook-stats", f"--hook-stats-rows={value}", cwd=folder)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{value!r} is neither 'all' nor a number above 0" in done.stderr


def test_off_nothing_is_measured_on_it_is(folder: Path) -> None:
    off = run("-s", "-p", "jumptable.pytest", cwd=folder)
    assert re.search("EXECUTOR .*multicall", off.stdout)
    (folder / "kept.py").write_text(
        "import pytest\n"
        "class Keep:\n"
        "    def pytest_configure(self, config): self.manager = config.pluginmanager\n"
        "keep = Keep()\n"
        "pytest.main(['-s', '-p', 'no:cacheprovider', '-p', 'jumptable.pytest', '--hook-stats'],\n"
        "    plugins=[keep])\n"
        "print('AFTER', keep.manager._inner_hookexec)\n"
    )
    on = python("kept.py", cwd=folder)
    assert "EXECUTOR <built-in method timed_hookexec" in on.stdout
    assert re.search("AFTER .*multicall", on.stdout)


@pytest.mark.parametrize("words", [("--help",), ("--collect-only",), ("--fixtures",),
                                   ("--version",), ("nowhere.py",), ("--maxfail=1",), ("-q",),
                                   ("-p", "no:terminal")])  # fmt: skip
def test_other_ways_to_run_and_to_end(folder: Path, words: tuple[str, ...]) -> None:
    expected = run(*words, cwd=folder)
    done = run("-p", "jumptable.pytest", "--hook-stats", *words, cwd=folder)
    assert done.returncode == expected.returncode
    assert "INTERNALERROR" not in done.stdout + done.stderr
    if "--help" in words:
        assert "--hook-stats-rows=N|all" in done.stdout


def test_failures_and_warnings_look_the_same(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "import pytest, warnings\n"
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_runtest_call(item):\n"
        "    warnings.warn('from a hook', stacklevel=1)\n"
        "    return (yield)\n"
        "def pytest_runtest_teardown(item): raise KeyError('teardown')\n"
    )
    (folder / "test_it.py").write_text("def test_no():\n    x = 1\n    assert x == 2\n")

    def seen(done: Done) -> str:
        text = done.stdout.split("= FAILURES =")[0] + done.stdout.partition("= ERRORS =")[2]
        text = re.sub(r"=+ hook calls =+\n.*?\n(?==)", "", text, flags=re.S)
        lines = (line for line in text.splitlines() if not line.startswith("jumptable:"))
        return re.sub(r"in [\d.]+s =+", "", "\n".join(lines))

    expected = seen(run(cwd=folder))
    assert "KeyError" in expected and "from a hook" in expected
    for words in [("-p", "jumptable.pytest"), ("-p", "jumptable.pytest", "--hook-stats")]:
        assert seen(run(*words, cwd=folder)) == expected


def test_runs_inside_of_tests(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['pytester']\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('again', range(2))\n"
        "@pytest.mark.parametrize('how', ['inprocess', 'subprocess'])\n"
        "def test_run(pytester, how, again):\n"
        "    pytester.makepyfile('def test_a(): pass')\n"
        "    run = getattr(pytester, 'runpytest_' + how)\n"
        "    result = run('-p', 'jumptable.pytest', '--hook-stats', '-W', 'error')\n"
        "    result.assert_outcomes(passed=1)\n"
        "    result.stdout.fnmatch_lines(['jumptable: hook calls compiled*', '*= hook calls =*'])\n"
    )
    for words in [(), ("-p", "jumptable.pytest", "--hook-stats")]:
        done = run("-W", "error", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        assert "4 passed" in done.stdout
        assert ("= hook calls =" in done.stdout) == bool(words)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    pytest.importorskip("xdist")
    (tmp_path / "test_many.py").write_text(
        TELLING.replace("print", "assert 'COMPILED' ==", 1).partition("    print")[0]
        + "import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_n(n): pass\n"
        + HEADERS
    )
    return tmp_path


def test_the_workers_of_xdist_are_compiled(many: Path) -> None:
    done = run("-p", "jumptable.pytest", "-n2", cwd=many)
    assert done.returncode == 0, done.stdout
    assert HEADER in done.stdout
    (many / "conftest.py").write_text("pytest_plugins = ['jumptable.pytest']\n")
    assert run("-n2", cwd=many).returncode == 0
    assert run("-q", "test_many.py::test_headers", cwd=many).returncode == 0


@pytest.mark.parametrize("asked", ["-p", "addopts", "conftest"])
def test_the_workers_numbers_are_added_up(many: Path, asked: str) -> None:
    words = ["--hook-stats", "--hook-stats-rows=all", "-n2"]
    if asked == "-p":
        words += ["-p", "jumptable.pytest"]
    elif asked == "addopts":
        (many / "pytest.ini").write_text("[pytest]\naddopts = -p jumptable.pytest")
    plugins = "pytest_plugins = ['jumptable.pytest']\n" if asked == "conftest" else ""
    (many / "conftest.py").write_text(plugins + "def pytest_sessionfinish(): pass\n")
    done = run(*words, cwd=many)
    assert done.returncode == 0, done.stdout
    assert "2 workers and this process" in done.stdout
    found = {(row[3], row[4]): row for row in table(done.stdout)}
    assert found["pytest_pyfunc_call", "python"][2] == "32"
    assert found["pytest_sessionfinish", "conftest.py"][2] == "3"  # the latest of the workers' too
    assert ("pytest_runtestloop", "dsession") in found
    assert "without the numbers" not in done.stdout


def test_a_worker_that_crashed_is_mentioned(many: Path) -> None:
    (many / "test_crash.py").write_text("import os\ndef test_crash(): os._exit(1)\n")
    done = run("-p", "jumptable.pytest", "--hook-stats", "-n2", "--max-worker-restart=0", cwd=many)
    assert "1 worker and this process" in done.stdout
    assert "without the numbers of 1 worker that ended early" in done.stdout
