"""What the distributions in one entry of ``sys.path`` declare, remembered with what shows it stale.

Invariants
- A `Remembered` says what `importlib.metadata` found in the entry, and the stat of everything that
  this depends on: the entry itself, and of each distribution its ``entry_points.txt`` or, if there
  is none, its folder, where one would appear. It is used only while all of these are unchanged,
  which is looked at for each use; there is no time for which it would be believed.
- A stat is taken before what it vouches for is read, so that a change meanwhile shows next time.
- A file that changed less than `MARGIN_NS` before it was read, or in the future, can change again
  and keep its stat. Its stat is not kept, `UNSETTLED` is, which equals none: it is read again.
- What cannot be vouched for by stats (a dangling link, a file that the standard library fails on,
  a folder that cannot be listed) makes the whole entry one that is not remembered.
- A `Remembered` is never changed, but for what it works out when first asked for: threads that do
  so at the same time find the same, and each stores it in one step. ``_known`` is a dictionary of
  them; whatever two threads store there is true of what they saw. No lock is held, and no file is
  kept open: a fork finds nothing half done.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from itertools import accumulate
from time import time_ns

from . import cache
from .stats import WIDTH, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution, PathDistribution
    from typing import Final

    Declared = tuple[str, str, str]  # group, name, value
    Row = tuple[int, str, str]  # the distribution's number, name, value

__all__ = ["MARGIN_NS", "Remembered", "listed", "look_up"]

LAYOUT: Final = 2  # of the content; older files are then about something else
KIND: Final = "entries"
# More than the coarsest file times, FAT's two seconds.
MARGIN_NS = 2_500_000_000
UNSETTLED: Final = struct.pack("=5q", 0, 0, 0, 0, -2)
FAILED: Final = struct.pack("=q", -1)
# EACCES is the folder's own doing: changing that changes the folder.
ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.EACCES)
ARCHIVE: Final = b"archive"
HIDES: Final = b"hides"
SUFFIXES: Final = (".dist-info", ".egg-info")
ENTRY_POINTS: Final = b"/entry_points.txt\0"
# Writing a file costs more, once, than listing a smaller folder without distributions each time.
WORTH_A_FILE: Final = 512
MOST_KNOWN: Final = 256
MOST_FILES: Final = 128

_HEAD: Final = struct.Struct("=9I")
_known: dict[str, Remembered] = {}


class Remembered:
    """One entry of ``sys.path``, as it was; a view of the bytes that are written to disk.

    ``content`` is a head of nine lengths, and as many parts: the key; the watched names, each
    with a NUL after it; the stats of the entry and of these; then, of the distributions that are
    the first of their name, the names and the folders (none, if the entry is an archive), joined
    by NUL; the groups, each after a colon, which no number starts with, and before where its rows
    start and end; the rows of all groups, each of three lines; for each row, in the order in which
    they were declared, the number of its group; and b"archive", b"hides" if the entry has another
    distribution of one's name, or nothing.
    """

    __slots__ = (
        "_distributions", "_folders", "_names", "_rows", "_starts", "archive", "content", "empty",
        "hides", "key", "large", "stats", "watched",
    )  # fmt: skip

    def __init__(self, content: bytes, starts: list[int]) -> None:
        self.content = content
        self._starts = starts
        self.key = self._part(0)
        self.watched = self._part(1)
        self.stats = self._part(2)
        self.empty = not self._part(3)
        self.archive = self._part(8) == ARCHIVE
        self.hides = self._part(8) == HIDES
        self.large = False
        self._names: frozenset[str] | None = None
        self._folders: list[str] | None = None
        self._rows: dict[str, list[Row]] = {}
        self._distributions: dict[int, PathDistribution] = {}

    @classmethod
    def parse(cls, content: bytes) -> Remembered | None:
        """None if it is not whole."""
        if len(content) < _HEAD.size:
            return None
        starts = list(accumulate(_HEAD.unpack_from(content), initial=_HEAD.size))
        return cls(content, starts) if starts[-1] == len(content) else None

    def _part(self, number: int) -> bytes:
        return self.content[self._starts[number] : self._starts[number + 1]]

    @property
    def names(self) -> frozenset[str]:
        """Of all its distributions, normalised."""
        if self._names is None:
            self._names = frozenset(self.in_order)
        return self._names

    @property
    def in_order(self) -> list[str]:
        return _split(self._part(3))

    @property
    def folders(self) -> list[str]:
        if self._folders is None:
            self._folders = _split(self._part(4))
        return self._folders

    def groups(self) -> list[str]:
        """In the order in which they first appear."""
        return [line[1:] for line in self._part(5).decode().split("\n")[1::3]]

    def rows(self, group: str) -> list[Row]:
        """What the group holds, distribution by distribution. Parses that part only."""
        rows = self._rows.get(group)
        if rows is None:
            if "\n" in group:  # no group's name, and no one line of this part
                return []
            wanted = f"\n:{group}\n".encode("utf-8", "surrogatepass")
            _, found, after = self._part(5).partition(wanted)
            if not found:
                return []
            start, end = map(int, after.split(b"\n", 2)[:2])
            start, end = start + self._starts[6], end + self._starts[6]
            lines = iter(self.content[start:end].decode().split("\n"))
            rows = [
                (int(number), name, value)
                for number, name, value in zip(lines, lines, lines, strict=False)
            ]
            self._rows[group] = rows
        return rows

    def everything(self) -> Iterator[tuple[int, Declared]]:
        """Each distribution's number with what it declares, in that order."""
        order = self._part(7).decode()
        if order:
            groups = self.groups()
            rows = [iter(self.rows(group)) for group in groups]
            for which in map(int, order.split("\n")):
                number, name, value = next(rows[which])
                yield number, (groups[which], name, value)

    def distributions(self, root: str, numbers: Iterable[int]) -> dict[int, PathDistribution]:
        """At least these, as importlib.metadata makes them; not of an archive."""
        made = self._distributions
        missing = [number for number in numbers if number not in made]
        if missing:
            from importlib.metadata import PathDistribution
            from pathlib import Path

            parent = Path(root)
            for number in missing:
                # Not by a call: on 3.12 and 3.13 that looks for abstract methods, and takes longer.
                one = object.__new__(PathDistribution)
                PathDistribution.__init__(one, parent / self.folders[number])
                made[number] = one
        return made


