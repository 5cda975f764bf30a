"""How often do two runs of the same code compare as equal, as ``bench --compare`` compares them?

Each run is what ``python -m jumptable bench`` does: processes of its own, put together. Rows that
need other programs are left out; what they cost is not decided here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jumptable.measuring import command, files, ladder, report, saved
from jumptable.measuring.comparison import FASTER, SLOWER, UNCLEAR, Comparison, compare
from results import Results, met

RUNS, FEWEST_RUNS = 21, 2
# In so many of the pairs no row may be slower or faster.
WANTED = 19 / 20
THRESHOLD = 0.10
LEFT_OUT = ("subprocess", "gRPC", "WebAssembly", "Go", "first open")


def bench_repeat(
    results: Results,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rounds: int,
    checking: bool,
) -> None:
    monkeypatch.setattr(command, "ROUNDS", min(command.ROUNDS, rounds))
    names = [rung.name for rung in ladder.RUNGS if not rung.name.startswith(LEFT_OUT)]
    file, found = tmp_path / "old.json", list[Comparison]()
    for seed in range(FEWEST_RUNS if checking else RUNS):
        now = command.measured(quick=False, only=names, seed=seed)[0]
        if file.exists():
            before = saved.load(str(file))
            found.append(compare(before, now, THRESHOLD, ladder.YARDSTICK, ladder.CROWD))
        files.write_json(str(file), saved.document(now))
    rows = []
    for number, one in enumerate(found, 1):
        changed = [*one.named(SLOWER), *one.named(FASTER)]
        unclear = len(one.named(UNCLEAR))
        worst = max(one.changes, key=lambda change: abs(change.ratio - 1))
        rows.append(
            [
                f"{number} and {number + 1}",
                f"{one.machine:.3f}",
                f"{one.busier:.3f}, {unclear} unclear" if unclear else f"{one.busier:.3f}",
                f"{report.times(worst.ratio)} {worst.name}",
                ", ".join(changed) or "equal",
            ]
        )
    equal = sum(row[-1] == "equal" for row in rows)
    title = (
        f"Two runs of the same code, {len(names)} rows, threshold {THRESHOLD:.0%}: "
        f"{equal} of {len(rows)} are equal, wanted {WANTED:.0%}: {met(equal >= WANTED * len(rows))}"
    )
    headings = ("runs", "the machine, x before", "a neighbour", "the row furthest off", "verdict")
    results.table(title, headings, rows, {"equal": equal, "pairs": len(rows)})
