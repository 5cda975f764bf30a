"""The public function that loads lazy tables in the background; `warmup` does it."""

from __future__ import annotations

from ..binding.table import Table, opening_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from .warmreport import WarmProgress
    from .warmup import Warmup

__all__ = ["warm"]


def warm(
    tables: Iterable[Table[Any]] | Mapping[str, Table[Any]],
    within: float | None = None,
    *,
    threads: int = 1,
    progress: Callable[[WarmProgress], object] | None = None,
) -> Warmup:
    """Load lazy tables in the background, in the given order: the most important first.

    ``tables`` are lazy tables, or a mapping of names to them, as `lazy_group` gives; reports use
    the names, or else what the tables were made of. ``within`` is the budget in seconds, after
    which no load is begun any more; None is without end. ``threads`` load at a time: with a GIL
    more than one helps only where loading waits, for files or a network. ``progress`` is called
    after each load, in a thread of the warmer, with a `WarmProgress`; what it raises goes to
    ``threading.excepthook``.

    Calls go first: while one loads its plugin itself, and while other threads use the processor,
    the warmer pauses. A plugin that fails is in the report, and its table raises the error when it
    is called. One that takes long, or hangs, holds up no other, unless it holds what they need: the
    GIL, or the loader's lock in a native library's constructor. The interpreter's exit and forks
    wait a quarter of a second at most for what is under way.

    Returns at once; see `Warmup.wait` and `Warmup.cancel`. Raises TypeError or ValueError for
    arguments that make no sense. Safe to call from any thread.
    """
    from .warmup import Warmup, begin

    named = _named(tables)
    if within is not None:
        if not isinstance(within, (int, float)):
            raise TypeError(f"within={within!r} is no number of seconds; None is without end")
        if not within >= 0:
            raise ValueError(f"within={within!r} is no number of seconds; None is without end")
    if not isinstance(threads, int):
        raise TypeError(f"threads={threads!r} is no number of threads; one is the least")
    if threads < 1:
        raise ValueError(f"threads={threads!r} is no number of threads; one is the least")
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress is called after each load, and {type(progress).__name__} is not callable"
        )
    warmup = Warmup(named, within, threads, progress)
    begin(warmup)
    return warmup


def _named(tables: Iterable[Table[Any]] | Mapping[str, Table[Any]]) -> list[tuple[str, Table[Any]]]:
    from collections.abc import Mapping

    if isinstance(tables, Table):
        raise TypeError("warm() takes several tables, and got one: warm([table])")
    if isinstance(tables, Mapping):
        pairs = [(str(name), table) for name, table in tables.items()]
    else:
        pairs = [("", table) for table in tables]
    named: dict[str, Table[Any]] = {}
    numbers: dict[str, int] = {}
    for name, table in pairs:
        if not isinstance(table, Table):
            raise TypeError(f"warm() takes lazy tables, and got a {type(table).__name__}")
        name = name or getattr(opening_of(table), "text", "a table that is not lazy")
        unique = name
        while unique in named:
            numbers[name] = number = numbers.get(name, 1) + 1
            unique = f"{name} ({number})"
        named[unique] = table
    return list(named.items())
