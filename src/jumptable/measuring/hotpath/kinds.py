"""What does not belong in a hot path, and how a profiler recognises it.

Python functions are recognised by their code, wherever they are called from and whatever they are
called; functions of C by their name and by what they belong to.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType, FrameType, ModuleType

from ...calling.dispatch import STOCK

__all__ = ["BUILTINS", "GETATTR", "IMPORT", "SINGLE_DISPATCH", "TABLE", "Builtins", "Kind",
           "function_of_frame", "kind_of_builtin", "kind_of_frame"]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """An operation that a hot path should be without.

    ``hides``: what it does inside is a part of it. A call that is dispatched runs other code, which
    is looked at. ``repeats``: doing it once more with the same arguments changes nothing.
    """

    category: str
    what: str
    remedy: str
    hides: bool = True
    repeats: bool = False


OPEN_ONCE = "open it once, before the loop, and keep the function"
KEEP_FUNCTION = "look {name} up once, before the loop, and keep the function"
BIND_ONCE = "bind once, before the loop, and call the bound object"
IMPORT_ONCE = "import it once, at the top of the module"
ASK_ONCE = "look at the signature once, when the function is registered"
FIND_ONCE = "find plugins once, when the host starts"
REGISTER_ONCE = "register plugins once, when the host starts"
KEEP_RUNNING = "start it once and keep it running, or load the plugin into this process"
USE_HOOKS = "jumptable.pluggy.accelerate(manager) makes its hook calls compiled"
USE_DISPATCH = "jumptable.functools.singledispatch is the same, compiled"


def _open(what: str, repeats: bool = True) -> Kind:
    return Kind("open", what, OPEN_ONCE, repeats=repeats)


def _look_up(what: str, repeats: bool = False) -> Kind:
    return Kind("look-up", what, KEEP_FUNCTION, repeats=repeats)


def _bind(what: str, repeats: bool = False, remedy: str = BIND_ONCE) -> Kind:
    return Kind("bind", what, remedy, repeats=repeats)


def _check(what: str) -> Kind:
    return Kind("signature check", what, ASK_ONCE, repeats=True)


def _import(what: str, repeats: bool = True) -> Kind:
    return Kind("import", what, IMPORT_ONCE, repeats=repeats)


def _discovery(what: str) -> Kind:
    return Kind("discovery", what, FIND_ONCE, repeats=True)


def _process(what: str) -> Kind:
    return Kind("process", what, KEEP_RUNNING)


GETATTR = _look_up("getattr", repeats=True)
IMPORT = _import("import")
TABLE = _bind("jumptable.Table", True, "make the table once, before the loop")

# By module and path in it. What is not imported is not called either.
FUNCTIONS: dict[str, dict[str, Kind]] = {
    "jumptable.loading.registry": {"open": _open("jumptable.open")},
    "jumptable.loading.lazy": {
        "lazy": _bind("jumptable.lazy", True, TABLE.remedy),
        "lazy_group": _discovery("jumptable.lazy_group"),
    },
    "jumptable.loading.discovery": {"entry_points": _discovery("jumptable.entry_points")},
    "jumptable.binding.pointers": {
        "from_pointer": _bind(
            "jumptable.from_pointer", True, "make the function once, before the loop"
        )
    },
    # What Table() itself does is compiled, and reads its interface first.
    "jumptable.binding.interfaces": {"interface_of": TABLE},
    "ctypes": {
        "CDLL.__init__": _open("ctypes.CDLL"),
        "CDLL.__getattr__": _look_up("a ctypes library's attribute", True),
        "CDLL.__getitem__": _look_up("a ctypes library's item", True),
        "LibraryLoader.LoadLibrary": _open("ctypes.cdll.LoadLibrary"),
        "LibraryLoader.__getattr__": _open("ctypes.cdll's attribute", False),
    },
    "ctypes.util": {"find_library": _discovery("ctypes.util.find_library")},
    "cffi.api": {
        "FFI.dlopen": _open("ffi.dlopen", repeats=False),
        "FFI.cdef": _bind("ffi.cdef", remedy="declare it once, before the loop"),
        "FFI.verify": _open("ffi.verify", repeats=False),
    },
    "importlib": {
        "import_module": _import("importlib.import_module"),
        "reload": _import("importlib.reload", repeats=False),
    },
    "runpy": {
        "run_path": _import("runpy.run_path", repeats=False),
        "run_module": _import("runpy.run_module", repeats=False),
    },
    "inspect": {
        "signature": _check("inspect.signature"),
        "getfullargspec": _check("inspect.getfullargspec"),
        "Signature.from_callable": _check("inspect.Signature.from_callable"),
        "Signature.bind": _check("inspect.Signature.bind"),
        "Signature.bind_partial": _check("inspect.Signature.bind_partial"),
    },
    "typing": {
        "get_type_hints": _check("typing.get_type_hints"),
        "_ProtocolMeta.__instancecheck__": Kind(
            "signature check",
            "isinstance of a Protocol",
            "check plugins once, when they are registered",
            repeats=True,
        ),
    },
    "pkg_resources": {
        "WorkingSet.iter_entry_points": _discovery("pkg_resources.iter_entry_points"),
        "Distribution.get_entry_map": _discovery("pkg_resources.get_entry_map"),
        "EntryPoint.load": _import("EntryPoint.load"),
    },
    "pluggy._manager": {
        name: _bind(what, remedy=REGISTER_ONCE)
        for name, what in {
            "PluginManager.register": "PluginManager.register",
            "PluginManager.unregister": "PluginManager.unregister",
            "PluginManager.add_hookspecs": "PluginManager.add_hookspecs",
            "PluginManager.subset_hook_caller": "PluginManager.subset_hook_caller",
        }.items()
    },
    "subprocess": {
        path: _process("subprocess")
        for path in (
            *("run", "call", "check_call", "check_output", "getstatusoutput"),
            *("Popen.__init__", "Popen.communicate", "Popen.wait"),
        )
    },
    "multiprocessing.process": {"BaseProcess.start": _process("multiprocessing.Process.start")},
}
# Where it is depends on pluggy's version.
for _module in ("pluggy._hooks", "pluggy._caller"):
    FUNCTIONS[_module] = {
        "HookCaller.__call__": Kind("dispatch", "a stock pluggy hook", USE_HOOKS, hides=False),
    }
for _module in ("importlib.metadata", "importlib_metadata"):
    FUNCTIONS[_module] = {
        "entry_points": _discovery(f"{_module}.entry_points"),
        "distributions": _discovery(f"{_module}.distributions"),
        "distribution": _discovery(f"{_module}.distribution"),
        "Distribution.from_name": _discovery(f"{_module}.distribution"),
        "EntryPoint.load": _import("EntryPoint.load"),
    }

SINGLE_DISPATCH = Kind("dispatch", "a stock singledispatch function", USE_DISPATCH, hides=False)
SINGLE_DISPATCH_METHOD = Kind(
    "dispatch",
    "a stock singledispatchmethod",
    "jumptable.functools.singledispatchmethod is the same, compiled",
    hides=False,
)

# By the name of each function's code, which says of nearly all code that it is none of these.
BY_NAME: dict[tuple[str, str], list[tuple[str, Kind]]] = {}
for _module, _paths in FUNCTIONS.items():
    for _path, _kind in _paths.items():
        BY_NAME.setdefault((_module, _path.rpartition(".")[2]), []).append((_path, _kind))


def kind_of_frame(frame: FrameType) -> Kind | None:
    """What a Python function that is being called does, if it is one of those above."""
    code = frame.f_code
    module = frame.f_globals.get("__name__")
    if not isinstance(module, str):
        return None
    if module == "functools":
        return _kind_of_functools(code)
    for path, kind in BY_NAME.get((module, code.co_name), ()):
        if getattr(_function_at(module, path), "__code__", None) is code:
            return kind
    # What cffi makes of each library is a class of its own.
    if module == "cffi.api" and code.co_name == "__getattr__":
        return _look_up("a cffi library's attribute")
    return None


def _kind_of_functools(code: CodeType) -> Kind | None:
    if code.co_name == "wrapper" and "dispatch" in code.co_freevars:
        return SINGLE_DISPATCH
    if code is STOCK[1].__get__.__code__:
        return SINGLE_DISPATCH_METHOD
    return None


def function_of_frame(frame: FrameType) -> object:
    """The function that is being called, if it is one of those above."""
    module = frame.f_globals.get("__name__", "")
    for path, _ in BY_NAME.get((module, frame.f_code.co_name), ()):
        function = _function_at(module, path)
        if getattr(function, "__code__", None) is frame.f_code:
            return function
    return None


def _function_at(module: str, path: str) -> object:
    found: object = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return getattr(found, "__func__", found)  # of a class method


# By name, and then by the module or the class that the function belongs to.
Builtins = Mapping[str, Mapping[str, Kind]]
BUILTINS: Builtins = {
    "lookup": {"jumptable.loading.plugin.Plugin": _look_up("Plugin.lookup", True)},
    "bind": {
        # Makes an object of a Python plugin's class each time.
        "jumptable.loading.plugin.Plugin": _bind("Plugin.bind"),
        "jumptable.binding.table.Table": _bind("Table.bind"),
    },
    "slot": {"jumptable.binding.table.Table": _look_up("Table.slot", True)},
    "dlopen": {"_ctypes": _open("dlopen", False), "_cffi_backend.FFI": _open("ffi.dlopen", False)},
    "load_library": {"_cffi_backend": _open("ffi.dlopen", False)},
    "dlsym": {"_ctypes": _look_up("dlsym")},
    "getattr": {"builtins": GETATTR},
    **{
        name: {"posix": _process(f"os.{name}"), "nt": _process(f"os.{name}")}
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system")
    },
}


def kind_of_builtin(function: object, builtins: Builtins = BUILTINS) -> Kind | None:
    """The same for a function of C that is being called."""
    owners = builtins.get(getattr(function, "__name__", ""))
    if owners is None:
        return None
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ModuleType):
        return owners.get(owner.__name__)
    return owners.get(f"{type(owner).__module__}.{type(owner).__qualname__}")
