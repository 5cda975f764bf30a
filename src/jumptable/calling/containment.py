"""Fault containment: what is raised after implementations of one hook call have raised."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

import pluggy

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

__all__ = ["group_of"]


def group_of(
    hook: str, total: int, failures: Sequence[tuple[pluggy.HookImpl, Exception]], results: object
) -> ExceptionGroup[Exception]:
    """An ExceptionGroup of what the implementations of a hook raised, each with a note of whose.

    Its attribute ``results`` holds what the hook call would have returned without them.
    """
    for impl, error in failures:
        # An exception may refuse attributes; that must not lose what all of them say.
        with suppress(Exception):
            notes = list(getattr(error, "__notes__", ()))
            note = f"raised by the plugin {impl.plugin_name!r} in the hook {hook!r}"
            if note not in notes:
                error.__notes__ = [*notes, note]
    ran = f"{len(failures)} of {total} implementations of the hook {hook!r} raised"
    group = ExceptionGroup(ran, [error for _, error in failures])
    group.results = results  # type: ignore[attr-defined]
    return group
