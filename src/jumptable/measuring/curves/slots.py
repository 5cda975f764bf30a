"""A call through a table's slot, by how many slots the table has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from ...binding.table import Table
from .. import loops
from ..ladder.compiled import empty_loop, timed
from ..ladder.mathlibrary import FABS, math_library
from ..ladder.rung import ARGUMENT, TRIED, expect, expression
from ..timing import Contestant
from .maker import Maker, Point, told

__all__ = ["CURVE"]

COUNTS = (10, 100, 1_000, 10_000, 100_000)
MIDDLE, LAST, IN_C = "facade, middle slot", "facade, last slot", "last slot, from C"


def _points(closing: ExitStack) -> Iterator[Point]:
    fabs, signature = math_library().lookup(*FABS), FABS[1]
    for count in COUNTS:
        # A facade keeps its attributes in the order of their names.
        names = [f"slot{number:06}" for number in range(count)]
        table = Table(dict.fromkeys(names, signature))
        table.bind(dict.fromkeys(names, fabs))
        for series, name in ((MIDDLE, names[count // 2]), (LAST, names[-1])):
            code, values = f"f.{name}(x)", {"f": table.facade}
            yield Point(series, count, expression(told(series, count), code, values))
        address = loops.slot_address(table, names[-1], signature)
        yield Point(IN_C, count, _from_c(told(IN_C, count), table, address))


def _from_c(name: str, table: object, address: int) -> Contestant:
    def run(count: int, x: float = ARGUMENT, kept: object = table) -> float:
        return loops.slot(address, x, count)

    expect(run(2, TRIED), -TRIED)
    return Contestant(name, timed(run), empty_loop())


CURVE = Maker(
    "Slots of a table",
    "A call of the C library's fabs through one slot, of a table with so many.",
    "slots",
    "ns per call",
    _points,
    rounds=400,
)
