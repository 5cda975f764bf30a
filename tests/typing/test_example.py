"""mypy and pyright find in the examples what they shall, and nothing else; and those run."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import jumptable

HERE = Path(__file__).parent
# What each prints, and a line with something that checkers know only of the real jumptable.
EXAMPLES = {
    "example.py": ("1.5 2.5\n", "assert_type(table.facade, Filter)", "table.facade.other()"),
    "pluggy_example.py": ("4.0 False\n", "assert_type(subset.name, str)", "subset.another()"),
}
# Where checkers find jumptable; they know where installed packages are.
FOLDER = str(Path(jumptable.__file__).parent.parent)
INSTALLED = FOLDER in site.getsitepackages()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copies away from the tests, so that no configuration of theirs applies."""
    for name in EXAMPLES:
        shutil.copy(HERE / name, tmp_path)
    return tmp_path


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def mypy(folder: Path) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("needs mypy")
    where = {} if INSTALLED else {"MYPYPATH": FOLDER}
    return run(
        *(sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", *EXAMPLES),
        folder=folder,
        **where,
    )


def pyright(folder: Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which("pyright", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    found = found or shutil.which("pyright")
    if found is None or run(found, "--version", folder=folder).returncode != 0:
        pytest.skip("needs pyright")
    configuration = {
        "include": [*EXAMPLES],
        "extraPaths": [] if INSTALLED else [FOLDER],
        "typeCheckingMode": "strict",
        "enableTypeIgnoreComments": False,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(configuration))
    return run(found, "--pythonpath", sys.executable, folder=folder)


@pytest.mark.parametrize("check", [mypy, pyright])
def test_checkers_find_the_mistakes_and_nothing_else(
    folder: Path, check: Callable[[Path], subprocess.CompletedProcess[str]]
) -> None:
    done = check(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    # They would also be content with a jumptable of which they know nothing.
    for name, (_, known, unknown) in EXAMPLES.items():
        example = folder / name
        text = example.read_text()
        example.write_text(text.replace(known, unknown))
        assert example.read_text() != text
    done = check(folder)
    assert done.returncode == 1
    assert '"other"' in done.stdout
    assert '"another"' in done.stdout


@pytest.mark.skipif(
    sys.version_info < (3, 11) and importlib.util.find_spec("typing_extensions") is None,
    reason="needs typing_extensions",
)
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name: str) -> None:
    done = run(sys.executable, str(HERE / name), folder=Path.cwd())
    assert (done.stdout, done.stderr) == (EXAMPLES[name][0], "")
