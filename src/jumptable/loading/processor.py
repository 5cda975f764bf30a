"""How much of the processor is used by others than the threads that load in the background."""

from __future__ import annotations

import _thread
import os
import sys
import time
from time import process_time, thread_time

__all__ = ["begin_clock", "busy_share", "end_clock", "forget_clocks", "other_time"]

BUSY = 0.1  # of one processor: more than that, and somebody is computing

# The clocks of threads that load, and what those have used that have ended: the rest of the
# process's time is the foreground's.
_clocks: dict[int, int] = {}
_used = 0.0
_clock_lock = _thread.allocate_lock()


def begin_clock() -> int:
    own = _thread.get_ident()
    if hasattr(time, "pthread_getcpuclockid"):
        with _clock_lock:
            _clocks[own] = time.pthread_getcpuclockid(own)
    return own


def end_clock(own: int) -> None:
    global _used
    with _clock_lock:
        _clocks.pop(own, None)
        _used += thread_time()


def other_time() -> float:
    """The seconds of processor time that threads have used which are not of a warmer."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return process_time() - thread_time()
    with _clock_lock:
        # A thread's clock may be read as long as it is in the dictionary.
        loading = sum([time.clock_gettime(clock) for clock in _clocks.values()])
        return process_time() - loading - _used


def busy_share() -> float:
    """The part of a processor that others may use before loading takes it from them."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return BUSY
    affinity = getattr(os, "sched_getaffinity", None)
    return (len(affinity(0)) if affinity else os.cpu_count() or 1) - 1 + BUSY


def forget_clocks() -> None:
    """In a forked child: the threads are gone, and so is the time that they have used."""
    global _clock_lock, _used
    _clock_lock = _thread.allocate_lock()
    _clocks.clear()
    _used = 0.0
