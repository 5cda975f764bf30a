"""C functions that call Python: what C gets for a slot that is bound to no native function.

libffi makes them, by way of ctypes. A callback takes the GIL, and nothing that Python raises in it
reaches C: it is reported, and the caller gets zero, NULL or false, where ctypes would leave the
result undefined.
"""

from __future__ import annotations

import _thread
import ctypes
import operator
import struct

from .generic import plain_type
from .records import new_reference, object_at
from .slot import Guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .signatures import CType, Signature

    Convert = Callable[[Any], object]

__all__ = ["Callback"]


class Callback:
    """A C function of ``signature`` that calls ``target``; ``address`` is good while this lives.

    May be called from any thread, with or without the GIL.
    """

    __slots__ = ("_function", "address")

    def __init__(self, signature: Signature, target: Callable[..., object]) -> None:
        result = signature.result
        convert = _result(result)
        zero = None if result.kind == "void" else False if result.kind == "bool" else 0
        # What C passes as a number is one already.
        params = [
            (index, from_c)
            for index, param in enumerate(signature.params)
            if (from_c := FROM_C.get(param.kind)) is not None
        ]

        def call(*words: Any) -> object:
            if params:
                arguments = list(words)
                for index, from_c in params:
                    arguments[index] = from_c(words[index])
                words = tuple(arguments)
            return convert(target(*words))

        # CFUNCTYPE's callbacks take the GIL whether or not the caller holds it.
        types = [plain_type(param) for param in signature.params]
        self._function = ctypes.CFUNCTYPE(plain_type(result), *types)(Guarded(call, zero, target))
        self.address = ctypes.cast(self._function, ctypes.c_void_p).value or 0


def _text(address: int | None) -> str | None:
    return None if address is None else ctypes.string_at(address).decode()


FROM_C: dict[str, Convert] = {"string": _text, "object": object_at}


def _result(ctype: CType) -> Convert:
    """From what Python returned to what ctypes passes on, as strict as an argument is."""
    if ctype.kind == "void":
        return lambda value: None
    if ctype.kind == "double":
        return lambda value: ctypes.c_double(value).value
    if ctype.kind == "float":
        return _single
    if ctype.kind == "object":
        return new_reference
    if ctype.kind == "string":
        return _Texts()
    if ctype.kind in ("address", "buffer"):
        low, high = 0, (1 << 8 * ctype.size) - 1
        return lambda value: 0 if value is None else _integer(value, ctype, low, high)
    bits = 1 if ctype.kind == "bool" else 8 * ctype.size
    low, high = (-1 << bits - 1, (1 << bits - 1) - 1)
    if ctype.kind != "signed":
        low, high = 0, (1 << bits) - 1
    return lambda value: _integer(value, ctype, low, high)


def _integer(value: Any, ctype: CType, low: int, high: int) -> int:
    number = operator.index(value)
    if not low <= number <= high:
        raise OverflowError(f"the result {number} is out of range for {ctype.text!r}")
    return number


def _single(value: Any) -> float:
    number = ctypes.c_double(value).value
    try:
        struct.pack("=f", number)  # "f" alone would make it infinite
    except OverflowError:
        raise OverflowError(f"the result {number} is out of range for 'float'") from None
    return number


class _Texts:
    """Results of type ``const char *``: each lives until the same thread returns another.

    Not in a thread-local: of a thread that Python does not know, that ends with the callback.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[int, bytes] = {}  # by thread

    def __call__(self, value: Any) -> int:
        if value is None:
            return 0
        text = value.encode() if isinstance(value, str) else value
        if not isinstance(text, bytes):
            raise TypeError(
                f"expected str, bytes or None as the result, got {type(value).__name__}"
            )
        if b"\0" in text:
            raise ValueError("the result holds a NUL, where C would see its end")
        self._last[_thread.get_ident()] = text
        return ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value or 0
