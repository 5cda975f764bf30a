"""Calls from Python: of a function in the same program, and of plugins in every form."""

from __future__ import annotations

import math
from typing import Protocol

from ...binding.table import Table
from ...loading.registry import open as open_plugin
from .. import example_python
from ..results import Guide
from ..timing import Contestant
from .mathlibrary import FABS, math_library
from .rung import Preparation, Rung, expression

__all__ = ["BASELINE", "RUNGS"]

GROUP = "Calls from Python"
BASELINE = "direct Python call"


class Magnitude(Protocol):
    """What the example plugins do."""

    def magnitude(self, x: float) -> float: ...


def _call(preparation: Preparation, function: object) -> Contestant:
    return expression(preparation.name, "f(x)", {"f": function})


def _direct(preparation: Preparation) -> Contestant:
    return _call(preparation, example_python.magnitude)


def _builtin(preparation: Preparation) -> Contestant:
    return _call(preparation, math.fabs)


def _python(preparation: Preparation) -> Contestant:
    table = Table(Magnitude)
    table.bind(open_plugin(example_python.__name__))
    return expression(preparation.name, "plugin.magnitude(x)", {"plugin": table.facade})


def _native(preparation: Preparation) -> Contestant:
    table = Table(dict([FABS]))
    table.bind(math_library())
    return expression(preparation.name, "plugin.fabs(x)", {"plugin": table.facade})


def _looked_up(preparation: Preparation) -> Contestant:
    return _call(preparation, math_library().lookup(*FABS))


def _cython(preparation: Preparation) -> Contestant:
    example = open_plugin("jumptable.measuring.example")
    return _call(preparation, example.lookup("magnitude", "double(double)"))


def _interface(preparation: Preparation) -> Contestant:
    plugin = open_plugin(example_python.__name__).bind(Magnitude, factory="New")
    return expression(preparation.name, "plugin.magnitude(x)", {"plugin": plugin})


RUNGS = (
    Rung(
        BASELINE,
        GROUP,
        "A Python function of the host, held in a local variable.",
        _direct,
        Guide("direct function call", 1, 1),
    ),
    Rung(
        "builtin function",
        GROUP,
        "math.fabs: the least that the interpreter takes to call a C function.",
        _builtin,
    ),
    Rung(
        "native function, looked up once",
        GROUP,
        "The C library's fabs, as plugin.lookup() returned it.",
        _looked_up,
        Guide("cached function value", 5, 5),
    ),
    Rung(
        "native plugin through a facade",
        GROUP,
        "The same function as an attribute of a table's facade, where it can be swapped.",
        _native,
    ),
    Rung(
        "Python plugin through a facade",
        GROUP,
        "A function of a Python module as an attribute of a table's facade.",
        _python,
    ),
    Rung(
        "interface call",
        GROUP,
        "A method of the object that plugin.bind() checked, made by the plugin's factory.",
        _interface,
        Guide("interface method call", 5, 10),
    ),
    Rung(
        "Cython plugin's C function",
        GROUP,
        "A cdef function that an extension module exports, looked up once.",
        _cython,
    ),
)
