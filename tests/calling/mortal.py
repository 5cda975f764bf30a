"""Whether classes can die: the free-threaded CPython 3.13 keeps all, from the first thread on."""

from __future__ import annotations

import gc
import weakref


def classes_die() -> bool:
    alive = weakref.ref(type("T", (), {}))
    gc.collect()
    return alive() is None
