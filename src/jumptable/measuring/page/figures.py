"""The page's figures: the ladder's groups, and how costs grow.

Every figure says what it shows in its description too; its numbers are in a table of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log10

from matplotlib.axes import Axes
from matplotlib.transforms import IdentityTransform, blended_transform_factory

from ..results import Curve, Row
from ..timing import Spread
from ..wording import (
    TIMES,
    amount,
    compact,
    duration,
    is_time,
    one_line,
    plainly,
    quantity,
    ratios,
)
from .drawing import COLOURS, Paper, as_it_comes, text_width, wrapped

__all__ = ["NARROW", "WIDE", "Layout", "Scale", "curve", "ladder"]

LINE = 1.3  # of text, in sizes
LOWEST = -2  # decades: no clock tells less than a hundredth of a nanosecond from nothing
NANOSECONDS_OF_A_MICROSECOND = 1e3


@dataclass(frozen=True)
class Scale:
    """A logarithmic axis, in whole decades."""

    low: int
    high: int

    @classmethod
    def over(cls, values: Iterable[float], otherwise: tuple[int, int] = (0, 3)) -> Scale:
        """What is zero or not a number has no place on it."""
        logs = [log10(value) for value in values if isfinite(value) and value > 0]
        if not logs:
            return cls(*otherwise)
        low, high = floor(min(logs)), ceil(max(logs))
        return cls(low, max(high, low + 1))

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Scale:
        """One for all of a ladder's groups."""
        found = cls.over(value for row in rows for value in _shown(row))
        return cls(max(found.low, LOWEST), max(found.high, LOWEST + 1))

    @property
    def limits(self) -> tuple[float, float]:
        return 10.0**self.low, 10.0**self.high

    @property
    def decades(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def _shown(row: Row) -> Iterator[float]:
    yield from (row.spread.median, row.spread.low, row.spread.high, row.minimum)
    if row.guide is not None:
        yield from (row.guide.low, row.guide.high)


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
    labelled = _labelled(axes, scale)
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


def _labelled(axes: Axes, scale: Scale) -> list[float]:
    """The decades that there is room to name: those where a unit begins come first."""
    taken: list[tuple[float, float]] = []
    found = []
    for value in sorted(scale.decades, key=lambda value: not bare(value).startswith("1 ")):
        middle = float(axes.transData.transform((value, 0))[0])
        half = text_width(bare(value), TICK) / 2 + 3
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
        half = text_width(words, size) / 2
        x, pixels = min(max(x, half), inside.width - half), True
    transform = axes.transData
    if pixels:
        transform = blended_transform_factory(IdentityTransform(), axes.transData)
    axes.text(
        x, y, words, color=COLOURS[colour], fontsize=size, transform=transform,
        horizontalalignment=align, verticalalignment="center_baseline", parse_math=False,
        clip_on=False, zorder=5,
    )  # fmt: skip


def _ladder_in_words(rows: Sequence[Row]) -> str:
    measured = [row for row in rows if isfinite(row.spread.median)]
    if not measured:
        return "Nothing was measured."
    said = "; ".join(
        f"{one_line(row.name)} {duration(row.spread.median)}{', unstable' if row.unstable else ''}"
        for row in measured
    )
    return f"Medians on a logarithmic axis: {said}. All numbers are in the table below."


# ---- how costs grow -------------------------------------------------------------------------

# Told apart by their marks and dashes as well as by colour.
SERIES = (
    ("series-1", "o", "solid"),
    ("series-2", "s", (0, (5, 2))),
    ("series-3", "^", (0, (1.5, 1.5))),
    ("series-4", "D", (0, (7, 2, 1.5, 2))),
    ("series-5", "v", (0, (3, 1))),
)
WIDTH, HEIGHT = 360.0, 266.0
LEFT, RIGHT, TOP, BOTTOM = 54.0, 222.0, 30.0, 222.0
LABEL, LABEL_GAP = 12.0, 10.0

ROOM = 1.2  # beyond the outermost lines, for marks that lie on them

Points = Sequence[tuple[float, Spread]]


@as_it_comes()
def curve(found: Curve, prefix: str) -> str:
    """Its series, each with the spread of every point, as SVG."""
    paper = Paper(WIDTH, HEIGHT)
    axes = paper.axes(LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP)
    series = [(one_line(name), plottable(points)) for name, points in found.series.items()]
    counts = sorted({count for _, points in series for count, _ in points})
    values = [value for _, points in series for _, spread in points
              for value in (spread.low, spread.median, spread.high)]  # fmt: skip
    scale = Scale.over(values, (0, 1))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*_margin(counts))
    axes.set_ylim(scale.limits[0] / ROOM, scale.limits[1] * ROOM)
    _grid(axes, scale, counts, found)
    for (_, points), style in zip(series, _styles(), strict=False):
        _plot(axes, points, style)
    _names(axes, series)
    return paper.svg(prefix, one_line(found.title), curve_in_words(found))


