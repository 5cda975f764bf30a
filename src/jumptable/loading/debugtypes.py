"""The types of debug information (DWARF), as the notation of `binding.signatures` spells them."""

from __future__ import annotations

from ..binding.plan import NUMBERS
from ..binding.signatures import INTEGER_WORDS, parse_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from elftools.dwarf.die import DIE

__all__ = ["Unsupported", "spell"]

QUALIFIERS: Final = frozenset(
    {
        "DW_TAG_atomic_type",
        "DW_TAG_const_type",
        "DW_TAG_immutable_type",
        "DW_TAG_packed_type",
        "DW_TAG_restrict_type",
        "DW_TAG_shared_type",
        "DW_TAG_volatile_type",
    }
)
POINTERS: Final = frozenset(
    {"DW_TAG_pointer_type", "DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"}
)
BY_VALUE: Final = {
    "DW_TAG_structure_type": "a struct",
    "DW_TAG_class_type": "a class",
    "DW_TAG_union_type": "a union",
    "DW_TAG_array_type": "an array",
}
# Encodings of base types, DWARF 5 section 7.8, by what they are here.
BOOLEAN, FLOAT, SIGNED, UNSIGNED = 0x02, 0x04, (0x05, 0x06, 0x0D), (0x07, 0x08, 0x0E, 0x10)
SIZES: Final = (1, 2, 4, 8)
LONGEST_CHAIN = 64


class Unsupported(Exception):
    """What the debug information says cannot be said in a signature; the message is why."""


def spell(holder: DIE | None, which: str, uses_python: bool) -> tuple[str, bool]:
    """The type that an entry's ``DW_AT_type`` leads to, and whether it is an enumeration.

    No holder means void. ``which`` names the type in the message of `Unsupported`. Only where the
    library uses Python is a ``struct _object`` one of Python's.
    """
    chain = _Chain(holder)
    tag = chain.end.tag if chain.end is not None else ""
    if chain.end is None:
        return "void", False
    if tag in POINTERS:
        return _pointer(chain.end, uses_python), False
    if tag in BY_VALUE:
        raise Unsupported(f"{which} is {BY_VALUE[tag]}, passed by value; pass its address instead")
    text = chain.number()
    if not text:
        raise Unsupported(f"{which} is of type {chain.name!r}, which has no Python counterpart")
    return text, chain.is_enum


class _Chain:
    """The end of a chain of typedefs and qualifiers, and what was met on the way."""

    def __init__(self, holder: DIE | None) -> None:
        self.names: list[str] = []
        self.constant = False
        self.is_enum = False
        self.end: DIE | None = None
        for _ in range(LONGEST_CHAIN):
            if holder is None or "DW_AT_type" not in holder.attributes:
                self.end = None
                return
            found = holder.get_DIE_from_attribute("DW_AT_type")
            self.constant = self.constant or found.tag == "DW_TAG_const_type"
            if found.tag not in QUALIFIERS and "DW_AT_name" in found.attributes:
                self.names.append(_name(found))
            passed = found.tag in QUALIFIERS or found.tag == "DW_TAG_typedef"
            if found.tag == "DW_TAG_enumeration_type":
                self.is_enum = True
                passed = "DW_AT_type" in found.attributes
            if not passed:
                self.end = found
                return
            holder = found
        raise Unsupported("a type leads in a circle")

    @property
    def name(self) -> str:
        return self.names[-1] if self.names else "?"

    def number(self) -> str:
        """The name of the number type at the end, as the programmer wrote it if that is known."""
        end = self.end
        if end is None or "DW_AT_byte_size" not in end.attributes:
            return ""
        size = end.attributes["DW_AT_byte_size"].value
        if end.tag == "DW_TAG_enumeration_type":
            return f"int{8 * size}_t" if size in SIZES else ""
        if end.tag != "DW_TAG_base_type" or "DW_AT_encoding" not in end.attributes:
            return ""
        exact = _exact(end.attributes["DW_AT_encoding"].value, size)
        if not exact:
            return ""
        for name in self.names:
            if name in NUMBERS or INTEGER_WORDS.issuperset(name.split()):
                known = parse_type(name)
                if known.machine == NUMBERS[exact]:
                    return known.text
        return exact


def _exact(encoding: int, size: int) -> str:
    """The number type of a base type's encoding and size; empty if there is none."""
    if encoding == FLOAT:
        return {4: "float", 8: "double"}.get(size, "")
    if size not in SIZES:
        return ""
    if encoding == BOOLEAN:
        return "bool" if size == 1 else f"uint{8 * size}_t"
    if encoding in SIGNED:
        return f"int{8 * size}_t"
    return f"uint{8 * size}_t" if encoding in UNSIGNED else ""


def _pointer(pointer: DIE, uses_python: bool) -> str:
    """A pointer; what it points to matters only if it is a number, or one of Python's objects."""
    target = _Chain(pointer)
    is_struct = target.end is not None and target.end.tag == "DW_TAG_structure_type"
    if uses_python and is_struct and not {"PyObject", "_object"}.isdisjoint(target.names):
        return "object"
    # Rust has the qualifier in the pointer's own name.
    constant = target.constant or _name(pointer).startswith("*const ")
    item = "" if target.is_enum else target.number()
    return f"{'const ' if constant else ''}{item or 'void'} *"


def _name(entry: DIE) -> str:
    attribute = entry.attributes.get("DW_AT_name")
    return attribute.value.decode("utf-8", "replace") if attribute is not None else ""
