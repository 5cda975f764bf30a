"""What is refused before any format is looked at, and what the caller learns."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from struct import pack

import pytest

from jumptable.errors import (
    PluginArchError,
    PluginError,
    PluginFileNotFoundError,
    PluginFormatError,
)
from jumptable.loading import macho, pe
from jumptable.loading.files import Reader, examine

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF is native on Linux")


def refused(path: object, kind: type[PluginError] = PluginFormatError) -> str:
    with pytest.raises(kind) as caught:
        examine(os.fspath(path))  # type: ignore[call-overload]
    assert caught.value.target == os.fspath(path)  # type: ignore[call-overload]
    return str(caught.value)


# Paths.


def test_missing_file_is_also_a_filenotfounderror(tmp_path: Path) -> None:
    message = refused(tmp_path / "libnone.so", PluginFileNotFoundError)
    assert "there is no file" in message and "libnone.so" in message


def test_the_given_target_is_in_the_error(tmp_path: Path) -> None:
    target = object()
    with pytest.raises(PluginFileNotFoundError) as caught:
        examine(str(tmp_path / "libnone.so"), target)
    assert caught.value.target is target


@posix
def test_dangling_link_names_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "lib.so").symlink_to("gone.so.1")
    assert "'gone.so.1'" in refused(tmp_path / "lib.so", PluginFileNotFoundError)


@posix
def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.so").symlink_to("b.so")
    (tmp_path / "b.so").symlink_to("a.so")
    assert "circle" in refused(tmp_path / "a.so", PluginFileNotFoundError)


@posix
def test_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "through a file" in refused(tmp_path / "file" / "lib.so", PluginFileNotFoundError)


@pytest.mark.parametrize("path", ["lib\0.so", "x" * 5000 + ".so", "lib\ud800.so"])
def test_impossible_names(path: str) -> None:
    refused(path, PluginFileNotFoundError)


# Files of other kinds.


def test_directory(tmp_path: Path) -> None:
    assert "a directory" in refused(tmp_path)


@posix
def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lib.so")
    assert "a named pipe" in refused(tmp_path / "lib.so")


@posix
def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # socket names are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("lib.so")
        assert "a socket" in refused("lib.so")


@posix
def test_device() -> None:
    assert "a character device" in refused("/dev/null")


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_bytes(b"x")
    (tmp_path / "lib.so").chmod(0)
    assert "permission denied" in refused(tmp_path / "lib.so")


@posix
def test_permission_denied_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "lib.so").write_bytes(b"x")
    monkeypatch.setattr(os, "open", denied)
    assert "permission denied" in refused(tmp_path / "lib.so")


@posix
def test_no_descriptor_left_is_no_format_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", exhausted)
    with pytest.raises(PluginError, match="Too many open files") as caught:
        examine(str(tmp_path / "lib.so"))
    assert type(caught.value) is PluginError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\x7f", "is truncated: it ends after 1 bytes"),
        (b"\x7fEL", "is truncated: it ends after 3 bytes"),
        (b"hello\n", "a text file"),
        ("käse\n".encode(), "a text file"),
        (b"a" * 511 + "é".encode(), "a text file"),
        (b"/* GNU ld script */\nGROUP ( libc.so.6 )\n", "linker script"),
        (b"<!DOCTYPE html>\n<html></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"!<arch>\nfoo.o/", "static archive"),
        (b"PK\x03\x04....", "zip archive"),
        (b"\x00\x01\x02\x03" * 40, "no known format"),
        (b"\x7fELF", "is truncated: its ELF header ends at byte 20, the file has 4 bytes"),
    ],
)
def test_contents_that_are_no_library(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "lib.so").write_bytes(content)
    assert expected in refused(tmp_path / "lib.so")


def test_python_source_says_how_to_open_it(tmp_path: Path) -> None:
    (tmp_path / "filters.py").write_text("def apply(x): return x\n")
    assert "open a Python module by its name" in refused(tmp_path / "filters.py")


# Formats of other systems, on files made by hand.


def reader_of(path: Path, content: bytes) -> Reader:
    path.write_bytes(content)
    return Reader(os.open(path, os.O_RDONLY), str(path), len(content), path)


def dylib(cpu: int = 0x01000007, kind: int = 6, notes: bytes = b"") -> bytes:
    """A 64-bit Mach-O library with one segment, one needed library and one Python symbol."""
    names = b"\0_PyLong_FromLong\0_apply\0"
    commands_size = 72 + 80 + 32 + 32 + 24
    symbols_at = 32 + commands_size
    names_at = symbols_at + 2 * 16
    notes_at = names_at + len(names)
    end = notes_at + len(notes)
    segment = pack("<II16sQQQQIIII", 0x19, 152, b"__TEXT", 0, 0x4000, 0, end, 5, 5, 1, 0)
    segment += pack("<16s16sQQI", b"__jumptable", b"__TEXT", notes_at, len(notes), notes_at)
    segment += bytes(28)
    identity = pack("<IIIIII", 0xD, 32, 24, 0, 0, 0) + b"lib.dyl\0"
    needed = pack("<IIIIII", 0xC, 32, 24, 0, 0, 0) + b"libz.1\0\0"
    symtab = pack("<IIIIII", 0x2, 24, symbols_at, 2, names_at, len(names))
    header = pack("<IIIIIIII", 0xFEEDFACF, cpu, 0, kind, 4, commands_size, 0, 0)
    symbols = pack("<IBBHQ", 1, 1, 0, 0, 0) + pack("<IBBHQ", 18, 0xF, 1, 0, 0x1000)
    return header + segment + identity + needed + symtab + symbols + names + notes


def universal(*parts: tuple[int, bytes]) -> bytes:
    data = pack(">II", 0xCAFEBABE, len(parts))
    offset = 4096
    body = b""
    for cpu, part in parts:
        data += pack(">IIIII", cpu, 0, offset + len(body), len(part), 12)
        body += part
    return data.ljust(4096, b"\0") + body


def dll(
    machine: int = 0x8664, characteristics: int = 0x2022, section_name: bytes = b".rdata"
) -> bytes:
    """A PE32+ library with one section that holds its imports."""
    optional = pack("<H", 0x20B).ljust(108, b"\0") + pack("<I", 16)
    optional += pack("<IIII", 0x1028, 40, 0x1000, 40) + bytes(14 * 8)
    section = pack("<8sIIIIIIHHI", section_name, 512, 0x1000, 512, 512, 0, 0, 0, 0, 0)
    head = b"MZ".ljust(60, b"\0") + pack("<I", 64) + b"PE\0\0"
    head += pack("<HHIIIHH", machine, 1, 0, 0, 0, len(optional), characteristics)
    imports = pack("<IIIII", 0, 0, 0, 0x1080, 0) + bytes(20)
    exports = pack("<IIHHI", 0, 0, 0, 0, 0x1090).ljust(40, b"\0")
    data = (imports + exports).ljust(128, b"\0") + b"python311.dll\0\0\0" + b"filter.dll\0"
    return (head + optional + section).ljust(512, b"\0") + data.ljust(512, b"\0")


@linux
def test_libraries_of_other_systems_name_both(tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_bytes(universal((0x01000007, dylib()), (0x0100000C, dylib())))
    message = refused(tmp_path / "lib.so", PluginArchError)
    assert "Mach-O, x86-64 and AArch64" in message and "this Python is ELF" in message
    (tmp_path / "lib.so").write_bytes(dll(0xAA64))
    assert "PE (Windows), AArch64" in refused(tmp_path / "lib.so", PluginArchError)


@pytest.fixture
def on_x86_64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jumptable.loading.elf.MACHINE", "x86-64")


@pytest.mark.usefixtures("on_x86_64")
def test_dylib(tmp_path: Path) -> None:
    expected = ("x86-64", ("libz.1",), True, "lib.dyl", b"", False)
    assert macho.check(reader_of(tmp_path / "a", dylib())) == expected
    with_notes = macho.check(reader_of(tmp_path / "n", dylib(notes=b"jumptable")))
    assert with_notes == (*expected[:4], b"jumptable", False)
    both = universal((0x0100000C, dylib(0x0100000C)), (0x01000007, dylib()))
    assert macho.check(reader_of(tmp_path / "b", both)) == expected
    with pytest.raises(PluginArchError, match="built for AArch64, this Python is x86-64"):
        macho.check(reader_of(tmp_path / "c", dylib(0x0100000C)))
    with pytest.raises(PluginFormatError, match="an executable"):
        macho.check(reader_of(tmp_path / "d", dylib(kind=2)))


@pytest.mark.usefixtures("on_x86_64")
def test_dll(tmp_path: Path) -> None:
    expected = ("x86-64", ("python311.dll",), True, "filter.dll", b"", False)
    assert pe.check(reader_of(tmp_path / "a", dll())) == expected
    with_notes = dll(section_name=b"jmptable")
    found = pe.check(reader_of(tmp_path / "n", with_notes))
    assert found == (*expected[:4], with_notes[-512:], False)
    with pytest.raises(PluginArchError, match="built for AArch64, this Python is x86-64"):
        pe.check(reader_of(tmp_path / "b", dll(0xAA64)))
    with pytest.raises(PluginFormatError, match="an executable"):
        pe.check(reader_of(tmp_path / "c", dll(characteristics=0x22)))


@pytest.mark.usefixtures("on_x86_64")
@pytest.mark.parametrize(("module", "content"), [(macho, dylib()), (pe, dll())])
def test_every_prefix_and_every_damaged_byte_of_other_formats(
    tmp_path: Path, module: object, content: bytes
) -> None:
    check = module.check  # type: ignore[attr-defined]
    for length in range(len(content)):
        reader = reader_of(tmp_path / "cut", content[:length])
        with pytest.raises(PluginFormatError):
            check(reader)
        os.close(reader.descriptor)
    for position in range(len(content)):
        for value in {0, 0x7F, 0xFF} - {content[position]}:
            damaged = content[:position] + bytes([value]) + content[position + 1 :]
            reader = reader_of(tmp_path / "damaged", damaged)
            with contextlib.suppress(PluginError):
                check(reader)
            os.close(reader.descriptor)


# What the caller learns of a good one.


@linux
def test_a_good_library(plain: str, tmp_path: Path) -> None:
    link = tmp_path / "link.so"
    link.symlink_to(plain)
    found = examine(str(link))
    status = os.stat(plain)
    assert found.path == os.path.realpath(plain)
    assert (found.device, found.inode) == (status.st_dev, status.st_ino)
    assert (found.size, found.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert (found.format, found.soname, found.uses_python) == ("elf", None, False)
    assert any(name.startswith("libc.") for name in found.needed)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_bytes(b"\x7fELF" + bytes(100))
    before = os.open(tmp_path / "lib.so", os.O_RDONLY)
    os.close(before)
    for _ in range(3):
        refused(tmp_path / "lib.so")
        refused(tmp_path)
    after = os.open(tmp_path / "lib.so", os.O_RDONLY)
    os.close(after)
    assert after == before


def test_nothing_heavy_is_imported() -> None:
    heavy = ["re", "dataclasses", "typing", "inspect", "ctypes", "pathlib", "tempfile"]
    heavy += ["jumptable.loading.macho", "jumptable.loading.pe"]
    code = (
        "import sys; before = set(sys.modules); import jumptable.loading.files; "
        "import jumptable.loading.elf; "
        f"print(*[m for m in {heavy!r} if m in sys.modules and m not in before])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