def plottable(points: Points) -> Points:
    """What has a place on two logarithmic axes."""
    return [
        (count, spread) for count, spread in points
        if count > 0 and isfinite(spread.median) and spread.median > 0
    ]  # fmt: skip


def _styles() -> Iterator[tuple[str, str, object]]:
    while True:
        yield from SERIES


def _margin(counts: Sequence[float]) -> tuple[float, float]:
    if not counts:
        return 1, 10
    low, high = counts[0], counts[-1]
    room = (high / low) ** 0.04 if high > low else 2
    return low / room, high * room


def _grid(axes: Axes, scale: Scale, counts: Sequence[float], found: Curve) -> None:
    low, high = axes.get_xlim()
    step = 1 + (len(scale.decades) - 1) // 6
    for index, value in enumerate(scale.decades):
        axes.plot([low, high], [value, value], color=COLOURS["line"], linewidth=1, zorder=0,
                  clip_on=False)  # fmt: skip
        if index % step == 0:
            label = plainly(value) if is_time(found.unit) else compact(value)
            _place(axes, LEFT - 8, value, label, "soft", "right")
    bottom = axes.get_ylim()[0]
    taken = -1e9
    for count in counts:
        x = float(axes.transData.transform((count, bottom))[0])
        half = text_width(compact(count), LABEL) / 2
        axes.plot(count, bottom, marker=3, markersize=4, color=COLOURS["soft"], clip_on=False)
        if x - half > taken + 4:
            axes.text(
                x, HEIGHT - BOTTOM - 14, compact(count), color=COLOURS["soft"], fontsize=LABEL,
                horizontalalignment="center", verticalalignment="center_baseline",
                transform=IdentityTransform(), clip_on=False,
            )  # fmt: skip
            taken = x + half
    unit = wrapped(_axis(one_line(found.unit)), LABEL, WIDTH, 1)[0]
    axes.text(
        0, HEIGHT - 9, unit, color=COLOURS["soft"], fontsize=LABEL,
        verticalalignment="center_baseline", transform=IdentityTransform(), parse_math=False,
        clip_on=False,
    )  # fmt: skip
    words = wrapped(one_line(found.counted), LABEL, RIGHT - LEFT + 40, 1)[0]
    axes.text(
        (LEFT + RIGHT) / 2, HEIGHT - BOTTOM - 32, words, color=COLOURS["soft"], fontsize=LABEL,
        horizontalalignment="center", verticalalignment="center_baseline",
        transform=IdentityTransform(), parse_math=False, clip_on=False,
    )  # fmt: skip


def _axis(unit: str) -> str:
    """What the vertical axis shows; times have their unit at each tick."""
    return f"time{unit[2:]}" if is_time(unit) else unit


def _plot(axes: Axes, points: Points, style: tuple[str, str, object]) -> None:
    colour, marker, dashes = style
    counts, medians = [count for count, _ in points], [spread.median for _, spread in points]
    least = axes.get_ylim()[0]
    for count, spread in points:
        axes.plot(
            [count, count],
            [max(spread.low, least), spread.high],
            color=COLOURS[colour],
            alpha=0.35,
            linewidth=6,
            solid_capstyle="butt",
            clip_on=False,
            zorder=2,
        )
    axes.plot(counts, medians, color=COLOURS[colour], linewidth=1.8, zorder=3, clip_on=False,
              linestyle=dashes)  # fmt: skip
    axes.plot(counts, medians, color=COLOURS[colour], linestyle="none", marker=marker,
              markersize=5.5, zorder=4, clip_on=False)  # fmt: skip


