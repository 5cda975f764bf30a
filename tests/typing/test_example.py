"""mypy and pyright find in the examples what they shall, and nothing else; and those run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import site
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import jumptable

pytestmark = pytest.mark.thread_unsafe(reason="programs in processes of their own")

HERE = Path(__file__).parent
# What each prints, and a line with something that checkers know only of the real jumptable.
EXAMPLES = {
    "example.py": ("1.5 2.5\n", "assert_type(table.facade, Filter)", "table.facade.other()"),
    "pluggy_example.py": ("4.0 False\n", "assert_type(subset.name, str)", "subset.another()"),
    "functools_example.py": (
        "0:int 1:float 0:list 0:object 0.5 0.4 Shop:object Shop:str\n",
        "assert_type(other(5), int)",
        "jumptable.functools.elsewhere()",
    ),
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


def mypy(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("needs mypy")
    where = {} if INSTALLED else {"MYPYPATH": FOLDER}
    return run(
        *(sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", *(names or EXAMPLES)),
        folder=folder,
        **where,
    )


def pyright(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("pyright", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    found = found or shutil.which("pyright")
    if found is None or run(found, "--version", folder=folder).returncode != 0:
        pytest.skip("needs pyright")
    configuration = {
        "include": [*(names or EXAMPLES)],
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
    assert '"elsewhere"' in done.stdout


REVEALED = ["singledispatch", "singledispatchmethod", "show", "show.register", "show.dispatch",
            "show.registry", "Shop.at", "shop.price", "wide"]  # fmt: skip


def complaints(done: subprocess.CompletedProcess[str], name: str) -> list[str]:
    """Those of one file, without its name."""
    return [line.partition(name)[2] for line in done.stdout.splitlines() if f"{name}:" in line]


@pytest.mark.parametrize(
    ("check", "known", "least"),
    [
        (mypy, 'Dispatch type "str" must be subtype of fallback function first argument', 16),
        (pyright, 'No overloads for "register" match', 11),
    ],
    ids=["mypy", "pyright"],
)
def test_checkers_say_of_single_dispatch_what_they_say_of_functools(
    tmp_path: Path,
    check: Callable[..., subprocess.CompletedProcess[str]],
    known: str,
    least: int,
) -> None:
    text = (HERE / "functools_example.py").read_text()
    text = re.sub(r"  # (type|pyright): ignore.*", "", text)
    end = "    print(number, none, wide("
    assert text.count(end) == 1
    text = text.replace(end, "".join(f"    reveal_type({it})\n" for it in REVEALED) + end)
    (tmp_path / "ours.py").write_text(text)
    imported = "from jumptable.functools import singledispatch"
    assert text.count(imported) == 1
    text = text.replace(imported, "from functools import singledispatch")
    (tmp_path / "theirs.py").write_text(text)
    done = check(tmp_path, "ours.py", "theirs.py")
    ours, theirs = complaints(done, "ours.py"), complaints(done, "theirs.py")
    assert ours == theirs
    assert len(ours) >= least + len(REVEALED), done.stdout
    assert sum(known in line for line in ours) >= 1


@pytest.mark.skipif(
    sys.version_info < (3, 11) and importlib.util.find_spec("typing_extensions") is None,
    reason="needs typing_extensions",
)
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name: str) -> None:
    done = run(sys.executable, str(HERE / name), folder=Path.cwd())
    assert (done.stdout, done.stderr) == (EXAMPLES[name][0], "")
