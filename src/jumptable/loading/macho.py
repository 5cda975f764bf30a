"""The check of a Mach-O library (macOS), single or universal, before dyld sees it.

Layout: ``<mach-o/loader.h>`` and ``<mach-o/fat.h>``. Written from the specification, tested on
made-up files and on what LLVM's linker makes: it has not run on macOS yet. No state: safe from
any thread.
"""

from __future__ import annotations

import os
from struct import Struct

from jumptable.loading import elf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from jumptable.loading.files import Reader

    Slice = tuple[int, int, int]  # CPU type, offset, size

__all__ = ["check", "identify"]

CPU_NAMES: Final = {
    7: "x86",
    12: "Arm",
    18: "PowerPC",
    0x01000007: "x86-64",
    0x0100000C: "AArch64",
    0x01000012: "PowerPC64",
    0x0200000C: "AArch64 (32-bit pointers)",
}
FILE_TYPES: Final = {
    1: "an object file, not a library; link it with -dynamiclib",
    2: "an executable, not a library; link it with -dynamiclib or -bundle",
    4: "a core dump, not a library; give the path of the library",
    10: "debug symbols (.dSYM), not a library; give the path of the library",
}
MH_DYLIB, MH_BUNDLE = 6, 8
LC_REQ_DYLD = 0x80000000
LC_SEGMENT, LC_SYMTAB, LC_SEGMENT_64 = 0x1, 0x2, 0x19
LC_LOAD_DYLIB, LC_ID_DYLIB = 0xC, 0xD
LOADS: Final = (LC_LOAD_DYLIB, LC_REQ_DYLD | 0x18, LC_REQ_DYLD | 0x1F, LC_REQ_DYLD | 0x23)
# Signature, split info, function starts, data in code, code directory, hints, and the two
# tables of newer linkers: each is an offset and a size in the file.
LINKEDIT_DATA: Final = (
    0x1D,
    0x1E,
    0x26,
    0x29,
    0x2B,
    0x2E,
    LC_REQ_DYLD | 0x33,
    LC_REQ_DYLD | 0x34,
)
DYLD_INFO: Final = (0x22, LC_REQ_DYLD | 0x22)
ZERO_FILL: Final = (0x1, 0xC, 0x12)  # section types without bytes in the file
N_STAB, N_TYPE, N_UNDF = 0xE0, 0x0E, 0x0
MAX_SLICES = 64
# A section's name takes 16 bytes, and its segment's follows: include/jumptable/plugin.h.
NOTES: Final = b"__jumptable".ljust(16, b"\0") + b"__TEXT"


def identify(reader: Reader) -> str:
    """The machines that a file is for; raises PluginFormatError if it is cut off before that."""
    return " and ".join([_cpu_name(cpu) for cpu, _, _ in _slices(reader)])


def check(reader: Reader) -> tuple[str, tuple[str, ...], bool, str | None, bytes, bool]:
    """What `files.LibraryFile` says of a whole library for this machine, from its machine on.

    DWARF is not in a library of macOS, but in the object files or the .dSYM next to it.

    Raises PluginFormatError for a truncated or damaged file or one that is no library,
    PluginArchError if it has no part for this machine.
    """
    slices = _slices(reader)
    for cpu, start, size in slices:
        if _cpu_name(cpu) == elf.MACHINE:
            return elf.MACHINE, *_check_slice(reader, start, size), False
    raise reader.foreign(" and ".join([_cpu_name(cpu) for cpu, _, _ in slices]), elf.MACHINE)


def _cpu_name(cpu: int) -> str:
    return CPU_NAMES.get(cpu, f"CPU type {cpu}")


def _slices(reader: Reader) -> list[Slice]:
    """CPU type, offset and size of each part; a file that is not universal has one."""
    magic = reader.read(0, 4, "Mach-O header ends")
    if magic in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"):
        return _fat_slices(reader, wide=magic[3] == 0xBF)
    order = _order(magic)
    cpu = Struct(order + "I").unpack(reader.read(4, 4, "Mach-O header ends"))[0]
    return [(cpu, 0, reader.size)]


def _fat_slices(reader: Reader, wide: bool) -> list[Slice]:
    layout = Struct(">IIQQII" if wide else ">IIIII")
    count = int.from_bytes(reader.read(4, 4, "universal header ends"), "big")
    # A Java class file has the same magic, and its version where the count is.
    if not 0 < count < MAX_SLICES:
        raise reader.damaged(f"its universal header counts {count} machines")
    table = reader.read(8, count * layout.size, "universal header ends")
    slices = []
    for cpu, _, start, size, *_ in layout.iter_unpack(table):
        reader.require(start, size, f"part for {_cpu_name(cpu)} ends")
        slices.append((cpu, start, size))
    return slices


def _order(magic: bytes) -> str:
    return "<" if magic[3] == 0xFE else ">"


