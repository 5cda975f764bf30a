"""Fault containment: what is raised after implementations of one hook call have raised."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from .stock import MULTICALL, HookImpl

if sys.version_info < (3, 11):
    try:
        from exceptiongroup import ExceptionGroup
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "jumptable.pluggy needs exceptiongroup on Python 3.10, and there is none: "
            'python -m pip install "jumptable[pluggy]"',
            name="exceptiongroup",
        ) from None

__all__ = ["ContainedErrors", "call_contained", "group_of"]


class ContainedErrors(ExceptionGroup[Exception]):
    """What implementations of one hook raised, after all of them have run.

    ``results`` is what the call would have returned without them: a list, or for a ``firstresult``
    hook one result or None. Parts of the group, as ``except*`` makes them, have it as well.
    """

    results: Any = None

    def derive(self, excs: Sequence[Exception], /) -> ContainedErrors:  # type: ignore[override]
        part = ContainedErrors(self.message, excs)
        part.results = self.results
        return part


def group_of(
    hook: str, total: int, failures: Sequence[tuple[HookImpl, Exception]], results: object
) -> ContainedErrors:
    """What is to be raised; each exception gets a note of whose it is."""
    for impl, error in failures:
        # An exception may refuse attributes; that must not lose what all of them say.
        with suppress(Exception):
            notes = getattr(error, "__notes__", [])
            note = f"raised by the plugin {impl.plugin_name!r} in the hook {hook!r}"
            if isinstance(notes, list) and note not in notes:
                error.__notes__ = [*notes, note]
    ran = f"{len(failures)} of {total} implementations of the hook {hook!r} raised"
    group = ContainedErrors(ran, [error for _, error in failures])
    group.results = results
    return group


def call_contained(
    hook: str, impls: Sequence[HookImpl], kwargs: Mapping[str, object], firstresult: bool
) -> object:
    """A contained call that cannot be compiled, by pluggy's own code: one implementation at a time.

    One that asks for an argument that the call lacks has failed like one that raised.
    """
    wrappers = [impl for impl in impls if impl.wrapper or impl.hookwrapper]
    plain = [impl for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def call_all() -> object:
        results: list[object] = []
        failures: list[tuple[HookImpl, Exception]] = []
        for impl in reversed(plain):
            try:
                result = MULTICALL(hook, [impl], kwargs, True)
            except Exception as error:
                failures.append((impl, error))
                continue
            if result is not None:
                results.append(result)
                if firstresult:
                    break
        outcome = (results[0] if results else None) if firstresult else results
        if failures:
            raise group_of(hook, len(plain), failures, outcome)
        return outcome

    options: Any = dict.fromkeys(("wrapper", "hookwrapper", "optionalhook", "tryfirst"), False)
    options |= {"trylast": False, "specname": None}
    # Below all wrappers, as one implementation; its result is passed on as it is.
    return MULTICALL(hook, [HookImpl(None, "", call_all, options), *wrappers], kwargs, True)
