"""Loading lazy tables in the background, before somebody has to wait for them.

Invariants
- ``_changed``'s lock protects the queue, what is running and the report. No plugin and no callback
  runs under it.
- A thread takes the next table only while the budget lasts, nobody has cancelled, no fork is under
  way, and no call waits for a plugin of its own. A load that has begun cannot be stopped; one that
  takes long no longer counts among the threads: another takes its place.
- Threads are daemons, so the interpreter's exit waits for none; it stops what has not begun, and
  lets what is under way come to an end for a moment (GRACE), since a thread that is ended within a
  plugin's code may leave a lock behind.
- A fork waits likewise: a child would inherit modules and libraries that are half loaded, and their
  locks. In the child nothing goes on, and what was under way counts as not begun. Several threads
  may fork at a time, and Ctrl-C may interrupt what is done before and after: holding and going on
  are by thread, can be repeated, and a hold that nobody ends does so by itself.

With a GIL a load takes processor time from threads that compute. So while there are such, each load
is followed by a pause of ``PAUSE`` times what it took, which keeps their loss below a tenth.
"""

from __future__ import annotations

import _thread
import os
import sys
from time import perf_counter, sleep, thread_time

from ..binding.table import opening_of
from .lazy import foreground_loads
from .processor import begin_clock, busy_share, end_clock, forget_clocks, other_time
from .registry import somebody_is_opening
from .system import leave_early, watch_exit
from .warmreport import WarmProgress, WarmReport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Condition, Thread
    from typing import Any
    from weakref import ReferenceType

    from ..binding.table import Table

__all__ = ["Warmup", "begin"]

PAUSE = 15  # times the load
BEGINNING = 0.05  # seconds, at most, before the first load
SLICE = 0.02  # of a pause, in seconds, after which the foreground is looked at again
GRACE = 0.25  # for an exit or a fork, seconds
HOLD = 5.0  # seconds, after which a fork is over that did not say so
LONGEST = 3600.0  # seconds; a longer wait is several
# A load that takes longer than that share of the budget, or so many seconds, is given company.
SHARE, LONG = 0.25, 2.0


