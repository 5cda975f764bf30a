"""What a native plugin says about itself: the notes that ``include/jumptable/plugin.h`` describes.

They are bytes from a file that nobody vouches for: every size is checked, and whatever is wrong is
a PluginFormatError that names the file. No state: safe from any thread.
"""

from __future__ import annotations

from struct import Struct

from ..binding.signatures import CType, parse
from ..errors import PluginFormatError, PluginVersionError, SignatureError
from .system import ABI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from ..binding.signatures import Signature
    from .files import LibraryFile

__all__ = ["Declared", "read"]

OWNER: Final = b"jumptable\0"
HEADER: Final = Struct("=III")  # sizes of the owner's name and of the body, and the kind
BODY: Final = Struct("=I")  # the ABI number, before the texts
PLUGIN, EXPORT = 1, 2


class Declared:
    """A plugin's own name and version, and the signatures of what it exports, by name."""

    __slots__ = ("exports", "name", "version")

    def __init__(self, name: str, version: str, exports: dict[str, Signature]) -> None:
        self.name = name
        self.version = version
        self.exports = exports


def read(file: LibraryFile, target: object) -> Declared | None:
    """What a library declares; None if it declares nothing.

    Raises PluginVersionError if it was compiled for another ABI of jumptable, PluginFormatError if
    what it says is damaged, contradicts itself, or lacks the plugin's name; with ``target``.
    """
    return _Notes(file, target).read() if file.notes else None


class _Notes:
    def __init__(self, file: LibraryFile, target: object) -> None:
        self.notes = file.notes
        self.path = file.path
        self.target = target
        self.parsed: dict[str, Signature] = {}  # many functions share one type

    def refuse(self, problem: str, remedy: str) -> PluginFormatError:
        return PluginFormatError(f"{self.path} {problem}; {remedy}", target=self.target)

    def damaged(self, problem: str) -> PluginFormatError:
        return self.refuse(
            f"has damaged jumptable notes: {problem}", "build it again with jumptable/plugin.h"
        )

    def read(self) -> Declared | None:
        plugin: tuple[str, str] | None = None
        exports: dict[str, Signature] = {}
        for kind, texts in self.records():
            if kind == PLUGIN:
                if plugin is not None:
                    raise self.refuse(
                        f"names itself twice, {plugin[0]!r} and {self.texts(texts)[0]!r}",
                        "leave one JUMPTABLE_PLUGIN line",
                    )
                plugin = self.texts(texts)
                if not plugin[0].isprintable():
                    raise self.damaged(f"the plugin's name {plugin[0]!r} is not printable")
            elif kind == EXPORT:
                name, text = self.texts(texts)
                if name in exports:
                    raise self.refuse(
                        f"declares the export {name!r} twice", "leave one JUMPTABLE_EXPORT line"
                    )
                exports[name] = self.signature(name, text)
        if plugin is not None:
            return Declared(*plugin, exports)
        if exports:
            raise self.refuse(
                "declares exports, and neither a name nor a version",
                'add JUMPTABLE_PLUGIN("name", "version"); to one of its source files',
            )
        return None

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Kind and texts of each of jumptable's notes.

        They are searched for: what others put between them is theirs, and may follow other rules.
        """
        notes, position = self.notes, 0
        while True:
            owner = notes.find(OWNER, position + HEADER.size)
            if owner < 0:
                return
            start = owner - HEADER.size
            owner_size, body_size, kind = HEADER.unpack_from(notes, start)
            if start % 4 or owner_size != len(OWNER):
                position = start + 1
                continue
            body = owner + (len(OWNER) + 3 & ~3)
            position = body + (body_size + 3 & ~3)
            if body + body_size > len(notes):
                raise self.damaged(f"a note of {body_size} bytes leaves them")
            if body_size < BODY.size:
                raise self.damaged(f"a note has {body_size} bytes, too few")
            abi: int = BODY.unpack_from(notes, body)[0]
            if abi != ABI:
                remedy = "upgrade jumptable" if abi > ABI else "build the plugin again"
                raise PluginVersionError(
                    f"{self.path} was built for ABI {abi} of jumptable, this is ABI {ABI}; "
                    f"{remedy}, with headers and package of the same version",
                    target=self.target,
                )
            yield kind, notes[body + BODY.size : body + body_size]

    def texts(self, data: bytes) -> tuple[str, str]:
        """The first two; what later versions append is passed over."""
        first, _, rest = data.partition(b"\0")
        second, end, _ = rest.partition(b"\0")
        if not end:
            raise self.damaged(f"the text {(rest or first)[:60]!r} has no end")
        if not first:
            raise self.damaged("a name is empty")
        try:
            return first.decode(), second.decode()
        except UnicodeDecodeError:
            raise self.damaged(f"{(first + b' ' + second)[:60]!r} is not UTF-8") from None

    def signature(self, name: str, text: str) -> Signature:
        known = self.parsed.get(text)
        if known is not None:
            return known
        try:
            found = parse(text)
        except SignatureError as error:
            raise self.refuse(
                f"declares the export {name!r} with a type that cannot be read: {error}",
                "correct its JUMPTABLE_EXPORT line",
            ) from None
        if isinstance(found, CType):
            raise self.refuse(
                f"declares the export {name!r} as {text!r}, which is no function's type",
                "add parentheses, as in 'double(double)'; variables are looked up without it",
            )
        self.parsed[text] = found
        return found
