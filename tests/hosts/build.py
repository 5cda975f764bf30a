"""Compiles hosts as their authors do: in a folder of their own, against the installed headers."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import jumptable

SOURCES = Path(__file__).parent
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")
# The tests' copy of jumptable, for processes that are started in another folder.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
        filter(None, [str(Path(jumptable.__file__).parent.parent), os.environ.get("PYTHONPATH")])
    ),
}


def compiler(language: str) -> list[str]:
    if language == "c":
        return shlex.split(os.environ.get("CC") or "cc")
    return shlex.split(os.environ.get("CXX") or "c++")


def include() -> str:
    """The headers' folder, as a build script asks for it."""
    command = [sys.executable, "-m", "jumptable", "include"]
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run(
            command, cwd=elsewhere, env=ENVIRONMENT, capture_output=True, text=True, check=True
        ).stdout.strip()


def compile_host(source: Path, target: Path, *flags: str, language: str = "") -> None:
    """Make an extension module; AssertionError with what the compiler said if it said anything.

    Python's own headers are not held to STRICT, ours are.
    """
    language = language or ("c" if source.suffix == ".c" else "c++")
    command = [*compiler(language), "-x", language, "-shared", "-fPIC", "-O1", *flags]
    command += [f"-I{include()}", "-isystem", sysconfig.get_path("include"), "-o", str(target)]
    if sys.platform == "darwin":
        command += ["-undefined", "dynamic_lookup"]
    done = subprocess.run(
        [*command, str(source)], cwd=target.parent, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def built(folder: Path, name: str, *flags: str, language: str = "") -> Path:
    """A copy of a source from here, compiled in ``folder``."""
    source = Path(shutil.copy(SOURCES / name, folder))
    target = folder / "host.so"
    compile_host(source, target, *flags, language=language)
    return target


def cythonized(folder: Path, *options: str) -> Path:
    """The Cython host, compiled in ``folder``."""
    source = Path(shutil.copy(SOURCES / "host.pyx", folder))
    language = "c++" if "--cplus" in options else "c"
    generated = folder / ("generated.cpp" if language == "c++" else "generated.c")
    command = [sys.executable, "-m", "cython", *options, "-o", generated.name, source.name]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    target = folder / "host.so"
    compile_host(generated, target, "-w", language=language)
    return target


def load(path: Path, name: str = "host") -> Any:
    """Import an extension module from its file, without entering it in sys.modules."""
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
