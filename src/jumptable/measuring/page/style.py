"""The style sheet of the bench's page: light and dark, wide and narrow, on paper."""

from __future__ import annotations

__all__ = ["STYLE"]

LIGHT = """
  --ground: #fdfdfc; --panel: #f4f5f3; --ink: #1b2026; --soft: #58616c; --line: #dde1e5;
  --mark: #0b6b74; --band: #f3e0b8; --guide: #96691a; --warn: #8f3d12;
  --series-1: #0b6b74; --series-2: #a8480f; --series-3: #6a4bb5; --series-4: #39658f;
  --series-5: #8a2f5c;
"""
DARK = """
  --ground: #14171b; --panel: #1c2026; --ink: #e7eaee; --soft: #a3acb7; --line: #313840;
  --mark: #5ac8d0; --band: #4c3d1b; --guide: #d0a04a; --warn: #f0a27a;
  --series-1: #5ac8d0; --series-2: #f29b62; --series-3: #b7a2f5; --series-4: #8db9e8;
  --series-5: #f08bb8;
"""

# Of somebody who chose their own: shapes and dashes tell apart what colours did.
FORCED = """
  --ground: Canvas; --panel: Canvas; --ink: CanvasText; --soft: CanvasText; --line: GrayText;
  --mark: CanvasText; --band: Canvas; --guide: LinkText; --warn: CanvasText;
  --series-1: CanvasText; --series-2: CanvasText; --series-3: CanvasText; --series-4: CanvasText;
  --series-5: CanvasText;
"""

STYLE = (
    f"""
:root {{ {LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
@media (forced-colors: active) {{ :root {{ {FORCED} }} }}
"""
    + """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 57rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 2.5rem; } footer { padding-top: 2rem; padding-bottom: 3rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 .8rem; }
h2 { font-size: 1.3rem; line-height: 1.3; letter-spacing: -.01em; margin: 3.2rem 0 .8rem;
  padding-top: 1.2rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; line-height: 1.4; margin: 1.8rem 0 .3rem; }
p { margin: 0 0 .8rem; max-width: 44rem; }
h1, h2, h3, p, li, dt, dd, caption, tbody th { overflow-wrap: anywhere; }
.lead { font-size: 1.1rem; }
.soft, footer { color: var(--soft); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.notes { border-left: 4px solid var(--warn); background: var(--panel); padding: .7rem 1rem;
  margin: 1.2rem 0; }
.notes ul { margin: .2rem 0 0; padding-left: 1.1rem; }
.key { list-style: none; padding: 0; margin: 0 0 .8rem; display: grid; gap: .3rem 1.6rem;
  grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); }
.key li { display: flex; gap: .7rem; align-items: flex-start; }
.key svg { flex: none; width: 3rem; height: 1.5rem; }
.k-spread { stroke: var(--mark); stroke-width: 6; opacity: .45; }
.k-dot { fill: var(--mark); } .k-least { stroke: var(--ink); stroke-width: 1.5; }
.k-band { fill: var(--band); } .k-edge { stroke: var(--guide); stroke-width: 1.5; }
.k-open { fill: var(--ground); stroke: var(--mark); stroke-width: 2; }
svg.figure { display: block; width: 100%; height: auto; overflow: visible; }
svg.figure * { stroke-linejoin: round; stroke-linecap: butt; }
svg.figure text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; }
svg.narrow { display: none; max-width: 30rem; }
.missing { list-style: none; margin: .3rem 0 0; padding: 0; color: var(--soft);
  font-size: .875rem; }
.missing li { margin: .15rem 0; }
.curves, .experiments { display: grid; gap: 1.5rem 3rem;
  grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.curves svg.figure { max-width: 30rem; }
.curves > section > p { font-size: .9rem; }
.box { overflow-x: auto; margin-bottom: 2.5rem; }
.points { width: auto; }
.box:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.4; width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
caption span { display: block; max-width: calc(100vw - 2rem); }
th, td { text-align: left; vertical-align: top; padding: .35rem 1rem .35rem 0;
  border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 400; min-width: 7rem; }
th[scope=rowgroup] { font-weight: 600; padding-top: 1.2rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.full { min-width: 48rem; } .full tbody th[scope=row] { width: 17rem; min-width: 12rem; }
.about { display: block; color: var(--soft); font-size: .8125rem; }
.remark { color: var(--warn); font-size: .8125rem; }
td .figure { white-space: nowrap; }
.experiments .box { margin-bottom: 0; }
.trials td, .trials th { padding: .25rem .8rem .25rem 0; }
strong, h3, th, dt, dd, li { unicode-bidi: isolate; }
.bar { display: block; forced-color-adjust: none; height: 4px; margin-top: .3rem;
  border-radius: 2px; background: var(--series-4); min-width: 2px; }
.verdict { margin-top: .6rem; font-weight: 600; }
dl { display: grid; grid-template-columns: fit-content(40%) minmax(0, 1fr); gap: .25rem 1.5rem;
  margin: 0; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 50rem) {
  header { padding-top: 1.5rem; }
  h1 { font-size: 1.55rem; } h2 { margin-top: 2.4rem; }
  svg.wide { display: none; } svg.narrow { display: block; }
}
@media (max-width: 24rem) { header, main, footer { padding-left: .5rem; padding-right: .5rem; } }
@media (max-width: 26rem) { dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .5rem; } }
@media print {
  body { font-size: 10pt; } header, main, footer { max-width: none; padding: 0; }
  svg.wide { display: block; } svg.narrow { display: none; }
  .curves { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .experiments { grid-template-columns: minmax(0, 1fr); }
  svg.figure, tr, .curves > section, .experiments > section, .key { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .box { overflow: visible; } .full { min-width: 0; }
  table, .about { font-size: 7.5pt; } .full tbody th[scope=row] { min-width: 0; }
  .full th, .full td { padding-right: .5rem; }
}
"""
)
