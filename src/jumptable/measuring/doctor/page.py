"""The doctor's page: one HTML file without scripts or anything from elsewhere.

Everything that a plugin has a say in, names and paths and messages, goes through `_text`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from ..wording import printable
from .diagnosis import Diagnosis
from .findings import Finding, Spot, size
from .report import PARTS, UNKNOWN, counted, milliseconds
from .times import Import, Times

__all__ = ["page"]

# What is too short to be seen is summed up in one line.
LEAST_SHARE = 0.005
MOST_IMPORTS = 150
DEEPEST_INDENT = 12

STYLE = """
:root { --ground: #fff; --ink: #1c2024; --soft: #5b6470;
  --line: #d5dae0; --finding: #7a5ccc; --dependencies: #c77700; --own: #0b7f86;
  --error: #b3261e; --warning: #8a5a00; --note: #1b5fa8; --track: #eef1f4; }
@media screen and (prefers-color-scheme: dark) { :root {
  --ground: #15181c; --ink: #e6e9ed; --soft: #a0a9b4;
  --line: #39414b; --finding: #a995f0; --dependencies: #e8a23d; --own: #3fbcc3; --error: #ff8a80;
  --warning: #f0b94a; --note: #8ab8f0; --track: #22272e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
a { color: inherit; } li, p { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
code, td.file { font-family: ui-monospace, monospace; font-size: .9em; }
.soft, td.file { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: middle; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid var(--line); }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
th[scope=row] { font-weight: 600; min-width: 9rem; max-width: 20rem; }
td.time { width: 40%; min-width: 8rem; } td[data-label=findings] { min-width: 8rem; }
.track { display: flex; height: 1.1rem; background: var(--track); border-radius: 3px;
  overflow: hidden; }
.track i, .key { forced-color-adjust: none; }
.track i { display: block; flex: none; min-width: 1px; }
.track i.gap { background: none; min-width: 0; }
.finding { background: var(--finding); } .dependencies { background: var(--dependencies); }
.own { background: var(--own); }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px;
  margin-right: .4rem; }
.part { white-space: nowrap; margin-right: 1rem; }
ul.findings { list-style: none; padding: 0; }
ul.findings > li { border-left: 4px solid var(--line); padding: .1rem 0 .1rem .8rem;
  margin: .8rem 0; }
li.error { border-color: var(--error) !important; } li.error b { color: var(--error); }
li.warning { border-color: var(--warning) !important; } li.warning b { color: var(--warning); }
li.note { border-color: var(--note) !important; } li.note b { color: var(--note); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dd { margin: 0; }
summary { cursor: pointer; }
@media (forced-colors: active) { .track { border: 1px solid; } }
@media print { * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10pt; } table { font-size: 8pt; }
  td.time { width: 24%; min-width: 0; } th[scope=row], td[data-label=findings] { min-width: 0; }
  th[scope=row], code, td.file { overflow-wrap: anywhere; }
  tr, ul.findings > li { break-inside: avoid; } h2, h3 { break-after: avoid; } }
@media screen and (max-width: 45rem) {
  thead { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }
  table, tbody { display: block; } th, td { overflow-wrap: anywhere; }
  tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  th, td, th[scope=row], td.time { display: block; width: auto; max-width: none; border: 0;
    padding: 0; }
  th.number, td.number { text-align: left; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
}
"""


def page(diagnoses: Sequence[Diagnosis], document: dict[str, Any]) -> str:
    """The whole page."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="generator" content="jumptable doctor">',
        "<title>What opening plugins costs</title>",
        f"<style>{STYLE}</style></head><body><main>",
        "<h1>What opening plugins costs</h1>",
        *_overview(diagnoses, document),
    ]
    for index, one in enumerate(diagnoses):
        lines += _section(index, one)
    lines += _machine(document)
    lines.append("</main></body></html>")
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return escape(printable(str(value)))


def _overview(diagnoses: Sequence[Diagnosis], document: dict[str, Any]) -> Iterator[str]:
    opened = [one.times.total for one in diagnoses if one.times is not None]
    failed = len(diagnoses) - len(opened)
    summary = f"{len(opened)} opened, {milliseconds(sum(opened))} ms together"
    summary += f"; {failed} did not open" if failed else ""
    yield f"<p>{_text(summary)}. Each was opened in fresh processes, {document['runs']} of them "
    yield "timed; the times are those of the run with the median total.</p>"
    keys = "".join(
        f'<span class="part"><span class="key {part}" aria-hidden="true"></span>{name}</span> '
        for part, name in PARTS
    )
    yield f"<p>{keys}</p>"
    yield '<table role="table"><thead role="rowgroup"><tr role="row">'
    headings = ["total, ms", *(name for _, name in PARTS)]
    yield '<th role="columnheader" scope="col">plugin</th>'
    yield '<th role="columnheader" scope="col">start-up</th>'
    for heading in headings:
        yield f'<th role="columnheader" scope="col" class="number">{heading}</th>'
    yield '<th role="columnheader" scope="col">findings</th></tr></thead>'
    yield '<tbody role="rowgroup">'
    longest = max(opened, default=0.0) or 1.0
    for index, one in enumerate(diagnoses):
        yield '<tr role="row">'
        name = _text(one.target.name)
        yield f'<th role="rowheader" scope="row"><a href="#plugin-{index}">{name}</a></th>'
        yield f'<td role="cell" class="time">{_bar(one.times, longest)}</td>'
        for heading, cell in zip(headings, _cells(one.times), strict=True):
            yield f'<td role="cell" class="number" data-label="{heading}">{cell}</td>'
        yield f'<td role="cell" data-label="findings">{counted(one.findings)}</td></tr>'
    yield "</tbody></table>"


def _cells(times: Times | None) -> list[str]:
    if times is None:
        return ["did not open", *["-"] * len(PARTS)]
    return [milliseconds(times.total), *(milliseconds(getattr(times, part)) for part, _ in PARTS)]


def _bar(times: Times | None, longest: float) -> str:
    if times is None:
        return ""
    parts = "".join(
        f'<i class="{part}" style="width:{getattr(times, part) / longest:.2%}"></i>'
        for part, _ in PARTS
    )
    return f'<div class="track" aria-hidden="true">{parts}</div>'


def _section(index: int, one: Diagnosis) -> Iterator[str]:
    yield f'<section id="plugin-{index}"><h2>{_text(one.target.name)}</h2>'
    yield f'<p class="soft">{_text(_described(one))}</p>'
    if one.findings:
        yield '<ul class="findings">'
        for finding in one.findings:
            yield from _finding(finding)
        yield "</ul>"
    else:
        yield "<p>No findings.</p>"
    if one.unknown:
        parts = ", ".join(UNKNOWN[part] for part in one.unknown)
        yield f"<p>Not looked at on this platform: {_text(parts)}.</p>"
    if one.times is not None and one.times.imports:
        yield from _imports(one.times)
    yield "</section>"


def _described(one: Diagnosis) -> str:
    parts = [one.kind]
    if one.target.name != one.target.target:
        parts.append(one.target.target)
    if one.target.group:
        parts.append(f"of {one.target.group}")
    if one.path:
        parts.append(one.path)
    if one.memory is not None:
        parts.append(f"{size(one.memory)} of memory")
    return ", ".join(parts)


def _finding(finding: Finding) -> Iterator[str]:
    yield f'<li class="{finding.severity}"><b>{finding.severity}: {finding.symptom}</b> '
    yield _text(finding.message)
    if finding.spots:
        yield f"<ul>{''.join(map(_spot, finding.spots))}</ul>"
    yield f'<div class="soft">Fix: {_text(finding.fix)}.</div></li>'


def _spot(spot: Spot) -> str:
    where = f"<code>{_text(spot.where())}</code> " if spot.file else ""
    by = f' <span class="soft">in <code>{_text(spot.by())}</code></span>' if spot.by_file else ""
    return f"<li>{where}{_text(spot.detail)}{by}</li>"


def _imports(times: Times) -> Iterator[str]:
    """A time-line: each bar begins when the import does, and those inside are below it."""
    # What timed them began before what timed the whole: the line is from the first to the last.
    first = min(one.start for one in times.imports)
    length = max(one.start + one.seconds for one in times.imports) - first or 1.0
    shown = [one for one in times.imports if one.seconds >= LEAST_SHARE * length]
    shown = shown[:MOST_IMPORTS]
    left = len(times.imports) - len(shown)
    yield f"<details open><summary>Imports: {len(times.imports)}, in the order in which they begin"
    yield "</summary>"
    yield '<table role="table"><thead role="rowgroup"><tr role="row">'
    for heading in ("module", "time-line", "ms, with its own imports", "file"):
        kind = ' class="number"' if heading.startswith("ms") else ""
        yield f'<th role="columnheader" scope="col"{kind}>{heading}</th>'
    yield '</tr></thead><tbody role="rowgroup">'
    for one in shown:
        yield _import_row(one, times, first, length)
    yield "</tbody></table>"
    if left:
        yield f"<p>{left} more are too short to be seen.</p>"
    yield "</details>"


def _import_row(one: Import, times: Times, first: float, length: float) -> str:
    depth, parent = 0, one.parent
    while parent >= 0 and depth < DEEPEST_INDENT:
        depth, parent = depth + 1, times.imports[parent].parent
    kind = "own" if one.own else "dependencies"
    start = min((one.start - first) / length, 1.0)
    width = min(one.seconds / length, 1.0 - start)
    bar = (
        f'<i class="gap" style="width:{start:.2%}"></i><i class="{kind}" style="width:{width:.2%}">'
    )
    file = os.path.basename(one.file) if one.file else ""
    return (
        f'<tr role="row"><td role="cell" style="padding-left:{depth}em"><code>{_text(one.name)}'
        '</code></td><td role="cell" class="time"><div class="track" aria-hidden="true">'
        f'{bar}</i></div></td><td role="cell" class="number" data-label="ms">'
        f'{milliseconds(one.seconds)}</td><td role="cell" class="file">{_text(file)}</td></tr>'
    )


def _machine(document: dict[str, Any]) -> Iterator[str]:
    yield "<section><h2>Measured on</h2><dl>"
    facts = {**document["machine"], "runs": document["runs"]}
    for name, fact in facts.items():
        yield f"<dt>{_text(name)}</dt><dd>{_text(fact)}</dd>"
    yield "</dl></section>"
