"""from_pointer: the same kind of function from a pointer that something else made.

None of the libraries whose pointers are understood is imported here: who passes an object of one
has imported it.
"""

from __future__ import annotations

import sys

from ..errors import SignatureError, SymbolKindError
from .capsules import capsule_plan, hidden_parameters
from .plan import NUMBERS, Plan
from .signatures import parse, parse_signature
from .symbol import capsule_contents, is_capsule, make_function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import BuiltinFunctionType
    from typing import Any

__all__ = ["from_pointer"]

POINTER_BITS = 8 * NUMBERS["uintptr_t"][1]

# ctypes' codes of its simple types, where they are not POINTERs.
CTYPES_CODES = {
    "?": "bool",
    "f": "float",
    "d": "double",
    "P": "void *",
    "z": "const char *",
    "O": "object",
    "b": "int8_t",
    "h": "short",
    "i": "int",
    "l": "long",
    "q": "long long",
    "c": "char",
    "B": "uint8_t",
    "H": "unsigned short",
    "I": "unsigned int",
    "L": "unsigned long",
    "Q": "unsigned long long",
}

# numba's names for the types of the grammar; its integers are int8 ... uint64.
NUMBA_TYPES = {"float64": "double", "float32": "float", "none": "void", "boolean": "bool"}


def from_pointer(pointer: object, signature: str, name: str | None = None) -> BuiltinFunctionType:
    """A builtin function that calls the C code at ``pointer``, typed by ``signature``.

    ``pointer`` is an ``int`` address, a PyCapsule, a ctypes function, a cffi function pointer, a
    numba ``cfunc`` or a ``scipy.LowLevelCallable``. What owns the code is kept alive; an ``int``
    owns nothing. Where the pointer knows its own type (a capsule whose name is a signature, cffi,
    numba, ctypes with ``argtypes``), a signature that disagrees is refused.

    Raises SignatureError (a TypeError: malformed, or not the pointer's own), SymbolKindError for
    a NULL pointer or a capsule of a variable, OverflowError for an int that is no address, and
    TypeError for anything else.
    The function cannot be pickled. Safe to call from any thread.
    """
    wanted = parse_signature(signature)
    capsule = _capsule_of(pointer)
    own: str | None
    if capsule is not None:
        address, own = capsule_contents(capsule)
        guess = None
    else:
        address, own, guess = _describe(pointer)
    if address == 0:
        raise SymbolKindError("the pointer is NULL: there is no function to call")
    if not 0 < address < 1 << POINTER_BITS:
        sign = "a negative int" if address < 0 else f"an int of {address.bit_length()} bits"
        raise OverflowError(f"an address has {POINTER_BITS} bits and is positive; got {sign}")
    name = str(name or guess or f"at_{address:x}")
    sys.audit("jumptable.from_pointer", address, wanted.text)
    evidence = "asserted"
    if capsule is not None and own is not None and _is_type(own):
        plan, evidence = capsule_plan(wanted, own, name), "capsule"
    else:
        if capsule is None and own is not None:
            hidden_parameters(wanted, own, name)
        # Whether what is called sets exceptions, nothing here can know.
        plan = Plan(wanted, checked=True)
    return make_function(name, plan, address, pointer, from_plugin=False, evidence=evidence)


def _is_type(name: str) -> bool:
    """Whether a capsule is named after a C type; others are named ``module.attribute``."""
    if "(" in name:
        return True
    try:
        parse(name)
    except SignatureError:
        return False
    return True


def _capsule_of(pointer: object) -> object | None:
    if is_capsule(pointer):
        return pointer
    if _is(pointer, "scipy._lib._ccallback", "LowLevelCallable"):
        return tuple.__getitem__(pointer, 0)  # type: ignore[call-overload, no-any-return]
    return None


def _describe(pointer: Any) -> tuple[int, str | None, str | None]:
    """The address, C's text for the type where it is known, and a name where there is one."""
    if _is(pointer, "_ctypes", "CFuncPtr"):
        ctypes = sys.modules["ctypes"]
        address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
        return address, _ctypes_type(pointer), _text(pointer, "__name__")
    if _is(pointer, "_cffi_backend", "_CDataBase"):
        ffi = sys.modules["_cffi_backend"]
        ctype = ffi.typeof(pointer)
        if ctype.kind == "function":
            word = ffi.new_primitive_type("uintptr_t")
            return int(ffi.cast(word, pointer)), _cffi_type(ctype), None
    if _is(pointer, "numba.core.ccallback", "CFunc"):
        own = [_numba_type(own) for own in (pointer._sig.return_type, *pointer._sig.args)]
        return pointer.address, _declared(own[0], own[1:]), _text(pointer, "__name__")
    if hasattr(type(pointer), "__index__") and not isinstance(pointer, bool):
        return pointer.__index__(), None, None
    raise TypeError(
        "from_pointer() takes an int address, a PyCapsule, a ctypes function, a cffi function "
        "pointer, a numba cfunc or a scipy.LowLevelCallable, not "
        f"{type(pointer).__name__}{_hint(pointer)}"
    )


def _declared(result: str, params: list[str]) -> str | None:
    """C's text for a function's type; None if one of its types is not known (empty)."""
    return f"{result}({', '.join(params)})" if result and all(params) else None


def _is(pointer: object, module: str, name: str) -> bool:
    """isinstance, for a class of a module that need not be there."""
    return any(
        base.__name__.lstrip("_") in (name, name.lstrip("_")) and base.__module__ == module
        for base in type(pointer).__mro__
    )


def _text(pointer: object, attribute: str) -> str | None:
    found = getattr(pointer, attribute, None)
    return found if isinstance(found, str) else None


def _ctypes_type(pointer: Any) -> str | None:
    if pointer.argtypes is None:
        return None  # and restype is a default, which means nothing
    result = "void" if pointer.restype is None else _ctypes_name(pointer.restype)
    return _declared(result, [_ctypes_name(own) for own in pointer.argtypes])


def _ctypes_name(own: Any) -> str:
    code = getattr(own, "_type_", None)
    return CTYPES_CODES.get(code, "") if isinstance(code, str) else ""


def _cffi_type(ctype: Any) -> str | None:
    if ctype.ellipsis:
        raise SignatureError("a variadic function cannot be called; wrap it in one that is not")
    return _declared(_cffi_name(ctype.result), [_cffi_name(own) for own in ctype.args])


def _cffi_name(own: Any) -> str:
    if own.kind == "function":
        return "void *"
    return str(own.cname) if own.kind in ("primitive", "pointer", "void") else ""


def _numba_type(own: object) -> str:
    name = str(own)
    if name.endswith("*"):
        return f"{_numba_type(name[:-1])} *" if _numba_type(name[:-1]) else ""
    name = NUMBA_TYPES.get(name, f"{name}_t" if name.startswith(("int", "uint")) else name)
    return name if name in NUMBERS or name == "void" else ""


def _hint(pointer: object) -> str:
    if callable(pointer) and type(pointer).__name__ == "builtin_function_or_method":
        return "; for a function of a compiled cffi module, pass ffi.addressof(lib, 'name')"
    return ""
