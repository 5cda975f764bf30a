"""The page's figures of how costs grow: a line for each series, with the spread of every point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.transforms import IdentityTransform, blended_transform_factory

from ..results import Curve
from ..timing import Spread
from ..wording import amount, compact, is_time, one_line, plainly, quantity
from .drawing import COLOURS, Paper, as_it_comes, text_width, wrapped
from .scale import LINE, Scale

__all__ = ["curve"]

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