def _names(axes: Axes, series: Sequence[tuple[str, Points]]) -> None:
    """Beside the ends of lines; apart where they would overlap, and a thin line leads there."""
    shown = [(name, points, style) for (name, points), style in zip(series, _styles(), strict=False)
             if points]  # fmt: skip
    ends = [axes.transData.transform((points[-1][0], points[-1][1].median))
            for _, points, _ in shown]  # fmt: skip
    for most in (3, 2, 1):  # lines of each name: of many, there is no room for more
        blocks = [wrapped(name, LABEL, WIDTH - RIGHT - LABEL_GAP - 5, most) for name, _, _ in shown]
        heights = [len(block) * LABEL * LINE for block in blocks]
        if sum(heights) + 2 * len(heights) <= HEIGHT - TOP:
            break
    wanted = [HEIGHT - end[1] for end in ends]
    for place, end, block, (_, _, style) in zip(
        apart(wanted, heights, HEIGHT), ends, blocks, shown, strict=True
    ):
        colour = COLOURS[style[0]]
        axes.plot(
            [end[0] + 4, RIGHT + LABEL_GAP], [end[1], HEIGHT - place], color=colour, linewidth=0.8,
            alpha=0.7, transform=IdentityTransform(), clip_on=False,
        )  # fmt: skip
        first = place - (len(block) - 1) * LABEL * LINE / 2
        for number, words in enumerate(block):
            axes.text(
                RIGHT + LABEL_GAP + 5, HEIGHT - first - number * LABEL * LINE, words, color=colour,
                fontsize=LABEL, verticalalignment="center_baseline",
                transform=IdentityTransform(), parse_math=False, clip_on=False,
            )  # fmt: skip


def apart(wanted: Sequence[float], heights: Sequence[float], room: float) -> list[float]:
    """Middles of blocks, as near to where they are wanted as the others and the room allow."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    places = list(wanted)
    edge = 0.0
    for index in order:  # downwards, away from the one above
        places[index] = max(places[index], edge + heights[index] / 2)
        edge = places[index] + heights[index] / 2 + 2
    edge = room
    for index in reversed(order):  # and back up, out of what is below the paper
        places[index] = min(places[index], edge - heights[index] / 2)
        edge = places[index] - heights[index] / 2 - 2
    return places


def _place(axes: Axes, x: float, y: float, words: str, colour: str, align: str) -> None:
    axes.text(
        x, y, words, color=COLOURS[colour], fontsize=LABEL, horizontalalignment=align,
        verticalalignment="center_baseline", parse_math=False, clip_on=False,
        transform=blended_transform_factory(IdentityTransform(), axes.transData),
    )  # fmt: skip


def curve_in_words(found: Curve) -> str:
    """From its first point to its last, and how many times as much that is."""
    said, unit = [], one_line(found.unit)
    for name, given in found.series.items():
        points = [(count, spread) for count, spread in given if isfinite(spread.median)]
        if not points:
            continue
        (least, first), (most, last) = points[0], points[-1]
        words = f"{one_line(name)}: {quantity(first.median, unit)} at {amount(least)}"
        if most != least:
            words += f", {quantity(last.median, unit)} at {amount(most)}"
            if first.median > 0:
                words += f", {amount_of_growth(last.median / first.median)}"
        said.append(words)
    axes = f"{unit} by {one_line(found.counted)}, both axes logarithmic."
    return f"{axes} {'; '.join(said)}." if said else axes


def amount_of_growth(ratio: float) -> str:
    return "the same" if 0.9 <= ratio <= 1.1 else f"{ratio:,.2g} times" if ratio < 10 else (
        f"{ratio:,.0f} times"
    )  # fmt: skip
