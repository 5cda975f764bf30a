"""Damaged and foreign files: an error that names file and reason, and nothing left behind."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt
from tests.conftest import Run

from .programs import needs_fork, run_program

# In one process, as a crash is one of the things that must not happen.
CORPUS = """
import errno
folder = os.path.dirname(path)
made = jt.Counters(["hits", "misses"], path=path, stripes=2)
made.hits.add(7)
in_child(adding, 3)
other = jt.Counters(path=path)
other.misses.add(5)
whole = open(path, "rb").read()
layout = Layout(("hits", "misses"), 2, PAGE)
COUNT = len(slabs())
assert COUNT > 2 and len(whole) == layout.end(COUNT)
EXPECTED = {"hits": 10, "misses": 5}
target = path + ".damaged"

def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

def write(content):
    with open(target, "wb") as file: file.write(content)

def refused(content, *expected, asked=(None, ["hits", "misses"])):
    # By whoever opens it, with or without names; and it is left as it is.
    write(content)
    before = descriptors()
    for names in asked:
        try:
            found = jt.Counters(names, path=target)
        except ValueError as error:
            text = str(error)
            assert text.startswith(target + " is ") and "give another path" in text, text
            assert any(part in text for part in expected), (expected, text)
        else:
            raise AssertionError((found, found.snapshot()))
    assert descriptors() == before
    with open(target, "rb") as file: assert file.read() == content
    assert sorted(os.listdir(folder)) == sorted(map(os.path.basename, (path, target)))

def flipped(offset, bit):
    content = bytearray(whole)
    content[offset] ^= 1 << bit
    return bytes(content)

def readable(content):
    write(content)
    found = jt.Counters(path=target)
    assert found.names == ("hits", "misses")
    values = found.snapshot()
    assert found.reset() == values and found.snapshot() == {"hits": 0, "misses": 0}
    found.hits.add(4)
    assert found.hits.value == 4
    return values
"""


def run_corpus(run_python: Run, text: str, path: Path) -> None:
    run_program(run_python, CORPUS + text, path)


@needs_fork
def test_every_truncation_is_refused(path: Path, run_python: Run) -> None:
    text = """
assert readable(whole) == EXPECTED
lengths = [*range(layout.bases + 16), *range(layout.bases, len(whole), 173), layout.head_size,
           layout.head_size - 1, len(whole) - layout.slab_size, len(whole) - 1]
for length in lengths:
    refused(whole[:length], "is empty", f"has {length} bytes, and")
assert readable(whole + bytes(100)) == EXPECTED  # what a process has only begun to take
"""
    run_corpus(run_python, text, path)


@needs_fork
@pytest.mark.parametrize("bits", ["[offset % 8]", pytest.param("range(8)", marks=pytest.mark.long)])
def test_flipped_bits_of_the_header_are_refused(path: Path, run_python: Run, bits: str) -> None:
    text = """
for offset in range(layout.slabs + 8):
    for bit in BITS:
        refused(flipped(offset, bit), "begins with", "version", "byte order", "layout hash",
                "says that it has", "should have", "number of its slabs",
                asked=[None if bit % 2 else ["hits", "misses"]])
"""
    run_corpus(run_python, text.replace("BITS", bits), path)


@needs_fork
def test_flipped_data_changes_numbers_alone(path: Path, run_python: Run) -> None:
    text = """
for number in range(2):
    for offset in range(layout.bases + 8 * number, layout.bases + 8 * number + 8):
        values = readable(flipped(offset, 3))
        name = layout.names[number]
        assert values.pop(name) != EXPECTED[name] and values.items() < EXPECTED.items()
changed = 0
for offset in [*range(layout.bases + 16, len(whole), 97),
               *range(layout.head_size, len(whole), layout.slab_size)]:
    changed += readable(flipped(offset, 7)) != EXPECTED
assert 0 < changed < 20
assert readable(whole[:layout.head_size] + b"\\xff" * (len(whole) - layout.head_size)) == {
    "hits": -2 * COUNT, "misses": -2 * COUNT}
"""
    run_corpus(run_python, text, path)


@needs_fork
def test_headers_that_say_something_else(path: Path, run_python: Run) -> None:
    text = """
import struct
from jumptable.counting import layout as layouts

def with_word(offset, form, *values):
    content = bytearray(whole)
    struct.pack_into(form, content, offset, *values)
    return bytes(content)

refused(with_word(8, "=I", 7), "it has version 7 of the layout, and version 1 is what this")
refused(with_word(8, "=I", 0), "version 0 of the layout, and version 1")
refused(with_word(12, ">I" if sys.byteorder == "little" else "<I", layouts.ORDER), "byte order")
refused(whole.replace(b"\\r\\n", b"\\n", 1), "it begins with")
for size in (0, 256, 2**30 + 1, 2**63, 2**64 - 1):
    refused(with_word(16, "=Q", size), f"its header says that it has {size} bytes")
