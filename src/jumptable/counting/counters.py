"""Counters: many counters by name, side by side in padded stripes, or in a file."""

from __future__ import annotations

import os

from .counter import keep, new_counters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import SupportsIndex

    from .counter import Counter
    from .sharedfile import SharedFile

__all__ = ["Counters"]


class Counters:
    """Many counters: ``stats = Counters(["hits", "misses"])``, then ``stats.hits.add()``.

    Each name is an attribute, and an item: ``stats["hits"]``. The counters lie side by side in one
    stripe for each CPU, or as many as ``stripes`` says, as for a `Counter`; stripes are padded, the
    counters in them are not, because a stripe is one thread's. So many counters cost 8 bytes each
    and stripe.

    With ``path``, processes share them: whoever opens the same file adds to the same counters, and
    reads the sum of all. The file is made if there is none; ``names`` must be those that it has, or
    None, for an existing file, whose stripes are what they are. What a process counted stays when
    it ends, however it ends. A forked child goes on counting. Pickled, they are opened again by
    their path, where the process has not done so.

    ``stats.hits += 1`` adds; nothing else can be assigned. Raises TypeError or ValueError for names
    that cannot be; with a path, ValueError for a file that is none of these, is damaged or has
    other names, and OSError. Safe to use from any thread. On free-threaded builds they live as long
    as the process.
    """

    _all: dict[str, Counter]
    _file: SharedFile | None
    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Counter: ...

    def __init__(
        self,
        names: Iterable[str] | None = None,
        *,
        stripes: SupportsIndex | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        wanted = None if names is None else checked(type(self), names)
        if path is not None:
            from .sharedfile import SharedFile

            file = SharedFile(path, wanted, stripes)
            wanted, made = file.layout.names, file.counters()
        elif wanted is not None:
            file, made = None, new_counters(wanted, stripes)
        else:
            raise TypeError(
                "Counters() takes the counters' names, as in Counters(['hits', 'misses']); only "
                "with path= of an existing file are they known"
            )
        counters = dict(zip(wanted, made, strict=True))
        # One by one: CPython 3.11 makes a dictionary of an instance's attributes when it is asked
        # for it, and specialises no load from one that it has made so.
        for name, held in (("_all", counters), ("_file", file), *counters.items()):
            object.__setattr__(self, name, held)
        keep(self)
        if file is not None:
            file.serve(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The counters' names, in their order."""
        return tuple(self._all)

    @property
    def path(self) -> str | None:
        """The file's absolute path, or None if nothing is shared."""
        return None if self._file is None else self._file.path

    @property
    def stripes(self) -> int:
        """How many words each counter has in this process; 0 if there is no counter."""
        return next((counter.stripes for counter in self._all.values()), 0)

    def snapshot(self) -> dict[str, int]:
        """The values by name. Each is exact at some moment of the call, together they are not."""
        return {name: counter.value for name, counter in self._all.items()}

    def reset(self) -> dict[str, int]:
        """Have each count from 0 again; what was there, by name. Nothing that is added is lost."""
        return {name: counter.reset() for name, counter in self._all.items()}

    def __getitem__(self, name: str) -> Counter:
        try:
            return self._all[name]
        except KeyError:
            raise KeyError(f"no counter {name!r} among {listed(self.names)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __setattr__(self, name: str, value: Counter) -> None:
        # What `stats.hits += 1` ends with, after it has added.
        if name not in self._all or self._all[name] is not value:
            if name not in self._all:
                raise AttributeError(
                    f"cannot assign {name!r} of Counters: they hold their counters and nothing "
                    f"else, which are {listed(self.names)}"
                )
            raise AttributeError(
                f"cannot assign {name!r} of Counters: add with stats.{name}.add(n), or count from "
                f"0 again with stats.{name}.reset()"
            )

    def __setitem__(self, name: str, value: Counter) -> None:
        self.__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r} of Counters")

    def __repr__(self) -> str:
        where = "" if self._file is None else f" in {self._file.path!r}"
        return f"<Counters {listed(self.names, str)}{where}>"

    def __reduce__(self) -> tuple[object, ...]:
        if self._file is None:
            raise TypeError(
                "cannot pickle or copy Counters: they are memory of this process; send "
                "counters.snapshot(), or share them between processes with path="
            )
        return opened, (type(self), self._file.path)


def opened(cls: type[Counters], path: str) -> Counters:
    """How shared counters are unpickled: as those that this process has, if it has them.

    Each opening takes a slab and a descriptor, on free-threaded builds for as long as the process.
    """
    from .sharedfile import living_owners

    found = next((owner for owner in living_owners(path) if type(owner) is cls), None)
    return cls(path=path) if found is None else found


def opened_counter(path: str, name: str) -> Counter:
    """How one of shared counters is unpickled."""
    from .sharedfile import living_owners

    found = next(living_owners(path), None)
    return (Counters(path=path) if found is None else found)[name]


def listed(names: tuple[str, ...], show: Callable[[str], str] = repr) -> str:
    """The names for people, who do not read thousands."""
    shown = ", ".join(map(show, names[:10])) or "none"
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def checked(cls: type[Counters], names: Iterable[str]) -> tuple[str, ...]:
    """The names as a tuple, if each can be that of a counter."""
    if isinstance(names, (str, bytes)):
        raise TypeError(f"Counters() takes several names, as in Counters([{names!r}])")
    found = []
    seen = set()
    taken = set().union(*map(vars, cls.__mro__))
    for given in names:
        if not isinstance(given, str):
            raise TypeError(f"a counter's name is a str, not {type(given).__name__}")
        name = str.__str__(given)  # an enumeration's members are str of their own class
        if not name or "\0" in name or name.startswith("_"):
            raise ValueError(
                f"a counter cannot be named {name!r}: a name is not empty, has no NUL, and begins "
                "with no underscore"
            )
        if name in taken:
            raise ValueError(
                f"a counter cannot be named {name!r}: that is an attribute of {cls.__name__} "
                "itself; choose another name"
            )
        if name in seen:
            raise ValueError(f"two counters are named {name!r}; each needs a name of its own")
        seen.add(name)
        found.append(name)
    return tuple(found)
