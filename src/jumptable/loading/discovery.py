"""Entry points: what importlib.metadata finds, from what was found before."""

from __future__ import annotations

import sys
from _frozen_importlib_external import PathFinder
from itertools import chain

from .entryindex import listed, look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution, EntryPoint, EntryPoints
    from typing import Any

    from .entryindex import Remembered

__all__ = ["entry_points", "with_hidden"]

# Whoever replaces it finds distributions elsewhere; whoever removes it has a finder of his own.
_STOCK: Any = getattr(PathFinder, "find_distributions", None)
# What is relied on beyond importlib.metadata's documentation.
_NEEDED = (
    ("MetadataPathFinder", "find_distributions"),
    ("PathDistribution", "_normalized_name"),
    ("EntryPoint", "_for"),
)


def entry_points(**params: Any) -> EntryPoints:
    """What ``importlib.metadata.entry_points(**params)`` returns, from an index on disk.

    ``params`` select by ``group``, ``name``, and what else `importlib.metadata.EntryPoint.matches`
    takes. The result is the standard library's in type, content and order, and so are the errors,
    as for an ``entry_points.txt`` that cannot be parsed; without arguments Python 3.10 and 3.11
    return a dictionary of groups.

    The index says what each entry of ``sys.path`` held, and is believed only while a stat of each
    folder and each ``entry_points.txt`` in it shows that nothing has changed: an install, an
    upgrade, an uninstall, an edit of the file, another ``sys.path`` or working directory is seen by
    the next call. Other finders in ``sys.meta_path`` that know distributions are asked each time.

    It is kept in the user's cache folder, or in the one that the environment variable
    ``JUMPTABLE_CACHE`` names; ``off`` keeps none on disk. A file in it that is damaged, or that
    somebody else could write, is ignored.

    Any number of threads and processes may call this at the same time. Distributions, as
    ``EntryPoint.dist``, are the same objects from call to call while nothing changes.
    """
    import importlib.metadata

    metadata: Any = importlib.metadata  # other Pythons have other types
    if not _is_known(metadata):
        return metadata.entry_points(**params)  # type: ignore[no-any-return]
    group = params.get("group")
    if type(group) is not str or len(params) > 1:
        group = None
    found = _collect(metadata, group)
    if group is not None:
        return metadata.EntryPoints(found)  # type: ignore[no-any-return]
    # Nothing else has been selected yet: on 3.10 and 3.11 groups come first, in their own order.
    groups = getattr(metadata, "SelectableGroups", None)
    every = metadata.EntryPoints(found) if groups is None else groups.load(found)
    return every.select(**params)  # type: ignore[no-any-return]


def with_hidden(group: str) -> Iterator[tuple[EntryPoint, Distribution]]:
    """A group's entry points with their distributions, in the order of `distributions`.

    Unlike `entry_points`, of distributions with one name it has all. What has to be read is read
    as the iterator comes to it, but which distributions there are is what there was at the call.
    """
    import importlib.metadata

    metadata: Any = importlib.metadata
    if type(group) is not str or not _is_known(metadata):
        return _declared([*metadata.distributions()], group)
    context = metadata.DistributionFinder.Context
    parts: list[Iterable[Any]] = []  # typeshed has points without a distribution
    for finder in sys.meta_path:
        find = getattr(finder, "find_distributions", None)
        if not find:
            continue
        if find is not _STOCK:
            parts.append(_declared([*find(context())], group))
            continue
        for root in sys.path:
            remembered = _remembered(root)
            if remembered is None or remembered.hides or remembered.archive:
                parts.append(_declared([*find(context(path=[root]))], group))
            elif not remembered.empty:
                made = _made(metadata.EntryPoint, remembered, root, group, frozenset())
                parts.append([(point, point.dist) for point in made])
    return chain.from_iterable(parts)


def _declared(
    distributions: list[Distribution], group: str
) -> Iterator[tuple[EntryPoint, Distribution]]:
    for distribution in distributions:
        for point in distribution.entry_points:
            if point.group == group:
                yield point, distribution


def _is_known(metadata: Any) -> bool:
    return all(hasattr(getattr(metadata, owner, None), name) for owner, name in _NEEDED)


def _remembered(root: object) -> Remembered | None:
    try:
        return look_up(root) if type(root) is str else None
    except ValueError:  # no path, to which the standard library has its own answer
        return None


def _collect(metadata: Any, group: str | None) -> list[EntryPoint]:
    """All entry points of a group, or all there are, of the distributions first of their name."""
    context = metadata.DistributionFinder.Context
    found: list[EntryPoint] = []
    seen = _Seen()
    for finder in sys.meta_path:
        find = getattr(finder, "find_distributions", None)
        if not find:
            continue
        if find is not _STOCK:
            _ask(find(context()), group, found, seen)
            continue
        for root in sys.path:
            remembered = _remembered(root)
            if remembered is None:
                _ask(find(context(path=[root])), group, found, seen)
            elif not remembered.empty:
                if remembered.archive and (group is None or remembered.rows(group)):
                    _ask(listed(root), group, found, seen)  # each holds the open archive
                    continue
                shadowed = seen.meet(remembered)
                found += _made(metadata.EntryPoint, remembered, root, group, shadowed)
    return found


class _Seen:
    """The names of distributions so far. Usually one entry has all, and they are never unpacked."""

    __slots__ = ("_first", "names")

    def __init__(self) -> None:
        self._first: Remembered | None = None
        self.names: set[str] | None = None

    def unpacked(self) -> set[str]:
        if self.names is None:
            self.names = set() if self._first is None else set(self._first.names)
        return self.names

    def meet(self, remembered: Remembered) -> frozenset[str]:
        """Which of its names were there before; now all of them are."""
        if self._first is None and self.names is None:
            self._first = remembered
            return frozenset()
        names = self.unpacked()
        shadowed = remembered.names & names
        names |= remembered.names
        return shadowed


def _made(
    kind: type[EntryPoint],
    remembered: Remembered,
    root: str,
    group: str | None,
    shadowed: frozenset[str],
) -> list[EntryPoint]:
    rows = (
        list(remembered.everything())
        if group is None
        else [(number, (group, name, value)) for number, name, value in remembered.rows(group)]
    )
    if shadowed:
        names = remembered.in_order
        rows = [row for row in rows if names[row[0]] not in shadowed]
    distributions = remembered.distributions(root, {number for number, _ in rows})
    return [
        kind(name, value, group)._for(distributions[number])  # type: ignore[attr-defined]
        for number, (group, name, value) in rows
    ]


def _ask(
    distributions: Iterable[Distribution], group: str | None, found: list[EntryPoint], seen: _Seen
) -> None:
    """As importlib.metadata does."""
    names = seen.unpacked()
    for distribution in distributions:
        name = distribution._normalized_name  # type: ignore[attr-defined]
        if name not in names:
            names.add(name)
            points = distribution.entry_points
            found += [point for point in points if group is None or point.matches(group=group)]