def _check_slice(
    reader: Reader, start: int, size: int
) -> tuple[tuple[str, ...], bool, str | None, bytes]:
    """What the library needs, whether it uses Python, its own name, and its notes."""
    magic = reader.read(start, 4, "Mach-O header ends")
    if magic[1:3] not in (b"\xed\xfa", b"\xfa\xed"):
        raise reader.damaged("its part for this machine is no Mach-O file")
    order, wide = _order(magic), 0xCF in magic
    header = Struct(order + "IIIIIII").unpack(reader.read(start, 28, "Mach-O header ends"))
    kind, count, commands_size = header[3:6]
    if kind not in (MH_DYLIB, MH_BUNDLE):
        raise reader.unfit(FILE_TYPES.get(kind, f"a Mach-O file of type {kind}, not a library"))
    commands = reader.read(start + (32 if wide else 28), commands_size, "load commands end")
    needed: list[str] = []
    notes: list[tuple[int, int]] = []
    soname, uses_python, offset = None, False, 0
    pair = Struct(order + "II")
    for index in range(count):
        # Each command takes eight bytes at least, so this ends with the commands at the latest.
        if offset + 8 > len(commands):
            raise reader.damaged(f"its {count} load commands leave their {commands_size} bytes")
        command, length = pair.unpack_from(commands, offset)
        if length < 8 or offset + length > len(commands):
            raise reader.damaged(f"its load command {index} takes {length} bytes")
        body = commands[offset : offset + length]
        offset += length
        if command in (LC_SEGMENT, LC_SEGMENT_64):
            notes += _check_segment(reader, body, order, command == LC_SEGMENT_64, start, size)
        elif command in LOADS:
            needed.append(_string(reader, body, order))
        elif command == LC_ID_DYLIB:
            soname = _string(reader, body, order)
        elif command == LC_SYMTAB:
            uses_python = _check_symbols(reader, body, order, wide, start, size)
        elif command in LINKEDIT_DATA:
            _check_ranges(reader, _fields(reader, body, order, 2), start, size)
        elif command in DYLD_INFO:
            _check_ranges(reader, _fields(reader, body, order, 10), start, size)
    return tuple(needed), uses_python, soname, reader.notes(notes)


def _fields(reader: Reader, body: bytes, order: str, count: int) -> tuple[int, ...]:
    """The first ``count`` words after a load command's own two."""
    if len(body) < 8 + 4 * count:
        raise reader.damaged(f"one of its load commands has {len(body)} bytes, too few")
    return Struct(f"{order}{count}I").unpack_from(body, 8)


def _check_ranges(reader: Reader, pairs: tuple[int, ...], start: int, size: int) -> None:
    """Each pair of an offset and a size must lie in the part."""
    for offset, length in zip(pairs[::2], pairs[1::2], strict=True):
        if length:
            _require(reader, start, size, offset, length, "tables end")


def _require(reader: Reader, start: int, size: int, offset: int, length: int, what: str) -> None:
    reader.require(start + offset, length, what)
    if offset + length > size:
        raise reader.damaged(f"its {what} at byte {offset + length} of {size}")


def _check_segment(
    reader: Reader, body: bytes, order: str, wide: bool, start: int, size: int
) -> list[tuple[int, int]]:
    """Offset and size of the segment's own notes."""
    layout = Struct(order + ("16sQQQQIIII" if wide else "16sIIIIIIII"))
    section = Struct(order + ("32sQQIIIIIIII" if wide else "32sIIIIIIIII"))
    if len(body) < 8 + layout.size:
        raise reader.damaged("one of its segment commands is too short")
    _, _, memory_size, offset, file_size, _, _, count, _ = layout.unpack_from(body, 8)
    if file_size > memory_size:
        raise reader.damaged("one of its segments is larger in the file than in memory")
    _require(reader, start, size, offset, file_size, "segments end")
    if len(body) < 8 + layout.size + count * section.size:
        raise reader.damaged(f"one of its segment commands has no room for {count} sections")
    notes: list[tuple[int, int]] = []
    for index in range(count):
        fields = section.unpack_from(body, 8 + layout.size + index * section.size)
        if fields[7] & 0xFF not in ZERO_FILL:
            _require(reader, start, size, fields[3], fields[2], "sections end")
            if fields[0].rstrip(b"\0") == NOTES:
                notes.append((start + fields[3], fields[2]))
    return notes


def _check_symbols(
    reader: Reader, body: bytes, order: str, wide: bool, start: int, size: int
) -> bool:
    """Whether the library takes symbols of Python's from elsewhere."""
    offset, count, strings_offset, strings_size = _fields(reader, body, order, 4)
    layout = Struct(order + ("IBBHQ" if wide else "IBBHI"))
    _require(reader, start, size, offset, count * layout.size, "symbols end")
    _require(reader, start, size, strings_offset, strings_size, "symbol names end")
    strings = reader.read(start + strings_offset, strings_size, "symbol names end")
    table = reader.read(start + offset, count * layout.size, "symbols end")
    uses_python = False
    for name, kind, _, _, _ in layout.iter_unpack(table):
        if name >= max(strings_size, 1):
            raise reader.damaged("the name of a symbol lies outside its names")
        # C's own underscore comes first.
        if not kind & N_STAB and kind & N_TYPE == N_UNDF:
            uses_python = uses_python or strings.startswith((b"_Py", b"__Py"), name)
    return uses_python


def _string(reader: Reader, body: bytes, order: str) -> str:
    """The path in a command that names a library."""
    offset = _fields(reader, body, order, 1)[0]
    if not 12 <= offset < len(body):
        raise reader.damaged("the name of a library lies outside its load command")
    return os.fsdecode(body[offset:].split(b"\0")[0])