refused(with_word(16, "=Q", 2**30), f"should have {2**30} or more")
for field in range(16, 56, 8):
    for value in (0, 1, 3, 2**20, 2**63, 2**64 - 1):
        refused(with_word(field, "=Q", value), "says that", "layout hash", "should have")
for more in (COUNT + 1, 1000, layouts.MAX_SLABS):
    refused(with_word(layout.slabs, "=Q", layouts.packed_slabs(more)), "or more; delete it once")
for word in (layouts.packed_slabs(layouts.MAX_SLABS + 1), layouts.packed_slabs(2**32 - 1), 0, 2):
    refused(with_word(layout.slabs, "=Q", word), "the number of its slabs was changed")
# Another machine's: its hash is right, its pages are larger.
for page in (PAGE * 4, PAGE * 16):
    foreign = layouts.Layout(("hits", "misses"), 2, page).head()
    refused(foreign, f"its pages are not of this machine's {PAGE} bytes")
# Fewer slabs than there are: those beyond are nobody's.
write(with_word(layout.slabs, "=Q", layouts.packed_slabs(1)))
found = jt.Counters(path=target)
assert found.snapshot() == {"hits": 7, "misses": 0}, found.snapshot()
"""
    run_corpus(run_python, text, path)


@needs_fork
def test_files_of_something_else(path: Path, run_python: Run) -> None:
    text = """
import zlib
for content in (b"", b"x", b"hits 3\\n" * 100, bytes(127), bytes(10_000), os.urandom(5000),
                b"\\x7fELF" + bytes(5000), whole[1:], zlib.compress(whole), whole[::-1]):
    refused(content, "is empty", "begins with")
    try:
        jt.Counters(path=target)
    except ValueError as error:
        assert "give another path" in str(error) and "delete" not in str(error), error
"""
    run_corpus(run_python, text, path)


@needs_fork
def test_who_has_the_file_open_goes_on_or_gets_an_error(path: Path, run_python: Run) -> None:
    text = """
def value_refused(*expected):
    hits = made.hits
    for ask in (lambda: hits.value, hits.reset, hits.__int__, made.snapshot, made.reset):
        try:
            found = ask()
        except ValueError as error:
            assert str(error).startswith(path) and any(e in str(error) for e in expected), error
        else:
            raise AssertionError(found)
    assert "damaged" in repr(made.hits) and repr(made).startswith("<Counters hits, misses in ")

assert made.snapshot() == EXPECTED
for length in (0, 100, layout.head_size - 1, layout.head_size, len(whole) - 1):
    os.truncate(path, length)
    value_refused(f"has {length} bytes, and should have")
    with open(path, "r+b") as file: file.write(whole)
    assert made.snapshot() == other.snapshot() == EXPECTED
