"""``python -m jumptable doctor``: its arguments, its reports and its exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Compile

from jumptable import cli

pytest.importorskip("psutil")
pytest.importorskip("rich")

pytestmark = pytest.mark.thread_unsafe(reason="programs in processes of their own")

CLEAN = "def new():\n    return object()\n"
EVIL = "<script>alert(1)</script> & \x1b[31m"
VOID = {"meta", "link", "br", "hr", "img", "input"}


Said = tuple[int, str, str]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command in this process: its status, and what it writes."""

    def run(*arguments: object) -> Said:
        status = cli.main(["doctor", *map(str, arguments)])
        return (status, *capsys.readouterr())

    return run


def doctor(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jumptable", "doctor", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, **options
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a clean plugin and some that are not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # where python -m looks
    (tmp_path / "clean.py").write_text(CLEAN)
    (tmp_path / "noting.py").write_text("import re\n\nPATTERN = re.compile('a+b')\n")
    (tmp_path / "warning.py").write_text("import os\n\nos.environ['FROM_A_PLUGIN'] = '1'\n")
    return tmp_path


class Page(HTMLParser):
    """Checks that tags are balanced, and collects what a test asks about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_clean_plugin_is_status_0_and_a_note_too(folder: Path) -> None:
    done = doctor("clean", "noting", "clean", "--runs", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("│ clean") == 1  # named twice, examined once
    assert "1 note" in done.stdout and "none" in done.stdout
    assert f"{folder / 'noting.py'}:3  a+b" in done.stdout.replace("\n", "")
    assert max(map(len, done.stdout.splitlines())) <= 80 or str(folder) in done.stdout
    assert "\x1b" not in done.stdout


def test_json_has_what_the_page_says_of_it(folder: Path, here: Callable[..., Said]) -> None:
    targets = ("clean", "warning", "nothing_of_this_name")
    status, said, complaints = here(*targets, "--runs", 2, "--json", "-")
    assert (status, complaints) == (1, "")
    document = json.loads(said)
    assert set(document) == {
        "schema", "machine", "runs", "timeout_seconds", "max_ms", "status", "plugins",
    }  # fmt: skip
    assert (document["schema"], document["runs"], document["status"]) == (
        "jumptable-doctor/1",
        2,
        1,
    )
    clean, warning, missing = document["plugins"]
    assert set(clean) == {
        "name", "target", "group", "kind", "path", "seconds", "totals_seconds", "memory_bytes",
        "imports", "not_looked_at", "findings",
    }  # fmt: skip
    assert clean["path"] == str(folder / "clean.py")
    assert (clean["findings"], clean["group"]) == ([], None)
    seconds = clean["seconds"]
    assert seconds["total"] in clean["totals_seconds"] and len(clean["totals_seconds"]) == 2
    assert seconds["total"] == pytest.approx(
        seconds["finding"] + seconds["dependencies"] + seconds["own"]
    )
    (row,) = [row for row in clean["imports"] if row["name"] == "clean"]
    assert (row["own"], row["parent"], row["file"]) == (True, None, str(folder / "clean.py"))
    (found,) = warning["findings"]
    assert (found["symptom"], found["severity"]) == ("environment", "warning")
    assert found["places"] == [
        {
            "detail": "FROM_A_PLUGIN",
            "file": str(folder / "warning.py"),
            "line": 3,
            "by_file": None,
            "by_line": None,
        }
    ]
    assert missing["seconds"] is None and missing["imports"] == []
    assert missing["findings"][0]["symptom"] == "failed"


def test_html_is_one_whole_page_that_nobody_can_write_into(
    folder: Path, compile_plugin: Compile, here: Callable[..., Said]
) -> None:
    library = compile_plugin("doctor_bad", None, "-DENVIRONMENT")
    evil = folder / f"{EVIL.replace('/', '|')}.so"
    evil.write_bytes(library.read_bytes())
    (folder / "raising.py").write_text(f"raise ValueError({EVIL!r})\n")
    (folder / "importing.py").write_text("import json, warning\n")
    targets = (f"./{evil.name}", "raising", "importing")
    status, said, _ = here(*targets, "--runs", 1, "--html", "page.html")
    assert status == 1 and "\x1b" not in said
    text = (folder / "page.html").read_text("utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert not {name for name, _ in page.attributes} & {"src", "onload", "onclick"}
    links = [value for name, value in page.attributes if name == "href"]
    assert links and all(link.startswith("#plugin-") for link in links)
    assert "url(" not in text and "@import" not in text and "http" not in page.text
    for words in (EVIL.replace("/", "|").replace("\x1b", "\\x1b"), "ValueError", "FROM_A_PLUGIN",
                  "Imports: ", "own initialisation", "Measured on"):  # fmt: skip
        assert words in page.text
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text
    bars = [value for name, value in page.attributes if name == "style" and "width" in value]
    assert bars
    assert all(0 <= float(share) <= 100 for share in re.findall(r"width:([\d.]+)%", " ".join(bars)))
    assert os.listdir(folder).count("page.html") == 1 and not list(folder.glob("*.tmp"))


def test_a_budget(folder: Path, here: Callable[..., Said]) -> None:
    status, said, _ = here("clean", "--runs", 1, "--max-ms", 0, "--json", "-")
    (finding,) = json.loads(said)["plugins"][0]["findings"]
    assert status == 1
    assert (finding["symptom"], finding["severity"]) == ("budget", "error")
    assert re.search(r"opens in [\d.]+ ms, [\d.]+ ms over the budget of 0 ms", finding["message"])
    assert here("clean", "--runs", 1, "--max-ms", 1e6)[0] == 0


def test_a_group(folder: Path, here: Callable[..., Said]) -> None:
    metadata = folder / "some-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: some\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[some.plugins]\none = clean:new\ntwo = warning [extra]\n"
    )
    status, said, _ = here("--group", "some.plugins", "--runs", 1, "--json", "-")
    assert status == 1
    plugins = json.loads(said)["plugins"]
    assert [(one["name"], one["target"], one["group"]) for one in plugins] == [
        ("one", "clean:new", "some.plugins"),
        ("two", "warning", "some.plugins"),
    ]
    assert [len(one["findings"]) for one in plugins] == [0, 1]
    status, said, complaint = here("--group", "some.plugin")
    assert (status, said, complaint.count("\n")) == (2, "", 1)
    assert "did you mean 'some.plugins'?" in complaint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected a TARGET or --group NAME"),
        (["clean", "--json", "-", "--html", "-"], "cannot both be standard output"),
        (["clean", "--json", "one", "--html", "./one"], "cannot be one file"),
        (["clean", "--json", "no/such/folder/file"], "cannot write 'no/such/folder/file'"),
        (["clean", "--html", "."], "cannot write '.'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    arguments: list[str], words: str, folder: Path, here: Callable[..., Said]
) -> None:
    status, said, complaint = here(*arguments)
    assert (status, said, complaint.count("\n")) == (2, "", 1)
    assert complaint.startswith("jumptable: ") and words in complaint


@pytest.mark.parametrize(
    "option",
    ["--runs=0", "--runs=x", "--timeout=0", "--timeout=nan", "--timeout=inf", "--max-ms=-1",
     "--max-ms=inf"],
)  # fmt: skip
def test_numbers_that_make_no_sense(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(["doctor", "clean", option])
    assert raised.value.code == 2
    assert f"{option.partition('=')[2]!r} is not" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(["doctor", "--help"])
    assert raised.value.code == 0
    assert "--group myapp.plugins" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["rich", "psutil"])
def test_what_is_not_installed_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, here: Callable[..., Said]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    complaint = (
        f"jumptable: doctor needs {missing}, which is not installed: "
        'pip install "jumptable[doctor]"\n'
    )
    assert here("json") == (2, "", complaint)


def test_names_that_a_terminal_cannot_show(folder: Path) -> None:
    (folder / "größe.py").write_text("raise ValueError('ä')", "utf-8")
    done = doctor("größe", "--runs", 1, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (1, "")
    assert "gr\\xf6\\xdfe" in done.stdout


def test_options_of_the_interpreter_are_passed_on(folder: Path) -> None:
    """The plugin opens under -O only."""
    (folder / "asking.py").write_text("assert False, 'not optimised'\n")
    # Not those by which the interpreter itself writes, which is not the plugin's output.
    options = ["-O", "-v", "-X", "importtime", "-X", "utf8"]
    command = [sys.executable, *options, "-m", "jumptable", "doctor", "asking", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "none" in done.stdout) == (0, True), done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_an_interrupt_ends_what_was_started(folder: Path) -> None:
    (folder / "waiting.py").write_text(
        "import os, time\n"
        "with open('number', 'w') as file: file.write(f'{os.getpid()}\\n')\n"
        "time.sleep(1000)\n"
    )
    command = [sys.executable, "-m", "jumptable", "doctor", "waiting", "--timeout", "999"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    number = folder / "number"
    try:
        while not (number.exists() and number.read_text().endswith("\n")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")
    finally:
        process.kill()
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


@pytest.mark.skipif(sys.platform == "win32", reason="closes a POSIX pipe")
def test_a_closed_pipe_is_quiet(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "jumptable", "doctor", "clean", "--runs", "1"]
    try:
        done = subprocess.run(
            command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_importing_jumptable_does_not_import_it() -> None:
    code = "import jumptable, sys; print([m for m in sys.modules if 'measuring' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
