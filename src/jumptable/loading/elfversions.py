"""The symbol versions that an ELF file needs and defines, as glibc reads them.

Layout: Linux Standard Base, "Symbol Versioning"; ``elf/dl-version.c``. A library has a few
dozen at most, so this is plain Python. No state: safe from any thread.
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from jumptable.loading.elfimage import Image

DT_VERDEF: Final = 0x6FFFFFFC
DT_VERNEED: Final = 0x6FFFFFFE
VERSION_INDEX: Final = 0x7FFF
# Far beyond any real table; without it, a damaged one could be as long as the file.
MAX_SIZE: Final = 1 << 18

NEED: Final = Struct("=HHIII")
NEED_PART: Final = Struct("=IHHII")
DEFINITION: Final = Struct("=HHHHIII")
DEFINITION_PART: Final = Struct("=II")


def check_versions(
    image: Image, tags: dict[int, int], strings: bytes, needed: tuple[bytes, ...]
) -> int:
    """The greatest version index; raises PluginFormatError for a table that misleads ld.so."""
    greatest = parts = 0
    if DT_VERNEED in tags:
        what = "needed versions"
        window = image.window(tags[DT_VERNEED], MAX_SIZE)
        for offset, entry in _walk(image, window, what, NEED, 0):
            version, _, file, first, _ = entry
            if version != 1:
                raise image.reader.damaged(f"its {what} are of revision {version}, expected 1")
            _check_file(image, _name(image, strings, file), needed)
            for _, part in _walk(image, window, what, NEED_PART, offset + first):
                parts += 1
                if parts > len(window) // NEED_PART.size:
                    raise image.reader.damaged(f"its {what} overlap")
                hashed, _, index, name, _ = part
                _check_hash(image, _name(image, strings, name), hashed)
                greatest = max(greatest, index & VERSION_INDEX)
    if DT_VERDEF in tags:
        what = "version definitions"
        window = image.window(tags[DT_VERDEF], MAX_SIZE)
        for offset, entry in _walk(image, window, what, DEFINITION, 0):
            version, _, index, _, hashed, first, _ = entry
            if version != 1:
                raise image.reader.damaged(f"its {what} are of revision {version}, expected 1")
            # The parts after the first name the definition's parents, which nobody looks up.
            _, part = next(_walk(image, window, what, DEFINITION_PART, offset + first))
            _check_hash(image, _name(image, strings, part[0]), hashed)
            greatest = max(greatest, index & VERSION_INDEX)
    return greatest


def _walk(
    image: Image, window: bytes, what: str, layout: Struct, offset: int
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Each entry of a chain; the last field of each is the distance to the next, or 0."""
    while True:
        if offset + layout.size > len(window):
            raise image.reader.damaged(f"its {what} lead out of their table")
        entry = layout.unpack_from(window, offset)
        yield offset, entry
        if not entry[-1]:
            return
        if entry[-1] < layout.size:
            raise image.reader.damaged(f"its {what} overlap")
        offset += entry[-1]


def _name(image: Image, strings: bytes, offset: int) -> bytes:
    if offset >= len(strings):
        raise image.reader.damaged("the name of a symbol version lies outside the names")
    return strings[offset : strings.index(b"\0", offset)]


def _check_hash(image: Image, name: bytes, expected: int) -> None:
    hashed = 0
    for byte in name:
        hashed = (hashed << 4) + byte
        hashed = (hashed ^ (hashed >> 24 & 0xF0)) & 0x0FFFFFFF
    if hashed != expected:
        raise image.reader.damaged(f"the symbol version {name.decode('latin-1')!r} is misspelt")


def _check_file(image: Image, name: bytes, needed: tuple[bytes, ...]) -> None:
    """glibc asserts that the library of a needed version is loaded; the process ends if not.

    A tool may have removed the library from the list, so that another one must load it; only
    a name that no library can have is surely wrong.
    """
    if name in needed:
        return
    if b".so" not in name or any(library.endswith(name) for library in needed):
        shown = name.decode("latin-1")
        raise image.reader.damaged(f"it needs versions of {shown!r}, which it does not link to")
