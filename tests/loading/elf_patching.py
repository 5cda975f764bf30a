"""Where things are in a good ELF file, to damage them; and what opening a file leads to."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

# Opens each path it reads, each in a process of its own, and says how that process ended.
OPENER = """
import ctypes, os, sys
exit_with_finalisers = ctypes.CDLL(None).exit
silent = os.open(os.devnull, os.O_WRONLY)
for path in sys.stdin.read().split():
    child = os.fork()
    if not child:
        os.dup2(silent, 1), os.dup2(silent, 2)
        try:
            ctypes.CDLL(path, mode=os.RTLD_NOW)
        except Exception:
            os._exit(3)
        exit_with_finalisers(0)
    print(path, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def opened(paths: Iterable[str]) -> dict[str, int]:
    """How a process that opens each library ends: 0, 3 if dlopen refused, -signal."""
    done = subprocess.run(
        [sys.executable, "-c", OPENER],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
    )
    return {path: int(code) for path, code in (line.split() for line in done.stdout.splitlines())}


class Elf:
    """Just enough of a good 64-bit little-endian ELF file to know what to damage."""

    def __init__(self, path: str) -> None:
        self.data = Path(path).read_bytes()
        header = struct.unpack_from("<16sHHIQQQIHHHHHH", self.data)
        self.phoff: int = header[5]
        self.shoff: int = header[6]
        self.phnum: int = header[10]
        self.shnum, names_index = header[12], header[13]
        table = [
            struct.unpack_from("<IIQQQQIIQQ", self.data, self.shoff + 64 * i)
            for i in range(self.shnum)
        ]
        names = table[names_index][4]
        self.sections: dict[str, tuple[int, int]] = {}
        for fields in table:
            name = self.data[names + fields[0] : self.data.index(b"\0", names + fields[0])]
            if fields[1] not in (0, 8):
                self.sections[name.decode()] = (fields[4], fields[5])

    def segment(self, kind: int, nth: int = 0) -> int:
        """Where the program header of a kind is."""
        places = [self.phoff + 56 * i for i in range(self.phnum)]
        return [place for place in places if self.word(place, "<I") == kind][nth]

    def tag(self, tag: int) -> int:
        """Where the entry of the dynamic section for a tag is."""
        offset, size = self.sections[".dynamic"]
        for place in range(offset, offset + size, 16):
            if struct.unpack_from("<Q", self.data, place)[0] == tag:
                return place
        raise KeyError(tag)

    def with_word(self, offset: int, value: int, form: str = "<Q") -> bytes:
        data = bytearray(self.data)
        struct.pack_into(form, data, offset, value)
        return bytes(data)

    def word(self, offset: int, form: str = "<Q") -> int:
        return int.from_bytes(self.data[offset : offset + struct.calcsize(form)], "little")

    def without_sections(self) -> bytes:
        data = bytearray(self.data)
        data[40:48] = bytes(8)
        data[60:64] = bytes(4)
        return bytes(data)

    def structure(self) -> list[int]:
        """Every byte of the headers and of the tables that ld.so reads."""
        ranges = [(0, 64), (self.phoff, 56 * self.phnum), (self.shoff, 64 * self.shnum)]
        tables = (".dynamic", ".dynsym", ".dynstr", ".hash", ".gnu.hash", ".rela.", ".relr.")
        for name, place in self.sections.items():
            if name.startswith((*tables, ".gnu.version")):
                ranges.append(place)
        return sorted({i for offset, size in ranges for i in range(offset, offset + size)})

    def unwitnessed(self) -> set[int]:
        """Bytes that say which function is called, where nothing else in the file says so too.

        Names, types and values of symbols; symbols and addends of relocations.
        """
        found: set[int] = set()
        for name, (offset, size) in self.sections.items():
            if name == ".dynsym":
                for entry in range(offset, offset + size, 24):
                    found.update(range(entry, entry + 5), range(entry + 8, entry + 16))
            elif name.startswith(".rela."):
                for entry in range(offset, offset + size, 24):
                    found.update(range(entry + 12, entry + 24))
            elif name in (".dynstr", ".relr.dyn"):
                found.update(range(offset, offset + size))
        return found
