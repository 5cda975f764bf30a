"""Calls that leave the process."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile

from ..results import Guide
from ..timing import Contestant, statement
from .asked import Asked
from .packages import command, not_installed
from .rung import Preparation, Rung, UnavailableError, expect

__all__ = ["PROCESSES", "RUNGS", "nothing"]

GROUP = "Sandboxes and other processes"
# Rounds that they take part in: each turn takes as long as ten others.
PROCESSES, REMOTE_CALLS = 200, 500


def nothing() -> list[str]:
    """A program that does nothing."""
    if os.name == "nt":
        return [os.environ.get("COMSPEC", "cmd.exe"), "/c", "exit 0"]
    path = shutil.which("true")
    if path is None:
        raise UnavailableError("there is no program named true: it comes with coreutils")
    return [path]


def _subprocess(preparation: Preparation) -> Contestant:
    program = nothing()
    expect(subprocess.run(program).returncode, 0)
    names = {"run": subprocess.run, "program": program}
    return statement(preparation.name, "run(program)", names, most=PROCESSES)


def _grpc(preparation: Preparation) -> Contestant:
    if not _is_installed("grpc"):
        raise not_installed("grpcio")
    if not hasattr(socket, "AF_UNIX"):
        raise UnavailableError("this system has no Unix sockets")
    folder = preparation.closing.enter_context(
        tempfile.TemporaryDirectory(prefix="jumptable-bench-", ignore_cleanup_errors=True)
    )
    code = f"from {__package__}.grpcprocess import main; main(sys.argv[1:])"
    # The socket by a relative name: a path has some 100 bytes at most, and is read as a URI.
    server = command(code, "server", "socket")
    # What it says of systems that fork, which it writes in between, is of no use to anybody.
    environment = {**os.environ, "GRPC_VERBOSITY": "ERROR"}
    process = Asked(command(code, "client", "socket", *server), environment, folder)
    preparation.closing.enter_context(process)
    return Contestant(preparation.name, process.loop("call"), most=REMOTE_CALLS)


def _is_installed(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return importlib.util.find_spec(module) is not None


RUNGS = (
    Rung(
        "gRPC over a Unix socket",
        GROUP,
        "A call from one Python process to another by grpcio, eight bytes each way.",
        _grpc,
        Guide("gRPC over UDS", 50_000, 100_000),
        elsewhere=True,
    ),
    Rung(
        "subprocess",
        GROUP,
        "subprocess.run() of a program that does nothing, from its start to its end.",
        _subprocess,
        Guide("exec.Command round trip", 1e6, 1e6),
        elsewhere=True,
    ),
)
