"""Native libraries: opening one, and resolving its symbols."""

from __future__ import annotations

import os
import sys

from ..binding.plan import Plan
from ..binding.signatures import COUNTER_SIZE, CType, Signature, parse
from ..binding.suggest import suggestion
from ..binding.symbol import make_function
from ..binding.variable import make_variable
from ..counting.counter import plugin_counter
from ..errors import (
    PluginArchError,
    PluginError,
    SignatureError,
    SymbolKindError,
    SymbolNotFoundError,
)
from .files import LibraryFile, examine
from .system import EntryError, Image, LoadError, loaded_path, search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import BuiltinFunctionType
    from typing import Any, NoReturn

    from ..binding.interfaces import Interface, Member
    from ..binding.variable import Variable
    from ..counting.counter import Counter
    from .debuginfo import DebugInfo, Described
    from .embedded import Declared
    from .plugin import Plugin
    from .system import Found

__all__ = [
    "NativeSource",
    "declarations",
    "examined",
    "find_bare",
    "load",
    "may_raise",
    "no_such_name",
    "was_deleted",
]

ENTRY = "jumptable_entry_"  # what plugin.h puts before the names of functions


class NativeSource:
    """An open library as a Plugin's source of symbols."""

    __slots__ = ("checked", "debug_info", "exports", "image", "plans", "target")

    def __init__(
        self,
        image: Image,
        target: str,
        checked: bool,
        file: LibraryFile | None = None,
        declared: Declared | None = None,
    ) -> None:
        self.image = image
        self.target = target
        self.checked = checked  # the library uses Python's C API, so calls may raise
        self.plans: dict[str, Plan] = {}
        self.exports = declared.exports if declared else {}
        self.debug_info: DebugInfo | None = None
        if file is not None and file.debug_info:
            from .debuginfo import DebugInfo

            self.debug_info = DebugInfo(file)

    def attribute(self, plugin: Plugin, name: str) -> BuiltinFunctionType:
        """A function without a signature: what the library says of it must do."""
        declared = self.exports.get(name)
        text = declared.text if declared else self._derive(plugin, name)
        function: BuiltinFunctionType = plugin.lookup(name, text)
        return function

    def _derive(self, plugin: Plugin, name: str) -> str:
        """The signature that the debug information gives; SignatureError where none can be had."""
        found = self._find(plugin, name)
        if found.kind == "foreign":
            self._refuse(plugin, name, found.kind, found.owner)
        reason = ""
        described = self._described(name, found.address) if found.kind == "function" else None
        if described is not None:
            if described.text and not described.problem:
                return described.text
            reason = f" ({described.problem})"
        example = "int32_t" if found.kind == "data" else "double(double)"
        if found.kind == "data" and found.size == COUNTER_SIZE:
            example = "jt_counter"
        raise SignatureError(
            f"{plugin.name} does not say what type {name!r} has{reason}; give its C type, for "
            f"instance plugin.lookup({name!r}, {example!r})"
        )

    def parse(self, signature: str) -> Signature | CType:
        return parse(signature)

    def function(
        self, plugin: Plugin, name: str, wanted: Signature | CType
    ) -> BuiltinFunctionType | Variable | Counter:
        """What ``name`` is under a signature or type; called once for each pair."""
        sys.audit("jumptable.lookup", self.target, name, wanted.text)
        declared = self.exports.get(name)
        if declared is not None:
            return self._declared_function(plugin, name, declared, wanted)
        found = self._find(plugin, name)
        kind = "data" if isinstance(wanted, CType) else "function"
        if isinstance(wanted, CType) and found.kind == "function":
            described = self._described(name, found.address)
            self._refuse_function(plugin, name, described.text if described else "")
        if found.kind != kind:
            self._refuse(plugin, name, found.kind, found.owner)
        if isinstance(wanted, CType):
            if wanted.kind == "counter":
                return self._counter(plugin, name, found)
            if found.size not in (0, wanted.size):
                raise SignatureError(
                    f"the variable {name!r} of {plugin.name} has {found.size} bytes, but "
                    f"{wanted.text!r} has {wanted.size}; look it up with its own type"
                )
            return make_variable(name, wanted, found.address, plugin, writable=found.writable)
        described = self._described(name, found.address)
        evidence = "asserted"
        if described is not None and described.agrees(wanted):
            evidence = "dwarf"
        elif described is not None and described.text:
            raise SignatureError(
                f"{name!r} of {plugin.name} is '{described.text}' by its debug information, and "
                f"was asked for as '{wanted.text}'; use its own signature"
            )
        return make_function(
            name, self._plan(wanted), found.address, plugin, from_plugin=True, evidence=evidence
        )

    def _counter(self, plugin: Plugin, name: str, found: Found) -> Counter:
        """The plugin's ``jt_counter``, if it has all the room that keeps neighbours away."""
        declare = f"declare it as 'jt_counter {name};', with jumptable/counter.h"
        # Only ELF tells sizes.
        if found.size != COUNTER_SIZE and (found.size or sys.platform not in ("darwin", "win32")):
            size = found.size or "an unknown number of"
            raise SignatureError(
                f"the variable {name!r} of {plugin.name} has {size} bytes, and a jt_counter has "
                f"{COUNTER_SIZE}; {declare}"
            )
        if found.address % COUNTER_SIZE:
            raise SignatureError(
                f"the variable {name!r} of {plugin.name} is at {found.address:#x}, and a "
                f"jt_counter is at a multiple of {COUNTER_SIZE}; {declare}"
            )
        if not found.writable:
            raise SymbolKindError(
                f"{name!r} of {plugin.name} is in read-only memory, where nothing can be counted; "
                f"{declare}, without const"
            )
        return plugin_counter(name, found.address, plugin)

    def _described(self, name: str, address: int) -> Described | None:
        """What the debug information says of a function, if there is any."""
        if self.debug_info is None:
            return None
        return self.debug_info.describe(name, address - self.image.base)

    def _declared_function(
        self, plugin: Plugin, name: str, declared: Signature, wanted: Signature | CType
    ) -> BuiltinFunctionType:
        if isinstance(wanted, CType):
            self._refuse_function(plugin, name, declared.text)
        if declared.machine != wanted.machine:
            raise SignatureError(
                f"{plugin.name} declares {name!r} as '{declared.text}', and it was asked for as "
                f"'{wanted.text}'; use its own signature, or none"
            )
        if wanted.nogil and self.checked and not declared.nogil:
            raise SignatureError(
                f"{plugin.name}, which uses Python's C API, declares {name!r} as "
                f"'{declared.text}', without 'nogil': it is not said to run without the GIL, so "
                "it cannot be looked up as 'nogil'"
            )
        try:
            address = self.image.entry(name)
        except EntryError as error:
            raise SymbolKindError(
                f"{plugin.name} declares {name!r}, and its {ENTRY + name!r} {error}; build it "
                "again with jumptable/plugin.h, and declare a function of its own, whose name no "
                "library has that was loaded earlier"
            ) from None
        if address is None:
            found = self.image.find(name)
            if found.kind != "function":
                raise SymbolNotFoundError(
                    f"{plugin.name} declares {name!r}, and exports neither {ENTRY + name!r} nor a "
                    f"function {name!r}; does a version script hide it? let jumptable_* be global"
                )
            address = found.address
        described = self._described(name, address)
        if described is not None and described.text and not described.agrees(wanted):
            raise SignatureError(
                f"{plugin.name} declares {name!r} as '{declared.text}', and by its debug "
                f"information it is '{described.text}'; correct what it declares"
            )
        return make_function(
            name, self._plan(wanted), address, plugin, from_plugin=True, evidence="embedded"
        )

    def _names(self) -> list[str]:
        """What can be looked up: not the entries of ``jumptable/plugin.h``."""
        names = [name for name in self.image.names() if not name.startswith(ENTRY)]
        return [*self.exports, *names]

    def bound(
        self,
        plugin: Plugin,
        interface: Interface,
        members: Sequence[Member],
        factory: str | None,
    ) -> tuple[None, list[Any]]:
        """The functions for these members, in their order; there is no object that has them."""
        if factory is not None:
            raise TypeError(
                f"{plugin.name} is a native library: it has functions, and no factory {factory!r}; "
                "leave out the factory"
            )
        from .nativebinds import bind_native

        return None, bind_native(plugin, self.image, interface, members)

    def _find(self, plugin: Plugin, name: str) -> Found:
        try:
            found = self.image.find(name)
        except UnicodeEncodeError:
            self._refuse(plugin, name, "nothing", "")
        if found.kind == "nothing":
            self._refuse(plugin, name, "nothing", "")
        return found

    def _plan(self, signature: Signature) -> Plan:
        plan = self.plans.get(signature.text)
        if plan is None:
            plan = Plan(signature, checked=self.checked)
            self.plans[signature.text] = plan
        return plan

    def _refuse(self, plugin: Plugin, name: str, kind: str, owner: str) -> NoReturn:
        if kind == "nothing":
            raise SymbolNotFoundError(
                f"{plugin.name} exports no symbol {name!r}"
                + suggestion(name, self._names(), otherwise=no_such_name(name))
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
        if kind == "absolute":
            raise SymbolKindError(
                f"{name!r} of {plugin.name} is a number that the linker was given, and no address "
                "in the library; export a variable that holds it"
            )
        raise SymbolKindError(
            f"{name!r} of {plugin.name} is a variable, and a function was asked for; a type "
            f"without parentheses looks it up: plugin.lookup({name!r}, 'int32_t')"
        )

    def _refuse_function(self, plugin: Plugin, name: str, own: str) -> NoReturn:
        raise SymbolKindError(
            f"{name!r} of {plugin.name} is a function, and a variable was asked for; a signature "
            f"with parentheses looks it up: plugin.lookup({name!r}, {own or 'double(double)'!r})"
        )


def no_such_name(name: str) -> str:
    """Why a name that the programmer knows may not be among the exports."""
    if not name:
        return "; the name is empty"
    return '; is it static, hidden (-fvisibility=hidden), or compiled as C++ without extern "C"?'


# What the platforms and their compilers bring along: none of it uses Python.
RUNTIME_LIBRARIES = (
    *("ld-linux", "ld-musl", "ld64.so", "linux-vdso", "libc.", "libdl.", "libm.", "libmvec."),
    *("libpthread.", "librt.", "libatomic.", "libgcc_s.", "libgfortran.", "libgomp.", "libstdc++."),
    *("libquadmath.", "libc++", "libunwind.", "libsystem.", "libobjc.", "kernel32.", "msvcp"),
    *("msvcrt.", "ntdll.", "ucrtbase.", "vcruntime", "api-ms-win-"),
)


def find_bare(name: str) -> LibraryFile | None:
    """The file that the loader would take for a bare name, examined, where it can be foreseen."""
    for folder in search_path():
        candidate = os.path.join(folder, name)
        if os.access(candidate, os.R_OK):
            try:
                return examine(candidate, target=name)
            except PluginArchError:
                continue  # as the loader does
    return None


def declarations(file: LibraryFile | None, target: str) -> Declared | None:
    """What the library says about itself; raises as `embedded.read` does."""
    if file is None or not file.notes:
        return None
    from .embedded import read

    return read(file, target)


def load(path: str, file: LibraryFile | None, target: str) -> Image:
    """dlopen, with the loader's complaints as exceptions of the contract's tree.

    ``file`` is what was examined before, or None where the loader's own search finds the file.
    The GIL is released only where no constructor can need it.
    """
    alone = file is not None and not file.uses_python and all(map(_is_runtime, file.needed))
    try:
        return Image(path, release_gil=alone)
    except LoadError as error:
        from .complaints import explain

        raise explain(str(error), path, target) from None


def may_raise(file: LibraryFile | None) -> bool:
    """Whether an open library, or one that it needs, may set Python exceptions; True if unsure."""
    waiting = [file]
    seen: set[str] = set()
    for library in waiting:
        if library is None or library.uses_python:
            return True
        for name in library.needed:
            if _is_runtime(name) or name in seen:
                continue
            if "python" in name.lower():
                return True
            seen.add(name)
            waiting.append(examined(loaded_path(name)))
    return False


def examined(path: str | None) -> LibraryFile | None:
    """What the file of an open library says, or None where there is no such file any more."""
    try:
        return examine(path) if path and os.path.isabs(path) else None
    except PluginError:
        return None


def _is_runtime(name: str) -> bool:
    return os.path.basename(name).lower().startswith(RUNTIME_LIBRARIES)


def was_deleted(image: Image) -> bool:
    """Whether the file that is mapped was deleted or replaced since; False where none can tell."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            for line in maps:
                start, _, end = line.partition(" ")[0].partition("-")
                if int(start, 16) <= image.base < int(end, 16):
                    return line.rstrip().endswith(" (deleted)")
    except OSError:
        pass
    return False
