"""Whose code it was: the plugin's own, the standard library's, or somebody else's."""

from __future__ import annotations

import os
import sys
import sysconfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from .imports import Record
    from .watch import Event, Stack

__all__ = ["Blame", "Place", "own_prefixes", "owns"]

# (file, line, function)
Place = tuple[str, int, str]

OURS = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(os.path.dirname(OURS)) + os.sep
# What opens and watches is nobody's doing, even if a part of this package is what is opened.
MACHINERY = (
    os.path.join(PACKAGE, "loading", ""),
    os.path.join(PACKAGE, "binding", ""),
    os.path.join(OURS, ""),
)
# Of others they are part of what imports cost; that of native code has no line of its own.
OWN_ONLY = ("regexes", "atexit")

# Asked for now: a plugin may leave a sys.path with which it cannot be any more.
FOLDERS = sysconfig.get_paths()
LIBRARY = tuple({os.path.join(FOLDERS[key], "") for key in ("stdlib", "platstdlib")})
INSTALLED = tuple({os.path.join(FOLDERS[key], "") for key in ("purelib", "platlib")})


def own_prefixes(names: list[str], target: str, namespaces: set[str]) -> list[str]:
    """The names that a plugin's own modules begin with.

    ``names`` are the top-level modules of its distribution. Those that several distributions
    share, which are packages without a file, are taken one step further, as the target does.
    """
    parts = target.partition(":")[0].split(".")
    found = []
    for name in names:
        if name not in namespaces:
            found.append(name)
        elif name == parts[0] and len(parts) > 1:
            found.append(".".join(parts[:2]))
    return found


def owns(prefixes: list[str], module: str) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


class Blame:
    """Finds culprits on stacks, once the plugin's modules are known."""

    def __init__(self, names: list[str], target: str, origins: dict[str, str]) -> None:
        """``origins`` are the files of what was imported, also of what then failed."""
        self.names = names
        modules = {name: _facts(module) for name, module in sys.modules.copy().items()
                   if isinstance(name, str)}  # fmt: skip
        paths = {name: folders for name, (_, folders) in modules.items()}
        namespaces = {name for name in names if paths.get(name) and modules[name][0] is None}
        prefixes = own_prefixes(names, target, namespaces)
        files = dict(origins)
        for name, (file, _) in modules.items():
            if file is not None and owns(prefixes, name):
                files[name] = file
        self._files = {file for name, file in files.items() if owns(prefixes, name)}
        self._folders = [
            os.path.join(folder, "") for prefix in prefixes for folder in paths.get(prefix, ())
        ]
        self._folders += [
            os.path.join(os.path.dirname(file), "")
            for name, file in files.items()
            if name in prefixes and os.path.basename(file).startswith("__init__.")
        ]

    def of(self, stack: Stack) -> tuple[Place | None, Place | None, bool]:
        """The plugin's innermost line; another's further in that did it; if an import of the
        standard library's own code did it.
        """
        own = actor = None
        library = importing = only_library = False
        for file, line, function in stack:
            if file.startswith(MACHINERY):
                continue
            if self._is_own(file):
                own = (file, line, function)
                break
            if file.startswith("<frozen importlib") or file == "<frozen zipimport>":
                importing = importing or library
            elif self._is_library(file):
                library = True
            elif actor is None:
                actor = (file, line, function)
                only_library = importing
        if actor is None:
            only_library = importing
        return own or actor, actor if own else None, only_library

    def of_error(self, error: BaseException) -> Place | None:
        """The plugin's line that an exception came from."""
        cause = error
        while (deeper := cause.__cause__ or cause.__context__) is not None and deeper is not error:
            cause = deeper
        if isinstance(cause, SyntaxError) and cause.filename:
            return (cause.filename, cause.lineno or 0, "")
        stack: Stack = []
        trace: TracebackType | None = cause.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            stack.insert(0, (code.co_filename, trace.tb_lineno, code.co_name))
            trace = trace.tb_next
        return self.of(stack)[0]

    def of_imports(self, records: list[Record]) -> dict[str, tuple[str, int]]:
        """The plugin's line that each module was imported for, its own or another's."""
        found: dict[str, tuple[str, int]] = {}
        lines: dict[int, tuple[str, int]] = {}
        for record in records:
            line = record.importer
            if line is None or not self._is_own(line[0]):
                line = lines.get(record.parent)
            if line is not None:
                lines[record.index] = line
                found.setdefault(record.name, line)
        return found

    def of_event(self, event: Event) -> dict[str, object] | None:
        """As it is reported; None for what this package or the standard library does to import."""
        place, by, only_library = self.of(event.stack)
        if (only_library or place is None) and event.kind in (*OWN_ONLY, "files", "sleep"):
            return None
        if event.kind in OWN_ONLY and place is not None and not self._is_own(place[0]):
            return None
        return {
            "kind": event.kind,
            "detail": event.detail,
            "amount": event.amount,
            "seconds": event.seconds,
            "place": place,
            "by": by,
        }

    def _is_own(self, file: str) -> bool:
        return file in self._files or any(map(file.startswith, self._folders))

    def _is_library(self, file: str) -> bool:
        if file.startswith("<"):
            return True  # frozen, or made by exec
        return file.startswith(LIBRARY) and not file.startswith(INSTALLED)


def _facts(module: object) -> tuple[str | None, list[str]]:
    """A module's file and folders. It is not asked for its attributes: one that loads itself at
    first use would, and whatever a plugin puts into sys.modules may raise anything.
    """
    try:
        facts = object.__getattribute__(module, "__dict__")
        file, folders = facts.get("__file__"), facts.get("__path__")
        found = list(folders) if folders else []
    except Exception:
        return None, []
    return (
        file if isinstance(file, str) and file else None,
        [folder for folder in found if isinstance(folder, str)],
    )
