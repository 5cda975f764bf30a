"""``python -m jumptable doctor``: what opening plugins costs, and what they do meanwhile.

Each plugin is opened in fresh processes: one that is watched, and is not timed, and then as many as
asked for that are timed, and hardly watched.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...binding.suggest import suggestion
from ...loading.discovery import entry_points
from ...loading.registry import is_library
from ..wording import printable
from .blame import Blame
from .child import BROKEN
from .findings import LEAST_MEMORY, SEVERITIES, Finding, Spot, observed
from .findings import spots as spots_of
from .run import Outcome, run
from .times import Times, judge, median_run, split

__all__ = ["Diagnosis", "NoEntryPointsError", "Target", "diagnose", "status", "targets_of"]


class NoEntryPointsError(Exception):
    """A group that nothing is registered in."""


@dataclass(frozen=True)
class Target:
    """What is opened; ``name`` is an entry point's, or the target itself."""

    name: str
    target: str
    group: str | None = None


@dataclass
class Diagnosis:
    """What is known of one plugin; ``times`` is the median run, None if it does not open."""

    target: Target
    kind: str
    path: str | None = None
    times: Times | None = None
    totals: list[float] = field(default_factory=list)
    memory: int | None = None
    unknown: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def targets_of(names: Iterable[str], groups: Iterable[str]) -> list[Target]:
    """What the command line names, each once.

    Raises NoEntryPointsError for a group without entry points.
    """
    found = {name: Target(name, name) for name in names}
    for group in groups:
        entries = entry_points(group=group)
        if not entries:
            near = suggestion(group, entry_points().groups, otherwise="; check the spelling, and "
                              "that the plugins are installed for this interpreter")  # fmt: skip
            raise NoEntryPointsError(f"no entry points are registered in {group!r}{near}")
        for entry in entries:
            value = entry.value.partition("[")[0].strip()
            found.setdefault(value, Target(entry.name, value, group))
    return list(found.values())


def status(diagnoses: Sequence[Diagnosis]) -> int:
    """For CI: 1 if there is anything worse than a note."""
    found = [finding.severity for one in diagnoses for finding in one.findings]
    return int(any(severity != "note" for severity in found))


def diagnose(
    targets: Sequence[Target],
    *,
    runs: int,
    timeout: float,
    max_ms: float | None = None,
    progress: Callable[[int, Target, str], None] = lambda index, target, what: None,
) -> list[Diagnosis]:
    """Examine each in turn; whatever a plugin does to its processes is a finding."""
    found = []
    for index, target in enumerate(targets):
        patient = _Patient(target, timeout)
        progress(index, target, "watched")
        watched = patient.watch()
        for number in range(runs) if patient.opens else ():
            progress(index, target, f"run {number + 1} of {runs}")
            patient.time()
        patient.conclude(watched, runs, max_ms)
        found.append(patient.diagnosis)
    return found


class _Patient:
    """One plugin while it is examined."""

    def __init__(self, target: Target, timeout: float) -> None:
        native = is_library(target.target)
        self.diagnosis = Diagnosis(target, "native" if native else "python")
        self.opens = False
        # Its own modules: what the watched run says, and until then the one that is named.
        self._names = [] if native else [target.target.partition(":")[0].partition(".")[0]]
        self._timeout = timeout
        self._libraries: list[str] = []
        self._runs: list[Times] = []
        self._failed: list[Finding] = []

    def _do(self, mode: str) -> Outcome:
        job = {
            "mode": mode,
            "target": self.diagnosis.target.target,
            "libraries": self._libraries,
        }
        return run(job, self._timeout)

    def watch(self) -> dict[str, Any]:
        """The run that is watched; what it says."""
        outcome = self._do("watch")
        answer = outcome.answer
        failure = self._failure(outcome)
        if failure is not None:
            self.diagnosis.findings.append(failure)
        self.opens = failure is None
        self._libraries = answer.get("libraries", [])
        self._names = answer.get("own", self._names)
        self.diagnosis.kind = answer.get("kind", self.diagnosis.kind)
        self.diagnosis.path = answer.get("path")
        self.diagnosis.unknown = answer.get("unknown", [])
        memory = answer.get("changes", {}).get("memory")
        self.diagnosis.memory = memory
        if self.opens and self.diagnosis.kind == "python" and (memory or 0) >= LEAST_MEMORY:
            answer["memory_places"] = self._do("memory").answer.get("places", ())
        return answer

    def time(self) -> None:
        """A run that is timed."""
        outcome = self._do("time")
        failure = self._failure(outcome)
        if failure is None:
            times = split(outcome.answer, self._names, self.diagnosis.target.target)
            self._runs.append(times)
        else:
            self._failed.append(failure)

    def conclude(self, watched: dict[str, Any], runs: int, max_ms: float | None) -> None:
        diagnosis = self.diagnosis
        if self._runs:
            diagnosis.times = median_run(self._runs)
            diagnosis.totals = [one.total for one in self._runs]
            diagnosis.findings += judge(self._runs, watched, max_ms)
        if self._failed:
            first = self._failed[0]
            message = (
                f"opens at first, and then in {len(self._failed)} of {runs} runs: {first.message}"
            )
            diagnosis.findings.append(Finding("unsteady", "error", message, first.spots))
        diagnosis.findings += observed(watched)
        diagnosis.findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))

    def _failure(self, outcome: Outcome) -> Finding | None:
        """Why there is nothing to say of a run, if that is so."""
        answer = outcome.answer
        error = answer.get("error")
        if error is not None:
            symptom = "exited" if error.get("exited") else "failed"
            place = error.get("place")
            spots = (Spot("", place[0], place[1] or None),) if place else ()
            return Finding(symptom, "error", f"{error['type']}: {error['message']}", spots)
        if answer.get("done"):
            return None
        if outcome.status == BROKEN and not outcome.timed_out and "ended" not in answer:
            message = "leaves an interpreter in which nothing runs: what was replaced or removed?"
            return Finding("failed", "error", message)
        return self._end(outcome)

    def _end(self, outcome: Outcome) -> Finding:
        """How a process ended that did not answer."""
        spots = self._spots(outcome)
        if outcome.timed_out:
            limit = f"is not open after {self._timeout:g} s, and was ended"
            return Finding("hung", "error", limit, spots)
        if outcome.answer.get("ended"):
            message = f"{outcome.answer['ended']} while it is opened"
            exits = [event for event in outcome.answer["events"] if event["kind"] == "exited"]
            return Finding("exited", "error", message, spots_of(exits[-1:]))
        last = outcome.output.strip().splitlines()[-1:]
        said = f"; its last words: {printable(last[0])[:200]}" if last else ""
        if outcome.status < 0:
            try:
                name = signal.Signals(-outcome.status).name
            except ValueError:
                name = f"signal {-outcome.status}"
            message = f"ends the process by {name} while it is opened{said}"
            return Finding("crashed", "error", message, spots)
        message = f"exits with status {outcome.status} while it is opened{said}"
        return Finding("exited", "error", message, spots)

    def _spots(self, outcome: Outcome) -> tuple[Spot, ...]:
        """Where it was, from the interpreter's own trace; what the plugin's is is not known."""
        blame = Blame(self._names, self.diagnosis.target.target, {})
        place = blame.of(outcome.stack)[0]
        return (Spot("", place[0], place[1]),) if place else ()
