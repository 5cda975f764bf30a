"""jt.entry_points beside importlib.metadata.entry_points: the same answers, errors and types."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import jumptable
from jumptable.loading import cache, entryindex, stats
from jumptable.loading.discovery import entry_points, with_hidden

from .distributions import (
    add_to_archive,
    expected,
    facts,
    in_new_process,
    install,
    outcome,
    with_all,
)  # fmt: skip

TOOLS = {"tools": [("one", "pkg.one:One"), ("two", "pkg:Two [extra]")], "other": [("x", "y")]}
pytestmark = pytest.mark.thread_unsafe(reason="sys.path is everybody's")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """sys.path with one folder, an index of its own, and files believed after 20 ms."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(entryindex, "MARGIN_NS", 20_000_000)
    monkeypatch.setattr(entryindex, "_known", {})
    (tmp_path / "site").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    return sys.path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


def settle() -> None:
    """Until what was just written is old enough to be believed."""
    time.sleep(0.04)


def same(**params: Any) -> None:
    """As importlib.metadata, from a scan, from memory, and from disk."""
    wanted = facts(expected(**params))
    assert facts(entry_points(**params)) == wanted
    settle()
    for _ in range(2):
        assert facts(entry_points(**params)) == wanted
    entryindex._known.clear()
    assert facts(entry_points(**params)) == wanted


