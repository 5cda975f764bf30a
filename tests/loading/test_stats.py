"""`stats.take` beside os.stat."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from jumptable.loading.stats import WIDTH, take


def told(path: Path, follow: bool = True) -> bytes:
    try:
        status = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        return struct.pack("=5q", error.errno or 0, 0, 0, 0, -1)
    return struct.pack(
        "=5q", status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev, status.st_size
    )


@pytest.mark.parametrize("follow", [True, False])
def test_as_os_stat(tmp_path: Path, follow: bool) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("text")
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "nowhere").symlink_to("nothing")
    (tmp_path / "circle").symlink_to("circle")
    for when in (-1, -2_000_000_001, 10**18 + 7):
        os.utime(tmp_path / "folder" / "file", ns=(0, when))
        names = ["folder", "folder/file", "link", "link/file", "nowhere", "circle", "missing",
                 "folder/file/below", "", "x" * 5000, os.fsdecode(b"caf\xe9")]  # fmt: skip
        encoded = b"".join(os.fsencode(name) + b"\0" for name in names)
        wanted = [told(tmp_path), *(told(tmp_path / name, follow) for name in names)]
        taken = take(str(tmp_path), encoded, follow)
        assert [taken[at : at + WIDTH] for at in range(0, len(taken), WIDTH)] == wanted
    assert take(str(tmp_path / "folder" / "file")) == told(tmp_path / "folder" / "file")
    assert take(str(tmp_path / "nowhere"), follow=False) == told(tmp_path / "nowhere", False)


def test_of_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("missing", "file"):
        taken = take(str(tmp_path / name), b"one\0two\0")
        assert len(taken) == 3 * WIDTH
        assert all(taken[at - 8 : at] == b"\xff" * 8 for at in range(WIDTH, len(taken) + 1, WIDTH))
    assert take(str(tmp_path / "missing")) == told(tmp_path / "missing")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    before = len(list(descriptors.iterdir()))
    for _ in range(50):
        take(str(tmp_path), b"one\0")
    assert len(list(descriptors.iterdir())) <= before + 5


def test_refused() -> None:
    for path, names in (("a\0b", b"x\0"), ("a\0b", b""), ("/", b"x"), ("\ud800", b"x\0")):
        with pytest.raises(ValueError, match="null|NUL|surrogates"):
            take(path, names)
    for arguments in ((b"/", b"x\0"), ("/", "x\0"), (None, b""), ("/", None)):
        with pytest.raises(TypeError):
            take(*arguments)


def test_times_beyond_64_bits(tmp_path: Path) -> None:
    when = 10**10  # seconds: the year 2286
    try:
        os.utime(tmp_path, (0, when))
    except OSError:
        pytest.skip("the file system has no such times")
    if os.stat(tmp_path).st_mtime != when:
        pytest.skip("the file system has no such times")
    for taken in (take(str(tmp_path)), take(str(tmp_path), b"\0")):
        assert struct.unpack_from("=q", taken) == (2**63 - 1,)
