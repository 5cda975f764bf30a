"""Where reports are written: whole or not at all, to a file, a device or the standard output."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable

__all__ = ["check_all", "check_writable", "write_all", "write_json", "write_text"]

# Says that a path cannot be written, and why; returns the exit status.
CannotWrite = Callable[[str, str | None], int]


def check_all(paths: Iterable[str | None], cannot_write: CannotWrite) -> int | None:
    """The exit status if one of the paths, None apart, could not be written after all the work."""
    for path in paths:
        if path is not None:
            try:
                check_writable(path)
            except OSError as error:
                return cannot_write(repr(path), error.strerror)
    return None


def write_all(
    texts: Iterable[tuple[str | None, Callable[[], str]]], cannot_write: CannotWrite
) -> int | None:
    """Write what is asked for; the exit status if that cannot be."""
    for path, text in texts:
        if path is None:
            continue
        try:
            write_text(path, text())
        except OSError as error:
            if path == "-":
                raise
            return cannot_write(repr(path), error.strerror)
    return None


def check_writable(path: str) -> None:
    """OSError now, rather than after minutes of measuring, if `write_json` could not write."""
    if path == "-" or _is_device(path):
        return
    if os.path.exists(path) or not path:
        with open(path, "ab"):
            pass
    temporary = _beside(path)
    with open(temporary, "xb"):
        pass
    os.unlink(temporary)


def write_json(path: str, document: object) -> None:
    """Write a document, whole or not at all; ``-`` is the standard output.

    A file that exists is replaced in one step. A device or a pipe is written to as it is.
    """
    write_text(path, json.dumps(document, indent=2) + "\n")


def write_text(path: str, text: str) -> None:
    """Write a text as `write_json` does."""
    if path == "-":
        _write_to_standard_output(text)
        return
    if _is_device(path):
        with open(path, "w", encoding="utf-8") as device:
            device.write(text)
        return
    temporary = _beside(path)
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(text)
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        os.replace(temporary, os.path.realpath(path))
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _write_to_standard_output(text: str) -> None:
    """In UTF-8, as documents are, whatever a terminal would get."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
    else:
        buffer.write(text.encode("utf-8"))
        buffer.flush()


def _is_device(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _beside(path: str) -> str:
    # In the folder of what a link leads to: a file can be replaced only within its file system.
    return f"{os.path.realpath(path)}.{os.getpid()}.tmp"