def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of which entries the standard library is asked from now on."""
    asked: list[str] = []
    scan = entryindex.scan

    def noted(root: str, *rest: Any) -> Any:
        asked.append(root)
        return scan(root, *rest)

    monkeypatch.setattr(entryindex, "scan", noted)
    return asked


SELECTIONS: list[dict[str, Any]] = [
    {}, {"group": "tools"}, {"name": "one"}, {"group": "tools", "name": "two"}, {"group": "none"},
    {"value": "y"}, {"attr": "One"}, {"module": "pkg", "group": "tools"}, {"extras": ["extra"]},
    {"group": None}, {"group": 3},
]  # fmt: skip


@pytest.mark.parametrize("params", SELECTIONS, ids=str)
def test_selections(site: Path, params: dict[str, Any]) -> None:
    install(site, "pkg", groups=TOOLS)
    install(site, "second", groups={"other": [("z", "q:r")], "tools": [("one", "second:One")]})
    install(site, "without")
    install(site, "empty", groups={})
    same(**params)


def test_refused_arguments_are_refused_alike(site: Path) -> None:
    install(site, "pkg", groups=TOOLS)
    for params in ({"colour": 1}, {"group": "tools", "colour": 1}, {"colour": 2, "group": "tools"}):
        messages = []
        for function in (importlib.metadata.entry_points, entry_points, entry_points):
            with pytest.raises(AttributeError) as raised:
                function(**params)
            messages.append(str(raised.value))
        assert len(set(messages)) == 1
    with pytest.raises(TypeError, match=r"entry_points\(\) takes 0 positional arguments but 1 was"):
        entry_points("tools")  # type: ignore[call-arg]


def test_no_warnings(site: Path) -> None:
    install(site, "pkg", groups=TOOLS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            entry_points()
            entry_points(group="tools")


def test_loads(site: Path, path: list[str]) -> None:
    (site / "jt_loadable.py").write_text("thing = 42\n")
    install(site, "jt-loadable", groups={"g": [("n", "jt_loadable:thing")]})
    for _ in range(2):
        (point,) = entry_points(group="g")
        assert point.load() == 42
        assert point.dist is not None and point.dist.version == "1.0"


def test_order_within_and_between_groups(site: Path) -> None:
    info = install(site, "pkg", groups={})
    text = "[b]\nx = 1\n[a]\ny = 2\n[b]\nz = 3\nx = 4\n[]\nn = 5\n[:a]\nn = 6\n[0]\nq = 7\n"
    (info / "entry_points.txt").write_text("ignored = 1\n" + text)
    for group in ("b", "a", "", ":a", "0", "1", "\udc80", "b\n0", "b\n0\n15\n:a", "\n"):
        same(group=group)
    same()


def test_first_of_a_name_wins(site: Path, tmp_path: Path, path: list[str]) -> None:
    path.append(str(tmp_path / "later"))
    path.append(str(tmp_path / "last"))
    install(site, "Some.Pkg", "2.0", TOOLS)
    install(tmp_path / "later", "some_pkg", "1.0", {"tools": [("old", "a:b")]})
    install(tmp_path / "later", "more", "1.0", {"tools": [("more", "a:b")]})
    install(tmp_path / "last", "more", "0.1", {"tools": [("least", "a:b")]})
    install(tmp_path / "last", "some-pkg", "0.1", {"tools": [("least", "a:b")]})
    same(group="tools")
    same()
    path.reverse()
    same(group="tools")
    path.append(path[0])
    same(group="tools")


def test_two_versions_in_one_folder(site: Path) -> None:
    install(site, "pkg", "1.0", {"tools": [("old", "a:b")]})
    install(site, "pkg", "2.0", {"tools": [("new", "a:b")]})
    same(group="tools")
    for version in ("1.0", "2.0"):
        shutil.rmtree(site / f"pkg-{version}.dist-info")
        same(group="tools")


@pytest.mark.parametrize("hides", ["there", "folder", "nothing"])
def test_all_of_one_name_are_found_if_wanted(
    site: Path, tmp_path: Path, path: list[str], monkeypatch: pytest.MonkeyPatch, hides: str
) -> None:
    """Those too that are hidden by an earlier one, and what their lists come to say."""
    path.append(str(tmp_path / "later"))
    install(site, "pkg", "2.0", TOOLS)
    where = site if hides == "there" else tmp_path / "later"
    name = "more" if hides == "nothing" else "Pkg"
    hidden = install(where, name, "1.0", {"other": [("one", "a:b")], "tools": [("old", "a:b")]})
    for lines in ("[tools]\nnew = c\nnewer = d\n", "[tools]\n", "[tools]\n]broken"):
        for group in ("tools", "other", "tools\n0", "none"):
            wanted = outcome(with_all, group)
            assert outcome(with_hidden, group) == wanted
            settle()
            assert outcome(with_hidden, group) == wanted
            asked = scans(monkeypatch)
            assert outcome(with_hidden, group) == wanted
            entryindex._known.clear()
            assert outcome(with_hidden, group) == wanted
            assert not asked
        (hidden / "entry_points.txt").write_text(lines)
    assert isinstance(outcome(with_hidden, "tools")[-1], str)
    assert outcome(with_hidden, "tools") == outcome(with_all, "tools")


def test_distributions_are_named_by_a_file_if_not_by_their_folder(
    tmp_path: Path, path: list[str]
) -> None:
    for egg in ("one.egg", "two.EGG", "three-1.0-py3.11.egg", "not-an-eg"):
        install(tmp_path / egg, "named", groups={"tools": [(egg, "a:b")]}, folder="EGG-INFO")
        path.append(str(tmp_path / egg))
    path.append(str(tmp_path / "one.egg") + "/")
    for odd in ("Upper-1.0.DIST-INFO", "..dist-info", "-1.dist-info", "a.b.egg-info"):
        install(tmp_path / "odd", odd, groups={"tools": [(odd, "a:b")]}, folder=odd)
    path.append(str(tmp_path / "odd"))
    same(group="tools")
    same()
    for egg in ("one.egg", "two.EGG"):  # both were hidden, or hid others, by their name
        (tmp_path / egg / "EGG-INFO" / "PKG-INFO").write_text(f"Name: other-{egg}\nVersion: 3\n")
        same(group="tools")
    (tmp_path / "one.egg" / "EGG-INFO" / "METADATA").write_text("Name: again\nVersion: 3\n")
    same(group="tools")


@pytest.mark.parametrize("spelling", ["an.egg", "an.egg/", "AN.EGG", "./an.egg"])
def test_the_spelling_of_an_egg_matters(
    tmp_path: Path, path: list[str], spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a separator behind it, importlib.metadata does not see that it is one."""
    install(tmp_path / "an.egg", "named", groups=TOOLS, folder="EGG-INFO")
    install(tmp_path / "an.egg", "other", groups=TOOLS)
    monkeypatch.chdir(tmp_path)
    for entry in ("an.egg", spelling, "an.egg"):
        path[:] = [str(tmp_path / "an.egg"), entry]
        same(group="tools")
        path[:] = [entry]
        same(group="tools")