def look_up(root: str) -> Remembered | None:
    """What is in this entry of ``sys.path`` now; None if that cannot be remembered.

    Raises ValueError if it is no path.
    """
    old = _known.get(root)
    where = root or "."
    if old is not None and take(where, old.watched) == old.stats:
        return old
    if _failed(take(where)):
        return NOTHING
    try:
        key = _key(root)
    except OSError:  # it is relative, and the working directory is gone
        return None
    content = cache.read(cache.name_for(KIND, os.fsdecode(key)))
    written = None if content is None else Remembered.parse(content)
    if written is not None and written.key != key:  # another with the same file name
        written = None
    if written is not None and take(where, written.watched) == written.stats:
        return _keep(root, written)
    new = scan(root, key, written or old)
    if new is None:
        _known.pop(root, None)
        return None
    if written is None or new.content != written.content:
        _write(new, first=written is None)
    return _keep(root, new)


def _keep(root: str, remembered: Remembered) -> Remembered:
    if len(_known) >= MOST_KNOWN and root not in _known:
        _known.clear()
    _known[root] = remembered
    return remembered


def _key(root: str) -> bytes:
    """What the content depends on beside the files.

    The spelling matters to importlib.metadata in one case: whether the entry's last part is an egg.
    """
    facts = (LAYOUT, sys.implementation.cache_tag, f"{sys.hexversion:x}", _is_egg(root))
    return os.fsencode("\n".join([*map(str, facts), os.path.abspath(root)]))


def scan(root: str, key: bytes, old: Remembered | None) -> Remembered | None:
    """Ask importlib.metadata what is there; not again what ``old`` knows, and is unchanged."""
    started = time_ns()
    itself = take(root or ".")
    if _failed(itself):
        return None
    try:
        if not os.path.isdir(root or "."):
            return _scan_archive(root, key, itself, started)
        names = os.listdir(root or ".")
        if any(name[-5:].lower() == "-info" for name in names):
            return _scan_folder(root, key, itself, names, started, old)
        bare = _remember(key, b"", _settled(itself, started), [], [], [])
        bare.large = len(names) > WORTH_A_FILE
        return bare
    except Exception:  # whoever asks the standard library meets it there
        return None


def _is_egg(root: str) -> bool:
    return os.path.basename(root).lower().endswith(".egg")


