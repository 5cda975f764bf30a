"""A function's arguments, as somebody writes them on a command line; ``bench --help`` says how."""

from __future__ import annotations

import ast
import re
from array import array
from collections.abc import Sequence
from typing import Any

from ...binding.signatures import CType, Signature

__all__ = ["ArgumentError", "read", "read_literals", "words"]

# By kind and size: array's codes, which are exactly of that size here.
CODES = {
    **{(kind, array(code).itemsize): code for kind, codes in (("signed", "qlihb"),
       ("unsigned", "QLIHB"), ("float", "f"), ("double", "d")) for code in codes},
}  # fmt: skip
ARRAY = re.compile(r"(\w*)\[(\d+)\]")
ITEM_NAMES = {"signed": "int", "unsigned": "uint", "float": "float", "double": "float"}
TRUTHS = {"true": True, "1": True, "false": False, "0": False}
MOST_ITEMS = 1 << 30


class ArgumentError(ValueError):
    """What is wrong with an argument, and what to write instead."""


def read(signature: Signature, texts: Sequence[str], name: str) -> tuple[list[Any], list[str]]:
    """The arguments, and how they are shown. Those of no texts at all are chosen here."""
    params = signature.params
    if not texts and params:
        texts = [_default(param, index, name) for index, param in enumerate(params, 1)]
    if len(texts) != len(params):
        listed = ", ".join(param.text for param in params) or "none"
        raise ArgumentError(
            f"{name}() takes {len(params)} argument{'s' * (len(params) != 1)} ({listed}), and "
            f"{len(texts)} {'is' if len(texts) == 1 else 'are'} given"
        )
    values = [
        _value(param, text, f"{name}() argument {index}")
        for index, (param, text) in enumerate(zip(params, texts, strict=True), 1)
    ]
    return values, list(texts)


def read_literals(texts: Sequence[str]) -> list[Any]:
    """The arguments of a Python function."""
    return [_literal(text, f"argument {index}") for index, text in enumerate(texts, 1)]


def _default(param: CType, index: int, name: str) -> str:
    defaults = {"bool": "true", "signed": "1", "unsigned": "1", "float": "1.5", "double": "1.5",
                "string": "text"}  # fmt: skip
    if param.kind not in defaults:
        instead = "a Python literal, such as 1" if param.kind == "object" else "[1000]"
        raise ArgumentError(
            f"{name}() argument {index} is {_a(param)}, for which nothing can be chosen; write its "
            f"arguments, this one for instance as {instead}"
        )
    return defaults[param.kind]


def _a(param: CType) -> str:
    return f"an '{param.text}'" if param.text[0] in "aeiou" else f"a '{param.text}'"


def _value(param: CType, text: str, place: str) -> Any:
    kind = param.kind
    try:
        if kind == "bool":
            return TRUTHS[text.lower()]
        if kind in ("signed", "unsigned"):
            return int(text, 0)
        if kind in ("float", "double"):
            return float(text)
    except (KeyError, ValueError):
        expected = {"bool": "true or false", "signed": "an integer", "unsigned": "an integer"}
        raise ArgumentError(
            f"{place}: expected {expected.get(kind, 'a number')} for {_a(param)}, found {text!r}"
        ) from None
    if kind == "object":
        return _literal(text, place)
    if text == "NULL" and kind != "buffer":
        return None
    if kind == "string":
        return text
    return _memory(param, text, place)


def _literal(text: str, place: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise ArgumentError(
            f"{place}: {text!r} is no Python literal; write one, such as 1.5 or \"'text'\""
        ) from None


def _memory(param: CType, text: str, place: str) -> Any:
    if param.kind == "address":
        kind, size = "unsigned", 1
    else:
        kind, size = param.item, param.item_size
    own = f"{ITEM_NAMES[kind]}{8 * size}" if kind in ITEM_NAMES else kind
    found = ARRAY.fullmatch(text)
    if found is not None and found[1] in ("", own):
        if int(found[2]) > MOST_ITEMS // size:
            raise ArgumentError(f"{place}: {text} is more memory than a gibibyte")
        return _items(kind, size, bytes(size * int(found[2])))
    if found is not None:
        raise ArgumentError(
            f"{place}: expected memory of {own} for {_a(param)}, found {text!r}; write {own}"
            f"[{found[2]}] or [{found[2]}]"
        )
    try:
        if param.kind == "address":
            return int(text, 0)
        if kind in ITEM_NAMES:
            convert = float if kind in ("float", "double") else lambda item: int(item, 0)
            return array(CODES[kind, size], [convert(item) for item in text.split(",")])
    except (ValueError, OverflowError):
        pass
    more = ", numbers as in 1,2,3" if param.kind != "address" else ", NULL, or an address"
    raise ArgumentError(
        f"{place}: expected memory for {_a(param)}, found {text!r}; write {own}[1000] or [1000]"
        f"{more}"
    )


def _items(kind: str, size: int, content: bytes) -> Any:
    if kind in ITEM_NAMES:
        return array(CODES[kind, size], content)
    return memoryview(bytearray(content)).cast("?" if kind == "bool" else "c")


def words(
    signature: Signature, values: Sequence[Any], keep: list[object]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The same arguments as C gets them in its registers, integers apart from other numbers.

    What the words point at is appended to ``keep``.
    """
    import struct

    ints: list[int] = []
    floats: list[float] = []
    for param, value in zip(signature.params, values, strict=True):
        if param.kind == "double":
            floats.append(float(value))
        elif param.kind == "float":
            # In the lower half of the register.
            floats.append(struct.unpack("=d", struct.pack("=fI", value, 0))[0])
        else:
            word = _word(value, param, keep) & (1 << 64) - 1
            ints.append(word - (1 << 64) if word >> 63 else word)
    return tuple(ints), tuple(floats)


def _word(value: Any, param: CType, keep: list[object]) -> int:
    import ctypes

    if param.kind == "object":
        keep.append(value)
        return id(value)
    if value is None:
        return 0
    if param.kind == "string":
        text = ctypes.create_string_buffer(value.encode())
        keep.append(text)
        return ctypes.addressof(text)
    if isinstance(value, int):
        return int(value)
    keep.append(value)
    return ctypes.addressof(ctypes.c_char.from_buffer(value)) if len(value) else 0
