"""Where reports are written: whole or not at all, to a file, a device or the standard output."""

from __future__ import annotations

import json
import os
import shutil
import sys

__all__ = ["check_writable", "write_json", "write_text"]


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
        sys.stdout.write(text)
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


def _is_device(path: str) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _beside(path: str) -> str:
    # In the folder of what a link leads to: a file can be replaced only within its file system.
    return f"{os.path.realpath(path)}.{os.getpid()}.tmp"
