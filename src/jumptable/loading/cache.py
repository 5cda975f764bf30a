"""The folder of what is remembered from run to run: files that are whole and our own, or not there.

What is in it can be lost at any time, and only makes things faster: whatever is wrong with a file
or with the folder, `read` gives None and `write` gives False. Files are replaced as a whole, so
that racing processes see the old one or the new one. They are trusted only if they belong to this
user and nobody else may write them, and if their checksum is right, which a file that was cut or
damaged fails.
"""

from __future__ import annotations

import os
import stat
import sys
from binascii import crc32
from time import time_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

__all__ = ["VARIABLE", "folder", "name_for", "own_folder", "prune", "read", "write"]

VARIABLE: Final = "JUMPTABLE_CACHE"
OFF = ("off", "0")

MAGIC = b"jumptable\r\n\x00\x01"  # ends in the layout's version
CHECKSUM = 4
LARGEST = 1 << 28
UNFINISHED_NS = 3600 * 10**9  # no writer takes as long


def folder() -> str | None:
    """Where files are kept; None if ``JUMPTABLE_CACHE=off``, or if there is no home for them.

    The environment variable names another folder; without it, it is the user's cache folder.
    Makes nothing.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        try:
            return None if chosen.lower() in OFF else os.path.abspath(chosen)
        except OSError:  # it is relative, and the working directory is gone
            return None
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # which the XDG specification says to ignore
            base = os.path.expanduser("~/.cache")
    return os.path.join(base, "jumptable") if os.path.isabs(base) else None


def own_folder() -> str | None:
    """`folder`, made if it was not there; None if others may write it, or if there cannot be one.

    For what `write` does not write, such as programs: whoever keeps them there replaces them in
    one step too, and makes them again when they do not work.
    """
    where = folder()
    try:
        return where if where is not None and _make(where) else None
    except OSError:
        return None


def name_for(kind: str, key: str) -> str:
    """A file's name for what ``key`` says; two keys may share one, so the content must tell."""
    text = os.fsencode(key)
    return f"{kind}-{crc32(text):08x}-{len(text):x}"


def read(name: str) -> bytes | None:
    """A file's content; None if there is none that can be trusted."""
    where = folder()
    if where is None:
        return None
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    # Neither a link to elsewhere, nor a pipe to wait for.
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not _is_own(os.stat(where)):
            return None
        descriptor = os.open(os.path.join(where, name), flags)
        try:
            status = os.fstat(descriptor)
            if not (stat.S_ISREG(status.st_mode) and _is_own(status) and status.st_size <= LARGEST):
                return None
            head = os.read(descriptor, len(MAGIC) + CHECKSUM)
            content = os.read(descriptor, status.st_size)  # less, if it is cut meanwhile
        finally:
            os.close(descriptor)
    except (OSError, ValueError, MemoryError):
        return None
    return content if head == MAGIC + crc32(content).to_bytes(CHECKSUM, "little") else None


def write(name: str, content: bytes) -> bool:
    """Replace a file by one with this content; False if that cannot be."""
    where = folder()
    if where is None:
        return False
    temporary = None
    try:
        if not _make(where):
            return False
        temporary = os.path.join(where, f"{name}.{os.urandom(8).hex()}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(temporary, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(MAGIC + crc32(content).to_bytes(CHECKSUM, "little") + content)
        os.replace(temporary, os.path.join(where, name))
    except (OSError, ValueError):
        if temporary is not None:
            try:
                os.unlink(temporary)
            except OSError:
                pass
        return False
    return True


def _make(where: str) -> bool:
    """Whether there is a folder that is our own; makes it."""
    try:
        return _is_own(os.stat(where))
    except FileNotFoundError:
        os.makedirs(os.path.dirname(where), exist_ok=True)
        try:
            os.mkdir(where, 0o700)
        except FileExistsError:  # by somebody else, just now
            pass
        return _is_own(os.stat(where))


def prune(kind: str, most: int, gone: Callable[[bytes], bool]) -> None:
    """If there are more than ``most`` files of a kind, remove those whose content is ``gone``.

    And those that cannot be read, what a writer that was killed has left, and, if that is not
    enough, the oldest half. Costs one listing of the folder where there are no more than that.
    """
    where = folder()
    if where is None:
        return
    try:
        if not _is_own(os.stat(where)):
            return
        names = [name for name in os.listdir(where) if name.startswith(kind + "-")]
    except OSError:
        return
    if len(names) <= most:
        return
    kept: list[tuple[int, str]] = []
    for name in names:
        content = read(name)
        try:
            written = os.stat(os.path.join(where, name)).st_mtime_ns
            if name.endswith(".tmp"):
                useless = written < time_ns() - UNFINISHED_NS
            else:
                useless = content is None or gone(content)
            if useless:
                os.unlink(os.path.join(where, name))
            else:
                kept.append((written, name))
        except OSError:  # somebody else was faster
            continue
    if len(kept) > most:
        for _, name in sorted(kept)[: len(kept) - most // 2]:
            try:
                os.unlink(os.path.join(where, name))
            except OSError:
                continue


def _is_own(status: os.stat_result) -> bool:
    """Whether it is this user's, and no other may write it. Windows' own folders see to that."""
    if os.name == "nt":
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022
