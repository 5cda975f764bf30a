"""The tree of exceptions.

Every message says what was found, what was expected and what to do. Where Python already has
a class for the failure (a missing file, a missing module, a missing attribute, a wrong type),
the exception raised is an instance of that class too.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "InterfaceError",
    "PluginArchError",
    "PluginDependencyError",
    "PluginError",
    "PluginFormatError",
    "PluginInitError",
    "PluginNotFoundError",
    "PluginTrustError",
    "PluginVersionError",
    "ProbeError",
    "SignatureError",
    "SymbolError",
    "SymbolKindError",
    "SymbolNotFoundError",
    "UnboundSlotError",
]


class PluginError(Exception):
    """Anything that goes wrong between a target and a callable; ``.target`` says which target."""

    def __init__(self, message: str, *, target: object = None) -> None:
        super().__init__(message)
        self.target = target


class PluginNotFoundError(PluginError):
    """There is no such file, library or module; also a FileNotFoundError or ModuleNotFoundError."""


class PluginFileNotFoundError(PluginNotFoundError, FileNotFoundError):
    """The form of `PluginNotFoundError` for a path or a library name; ``.filename`` is set."""

    def __init__(self, message: str, *, target: object = None) -> None:
        super().__init__(message, target=target)
        self.errno = errno.ENOENT
        self.filename = target

    def __str__(self) -> str:
        return str(self.args[0])  # OSError's own would build "[Errno 2] ..." from the fields

    def __reduce__(self) -> tuple[object, ...]:
        return _file_not_found, (self.args[0], self.target)  # OSError's own forgets the fields


def _file_not_found(message: str, target: object) -> PluginFileNotFoundError:
    return PluginFileNotFoundError(message, target=target)


class PluginModuleNotFoundError(PluginNotFoundError, ModuleNotFoundError):
    """The form of `PluginNotFoundError` for a module name; ``.name`` is set."""

    def __init__(self, message: str, *, target: object = None, name: str | None = None) -> None:
        super().__init__(message, target=target)
        self.name = name


class PluginFormatError(PluginError):
    """The file is no library: empty, text, truncated, damaged, a directory, a pipe."""


class PluginArchError(PluginError):
    """The library was built for another machine; the message names both."""


class PluginDependencyError(PluginError):
    """A library, module or symbol that the plugin needs is missing; the message names it."""


class PluginVersionError(PluginError):
    """The plugin was built for another jumptable ABI; the message names both versions."""


class PluginInitError(PluginError):
    """The plugin's own initialisation raised or exited; ``__cause__`` holds what it raised."""


class PluginTrustError(PluginError):
    """The file is not the one that was pinned or opened before, or policy refuses it."""


class ProbeError(PluginError):
    """The plugin crashed, hung or exited in the child process that tried it first."""


class SymbolError(PluginError):
    """A plugin is open, but this symbol cannot be had from it."""


class SymbolNotFoundError(SymbolError, AttributeError):
    """The plugin has no such symbol; the message suggests close names."""


class SymbolKindError(SymbolError):
    """Data where a function was asked for, or the reverse; NULL; a thread-local variable."""


class SignatureError(SymbolError, TypeError):
    """The signature is malformed, or is not the symbol's own; the message shows both."""


class InterfaceError(TypeError):
    """A plugin does not fit an interface; the message lists every mismatch, as ``.problems`` does.

    Each problem is a str that starts with the name of the method.
    """

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class UnboundSlotError(RuntimeError):
    """A table's slot was called before anything was bound to it."""
