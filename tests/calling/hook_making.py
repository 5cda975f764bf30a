"""The plugins, specs and functions of a random case, made of its description."""

from __future__ import annotations

import functools
import types
from typing import Any

import pluggy
from pluggy._hooks import HookImpl

from tests.calling import hook_sources
from tests.calling.hook_cases import Impl, Plugin, Spec

PROJECT = "differential"
hookimpl = pluggy.HookimplMarker(PROJECT)
hookspec = pluggy.HookspecMarker(PROJECT)


class OddDir(type):
    def __dir__(cls) -> list[str]:
        return [*cls.__dict__["listed"]]

    def __repr__(cls) -> str:
        return f"<{cls.__name__}>"


class Making:
    """What a run registers; the functions call the run that made them."""

    manager: Any
    plugins: dict[str, Any]

    def specify(self, spec: Spec) -> None:
        first = "" if spec.static else "self"
        function: Any = hook_sources.make_function(
            self, None, "spec", "spec", spec.parameters, first, spec.hook
        )
        options: dict[str, Any] = {"firstresult": spec.firstresult, "historic": spec.historic}
        if spec.warns:
            options["warn_on_impl"] = FutureWarning(f"{spec.hook} is old")
        if spec.warns_on_a:
            options["warn_on_impl_args"] = {"a": FutureWarning("a is old")}
        function = hookspec(**options)(function)
        if spec.static:
            function = staticmethod(function)
        namespace = OddDir("Specs", (), {spec.hook: function, "listed": [spec.hook]})
        self.manager.add_hookspecs(namespace)

    def plugin(self, plugin: Plugin) -> Any:
        namespace: dict[str, Any] = {}
        for impl in plugin.impls:
            if plugin.kind != "added":
                namespace[impl.hook] = self.marked(impl)
        if plugin.kind == "module":
            module = types.ModuleType(plugin.name)
            module.__dict__.update(namespace)
            return module
        namespace["listed"] = [*namespace]
        if plugin.kind == "class":
            return OddDir(plugin.name, (), namespace)
        namespace["__dir__"] = lambda self: self.listed
        namespace["__repr__"] = lambda self: f"<{plugin.name}>"
        return type(plugin.name, (), namespace)()

    def marked(self, impl: Impl) -> Any:
        function = hookimpl(**self.options(impl))(self.function(impl))
        if impl.holder == "static":
            return staticmethod(function)
        if impl.holder == "class":
            return classmethod(function)
        return function

    def options(self, impl: Impl) -> dict[str, Any]:
        wrapping = {} if impl.style == "plain" else {impl.style: True}
        return {**wrapping, **impl.options}

    def function(self, impl: Impl, parameters: str | None = None) -> Any:
        """The implementation as its holder has it."""
        first = {"method": "self", "callable": "self", "bound": "self", "class": "cls"}.get(
            impl.holder, ""
        )
        if impl.holder == "builtin":
            return [int, dict, len, str][len(impl.parameters) % 4]
        style, shape = impl.style, impl.shape
        if shape == "not a generator":
            style, shape = "plain", "plain"
        parameters = impl.parameters if parameters is None else parameters
        function: Any = hook_sources.make_function(
            self, impl, style, shape, parameters, first, impl.label
        )
        match impl.holder:
            case "partial":
                return functools.partial(function)
            case "callable":
                return type("Callable", (), {"__call__": function})()
            case "bound":
                return types.MethodType(function, self)
            case "wrapped":
                # Without a frame of its own that would be told apart: pluggy looks through it.
                return functools.wraps(function)(lambda *args, **kwargs: function(*args, **kwargs))
        return function

    def add(self, plugin: Plugin) -> None:
        """What register() would not take: put where it puts the others."""
        for impl in plugin.impls:
            options = {
                **dict.fromkeys(("wrapper", "hookwrapper", "optionalhook"), False),
                **dict.fromkeys(("tryfirst", "trylast", "specname"), False),
                **self.options(impl),
            }
            caller = getattr(self.manager.hook, impl.hook, None)
            function = self.function(impl)
            if impl.holder == "class" and not isinstance(function, types.MethodType):
                function = types.MethodType(function, type(self))
            made = HookImpl(self.plugins[plugin.name], plugin.name, function, options)  # type: ignore[arg-type]
            if caller is None:
                caller = pluggy.HookCaller(impl.hook, self.manager._hookexec)
                setattr(self.manager.hook, impl.hook, caller)
            caller._add_hookimpl(made)
