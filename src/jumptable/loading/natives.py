"""Native libraries: opening one, and resolving its symbols."""

from __future__ import annotations

import os
import sys

from ..binding.plan import Plan
from ..binding.signatures import CType, Signature, parse
from ..binding.symbol import make_function
from ..binding.variable import Variable
from ..errors import (
    PluginInitError,
    SignatureError,
    SymbolKindError,
    SymbolNotFoundError,
)
from .suggest import suggestion
from .system import Image, LoadError, search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import BuiltinFunctionType
    from typing import NoReturn

    from .files import LibraryFile
    from .plugin import Plugin
    from .system import Found

__all__ = ["NativeSource", "find_bare", "load"]


class NativeSource:
    """An open library as a Plugin's source of symbols."""

    __slots__ = ("checked", "image", "plans", "target")

    def __init__(self, image: Image, target: str, checked: bool) -> None:
        self.image = image
        self.target = target
        self.checked = checked  # the library uses Python's C API, so calls may raise
        self.plans: dict[str, Plan] = {}

    def attribute(self, plugin: Plugin, name: str) -> NoReturn:
        """A native symbol without a signature: nothing says what it is."""
        found = self._find(plugin, name)
        if found.kind == "foreign":
            self._refuse(plugin, name, found.kind, found.owner)
        example = "int32_t" if found.kind == "data" else "double(double)"
        raise SignatureError(
            f"{plugin.name} does not say what type {name!r} has; give its C type, for instance "
            f"plugin.lookup({name!r}, {example!r})"
        )

    def parse(self, signature: str) -> Signature | CType:
        return parse(signature)

    def function(
        self, plugin: Plugin, name: str, wanted: Signature | CType
    ) -> BuiltinFunctionType | Variable:
        """What ``name`` is under a signature or type; called once for each pair."""
        sys.audit("jumptable.lookup", self.target, name, wanted.text)
        found = self._find(plugin, name)
        kind = "data" if isinstance(wanted, CType) else "function"
        if found.kind != kind:
            self._refuse(plugin, name, found.kind, found.owner)
        if isinstance(wanted, CType):
            if found.size not in (0, wanted.size):
                raise SignatureError(
                    f"the variable {name!r} of {plugin.name} has {found.size} bytes, but "
                    f"{wanted.text!r} has {wanted.size}; look it up with its own type"
                )
            return Variable(name, wanted, found.address, plugin, writable=found.writable)
        return make_function(name, self._plan(wanted), found.address, plugin, from_plugin=True)

    def _find(self, plugin: Plugin, name: str) -> Found:
        try:
            found = self.image.find(name)
        except UnicodeEncodeError:
            self._refuse(plugin, name, "nothing", "")
        if found.kind == "nothing":
            self._refuse(plugin, name, "nothing", "")
        return found

    def _plan(self, signature: Signature) -> Plan:
        # Nogil functions promise not to touch Python, so there is no exception to look for.
        plan = self.plans.get(signature.text)
        if plan is None:
            plan = Plan(signature, checked=self.checked and not signature.nogil)
            self.plans[signature.text] = plan
        return plan

    def _refuse(self, plugin: Plugin, name: str, kind: str, owner: str) -> NoReturn:
        if kind == "nothing":
            raise SymbolNotFoundError(
                f"{plugin.name} exports no symbol {name!r}"
                + suggestion(name, self.image.names(), otherwise=_no_such_name(name))
            )
        if kind == "foreign":
            raise SymbolNotFoundError(
                f"{plugin.name} exports no symbol {name!r} of its own; {owner or 'a library'}, "
                f"which it depends on, does: open that one to call it"
            )
        if kind == "thread-local":
            raise SymbolKindError(
                f"{name!r} of {plugin.name} is a thread-local variable: it has one address for "
                "each thread and cannot be looked up; export a function that reads it"
            )
        if kind == "NULL":
            raise SymbolKindError(
                f"{name!r} of {plugin.name} is NULL: it is declared, and has no code or memory "
                "on this machine; look for what would define it"
            )
        if kind == "data":
            raise SymbolKindError(
                f"{name!r} of {plugin.name} is a variable, and a function was asked for; a type "
                f"without parentheses looks it up: plugin.lookup({name!r}, 'int32_t')"
            )
        raise SymbolKindError(
            f"{name!r} of {plugin.name} is a function, and a variable was asked for; a signature "
            f"with parentheses looks it up: plugin.lookup({name!r}, 'double(double)')"
        )


def _no_such_name(name: str) -> str:
    if not name:
        return "; the name is empty"
    return '; is it static, hidden (-fvisibility=hidden), or compiled as C++ without extern "C"?'


def find_bare(name: str) -> str | None:
    """The file that the loader would take for a bare name, where that can be known before."""
    for folder in search_path():
        candidate = os.path.join(folder, name)
        if os.path.isfile(candidate):
            return candidate
    return None


def load(path: str, file: LibraryFile | None, target: str) -> Image:
    """dlopen, with the loader's complaints as exceptions of the contract's tree.

    ``file`` is what was examined before, or None where the loader's own search finds the file.
    A library that needs no symbol of Python's is opened with the GIL released, since its
    constructors cannot need it.
    """
    try:
        return Image(path, release_gil=file is not None and not file.uses_python)
    except LoadError as error:
        from .complaints import explain  # compiles its patterns, and only failures need them

        raise explain(str(error), path, target) from None
    except Exception as error:
        raise PluginInitError(
            f"a constructor of {target} raised {type(error).__name__}: {error}", target=target
        ) from error