class Warmup:
    """A background load of lazy tables, made by `warm`. Safe to use from any thread."""

    _changed: Condition

    def __init__(
        self,
        tables: list[tuple[str, Table[Any]]],
        within: float | None,
        threads: int,
        progress: Callable[[WarmProgress], object] | None,
    ) -> None:
        from threading import Condition

        self._changed = Condition()
        self._queue = tables[::-1]  # the next is the last
        self._tables = dict(tables)
        self._total = len(tables)
        self._progress = progress
        self._threads = threads
        self._start = perf_counter()
        self._deadline = None if within is None else self._start + within
        self._long = LONG if within is None else within * SHARE
        self._loaded: dict[str, float] = {}
        self._failed: dict[str, BaseException] = {}
        self._running: dict[str, tuple[int, float]] = {}  # by whom, and since when
        self._workers: list[Thread] = []
        self._cancelled = False
        self._holds: dict[int, float] = {}  # by whom, and until when
        self._end: float | None = None

    def __repr__(self) -> str:
        state = "done" if self.done else "under way"
        return f"<Warmup of {self._total} tables, {state}>"

    @property
    def done(self) -> bool:
        """Whether nothing more will be begun, and nothing is under way or the budget is used up."""
        with self._changed:
            return self._is_over()

    def wait(self, timeout: float | None = None) -> WarmReport:
        """Wait until all is loaded, or the budget is used up, and tell what happened.

        After ``timeout`` seconds the report tells how far it got. Loads that are under way at the
        budget's end go on, and are ``unfinished`` in the report. Raises KeyboardInterrupt at
        Ctrl-C, and the warmer goes on; RuntimeError in ``progress``, or in a plugin that is being
        loaded, where it would wait for its own end.
        """
        until = None if timeout is None else perf_counter() + timeout
        with self._changed:
            while not self._is_over():
                ends = [end for end in (until, self._deadline) if end is not None]
                left = min(ends) - perf_counter() if ends else None
                if left is not None and left <= 0:
                    break
                if left is None and self._runs_here():
                    raise RuntimeError(
                        "wait() was called by what the warmer itself runs, and would never return; "
                        "wait(0) gives the report so far"
                    )
                self._changed.wait(LONGEST if left is None else min(left, LONGEST))
            return self._report()

    def cancel(self) -> None:
        """Begin no more loads. Those under way go on: nothing can stop them safely."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _is_over(self) -> bool:
        """Whether `wait` need not wait; the lock is held."""
        late = self._is_late()
        begins_no_more = not self._queue or self._cancelled or late
        if self._end is None and not self._running and begins_no_more:
            self._end = perf_counter()
        return self._end is not None or late

    def _runs_here(self) -> bool:
        own = _thread.get_ident()
        return any(thread == own for thread, _ in self._running.values())

    def _is_late(self) -> bool:
        return self._deadline is not None and perf_counter() >= self._deadline

    def _report(self) -> WarmReport:
        now = self._end if self._end is not None else perf_counter()
        return WarmReport(
            dict(self._loaded),
            dict(self._failed),
            {
                name: now - start
                for name, (_, start) in self._running.items()
                if name not in self._loaded and name not in self._failed
            },
            tuple([name for name, _ in reversed(self._queue)]),
            now - self._start,
        )

    # ---- forks and exit -------------------------------------------------------------------------

    def _hold(self, until: float) -> None:
        """Begin nothing until `_go_on`, and wait for what is under way, but not for this thread."""
        own = _thread.get_ident()
        with self._changed:
            self._holds[own] = perf_counter() + HOLD
            while any(thread != own for thread, _ in self._running.values()):
                left = until - perf_counter()
                if left <= 0:
                    break
                self._changed.wait(left)

    def _go_on(self) -> None:
        with self._changed:
            self._holds.pop(_thread.get_ident(), None)
            self._changed.notify_all()

    def _is_held(self) -> bool:
        now = perf_counter()
        return any(until > now for until in self._holds.values())

    def _end_in_child(self) -> None:
        from threading import Condition

        self._changed = Condition()  # a thread that was not forked may have held it
        self._cancelled = True
        self._holds.clear()
        own = _thread.get_ident()
        for name, (thread, _) in list(self._running.items()):
            if thread != own:
                del self._running[name]
                self._queue.append((name, self._tables[name]))

    # ---- the threads ----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start the threads, of which one looks after the others."""
        from threading import Thread

        try:
            for _ in range(min(self._threads, self._total)):
                self._add_worker()
            Thread(target=self._look_after, name="jumptable-warm", daemon=True).start()
        except BaseException:
            self.cancel()
            raise

    def _add_worker(self) -> None:
        from threading import Thread

        name = f"jumptable-warm-{len(self._workers) + 1}"
        worker = Thread(target=self._work, name=name, daemon=True)
        worker.start()
        self._workers.append(worker)

    def _look_after(self) -> None:
        """Give company to threads whose load takes long, as far as there is something to load."""
        with self._changed:
            while self._queue and not (self._cancelled or self._is_late()):
                now = perf_counter()
                ends = [start + self._long for _, start in self._running.values()]
                stuck = sum(end <= now for end in ends)
                while len(self._workers) < min(self._threads, self._total) + stuck:
                    try:
                        self._add_worker()
                    except Exception:
                        break  # there are no threads to be had; those that there are go on
                later = [end for end in ends if end > now]
                if self._deadline is not None:
                    later.append(self._deadline)
                self._changed.wait(min([end - now for end in later] + [LONGEST]))
            self._is_over()
            self._changed.notify_all()

    def _work(self) -> None:
        clock = begin_clock()
        try:
            self._load_on()
        finally:
            end_clock(clock)

    def _load_on(self) -> None:
        # Who has just called `warm` may be about to give its first result.
        self._pause(BEGINNING, float("inf"), 0.0)
        while True:
            with self._changed:
                while self._is_held():
                    self._changed.wait(HOLD)
                if not self._queue or self._cancelled or self._is_late():
                    return
            if self._give_way():
                continue
            with self._changed:
                if not self._queue or self._is_held() or self._cancelled or self._is_late():
                    continue
                name, table = self._queue.pop()
                start = perf_counter()
                self._running[name] = (_thread.get_ident(), start)
                self._changed.notify_all()
            used, others = thread_time(), other_time()
            error = _load(table)
            used, others = thread_time() - used, other_time() - others
            seconds = perf_counter() - start
            with self._changed:
                if error is None:
                    self._loaded[name] = seconds
                else:
                    self._failed[name] = error
                done = len(self._loaded) + len(self._failed)
            # Before `wait` can return for the last time.
            self._tell(WarmProgress(name, table, seconds, error, done, self._total))
            with self._changed:
                del self._running[name]
                self._is_over()  # from now on
                self._changed.notify_all()
            del table, error
            self._pause(PAUSE * used, others, seconds)

    def _tell(self, progress: WarmProgress) -> None:
        if self._progress is None:
            return
        try:
            self._progress(progress)
        except BaseException as error:
            import threading

            hook = threading.excepthook
            told = (type(error), error, error.__traceback__, threading.current_thread())
            try:
                hook(threading.ExceptHookArgs(told))
            except BaseException as worse:  # as `threading` does; the thread is still needed
                try:
                    sys.excepthook(type(worse), worse, worse.__traceback__)
                except BaseException:
                    pass

    def _give_way(self) -> bool:
        """Let calls that load plugins themselves go first; whether there was one."""
        until = perf_counter() + self._long
        waited = False
        while foreground_loads() and perf_counter() < until and not self._cancelled:
            sleep(SLICE / 10)
            waited = True
        return waited and perf_counter() < until

    def _pause(self, length: float, others: float, seconds: float) -> None:
        """Leave the processor to threads that compute, if there are any, for a time."""
        share = busy_share()
        until = perf_counter() + length
        while others > share * seconds and self._queue and not self._cancelled:
            start = perf_counter()
            others = other_time()
            left = until - start
            if self._deadline is not None:
                left = min(left, self._deadline - start)
            if left <= 0:
                return
            sleep(min(SLICE, left))
            others = other_time() - others
            seconds = perf_counter() - start


