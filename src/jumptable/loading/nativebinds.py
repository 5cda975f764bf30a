"""Binding a native library to an interface: a symbol for each method."""

from __future__ import annotations

from ..binding.interfaces import SUGGESTIONS, not_fitting
from ..binding.signatures import parse_signature
from ..binding.suggest import suggestion
from ..errors import SignatureError, SymbolError, SymbolNotFoundError
from .natives import no_such_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..binding.interfaces import Interface, Member
    from .plugin import Plugin
    from .system import Image

__all__ = ["bind_native"]


def bind_native(
    plugin: Plugin, image: Image, interface: Interface, members: Sequence[Member]
) -> list[Any]:
    """The functions for these members, in their order; InterfaceError with all that is wrong."""
    source: Any = plugin._source  # the NativeSource that asks for this
    targets: list[Any] = []
    problems: list[str] = []
    for member in members:
        signature = member.signature
        try:
            if signature is None:
                targets.append(_self_described(plugin, member))
            elif member.defaults:
                targets.append(_with_defaults(plugin, member, signature.text))
            else:
                targets.append(plugin._function(member.name, signature))
        except SymbolNotFoundError as error:
            problem = f"but {error}"
            if image.find(member.name).kind == "nothing" and member.name not in source.exports:
                hint = no_such_name(member.name)
                if len(problems) < SUGGESTIONS:
                    hint = suggestion(member.name, source._names(), otherwise=hint)
                problem = f"found no symbol of that name{hint}"
            problems.append(f"{member.name}: expected {_expected(member)}, {problem}")
        except SymbolError as error:
            problems.append(f"{member.name}: expected {_expected(member)}, but {error}")
        except _Misfit as error:
            problems.append(f"{member.name}: {error}")
    if problems:
        raise not_fitting(interface, plugin.name, problems)
    return targets


class _Misfit(Exception):
    """A member for which no function can be had, whatever the library exports."""


def _self_described(plugin: Plugin, member: Member) -> Any:
    """The function of a method without hints, where the plugin itself says its signature."""
    if not member.silent:
        raise _Misfit(f"expected a function of C, but {member.reason}")
    try:
        function = plugin.lookup(member.name)
    except SignatureError:
        raise _Misfit(f"expected a C signature, but {member.reason}") from None
    own = parse_signature(function.__self__.signature)
    if member.shape is not None and len(member.shape.names) != len(own.params):
        raise _Misfit(f"expected {member.expected}, found {own.declaration(member.name)}")
    return _with_defaults(plugin, member, own.text) if member.defaults else function


def _with_defaults(plugin: Plugin, member: Member, signature: str) -> Any:
    try:
        return plugin._with_defaults(member.name, signature, member.defaults)
    except SymbolError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        declaration = parse_signature(signature).declaration(member.name)
        raise _Misfit(f"expected defaults that fit {declaration}, but {error}") from None


def _expected(member: Member) -> str:
    if member.signature is None:
        return member.expected
    return member.signature.declaration(member.name)