for bit in range(64):
    content = flipped(layout.slabs + bit // 8, bit % 8)
    with open(path, "r+b") as file: file.write(content)
    value_refused("the number of its slabs was changed")
    made.hits.add(1)  # which needs no number
    made.hits.add(-1)
    with open(path, "r+b") as file: file.write(whole)
for offset in range(layout.slabs):  # what only those who open it look at
    content = flipped(offset, 0)
    with open(path, "r+b") as file: file.write(content)
    assert made.snapshot() == EXPECTED
write(b"another file")
os.rename(target, path)
made.hits.add(1)
assert made.hits.value == other.hits.value == 11
"""
    run_corpus(run_python, text, path)


# ---- what the system refuses ------------------------------------------------------------


@pytest.fixture
def special(path: Path) -> Iterator[dict[str, Path]]:
    """Paths of what is no regular file."""
    names = ("directory", "fifo", "socket", "loop", "below")
    made = {name: path.with_name(name) for name in names} | {"null": Path("/dev/null")}
    made |= {"zero": Path("/dev/zero"), "folder": Path("/")}
    made["directory"].mkdir()
    os.mkfifo(made["fifo"])
    made["loop"].symlink_to(made["loop"])
    path.write_text("text")
    made["below"] = path / "below"
    made["nowhere"] = path.with_name("nowhere") / "stats"
    made["long"] = path.with_name("x" * 300)
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(path.parent)  # addresses are short
        listening.bind("socket")
        os.chdir(here)
        yield made


@pytest.mark.skipif(sys.platform == "win32", reason="other files are special there")
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("directory", IsADirectoryError),
        ("folder", IsADirectoryError),
        ("fifo", ValueError),
        ("null", ValueError),
        ("zero", ValueError),
        ("socket", OSError),
        ("loop", OSError),
        ("below", NotADirectoryError),
        ("nowhere", FileNotFoundError),
        ("long", OSError),
    ],
)
@pytest.mark.parametrize("names", [None, ["hits"]])
def test_what_is_no_regular_file(
    name: str, error: type[Exception], names: list[str] | None, special: dict[str, Path]
) -> None:
    before = sorted(special["directory"].parent.iterdir())
    descriptors = len(os.listdir("/dev/fd"))
    with pytest.raises(error) as caught:
        jt.Counters(names, path=special[name])
    text = str(caught.value)
    assert str(special[name]) in text
    if error is ValueError:
        assert "no regular file, and counters need one; give another path" in text
    del caught  # whose traceback has what was opened
    assert len(os.listdir("/dev/fd")) == descriptors
    assert sorted(special["directory"].parent.iterdir()) == before


def test_paths_that_are_none() -> None:
    paths: list[Any] = [3, [], 1.5]
    for path in paths:
        with pytest.raises(TypeError):
            jt.Counters(["hits"], path=path)
    with pytest.raises(ValueError, match="null"):
        jt.Counters(["hits"], path="a\0b")


UNPRIVILEGED = """
folder = os.path.dirname(path)
for name, mode in (("good", 0o666), ("secret", 0), ("readable", 0o444), ("writable", 0o222)):
    jt.Counters(["hits"], path=f"{folder}/{name}").hits.add(1)
    os.chmod(f"{folder}/{name}", mode)
os.mkdir(folder + "/locked", 0o700)
before = sorted(os.listdir(folder))
os.chmod(folder, 0o755)
os.setuid(65534)
descriptors = len(os.listdir("/dev/fd"))
for name in ("secret", "readable", "writable", "new", "locked/new"):
    for names in (["hits"], None):
        try:
            jt.Counters(names, path=f"{folder}/{name}")
        except FileNotFoundError:
            assert (name, names) == ("new", None)
        except PermissionError as error:
            assert error.filename == f"{folder}/{name}" and error.filename2 is None, error
        else:
            raise AssertionError(name)
assert sorted(os.listdir(folder)) == before
assert len(os.listdir("/dev/fd")) == descriptors
stats = jt.Counters(path=folder + "/good")
stats.hits.add(1)
assert stats.hits.value == 2
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to drop it")
def test_no_permission(run_python: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        run_program(run_python, UNPRIVILEGED, Path(folder) / "stats")


FULL = """
import errno, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = os.path.dirname(path)

def limited(size, *names):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    before, descriptors = os.listdir(folder), len(os.listdir("/dev/fd"))
    try:
        jt.Counters(*names, path=path)
    except OSError as error:
        assert error.errno == errno.EFBIG and error.filename == path, error
        assert error.filename2 is None
    else:
        raise AssertionError
    assert os.listdir(folder) == before and len(os.listdir("/dev/fd")) == descriptors

for size in (0, 100, PAGE - 1):
    in_child(limited, size, ["hits"])
    assert os.listdir(folder) == []
stats = jt.Counters(["hits"], path=path)
stats.hits.add(5)
size = os.path.getsize(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
in_child(limited, size)
in_child(limited, size, ["hits"])
assert os.path.getsize(path) == size and stats.hits.value == 5

def forked():
    # No room for a slab of its own: it shares its parent's, and no add is lost.
    in_child(lambda: [stats.hits.add(1) for _ in range(20_000)])

children = [child(forked) for _ in range(3)]
for _ in range(20_000): stats.hits.add(1)
for pid in children: ended(pid)
assert stats.hits.value == 80_005 and os.path.getsize(path) == size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
in_child(adding, 10)
assert (stats.hits.value, len(slabs())) == (80_015, 3), slabs()
"""


@needs_fork
def test_a_limit_on_sizes(path: Path, run_python: Run) -> None:
    run_program(run_python, FULL, path)


DISK = """
import ctypes, errno
folder = os.path.dirname(path)
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(0x00020000)  # mounts of its own
if libc.mount(b"none", b"/", None, 0x44000, None) or libc.mount(
        b"none", folder.encode(), b"tmpfs", 0, f"size={5 * PAGE}".encode()):
    print("no mounts here")
    raise SystemExit(0)
kept = []
try:
    while True:
        kept.append(jt.Counters(["hits"], path=path))
        kept[-1].hits.add(1)
except OSError as error:
    assert error.errno == errno.ENOSPC and error.filename == path, error
assert len(kept) == 4 and os.listdir(folder) == ["stats"]
assert kept[0].hits.value == 4
for stats in kept: stats.hits.add(1)
assert kept[3].hits.value == 8
in_child(lambda: kept[2].hits.add(10))
assert kept[0].hits.value == 18
try:
    jt.Counters(["hits"], path=path + "2")
except OSError as error:
    assert error.errno == errno.ENOSPC and error.filename == path + "2", error
assert os.listdir(folder) == ["stats"]
# The same disk, read-only.
del kept, stats
if os.path.exists("/proc/self/fd") and not libc.mount(
        b"none", folder.encode(), b"tmpfs", 0x21, None):
    for name in (path, path + "3"):
        try:
            jt.Counters(["hits"], path=name)
        except OSError as error:
            assert error.errno == errno.EROFS and error.filename == name, error
        else:
            raise AssertionError
    print("read-only")
"""


@needs_fork
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs mounts")
def test_a_full_disk(path: Path, run_python: Run) -> None:
    said = run_program(run_python, DISK, path)
    if "no mounts here" in said:
        pytest.skip("mounting is not allowed")
