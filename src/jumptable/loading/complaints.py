"""What a dynamic loader complains of, as an exception of the contract's tree.

Loaders give their reasons as prose, each in its own words: glibc, musl and FreeBSD for ELF, dyld
in several generations for Mach-O. Windows gives a number, which `system_windows.h` puts in front.
Prose is recognised in English; in another language the loader's message is passed on as it is.
"""

from __future__ import annotations

import ntpath
import os
import re
import sys
import sysconfig

from ..errors import (
    PluginArchError,
    PluginDependencyError,
    PluginError,
    PluginFileNotFoundError,
    PluginFormatError,
    PluginInitError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Complaint = tuple[type[PluginError], str]

__all__ = ["explain"]


def explain(message: str, path: str, target: str) -> PluginError:
    """The exception for what a loader said when it was given ``path`` for ``target``."""
    for pattern, recognised in RECOGNISERS:
        match = re.search(pattern, message)
        if match:
            kind, text = recognised(match.groupdict().get("name", ""), path, target)
            break
    else:
        kind, text = PluginError, f"the loader cannot open {target}"
    return kind(f"{text} (the loader said: {' '.join(message.split())})", target=target)


def _another_machine(name: str, path: str, target: str) -> Complaint:
    culprit = repr(name) if name and name != path else "it or a library that it needs"
    return PluginArchError, (
        f"{target} cannot be loaded: {culprit} was built for another machine, or is damaged; "
        f"this Python needs it built for {sysconfig.get_platform()}"
    )


def _no_version(name: str, path: str, target: str) -> Complaint:
    return PluginDependencyError, (
        f"{target} needs the version {name!r} of a library that is older here; install a newer "
        "one, or build the plugin on this system"
    )


def _no_symbol(name: str, path: str, target: str) -> Complaint:
    return PluginDependencyError, (
        f"{target} needs the symbol {name!r}, which no library that it depends on defines; link "
        "it with the library that does, or install the version that it was built with"
    )


def _no_procedure(name: str, path: str, target: str) -> Complaint:
    return PluginDependencyError, (
        f"{target} needs a function that a library it depends on does not export; install the "
        "version of that library that it was built with"
    )


def _no_library(name: str, path: str, target: str) -> Complaint:
    if name == path:
        return _no_file(name, path, target)
    return PluginDependencyError, (
        f"{target} needs the library {name!r}, which the loader cannot find or open; install it, "
        f"or add its folder to the loader's search path ({_search_path()})"
    )


def _no_module(name: str, path: str, target: str) -> Complaint:
    """Windows doesn't say which: a file with a path was found before, so one that it needs."""
    if ntpath.basename(path) == path:
        return PluginFileNotFoundError, (
            f"the system's loader finds no library {path!r}, or none that it needs; install it, "
            "give a path, or check the spelling"
        )
    return PluginDependencyError, (
        f"{target} needs a library that the loader cannot find; install it, put it into the same "
        f"folder, or add its folder to the loader's search path ({_search_path()})"
    )


def _no_file(name: str, path: str, target: str) -> Complaint:
    here = os.path.join(os.curdir, path)
    hint = f" A file of that name is in the current directory: open {here!r}."
    return PluginFileNotFoundError, (
        f"the system's loader finds no library {path!r}; install it, give a path, or check the "
        f"spelling.{hint if _is_here(path) else ''}"
    )


def _no_library_at_all(name: str, path: str, target: str) -> Complaint:
    culprit = repr(name) if name and name != path else "it"
    return PluginFormatError, (
        f"the loader refuses {target}: {culprit} is no library, or is damaged; build or copy it "
        "again"
    )


def _no_thread_local_space(name: str, path: str, target: str) -> Complaint:
    return PluginError, (
        f"{target} wants its thread-local variables where there is room only for what is loaded "
        "when the process starts; build it without -ftls-model=initial-exec, open it before other "
        "libraries, or preload it"
    )


def _refused_to_start(name: str, path: str, target: str) -> Complaint:
    return PluginInitError, (
        f"the initialisation of {target}, or of a library that it needs, failed: its DllMain "
        "returned FALSE or crashed; look for what it wants to be set up first"
    )


def _is_here(path: str) -> bool:
    return os.path.basename(path) == path and os.path.exists(path)


def _search_path() -> str:
    if sys.platform == "win32":
        return "os.add_dll_directory"
    variable = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    return f"{variable}, an rpath"


# The first that matches decides. dyld lists everything that it tried, each with a reason of its
# own, so that the specific reasons come before "no such file".
RECOGNISERS: tuple[tuple[str, Callable[[str, str, str], Complaint]], ...] = (
    (r"^(?P<name>.+): wrong ELF class", _another_machine),
    (r"ELF file data encoding not", _another_machine),
    (r"'(?P<name>[^']*)' \([^']*\bincompatible (?:architecture|platform)", _another_machine),
    (r"\t(?P<name>.+): mach-o, but wrong architecture", _another_machine),
    (r"^\[WinError (?:193|216)\]", _another_machine),
    (r"version `(?P<name>[^']+)' not found", _no_version),
    (r"Incompatible library version: .* requires version (?P<name>[\d.]+)", _no_version),
    (r"undefined symbol: (?P<name>[^\s,]+)", _no_symbol),
    (r"symbol (?P<name>\S+), version \S+ not defined in file", _no_symbol),
    (r"^Error relocating .+: (?P<name>[^\s:]+): symbol not found", _no_symbol),
    (r"Undefined symbol \"(?P<name>[^\"]+)\"", _no_symbol),
    (r"[Ss]ymbol not found(?: in flat namespace|:) [('\"]*_?(?P<name>[^\s'\")]+)", _no_symbol),
    (r"^\[WinError (?:127|182)\]", _no_procedure),
    (r"^(?P<name>.+): cannot open shared object file: (?:No such file|File name too)", _no_library),
    (r"^Error loading shared library (?P<name>.+): No such file", _no_library),
    (r"Shared object \"(?P<name>[^\"]+)\" not found", _no_library),
    (r"Library not loaded: (?P<name>.+)", _no_library),
    (r"^\[WinError (?:126|1157)\]", _no_module),
    (r"^\[WinError [23]\]", _no_file),
    (r"static TLS block|initial-exec TLS resolves to dynamic", _no_thread_local_space),
    (r"^\[WinError 1114\]", _refused_to_start),
    (r"^Error loading shared library (?P<name>.+): Exec format error", _no_library_at_all),
    (r"^(?P<name>.+): (?:invalid ELF|ELF (?:file|load)|object file|only ET_)", _no_library_at_all),
    (r"^(?P<name>.+): (?:file too short|cannot dynamically load)", _no_library_at_all),
    (r"^(?P<name>.+): cannot read file data: Is a directory", _no_library_at_all),
    (r"(?:slice is not valid|not a) mach-o|unknown file type", _no_library_at_all),
    (r"image not found|no such file", _no_file),
)
