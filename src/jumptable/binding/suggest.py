"""Close names for a name that isn't there."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["suggestion"]

# difflib compares with every name, in time that grows with their number.
ENOUGH = 20_000


def suggestion(name: str, names: Iterable[str], *, otherwise: str = "") -> str:
    """``; did you mean 'scale'?`` if there are close names, else ``otherwise``."""
    from difflib import get_close_matches  # takes 5 ms to import, and only failures need it

    known = {candidate for candidate in names if abs(len(candidate) - len(name)) <= 3}
    likely = sorted(known, key=lambda candidate: (abs(len(candidate) - len(name)), candidate))
    near = get_close_matches(name, likely[:ENOUGH], n=3, cutoff=0.7)
    if not near:
        return otherwise
    return f"; did you mean {' or '.join(map(repr, near))}?"
