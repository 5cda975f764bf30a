"""Go's own plugin package, in a process that is asked for each turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from ..results import Guide
from ..timing import Contestant
from . import gobuild
from .asked import Asked
from .hotpath import FIRST_OPENS
from .processes import PROCESSES, nothing
from .rung import Preparation, Rung

__all__ = ["RUNGS"]

GROUP = "Go's plugin package"


def _host(closing: ExitStack) -> Asked:
    return gobuild.host(closing, quick=False)


def _host_if_built(closing: ExitStack) -> Asked:
    return gobuild.host(closing, quick=True)


def _asking(what: str, most: int | None = None) -> Callable[[Preparation], Contestant]:
    def make(preparation: Preparation) -> Contestant:
        host = preparation.shared.once(_host_if_built if preparation.quick else _host)
        return Contestant(preparation.name, host.loop(what), most=most)

    return make


def _exec(preparation: Preparation) -> Contestant:
    contestant = _asking("exec", PROCESSES)(preparation)
    nothing()  # without it the host would end, and all its rows
    return contestant


RUNGS = (
    Rung(
        "Go: direct call",
        GROUP,
        "A Go function of the host, not inlined.",
        _asking("direct"),
        Guide("direct function call", 1, 1),
        elsewhere=True,
    ),
    Rung(
        "Go: cached function",
        GROUP,
        "A plugin's function, looked up and asserted once.",
        _asking("cached"),
        Guide("cached function value", 5, 5),
        elsewhere=True,
    ),
    Rung(
        "Go: interface call",
        GROUP,
        "A method of an interface value that the plugin's factory made.",
        _asking("interface"),
        Guide("interface method call", 5, 10),
        elsewhere=True,
    ),
    Rung(
        "Go: Lookup",
        GROUP,
        "Lookup, type assertion and call, each time.",
        _asking("lookup"),
        Guide("(*Plugin).Lookup", 100, 1000),
        elsewhere=True,
    ),
    Rung(
        "Go: Open, already open",
        GROUP,
        "plugin.Open of a plugin that is open already.",
        _asking("open"),
        elsewhere=True,
    ),
    Rung(
        "Go: first Open",
        GROUP,
        "plugin.Open in a new process, whose start is not counted.",
        _asking("first", FIRST_OPENS),
        Guide("plugin.Open of a small plugin", 1e6, 1e7),
        elsewhere=True,
    ),
    Rung(
        "Go: reflect call",
        GROUP,
        "reflect.Value.Call of the plugin's function.",
        _asking("reflect"),
        Guide("reflect.Value.Call", 500, 1000),
        elsewhere=True,
    ),
    Rung(
        "Go: exec",
        GROUP,
        "exec.Command of a program that does nothing, from its start to its end.",
        _exec,
        Guide("exec.Command round trip", 1e6, 1e6),
        elsewhere=True,
    ),
)
