"""The check of a PE library (a Windows DLL) before the loader sees it.

Layout: Microsoft's "PE Format". Written from the specification, tested on made-up files and on
the libraries of Wine and MinGW: it has not run on Windows yet. No state: safe from any thread.
"""

from __future__ import annotations

from struct import Struct

from jumptable.loading import elf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from jumptable.loading.files import Reader

    Section = tuple[int, int, int, int]  # address, size in memory, offset, size in the file

__all__ = ["check", "identify"]

MACHINE_NAMES: Final = {
    0x14C: "x86",
    0x1C4: "Arm",
    0x200: "Itanium",
    0x8664: "x86-64",
    0xAA64: "AArch64",
    0xA641: "AArch64 (Arm64EC)",
}
FILE_HEADER: Final = Struct("<HHIIIHH")
SECTION: Final = Struct("<8sIIIIIIHHI")
IMPORT: Final = Struct("<IIIII")
EXPORT: Final = Struct("<IIHHI")
IMAGE_FILE_EXECUTABLE = 0x0002
IMAGE_FILE_DLL = 0x2000
# Of the optional header: up to the count of directories, by magic.
DIRECTORY_COUNT_AT: Final = {0x10B: 92, 0x20B: 108}
# Bounds what a damaged table can make this read.
MAX_IMPORTS = 65536
MAX_NAME = 1024
# The section of include/jumptable/plugin.h; eight bytes are what a name can have.
NOTES: Final = b"jmptable"


def identify(reader: Reader) -> str:
    """The machine that a file is for; raises PluginFormatError if it is no PE file."""
    return _machine_name(_file_header(reader)[1][0])


def check(reader: Reader) -> tuple[str, tuple[str, ...], bool, str | None, bytes, bool]:
    """What `files.LibraryFile` says of a whole DLL for this machine, from its machine on.

    Debug information is not looked for: Microsoft's is in a file of its own, and no DWARF.

    Raises PluginFormatError for a truncated or damaged file or one that is no DLL,
    PluginArchError for another machine's.
    """
    start, header = _file_header(reader)
    machine, section_count, _, _, _, optional_size, characteristics = header
    # Arm64EC code runs in processes of x86-64.
    if _machine_name(machine) != elf.MACHINE:
        raise reader.foreign(_machine_name(machine), elf.MACHINE)
    if not characteristics & IMAGE_FILE_EXECUTABLE:
        raise reader.unfit("not completely linked; link it again, without errors")
    if not characteristics & IMAGE_FILE_DLL:
        raise reader.unfit("an executable, not a library; link it with /DLL or -shared")
    optional = reader.read(start + 20, optional_size, "optional header ends")
    directories = _directories(reader, optional)
    table_start = start + 20 + optional_size
    table = reader.read(table_start, section_count * SECTION.size, "section table ends")
    sections: list[Section] = []
    notes: list[tuple[int, int]] = []
    for name, size, address, file_size, offset, *_ in SECTION.iter_unpack(table):
        if offset and file_size:
            reader.require(offset, file_size, "sections end")
            if name == NOTES:
                notes.append((offset, file_size))
        sections.append((address, size or file_size, offset, file_size if offset else 0))
    needed = _imports(reader, sections, directories)
    uses_python = any(name.lower().startswith(("python", "libpython")) for name in needed)
    name = _export_name(reader, sections, directories)
    return elf.MACHINE, needed, uses_python, name, reader.notes(notes), False


def _machine_name(machine: int) -> str:
    return MACHINE_NAMES.get(machine, f"PE machine {machine:#x}")


def _file_header(reader: Reader) -> tuple[int, tuple[int, ...]]:
    """Where the COFF header is, and its fields."""
    start = int.from_bytes(reader.read(60, 4, "DOS header ends"), "little")
    if reader.read(start, 4, "PE signature ends") != b"PE\0\0":
        raise reader.unfit("a DOS program, not a library; give the path of the DLL")
    return start + 4, FILE_HEADER.unpack(reader.read(start + 4, 20, "COFF header ends"))


def _directories(reader: Reader, optional: bytes) -> list[tuple[int, int]]:
    """Address and size of each data directory."""
    position = DIRECTORY_COUNT_AT.get(int.from_bytes(optional[:2], "little"))
    if position is None or len(optional) < position + 4:
        raise reader.damaged(f"its optional header of {len(optional)} bytes is of no known kind")
    count = int.from_bytes(optional[position : position + 4], "little")
    if count > (len(optional) - position - 4) // 8:
        raise reader.damaged(f"its optional header has no room for {count} directories")
    return [
        (
            int.from_bytes(optional[at : at + 4], "little"),
            int.from_bytes(optional[at + 4 : at + 8], "little"),
        )
        for at in range(position + 4, position + 4 + 8 * count, 8)
    ]


def _offset_of(reader: Reader, sections: list[Section], address: int, size: int) -> int:
    for start, _, offset, file_size in sections:
        if start <= address and address + size <= start + file_size:
            return offset + address - start
    raise reader.damaged(f"its table at address {address:#x} lies in no section")


def _imports(
    reader: Reader, sections: list[Section], directories: list[tuple[int, int]]
) -> tuple[str, ...]:
    if len(directories) < 2 or not directories[1][0]:
        return ()
    address = directories[1][0]
    needed: list[str] = []
    for index in range(MAX_IMPORTS):
        offset = _offset_of(reader, sections, address + index * IMPORT.size, IMPORT.size)
        entry = IMPORT.unpack(reader.read(offset, IMPORT.size, "imports end"))
        if not entry[3]:
            return tuple(needed)
        needed.append(_name(reader, sections, entry[3]))
    raise reader.damaged("its list of imports has no end")


def _export_name(
    reader: Reader, sections: list[Section], directories: list[tuple[int, int]]
) -> str | None:
    if not directories or not directories[0][0]:
        return None
    offset = _offset_of(reader, sections, directories[0][0], EXPORT.size)
    name: int = EXPORT.unpack(reader.read(offset, EXPORT.size, "exports end"))[4]
    return _name(reader, sections, name) if name else None


def _name(reader: Reader, sections: list[Section], address: int) -> str:
    offset = _offset_of(reader, sections, address, 1)
    data = reader.read(offset, min(MAX_NAME, reader.size - offset), "names end")
    name, end, _ = data.partition(b"\0")
    if not end:
        raise reader.damaged(f"the name at address {address:#x} has no end")
    return name.decode("utf-8", "replace")
