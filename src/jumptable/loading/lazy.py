"""Lazy tables: the first call of a slot opens the plugin and binds all slots that wait for it.

Invariants
- A slot that waits holds a Pending, and is bound by one store; who calls it later finds the target
  itself. Everything here is run before that, or after a failure.
- Of the threads that call first, one makes the attempt, and the others wait for its end. An attempt
  that fails leaves its exception in ``failure``, and until `Opening.retry` nobody makes another.
  What is no Exception, such as KeyboardInterrupt, passes through and leaves nothing.
- A thread waits only if it is loading nothing itself: no lazy table, no native library, no module.
  So threads that load each other's plugins cannot wait in a circle. A thread that may not wait
  opens and binds for itself: opening is once per process anyhow, what was bound first stays, and
  its failure is its own. At worst a plugin's class is instantiated twice.
- ``_lock`` protects the attempts' beginnings and ends, for a few operations. It is re-entrant, and
  they are right also if something else comes between any two: a signal handler or a finaliser may
  make a first call there. An end that Ctrl-C interrupts is made again.
- A forked child has neither the threads nor the locks of attempts that were under way. Its own
  threads may get the identifiers of those, so an attempt counts only with its number of forks.
"""

from __future__ import annotations

import _thread
import os
import sys
from time import perf_counter

from ..binding.table import bind_pending, is_pending, new_lazy_table
from ..errors import InterfaceError, PluginError, PluginInitError, UnboundSlotError
from .objects import description
from .registry import for_later, is_opening
from .registry import open as open_plugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any, TypeVar, overload

    from ..binding.table import Table
    from .registry import Target

    T = TypeVar("T")

__all__ = ["Opening", "foreground_loads", "lazy", "lazy_group"]

_lock = _thread.RLock()
_forks = 0
# Those under way. A thread that loads one plugin for another has several.
_attempts: set[Attempt] = set()


def _forget_other_threads() -> None:
    global _lock, _forks
    _lock = _thread.RLock()
    _forks += 1
    own = _thread.get_ident()
    for attempt in list(_attempts):
        if attempt.thread == own:
            attempt.forks = _forks
        else:
            _attempts.discard(attempt)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


class Attempt:
    """One thread's attempt to load one plugin. ``ended`` is locked until it is over."""

    __slots__ = ("background", "ended", "forks", "is_over", "start", "thread")

    def __init__(self, background: bool) -> None:
        self.background = background
        self.thread = _thread.get_ident()
        self.forks = _forks
        self.start = perf_counter()
        self.is_over = False
        self.ended = _thread.allocate_lock()
        self.ended.acquire()

    def is_alive(self) -> bool:
        """Whether its thread is one of this process, which may be a forked child."""
        return self.forks == _forks


class Opening:
    """How a lazy table comes to its plugin."""

    __slots__ = ("attempt", "factory", "failure", "seconds", "table", "target", "text")

    table: Table[Any]

    def __init__(self, target: Target, text: str, factory: str | None) -> None:
        self.target = target
        self.text = text
        self.factory = factory
        self.attempt: Attempt | None = None
        self.failure: Exception | None = None
        self.seconds = 0.0  # that the latest attempt took

    def open(self, name: str, *, background: bool = False) -> None:
        """Open and bind, if that is still to be done; ``name`` is the slot that was called.

        PluginInitError, with the cause, if it failed, now or before.
        """
        own = None
        failure: Exception | None = None
        remedy = "table.retry() lets the next call try again"
        try:
            while is_pending(self.table):
                with _lock:
                    failure, attempt = self.failure, self.attempt
                    if attempt is not None and not attempt.is_alive():
                        attempt = None
                    if failure is None and attempt is None:
                        own = Attempt(background)
                        _attempts.add(own)
                        self.attempt = own
                if failure is not None:
                    break
                if attempt is not None:
                    if attempt.thread == _thread.get_ident():
                        raise UnboundSlotError(
                            f"{name}() was called while {self.text} is being loaded, by its own "
                            "initialisation; call it when that is done"
                        )
                    if _may_wait():
                        with attempt.ended:
                            continue
                try:
                    self._bind()
                except Exception as error:
                    failure = error
                    if own is None:
                        remedy = (
                            "another thread was loading it, for which this one, importing or "
                            "loading something itself, could not wait; call it later"
                        )
                break
        finally:
            if own is not None:
                try:
                    self._end(own, failure)
                except BaseException:
                    self._end(own, failure)
                    raise
        if failure is not None:
            try:
                raise self._error(failure, remedy)
            finally:
                failure = None  # whose traceback holds this frame

    def _end(self, own: Attempt, failure: Exception | None) -> None:
        with _lock:
            if self.attempt is own:
                self.failure, self.attempt = failure, None
                self.seconds = perf_counter() - own.start
            _attempts.discard(own)
            if not own.is_over:
                own.is_over = True
                own.ended.release()

    def _bind(self) -> None:
        bind_pending(self.table, open_plugin(self.target), self.factory)

    def _error(self, failure: Exception, remedy: str) -> PluginInitError:
        """A new one for each call: who catches it may keep it, and add to its traceback."""
        cause: BaseException = failure
        if isinstance(failure, PluginInitError):
            told, cause = str(failure), failure.__cause__ or failure
        elif isinstance(failure, (PluginError, InterfaceError)):
            told = f"{self.text} cannot be loaded: {failure}"
        else:
            told = f"loading {self.text} {description(failure)}"
        separator = "\n" if "\n" in told else "; "
        error = PluginInitError(f"{told}{separator}{remedy}", target=self.text)
        error.__cause__ = cause
        return error

    def retry(self) -> None:
        """Forget a failure."""
        with _lock:
            self.failure = None

    def __str__(self) -> str:
        """What the table's ``repr`` adds."""
        if self.failure is not None and is_pending(self.table):
            return f", {self.text!r} has failed to load"
        return f", lazily from {self.text!r}"


