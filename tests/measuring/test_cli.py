"""The command line, in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import jumptable
from jumptable import cli
from jumptable.measuring import ladder, report

pytestmark = pytest.mark.thread_unsafe(reason="programs in processes of their own")

QUICK = ("bench", "--quick")


def run(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jumptable", *arguments]
    if before:
        code = f"import runpy, sys\n{before}\nrunpy.run_module('jumptable', run_name='__main__')"
        command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_bench_prints_the_machine_and_the_ladder() -> None:
    done = run(*QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    for expected in ("cpu", "python", "build", "rounds", "median ns", "reflection", "1.00-1.00"):
        assert expected in done.stdout


def test_cffi_need_not_be_installed() -> None:
    done = run(*QUICK, before="sys.modules['cffi'] = None")
    assert done.returncode == 0
    assert "cffi, ABI mode (cffi is not installed: " in done.stdout


def test_rich_need_not_be_installed() -> None:
    done = run(*QUICK, before="sys.modules['rich'] = None; sys.stdout.isatty = lambda: True")
    assert done.returncode == 0
    assert "ctypes, argtypes set" in done.stdout


def test_json_to_standard_output_is_nothing_but_json() -> None:
    done = run(*QUICK, "--json", "-")
    document = json.loads(done.stdout)
    assert document["machine"]["jumptable"] == jumptable.__version__
    assert len(document["rows"]) == len(ladder.RUNGS)


def test_json_to_a_file_replaces_it_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "ladder.json"
    target.write_text("something long that was there before" * 1000)
    done = run(*QUICK, "--json", str(target))
    assert done.returncode == 0
    assert "median ns" in done.stdout
    assert json.loads(target.read_text())["schema"] == "jumptable-bench/1"
    assert os.listdir(tmp_path) == ["ladder.json"]


@pytest.mark.parametrize("where", ["no/such/folder/file.json", "."])
def test_an_unwritable_path_is_one_line_and_status_2(tmp_path: Path, where: str) -> None:
    done = run(*QUICK, "--json", str(tmp_path / where))
    assert done.returncode == 2
    assert done.stdout == ""  # found out before measuring
    assert done.stderr.startswith("jumptable: cannot write")
    assert done.stderr.count("\n") == 1


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "old.json"
    target.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        report.write_json(str(target), {})
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["old.json"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    report.write_json(str(link), {"new": True})
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"new": True}


def test_include_prints_the_folder_of_the_headers_and_nothing_else() -> None:
    done = run("include")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == jumptable.get_include() + "\n"
    assert os.path.isfile(os.path.join(done.stdout.strip(), "jumptable", "host.h"))


def test_include_takes_no_arguments_and_explains_itself() -> None:
    assert run("include", "more").returncode == 2
    done = run("include", "--help")
    assert done.returncode == 0
    assert "jumptable/plugin.h and host.h" in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_include_says_where_it_cannot_write() -> None:
    command = f'"{sys.executable}" -m jumptable include >/dev/full'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("jumptable: cannot write standard output: ")


def test_without_a_command_help_and_status_2() -> None:
    done = run()
    assert done.returncode == 2
    assert "bench" in done.stderr
    assert "examples:" in done.stderr


def test_help_has_an_example() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "python -m jumptable bench --json" in done.stdout


def test_version() -> None:
    assert run("--version").stdout == f"jumptable {jumptable.__version__}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    done = run("fly")
    assert done.returncode == 2
    assert "fly" in done.stderr


def test_ctrl_c_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jumptable.measuring.ladder.climb", interrupt)
    assert cli.main(["bench"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_real_interrupt_is_quiet() -> None:
    # Raised by the process itself while it measures, so that no clock is involved.
    before = "import os, signal; from jumptable.measuring import ladder\n" + (
        f"ladder.climb = lambda *_, **__: os.kill(os.getpid(), {int(signal.SIGINT)})"
    )
    done = run("bench", before=before)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="closes a POSIX pipe")
def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "jumptable", *QUICK]
    try:
        done = subprocess.run(
            command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_importing_jumptable_does_not_import_measuring() -> None:
    code = "import jumptable, sys; print([m for m in sys.modules if 'measuring' in m])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[]\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_output_that_is_full_or_closed() -> None:
    for redirection in (">/dev/full", ">&-"):
        command = f'"{sys.executable}" -m jumptable bench --quick {redirection}'
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("jumptable: cannot write standard output: ")
        assert done.stderr.count("\n") == 1


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "ladder.json"
    file.touch(mode=0o600)
    report.write_json(str(file), {})
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_name_is_refused_before_measuring() -> None:
    with pytest.raises(OSError, match="No such file"):
        report.check_writable("")
