"""What type checkers see of jumptable.pluggy; a program that also runs. As example.py is."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import jumptable.pluggy
from jumptable import pluggy

if sys.version_info >= (3, 11):
    from typing import assert_type
else:
    from typing_extensions import assert_type

hookspec = pluggy.HookspecMarker("app")
hookimpl = pluggy.HookimplMarker("app")


class Specs:
    @hookspec(firstresult=True)
    def scale(self, value: float) -> float | None: ...


class Plugin:
    @hookimpl
    def scale(self, value: float) -> float:
        return 2 * value


class Wrapper:
    @hookimpl(wrapper=True)
    def scale(self) -> Generator[None, float, float]:
        return (yield) + 1


def managers() -> float:
    manager = pluggy.PluginManager("app")
    manager.add_hookspecs(Specs)
    assert_type(manager.register(Plugin()), str | None)
    manager.register(Wrapper(), name="wrapper")
    pluggy.PluginManager("app", contain=True)
    pluggy.PluginManager("app", contain={"scale"})
    pluggy.PluginManager("app", contain=("scale", "other"))
    stock: jumptable.pluggy.PluginManager = manager
    caller: pluggy.HookCaller = stock.hook.scale
    assert_type(caller.get_hookimpls(), list[pluggy.HookImpl])
    subset = manager.subset_hook_caller("scale", [])
    assert_type(subset, pluggy.HookCaller)
    assert_type(subset.name, str)
    assert_type(caller(value=1.5), Any)
    return float(caller(value=1.5))


def installing(manager: pluggy.PluginManager) -> None:
    pluggy.accelerate(manager)
    pluggy.accelerate(manager, contain=["scale"])
    pluggy.accelerate(manager, contain=None)
    pluggy.install()
    pluggy.uninstall()


def failures(error: Exception) -> bool:
    return isinstance(error, (pluggy.PluginValidationError, pluggy.HookCallError))


def mistakes(manager: pluggy.PluginManager) -> None:
    pluggy.acelerate(manager)  # type: ignore[attr-defined]  # pyright: ignore
    print(pluggy.PluginManger)  # type: ignore[attr-defined]  # pyright: ignore
    pluggy.accelerate()  # type: ignore[call-arg]  # pyright: ignore
    pluggy.accelerate("app")  # type: ignore[arg-type]  # pyright: ignore
    pluggy.accelerate(manager, True)  # type: ignore[call-arg]  # pyright: ignore
    pluggy.accelerate(manager, contain=5)  # type: ignore[arg-type]  # pyright: ignore
    pluggy.install(manager)  # type: ignore[call-arg]  # pyright: ignore
    pluggy.PluginManager()  # type: ignore[call-arg]  # pyright: ignore
    pluggy.PluginManager("app", True)  # type: ignore[call-arg]  # pyright: ignore
    pluggy.PluginManager("app", contain=[5])  # type: ignore[list-item]  # pyright: ignore
    manager.hook.scale(1.5)  # type: ignore[call-arg]  # pyright: ignore
    number: int = manager.subset_hook_caller("scale", [])  # type: ignore[assignment]  # pyright: ignore
    print(number)


if __name__ == "__main__":
    installing(pluggy.PluginManager("other"))
    print(managers(), failures(ValueError()))
