"""What a machine lacks is a row that says so, and how to get it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jumptable.measuring import ladder
from jumptable.measuring.ladder import gobuild, golang

pytestmark = pytest.mark.thread_unsafe(reason="changes what the whole process finds")

GO = [rung.name for rung in golang.RUNGS]
needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="needs go")


def missing(*names: str, quick: bool = False) -> list[str]:
    """Why each of these rows is missing; '' if it is there."""
    rows = {row.name: row.missing for row in ladder.climb(1, only=names, quick=quick).rows}
    return [rows[name] for name in names]


@pytest.mark.parametrize(
    ("module", "names", "reason"),
    [
        (
            "cffi",
            ["cffi, ABI mode", "cffi, API mode"],
            'cffi is not installed: pip install "jumptable[bench]"',
        ),
        (
            "wasmtime",
            ["WebAssembly: wasmtime"],
            'wasmtime is not installed: pip install "jumptable[bench]"',
        ),
        (
            "grpc",
            ["gRPC over a Unix socket"],
            'grpcio is not installed: pip install "jumptable[bench]"',
        ),
        (
            "pluggy",
            ["pluggy, stock", "pluggy, compiled"],
            'pluggy is not installed: pip install "jumptable[pluggy]"',
        ),
        (
            "ctypes",
            ["ctypes, argtypes set"],
            "this Python has no ctypes: one that is built where libffi's headers are has it",
        ),
    ],
)
def test_a_package_that_is_not_installed(
    module: str, names: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    if sys.version_info[:2] == (3, 13) and module in ("cffi", "grpc"):
        reason = reason.partition(":")[0]  # there the extra does not bring it
        assert all(
            found.startswith(reason) and "jumptable[" not in found for found in missing(*names)
        )
    else:
        assert missing(*names) == [reason] * len(names)


def test_a_package_that_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them: one lacks what it needs, the other one raises."""
    (tmp_path / "cffi.py").write_text("import there_is_no_such_module")
    (tmp_path / "wasmtime.py").write_text("raise OSError('the library is cut off')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("cffi", "wasmtime"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    found = missing("cffi, ABI mode", "WebAssembly: wasmtime")
    for module in ("cffi", "wasmtime"):
        sys.modules.pop(module, None)
    assert found == [
        "it failed: ModuleNotFoundError: No module named 'there_is_no_such_module'",
        "it failed: OSError: the library is cut off",
    ]


def test_a_package_that_exits_or_panics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cffi.py").write_text("raise SystemExit('too old a processor')")
    (tmp_path / "wasmtime.py").write_text(
        "class PanicError(BaseException): ...\nraise PanicError('in Rust')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("cffi", "wasmtime"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert missing("cffi, ABI mode", "WebAssembly: wasmtime") == [
        "cffi does not import: SystemExit('too old a processor')",
        "wasmtime does not import: PanicError('in Rust')",
    ]


def test_a_grpc_whose_server_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grpc.py").write_text(
        "import sys\nif sys.argv[1] == 'server': raise OSError('no port is left')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "grpc", raising=False)
    found = missing("gRPC over a Unix socket")
    assert found == ["its process ended: OSError: no port is left"]


def test_a_long_and_odd_name_of_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the path of a Unix socket may be, and with what means something in a URI."""
    pytest.importorskip("grpc")
    odd = tmp_path / "a space, 100%25 and #?" / ("long" * 30)
    odd.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # of which the working directory is part
    assert missing("gRPC over a Unix socket", "first open of a library") == ["", ""]
    assert list(odd.iterdir()) == []


def test_cffi_compiles_quietly_or_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cffi")
    quick = "it is compiled: a bench without --quick does so"
    assert missing("cffi, API mode", quick=True) == [quick]
    missing("cffi, API mode")
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    reason = "there is no C compiler: install gcc or clang, or set CC to one that takes their"
    assert missing("cffi, API mode")[0].startswith(reason)


def test_a_grpc_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grpc.py").write_text("raise OSError('the library is cut off')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "grpc", raising=False)
    found = missing("gRPC over a Unix socket")
    assert found == ["its process ended: OSError: the library is cut off"]


def test_no_other_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = "there is no program named true: it comes with coreutils"
    assert missing("subprocess") == [reason]
    reason = "go is not installed: https://go.dev/dl, or apt-get install golang-go"
    assert missing(*GO) == [reason] * len(GO)


def test_stock_is_stock() -> None:
    pluggy = pytest.importorskip("pluggy")
    import jumptable.pluggy

    names = ["pluggy, stock", "pluggy, compiled", "singledispatch, stock"]
    names.append("singledispatch, compiled")
    installed = "is compiled in this process already: run the bench in one without install()"
    jumptable.functools.install()
    jumptable.pluggy.install()
    try:
        found = missing(*names)
    finally:
        jumptable.functools.uninstall()
        jumptable.pluggy.uninstall()
    assert found == [f"pluggy {installed}", "", f"functools.singledispatch {installed}", ""]
    assert missing(*names) == ["", "", "", ""]
    assert functools.singledispatch.__module__ == "functools"
    assert pluggy.PluginManager.__module__.startswith("pluggy")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins the process")
def test_one_processor() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        found = missing("C: add, padded", "C: two threads add, padded")
    finally:
        os.sched_setaffinity(0, allowed)
    assert found == [
        "",
        "two threads need two processors, and there is one: run the bench where more are "
        "allowed (taskset, the container's limits)",
    ]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins threads")
def test_a_thread_that_cannot_be_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for it would wait for good."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    pin = os.sched_setaffinity

    def refuse(pid: int, processors: set[int]) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise OSError(22, "Invalid argument")
        pin(pid, processors)

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    (found,) = missing("C: two threads add, padded")
    assert found.startswith("a thread cannot be kept on processor ")


def test_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("needs two processors")

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    names = ["C: two threads add, padded", "direct Python call"]
    assert missing(*names) == ["it failed: RuntimeError: can't start new thread", ""]


# ---- Go -------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where builds are kept; temporary files are in a folder beside it."""
    folder, temporary = tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("JUMPTABLE_CACHE", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield folder
    assert list(temporary.iterdir()) == []


def program(folder: Path, text: str) -> None:
    """Make this the ``go`` that is found, along with what is usually there."""
    folder.mkdir(exist_ok=True)
    path = folder / "go"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return lambda text: program(tmp_path / "bin", text)


@pytest.mark.skipif(os.name != "posix", reason="a shell script is the compiler")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo broken >&2; exit 1", "go does not run: broken"),
        (
            '[ "$1" = version ] || { echo one; echo "two: no space left"; echo; exit 1; }',
            "go does not build it: two: no space left",
        ),
        ('[ "$1" = version ] || exit 7', "go does not build it: exit status 7"),
        (
            # What it makes are programs that say something else.
            'while [ $# -gt 1 ]; do [ "$1" = -o ] && { printf "#!/bin/sh\\necho no\\n" >"$2"; '
            'chmod +x "$2"; }; shift; done',
            "it said 'no' when it began, expected 'ready'",
        ),
    ],
)
def test_a_go_that_does_not_work(
    text: str, reason: str, fake_go: Callable[[str], None], cache: Path
) -> None:
    fake_go(text)
    assert missing(*GO) == [reason] * len(GO)
    assert not list(cache.glob("*.tmp"))


