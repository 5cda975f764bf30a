"""Signatures from a library's debug information (DWARF), read with pyelftools.

Invariants
- Whatever is wrong with the debug information is a reason in a `Described`, never an exception:
  a library with damaged ones works like one without.
- pyelftools seeks in streams that all look-ups share: ``lock`` is held while it is at work. What
  was found is in ``known``, a dictionary that only grows, and is read without the lock. A forked
  child starts anew, with another _Reading, because the thread that held the lock may not have been
  forked; if two of its threads do so at once, each finds the same in its own. ``reader`` is the
  thread that holds the lock: what an import or a finaliser looks up meanwhile must not wait.
- Reading ends: entries are walked forwards only, and counted.
"""

from __future__ import annotations

import _thread
import os

from ..binding.signatures import Signature, parse
from .debugtypes import Unsupported, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE
    from elftools.dwarf.dwarfinfo import DWARFInfo

    from ..binding.signatures import CType
    from .files import LibraryFile

    # Where the functions' entries are, by the address of the code; and why some are missing.
    Entries = tuple[dict[int, list[int]], str]

__all__ = ["DebugInfo", "Described"]

# Of one file and one compile unit, in bytes and entries; beyond them it would take many seconds.
MAX_SIZE: Final = 1 << 28
MAX_ENTRIES: Final = 100_000
SIZE_OF_INT: Final = 4
# DWARF 5, section 7.15: those of C, and of a main program.
USUAL_CONVENTIONS: Final = (1, 2)
# C, C++, then Objective-C, Rust and Zig, by DWARF's numbers for languages and their versions.
# Others hide that arguments are passed by reference (Fortran), or have no types (assembler).
C_ITSELF: Final = (0x01, 0x02, 0x0C, 0x1D, 0x2C, 0x3E)
C_LANGUAGES: Final = frozenset(
    (
        *C_ITSELF,
        *(0x04, 0x1A, 0x21, 0x2A, 0x2B, 0x3A),
        *(0x10, 0x11, 0x1C, 0x27),
    )
)


class Described:
    """What the debug information says of a function: a signature, or why it gives none.

    With both, the signature is right, and says too little to make a function from.

    ``loose`` says of each type, the result's first, whether it is an enumeration, which C's own
    rules let be signed or unsigned.
    """

    __slots__ = ("loose", "problem", "signature")

    def __init__(
        self, signature: Signature | None, loose: tuple[bool, ...] = (), problem: str = ""
    ) -> None:
        self.signature = signature
        self.loose = loose
        self.problem = problem

    @property
    def text(self) -> str:
        return self.signature.text if self.signature else ""

    def agrees(self, wanted: Signature) -> bool:
        """Whether a signature is the function's own, as far as its caller could know."""
        own = self.signature
        if own is None or len(own.params) != len(wanted.params):
            return False
        pairs = zip(
            (own.result, *own.params), (wanted.result, *wanted.params), self.loose, strict=True
        )
        return all(_fits(one, other, loose) for one, other, loose in pairs)


def _fits(own: CType, wanted: CType, loose: bool) -> bool:
    if own.machine == wanted.machine:
        return True
    if loose:
        return wanted.kind in ("signed", "unsigned") and wanted.size == own.size
    kinds = (own.kind, wanted.kind)
    if not all(kind in ("string", "address", "buffer", "object") for kind in kinds):
        return False
    # A void * is any pointer in C, and text is passed as signed, unsigned and plain char.
    return "address" in kinds or own.item_size == wanted.item_size == 1


class DebugInfo:
    """The debug information of one library; nothing is read before the first look-up."""

    __slots__ = ("file", "known", "reading")

    def __init__(self, file: LibraryFile) -> None:
        self.file = file
        self.known: dict[tuple[str, int], Described] = {}
        self.reading = _Reading(file)

    def describe(self, name: str, address: int) -> Described:
        """What a function is, by its symbol and its address in the file."""
        found = self.known.get((name, address))
        if found is None:
            reading = self.reading
            if reading.process != os.getpid():
                reading = self.reading = _Reading(self.file)
            thread = _thread.get_ident()
            if reading.reader == thread:
                return Described(None, problem="its debug information is being read")
            with reading.lock:
                reading.reader = thread
                try:
                    found = reading.describe(name, address)
                finally:
                    reading.reader = 0
            found = self.known.setdefault((name, address), found)
        return found


