"""Values and exceptions as a run's log shows them: equal where a user sees no difference."""

from __future__ import annotations

from pathlib import Path

import pluggy

from tests.calling import hook_sources

# Frames of pluggy itself are there on stock managers only.
OWN_FILES = (hook_sources.FILE_NAME, str(Path(__file__).with_name("differential.py")))


class CustomError(Exception):
    pass


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("it has no text")


def plain(value: object) -> object:
    """A value as something that compares equal between two runs."""
    if isinstance(value, BaseException):
        return ("exception", type(value).__name__, text_of(value))
    if isinstance(value, pluggy.Result):
        return ("outcome", plain(value._result), plain(value.exception))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *map(plain, value))
    if isinstance(value, dict):
        return ("dict", *((str(key), plain(each)) for key, each in value.items()))
    if value is None or isinstance(value, (int, str)):
        return (type(value).__name__, value)
    return type(value).__name__


def text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"no text: {failure}"


def frames_of(error: BaseException) -> list[tuple[str, int]]:
    """Where the traceback goes through what is not pluggy's own."""
    frames = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename in OWN_FILES:
            frames.append((code.co_name, step.tb_lineno))
        step = step.tb_next
    return frames


def summary(error: BaseException | None, depth: int = 4) -> object:
    if error is None or not depth:
        return None
    return {
        "type": type(error).__name__,
        "text": text_of(error),
        "frames": frames_of(error),
        "cause": summary(error.__cause__, depth - 1),
        "context": summary(error.__context__, depth - 1),
        "suppressed": error.__suppress_context__,
        "value": plain(getattr(error, "value", None)),
        "notes": getattr(error, "__notes__", []),
    }
