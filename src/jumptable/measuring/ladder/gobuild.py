"""Go's host and plugin: built from benchmarks/go, once for each version of Go, and kept.

They are built together, as Go demands, in a folder of their own that is moved to where they are
kept in one step: what is there is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ...loading import cache
from .asked import Asked
from .building import built, scratch
from .rung import UnavailableError

__all__ = ["build", "host", "installed", "sources", "start"]

HERE = Path(__file__)
# In an installation, and in a checkout.
PLACES = (HERE.parents[1] / "go", HERE.parents[4] / "benchmarks" / "go")
HOST, PLUGIN = "host", "plugin"
KIND = "go"
DAY = 86_400.0
FAILS = "go does not build it"
# Nothing but this version of Go and this machine decides what is built: no go.mod or go.work of the
# working directory, no flags or target of another project, and no download.
SETTINGS = {
    "CGO_ENABLED": "1",
    "GO111MODULE": "off",
    "GOARCH": "",
    "GOENV": "off",
    "GOFLAGS": "",
    "GOOS": "",
    "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}


def host(closing: ExitStack, *, quick: bool) -> Asked:
    """Go's host with the plugin open, ready to be asked."""
    go, found = installed(), sources()
    target, kept = _target(closing, go, found)
    if kept and target.is_dir():
        try:
            return closing.enter_context(start(target))
        except (UnavailableError, OSError):
            # Whatever is wrong with what was kept, it can be made again.
            if quick:
                raise
            shutil.rmtree(target, ignore_errors=True)
    if quick:
        raise UnavailableError("not built yet: a bench without --quick builds it")
    build(go, found, target)
    if kept:
        _forget_others(target)
    return closing.enter_context(start(target))


def installed() -> str:
    go = shutil.which("go")
    if go is None:
        raise UnavailableError(
            "go is not installed: https://go.dev/dl, or apt-get install golang-go"
        )
    return go


def start(folder: Path) -> Asked:
    program = shutil.which("true") or ""  # without it only what asks for it fails
    return Asked([str(folder / HOST), str(folder / f"{PLUGIN}.so"), program])


def sources() -> list[Path]:
    for place in PLACES:
        found = [place / f"{name}.go" for name in (HOST, PLUGIN)]
        if all(path.is_file() for path in found):
            return found
    raise UnavailableError(
        "the Go sources are missing: expected benchmarks/go in a checkout, or "
        "jumptable/measuring/go in an installation; install jumptable again"
    )


def _target(closing: ExitStack, go: str, found: Sequence[Path]) -> tuple[Path, bool]:
    """Where it is, or is to be, and whether it is kept there."""
    version = built([go, "version"], {**os.environ, **SETTINGS}, "go does not run")
    state = hashlib.sha256(version)
    for path in found:
        state.update(path.read_bytes())
    folder = cache.own_folder()
    if folder is not None:
        return Path(folder, f"{KIND}-{state.hexdigest()[:16]}"), True
    temporary = tempfile.TemporaryDirectory(prefix="jumptable-bench-", ignore_cleanup_errors=True)
    return Path(closing.enter_context(temporary), KIND), False


def build(go: str, found: Sequence[Path], target: Path) -> None:
    """Make the folder ``target`` with both in it; another process may be faster."""
    with tempfile.TemporaryDirectory(
        prefix=f"{target.name}.", suffix=".tmp", dir=target.parent, ignore_cleanup_errors=True
    ) as folder:
        made, waste = Path(folder, "made"), Path(folder, "waste")
        made.mkdir(0o700)
        waste.mkdir()
        environment = {**os.environ, **SETTINGS, **scratch(str(waste))}
        for path in found:
            mode, suffix = ("plugin", ".so") if path.stem == PLUGIN else ("exe", "")
            output = made / f"{path.stem}{suffix}"
            command = [go, "build", f"-buildmode={mode}", "-o", str(output), str(path)]
            try:
                built(command, environment, FAILS)
            except UnavailableError as error:
                # Without a home that can be written Go has nowhere to keep what it compiled.
                if "build cache" not in str(error) or "GOCACHE" in environment:
                    raise
                environment["GOCACHE"] = str(waste / "cache")
                built(command, environment, FAILS)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():
                raise


def _forget_others(target: Path) -> None:
    """Builds of other sources or versions that nobody made today."""
    for other in target.parent.glob(f"{KIND}-*"):
        try:
            if other != target and other.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(other, ignore_errors=True)
        except OSError:  # somebody else removed it
            continue
