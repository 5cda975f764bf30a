"""Results in a file: pyperf's JSON, so that its own commands read it too, and back.

The format is that of pyperf 2 (https://pyperf.readthedocs.io/en/latest/json.html): seconds, a run
per process. Beside it stands, under ``jumptable``, what pyperf has no place for: rows that are
missing, curves, experiments and notes; pyperf skips it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from math import isfinite
from pathlib import Path

from .results import Report, Row

__all__ = ["NotResultsError", "Saved", "document", "effective", "fact_name", "load"]

SECONDS = 1e-9
# pyperf takes nothing that is not more than zero: a thousandth of a nanosecond stands for it.
LEAST_NS = 1e-3

# A value that takes longer, a century, is none.
MOST_SECONDS = 3e9


@dataclass(frozen=True)
class Saved:
    """An older run.

    ``rows`` are the medians of successive stretches of rounds, in nanoseconds, of all processes;
    ``processes`` how many these were, and less where most are of one. In ``disturbed`` rows there
    may be a neighbour.
    """

    rows: Mapping[str, tuple[float, ...]]
    facts: Mapping[str, object] = field(default_factory=dict)
    processes: Mapping[str, float] = field(default_factory=dict)
    disturbed: Collection[str] = ()


def fact_name(name: str) -> str:
    """As it is in a file."""
    return name.replace(" ", "_")


class NotResultsError(Exception):
    """The file is none that ``--json`` or pyperf writes; the message says what is wrong."""


def document(report: Report, beside: Mapping[str, object] | None = None) -> dict[str, object]:
    """All that was found, as JSON that pyperf loads; ``beside`` is added to what it skips."""
    facts = {fact_name(name): fact for name, fact in report.machine.items() if fact != ""}
    if "date" in facts:  # of which pyperf makes a datetime
        facts["date"] = str(facts["date"]).replace(" UTC", "+00:00")
    rows = [row for row in report.rows if row.runs]
    missing = {row.name: row.missing for row in report.rows if not row.runs}
    return {
        "version": "1.0",
        "metadata": {"unit": "second", **facts},
        "benchmarks": [_benchmark(row) for row in rows],
        "jumptable": {
            "missing": missing,
            "disturbed": list(report.disturbed),
            "notes": list(report.notes),
            "curves": [_plain(asdict(curve)) for curve in report.curves],
            "experiments": [_plain(asdict(experiment)) for experiment in report.experiments],
            **{name: _plain(value) for name, value in (beside or {}).items()},
        },
    }


def _benchmark(row: Row) -> dict[str, object]:
    metadata: dict[str, object] = {"name": row.name, "group": row.group, "about": row.about}
    if row.guide is not None:
        metadata |= {"guide_low_ns": row.guide.low, "guide_high_ns": row.guide.high}
    if row.ratio is not None:
        metadata["ratio_to_baseline"] = row.ratio.median
    metadata |= {"low_ns": row.spread.low, "high_ns": row.spread.high, "minimum_ns": row.minimum}
    if row.unstable:
        metadata["unstable"] = "yes"
    kept = {name: value for name, value in metadata.items() if value != ""}
    runs = [
        {
            "metadata": {"loops": run.loops, "rounds": run.rounds},
            "values": [max(value, LEAST_NS) * SECONDS for value in run.values],
        }
        for run in row.runs
    ]
    return {"metadata": kept, "runs": runs}


def _plain(value: object) -> object:
    """JSON has no infinity and no NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def load(path: str) -> Saved:
    """What is in a file that ``--json`` wrote, or pyperf. OSError; `NotResultsError`."""
    try:
        found = json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise NotResultsError(f"it is not JSON: {error}") from None
    except RecursionError:
        raise NotResultsError("it is nested too deeply") from None
    if isinstance(found, dict) and isinstance(found.get("benchmarks"), list):
        facts = found.get("metadata")
        read = list(_rows(found["benchmarks"], facts))
        if read:
            rows = {name: tuple(chain(*runs)) for name, runs in read}
            processes = {name: effective(map(len, runs)) for name, runs in read}
            ours = found.get("jumptable")
            disturbed = ours.get("disturbed") if isinstance(ours, dict) else None
            return Saved(
                rows,
                facts if isinstance(facts, dict) else {},
                processes,
                [str(name) for name in disturbed] if isinstance(disturbed, list) else (),
            )
        raise NotResultsError("it has no benchmarks: was its run stopped before its first round?")
    raise NotResultsError("expected what bench --json or pyperf writes, with a list 'benchmarks'")


def effective(counts: Iterable[int]) -> float:
    """How many processes these counts of values are worth: all of them, or one that has most."""
    each = list(counts)
    return sum(each) ** 2 / sum(count * count for count in each) if any(each) else 0.0


def _rows(benchmarks: list[object], common: object) -> Iterable[tuple[str, list[list[float]]]]:
    for benchmark in benchmarks:
        runs = benchmark.get("runs") if isinstance(benchmark, dict) else None
        metadata = benchmark.get("metadata") if isinstance(benchmark, dict) else None
        # pyperf keeps the name of a file's only benchmark with what is common to all.
        name = _text(metadata, "name") or _text(common, "name")
        if not isinstance(runs, list) or not name:
            raise NotResultsError("one of its 'benchmarks' has no name, or no list 'runs'")
        unit = _text(metadata, "unit") or _text(common, "unit") or "second"
        if unit != "second":
            raise NotResultsError(f"the unit of {name!r} is {unit!r}, expected 'second'")
        values: list[list[float]] = []
        for run in runs:
            # pyperf's first run calibrates, and has no values.
            given = run.get("values", []) if isinstance(run, dict) else None
            if not isinstance(given, list) or not all(map(_is_time, given)):
                raise NotResultsError(f"the 'values' of {name!r} are not a list of seconds")
            if given:
                values.append([value / SECONDS for value in given])
        if values:
            yield name, values


def _text(metadata: object, name: str) -> str:
    text = metadata.get(name) if isinstance(metadata, dict) else None
    return text if isinstance(text, str) else ""


def _is_time(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (0 < value < MOST_SECONDS)
    )
