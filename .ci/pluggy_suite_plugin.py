"""pytest plugin for pluggy's own tests: puts the drop-in under them, and proves that it was there.

JUMPTABLE_SUITE says what the tests are to find:

- ``run``: nothing is done here, ``python -m jumptable run`` has patched pluggy.
- ``drop-in``: the tests' ``PluginManager`` is ``jumptable.pluggy``'s, and install() is active too.
- ``multicall``: ``_multicall``, which some tests call by that name, is the compiled one, also for
  managers that are otherwise stock.

A run fails if its tests have made managers that are not compiled, or hardly any.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from typing import Any

import pluggy
import pytest
from pluggy import _callers, _manager

import jumptable.pluggy
from jumptable.calling.callers import HookCaller, SubsetHookCaller
from jumptable.calling.multicall import is_multicall, new_multicall

MODE = os.environ["JUMPTABLE_SUITE"]
STOCK = _callers._multicall
MULTICALL_MODULES = ("pluggy._callers", "pluggy._execution", "pluggy._manager")
# How many managers and callers a suite makes, at the least: 1.5's makes 69.
FEWEST = 60
# How many of the tests' calls may run pluggy's own _multicall: those of test_multicall.py, which
# ask for it by name, and with the compiled one in its place those that are errors anyhow.
MOST_STOCK = {"run": 40, "drop-in": 40, "multicall": 8}

managers: list[Any] = []
executions = {"stock": 0}
replaced: list[str] = []


class Failure(Exception):
    pass


def count_stock_executions() -> None:
    """Count the tests' calls that run pluggy's own ``_multicall``, whoever holds it."""
    stock: Any = STOCK
    original = types.FunctionType(stock.__code__, stock.__globals__, "_multicall")
    stock.__globals__["_jumptable_original"] = original
    stock.__globals__["_jumptable_executions"] = executions

    def counted(hook_name: Any, hook_impls: Any, caller_kwargs: Any, firstresult: Any) -> Any:
        __tracebackhide__ = True
        if not hook_name.startswith("pytest_"):
            _jumptable_executions["stock"] += 1  # type: ignore[name-defined]  # noqa: F821
        return _jumptable_original(  # type: ignore[name-defined]  # noqa: F821
            hook_name, hook_impls, caller_kwargs, firstresult
        )

    stock.__code__ = counted.__code__


def remember_managers() -> None:
    current: Any = pluggy.PluginManager.__init__

    def remembering(self: Any, *args: Any, **kwargs: Any) -> None:
        current(self, *args, **kwargs)
        managers.append(self)

    pluggy.PluginManager.__init__ = remembering  # type: ignore[method-assign]


if MODE == "drop-in":
    jumptable.pluggy.install()
elif MODE == "multicall":
    for name in MULTICALL_MODULES:
        if name in sys.modules:
            sys.modules[name]._multicall = new_multicall(False)  # type: ignore[attr-defined]
elif MODE != "run":
    raise Failure(f"JUMPTABLE_SUITE is {MODE!r}")
remember_managers()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What a test module has imported from pluggy, it has from jumptable.pluggy."""
    if MODE != "drop-in":
        return
    folder = str(session.startpath)
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", "")).startswith(folder) and (
            getattr(module, "PluginManager", None) is pluggy.PluginManager
        ):
            module.PluginManager = jumptable.pluggy.PluginManager  # type: ignore[attr-defined]
            replaced.append(module.__name__)


def check_managers() -> str:
    callers = [caller for manager in managers for caller in vars(manager.hook).values()]
    if len(managers) < FEWEST or len(callers) < FEWEST:
        raise Failure(f"only {len(managers)} managers with {len(callers)} callers were made")
    if MODE == "multicall":
        tests = sys.modules["test_multicall"]
        if not is_multicall(tests._multicall) or not is_multicall(vars(_manager)["_multicall"]):
            raise Failure("the tests have not had the compiled multicall")
        kind: tuple[type, ...] = (pluggy.HookCaller,)
    else:
        kind = (HookCaller, SubsetHookCaller)
    if MODE == "drop-in" and not {"conftest", "test_hookcaller"} <= {*replaced}:
        raise Failure(f"only {replaced} have had jumptable.pluggy's PluginManager")
    for caller in callers:
        if not isinstance(caller, kind):
            raise Failure(f"{caller!r} is a {type(caller)}")
    stock = [manager for manager in managers if manager._inner_hookexec is STOCK]
    if stock:
        raise Failure(f"{len(stock)} managers call through pluggy's own _multicall")
    if executions["stock"] > MOST_STOCK[MODE]:
        raise Failure(f"pluggy's own _multicall ran {executions['stock']} times")
    return (
        f"jumptable: {MODE}: {len(managers)} managers with {len(callers)} hook callers, all on "
        f"compiled calls; pluggy's own _multicall ran {executions['stock']} times"
    )


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    try:
        message = check_managers()
    except Failure as failure:
        message = f"jumptable: {MODE}: FAILED: {failure}"
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
    session.config.stash[MESSAGE] = message
    return (yield)


MESSAGE = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    terminalreporter.write_line(config.stash[MESSAGE])


count_stock_executions()
