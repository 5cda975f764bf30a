"""The command line of a fresh process that runs a function of this package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

__all__ = ["command", "interpreter_options"]


def command(
    module: str, function: str, *arguments: object, options: Sequence[str] | None = None
) -> list[str]:
    """Call ``function(*arguments)`` of a module, with this process's interpreter and ``sys.path``.

    Arguments are plain data, written as literals; ``options`` are this interpreter's if None.
    """
    # The path first: it may be where this package is. What is no str, import ignores too.
    path = [str(entry) for entry in sys.path if isinstance(entry, str)]
    code = (
        f"import sys; sys.path[:] = {path!r}\n"
        f"from {module} import {function}; {function}({', '.join(map(repr, arguments))})"
    )
    return [sys.executable, *(interpreter_options() if options is None else options), "-c", code]


def interpreter_options() -> list[str]:
    """Those that this process was started with, as `multiprocessing` passes them on."""
    found: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return found