def _declares(root: str, names: Iterable[str]) -> bool:
    """Whether one of the names in an entry is that of a distribution."""
    low = map(str.lower, names)
    return any(one.endswith(SUFFIXES) or (one == "egg-info" and _is_egg(root)) for one in low)


def listed(root: str) -> Iterable[PathDistribution]:
    """The standard library's answer, without what it remembers by a time in seconds."""
    from importlib.metadata import DistributionFinder, MetadataPathFinder

    forget = MetadataPathFinder.__dict__["invalidate_caches"]
    getattr(forget, "__func__", forget)(MetadataPathFinder)  # a classmethod from 3.13 on
    return MetadataPathFinder.find_distributions(DistributionFinder.Context(path=[root]))


def _scan_archive(root: str, key: bytes, itself: bytes, started: int) -> Remembered | None:
    found = list(listed(root))
    if not found:
        from zipfile import ZipFile

        with ZipFile(root) as archive:
            if _declares(root, {name.partition("/")[0] for name in archive.namelist()}):
                return None  # as in a folder
    first: dict[str, PathDistribution] = {}
    for distribution in found:
        first.setdefault(_name(distribution), distribution)
    new = _remember(
        key,
        b"",
        _settled(itself, started),
        list(first),
        [],
        [_declared(distribution) for distribution in first.values()],
        kind=ARCHIVE,
    )
    new.large = True
    return new


def _scan_folder(
    root: str,
    key: bytes,
    itself: bytes,
    names: list[str],
    started: int,
    old: Remembered | None,
) -> Remembered | None:
    found = list(listed(root))
    if not found and _declares(root, names):
        return None  # it could not be listed again, and the standard library does not say so
    folders = [os.path.basename(str(distribution._path)) for distribution in found]
    watches = _watches(root or ".", folders)
    if watches is None:
        return None
    known, before = ({}, {}) if old is None else (_stats(old), _by_folder(old))
    watched, stats = [], [_settled(itself, started)]
    kept: dict[str, tuple[PathDistribution, str, list[Declared]]] = {}
    for distribution, folder, files in zip(found, folders, watches, strict=True):
        mine = [(file, _settled(stat, started)) for file, stat in files]
        unchanged = all(known.get(file) == stat != UNSETTLED for file, stat in mine)
        past = before.get(folder) if unchanged else None
        name = _name(distribution) if past is None else past[0]
        first = name not in kept
        if first:
            if past is not None:
                declared = past[1]
            else:
                has_points = mine[0][0].endswith(ENTRY_POINTS)
                declared = _declared(distribution) if has_points else []
            kept[name] = distribution, folder, declared
        if first or len(mine) > 1:  # whose name is in a file can get another one
            for file, stat in mine:
                watched.append(file)
                stats.append(stat)
    new = _remember(
        key,
        b"".join(watched),
        b"".join(stats),
        list(kept),
        [folder for _, folder, _ in kept.values()],
        [declared for _, _, declared in kept.values()],
        kind=HIDES if len(kept) < len(found) else b"",
    )
    for number, (distribution, _, declared) in enumerate(kept.values()):
        if declared:
            new._distributions[number] = distribution
    return new


def _watches(root: str, folders: list[str]) -> list[list[tuple[bytes, bytes]]] | None:
    """For each distribution the files to watch, with their stats; None if that is not enough.

    The first is its list of entry points, or the folder where one would appear.
    """
    encoded = [os.fsencode(folder) for folder in folders]
    infos = [folder + b"\0" for folder in encoded]
    points = [folder + ENTRY_POINTS for folder in encoded]
    # Folders first: a file that appears between the two is then seen, or changes its folder.
    of_infos = _slices(take(root, b"".join(infos)))[1:]
    of_points = _slices(take(root, b"".join(points)))[1:]
    links = b"".join(
        [point for point, stat in zip(points, of_points, strict=True) if _failed(stat)]
    )
    if links and not all(map(_failed, _slices(take(root, links, False))[1:])):
        return None  # a link into nowhere: nothing here would change when its target appears
    watches: list[list[tuple[bytes, bytes]]] = []
    for folder, info, of_info, point, of_point in zip(
        folders, infos, of_infos, points, of_points, strict=True
    ):
        if _failed(of_info):
            return None
        if not _failed(of_point):
            files = [(point, of_point)]
        elif _error(of_point) in ABSENT:
            files = [(info, of_info)]
        else:
            return None
        stem = folder.removesuffix(SUFFIXES[0]).removesuffix(SUFFIXES[1])
        if stem == folder or not stem.partition("-")[0].strip("."):  # named by what is in a file
            files.append((info, of_info))
            for source in (b"/METADATA\0", b"/PKG-INFO\0"):
                stat = take(root, info[:-1] + source)[WIDTH:]
                if not _failed(stat):
                    files.append((info[:-1] + source, stat))
                elif os.path.lexists(os.path.join(root, os.fsdecode(info[:-1] + source[:-1]))):
                    return None
        watches.append(files)
    return watches


