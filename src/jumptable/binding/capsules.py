"""C functions in PyCapsules whose name is their signature.

Cython exports a module's C functions so, in ``__pyx_capi__``; SciPy's LowLevelCallable uses the
same convention. The name is C's text for the type, such as ``double (double, int)``. The functions
that Cython declares ``cpdef`` take one or two parameters more, for Cython's own use.
"""

from __future__ import annotations

from ..errors import SignatureError, SymbolKindError
from .plan import Plan
from .signatures import CType, Signature, parse_signature, parse_type
from .symbol import capsule_contents, is_capsule, make_function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import BuiltinFunctionType

__all__ = ["capsule_function", "capsule_plan", "hidden_parameters"]

# What Cython appends: both are passed as 0, "don't look for an override" and "no optional ones".
HIDDEN = ("__pyx_skip_dispatch", "__pyx_optional_args")


def capsule_function(
    capsule: object, name: str, wanted: Signature, plugin: object
) -> BuiltinFunctionType:
    """The function in a capsule of ``__pyx_capi__``; SignatureError unless the capsule agrees."""
    if not is_capsule(capsule):
        raise SymbolKindError(
            f"{name!r} in __pyx_capi__ is a {type(capsule).__name__}, and no PyCapsule"
        )
    address, own = capsule_contents(capsule)
    plan = capsule_plan(wanted, own or "", name)
    return make_function(name, plan, address, plugin, from_plugin=True, evidence="capsule")


def capsule_plan(wanted: Signature, own: str, name: str) -> Plan:
    """The plan for calling, as ``wanted``, a function whose capsule is named ``own``.

    Cython functions may raise, without the GIL as well: they take it for that.
    """
    hidden = hidden_parameters(wanted, own, name)
    signature = Signature(wanted.result, wanted.params, wanted.nogil, hidden)
    return Plan(signature, checked=True)


def hidden_parameters(wanted: Signature, own: str, name: str) -> int:
    """How many trailing parameters of ``own``, C's text for a type, are Cython's own.

    Raises SymbolKindError if that is no function's type, and SignatureError, showing both, unless
    ``wanted`` agrees with the others.
    """
    result, bracket, rest = own.partition("(")
    listed, end, after = rest.rpartition(")")
    if not (bracket and end) or after.strip():
        raise SymbolKindError(
            f"{name!r} is {own!r}, which is no function's type; only functions can be called"
            if own
            else f"the capsule of {name!r} has no name that would say what it holds"
        )
    listed = listed.strip()
    params = [param.strip() for param in listed.split(",")] if listed not in ("", "void") else []
    shown = [param for param in params if not param.endswith(HIDDEN)]
    if (
        not _agrees(wanted.result, result.strip())
        or len(shown) != len(wanted.params)
        or not all(map(_agrees, wanted.params, shown))
    ):
        raise SignatureError(
            f"{name!r} is '{result.strip()}({', '.join(shown)})', and was asked for as "
            f"'{wanted.text}'; use its own signature"
        )
    return len(params) - len(shown)


def _agrees(wanted: CType, own: str) -> bool:
    """Whether the machine cannot tell the two types apart; a pointer to an unknown is opaque."""
    try:
        found = parse_signature(f"{own}()").result.machine
    except SignatureError:
        if not own.endswith("*"):
            return False
        found = parse_type("void *").machine
    return wanted.machine == found