@pytest.mark.skipif(os.name != "posix", reason="a shell script is the compiler")
def test_it_is_tried_once_for_all_rows(
    fake_go: Callable[[str], None], cache: Path, tmp_path: Path
) -> None:
    fake_go(f'[ "$1" = version ] || {{ echo "$1" >>{tmp_path}/tries; exit 1; }}')
    missing(*GO)
    assert (tmp_path / "tries").read_text() == "build\n"


@pytest.mark.skipif(os.name != "posix", reason="a shell script is the compiler")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sleep 600", "go does not run: no end within 0.5 s"),
        ('[ "$1" = version ] || sleep 600', "go does not build it: no end within 0.5 s"),
    ],
)
def test_a_go_that_hangs(
    text: str,
    reason: str,
    fake_go: Callable[[str], None],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jumptable.measuring.ladder.building.PATIENCE", 0.5)
    fake_go(text)
    assert missing("Go: direct call") == [reason]


@needs_go
def test_neither_the_folder_nor_the_settings_of_a_project_matter(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything downloaded for them."""
    (tmp_path / "go.mod").write_text("module other\n\ngo 99.1\n\ntoolchain go99.1.0\n")
    (tmp_path / "go.work").write_text("go 99.1\n\nuse ./nowhere\n")
    (tmp_path / "env").write_text("GOFLAGS=-mod=nonsense\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOENV", str(tmp_path / "env"))
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOOS", "windows")
    monkeypatch.setenv("GO111MODULE", "on")
    assert missing("Go: cached function") == [""]


@needs_go
def test_only_the_row_that_runs_a_program_needs_one(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert missing("Go: exec", "Go: Lookup") == ["", ""]
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "go").symlink_to(shutil.which("go") or "")
    monkeypatch.setenv("PATH", str(tmp_path / "alone"))
    reason = "there is no program named true: it comes with coreutils"
    assert missing(*GO) == [""] * (len(GO) - 1) + [reason]


@needs_go
@pytest.mark.long  # Go compiles its own library
def test_go_without_a_home(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOCACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", os.devnull)
    assert missing("Go: cached function") == [""]


@needs_go
def test_go_is_built_once_and_kept(cache: Path) -> None:
    unbuilt = "not built yet: a bench without --quick builds it"
    assert missing(*GO, quick=True) == [unbuilt] * len(GO)
    assert missing(*GO) == [""] * len(GO)
    (built,) = cache.iterdir()
    assert sorted(os.listdir(built)) == ["host", "plugin.so"]
    before = (built / "host").stat()
    size = before.st_size
    assert missing(*GO) == missing(*GO, quick=True) == [""] * len(GO)
    assert (built / "host").stat().st_ino == before.st_ino
    # What is damaged is made again, but not in a hurry.
    (built / "host").write_bytes((built / "host").read_bytes()[:1000])
    assert all(missing("Go: Lookup", quick=True))
    assert missing("Go: Lookup") == [""]
    assert (built / "host").stat().st_size == size


@needs_go
def test_go_without_a_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUMPTABLE_CACHE", "off")
    unbuilt = "not built yet: a bench without --quick builds it"
    assert missing("Go: direct call", quick=True) == [unbuilt]
    assert missing("Go: direct call", "Go: Lookup") == ["", ""]


@needs_go
def test_go_without_a_c_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("GOCACHE", str(cache.parent / "gocache"))
    (reason,) = missing("Go: direct call")
    assert reason.startswith("go does not build it: ")
    assert "no-such-compiler" in reason


@needs_go
@pytest.mark.parametrize(
    ("name", "before", "after", "reason"),
    [
        ("plugin", "0.5 * x", "0.5 * y", "undefined: y"),
        ("plugin", "0.5 * x", "0.25 * x", "panic: half-cached gave -0.375, expected -0.75"),
        # Each call has the result of the one before: -1.5 becomes -0.5, and that 0.5.
        pytest.param(
            *("plugin", "return -x", "return x + 1", " gave 0.5, expected 1.5"),
            marks=pytest.mark.long,
        ),
        pytest.param(
            *("plugin", "func New", "func Old", "panic: plugin: symbol New not found"),
            marks=pytest.mark.long,
        ),
        ("host", 'fmt.Println("ready")', "", "it was not ready within 0.5 s"),
    ],
)
def test_go_sources_that_do_something_else(
    name: str,
    before: str,
    after: str,
    reason: str,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    for path in gobuild.sources():
        text = path.read_text()
        assert path.stem != name or before in text
        (folder / path.name).write_text(text.replace(before, after) if path.stem == name else text)
    monkeypatch.setattr(gobuild, "PLACES", (folder,))
    if not after:  # it says nothing, and waits for questions
        monkeypatch.setattr("jumptable.measuring.ladder.asked.PATIENCE", 0.5)
    (found,) = missing("Go: direct call")
    assert reason in found


def test_sources_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gobuild, "PLACES", (tmp_path,))
    with pytest.raises(ladder.UnavailableError, match="expected benchmarks/go in a checkout"):
        gobuild.sources()


@needs_go
@pytest.mark.long  # builds twice
def test_two_first_builds_at_once(cache: Path) -> None:
    """Each builds for itself, and one of them is kept."""
    code = (
        "from jumptable.measuring import ladder\n"
        "print(repr(ladder.climb(1, only=['Go: Lookup']).rows[0].missing))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == [b"''\n"] * 2
    (built,) = cache.iterdir()
    assert sorted(os.listdir(built)) == ["host", "plugin.so"]


@pytest.mark.skipif(os.name != "posix", reason="a shell script is the compiler")
def test_old_builds_are_forgotten(
    fake_go: Callable[[str], None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("go-old", "go-new", "other-old"):
        (cache / name).mkdir(parents=True, mode=0o700)
        (cache / name / "host").touch()
        if "old" in name:
            os.utime(cache / name, (1, 1))
    cache.chmod(0o700)
    fake_go(
        'while [ $# -gt 1 ]; do [ "$1" = -o ] && { printf "#!/bin/sh\\necho ready\\ncat\\n" >"$2"; '
        'chmod +x "$2"; }; shift; done'
    )
    ladder.climb(0, only=["Go: direct call"], go_on=lambda done, rounds: False)
    names = {path.name for path in cache.iterdir()}
    assert {"go-new", "other-old"} < names and len(names) == 3
    assert "go-old" not in names


# ---- where the sources are ------------------------------------------------------------------


def test_an_installation_has_the_go_sources() -> None:
    """That the wheel carries them is .ci/check_dist.py's to see."""
    assert gobuild.PLACES[0] == Path(gobuild.__file__).parents[1] / "go"
    assert [path.name for path in gobuild.sources()] == ["host.go", "plugin.go"]
