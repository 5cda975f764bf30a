"""What a background load has done, and what it tells on its way."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..binding.table import Table

__all__ = ["WarmProgress", "WarmReport"]


class WarmReport:
    """What a `Warmup` has done so far. Never changes.

    ``loaded`` has the seconds that each plugin took, ``failed`` the exceptions, ``unfinished`` the
    seconds that loads still under way have taken so far (it may be that they hang), and ``left``
    the names of those that were not begun: they load at their first call. ``seconds`` is the
    time since the start, to the end if there was one. `bool` is whether all were loaded.
    """

    __slots__ = ("failed", "left", "loaded", "seconds", "unfinished")

    def __init__(
        self,
        loaded: dict[str, float],
        failed: dict[str, BaseException],
        unfinished: dict[str, float],
        left: tuple[str, ...],
        seconds: float,
    ) -> None:
        self.loaded = loaded
        self.failed = failed
        self.unfinished = unfinished
        self.left = left
        self.seconds = seconds

    def __bool__(self) -> bool:
        return not (self.failed or self.unfinished or self.left)

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} loaded in {self.seconds:.3f} s"]
        lines += [f"  {name}: {1000 * taken:.1f} ms" for name, taken in self.loaded.items()]
        for name, error in self.failed.items():
            first = str(error).partition("\n")[0]
            lines.append(f"  {name}: failed: {type(error).__name__}: {first}")
        for name, taken in self.unfinished.items():
            lines.append(f"  {name}: still being loaded after {taken:.3f} s")
        if self.left:
            lines.append(f"  not begun: {', '.join(self.left)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"<WarmReport: {len(self.loaded)} loaded, {len(self.failed)} failed, "
            f"{len(self.unfinished)} unfinished, {len(self.left)} left, {self.seconds:.3f} s>"
        )


class WarmProgress:
    """What a warmer's ``progress`` gets after each load: ``error`` is None where it went well.

    ``done`` of ``total`` tables have been seen to.
    """

    __slots__ = ("done", "error", "name", "seconds", "table", "total")

    def __init__(
        self,
        name: str,
        table: Table[Any],
        seconds: float,
        error: BaseException | None,
        done: int,
        total: int,
    ) -> None:
        self.name = name
        self.table = table
        self.seconds = seconds
        self.error = error
        self.done = done
        self.total = total

    def __repr__(self) -> str:
        what = "loaded" if self.error is None else "failed"
        return f"<WarmProgress: {self.name!r} {what}, {self.done} of {self.total}>"
