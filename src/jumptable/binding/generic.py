"""Calls that no trampoline can make: libffi, by way of ctypes.

Used for signatures beyond six integer and eight floating-point arguments, and for all but the
shortest on platforms whose registers `words.h` does not know. The arguments were converted and
checked before, so ctypes only passes exact numbers on.
"""

from __future__ import annotations

import ctypes

from .signatures import CType, Signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["plain_type", "prototype"]

INTEGERS: dict[tuple[str, int], type[Any]] = {
    ("signed", 1): ctypes.c_int8,
    ("signed", 2): ctypes.c_int16,
    ("signed", 4): ctypes.c_int32,
    ("signed", 8): ctypes.c_int64,
    ("unsigned", 1): ctypes.c_uint8,
    ("unsigned", 2): ctypes.c_uint16,
    ("unsigned", 4): ctypes.c_uint32,
    ("unsigned", 8): ctypes.c_uint64,
}


def prototype(signature: Signature) -> type[Any]:
    """The type of the ctypes functions that take and give numbers, and addresses as ints.

    Without ``nogil`` the GIL is held and Python exceptions set by the callee are raised.
    """
    params = [plain_type(param) for param in signature.params]
    params += [ctypes.c_size_t] * signature.hidden
    make = ctypes.CFUNCTYPE if signature.nogil else ctypes.PYFUNCTYPE
    return make(plain_type(signature.result), *params)


def plain_type(ctype: CType) -> Any:
    """The ctypes type of a plain number; addresses are ``c_void_p``, and void is None."""
    if ctype.kind == "void":
        return None
    if ctype.kind == "bool":
        return ctypes.c_bool
    if ctype.kind == "float":
        return ctypes.c_float
    if ctype.kind == "double":
        return ctypes.c_double
    return INTEGERS.get((ctype.kind, ctype.size), ctypes.c_void_p)
