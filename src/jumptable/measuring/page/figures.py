"""The page's figures: the ladder's groups, and how costs grow.

Every figure says what it shows in its description too; its numbers are in a table of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

from matplotlib.axes import Axes
from matplotlib.transforms import IdentityTransform, blended_transform_factory

from ..results import Row
from ..wording import TIMES, duration, one_line, plainly, ratios
from .drawing import COLOURS, Paper, as_it_comes, text_width, wrapped
from .growth import curve
from .scale import LINE, Scale

__all__ = ["NARROW", "WIDE", "Layout", "Scale", "curve", "ladder"]

NANOSECONDS_OF_A_MICROSECOND = 1e3


@dataclass(frozen=True)
class Layout:
    """Where things are, in pixels; ``stacked``: names stand above their rows, not beside them."""

    name: str
    width: float
    left: float
    right: float
    size: float
    names: float  # how wide a name may be
    stacked: bool = False


WIDE = Layout("wide", 880, left=272, right=692, size=13, names=256)
NARROW = Layout("narrow", 360, left=8, right=352, size=13, names=236, stacked=True)

RATIO = 90.0  # how wide the column of ratios is: 99,999,999 times is not beside its median
AXIS, BELOW, STRIP, GAP = 30.0, 4.0, 22.0, 10.0
TICKS, TICK = 14.0, 12.0
BOTH = 12.0


@dataclass(frozen=True)
class _Line:
    """A row, and how high what it takes is."""

    row: Row
    name: list[str]
    height: float


@as_it_comes()
def ladder(rows: Sequence[Row], scale: Scale, layout: Layout, prefix: str, title: str) -> str:
    """A group of rows on a scale that all groups share, as SVG."""
    lines = [_line(row, layout) for row in rows]
    height = AXIS + sum(line.height for line in lines) + BELOW
    paper = Paper(layout.width, height)
    axes = paper.axes(layout.left, 0, layout.right - layout.left, height)
    axes.set_xscale("log")
    axes.set_xlim(*scale.limits)
    axes.set_ylim(height, 0)
    strips = []
    top = AXIS
    for line in lines:
        _row(axes, line, top, scale, layout)
        top += line.height
        strips.append((top - GAP - STRIP, top - GAP))
    _ruled(axes, scale, layout, strips if layout.stacked else [(AXIS - 6, height)])
    if not layout.stacked:
        _heading(axes, layout)
    return paper.svg(prefix, title, _ladder_in_words(rows), layout.name)


def _line(row: Row, layout: Layout) -> _Line:
    most = layout.names
    if layout.stacked:  # the numbers are on the same line
        most = min(most, layout.width - text_width(_both(row), BOTH) - 8)
    lines = wrapped(one_line(row.name), layout.size, most)
    height = len(lines) * layout.size * LINE
    return _Line(row, lines, height + STRIP + GAP if layout.stacked else max(height, STRIP) + 5)


def _ruled(axes: Axes, scale: Scale, layout: Layout, strips: Sequence[tuple[float, float]]) -> None:
    """A line per decade; where names stand above their rows, it is not drawn through them."""
    labelled = _labelled(axes, scale, layout)
    for value in scale.decades:
        microsecond = value == NANOSECONDS_OF_A_MICROSECOND
        for top, bottom in strips:
            axes.plot(
                [value, value],
                [top, bottom],
                color=COLOURS["soft" if microsecond else "line"],
                linewidth=1,
                linestyle=(0, (3, 3)) if microsecond else "solid",
                clip_on=False,
                solid_capstyle="butt",
                zorder=0,
            )
        if value in labelled:
            _text(axes, value, TICKS, bare(value), "soft", TICK, align="center",
                  inside=layout if layout.stacked else None)  # fmt: skip


def _labelled(axes: Axes, scale: Scale, layout: Layout) -> list[float]:
    """The decades that there is room to name: those where a unit begins come first."""
    taken: list[tuple[float, float]] = []
    found = []
    for value in sorted(scale.decades, key=lambda value: not bare(value).startswith("1 ")):
        half = text_width(bare(value), TICK) / 2 + 3
        middle = float(axes.transData.transform((value, 0))[0])
        if layout.stacked:
            middle = _within(middle, half, layout)
        if all(middle + half <= left or middle - half >= right for left, right in taken):
            taken.append((middle - half, middle + half))
            found.append(value)
    return found


def bare(value: float) -> str:
    """The unit where it begins, the number alone after it."""
    text = plainly(value)
    return text if text.startswith("1 ") or value < 1 else text.split(" ")[0]


def _heading(axes: Axes, layout: Layout) -> None:
    for x, words in ((layout.width - RATIO, "median"), (layout.width, f"{TIMES} direct")):
        _text(axes, x, TICKS, words, "soft", TICK, align="right", pixels=True)


def _row(axes: Axes, line: _Line, top: float, scale: Scale, layout: Layout) -> None:
    row, size = line.row, layout.size
    block = len(line.name) * size * LINE
    if layout.stacked:
        first = top + size * LINE / 2
        middle = top + block + STRIP / 2
    else:
        first = top + (line.height - block) / 2 + size * LINE / 2
        middle = top + line.height / 2
    for number, words in enumerate(line.name):
        _text(axes, 0, first + number * size * LINE, words, "ink", size, pixels=True)
    _guide(axes, row, middle)
    _spread(axes, row, middle, scale)
    if layout.stacked:
        _text(axes, layout.width, first, _both(row), "ink", BOTH, align="right", pixels=True)
        return
    label, ratio = _numbers(row)
    _text(axes, layout.width - RATIO, middle, label, "ink", size, align="right", pixels=True)
    _text(axes, layout.width, middle, ratio, "soft", size, align="right", pixels=True)


def _numbers(row: Row) -> tuple[str, str]:
    ratio = f"{ratios(row.ratio)[0]}{TIMES}" if row.ratio is not None else ""
    measured = isfinite(row.spread.median)
    return duration(row.spread.median) if measured else "not measured", ratio


def _both(row: Row) -> str:
    return " · ".join(part for part in _numbers(row) if part)


def _guide(axes: Axes, row: Row, middle: float) -> None:
    if row.guide is None or not 0 < row.guide.low <= row.guide.high < inf:
        return
    half = STRIP / 2 - 1
    if row.guide.high > row.guide.low:
        low, high = row.guide.low, row.guide.high
        axes.fill_between(
            [low, high], middle - half, middle + half, color=COLOURS["band"], linewidth=0, zorder=1
        )
        for edge in (low, high):  # a band alone is too faint for some eyes
            axes.plot(
                [edge, edge],
                [middle - half, middle + half],
                color=COLOURS["guide"],
                linewidth=1.5,
                solid_capstyle="butt",
                zorder=1,
                clip_on=False,
            )
    else:
        axes.plot(
            row.guide.low,
            middle,
            marker="D",
            color=COLOURS["guide"],
            markersize=11,
            markerfacecolor=COLOURS["band"],
            markeredgecolor=COLOURS["guide"],
            markeredgewidth=1.5,
            zorder=1,
            clip_on=False,
        )


def _spread(axes: Axes, row: Row, middle: float, scale: Scale) -> None:
    spread, mark = row.spread, COLOURS["mark"]
    if not isfinite(spread.median):
        return
    least = scale.limits[0]
    if spread.median < least:  # off the scale, to the left
        axes.plot(least, middle, marker=4, markersize=9, color=mark, clip_on=False, zorder=4)
        return
    axes.plot(
        [max(spread.low, least), min(spread.high, scale.limits[1])],
        [middle, middle],
        color=mark,
        alpha=0.45,
        linewidth=6,
        solid_capstyle="butt",
        clip_on=False,
        zorder=2,
    )
    if row.minimum >= least:
        axes.plot(
            [row.minimum, row.minimum],
            [middle - 7, middle + 7],
            color=COLOURS["ink"],
            linewidth=1.5,
            solid_capstyle="butt",
            clip_on=False,
            zorder=3,
        )
    axes.plot(
        spread.median,
        middle,
        marker="o",
        color=mark,
        markersize=8,
        markerfacecolor=COLOURS["ground"] if row.unstable else mark,
        markeredgecolor=mark,
        markeredgewidth=2,
        clip_on=False,
        zorder=4,
    )


def _text(
    axes: Axes,
    x: float,
    y: float,
    words: str,
    colour: str,
    size: float,
    *,
    align: str = "left",
    pixels: bool = False,
    inside: Layout | None = None,
) -> None:
    """``x`` is a pixel of the paper, or a value on the axis; ``inside`` keeps all of it visible."""
    if inside is not None:
        x = float(axes.transData.transform((x, y))[0])
        x, pixels = _within(x, text_width(words, size) / 2, inside), True
    transform = axes.transData
    if pixels:
        transform = blended_transform_factory(IdentityTransform(), axes.transData)
    axes.text(
        x, y, words, color=COLOURS[colour], fontsize=size, transform=transform,
        horizontalalignment=align, verticalalignment="center_baseline", parse_math=False,
        clip_on=False, zorder=5,
    )  # fmt: skip


def _within(middle: float, half: float, layout: Layout) -> float:
    return min(max(middle, half), layout.width - half)


def _ladder_in_words(rows: Sequence[Row]) -> str:
    measured = [row for row in rows if isfinite(row.spread.median)]
    if not measured:
        return "Nothing was measured."
    said = "; ".join(
        f"{one_line(row.name)} {duration(row.spread.median)}{', unstable' if row.unstable else ''}"
        for row in measured
    )
    return f"Medians on a logarithmic axis: {said}. All numbers are in the table below."
