"""How often each plugin's hook implementations are called, and how long they take.

    >>> with HookStats(manager) as stats:
    ...     manager.hook.something()
    >>> for time in stats.times():
    ...     print(time.hook, time.plugin, time.calls, time.own, time.total)

For any pluggy manager, compiled or not. While it lasts, hook calls go through pluggy's own Python
code; what they do, return, raise and warn about stays the same. Plugins, threads, recursion and
wrappers: all implementations are measured in every thread that calls them; a wrapper's time is that
of both its halves, without what it wraps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from .hooktimer import Recorder

if TYPE_CHECKING:
    from types import TracebackType

    import pluggy

__all__ = ["HookStats", "HookTime", "add_up"]


class HookTime(NamedTuple):
    """What the implementations of one hook by one plugin took, in nanoseconds.

    ``own`` leaves out the hook calls that they made, so it can be added up over plugins and hooks.
    ``total`` counts those in; what an implementation took inside itself counts once.
    """

    hook: str
    plugin: str
    calls: int
    own: int
    total: int


class HookStats:
    """Measures the hook calls of ``manager`` from now until `stop`.

    Monitoring of pluggy's, tracing too, that began before and is undone meanwhile ends the
    measuring: it puts back what it found. Where it began later and is undone after `stop`, calls
    pass through here, unmeasured, until it is.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._manager = manager
        self._recorder = Recorder(manager._inner_hookexec)
        self._place = self._recorder.place()
        manager._inner_hookexec = self._place

    def __enter__(self) -> HookStats:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Measure no more, and leave the manager as it was; `times` keeps what there is."""
        self._recorder.running = False
        self._recorder.forget_implementations()
        place = self._manager._inner_hookexec
        while isinstance(recorder := getattr(place, "__self__", None), Recorder):
            if recorder.running:
                break
            place = recorder.inner
        self._manager._inner_hookexec = place

    def times(self) -> list[HookTime]:
        """What has been measured so far, the longest own time first."""
        return add_up(self._recorder.rows())


def add_up(rows: Iterable[tuple[str, str, int, int, int]]) -> list[HookTime]:
    """One `HookTime` for each hook and plugin, from several threads' or processes' numbers."""
    sums: dict[tuple[str, str], HookTime] = {}
    for hook, plugin, calls, own, total in rows:
        before = sums.get((hook, plugin), HookTime(hook, plugin, 0, 0, 0))
        sums[hook, plugin] = HookTime(
            hook, plugin, before.calls + calls, before.own + own, before.total + total
        )
    return sorted(sums.values(), key=lambda time: (-time.own, time.hook, time.plugin))
