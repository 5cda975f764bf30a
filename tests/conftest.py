"""Real plugins, compiled from tests/plugins when a test asks for one."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar

import pytest

# A suite that runs in the background has SIGINT ignored, and what it starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SOURCES = Path(__file__).parent / "plugins"

Compile = Callable[..., Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Made = TypeVar("Made")


def one_at_a_time(make: Callable[..., Made]) -> Callable[..., Made]:
    """No library is opened by one thread of a test while another one still writes it."""
    lock = threading.Lock()

    @wraps(make)
    def locked(*args: object, **options: object) -> Made:
        with lock:
            return make(*args, **options)

    return locked


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or "cc")


@pytest.hookimpl(tryfirst=True)  # before xdist, where it is installed, looks at the options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The whole suite runs in a process more than there are processors, a part of it in one.

    One more, since many tests wait: for other processes, and for time to pass.
    """
    option = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    whole = whole and "PYTEST_XDIST_WORKER" not in os.environ  # a worker has no workers
    # -n0 is one process too, -s needs it, and --pdb, which xdist knows.
    if whole and getattr(option, "numprocesses", 0) is None and option.capture != "no":
        # Not too many: each compiles the plugins anew.
        option.numprocesses = min((os.cpu_count() or 1) + 1, option.maxprocesses or 4)


# Fixtures that all threads of a test share, where pytest-run-parallel runs it in several.
ALONE = {
    "run_python": "is a process of its own",
    "manager": "registers with a manager that only it may use",
    "watched": "binds a table that only it may bind",
    "path": "is a file that only it may count in",
    "with_notes": "changes the library that it opens",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in ALONE.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.thread_unsafe(reason=ALONE[name]))


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> None:
    """Collecting garbage does not look through what was there before the module."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.fixture(scope="session")
def compile_plugin(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """``compile_plugin("basic")`` or ``compile_plugin("name", text, *flags)``: a shared library.

    Each combination is compiled once a session; a test that changes the file must copy it.
    """
    folder = tmp_path_factory.mktemp("plugins")
    done: dict[tuple[str, ...], Path] = {}

    @one_at_a_time
    def compile_one(name: str, text: str | None = None, *flags: str, language: str = "c") -> Path:
        key = (name, text or "", *flags)
        if key not in done:
            target = Path(tempfile.mkdtemp(dir=folder)) / f"lib{name}.so"
            source = SOURCES / f"{name}.{language}"
            if text is not None:
                source = target.with_suffix(f".{language}")
                source.write_text(text)
            subprocess.run(
                [*compiler(), "-shared", "-fPIC", "-O1", "-o", str(target), str(source), *flags],
                check=True,
            )
            done[key] = target
        return done[key]

    return compile_one


@pytest.fixture(scope="session")
def python_flags() -> list[str]:
    """Compiler flags for a plugin that uses Python's C API."""
    return [f"-I{sysconfig.get_path('include')}"]


@pytest.fixture
def run_python(tmp_path: Path) -> Run:
    """Run a program text in a fresh interpreter, so that a crash or a leak is its own."""

    def run(text: str, *args: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "program.py"
        script.write_text(text)
        done = subprocess.run(
            [sys.executable, str(script), *map(str, args)],
            capture_output=True,
            text=True,
            timeout=150,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run
