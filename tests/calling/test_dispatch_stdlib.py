"""CPython's own tests of single dispatch, of the running version, on jumptable's.

They come from the interpreter's installed ``test`` package; without it there is nothing to run.
A child process runs them, so that nothing it replaces is seen by other tests.
"""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from tests.conftest import Run

# What has another outcome than on functools itself: {test: reason}.
DIFFERENCES = {
    "test_cache_invalidation": "reads, call by call, what functools has put into and taken out of "
    "the WeakKeyDictionary that is its cache; here there is none. That the right implementation is "
    "called after all it does, and much else, test_dispatch_differential.py compares.",
}

# The test module finds both names in a module that counts how often they are asked for.
PROGRAM = """
import functools, json, sys, types, unittest
import test.test_functools as tests

way, ours = sys.argv[1], {}
if way != "stock":
    import jumptable.functools
    ours = {
        name: getattr(jumptable.functools, name)
        for name in ("singledispatch", "singledispatchmethod")
    }
    assert all(getattr(functools, name) is not each for name, each in ours.items())
if way == "install":
    jumptable.functools.install()
seen = dict.fromkeys(("singledispatch", "singledispatchmethod"), 0)


class Watched(types.ModuleType):
    def __getattr__(self, name):
        found = ours[name] if way == "replace" and name in ours else getattr(functools, name)
        if name in seen:
            assert (found is ours.get(name)) == (way != "stock"), (name, found)
            seen[name] += 1
        return found


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def note(self, test, outcome):
        # A failing subtest is followed by no success of the whole test.
        self.outcomes.setdefault(getattr(test, "test_case", test)._testMethodName, outcome)

    def addSuccess(self, test):
        self.note(test, "passed")

    def addFailure(self, test, error):
        self.note(test, self._exc_info_to_string(error, test))

    addError = addFailure

    def addSkip(self, test, reason):
        self.note(test, f"skipped: {reason}")

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)


tests.functools = Watched("functools")
result = Outcomes()
unittest.defaultTestLoader.loadTestsFromTestCase(tests.TestSingleDispatch).run(result)
print(json.dumps({"seen": seen, "outcomes": result.outcomes, "run": result.testsRun}))
"""

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("test") or not importlib.util.find_spec("test.test_functools"),
    reason="this interpreter comes without the test package",
)


def outcomes(run_python: Run, way: str) -> dict[str, Any]:
    last = run_python(PROGRAM, way).stdout.splitlines()[-1]
    result: dict[str, Any] = json.loads(last)
    return result


@pytest.mark.parametrize("way", ["replace", "install"])
def test_the_same_outcomes_as_on_functools(run_python: Run, way: str) -> None:
    stock, ours = outcomes(run_python, "stock"), outcomes(run_python, way)
    assert stock["run"] == ours["run"] == len(stock["outcomes"]) == len(ours["outcomes"])
    different = {
        name: outcome
        for name, outcome in ours["outcomes"].items()
        if outcome != stock["outcomes"][name]
    }
    assert different.keys() == DIFFERENCES.keys(), "\n".join(different.values())
    # 3.10 has 27 of them; both names are used all over.
    assert ours["run"] >= 27
    assert "passed" in stock["outcomes"].values()
    assert ours["seen"] == stock["seen"]
    assert min(ours["seen"].values()) >= 10, ours["seen"]
