"""SharedFile: counters that processes share by mapping one file; `layout` says what is in it.

Invariants
- Every add is one atomic addition to a word in some slab, and nothing ever takes from a slab, or
  clears one. So the sum of all slabs is what was added, whoever was killed at whatever moment, and
  even where two processes use one slab. All below only sees to it that they don't, which is faster.
- A process owns a slab as long as it holds the lock of that slab's number; no process id is
  compared, so none can be mistaken. The lock ends with the process. Who finds it free takes the
  slab over with what it has counted.
- The number of slabs in the head grows, after the file has: whoever reads it finds them all. What
  lies beyond is nobody's yet.
- Nobody waits for another process: locks are tried, numbers are swapped. Readers take no lock.
- A reset stores what had been counted at that moment, by a swap that fails if another reset came
  first. Killed before it, nothing has happened.
- A forked child has the parent's mapping, and its lock. It maps a slab of its own in the same
  place, so that the addresses that C holds stay right; where that fails, it goes on with the
  parent's.
- The file appears under its name whole, and never replaces another: it is written under another
  name and then linked.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import weakref
from contextlib import suppress

from .counter import counters_at, stripe_count
from .counters import listed, opened_counter
from .layout import FIXED, MAX_SLABS, Layout, head_size, packed_slabs, unpacked_slabs
from .mapping import Mapping, try_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn, SupportsIndex

    from .counter import Counter
    from .counters import Counters

__all__ = ["SharedFile"]

PAGE = mmap.ALLOCATIONGRANULARITY
FLAGS = os.O_RDWR
for flag in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY", "O_NOINHERIT"):
    FLAGS |= getattr(os, flag, 0)  # nonblocking: a FIFO is to be refused, not waited for


class SharedFile:
    """One process's share of a file of counters. Safe to use from any thread.

    ``names`` None takes those that the file has. Raises OSError, or ValueError for a file that is
    none of these, is damaged, or has other names.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: tuple[str, ...] | None,
        stripes: SupportsIndex | None,
    ) -> None:
        # Absolute: the working directory may be another when the file is opened again.
        self.path = os.path.abspath(os.fsdecode(path))
        self.descriptor = open_or_create(self.path, names, stripe_count(stripes))
        self.identity = identity(self.descriptor)
        self.layout = read_layout(self.descriptor, self.path)
        if names is not None and names != self.layout.names:
            raise ValueError(
                f"{self.path} counts {listed(self.layout.names)}, and was opened for "
                f"{listed(names)}: {difference(self.layout.names, names)}; use its names, or "
                "another path"
            )
        self.head = Mapping(self.descriptor, 0, self.layout.head_size, self.path, writable=True)
        self.view: Mapping | None = None
        self.slab_count()  # the file is whole
        start = self.layout.end(self.claim(self.descriptor))
        size = self.layout.slab_size
        self.slab = Mapping(self.descriptor, start, size, self.path, writable=True)
        living[id(self)] = weakref.ref(self)

    # Where __init__ was interrupted, or raised.
    descriptor = -1
    identity: tuple[int, int] | None = None
    owner: Callable[[], Counters | None] = staticmethod(lambda: None)

    def serve(self, owner: Counters) -> None:
        """Have them found by `living_owners`."""
        self.owner = weakref.ref(owner)

    def __del__(self) -> None:
        living.pop(id(self), None)
        if self.descriptor >= 0 and (self.identity is None or self.is_own(self.descriptor)):
            os.close(self.descriptor)

    def counters(self) -> list[Counter]:
        """One for each name, in this process's slab; they keep the file."""
        layout = self.layout
        return counters_at(layout.names, self.slab, self.slab.address, layout.stripes, self)

    def value(self, index: int) -> int:
        """What all processes have counted since the last reset.

        Raises ValueError or OSError if the file is no longer what it was.
        """
        base = self.layout.bases + 8 * index
        self.check_head()
        while True:
            before = self.head.load(base)
            total = self.total(index)
            if self.head.load(base) == before:
                return signed(total - before)

    def reset(self, index: int) -> int:
        base = self.layout.bases + 8 * index
        self.check_head()
        while True:
            before = self.head.load(base)
            total = self.total(index)
            if self.head.swap(base, before, total):
                return signed(total - before)

    def reduced(self, name: str) -> tuple[object, ...]:
        """How the counter of this name is pickled."""
        return opened_counter, (self.path, name)

    def total(self, index: int) -> int:
        """The sum of all words of a counter."""
        layout = self.layout
        slabs = self.slab_count()
        view = self.view
        if view is None or view.size < layout.end(slabs):
            # Threads may race to store theirs: any is right, the next reader maps what it needs.
            view = self.view = Mapping(self.descriptor, 0, layout.end(slabs), self.path)
        total = 0
        for stripe in range(layout.stripes):
            first = layout.head_size + stripe * layout.stripe_size + 8 * index
            total += view.sum(first, layout.slab_size, slabs)
        return signed(total)

    def slab_count(self) -> int:
        """How many slabs the file has; ValueError if it is shorter than that."""
        size = self.check_head()
        slabs = unpacked_slabs(self.head.load(self.layout.slabs), self.path)
        needed = self.layout.end(slabs)
        if size < needed:
            size = self.file_size()  # which another process may just have changed
        if size < needed:
            truncated(self.path, size, needed)
        return slabs

    def check_head(self) -> int:
        """The file's size; ValueError if it has lost what is to be read first."""
        size = self.file_size()
        if size < self.layout.head_size:
            truncated(self.path, size, self.layout.head_size)
        return size

    def file_size(self) -> int:
        """Opens the file again if the program has closed the descriptor, as daemons do."""
        if not self.is_own(self.descriptor):
            fresh = open_file(self.path)
            if identity(fresh) != self.identity:
                os.close(fresh)
                raise OSError(
                    errno.ESTALE, "the program closed this file of counters, and now another one "
                    "has its name", self.path,
                )  # fmt: skip
            self.descriptor = fresh
        return os.fstat(self.descriptor).st_size

    def is_own(self, descriptor: int) -> bool:
        try:
            return identity(descriptor) == self.identity
        except OSError:
            return False

    def claim(self, descriptor: int) -> int:
        """Lock a slab, have the file hold it, and return its number."""
        for slab in range(MAX_SLABS):
            if try_lock(descriptor, slab, self.path):
                break
        else:
            raise OSError(errno.EAGAIN, f"all {MAX_SLABS} slabs are taken", self.path)
        reserve(descriptor, self.layout.end(slab), self.layout.slab_size, self.path)
        while True:
            word = self.head.load(self.layout.slabs)
            count = unpacked_slabs(word, self.path)
            grown = signed(packed_slabs(max(count, slab + 1)))
            if self.head.swap(self.layout.slabs, word, grown):
                return slab

    def settle_in_child(self) -> None:
        """After a fork: count in a slab of this process's own."""
        inherited = self.descriptor
        fresh = -1
        try:
            # What else has the number, if the program closed it, is neither opened nor closed.
            own = self.is_own(inherited)
            fresh = reopen(inherited, self.path) if own else open_file(self.path)
            if identity(fresh) == self.identity:
                slab = self.claim(fresh)
                self.slab.replace(fresh, self.layout.end(slab))
                # A mapping keeps the parent's lock, as a descriptor does.
                self.head.replace(fresh, 0)
                self.view = None
                self.descriptor, fresh = fresh, inherited if own else -1
        except (OSError, ValueError):
            pass  # the parent's slab does as well
        finally:
            if fresh >= 0:
                os.close(fresh)


