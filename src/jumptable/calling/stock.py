"""What the compiled hook calls take from the installed pluggy.

Its messages, its result objects and its way of calling hooks stay pluggy's own: this is the one
place that knows their names and how the supported versions differ.
"""

from __future__ import annotations

import types
import warnings
from typing import Any

import pluggy
from pluggy import _callers, _hooks, _manager

__all__ = [
    "CALL",
    "EXECUTE",
    "KEYWORD_ARGUMENTS",
    "MULTICALL",
    "RESULT_KEEPS_TRACEBACK",
    "SHARED_OUTCOME",
    "STEP_OVER_STOP_ITERATION",
    "HookCaller",
    "HookImpl",
    "HookRelay",
    "PluginManager",
    "PluginValidationError",
    "Result",
    "SubsetHookCaller",
    "kept_distribution",
    "member",
    "raise_wrapfail",
    "warn_of_teardown",
]


def _unsupported(what: str) -> ImportError:
    return ImportError(
        f"found a pluggy that {what}; jumptable.pluggy works with pluggy 1.5 to 1.7: "
        "python -m pip install 'pluggy>=1.5,<1.8'",
        name="pluggy",
    )


def _own(owner: Any, name: str) -> Any:
    """Something that pluggy keeps to itself."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise _unsupported(f"has no {owner.__name__}.{name}") from None


if "warn_on_impl_args" not in _own(_hooks, "HookSpec").__slots__:
    raise _unsupported("is older than 1.5")

HookCaller = pluggy.HookCaller
HookImpl = pluggy.HookImpl
HookRelay = pluggy.HookRelay
PluginManager = pluggy.PluginManager
PluginValidationError = pluggy.PluginValidationError
Result = pluggy.Result
SubsetHookCaller = _own(_hooks, "_SubsetHookCaller")

MULTICALL = _own(_callers, "_multicall")
CALL = HookCaller.__call__
EXECUTE = _own(PluginManager, "_hookexec")

# 1.7: what an implementation declares with a default is passed by keyword, when the call has it.
KEYWORD_ARGUMENTS = "kwargdefaults" in _hooks.HookSpec.__slots__
# 1.5: all old-style wrappers of a call are sent one Result, and one that raises ends the call.
SHARED_OUTCOME = not hasattr(_callers, "run_old_style_hookwrapper")
# 1.6: a StopIteration that a wrapper lets pass is not taken for an error of the wrapper.
STEP_OVER_STOP_ITERATION = not SHARED_OUTCOME

# 1.6: the traceback of the moment, whatever happens to the exception later.
RESULT_KEEPS_TRACEBACK = "_traceback" in Result.__slots__

# 1.7 keeps the distributions of plugins as they are, and wraps them when they are asked for.
_wrap: Any = None
if not hasattr(PluginManager, "list_plugin_distributions"):
    _wrap = _own(_manager, "DistFacade")

# raise_wrapfail(generator, what) raises pluggy's RuntimeError about a wrapper that misbehaved.
raise_wrapfail = _own(_callers, "_raise_wrapfail")
_warn = _own(_callers, "_warn_teardown_exception")


class _Redirected:
    """Stands for the module ``warnings`` where pluggy counts frames that a compiled call lacks."""

    def __init__(self, level: int) -> None:
        self.level = level

    def warn(self, message: Warning, stacklevel: int) -> None:
        # Between here and the compiled call lie pluggy's function and warn_of_teardown.
        warnings.warn(message, stacklevel=self.level + 3)


def warn_of_teardown(name: str, impl: HookImpl, error: BaseException, level: int) -> None:
    """Warn, as pluggy does, that an old-style wrapper of the hook ``name`` raised ``error``.

    ``level`` is the frame to blame, counted from the one that the compiled call was made from.
    """
    own = {**_warn.__globals__, "warnings": _Redirected(level)}
    types.FunctionType(_warn.__code__, own)(name, impl, error)


def kept_distribution(distribution: Any) -> Any:
    """What a manager keeps, beside a plugin, of the distribution whose entry point it is."""
    return distribution if _wrap is None else _wrap(distribution)


def member(owner: type, name: str) -> types.MemberDescriptorType:
    """The descriptor of a ``__slots__`` attribute; ImportError where pluggy has none such."""
    found = owner.__dict__.get(name)
    if isinstance(found, types.MemberDescriptorType):
        return found
    raise _unsupported(f"has no slot {owner.__name__}.{name}")
