"""What dies with a GIL alone: classes (the free-threaded CPython 3.13 keeps all, from the first
thread on), and managers with compiled callers, which threads there use without counting."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

managers_die = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="without a GIL, accelerated managers live as long as the process",
)


def classes_die() -> bool:
    alive = weakref.ref(type("T", (), {}))
    gc.collect()
    return alive() is None
