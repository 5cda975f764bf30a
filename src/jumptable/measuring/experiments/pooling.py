"""Keep handles in a pool, so that they are opened once."""

from __future__ import annotations

from collections.abc import Sequence

from ...loading.registry import open as open_plugin
from ..ladder.mathlibrary import math_library
from ..results import Trial
from ..timing import Spread, statement
from ..wording import duration
from .trying import Maker, Trying, compared

__all__ = ["EXPERIMENT", "verdict"]

AGAIN, POOL, VARIABLE = "jt.open(path), open already", "pool[path]", "a variable"


def _try_out(trying: Trying) -> tuple[Sequence[Trial], str]:
    plugin = math_library()
    path = plugin.path or plugin.name
    names = {"open": open_plugin, "pool": {path: plugin}, "path": path, "plugin": plugin}
    if open_plugin(path) is not plugin:
        raise ValueError(f"{path} opened again is another plugin")
    found = trying.measured(
        [
            statement(AGAIN, "open(path)", names),
            statement(POOL, "pool[path]", names),
            statement(VARIABLE, "plugin", names),
        ]
    )
    return [Trial(name, spread) for name, spread in found.items()], verdict(
        found[AGAIN], found[POOL], found[VARIABLE]
    )


def verdict(again: Spread, pool: Spread, variable: Spread) -> str:
    kept = f"a variable that holds the plugin takes {duration(variable.median)}"
    if compared(again, pool) < 0:
        saved = duration(again.median - pool.median)
        return f"A pool saves {saved} of the {duration(again.median)} of jt.open, but {kept}."
    return (
        f"A pool saves nothing, {duration(pool.median)} against the {duration(again.median)} of "
        f"jt.open, which is a pool itself; {kept}."
    )


EXPERIMENT = Maker("Pool plugin handles", _try_out)
