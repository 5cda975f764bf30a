"""What a rung of the ladder is, and what its maker is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from ..results import Guide
from ..timing import Contestant, statement

__all__ = [
    "ARGUMENT",
    "TRIED",
    "Preparation",
    "Rung",
    "Shared",
    "UnavailableError",
    "expect",
    "expression",
    "reason",
]

Made = TypeVar("Made")

# What every rung gives to its fabs, and what it is tried with before: a function that only hands
# its argument back would pass with the first one.
ARGUMENT = 1.5
TRIED = -1.5


class UnavailableError(Exception):
    """A rung cannot be timed on this machine; the message says why, and how to get it."""


@dataclass(frozen=True)
class Preparation:
    """For the maker of one rung.

    What it opens is entered in ``closing``, which is closed after the last round, or at once if
    making the rung fails. ``quick``: nothing is compiled.
    """

    name: str
    closing: ExitStack
    shared: Shared
    quick: bool = False


@dataclass(frozen=True)
class Rung:
    """One way to call. ``about``: what exactly is timed. ``make`` raises UnavailableError.

    ``elsewhere``: another process does it, or takes part.
    """

    name: str
    group: str
    about: str
    make: Callable[[Preparation], Contestant]
    guide: Guide | None = None
    elsewhere: bool = False


class Shared:
    """What several rungs of one climb use: made for the first of them, closed after the last."""

    def __init__(self, closing: ExitStack) -> None:
        self._closing = closing
        self._made: dict[object, Any] = {}
        self._failed: dict[object, Exception] = {}

    def once(self, make: Callable[[ExitStack], Made]) -> Made:
        """What ``make`` returned or raised when it was called first."""
        if make in self._failed:
            raise self._failed[make]
        if make not in self._made:
            with ExitStack() as opened:
                try:
                    self._made[make] = make(opened)
                except Exception as error:
                    self._failed[make] = error
                    raise
                self._closing.push(opened.pop_all())
        made: Made = self._made[make]
        return made


def expression(name: str, code: str, names: Mapping[str, object]) -> Contestant:
    """Times Python code whose last line is the fabs of ``x``, once it was seen to be."""
    *before, last = code.splitlines()
    tried = {**names, "x": TRIED}
    exec("\n".join(before), tried)
    expect(eval(last, tried), -TRIED)
    return statement(name, code, {**names, "x": ARGUMENT})


def expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise ValueError(f"the call gave {found!r}, expected {wanted!r}")


def reason(error: Exception) -> str:
    """Why there is no rung, in one line; what is no UnavailableError was not foreseen."""
    text = next(filter(None, map(str.strip, str(error).splitlines())), "")
    if isinstance(error, UnavailableError):
        return text
    return f"it failed: {type(error).__name__}: {text}" if text else f"it failed: {error!r}"