def _remember(
    key: bytes,
    watched: bytes,
    stats: bytes,
    names: list[str],
    folders: list[str],
    declared: list[list[Declared]],
    kind: bytes = b"",
) -> Remembered:
    groups: dict[str, list[str]] = {}
    order = []
    for number, points in enumerate(declared):
        for group, name, value in points:
            lines = groups.setdefault(group, [])
            if "\n" in group + name + value:
                raise ValueError("a line break in an entry point")
            lines += [str(number), name, value]
            order.append(group)
    bodies, where, start = [], [""], 0
    for group, lines in groups.items():
        body = "\n".join(lines).encode()
        bodies.append(body)
        where += [":" + group, str(start), str(start + len(body))]
        start += len(body)
    numbers = {group: str(number) for number, group in enumerate(groups)}
    parts = [
        key,
        watched,
        stats,
        _joined(names),
        _joined(folders),
        "\n".join(where).encode(),
        b"".join(bodies),
        "\n".join([numbers[group] for group in order]).encode(),
        kind,
    ]
    content = _HEAD.pack(*map(len, parts)) + b"".join(parts)
    return Remembered(content, list(accumulate(map(len, parts), initial=_HEAD.size)))


def _name(distribution: Distribution) -> str:
    return distribution._normalized_name  # type: ignore[attr-defined, no-any-return]


def _declared(distribution: Distribution) -> list[Declared]:
    return [(point.group, point.name, point.value) for point in distribution.entry_points]


def _stats(remembered: Remembered) -> dict[bytes, bytes]:
    files = remembered.watched.split(b"\0")[:-1]
    stats = _slices(remembered.stats)[1:]
    return {file + b"\0": stat for file, stat in zip(files, stats, strict=True)}


def _by_folder(remembered: Remembered) -> dict[str, tuple[str, list[Declared]]]:
    declared: list[list[Declared]] = [[] for _ in remembered.folders]
    for number, point in remembered.everything():
        declared[number].append(point)
    names = remembered.in_order
    return dict(zip(remembered.folders, zip(names, declared, strict=True), strict=True))


def _settled(stat: bytes, started: int) -> bytes:
    modified, changed = struct.unpack_from("=2q", stat)
    return stat if max(modified, changed) < started - MARGIN_NS else UNSETTLED


def _slices(stats: bytes) -> list[bytes]:
    return [stats[start : start + WIDTH] for start in range(0, len(stats), WIDTH)]


def _failed(stat: bytes) -> bool:
    return stat.endswith(FAILED)


def _error(stat: bytes) -> int:
    return int.from_bytes(stat[:8], sys.byteorder)


def _joined(names: list[str]) -> bytes:
    if any("\0" in name for name in names):
        raise ValueError("a NUL in a name")
    return "\0".join(names).encode("utf-8", "surrogatepass")


def _split(names: bytes) -> list[str]:
    return names.decode("utf-8", "surrogatepass").split("\0") if names else []


def _write(new: Remembered, first: bool) -> None:
    """To disk, where it is worth it: not what nobody could use, nor what is as quickly found."""
    settled = any(stat != UNSETTLED for stat in _slices(new.stats))
    if not settled or (new.empty and not new.large):
        return
    if cache.write(cache.name_for(KIND, os.fsdecode(new.key)), new.content) and first:
        cache.prune(KIND, MOST_FILES, _is_gone)


def _is_gone(content: bytes) -> bool:
    """Whether a file of this kind is about an entry that no longer exists."""
    length = int.from_bytes(content[: _HEAD.size // 9], sys.byteorder)
    key = content[_HEAD.size : _HEAD.size + length]
    return not os.path.exists(os.fsdecode(key.split(b"\n", 4)[-1]))


NOTHING: Final = _remember(b"", b"", b"", [], [], [])
