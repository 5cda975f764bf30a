"""Strip a library's symbols, so that it is smaller."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

from ...loading.registry import open as open_plugin
from ..ladder.rung import UnavailableError
from ..results import Trial
from ..timing import Spread, statement
from .compiling import FUNCTION, SIGNATURE, sample, started
from .trying import Maker, Trying, changed, compared

__all__ = ["EXPERIMENT", "Kind", "verdict"]

WHOLE, STRIPPED = "with -g", "stripped"


@dataclass(frozen=True)
class Kind:
    """What was found of the library, as it is and stripped."""

    size: int
    opened: Spread
    looked_up: Spread
    called: Spread
    evidence: str


def _try_out(trying: Trying) -> tuple[Sequence[Trial], str]:
    whole = sample(trying, "-O2", "-g")
    stripped = _strip(trying, whole)
    opened: dict[Path, list[float]] = {whole: [], stripped: []}
    looked_up: dict[Path, list[float]] = {whole: [], stripped: []}
    plugins = []
    for number in range(trying.copies + 1):
        # Whoever comes first finds other things in the processor's caches.
        for library in (whole, stripped)[:: 1 if number % 2 else -1]:
            path = trying.fresh(library, number)
            start = perf_counter_ns()
            plugins.append((library, open_plugin(path)))
            opened[library].append(perf_counter_ns() - start)
    functions = {}
    for library, plugin in plugins:
        trying.check()
        start = perf_counter_ns()
        functions[library] = plugin.lookup(FUNCTION, SIGNATURE)
        looked_up[library].append(perf_counter_ns() - start)
    names = {whole: WHOLE, stripped: STRIPPED}
    calls = trying.measured(
        [statement(names[library], "f(x)", {"f": function, "x": 1.5})
         for library, function in functions.items()]
    )  # fmt: skip
    # The first ones warm up: they import what reads debug information.
    kinds = {
        library: Kind(
            library.stat().st_size,
            Spread.of(opened[library][1:]),
            Spread.of(looked_up[library][1:]),
            calls[name],
            functions[library].__self__.evidence,
        )
        for library, name in names.items()
    }
    return _trials(kinds[whole], kinds[stripped]), verdict(kinds[whole], kinds[stripped])


def _strip(trying: Trying, library: Path) -> Path:
    target = library.with_name(f"stripped{library.suffix}")
    strip = shutil.which("strip")
    if strip is None or sys.platform == "win32":
        raise UnavailableError("there is no strip here: install binutils")
    # On macOS without -x it refuses to remove what a library exports.
    options = ["-x"] if sys.platform == "darwin" else []
    started(trying, [strip, *options, "-o", str(target), str(library)])
    return target


def _trials(whole: Kind, stripped: Kind) -> list[Trial]:
    trials = []
    for name, kind in ((WHOLE, whole), (STRIPPED, stripped)):
        size = float(kind.size)
        trials.append(Trial(f"size, {name}", Spread(size, size, size), "bytes"))
    for what in ("opened", "looked_up", "called"):
        said = {"opened": "first jt.open", "looked_up": "first look-up", "called": "call"}[what]
        for name, kind in ((WHOLE, whole), (STRIPPED, stripped)):
            trials.append(Trial(f"{said}, {name}", getattr(kind, what)))
    return trials


def verdict(whole: Kind, stripped: Kind) -> str:
    saved = 1 - stripped.size / whole.size
    size = f"saves {saved:.0%} of the file" if saved > 0 else "saves nothing of the file"
    times = [
        f"{what} {changed(before, after)}"
        for what, before, after in (
            ("a first open takes", whole.opened, stripped.opened),
            ("a first look-up", whole.looked_up, stripped.looked_up),
        )
    ]
    calls = {-1: "calls are faster", 0: "calls are the same", 1: "calls are slower"}[
        compared(whole.called, stripped.called)
    ]
    lost = "what is exported is still found"
    if whole.evidence != stripped.evidence:
        lost += (
            f", but nothing checks its signature any more (evidence {whole.evidence!r} became "
            f"{stripped.evidence!r})"
        )
    return f"Stripping {size}; {', '.join(times)}; {calls}; {lost}."


EXPERIMENT = Maker("Strip symbols from the plugin", _try_out)