class _Reading:
    """What pyelftools has read of a file for one process."""

    __slots__ = ("dwarf", "file", "lock", "process", "reader", "units", "whereabouts")

    def __init__(self, file: LibraryFile) -> None:
        self.file = file
        self.lock = _thread.allocate_lock()
        self.process = os.getpid()
        self.reader = 0
        self.dwarf: DWARFInfo | str | None = None  # a str says why there is none
        self.units: dict[int, Entries] = {}
        self.whereabouts: _Whereabouts | None = None

    def describe(self, name: str, address: int) -> Described:
        """With the lock held."""
        if self.dwarf is None:
            self.dwarf = self._open()
        if isinstance(self.dwarf, str):
            return Described(None, problem=self.dwarf)
        problem = ""
        try:
            if self.whereabouts is None:
                self.whereabouts = _Whereabouts(self.dwarf)
            for unit in self.whereabouts.units_at(address):
                functions, problem = self._functions(unit)
                for offset in functions.get(address, ()):
                    entry = unit.get_DIE_from_refaddr(offset)
                    if name in _names(entry):
                        return _described(entry, self.file.uses_python)
        except Unsupported as error:
            return Described(None, problem=f"in its debug information, {error}")
        except Exception as error:  # pyelftools raises whatever damaged numbers lead to
            return Described(None, problem=_unreadable(error))
        return Described(None, problem=problem or "its debug information does not describe it")

    def _open(self) -> DWARFInfo | str:
        try:
            from elftools.elf.elffile import ELFFile
        except ImportError:
            return (
                "it has debug information, which would tell; to let jumptable read it, "
                "pip install pyelftools"
            )
        try:
            # Non-blocking: it may have become a FIFO since.
            descriptor = os.open(self.file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                status = os.fstat(stream.fileno())
                now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
                file = self.file
                if now != (file.device, file.inode, file.size, file.mtime_ns):
                    return "its file was changed since it was loaded"
                elf = ELFFile(stream)
                sections = [s for s in elf.iter_sections() if "debug_" in s.name]
                # What these are when decompressed, pyelftools finds out by doing it, to any size.
                if any(s.name.startswith(".zdebug_") for s in sections):
                    return "its debug information is compressed as before 2015; build it with -gz"
                if sum(s.data_size for s in sections) > MAX_SIZE:
                    return "its debug information is too large to be searched"
                return elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
        except Exception as error:
            return _unreadable(error)

    def _functions(self, unit: CompileUnit) -> Entries:
        """The functions of a unit that have code: all, or those before what cannot be read."""
        entries = self.units.get(unit.cu_offset)
        if entries is None:
            found: dict[int, list[int]] = {}
            problem = ""
            try:
                for entry, _ in _walk(unit.get_top_DIE()):
                    if entry.tag == "DW_TAG_subprogram":
                        for start, _ in _Extent(entry).ranges:
                            found.setdefault(start, []).append(entry.offset)
            except Unsupported as error:
                problem = f"in its debug information, {error}"
            except Exception as error:
                problem = _unreadable(error)
            entries = self.units[unit.cu_offset] = (found, problem)
        return entries


class _Whereabouts:
    """Which compile unit an address belongs to."""

    def __init__(self, dwarf: DWARFInfo) -> None:
        self.dwarf = dwarf
        self.table = dwarf.get_aranges()
        self.extents: list[tuple[_Extent, CompileUnit]] = []
        self.is_complete = False

    def units_at(self, address: int) -> list[CompileUnit]:
        """By the table made for it, or else, since not all compilers make one, by each unit."""
        offset = self.table.cu_offset_at_addr(address) if self.table else None
        if offset is not None:
            return [self.dwarf.get_CU_at(offset)]
        if not self.is_complete:
            self.is_complete = True  # or as good as it gets: what is damaged stays so
            self._read_extents()
        return [unit for extent, unit in self.extents if address in extent]

    def _read_extents(self) -> None:
        for count, unit in enumerate(self.dwarf.iter_CUs()):
            if count > MAX_ENTRIES:
                raise Unsupported("there are too many compile units")
            top = unit.get_top_DIE()
            if top.tag == "DW_TAG_compile_unit":
                self.extents.append((_Extent(top), unit))


def _unreadable(error: Exception) -> str:
    detail = " ".join(str(error).split())[:80]
    return f"its debug information cannot be read: {type(error).__name__}: {detail}"


class _Extent:
    """The addresses of an entry's code."""

    def __init__(self, entry: DIE) -> None:
        self.ranges: list[tuple[int, int]] = []
        attributes = entry.attributes
        low, high = attributes.get("DW_AT_low_pc"), attributes.get("DW_AT_high_pc")
        if "DW_AT_ranges" in attributes:
            self._read_ranges(entry, attributes["DW_AT_ranges"])
        elif low is not None:
            end = high.value if high is not None else 1
            # Before DWARF 4 it was an address, and it may still be one.
            if high is None or high.form not in ("DW_FORM_addr", "DW_FORM_addrx"):
                end += low.value
            self.ranges.append((low.value, end))

    def _read_ranges(self, entry: DIE, attribute: Any) -> None:
        lists: Any = entry.dwarfinfo.range_lists()
        if lists is None:
            return
        offset = attribute.value
        top = entry.cu.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = top.value if top is not None else 0
        for item in lists.get_range_list_at_offset(offset, entry.cu):
            if hasattr(item, "base_address"):
                base = item.base_address
            else:
                shift = 0 if item.is_absolute else base
                self.ranges.append((item.begin_offset + shift, item.end_offset + shift))

    def __contains__(self, address: int) -> bool:
        return any(start <= address < end for start, end in self.ranges)


def _walk(top: DIE) -> Iterator[tuple[DIE, int]]:
    """The entries under one, and how deep; blocks of code and types are passed over if possible."""
    from elftools.dwarf.die import DIE

    unit, offset, depth = top.cu, top.offset + top.size, 1
    end = unit.cu_offset + unit.size
    if not top.has_children:
        return
    for _ in range(MAX_ENTRIES):
        if offset >= end:
            return
        entry = DIE(cu=unit, stream=top.stream, offset=offset)
        offset += entry.size
        if entry.is_null():
            depth -= 1
            if depth == 0:
                return
            continue
        yield entry, depth
        if entry.has_children:
            sibling = entry.attributes.get("DW_AT_sibling")
            after = unit.cu_offset + sibling.raw_value if sibling is not None else 0
            if entry.tag != "DW_TAG_namespace" and after > offset:
                offset = after
            else:
                depth += 1
    raise Unsupported("there is more than can be searched")


def _origins(entry: DIE) -> list[DIE]:
    """The entry, and those that it is an instance or the definition of."""
    found = [entry]
    for _ in range(8):  # compilers need two or three
        for link in ("DW_AT_abstract_origin", "DW_AT_specification"):
            if link in found[-1].attributes:
                found.append(found[-1].get_DIE_from_attribute(link))
                break
        else:
            return found
    raise Unsupported("it leads in a circle")


def _attribute(entry: DIE, name: str) -> DIE | None:
    """The entry that holds an attribute: this one, or one of its origins."""
    return next((origin for origin in _origins(entry) if name in origin.attributes), None)


def _names(entry: DIE) -> set[str]:
    names = ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name", "DW_AT_name")
    return {
        origin.attributes[name].value.decode("utf-8", "replace")
        for origin in _origins(entry)
        for name in names
        if name in origin.attributes
    }


def _described(function: DIE, uses_python: bool) -> Described:
    """The signature of a function's entry; raises `Unsupported` where the notation has none."""
    language = function.cu.get_top_DIE().attributes.get("DW_AT_language")
    if language is None or language.value not in C_LANGUAGES:
        raise Unsupported("it is written in a language whose types say too little of a call")
    name = "DW_AT_calling_convention"
    holder = _attribute(function, name)
    if holder is not None and holder.attributes[name].value not in USUAL_CONVENTIONS:
        raise Unsupported("it is not called as C calls functions")
    holders: list[tuple[DIE | None, str]] = [(_attribute(function, "DW_AT_type"), "its result")]
    # An instance may lack the parameters that an optimiser has removed, its origin does not.
    whole = function
    while "DW_AT_abstract_origin" in whole.attributes and len(_origins(whole)) > 1:
        whole = whole.get_DIE_from_attribute("DW_AT_abstract_origin")
    for entry, depth in _walk(whole):
        if depth > 1:
            continue
        if entry.tag == "DW_TAG_unspecified_parameters":
            raise Unsupported("it is variadic; export a function with fixed arguments")
        if entry.tag == "DW_TAG_GNU_formal_parameter_pack":
            raise Unsupported("it has a parameter pack")
        if entry.tag == "DW_TAG_formal_parameter":
            which = f"its argument {len(holders)}"
            holder = _attribute(entry, "DW_AT_type")
            if holder is None:
                raise Unsupported(f"{which} has no type")
            holders.append((holder, which))
    texts, loose = [], []
    for holder, which in holders:
        text, is_enum = spell(holder, which, uses_python)
        texts.append(text)
        loose.append(is_enum)
    signature = parse(f"{texts[0]}({', '.join(texts[1:])})")
    if not isinstance(signature, Signature):
        raise Unsupported("it is no function")
    if language.value in C_ITSELF and _attribute(function, "DW_AT_prototyped") is None:
        _require_unpromoted(signature)
    problem = ""
    if signature.result.kind == "object":
        problem = (
            "its debug information does not say whether the object that it returns is a new "
            "reference, which 'object' stands for"
        )
    return Described(signature, tuple(loose), problem)


def _require_unpromoted(signature: Signature) -> None:
    """C passes a float as double, and small integers as int, to what has no prototype."""
    for param in signature.params:
        if param.kind == "float" or (
            param.kind in ("bool", "signed", "unsigned") and param.size < SIZE_OF_INT
        ):
            raise Unsupported(f"it is defined without a prototype, and takes a {param.text}")
