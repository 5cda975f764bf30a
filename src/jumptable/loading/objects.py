"""Python plugins: importing one, and what its names stand for."""

from __future__ import annotations

import os
import sys

from ..binding.capsules import capsule_function
from ..binding.signatures import Signature, parse_signature
from ..binding.suggest import suggestion
from ..errors import (
    PluginDependencyError,
    PluginError,
    PluginInitError,
    PluginModuleNotFoundError,
    SignatureError,
    SymbolNotFoundError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import BuiltinFunctionType, ModuleType
    from typing import Any

    from ..binding.interfaces import Interface, Member
    from .plugin import Plugin

__all__ = ["ObjectSource", "description", "file_of", "import_module", "member"]


class ObjectSource:
    """A module, or an object in one, as a Plugin's source of symbols."""

    __slots__ = ("capsules", "module", "subject", "target")

    def __init__(self, module: ModuleType, subject: object, target: str) -> None:
        self.module = module
        self.subject = subject  # what the target names: the module itself, or something in it
        self.target = target
        # Those that functions were made from, by id: a capsule may free its code when it goes.
        self.capsules: dict[int, object] = {}

    def attribute(self, plugin: Plugin, name: str) -> object:
        """The attribute itself, as it is now."""
        return member(self.subject, name, self.target)

    def parse(self, signature: str) -> Signature:
        return parse_signature(signature)

    def function(self, plugin: Plugin, name: str, wanted: Signature) -> BuiltinFunctionType:
        """A C function that a Cython module exports; called once for each pair."""
        capsules = getattr(self.subject, "__pyx_capi__", None)
        if not isinstance(capsules, dict):
            raise SignatureError(
                f"{self.target} is Python: it exports no C functions (it has no __pyx_capi__); "
                f"leave out the signature to get the object {name!r} itself"
            )
        if name not in capsules:
            raise SymbolNotFoundError(
                f"{self.target} exports no C function {name!r}" + suggestion(name, capsules)
            )
        sys.audit("jumptable.lookup", self.target, name, wanted.text)
        capsule = capsules[name]
        function = capsule_function(capsule, name, wanted, plugin)
        self.capsules[id(capsule)] = capsule
        return function

    def bound(
        self,
        plugin: Plugin,
        interface: Interface,
        members: Sequence[Member],
        factory: str | None,
    ) -> tuple[object, list[Any]]:
        """The plugin's object, and the callables that it has for these members, in their order."""
        subject, described = self._instance(interface, factory)
        from ..binding.interfaces import fit_object

        return subject, fit_object(interface, members, subject, described)

    def _instance(self, interface: Interface, factory: str | None) -> tuple[object, str]:
        """What is bound, and what to call it: the object, or what its class or factory makes."""
        if factory is None:
            if not isinstance(self.subject, type):
                return self.subject, self.target
            return _made(interface, self.subject, self.target, self.target), self.target
        if not isinstance(factory, str):
            raise TypeError(
                "a factory is the name of an attribute that is called, such as 'New', not "
                f"{type(factory).__name__}"
            )
        maker = self.subject
        for name in factory.split("."):
            maker = member(maker, name, self.target)
        described = f"what {factory}() of {self.target} returned"
        made = _made(interface, maker, f"{factory!r} of {self.target}", self.target)
        if made is None:
            from ..binding.interfaces import not_fitting

            problem = f"{factory}: expected an object, found None; does it lack a 'return'?"
            raise not_fitting(interface, described, [problem])
        return made, described


def _made(interface: Interface, maker: Any, described: str, target: str) -> object:
    """What a class or a factory gives when it is called without arguments."""
    from ..binding.interfaces import not_fitting

    if not callable(maker):
        problem = f"factory: expected a callable, found an object of type {type(maker).__name__}"
        raise not_fitting(interface, described, [problem])
    try:
        return maker()
    except (Exception, SystemExit) as error:
        hint = "; see the exception that caused this"
        if isinstance(error, TypeError):
            # Only now: a class may make objects of another, which lacks nothing.
            lacking = sorted(getattr(maker, "__abstractmethods__", ()))
            if lacking and "abstract" in _text(error):
                problems = [
                    f"{name}: expected a definition in {maker.__name__}, found an abstract method"
                    for name in lacking
                ]
                raise not_fitting(interface, described, problems) from error
            if _needs_arguments(maker):
                hint = "; it is called without arguments: name a factory that takes none"
        raise PluginInitError(
            f"calling {described} {description(error)}{hint}", target=target
        ) from error


def _needs_arguments(maker: Any) -> bool:
    from ..binding.shapes import shape_of

    shape = shape_of(maker)
    return shape is not None and bool(shape.required or shape.needed)


def member(subject: object, name: str, target: str) -> object:
    """``getattr`` with this package's errors; exceptions of a module's own code are the cause."""
    try:
        return getattr(subject, name)
    except AttributeError as error:
        raise SymbolNotFoundError(
            f"{target} has no attribute {name!r}" + suggestion(name, _names(subject)),
            target=target,
        ) from error
    except Exception as error:
        raise PluginInitError(
            f"reading {name!r} of {target} {description(error)}", target=target
        ) from error


def _names(subject: object) -> list[str]:
    try:
        return [name for name in dir(subject) if isinstance(name, str)]
    except Exception:  # a broken __dir__ must not hide the error that is being reported
        return []


def import_module(name: str, target: str) -> ModuleType:
    """Import, with this package's errors.

    KeyboardInterrupt passes through; SystemExit is a failure of the plugin's, like any other.
    """
    try:
        __import__(name)
        return sys.modules[name]
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and (missing == name or name.startswith(missing + ".")):
            raise PluginModuleNotFoundError(
                f"there is no module {missing!r}{_module_hint(name, missing)}",
                target=target,
                name=missing,
            ) from error
        what = f"imports {missing!r}, which is" if missing else f"needs what is: {_text(error)};"
        raise PluginDependencyError(
            f"{target} {what} not installed; install the distribution that provides it",
            target=target,
        ) from error
    except ImportError as error:
        raise _import_failed(error, name, target) from error
    except (Exception, SystemExit) as error:
        raise PluginInitError(
            f"importing {name} {description(error)}; see the exception that caused this",
            target=target,
        ) from error


def _import_failed(error: ImportError, name: str, target: str) -> PluginError:
    """An extension module that lacks a library or symbol has a dependency missing."""
    from .complaints import explain

    explained = explain(_text(error), error.path or name, target)
    if isinstance(explained, PluginDependencyError):
        return explained
    return PluginInitError(
        f"importing {name} {description(error)}; see the exception that caused this", target=target
    )


def description(error: BaseException) -> str:
    """``raised KeyError: 'x'``, also for exceptions that cannot be shown."""
    what = "exited" if isinstance(error, SystemExit) else f"raised {type(error).__name__}"
    text = _text(error)
    return f"{what}: {text}" if text else what


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def file_of(module: ModuleType) -> str | None:
    """The real path of a module's file; None if it has none, or none that makes sense."""
    try:
        file = module.__file__
        return os.path.realpath(file) if isinstance(file, str) else None
    except Exception:  # modules that replace themselves may do anything
        return None


def _module_hint(name: str, missing: str) -> str:
    if name.endswith(".py"):
        return f"; a module is opened by its name, without '.py': {name[:-3]!r}"
    package, _, child = missing.rpartition(".")
    if package in sys.modules:
        paths = getattr(sys.modules[package], "__path__", None)
        if paths is None:
            return f": {package!r} is a module, and no package"
    else:
        paths = sys.path
    return suggestion(
        child,
        _modules_in(list(paths)),
        otherwise="; check the spelling, and that it is installed for this interpreter "
        f"({sys.executable})",
    )


def _modules_in(folders: list[str]) -> list[str]:
    import pkgutil  # slow to import, and only failures need it

    try:
        return [found.name for found in pkgutil.iter_modules(folders)]
    except Exception:  # a path that makes no sense must not hide the error that is being reported
        return []