def _load(table: Table[Any]) -> BaseException | None:
    opening = opening_of(table)
    try:
        if opening is not None:
            opening.open("the warmer", background=True)
    except BaseException as error:  # a plugin's own may be of any kind, and must not end the thread
        return error
    return None


# ---- forks and the interpreter's exit -------------------------------------------------------

# Those that have begun something in this process, and may not have ended.
_warmups: list[ReferenceType[Warmup]] = []
_prepared = False
_prepare_lock = _thread.RLock()


def _living() -> list[Warmup]:
    found = [reference() for reference in list(_warmups)]
    return [warmup for warmup in found if warmup is not None]


def _before_fork() -> None:
    until = perf_counter() + GRACE
    for warmup in _living():
        warmup._hold(until)


def _after_fork() -> None:
    for warmup in _living():
        warmup._go_on()


def _after_fork_in_child() -> None:
    global _prepare_lock
    _prepare_lock = _thread.RLock()
    forget_clocks()
    for warmup in _living():
        warmup._end_in_child()


def _at_exit() -> None:
    living = _living()
    for warmup in living:
        warmup.cancel()
    until = perf_counter() + GRACE
    for warmup in living:
        warmup._hold(until)
    if living and somebody_is_opening():
        leave_early()


def _prepare() -> None:
    """See to forks and exit, once; a process that warms nothing has no such handlers."""
    global _prepared
    import atexit

    with _prepare_lock:
        if _prepared:
            return
        _prepared = True

    atexit.register(_at_exit)
    watch_exit()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork,
            after_in_child=_after_fork_in_child,
        )


def begin(warmup: Warmup) -> None:
    """Start what `warm` has made."""
    from weakref import ref

    _prepare()
    _warmups.append(ref(warmup, _warmups.remove))
    warmup._begin()
