"""The command line, in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import jumptable
from jumptable import cli
from jumptable.measuring import files, ladder
from jumptable.measuring.command import PROCESSES

pytestmark = pytest.mark.thread_unsafe(reason="programs in processes of their own")

# Two rows beside the baseline.
QUICK = ("bench", "--quick", "--only", "ctypes")


def run(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jumptable", *arguments]
    if before:
        code = f"import runpy, sys\n{before}\nrunpy.run_module('jumptable', run_name='__main__')"
        command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_bench_prints_the_machine_and_the_whole_ladder() -> None:
    done = run("bench", "--quick")
    assert (done.returncode, done.stderr) == (0, "")
    for expected in ("cpu ", "governor ", "python ", "rounds ", "median", "x direct", "1.00"):
        assert expected in done.stdout
    for rung in ladder.RUNGS:
        assert rung.name in done.stdout


def test_rich_need_not_be_installed() -> None:
    done = run(*QUICK, before="sys.modules['rich'] = None; sys.stdout.isatty = lambda: True")
    assert done.returncode == 0
    assert "ctypes" in done.stdout


def test_json_to_standard_output_is_nothing_but_json() -> None:
    done = run(*QUICK, "--json", "-")
    document = json.loads(done.stdout)
    assert document["metadata"]["jumptable"] == jumptable.__version__
    names = [benchmark["metadata"]["name"] for benchmark in document["benchmarks"]]
    assert names[0] == ladder.BASELINE
    assert any("ctypes" in name for name in names)


def test_a_row_that_does_not_exist_is_refused() -> None:
    done = run("bench", "--only", "ctipes")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("jumptable: bench: no row and no group has 'ctipes'")


def test_comparing_with_an_older_run(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    assert run(*QUICK, "--json", str(old)).returncode == 0
    # A thousand per cent: what a busy machine does to it is not what is tested.
    done = run(*QUICK, "--compare", str(old), "--threshold", "1000")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Compared with the older run" in done.stdout
    assert "0 of 2 slower by more than 1000%" in done.stdout
    document = json.loads(old.read_text())
    for benchmark in document["benchmarks"]:
        if "ctypes" in benchmark["metadata"]["name"]:
            for one in benchmark["runs"]:
                one["values"] = [value / 1000 for value in one["values"]]
    old.write_text(json.dumps(document))
    document["metadata"]["python"] = "CPython 2.7"
    old.write_text(json.dumps(document))
    # What it is compared with may be what is written.
    done = run(*QUICK, "--compare", str(old), "--threshold", "1000%", "--json", str(old))
    assert done.returncode == 1
    assert json.loads(old.read_text())["metadata"]["python"] != "CPython 2.7"
    assert "1 of 2 slower by more than 1000%" in done.stdout
    assert "python: CPython 2.7 then, CPython 3" in done.stdout
    assert "gone" not in run(*QUICK[:3], "builtin", "--compare", str(old)).stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "cannot read"), ("{}", "cannot compare with"), ("what?", "it is not JSON")],
)
def test_what_cannot_be_compared_with_is_said_before_measuring(
    tmp_path: Path, text: str | None, expected: str
) -> None:
    old = tmp_path / "old.json"
    if text is not None:
        old.write_text(text)
    done = run("bench", "--compare", str(old))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert expected in done.stderr


def test_a_threshold_is_a_percentage() -> None:
    done = run("bench", "--threshold", "much")
    assert done.returncode == 2
    assert "'much' is not a percentage, 0 or more" in done.stderr


@pytest.mark.parametrize("both", [("-", "-"), ("same", "same")])
def test_two_reports_do_not_go_to_one_place(tmp_path: Path, both: tuple[str, str]) -> None:
    json_, html = (path if path == "-" else str(tmp_path / path) for path in both)
    done = run("bench", "--json", json_, "--html", html)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--json" in done.stderr and "--html" in done.stderr


def test_html_with_a_matplotlib_that_does_not_work_is_refused_before_measuring(
    tmp_path: Path,
) -> None:
    pytest.importorskip("matplotlib")
    done = run(
        "bench",
        "--html",
        str(tmp_path / "page.html"),
        before="import os\nos.environ['MPLBACKEND'] = 'no such'",
    )
    assert done.returncode == 2 and "bench --html: matplotlib cannot be used: " in done.stderr
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())


def test_html_needs_matplotlib(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run("bench", "--html", str(page), before="sys.modules['matplotlib'] = None")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'bench --html needs matplotlib: pip install "jumptable[bench]"' in done.stderr
    assert not page.exists()


def test_json_to_a_file_replaces_it_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "ladder.json"
    target.write_text("something long that was there before" * 1000)
    done = run(*QUICK, "--json", str(target))
    assert done.returncode == 0
    assert "median" in done.stdout
    assert json.loads(target.read_text())["version"] == "1.0"
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
        files.write_json(str(target), {})
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["old.json"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    files.write_json(str(link), {"new": True})
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
    assert "python -m jumptable bench --html ladder.html" in done.stdout


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

    monkeypatch.setattr("jumptable.measuring.command.measured", interrupt)
    assert cli.main(["bench"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal, and sends a POSIX signal")
@pytest.mark.parametrize("rich", [True, False])
def test_ctrl_c_on_a_terminal_keeps_what_was_measured(tmp_path: Path, rich: bool) -> None:
    if rich:
        pytest.importorskip("rich")
    import pty

    kept = tmp_path / "kept.json"
    hide = "" if rich else "sys.modules['rich'] = None;"
    # Far more rounds than there is time for, so that it is the interrupt that ends it.
    code = (
        f"import runpy, sys; {hide} import jumptable.measuring.command as c\n"
        "c.ROUNDS = 10**7; runpy.run_module('jumptable', run_name='__main__')"
    )
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, "bench", "--only", "ctypes", "--json", str(kept)],
        stdout=subprocess.PIPE,
        stderr=other,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(other)
    shown = b""
    while b": measuring" not in shown:
        shown += os.read(terminal, 1000)
    process.send_signal(signal.SIGINT)
    # Whoever writes to a terminal waits for it to be read.
    threading.Thread(target=drain, args=(terminal,), daemon=True).start()
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "ctypes" in out
    assert "Interrupted: what was measured until then is shown" in out
    assert json.loads(kept.read_text())["benchmarks"]
    assert f"ladder, process 1 of {PROCESSES}".encode() in shown


def drain(terminal: int) -> None:
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        pass  # the other end is closed
    os.close(terminal)


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


@pytest.mark.skipif(sys.platform == "win32", reason="closes a POSIX pipe")
def test_a_reader_who_leaves_does_not_lose_the_file(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "jumptable", *QUICK, "--json", str(kept)]
    try:
        done = subprocess.run(command, stdout=write, timeout=120, check=False)
    finally:
        os.close(write)
    assert done.returncode == 141
    assert json.loads(kept.read_text())["benchmarks"]


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's")
def test_a_standard_error_that_is_closed(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    command = f'"{sys.executable}" -m jumptable {" ".join(QUICK)}'
    for more in (f'--json "{old}"', f'--compare "{old}" --threshold 1000 --json -'):
        done = subprocess.run(
            f"{command} {more} 2>&-", shell=True, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["benchmarks"]


def test_importing_jumptable_does_not_import_measuring() -> None:
    code = "import jumptable, sys; print([m for m in sys.modules if 'measuring' in m])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[]\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_output_that_is_full_or_closed() -> None:
    for redirection in (">/dev/full", ">&-"):
        command = f'"{sys.executable}" -m jumptable bench --quick --only ctypes {redirection}'
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("jumptable: cannot write standard output: ")
        assert done.stderr.count("\n") == 1


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "ladder.json"
    file.touch(mode=0o600)
    files.write_json(str(file), {})
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_name_is_refused_before_measuring() -> None:
    with pytest.raises(OSError, match="No such file"):
        files.check_writable("")


def test_an_encoding_without_a_micro_sign_is_no_failure() -> None:
    for where, decoded in ((None, r"\xb5s"), ("-", "")):
        arguments = [*QUICK[:2], "--only", "signature.bind", *(["--json", "-"] if where else [])]
        command = [sys.executable, "-m", "jumptable", *arguments]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        assert decoded in done.stdout.decode("ascii" if where is None else "utf-8")