def _may_wait() -> bool:
    """Whether this thread holds nothing that the thread it would wait for may need."""
    own = _thread.get_ident()
    if is_opening() or any(attempt.thread == own for attempt in list(_attempts)):
        return False
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return False  # it is importing, and holds that module's lock
        frame = frame.f_back
    return True


def foreground_loads() -> bool:
    """Whether a call is waiting for its plugin to be loaded."""
    return not all(attempt.background for attempt in list(_attempts))


if TYPE_CHECKING:

    @overload
    def lazy(
        target: Target, interface: Callable[..., T], *, factory: str | None = ..., count: bool = ...
    ) -> Table[T]: ...

    @overload
    def lazy(
        target: Target,
        interface: Mapping[str, str | None],
        *,
        factory: str | None = ...,
        count: bool = ...,
    ) -> Table[Any]: ...


def lazy(
    target: Target, interface: Any, *, factory: str | None = None, count: bool = False
) -> Table[Any]:
    """A `Table` that opens its plugin and binds itself when one of its slots is first called.

    ``target`` is what `open` takes, ``interface`` and ``count`` what `Table` does, and ``factory``
    names what a Python plugin's object is made by, as for `Plugin.bind`. A relative path means
    what it means now.

    From the second call on ``table.facade`` is what a bound table's is: nothing is checked any
    more. Threads that call first load the plugin once, and wait for it. If that fails, each call
    raises PluginInitError, whose ``__cause__`` says why, until ``table.retry()``. Looking at the
    table or its facade loads nothing. What `Table.bind` binds before, stays bound.

    Raises TypeError for what is no target, no interface or no factory's name, and InterfaceError
    for an interface that no plugin could fit; whether the plugin exists is seen at the first call.
    Safe to call from any thread.
    """
    if not (factory is None or isinstance(factory, str)):
        raise TypeError(
            "a factory is the name of an attribute that is called, such as 'New', not "
            f"{type(factory).__name__}"
        )
    opening = Opening(*for_later(target, "lazy"), factory)
    opening.table = table = new_lazy_table(interface, opening, count)
    return table


if TYPE_CHECKING:

    @overload
    def lazy_group(
        group: str, interface: Callable[..., T], *, factory: str | None = ..., count: bool = ...
    ) -> dict[str, Table[T]]: ...

    @overload
    def lazy_group(
        group: str,
        interface: Mapping[str, str | None],
        *,
        factory: str | None = ...,
        count: bool = ...,
    ) -> dict[str, Table[Any]]: ...


def lazy_group(
    group: str, interface: Any, *, factory: str | None = None, count: bool = False
) -> dict[str, Table[Any]]:
    """A lazy table for each entry point of a group, by the entry points' names.

    The entry points are those that `entry_points` finds; nothing is imported. Of several with one
    name the first on ``sys.path`` counts, and a RuntimeWarning names the others. Raises what
    `lazy` raises.
    """
    from .discovery import entry_points

    if not isinstance(group, str):
        raise TypeError(
            "a group of entry points is named by text such as 'myapp.filters', not "
            f"{type(group).__name__}"
        )
    tables: dict[str, Table[Any]] = {}
    taken: dict[str, Any] = {}
    for point in entry_points(group=group):
        known = taken.setdefault(point.name, point)
        if known is point:
            tables[point.name] = lazy(point, interface, factory=factory, count=count)
        elif known.value != point.value:
            from warnings import warn

            warn(
                f"the group {group!r} has two entry points {point.name!r}: {known.value} is used, "
                f"and {point.value} is not; uninstall one, or rename it",
                RuntimeWarning,
                stacklevel=2,
            )
    return tables
