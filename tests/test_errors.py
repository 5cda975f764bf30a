"""The tree of exceptions, as the contract draws it."""

from __future__ import annotations

import pickle

import pytest

import jumptable as jt
from jumptable import errors

PARENTS = {
    "PluginError": (Exception,),
    "PluginNotFoundError": (jt.PluginError,),
    "PluginFormatError": (jt.PluginError,),
    "PluginArchError": (jt.PluginError,),
    "PluginDependencyError": (jt.PluginError,),
    "PluginVersionError": (jt.PluginError,),
    "PluginInitError": (jt.PluginError,),
    "PluginTrustError": (jt.PluginError,),
    "ProbeError": (jt.PluginError,),
    "SymbolError": (jt.PluginError,),
    "SymbolNotFoundError": (jt.SymbolError, AttributeError),
    "SymbolKindError": (jt.SymbolError,),
    "SignatureError": (jt.SymbolError, TypeError),
    "InterfaceError": (TypeError,),
    "UnboundSlotError": (RuntimeError,),
}


@pytest.mark.parametrize("name", PARENTS)
def test_the_tree(name: str) -> None:
    error = getattr(jt, name)
    assert error.__bases__ == PARENTS[name]
    assert error.__doc__


def test_nothing_else_is_in_it() -> None:
    assert set(PARENTS) == set(errors.__all__)


@pytest.mark.parametrize(
    "error",
    [
        jt.PluginFormatError("found, expected, remedy", target="x.so"),
        errors.PluginFileNotFoundError("found, expected, remedy", target="x.so"),
        errors.PluginModuleNotFoundError("found, expected, remedy", target="x", name="x"),
    ],
)
def test_messages_and_targets_survive_pickling(error: jt.PluginError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error) == "found, expected, remedy"
    assert again.target == error.target
    for field in ("filename", "errno", "name"):
        assert getattr(again, field, None) == getattr(error, field, None)
