"""Real libraries to check, built once per run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "plugins"


class Libraries:
    """Builds libraries of the sources in ``tests/plugins``, each once."""

    def __init__(self, folder: Path, compiler: str) -> None:
        self.folder = folder
        self.compiler = compiler

    def build(self, source: str, *options: str) -> str:
        """The path of ``source`` built with ``options``; skips where the linker has no such."""
        # Options are in the name, so that every variant is a file of its own.
        name = "_".join(["lib" + Path(source).stem, *options]).replace("/", "")
        target = self.folder / (name.replace(",", "_").replace("=", "-") + ".so")
        if not target.exists():
            command = [self.compiler, "-O1", "-shared", "-fPIC", str(SOURCES / source)]
            if source.endswith(".cpp"):
                command.append("-lstdc++")
            done = subprocess.run(
                [*command, "-o", str(target), *options], capture_output=True, text=True, check=False
            )
            if done.returncode or "ignored" in done.stderr:
                target.unlink(missing_ok=True)
                pytest.skip(f"cannot build {source} with {options}: {done.stderr.strip()}")
        return str(target)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler that makes ELF libraries")
    return Libraries(tmp_path_factory.mktemp("libraries"), compiler)


@pytest.fixture(scope="session")
def plain(libraries: Libraries) -> str:
    return libraries.build("files_plain.c")
