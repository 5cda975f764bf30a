"""Every way to call the plugin: compiled once, kept in pytest's cache, loaded on demand."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import jumptable
from jumptable.measuring.timing import Contestant, statement
from signatures import Function

__all__ = ["Competitors", "Way", "contestants"]

HERE = Path(__file__).parent
SOURCES = [
    *sorted(path for path in (HERE / "native").rglob("*") if path.is_file()),
    *sorted((HERE / "go").glob("*.go")),
    *sorted(Path(jumptable.get_include(), "jumptable").iterdir()),
    *(HERE / "build.py", HERE / "signatures.py"),
]
TOOLS = ("nanobind", "pybind11", "cffi", "Cython")


class MissingError(Exception):
    """A competitor cannot take part; the message says why."""


@dataclass(frozen=True)
class Way:
    """A callable and the arguments that it wants."""

    function: Callable[..., Any]
    arguments: tuple[object, ...]


# A competitor may have nothing for a function.
Maker = Callable[["Competitors", Function], Way | None]


class Competitors:
    """The plugin and its competitors. ``missing`` maps who cannot take part to the reason."""

    def __init__(self, cache: Path) -> None:
        self.folder = cache / _fingerprint()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.missing: dict[str, str] = {}
        self.path = self.build("plugin")

    @cached_property
    def jumptable(self) -> jumptable.Plugin:
        return jumptable.open(self.path)

    @cached_property
    def ctypes(self) -> ctypes.CDLL:
        return ctypes.CDLL(self.path)

    @cached_property
    def cffi_abi(self) -> Any:
        from signatures import ALL

        ffi = self.cffi()
        ffi.cdef("\n".join(function.declaration for function in ALL))
        return ffi.dlopen(self.path)

    def cffi(self) -> Any:
        try:
            return importlib.import_module("cffi").FFI()
        except ImportError:
            raise MissingError("cffi is not installed") from None

    def module(self, name: str) -> ModuleType:
        """A compiled competitor, imported."""
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, self.build(name))
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        return sys.modules[name]

    def build(self, name: str) -> str:
        """The path of what build.py makes under this name, now or in an earlier session."""
        built = self.folder / f"{name}.path"
        with one_process_at_a_time(self.folder / f"{name}.lock"):
            if not built.exists():
                command = [sys.executable, str(HERE / "build.py"), name, str(self.folder)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    said = done.stderr.strip().splitlines() or ["it does not build"]
                    raise MissingError(said[-1])
                built.write_text(done.stdout.strip().splitlines()[-1], "utf-8")
            return built.read_text("utf-8")

    def ways(self, function: Function) -> dict[str, Way]:
        """All competitors that can call ``function`` here, by name."""
        found = {}
        for name, make in WAYS.items():
            try:
                way = make(self, function)
                if way is not None:
                    found[name] = way
            except MissingError as error:
                self.missing[name] = str(error)
        return found


@contextmanager
def one_process_at_a_time(path: Path) -> Iterator[None]:
    """Processes of pytest-xdist share the folder. The system ends a lock with its process."""
    with path.open("wb") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                except OSError:  # it gives up after ten seconds
                    continue
                break
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def contestants(ways: Mapping[str, Way]) -> list[Contestant]:
    """What `timing.measure` wants: the same call of each, on local variables."""
    made = []
    for name, way in ways.items():
        names = {f"a{index}": value for index, value in enumerate(way.arguments)}
        made.append(statement(name, f"f({', '.join(names)})", {"f": way.function, **names}))
    return made


def _compiled(module: str, prefix: str = "") -> Maker:
    def make(competitors: Competitors, function: Function) -> Way | None:
        found = getattr(competitors.module(module), prefix + function.name, None)
        return Way(found, function.arguments) if found is not None else None

    return make


def _jumptable(competitors: Competitors, function: Function) -> Way:
    found = competitors.jumptable.lookup(function.name, function.signature)
    return Way(found, function.arguments)


def _cffi_api(competitors: Competitors, function: Function) -> Way:
    module = competitors.module("with_cffi")
    return Way(getattr(module.lib, function.name), _for_cffi(module.ffi, function))


def _cffi_abi(competitors: Competitors, function: Function) -> Way:
    library = competitors.cffi_abi
    return Way(getattr(library, function.name), _for_cffi(competitors.cffi(), function))


def _ctypes(competitors: Competitors, function: Function) -> Way:
    found = function.with_ctypes(competitors.ctypes)
    return Way(found, tuple(map(_encoded, function.arguments)))


# cffi and ctypes take no str and cffi no address: what they would be given is made beforehand, so
# the comparison favours them there.
def _encoded(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


def _for_cffi(ffi: Any, function: Function) -> tuple[object, ...]:
    return tuple(
        ffi.cast("void *", value) if param == "void *" else _encoded(value)
        for param, value in zip(function.params, function.arguments, strict=False)
    )


WAYS: dict[str, Maker] = {
    "jumptable": _jumptable,
    "hand-written builtin": _compiled("builtin"),
    "hand-written, METH_FASTCALL": _compiled("builtin", "fast_"),
    "nanobind": _compiled("with_nanobind"),
    "pybind11": _compiled("with_pybind11"),
    "Cython cpdef": _compiled("with_cython"),
    "Cython def": _compiled("with_cython", "def_"),
    "cffi API mode": _cffi_api,
    "cffi ABI mode": _cffi_abi,
    "ctypes, argtypes set": _ctypes,
}


def _fingerprint() -> str:
    """Changes with anything that a competitor is built from."""
    state = hashlib.sha256(sys.version.encode())
    for tool in TOOLS:
        try:
            state.update(importlib.metadata.version(tool).encode())
        except importlib.metadata.PackageNotFoundError:
            state.update(b"-")
    for source in SOURCES:
        state.update(source.read_bytes())
    return state.hexdigest()[:16]
