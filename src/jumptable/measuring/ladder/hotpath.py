"""What belongs before the loop, left in it: look-ups, opens and imports."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from importlib import import_module
from itertools import count as numbers
from time import perf_counter_ns

from ...loading.registry import open as open_plugin
from .. import example_python
from ..results import Guide
from ..timing import Contestant
from .mathlibrary import FABS, math_library
from .rung import Preparation, Rung, expect, expression

__all__ = ["FIRST_OPENS", "RUNGS"]

GROUP = "Left in the hot path"
# Each makes a copy that stays in memory as long as the process.
FIRST_OPENS = 20


def _lookup(preparation: Preparation) -> Contestant:
    names = {"plugin": math_library(), "name": FABS[0], "signature": FABS[1]}
    return expression(preparation.name, "plugin.lookup(name, signature)(x)", names)


def _opening() -> dict[str, object]:
    library = math_library()
    return {
        "open": open_plugin,
        "target": library.path or library.name,
        "name": FABS[0],
        "signature": FABS[1],
    }


def _open(preparation: Preparation) -> Contestant:
    names = {**_opening(), "f": math_library().lookup(*FABS)}
    return expression(preparation.name, "open(target)\nf(x)", names)


def _open_and_lookup(preparation: Preparation) -> Contestant:
    code = "open(target).lookup(name, signature)(x)"
    return expression(preparation.name, code, _opening())


def _import(preparation: Preparation) -> Contestant:
    names = {"import_module": import_module, "module": example_python.__name__}
    return expression(preparation.name, "import_module(module).magnitude(x)", names)


def _first_open(preparation: Preparation) -> Contestant:
    # Windows does not remove a library that is open.
    folder = preparation.closing.enter_context(
        tempfile.TemporaryDirectory(prefix="jumptable-bench-", ignore_cleanup_errors=True)
    )
    library = open_plugin("jumptable.measuring.example").path
    assert library is not None
    suffix = os.path.splitext(library)[1]
    number = numbers()

    def copy() -> str:
        path = os.path.join(folder, f"example{next(number)}{suffix}")
        shutil.copyfile(library, path)
        return path

    opened = open_plugin(copy())
    expect(opened.kind, "native")
    expect(open_plugin(copy()) is opened, False)
    return Contestant(preparation.name, _opening_each(copy), most=FIRST_OPENS)


def _opening_each(copy: Callable[[], str]) -> Callable[[int], int]:
    def loop(count: int) -> int:
        copies = [copy() for _ in range(count)]
        start = perf_counter_ns()
        for path in copies:
            open_plugin(path)
        return perf_counter_ns() - start

    return loop


RUNGS = (
    Rung(
        "look-up in the hot path",
        GROUP,
        "plugin.lookup(name, signature)(x): the function is looked up for each call.",
        _lookup,
        Guide("(*Plugin).Lookup", 100, 1000),
    ),
    Rung(
        "open in the hot path",
        GROUP,
        "open(path) of a library that is open already, and then the call.",
        _open,
    ),
    Rung(
        "open and look-up in the hot path",
        GROUP,
        "open(path).lookup(name, signature)(x): both for each call.",
        _open_and_lookup,
    ),
    Rung(
        "import_module in the hot path",
        GROUP,
        "importlib.import_module(name).magnitude(x) of a module that is imported already.",
        _import,
    ),
    Rung(
        "first open of a library",
        GROUP,
        "open(path) of a small library that was never open before; its file is in memory.",
        _first_open,
        Guide("plugin.Open of a small plugin", 1e6, 1e7),
    ),
)
