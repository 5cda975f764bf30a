"""The bench's page: one HTML file without scripts, and with nothing from elsewhere.

What names, reasons and notes say is not ours: all of it goes through `_text`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import isfinite
from types import ModuleType

from ..results import Curve, Experiment, Guide, Report, Row, Trial
from ..timing import Spread
from ..wording import TIMES, amount, duration, one_line, plainly, quantity, quartiles, ratios
from .quiet import unheard
from .style import STYLE

__all__ = ["MatplotlibMissingError", "drawer", "render"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
DIRECT = f"{TIMES} direct"
LEAST_SHARE = 0.02
UNSTABLE = "what it took changed by more than a tenth while it was measured"
HEADINGS = ("Call", "Median", "Minimum", "Quartiles", DIRECT, "Its quartiles", "The guide, of Go")


class MatplotlibMissingError(ImportError):
    """Nothing can be drawn."""

    def __init__(self) -> None:
        super().__init__('--html needs matplotlib: pip install "jumptable[bench]"')


def drawer() -> ModuleType:
    """What draws; asked for before minutes of measuring as well, since it may be missing."""
    try:
        with unheard():
            from . import figures
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise MatplotlibMissingError from error
    return figures


def render(report: Report) -> str:
    """The whole page, the same for the same report."""
    draw = drawer()
    body = [
        *_header(report),
        "<main>",
        *_how_to_read(report.rows),
        *_ladder(report.rows, draw),
        *_curves(report.curves, draw),
        *_experiments(report.experiments),
        *_numbers(report.rows, report.curves),
        *_machine(report),
        "</main>",
        "<footer><p>Written by <code>python -m jumptable bench --html</code>. All but the guide's "
        "figures was measured on the machine above, in one go.</p></footer>",
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="generator" content="jumptable bench">',
            "<title>What a call costs on this machine</title>",
            f"<style>{STYLE}</style></head><body>",
            *body,
            "</body></html>\n",
        ]
    )


def _text(value: object) -> str:
    return escape(one_line(str(value)))


def _named(title: str) -> str:
    """As `_text`; a heading must not be empty."""
    return _text(title) if title.strip() else "Without a name"


def _measured(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if isfinite(row.spread.median)]


# ---- what it is -----------------------------------------------------------------------------


def _header(report: Report) -> Iterator[str]:
    yield "<header><h1>What a call costs on this machine</h1>"
    yield f'<p class="lead">{_summary(report)}</p>'
    if report.notes:
        yield '<div class="notes"><strong>Keep in mind</strong><ul>'
        yield from (f"<li>{_text(note)}</li>" for note in report.notes)
        yield "</ul></div>"
    yield "</header>"


def _summary(report: Report) -> str:
    """One sentence."""
    rows = _measured(report.rows)
    where = " with ".join(
        _text(report.machine[fact]) for fact in ("cpu", "python") if report.machine.get(fact)
    )
    where = f" on {where}" if where else ""
    absent = len(report.rows) - len(rows)
    rest = f"; {absent} more could not be measured here" if absent else ""
    if not rows:
        return f"Nothing was measured{where}{rest}."
    least = min(rows, key=lambda row: row.spread.median)
    most = max(rows, key=lambda row: row.spread.median)
    if least is most:
        cost = f"{duration(least.spread.median)} ({_text(least.name)})"
        return f"One way to make a small call, measured{where}: {cost}{rest}."
    return (
        f"{len(rows)} ways to make a small call, measured{where}: from "
        f"{duration(least.spread.median)} ({_text(least.name)}) to "
        f"{duration(most.spread.median)} ({_text(most.name)}){rest}."
    )


KEYS = (
    ('<line x1="8" y1="12" x2="40" y2="12" class="k-spread"/><circle cx="24" cy="12" r="5" '
     'class="k-dot"/>',
     "The dot is the median. The bar under it spans the quartiles: about half of all rounds that "
     "count lie on it."),
    ('<line x1="24" y1="4" x2="24" y2="20" class="k-least"/>',
     "The upright tick is the minimum: the least that any round took."),
    ('<rect x="6" y="3" width="36" height="18" class="k-band"/><path d="M6 3v18M42 3v18" '
     'class="k-edge"/>',
     "The band behind a row is not measured: it is what the guide that jumptable started from "
     "says of the same step in Go. A diamond is a single figure."),
)  # fmt: skip
HOLLOW = '<circle cx="24" cy="12" r="5" class="k-open"/>'


def _unstable(rows: Sequence[Row]) -> str:
    """How many, said once: a mark at every row would drown what the rows say."""
    shaky, measured = sum(row.unstable for row in rows), len(_measured(rows))
    return (
        f"A hollow dot, for {shaky} of {measured} rows, is unstable: {UNSTABLE}. Run it again when "
        "nothing else runs."
    )


def _how_to_read(rows: Sequence[Row]) -> Iterator[str]:
    yield '<section aria-labelledby="reading"><h2 id="reading">How to read it</h2>'
    yield "<p>A row is one small call, or something to compare it with. The axis is logarithmic: "
    yield "each line is ten times the one before it, so a small step to the right is a large step "
    yield 'in cost.</p><ul class="key">'
    unstable = [(HOLLOW, _unstable(rows))] if any(row.unstable for row in rows) else []
    for drawn, words in (*KEYS, *unstable):
        yield f'<li><svg viewBox="0 0 48 24" aria-hidden="true">{drawn}</svg>{words}</li>'
    yield "</ul><p>The dashed line is at 1 µs. The guide's rule, for Go: a call that takes "
    yield "microseconds has a look-up or an open left in its hot path. Here it is a hint and not a "
    yield "law. jumptable remembers what it has opened and looked up, so asking again costs "
    yield "nanoseconds; and a first open, arguments bound by reflection, a stock hook, a sandbox "
    yield "or another process can take microseconds without either.</p></section>"


# ---- the ladder -----------------------------------------------------------------------------


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return found


def _group(group: str) -> str:
    """As a heading."""
    return f"{group[:1].upper()}{group[1:]}" if group.strip() else "Calls"


def _ladder(rows: Sequence[Row], draw: ModuleType) -> Iterator[str]:
    yield '<section aria-labelledby="ladder"><h2 id="ladder">The ladder</h2>'
    if not rows:
        yield "<p>There are no rows.</p>"
    scale = draw.Scale.of(rows)
    for number, (group, members) in enumerate(_groups(rows).items()):
        title = _group(group)
        yield f"<section><h3>{_text(title)}</h3>"
        shown = [row for row in members if not row.missing]
        for layout in (draw.WIDE, draw.NARROW) if shown else ():
            yield draw.ladder(
                shown, scale, layout, f"group-{number}-{layout.name}", one_line(title)
            )
        yield from _missing([(row.name, row.missing) for row in members if row.missing])
        yield "</section>"
    yield "</section>"


def _missing(absent: Sequence[tuple[str, str]]) -> Iterator[str]:
    if absent:
        yield '<ul class="missing">'
        for name, why in absent:
            yield f"<li><strong>{_named(name)}</strong> is not here: {_text(why)}</li>"
        yield "</ul>"


# ---- how costs grow -------------------------------------------------------------------------


def _curves(curves: Sequence[Curve], draw: ModuleType) -> Iterator[str]:
    if not curves:
        return
    yield '<section aria-labelledby="growth"><h2 id="growth">How costs grow</h2>'
    yield "<p>A flat line is a cost that does not depend on how many there are. Both axes are "
    yield "logarithmic; the pale bar at each point spans its quartiles.</p>"
    yield '<div class="curves">'
    for number, one in enumerate(curves):
        yield f"<section><h3>{_named(one.title)}</h3>"
        if one.about:
            yield f"<p>{_text(one.about)}</p>"
        if any(one.series.values()):
            yield draw.curve(one, f"curve-{number}")
        if one.missing and one.series:
            yield f'<p class="soft">Not all of it is here: {_text(one.missing)}</p>'
        elif one.missing:
            yield from _missing([("This curve", one.missing)])
        yield "</section>"
    yield "</div></section>"


# ---- what not to optimise -------------------------------------------------------------------


def _experiments(experiments: Sequence[Experiment]) -> Iterator[str]:
    if not experiments:
        return
    yield '<section aria-labelledby="not"><h2 id="not">What not to optimise</h2>'
    yield "<p>Some things look like opportunities. Here is what each of them brought, on this "
    yield 'machine.</p><div class="experiments">'
    for one in experiments:
        yield f"<section><h3>{_named(one.idea)}</h3>"
        if one.trials:
            yield from _trials(one)
        if one.verdict:
            yield f'<p class="verdict">{_text(one.verdict)}</p>'
        yield from _missing([("This experiment", one.missing)] if one.missing else [])
        yield "</section>"
    yield "</div></section>"


def _trials(one: Experiment) -> Iterator[str]:
    yield f'<div class="box" tabindex="0" role="group" aria-label="Trials: {_text(one.idea)}">'
    yield f'<table class="trials"><caption class="hidden">Trials: {_text(one.idea)}</caption>'
    yield '<thead><tr><th scope="col">Trial</th><th scope="col" class="number">Median</th>'
    yield '<th scope="col" class="number">Quartiles</th></tr></thead><tbody>'
    for trial in one.trials:
        share = _share(trial, one.trials)
        bar = f'<span class="bar" style="width:{share:.1%}"></span>' if share is not None else ""
        yield f'<tr><th scope="row">{_named(trial.name)}{bar}</th>'
        yield f'<td class="number">{_text(quantity(trial.spread.median, trial.unit))}</td>'
        yield f'<td class="number">{_text(quartiles(trial.spread, trial.unit))}</td></tr>'
    yield "</tbody></table></div>"


def _share(trial: Trial, trials: Sequence[Trial]) -> float | None:
    """Of the longest bar in the same unit; none where one of them would be too short to be seen."""
    same = [one.spread.median for one in trials if one.unit == trial.unit]
    if len(same) < 2 or not all(map(isfinite, same)) or not min(same) > LEAST_SHARE * max(same):
        return None
    return trial.spread.median / max(same)


# ---- all numbers ----------------------------------------------------------------------------


def _numbers(rows: Sequence[Row], curves: Sequence[Curve]) -> Iterator[str]:
    yield '<section aria-labelledby="numbers"><h2 id="numbers">All numbers</h2>'
    if rows:
        yield from _row_numbers(rows)
    for one in curves:
        if any(one.series.values()):
            yield from _curve_numbers(one)
    yield "</section>"


def _row_numbers(rows: Sequence[Row]) -> Iterator[str]:
    yield '<div class="box" tabindex="0" role="group" aria-label="The ladder">'
    yield '<table class="full"><caption><span><strong>The ladder</strong>: time for one call. '
    yield f"{DIRECT}: how many times as long as the direct call, in the same rounds."
    if any(row.unstable for row in rows):
        yield f"Unstable: {UNSTABLE}."
    yield "</span></caption><thead><tr>"
    for heading in HEADINGS:
        number = "" if heading in (HEADINGS[0], HEADINGS[-1]) else ' class="number"'
        yield f'<th scope="col"{number}>{heading}</th>'
    yield "</tr></thead>"
    for group, members in _groups(rows).items():
        yield f'<tbody><tr><th scope="rowgroup" colspan="{len(HEADINGS)}">'
        yield f"{_text(_group(group))}</th></tr>"
        for row in members:
            yield _number_row(row)
        yield "</tbody>"
    yield "</table></div>"


def _number_row(row: Row) -> str:
    about = f'<span class="about">{_text(row.about)}</span>' if row.about else ""
    remark = ' <span class="remark">unstable</span>' if row.unstable else ""
    name = f'<tr><th scope="row">{_named(row.name)}{remark}{about}</th>'
    if row.missing or not isfinite(row.spread.median):
        why = f"missing: {_text(row.missing)}" if row.missing else "not measured"
        return f'{name}<td colspan="5" class="soft">{why}</td><td>{_guide(row.guide)}</td></tr>'
    cells = (
        duration(row.spread.median),
        duration(row.minimum),
        quartiles(row.spread),
        *ratios(row.ratio),
    )
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f"{name}{numbers}<td>{_guide(row.guide)}</td></tr>"


def _guide(guide: Guide | None) -> str:
    if guide is None:
        return ""
    low, high = plainly(guide.low), plainly(guide.high)
    first, _, unit = low.partition(" ")
    if low == high:
        figure = low
    else:
        figure = f"{first} to {high}" if high.endswith(f" {unit}") else f"{low} to {high}"
    name = f'<span class="about">{_text(guide.name)}</span>'
    return f'<span class="figure">{_text(figure)}</span> {name}'


def _curve_numbers(one: Curve) -> Iterator[str]:
    counts = sorted({count for points in one.series.values() for count, _ in points})
    yield f'<div class="box" tabindex="0" role="group" aria-label="{_named(one.title)}">'
    yield f'<table class="points"><caption><span><strong>{_named(one.title)}</strong>, '
    yield f"{_text(one.unit)}: medians and quartiles</span></caption><thead><tr>"
    yield f'<th scope="col">{_named(one.counted)}</th>'
    yield from (f'<th scope="col" class="number">{_named(name)}</th>' for name in one.series)
    yield "</tr></thead><tbody>"
    series = [dict(points) for points in one.series.values()]
    for count in counts:
        cells = [_with_quartiles(points.get(count), one.unit) for points in series]
        yield f'<tr><th scope="row">{amount(count)}</th>'
        yield "".join(f'<td class="number">{cell}</td>' for cell in cells) + "</tr>"
    yield "</tbody></table></div>"


def _with_quartiles(spread: Spread | None, unit: str) -> str:
    if spread is None or not isfinite(spread.median):
        return "-"
    return (
        f"{_text(quantity(spread.median, unit))} "
        f'<span class="about">{_text(quartiles(spread, unit))}</span>'
    )


def _machine(report: Report) -> Iterator[str]:
    yield '<section aria-labelledby="machine"><h2 id="machine">Measured on</h2><dl>'
    yield from (
        f"<dt>{_text(name)}</dt><dd>{_text(fact)}</dd>" for name, fact in report.machine.items()
    )
    yield "</dl></section>"
