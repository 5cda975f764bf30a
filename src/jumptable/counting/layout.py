"""The bytes of a file of shared counters, which `sharedfile` maps.

Numbers are unsigned and in the machine's byte order; the file is for processes of one machine.

    offset 0    char[8]  89 "JTCNT" CR LF: a file that was copied as text no longer begins so
           8    uint32   VERSION
          12    uint32   0x0A0B0C0D, as the machine stores it
          16    uint64   head size: where the slabs begin
          24    uint64   slab size; both are multiples of what can be mapped, the page size
          32    uint64   stripes in each slab
          40    uint64   number of counters
          48    uint64   bytes of their names
          56    char[8]  layout hash: of SHA-256 over offsets 0 to 56 and 64 to the changing part
         128             the names in UTF-8, with a NUL between them; NULs up to a multiple of 128
    changing part:
           0    uint64   slabs: their number, and its complement in the upper half
         128    uint64[] what each counter had counted when it was last reset

A slab has the words of one process: for each stripe one int64 per counter, and NULs up to a
multiple of 128. A counter's value is the sum of its words in all slabs, less what it had counted
when it was last reset. Beyond the last slab there may be bytes that a process has only begun to
take.
"""

from __future__ import annotations

import hashlib
import struct

from .counter import stripe_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["FIXED", "MAX_SLABS", "Layout", "head_size", "packed_slabs", "unpacked_slabs"]

MAGIC = b"\x89JTCNT\r\n"
VERSION = 1
ORDER = 0x0A0B0C0D
FIXED = 128  # bytes before the names
FIELDS = struct.Struct("=8sIIQQQQQ")
HASHED = slice(FIELDS.size, FIELDS.size + 8)
# No more processes count at once, and no file that names itself has more.
MAX_SLABS = 1 << 20
MAX_HEAD = 1 << 30


class Layout:
    """Where everything is, for these counters, stripes and pages."""

    __slots__ = ("bases", "head_size", "names", "slab_size", "slabs", "stripe_size", "stripes")

    def __init__(self, names: tuple[str, ...], stripes: int, page: int) -> None:
        self.names = names
        self.stripes = stripes
        self.stripe_size = stripe_size(len(names))
        self.slab_size = _up(stripes * self.stripe_size, page)
        self.slabs = FIXED + _up(len(_joined(names)), 128)  # where their number is
        self.bases = self.slabs + 128
        self.head_size = _up(self.bases + 8 * len(names), page)

    def head(self) -> bytes:
        """The head of a new file, which has no slab yet."""
        joined = _joined(self.names)
        head = bytearray(self.head_size)
        FIELDS.pack_into(
            head, 0, MAGIC, VERSION, ORDER, self.head_size, self.slab_size, self.stripes,
            len(self.names), len(joined),
        )  # fmt: skip
        head[FIXED : FIXED + len(joined)] = joined
        head[HASHED] = _hash(head[: self.slabs])
        struct.pack_into("=Q", head, self.slabs, packed_slabs(0))
        return bytes(head)

    def end(self, slabs: int) -> int:
        """The size of a file with so many slabs."""
        return self.head_size + slabs * self.slab_size

    @classmethod
    def read(cls, head: bytes, path: str, page: int) -> Layout:
        """The layout that a file's head describes, all of which must be given; see `head_size`."""
        fields = FIELDS.unpack_from(head)
        _, _, _, size, slab_size, stripes, count, length = fields
        constant = FIXED + _up(length, 128)
        if constant + 128 > size or head[HASHED] != _hash(head[:constant]):
            _refuse(path, "its header was changed: the layout hash is another")
        names = tuple(head[FIXED : FIXED + length].decode("utf-8").split("\0")) if count else ()
        # The hash says that a jumptable wrote this, so what is odd is right elsewhere.
        layout = cls(names, stripes, page)
        if (layout.head_size, layout.slab_size) != (size, slab_size):
            _refuse(path, f"its pages are not of this machine's {page} bytes", foreign=True)
        return layout


def head_size(begin: bytes, path: str) -> int:
    """The size of the head of a file that begins with these `FIXED` bytes.

    Raises ValueError for what is no file of shared counters, or is damaged.
    """
    magic = begin[: len(MAGIC)]
    if not begin:
        _refuse(path, "it is empty", foreign=True)
    if magic != MAGIC[: len(begin)]:
        _refuse(path, f"it begins with {magic!r} instead of {MAGIC!r}", foreign=True)
    if len(begin) < FIXED:
        _refuse(path, f"it has {len(begin)} bytes, and its header alone has {FIXED}")
    _, version, order, size, *_ = FIELDS.unpack_from(begin)
    if order != ORDER:
        _refuse(path, "its byte order is another machine's, or was changed")
    if version != VERSION:
        _refuse(path, f"it has version {version} of the layout, and version {VERSION} is what this "
                "jumptable reads", foreign=True)  # fmt: skip
    if not 2 * FIXED < size <= MAX_HEAD:
        _refuse(path, f"its header says that it has {size} bytes")
    return int(size)


def packed_slabs(count: int) -> int:
    """The number of slabs as a word that says whether it was changed."""
    return (~count & 0xFFFFFFFF) << 32 | count


def unpacked_slabs(word: int, path: str) -> int:
    """What `packed_slabs` has packed."""
    count = word & 0xFFFFFFFF
    if packed_slabs(count) != word & 0xFFFFFFFFFFFFFFFF or count > MAX_SLABS:
        _refuse(path, "the number of its slabs was changed")
    return count


def _refuse(path: str, problem: str, *, foreign: bool = False) -> NoReturn:
    what = "no file of shared counters" if foreign else "damaged"
    remedy = (
        "give another path" if foreign else "delete it once nobody uses it, or give another path"
    )
    raise ValueError(f"{path} is {what}: {problem}; {remedy}")


def _joined(names: tuple[str, ...]) -> bytes:
    return "\0".join(names).encode("utf-8")


def _hash(constant: bytes | bytearray) -> bytes:
    bare = bytearray(constant)
    bare[HASHED] = bytes(8)
    return hashlib.sha256(bare).digest()[:8]


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
