"""What the tests of interfaces ask again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import jumptable as jt
from jumptable.binding.interfaces import Member, fit_object, interface_of


def member(spec: Any, name: str) -> Member:
    return next(found for found in interface_of(spec).members if found.name == name)


def names(spec: Any) -> list[str]:
    return [found.name for found in interface_of(spec).members]


def signature(annotated: Callable[..., object]) -> str:
    """The C signature of one method, or why there is none."""
    found = member(type("Holder", (), {"method": annotated}), "method")
    return found.signature.text if found.signature else found.reason


def fits(spec: Any, subject: object) -> list[Any]:
    interface = interface_of(spec)
    return fit_object(interface, interface.members, subject, "the plugin")


def problems(spec: Any, subject: object) -> tuple[str, ...]:
    with pytest.raises(jt.InterfaceError) as caught:
        fits(spec, subject)
    assert str(caught.value).startswith("the plugin does not fit the interface ")
    assert str(caught.value).splitlines()[1:] == [f"  {one}" for one in caught.value.problems]
    return caught.value.problems


def one(method: Any) -> type:
    """An interface, or a plugin, with this one method."""
    return type("One", (), {"call": method})
