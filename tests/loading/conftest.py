"""Real libraries to check, built once per run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import one_at_a_time

SOURCES = Path(__file__).parent.parent / "plugins"


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Builds a source of ``tests/plugins`` with linker options, once; gives the path.

    Skips the test where the linker that an option names is not installed, or ignores the option.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler that makes ELF libraries")
    folder = tmp_path_factory.mktemp("libraries")

    @one_at_a_time
    def build(source: str, *options: str) -> str:
        # Options are in the name, so that every variant is a file of its own.
        name = "_".join(["lib" + Path(source).stem, *options]).replace("/", "")
        target = folder / (name.replace(",", "_").replace("=", "-") + ".so")
        if not target.exists():
            # One object file for all that is only linked with other options.
            compiled = [option for option in options if not option.startswith(("-Wl,", "-fuse-ld"))]
            unit = folder / "_".join([Path(source).name, *compiled, "o"])
            command = [compiler, "-O1", "-fPIC", "-c", str(SOURCES / source), *compiled]
            if not unit.exists():
                subprocess.run([*command, "-o", str(unit)], check=True)
            command = [compiler, "-shared", str(unit)]
            if source.endswith(".cpp"):
                command.append("-lstdc++")
            command += ["-o", str(target), *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            linker_missing = done.returncode != 0 and any(
                "-fuse-ld" in option for option in options
            )
            if linker_missing or "ignored" in done.stderr:
                target.unlink(missing_ok=True)
                pytest.skip(f"cannot build {source} with {options}: {done.stderr.strip()}")
            assert done.returncode == 0, done.stderr
        return str(target)

    return build


@pytest.fixture(scope="session")
def plain(build: Callable[..., str]) -> str:
    return build("files_plain.c")