def test_what_is_hidden_by_its_name_can_get_another(tmp_path: Path, path: list[str]) -> None:
    egg = tmp_path / "an.egg"
    install(egg, "pkg", groups=TOOLS)
    install(egg, "pkg", groups={"tools": [("hidden", "a:b")]}, folder="EGG-INFO")
    path[:] = [str(egg)]
    same(group="tools")
    (egg / "EGG-INFO" / "PKG-INFO").write_text("Name: other\nVersion: 1\n")
    same(group="tools")
    (egg / "EGG-INFO" / "METADATA").write_text("Name: pkg\nVersion: 1\n")  # goes first
    same(group="tools")


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_what_the_standard_library_failed_to_list_is_not_remembered(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing about a failure, as for want of descriptors, and gives an empty list."""
    install(tmp_path / "folder", "pkg", groups=TOOLS)
    add_to_archive(tmp_path / "archive", "pkg", TOOLS)
    with monkeypatch.context() as patched:
        patched.setattr(entryindex, "listed", lambda root: [])
        assert entryindex.look_up(str(tmp_path / kind)) is None
    found = entryindex.look_up(str(tmp_path / kind))
    assert found is not None and found.names == {"pkg"}


def test_what_another_python_found_is_not_believed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "pkg", groups=TOOLS)
    settle()
    entry_points()
    (file,) = files(tmp_path)
    content = cache.read(file.name)
    assert content is not None
    version = f"{sys.hexversion:x}".encode()
    other = content.replace(version, version[::-1]).replace(b"pkg.one:One", b"pkg.bad:Bad")
    assert other != content and cache.write(file.name, other)
    entryindex._known.clear()
    same(group="tools")
    assert cache.read(file.name) == content


def test_a_nameless_distribution_is_the_standard_librarys_error(
    tmp_path: Path, path: list[str]
) -> None:
    install(tmp_path / "an.egg", "x", groups=TOOLS, folder="EGG-INFO")
    (tmp_path / "an.egg" / "EGG-INFO" / "PKG-INFO").write_text("Version: 1\n")
    path.append(str(tmp_path / "an.egg"))
    same_error(group="tools")


def failure(function: Any, params: dict[str, Any]) -> tuple[type, str] | None:
    try:
        function(**params)
    except Exception as error:
        return type(error), str(error)
    return None


def same_error(**params: Any) -> None:
    wanted = failure(expected, params)
    assert wanted is not None
    for _ in range(3):
        assert failure(entry_points, params) == wanted
        settle()


@pytest.mark.parametrize("content", [b"[g]\nno value\n", b"[g]\na = \xff\n"], ids=["line", "bytes"])
def test_an_invalid_list_raises_until_it_is_mended(site: Path, content: bytes) -> None:
    install(site, "before", groups=TOOLS)
    info = install(site, "pkg", groups=TOOLS)
    same(group="tools")
    (info / "entry_points.txt").write_bytes(content)
    same_error(group="tools")
    (info / "entry_points.txt").write_bytes(b"[tools]\na = b\n")
    same(group="tools")


def test_an_invalid_list_that_is_hidden_is_not_read(
    site: Path, tmp_path: Path, path: list[str]
) -> None:
    install(site, "pkg", groups=TOOLS)
    info = install(tmp_path / "later", "pkg", groups={})
    (info / "entry_points.txt").write_text("[g]\nno value\n")
    path.append(str(tmp_path / "later"))
    same(group="tools")
    path.reverse()
    same_error(group="tools")


def test_what_lies_in_a_folder_instead(site: Path) -> None:
    (site / "file.egg-info").write_text("Name: file\nVersion: 1\n")
    (site / "file2-1.dist-info").write_text("")
    (install(site, "folder") / "entry_points.txt").mkdir()
    install(site, "linked", groups=TOOLS).rename(site / "elsewhere")
    (site / "linked-1.0.dist-info").symlink_to("elsewhere")
    (site / "nowhere-1.0.dist-info").symlink_to("nothing")
    same()
    install(site, "nothing", folder="nothing", groups=TOOLS)
    same()
    (site / "file.egg-info").unlink()
    install(site, "file", folder="file.egg-info", groups=TOOLS)
    same()


def test_links(site: Path, tmp_path: Path) -> None:
    info = install(site, "pkg")
    target = tmp_path / "target.txt"
    (info / "entry_points.txt").symlink_to(target)
    same(group="g")
    target.write_text("[g]\na = b\n")
    same(group="g")
    target.write_text("[g]\na = c\n")
    same(group="g")
    target.unlink()
    same(group="g")
    (info / "entry_points.txt").unlink()
    (info / "entry_points.txt").symlink_to("entry_points.txt")
    same_error(group="g")


def test_names_that_are_not_utf8(site: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    info = site / f"{name}-1.0.dist-info"
    try:
        info.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    (info / "entry_points.txt").write_text("[tools]\ncafé = b\u00a0c\n", "utf-8")
    (info / "METADATA").write_text("Name: x\nVersion: 1\n")
    install(site, "new\nline", groups={"tools": [("a", "ü:é")]})
    same(group="tools")


def test_entries_that_hold_nothing(tmp_path: Path, path: list[str]) -> None:
    (tmp_path / "text").write_text("no archive")
    (tmp_path / "many").mkdir()
    for number in range(100):
        (tmp_path / "many" / f"module_{number}-info").mkdir()
    path += [str(tmp_path / name) for name in ("nothing", "text", "text/below", "many")]
    same()
    install(tmp_path / "nothing", "pkg", groups=TOOLS)
    install(tmp_path / "many", "more", groups=TOOLS)
    same()
    shutil.rmtree(tmp_path / "nothing")
    same()


@pytest.mark.parametrize("entry", ["nul\0", "\udfff", b"bytes", Path("a/path"), None, 3], ids=repr)
def test_entries_that_are_no_path(site: Path, path: list[Any], entry: Any) -> None:
    install(site, "pkg", groups=TOOLS)
    path.append(entry)
    if failure(expected, {"group": "tools"}):
        same_error(group="tools")
    else:
        same(group="tools")


@pytest.mark.parametrize("entry", ["", ".", "relative", "relative/", "./relative", "../up"])
def test_relative_entries(
    tmp_path: Path, path: list[str], entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path[:] = [entry]
    for number, folder in enumerate(("here", "there")):
        (tmp_path / folder / "deep" / "relative").mkdir(parents=True)
        for site in (tmp_path / folder / "deep", tmp_path / folder / "deep" / "relative",
                     tmp_path / folder / "up"):  # fmt: skip
            install(site, "pkg", groups={"tools": [(f"{site.name}{number}", "a:b")]})
    for _ in range(2):
        for folder in ("here", "there"):
            monkeypatch.chdir(tmp_path / folder / "deep")
            same(group="tools")
    in_new_process(path, tmp_path / "here" / "deep", [{}, {"group": "tools"}], 0)


@pytest.mark.parametrize("name", ["some.zip", "some-1.0-py3.egg"])
def test_archives(tmp_path: Path, path: list[str], name: str) -> None:
    archive = tmp_path / name
    path += [str(archive), f"{archive}/inner"]
    add_to_archive(archive, "pkg", TOOLS)
    add_to_archive(archive, "second", {"tools": [("n", "a:b")]})
    add_to_archive(archive, "in-egg", {"tools": [("egg", "a:b")]}, folder="EGG-INFO")
    for params in ({"group": "tools"}, {"group": "none"}, {}):
        same(**params)
    install(tmp_path / "site", "second", groups={"tools": [("in folder", "a:b")]})
    same(group="tools")
    add_to_archive(archive, "third", {"tools": [("n", "a:b")]})
    same(group="tools")
    archive.unlink()
    same(group="tools")
    with ZipFile(archive, "w") as empty:
        empty.writestr("module.py", "")
    same(group="tools")
    archive.unlink()
    install(archive, "folder", groups=TOOLS)
    same(group="tools")


class Finder:
    """A finder of its own, in front of or behind the standard library's."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked = 0

    def find_spec(self, *arguments: object) -> None:
        return None

    def find_distributions(self, context: Any) -> Iterator[Any]:
        self.asked += 1
        assert context.name is None and context.path is sys.path
        for name in self.names:
            yield Given(name)


class Given(importlib.metadata.Distribution):
    def __init__(self, name: str) -> None:
        self.given = name
        self._path = name

    def read_text(self, filename: str) -> str | None:
        if filename == "METADATA":
            return f"Name: {self.given}\nVersion: 7\n"
        return f"[tools]\ngiven = {self.given}:x\n" if filename == "entry_points.txt" else None

    def locate_file(self, path: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("position", [0, 99])
def test_other_finders_are_asked_each_time(
    site: Path, position: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "pkg", groups=TOOLS)
    install(site, "more", groups={"tools": [("more", "a:b")]})
    finder = Finder("pkg", "own")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    sys.meta_path.insert(position, finder)
    same(group="tools")
    same()
    finder.names = ("MORE",)
    same(group="tools")
    before = finder.asked
    entry_points(group="tools")
    assert finder.asked == before + 1


def test_a_standard_finder_that_was_replaced_or_removed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.machinery import PathFinder

    install(site, "pkg", groups=TOOLS)
    same()
    monkeypatch.setattr(PathFinder, "find_distributions", Finder("own").find_distributions)
    same()
    monkeypatch.setattr(PathFinder, "find_distributions", None)
    assert not list(entry_points(group="tools"))
    same()


def test_a_standard_library_without_what_is_relied_on(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "pkg", groups=TOOLS)
    asked = scans(monkeypatch)
    finder = importlib.metadata.MetadataPathFinder
    with monkeypatch.context() as patched:
        patched.delattr(finder, "invalidate_caches")
        assert facts(entry_points(group="tools")) == facts(
            importlib.metadata.entry_points(group="tools")
        )
    assert asked and not entryindex._known


def test_nothing_is_asked_while_nothing_changes(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "pkg", groups=TOOLS)
    (site / "some.egg-info").write_text("Name: some\nVersion: 1\n")
    settle()
    asked = scans(monkeypatch)
    entry_points(group="tools")
    assert asked == [str(site)]
    for params in ({}, {"group": "tools"}, {"name": "one"}):
        entry_points(**params)
        entryindex._known.clear()  # as in a new process
        entry_points(**params)
    assert asked == [str(site)]


def test_what_is_too_new_is_asked_again(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same size and time as before: nothing but the margin can tell."""
    monkeypatch.setattr(entryindex, "MARGIN_NS", 10**10)
    info = install(site, "pkg", groups={"tools": [("n", "one:a")]})
    asked = scans(monkeypatch)
    for _ in range(3):
        entry_points(group="tools")
    assert len(asked) == 3
    # What a file system with coarse times shows after a second write within one tick.
    file = info / "entry_points.txt"
    times = file.stat()
    real = stats.take
    frozen: dict[object, bytes] = {}

    def coarse(root: str, names: bytes = b"", follow: bool = True) -> bytes:
        return frozen.setdefault((root, names, follow), real(root, names, follow))

    monkeypatch.setattr(entryindex, "take", coarse)
    entry_points(group="tools")
    file.write_text(file.read_text().replace("one:a", "two:a"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [point.value for point in entry_points(group="tools")] == ["two:a"]


@pytest.mark.parametrize("ahead", [3600, 10])
def test_times_in_the_future_are_not_believed(
    site: Path, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = install(site, "pkg", groups=TOOLS)
    later = time.time() + ahead
    os.utime(info / "entry_points.txt", (later, later))
    settle()
    asked = scans(monkeypatch)
    for _ in range(3):
        entry_points(group="tools")
    assert len(asked) == 3


def test_only_what_changed_is_read_again(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [install(site, f"pkg{number}", groups=TOOLS) for number in range(5)]
    settle()
    entry_points(group="tools")
    read: list[str] = []
    declared = entryindex._declared

    def noted(distribution: Any) -> Any:
        read.append(str(distribution._path))
        return declared(distribution)

    monkeypatch.setattr(entryindex, "_declared", noted)
    (infos[2] / "entry_points.txt").write_text("[tools]\na = b\n")
    same(group="tools")
    assert set(read) == {str(infos[2])}
    read.clear()
    infos[3].rename(site / "pkg9-1.0.dist-info")
    same(group="tools")
    assert set(read) == {str(site / "pkg9-1.0.dist-info")}


def test_a_folder_that_cannot_be_listed_is_not_remembered_as_empty(
    site: Path, tmp_path: Path
) -> None:
    """Too many open files: the standard library says that nothing is there."""
    install(site, "pkg", groups=TOOLS)
    settle()
    program = """
import os, resource, sys
from importlib import metadata
import pathlib, zipfile, jumptable.loading.discovery as discovery
sys.path[:] = [sys.argv[1]]
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
assert not list(metadata.entry_points(group="tools"))
assert not list(discovery.entry_points(group="tools"))
for one in held:
    os.close(one)
assert len(discovery.entry_points(group="tools")) == 2
"""
    subprocess.run([sys.executable, "-c", program, str(site)], check=True)


def test_switched_off(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, "off")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    install(site, "pkg", groups=TOOLS)
    same()
    same(group="tools")
    assert not (tmp_path / "cache").exists() and not (tmp_path / "home").exists()


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").glob("entries-*"))


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "another", "unwritable", "foreign"])
def test_a_damaged_index_is_written_anew(
    site: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "pkg", groups=TOOLS)
    settle()
    entry_points()
    (file,) = files(tmp_path)
    content = file.read_bytes()
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        changed = bytes([content[middle] ^ 1])
        file.write_bytes(content[:middle] + changed + content[middle + 1 :])
    elif damage == "another":  # whole, and about something else
        install(tmp_path / "else", "wrong", groups={"tools": [("wrong", "a:b")]})
        monkeypatch.setattr(sys, "path", [str(tmp_path / "else")])
        settle()
        entry_points()
        (other,) = set(files(tmp_path)) - {file}
        other.replace(file)
        monkeypatch.setattr(sys, "path", [str(site)])
    elif damage == "unwritable":
        file.unlink()
        file.mkdir()
    else:
        (tmp_path / "cache").chmod(0o777)
    entryindex._known.clear()
    same(group="tools")
    asked = scans(monkeypatch)
    entryindex._known.clear()
    entry_points()
    assert bool(asked) == (damage in ("unwritable", "foreign"))


def test_the_index_does_not_grow_without_bound(
    tmp_path: Path, path: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entryindex, "MOST_FILES", 6)
    for number in range(20):
        site = tmp_path / f"site{number}"
        install(site, "pkg", groups=TOOLS)
        path[:] = [str(site)]
        settle()
        entry_points()
        if number % 2:
            shutil.rmtree(site)
    kept = files(tmp_path)
    assert 3 <= len(kept) <= 6
    assert any(b"site18" in file.read_bytes() for file in kept)


def test_many_threads(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        install(site, f"pkg{number}", groups={"tools": [(f"n{number}", "a:b")]})
    settle()
    wanted = facts(expected(group="tools"))
    everything = facts(expected())
    wrong: list[object] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        for turn in range(30):
            if turn % 10 == 0:
                entryindex._known.clear()
            if facts(entry_points(group="tools")) != wanted or facts(entry_points()) != everything:
                wrong.append(turn)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child(site: Path) -> None:
    install(site, "pkg", groups=TOOLS)
    same()
    child = os.fork()
    if child == 0:
        failed = 1
        try:
            install(site, "new", groups=TOOLS)
            failed = facts(entry_points()) != facts(expected())
        finally:
            os._exit(failed)
    assert os.waitpid(child, 0)[1] == 0
    same()


def test_importing_it_is_light() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import jumptable.loading.discovery; "
        "print(*sys.modules)"
    )
    folder = str(Path(jumptable.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", program, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heavy = {"importlib.metadata", "re", "typing", "pathlib", "json", "tempfile", "inspect"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a working directory that is in use")
@pytest.mark.parametrize("where", ["", ".", "below"])
def test_without_a_working_directory(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    install(site, "first", groups=TOOLS)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "path", [where, str(site)])
    same(group="tools")
    monkeypatch.setenv(cache.VARIABLE, "relative")
    entryindex._known.clear()
    assert len(entry_points(group="tools")) == 2
    assert cache.folder() is None


def test_times_beyond_64_bits(site: Path) -> None:
    install(site, "first", groups=TOOLS)
    for year in (2300, 2400):
        try:
            os.utime(site, (0, (year - 1970) * 31_556_952))
        except OSError:
            pytest.skip("the file system has no such times")
        same(group="tools")
        install(site, f"another_{year}", groups=TOOLS)
        os.utime(site, (0, (year - 1970) * 31_556_952))
        same(group="tools")
