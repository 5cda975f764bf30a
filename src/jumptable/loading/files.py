"""The check of a library file before it is opened; none of its code runs.

The loader trusts a library: on a damaged or truncated one it aborts, or dies of a signal, and
takes the process along. So whatever the file says about itself is checked first, from bounded
reads; it is never mapped, because a file that shrinks under a mapping is a signal as well.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from jumptable.errors import (
    PluginArchError,
    PluginError,
    PluginFileNotFoundError,
    PluginFormatError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

__all__ = ["LibraryFile", "Reader", "examine"]

FORMAT: Final = {"darwin": "mach-o", "win32": "pe", "cygwin": "pe"}.get(sys.platform, "elf")
FORMAT_NAMES: Final = {"elf": "ELF", "mach-o": "Mach-O", "pe": "PE (Windows)"}

MACH_O_MAGICS: Final = (
    b"\xfe\xed\xfa\xce",
    b"\xce\xfa\xed\xfe",
    b"\xfe\xed\xfa\xcf",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xca\xfe\xba\xbf",
)
OTHER_MAGICS: Final = (
    (b"!<arch>\n", "a static archive (.a); link it into a shared library with -shared"),
    (b"!<thin>\n", "a static archive (.a); link it into a shared library with -shared"),
    (b"PK\x03\x04", "a zip archive; unpack it, or install it if it is a wheel"),
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"\x00asm", "a WebAssembly module; build the library for this machine"),
    (b"BC\xc0\xde", "LLVM bitcode; compile and link it with -shared"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the library with 'git lfs pull'"),
)
# Room for 100,000 exports; compilers and linkers leave some hundred bytes of notes.
MAX_NOTES_SIZE: Final = 1 << 24
LINKER_SCRIPT_WORDS: Final = (b"/* GNU ld script", b"INPUT", b"GROUP", b"OUTPUT_FORMAT")
FILE_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


class LibraryFile:
    """What a library file says about itself. Immutable by convention, safe to share.

    ``notes`` are the bytes that `embedded.read` understands, empty if there are none.
    """

    __slots__ = (
        "debug_info",
        "device",
        "format",
        "inode",
        "machine",
        "mtime_ns",
        "needed",
        "notes",
        "path",
        "size",
        "soname",
        "uses_python",
    )

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    format: str
    machine: str
    needed: tuple[str, ...]
    uses_python: bool
    soname: str | None
    notes: bytes
    debug_info: bool

    def __init__(
        self,
        path: str,
        status: os.stat_result,
        format: str,
        machine: str,
        needed: tuple[str, ...],
        uses_python: bool,
        soname: str | None,
        notes: bytes,
        debug_info: bool,
    ) -> None:
        self.path = path
        self.device = status.st_dev
        self.inode = status.st_ino
        self.size = status.st_size
        self.mtime_ns = status.st_mtime_ns
        self.format = format
        self.machine = machine
        self.needed = needed
        self.uses_python = uses_python
        self.soname = soname
        self.notes = notes
        self.debug_info = debug_info

    def __repr__(self) -> str:
        return f"<LibraryFile {self.path!r}: {FORMAT_NAMES[self.format]}, {self.machine}>"


class Reader:
    """Bounded reads of one open file, and the errors that name it.

    The checkers of the formats see a file only through this, so no read of theirs can leave
    the file and no failure of theirs lacks its name.
    """

    __slots__ = ("descriptor", "name", "path", "size", "target")

    def __init__(self, descriptor: int, path: str, size: int, target: object) -> None:
        self.descriptor = descriptor
        self.path = path
        self.name = os.path.basename(path) or path
        self.size = size
        self.target = target

    def read(self, offset: int, count: int, what: str) -> bytes:
        """``count`` bytes at ``offset``, all of them; PluginFormatError if the file is shorter."""
        self.require(offset, count, what)
        data = _read(self, offset, count)
        if len(data) != count:
            raise self.truncated(what, offset + count, offset + len(data))
        return data

    def notes(self, places: list[tuple[int, int]]) -> bytes:
        """The bytes of notes at these offsets, of these sizes; each begins at a multiple of four.

        There is one limit for all: any number of headers may name the same bytes.
        """
        total = sum([size for _, size in places])
        if total > MAX_NOTES_SIZE:
            raise self.damaged(f"its notes have {total} bytes, expected at most {MAX_NOTES_SIZE}")
        found = bytearray()
        for offset, size in places:
            found += bytes(-len(found) % 4)
            found += self.read(offset, size, "notes end")
        return bytes(found)

    def require(self, offset: int, count: int, what: str) -> None:
        """PluginFormatError unless the file holds the ``count`` bytes at ``offset``."""
        if offset + count > self.size:
            raise self.truncated(what, offset + count, self.size)

    def truncated(self, what: str, end: int, size: int) -> PluginFormatError:
        return PluginFormatError(
            f"{self.name} is truncated: its {what} at byte {end}, the file has {size} bytes; "
            "copy or build it again",
            target=self.target,
        )

    def damaged(self, what: str) -> PluginFormatError:
        return PluginFormatError(
            f"{self.name} is damaged: {what}; copy or build it again", target=self.target
        )

    def unfit(self, what: str) -> PluginFormatError:
        return PluginFormatError(f"{self.name} is {what}", target=self.target)

    def foreign(self, found: str, expected: str) -> PluginArchError:
        return PluginArchError(
            f"{self.name} is built for {found}, this Python is {expected}; "
            f"build or install it for {expected}",
            target=self.target,
        )


def examine(path: str, target: object = None) -> LibraryFile:
    """Check that ``path`` is a whole, loadable library for this interpreter.

    Raises PluginFileNotFoundError if there is no such file, PluginFormatError if it is no
    library or a truncated or damaged one, PluginArchError if it was built for another machine
    or system, PluginError if the system cannot read it. Each carries ``target``, or ``path``.

    Safe to call from any thread. Says nothing about a file that changes afterwards.
    """
    if target is None:
        target = path
    descriptor = _open(path, target)
    try:
        status = os.fstat(descriptor)
        reader = Reader(descriptor, path, status.st_size, target)
        _require_regular(reader, status)
        # Some special files in /proc say 0 and yet have content: this is only for the message.
        if status.st_size == 0:
            raise reader.unfit("empty, not a library; copy or build it again")
        real = os.path.realpath(path)
        return _dispatch(reader, real, status)
    finally:
        os.close(descriptor)


def _dispatch(reader: Reader, path: str, status: os.stat_result) -> LibraryFile:
    """Hand the file to the checker of the format that its first bytes name."""
    start = _read(reader, 0, min(reader.size, 512))
    if start.startswith(b"\x7fELF"):
        from jumptable.loading import elf

        if FORMAT != "elf":
            raise _foreign_format(reader, "elf", elf.identify(reader))
        return LibraryFile(path, status, "elf", *elf.check(reader))
    if start.startswith(MACH_O_MAGICS):
        from jumptable.loading import macho

        if FORMAT != "mach-o":
            raise _foreign_format(reader, "mach-o", macho.identify(reader))
        return LibraryFile(path, status, "mach-o", *macho.check(reader))
    if start.startswith(b"MZ"):
        from jumptable.loading import pe

        if FORMAT != "pe":
            raise _foreign_format(reader, "pe", pe.identify(reader))
        return LibraryFile(path, status, "pe", *pe.check(reader))
    raise reader.unfit(_describe(reader, start))


def _foreign_format(reader: Reader, format: str, machine: str) -> PluginArchError:
    from jumptable.loading import elf

    return reader.foreign(
        f"another system: {FORMAT_NAMES[format]}, {machine}",
        f"{FORMAT_NAMES[FORMAT]}, {elf.MACHINE}",
    )


def _describe(reader: Reader, start: bytes) -> str:
    """What a file is that is no library, and what to do about it."""
    for magic, description in OTHER_MAGICS:
        if start.startswith(magic):
            return f"not a library but {description}"
    if b"\x7fELF".startswith(start):
        return f"truncated: it ends after {len(start)} bytes of its header; copy or build it again"
    if not _is_text(start):
        return "not a library: its first bytes are of no known format; copy or build it again"
    text = start.lstrip()
    if reader.path.endswith((".py", ".pyi", ".pyx")):
        return "a text file, not a library; open a Python module by its name, without '.py'"
    if text.startswith(LINKER_SCRIPT_WORDS):
        return "a text file (a linker script), not a library; open the library that it names"
    if text[:9].lower().startswith((b"<!doctype", b"<html")):
        return "a text file (a web page), not a library; download the library itself"
    return "a text file, not a library; give the path of the compiled library"


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        # The 512 bytes may end inside a character.
        if error.start < len(start) - 3:
            return False
        text = start[: error.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)


def _open(path: str, target: object) -> int:
    # Non-blocking: opening a FIFO would otherwise wait for a writer.
    flags = os.O_RDONLY
    for name in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY", "O_NOCTTY"):
        flags |= getattr(os, name, 0)
    try:
        return os.open(path, flags)
    except (OSError, ValueError) as error:
        _refuse(path, error, target)


def _refuse(path: str, error: OSError | ValueError, target: object) -> NoReturn:
    """Say in the project's own terms why a file cannot be opened."""
    shown = repr(path)
    if isinstance(error, ValueError):  # an embedded NUL, or text that no file name can hold
        message = f"{shown} cannot be the name of a file: {error}; give the path of the library"
        raise PluginFileNotFoundError(message, target=target) from None
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.EACCES, errno.EPERM, errno.EISDIR):
        kind = _kind(path)
        if kind:
            message = f"{shown} is {kind}, not a library; give the path of the library file"
            raise PluginFormatError(message, target=target) from None
    if error.errno in (errno.EACCES, errno.EPERM):
        message = f"{shown} cannot be read: permission denied; make it readable for this user"
        raise PluginFormatError(message, target=target) from None
    if error.errno == errno.ENOENT and os.path.islink(path):
        message = (
            f"{shown} is a symbolic link to {os.readlink(path)!r}, which does not exist; "
            "repair the link or build the library"
        )
    elif error.errno == errno.ENOENT:
        message = f"there is no file {shown}; check the path, or build the library first"
    elif error.errno == errno.ENOTDIR:
        message = f"there is no file {shown}: the path goes through a file; check the path"
    elif error.errno == errno.ELOOP:
        message = f"there is no file {shown}: symbolic links lead in a circle; repair the link"
    elif error.errno == errno.ENAMETOOLONG:
        message = f"there is no file {shown}: the name is too long; check the path"
    else:
        message = f"{shown} cannot be opened: {error.strerror}"
        raise PluginError(message, target=target) from error
    raise PluginFileNotFoundError(message, target=target) from None


def _kind(path: str) -> str | None:
    """What ``path`` is when it is no regular file."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    return next((name for is_kind, name in FILE_KINDS if is_kind(mode)), None)


def _require_regular(reader: Reader, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kinds = (name for is_kind, name in FILE_KINDS if is_kind(status.st_mode))
    kind = next(kinds, "a special file")
    raise reader.unfit(f"{kind}, not a library; give the path of the library file")


if hasattr(os, "pread"):

    def _read_once(descriptor: int, offset: int, count: int) -> bytes:
        return os.pread(descriptor, count, offset)

else:

    def _read_once(descriptor: int, offset: int, count: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, count)


def _read(reader: Reader, offset: int, count: int) -> bytes:
    """Up to ``count`` bytes at ``offset``; fewer only at the end of the file."""
    try:
        data = _read_once(reader.descriptor, offset, count)
        # One read returns at most 2 GiB, and less from some network file systems.
        while len(data) < count:
            more = _read_once(reader.descriptor, offset + len(data), count - len(data))
            if not more:
                break
            data += more
    except OSError as error:
        message = f"{reader.name} cannot be read: {error.strerror}"
        raise PluginError(message, target=reader.target) from error
    return data
