"""What is remembered on disk: whole and our own, or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jumptable
from jumptable.loading import cache

pytestmark = pytest.mark.thread_unsafe(reason="the environment is everybody's")

CONTENT = b"what was found\x00\xff" * 3
windows = os.name == "nt"
root = not windows and os.geteuid() == 0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def file(folder: Path) -> Path:
    assert cache.write("kind-1", CONTENT)
    return folder / "kind-1"


def test_what_is_written_is_read(file: Path, folder: Path) -> None:
    assert cache.read("kind-1") == CONTENT
    assert cache.read("kind-2") is None
    assert cache.write("kind-1", b"")
    assert cache.read("kind-1") == b""
    assert os.listdir(folder) == ["kind-1"]


@pytest.mark.skipif(windows, reason="Windows' folders have other rights")
def test_it_is_private(file: Path, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o077 == 0


def test_every_damaged_byte_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    for position in range(len(whole)):
        for change in (1, 0x80, 0xFF):
            changed = bytes([whole[position] ^ change])
            file.write_bytes(whole[:position] + changed + whole[position + 1 :])
            assert cache.read("kind-1") is None
    file.write_bytes(whole)
    assert cache.read("kind-1") == CONTENT


def test_every_cut_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        assert cache.read("kind-1") is None
    file.write_bytes(whole + b"\0")
    assert cache.read("kind-1") is None


@pytest.mark.parametrize("mode", [0o622, 0o602, 0o620, 0o666])
@pytest.mark.skipif(windows, reason="Windows' folders have other rights")
def test_a_file_that_others_may_write(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert cache.read("kind-1") is None
    assert cache.write("kind-1", CONTENT)
    assert cache.read("kind-1") == CONTENT


@pytest.mark.parametrize("mode", [0o722, 0o702, 0o720, 0o1777])
@pytest.mark.skipif(windows, reason="Windows' folders have other rights")
def test_a_folder_that_others_may_write(file: Path, folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert cache.read("kind-1") is None
    assert not cache.write("kind-2", CONTENT)
    cache.prune("kind", 0, lambda content: True)
    assert os.listdir(folder) == ["kind-1"]


@pytest.mark.skipif(not root, reason="only root can give a file away")
def test_what_belongs_to_somebody_else(file: Path, folder: Path) -> None:
    os.chown(file, 12345, -1)
    assert cache.read("kind-1") is None
    os.chown(file, os.geteuid(), -1)
    assert cache.read("kind-1") == CONTENT
    os.chown(folder, 12345, -1)
    assert cache.read("kind-1") is None
    assert not cache.write("kind-1", CONTENT)


@pytest.mark.skipif(windows, reason="links and pipes as POSIX has them")
def test_what_is_no_file(file: Path, folder: Path, tmp_path: Path) -> None:
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert cache.read("kind-1") is None
    os.mkfifo(folder / "pipe")
    assert cache.read("pipe") is None
    (folder / "folder").mkdir()
    assert cache.read("folder") is None
    assert not cache.write("folder", CONTENT)
    assert cache.write("kind-1", b"new")  # replaces the link, not what it points to
    assert not file.is_symlink()
    assert cache.read("kind-1") == b"new"
    assert cache.write("pipe", b"new") and cache.read("pipe") == b"new"
    assert sorted(os.listdir(folder)) == ["folder", "kind-1", "pipe"]


def test_too_large(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LARGEST", 10)
    assert cache.read("kind-1") is None


def test_a_file_in_the_folders_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for where in ("file", "file/below", "file/far/below"):
        monkeypatch.setenv(cache.VARIABLE, str(tmp_path / where))
        assert cache.read("kind-1") is None
        assert not cache.write("kind-1", CONTENT)
        cache.prune("kind", 0, lambda content: True)
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(windows, reason="Windows' folders have other rights")
def test_a_folder_that_is_read_only(file: Path, folder: Path) -> None:
    program = """
import os, sys
from jumptable.loading import cache
if os.geteuid() == 0:
    os.chown(cache.folder(), 12345, -1)
    os.chown(os.path.join(cache.folder(), "kind-1"), 12345, -1)
    os.seteuid(12345)
assert cache.read("kind-1") is not None
assert not cache.write("kind-1", b"new")
assert not cache.write("kind-2", b"new")
"""
    folder.chmod(0o500)
    for parent in folder.parents if root else ():  # pytest's own are private
        if not parent.stat().st_mode & 0o005:
            parent.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(Path(jumptable.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    folder.chmod(0o700)
    assert done.returncode == 0
    assert os.listdir(folder) == ["kind-1"]


@pytest.mark.parametrize("off", ["off", "OFF", "0"])
def test_switched_off(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, off)
    assert cache.folder() is None
    assert cache.read("kind-1") is None
    assert not cache.write("kind-1", CONTENT)
    cache.prune("kind", 0, lambda content: True)


@pytest.mark.skipif(windows or sys.platform == "darwin", reason="the XDG specification")
def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.folder() == str(tmp_path / ".cache" / "jumptable")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == str(tmp_path / ".cache" / "jumptable")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == str(tmp_path / "xdg" / "jumptable")
    assert cache.write("kind-1", CONTENT) and cache.read("kind-1") == CONTENT
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.folder() == str(tmp_path / "xdg" / "jumptable")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cache.VARIABLE, "here")
    assert cache.folder() == str(tmp_path / "here")


@pytest.mark.skipif(windows, reason="POSIX")
def test_nobody_has_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    if sys.platform != "darwin":
        assert cache.folder() is None
        assert cache.read("kind-1") is None
        assert not cache.write("kind-1", CONTENT)


def test_names() -> None:
    assert cache.name_for("kind", "one") != cache.name_for("kind", "two")
    assert cache.name_for("kind", "one") == cache.name_for("kind", "one")
    assert cache.name_for("kind", "\udc80/\n").isascii()
    assert not set("/\\:*?\n") & set(cache.name_for("kind", "/a\\b:c*?\n"))


def test_racing_writers(folder: Path) -> None:
    """Whoever reads meanwhile finds what one of them wrote, whole."""
    program = """
import sys
from jumptable.loading import cache
own = sys.argv[1].encode() * 50_000
contents = {name.encode() * 50_000 for name in "abc"}
for _ in range(150):
    assert cache.write("kind-1", own)
    assert cache.read("kind-1") in contents
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(jumptable.__file__).parents[1])}
    running = [
        subprocess.Popen([sys.executable, "-c", program, name], env=environment) for name in "abc"
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert os.listdir(folder) == ["kind-1"]


def test_pruning(folder: Path) -> None:
    for number in range(10):
        cache.write(f"kind-{number}", b"gone" if number % 2 else b"here")
        os.utime(folder / f"kind-{number}", (number, number))
    cache.write("other-1", b"gone")
    (folder / "kind-9").write_bytes(b"damaged")
    for name, when in (("kind-0.old.tmp", 0), ("kind-0.new.tmp", None)):
        (folder / name).write_bytes(b"")
        if when is not None:
            os.utime(folder / name, (when, when))

    def left() -> list[str]:
        return sorted(os.listdir(folder))

    everything = left()
    cache.prune("kind", 12, lambda content: content == b"gone")
    assert left() == everything  # not so many that it were worth it
    cache.prune("kind", 11, lambda content: content == b"gone")
    here = [f"kind-{number}" for number in (0, 2, 4, 6, 8)]
    assert left() == [here[0], "kind-0.new.tmp", *here[1:], "other-1"]
    cache.prune("kind", 4, lambda content: content == b"gone")
    assert left() == ["kind-0.new.tmp", "kind-8", "other-1"]