# What a forked child has to settle, and what is opened again by its path.
living: dict[int, weakref.ref[SharedFile]] = {}


def living_owners(path: str) -> Iterator[Counters]:
    """The Counters of this process that have the file open which is at ``path`` now."""
    for reference in list(living.values()):
        file = reference()
        owner = None if file is None or file.path != path else file.owner()
        if owner is not None and file is not None and file.identity == identity(path):
            yield owner


def _after_fork() -> None:
    for reference in list(living.values()):
        file = reference()
        if file is not None:
            file.settle_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def open_or_create(path: str, names: tuple[str, ...] | None, stripes: int) -> int:
    while True:
        try:
            return open_file(path)
        except FileNotFoundError:
            if names is None or os.path.islink(path):
                raise
        create(path, Layout(names, stripes, PAGE))


def create(path: str, layout: Layout) -> None:
    """Make the file, unless another process is faster. Raises OSError."""
    folder, name = os.path.split(path)
    # Not longer than a name may be, where the file's own is not.
    temporary = os.path.join(folder, f".{name[:50]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        try:
            descriptor = os.open(temporary, FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            error.filename = path  # which the user knows
            raise
        try:
            write_all(descriptor, layout.head(), path)
        finally:
            os.close(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError as error:
            error.filename = path
            error.filename2 = None
            error.strerror = (
                f"{error.strerror}: the file could not be linked to its name; shared counters need "
                "a file system with hard links"
            )
            raise
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def write_all(descriptor: int, data: bytes, path: str) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as error:
        error.filename = path
        raise


def reserve(descriptor: int, start: int, size: int, path: str) -> None:
    """Have the file hold these bytes, so that no store to them can find the disk full."""
    try:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(descriptor, start, size)
                return
            except OSError as error:
                # What some file systems answer where the C library does not write instead: musl's.
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
        # What lies beyond the end is nobody else's: this process has the slab's lock.
        end = os.fstat(descriptor).st_size
        if end < start + size:
            os.lseek(descriptor, max(start, end), os.SEEK_SET)
            write_all(descriptor, bytes(start + size - max(start, end)), path)
    except OSError as error:
        error.filename = path
        raise


def reopen(descriptor: int, path: str) -> int:
    """The same file with locks of its own, also if it has no name any more."""
    try:
        return open_file(f"/proc/self/fd/{descriptor}")
    except OSError:
        return open_file(path)


def open_file(path: str) -> int:
    """A descriptor that is none of the standard streams', which C code writes to unasked."""
    descriptor = os.open(path, FLAGS)
    if descriptor > 2 or os.name == "nt":
        return descriptor
    import fcntl

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)


def read_layout(descriptor: int, path: str) -> Layout:
    """What the head says. Only before other threads can use the descriptor."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{path} is no regular file, and counters need one; give another path")
    size = head_size(read(descriptor, FIXED), path)
    if found.st_size < size:
        truncated(path, found.st_size, size)
    return Layout.read(read(descriptor, size), path, PAGE)


def read(descriptor: int, size: int) -> bytes:
    """The first bytes of a file, or all that it has."""
    found = b""
    os.lseek(descriptor, 0, os.SEEK_SET)
    while len(found) < size:
        more = os.read(descriptor, size - len(found))
        if not more:
            break
        found += more
    return found


def identity(file: int | str) -> tuple[int, int]:
    found = os.stat(file)
    return found.st_dev, found.st_ino


def truncated(path: str, size: int, expected: int) -> NoReturn:
    raise ValueError(
        f"{path} is damaged: it has {size} bytes, and should have {expected} or more; delete it "
        "once nobody uses it, or give another path"
    )


def difference(found: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    known, asked = set(found), set(wanted)
    missing = tuple(name for name in wanted if name not in known)
    unknown = tuple(name for name in found if name not in asked)
    said = [f"it has no {listed(missing)}"] if missing else []
    said += [f"{listed(unknown)} was not asked for"] if unknown else []
    return ", and ".join(said) or "the order is another"


def signed(value: int) -> int:
    """Modulo 2**64, as an int64_t holds it."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
