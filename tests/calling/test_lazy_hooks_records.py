"""What is recorded of lazily loaded plugins, and that no record that is out of date is believed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import pytest

import jumptable.pluggy as jumptable_pluggy
from jumptable.calling import hookrecords
from jumptable.calling.lazyhooks import StandIn
from jumptable.loading import cache
from tests.calling.lazy_site import GROUP, HEAD, Site, outcome, site

__all__ = ["site"]  # a fixture

pytestmark = pytest.mark.thread_unsafe(reason="it has its own sys.path")

ONE = "@hookimpl\ndef each(value): return 'one'\n"
OTHER = "@hookimpl(tryfirst=True)\ndef each(value, more): return (value, more)\n"
RUN = f"""
import sys
import events
import jumptable.pluggy as pluggy
from jumptable.calling import hookrecords
hookrecords.SETTLED_NS = %s
manager = pluggy.PluginManager("app")
count = manager.load_setuptools_entrypoints({GROUP!r}, lazy=True)
print(count, [*events.log], manager.hook.each(value=1), events.log)
"""


def test_runs_are_processes(site: Site) -> None:
    """The first loads it, the second does not; and what has just been installed is not recorded."""
    (site.folder / "events.py").write_text("log = []\n")
    site.install("one", {"one.py": ONE}, {"one": "one"})
    path = f"import sys; sys.path.insert(0, {str(site.folder)!r})\n"
    early = path + RUN % "10**18"
    code = path + RUN % "0"
    loaded = "1 ['import one'] ['one'] ['import one']\n"
    assert [site.process(early) for _ in range(2)] == [loaded, loaded]
    assert [site.process(code) for _ in range(2)] == [loaded, "1 [] ['one'] ['import one']\n"]


# ---- what makes a record stale --------------------------------------------------------------


@pytest.fixture
def package(site: Site) -> Site:
    """A package that registers what its modules are found to implement, and a base elsewhere."""
    modules = {
        "one/__init__.py": "",
        "one/plugins/__init__.py": "",
        "one/plugins/main.py": "import pkgutil\nfrom base import Base\nfrom mixin import Mixin\n"
        "from . import __path__\nclass Plugin(Base, Mixin): pass\n"
        "for _, name, _ in pkgutil.iter_modules(__path__):\n"
        "    if name != 'main':\n"
        "        part = __import__(f'one.plugins.{name}', fromlist=['each'])\n"
        "        Plugin.each = staticmethod(part.each)\n"
        "plugin = Plugin()\n",
        "one/plugins/part.py": ONE,
        "mixin.py": "class Mixin: pass\n",
        "base.py": "class Base:\n    @hookimpl\n    def other(self): return 'base'\n",
    }
    site.install("one", modules, {"one": "one.plugins.main:plugin"})
    site.plugin("two", "@hookimpl\ndef each(value): return 'two'\n")
    return site


def edit(path: str, code: str, site: Site) -> None:
    site.write(path, code)


def edit_unnoticed(site: Site) -> None:
    """With the times and the size that it had."""
    path = site.folder / "one/plugins/part.py"
    times = os.stat(path)
    site.pass_time()
    code = path.read_text()
    path.write_text(code.replace("def each(value)", "def each(more )"))
    assert len(path.read_text()) == len(code) and path.read_text() != code
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def upgrade(site: Site) -> None:
    site.uninstall("one")
    plugins = {"one": "one.plugins.main:plugin"}
    site.install("one", {"one/plugins/part.py": OTHER}, plugins, version="2")


def rename(site: Site) -> None:
    site.uninstall("one")
    site.install("one", {}, {"another": "one.plugins.main:plugin"}, version="2")


def point_elsewhere(site: Site) -> None:
    info = site.folder / "one-1.dist-info/entry_points.txt"
    info.write_text(info.read_text().replace("one.plugins.main:plugin", "one.plugins.part"))


def point_beside(site: Site) -> None:
    info = site.folder / "one-1.dist-info/entry_points.txt"
    info.write_text(info.read_text().replace("main:plugin", "main:Base"))


def shadow(site: Site) -> None:
    before = site.folder.parent / "before"
    (before / "one/plugins").mkdir(parents=True)
    for name, code in (("__init__", ""), ("plugins/__init__", ""), ("plugins/main", OTHER)):
        (before / f"one/{name}.py").write_text(HEAD + code)
    with open(before / "one/plugins/main.py", "a") as file:
        file.write("import sys\nplugin = sys.modules[__name__]\n")
    site.monkeypatch.setattr(sys, "path", [str(before), *sys.path])


def shadow_within(site: Site) -> None:
    """A package takes precedence over the module of its name."""
    code = f"{OTHER}import sys\nplugin = sys.modules[__name__]\n"
    site.write("one/plugins/main/__init__.py", code)


class Finder:
    """Finds the module in another file than the path's."""

    def __init__(self, site: Site, error: Exception | None = None) -> None:
        self.site, self.error = site, error
        self.elsewhere = site.folder.parent / "found"
        self.elsewhere.mkdir()
        code = f"{HEAD}{OTHER}import sys\nplugin = sys.modules[__name__]\n"
        (self.elsewhere / "main.py").write_text(code)

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != "one.plugins.main":
            return None
        if self.error:
            raise self.error
        spec = PathFinder.find_spec("main", [str(self.elsewhere)])
        assert spec is not None and spec.origin is not None
        import importlib.util

        return importlib.util.spec_from_file_location(name, spec.origin)


def put_finder(site: Site, error: Exception | None = None) -> None:
    site.monkeypatch.setattr(sys, "meta_path", [Finder(site, error), *sys.meta_path])


CHANGES: dict[str, Callable[[Site], None]] = {
    "edited": partial(edit, "one/plugins/part.py", OTHER),
    "edited without a trace": edit_unnoticed,
    "package edited": partial(edit, "one/__init__.py", "import one.none"),
    "base edited": partial(
        edit, "base.py", "class Base:\n    @hookimpl\n    def first(self): return 'new base'\n"
    ),
    "mixin edited": partial(
        edit, "mixin.py", "class Mixin:\n    @hookimpl\n    def first(self): return 'mixin'\n"
    ),
    "module added": partial(edit, "one/plugins/zlast.py", OTHER),
    "module removed": lambda site: (site.folder / "one/plugins/part.py").unlink(),
    "main removed": lambda site: (site.folder / "one/plugins/main.py").unlink(),
    "upgraded": upgrade,
    "renamed": rename,
    "uninstalled": lambda site: site.uninstall("one"),
    "points elsewhere": point_elsewhere,
    "points beside": point_beside,
    "shadowed": shadow,
    "shadowed within": shadow_within,
    "found elsewhere": put_finder,
    "finder fails": partial(put_finder, error=ImportError("no")),
}


def everything(make: Callable[[], Any]) -> Any:
    manager = make()
    calls = [
        outcome(partial(manager.hook.each, value=1, more=2)),
        outcome(partial(manager.hook.first, value=1)),
        outcome(partial(manager.hook.other, value=1)),
    ]
    return calls, [name for name, _ in manager.list_name_plugin()]


@pytest.mark.filterwarnings("error::RuntimeWarning")  # which says that it came too late
@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_loaded(package: Site, change: str) -> None:
    """At once, and everything is as in stock; then it is recorded again."""
    before = everything(package.lazy)
    CHANGES[change](package)
    results = [outcome(partial(everything, make)) for make in (package.run, package.stock)]
    assert results[0] == results[1]
    assert results[0] != before or change == "edited without a trace"
    assert outcome(partial(everything, package.run)) == results[1]


def test_what_is_noticed_is_noticed_when_plugins_are_loaded(package: Site) -> None:
    """Not when a hook is called: an error comes where stock has it."""
    package.lazy()
    package.write("one/plugins/part.py", "raise OSError('no')")
    for make in (package.run, package.stock):
        with pytest.raises(OSError, match="no"):
            make()
    package.write("one/plugins/part.py", OTHER)
    package.run()
    assert "one.plugins.main" in package.imported()
    manager = package.run()
    assert package.imported() == [] and manager.hook.each(value=1, more=2) == [(1, 2), "two"]


@pytest.mark.parametrize("path", ["one/plugins/part.py", "one/data", "one-1.dist-info/METADATA"])
def test_a_change_of_this_run_is_not_recorded(package: Site, path: str) -> None:
    """Who knows whether the module was imported before or after it."""
    package.start()
    package.pass_time()
    package.write(path, OTHER)
    manager = jumptable_pluggy.PluginManager("app")
    manager.load_setuptools_entrypoints(GROUP, lazy=True)
    package.run()
    assert "one.plugins.main" in package.imported() and "two" not in package.imported()
    package.run()
    assert package.imported() == []


def test_what_was_imported_before_this_package_is_not_recorded(site: Site) -> None:
    """It may have changed since, longer ago than this package knows."""
    site.plugin("one", ONE)
    site.run()
    site.start()
    (site.folder.parent / "cache").rename(site.folder.parent / "forgotten")
    __import__("one")
    site.monkeypatch.setattr(hookrecords, "IMPORTED_BEFORE", frozenset(sys.modules))
    for _ in range(2):
        manager = jumptable_pluggy.PluginManager("app")
        manager.load_setuptools_entrypoints(GROUP, lazy=True)
        assert manager.hook.each(value=1) == ["one"]
    site.run()
    assert site.imported() == ["one"]


@pytest.mark.parametrize("plugins", [["one"], ["one", "two"]])
def test_a_module_beside_the_package_decides_what_is_implemented(
    site: Site, plugins: list[str]
) -> None:
    """Nothing but the import says that it matters; and the second plugin's does not."""
    code = "from settings import IS_ON\nif IS_ON:\n    @hookimpl\n    def other(): return 3\n"
    site.write("settings.py", "IS_ON = False\n")
    modules = {f"{name}.py": ONE + code for name in plugins}
    site.install("one", modules, {name: name for name in plugins})
    assert site.lazy().hook.other(value=1) == []
    site.write("settings.py", "IS_ON = True\n")
    assert site.run().hook.other(value=1) == [3] * len(plugins) == site.stock().hook.other(value=1)


def test_one_that_is_imported_already_is_not_waited_with(package: Site) -> None:
    package.lazy()
    package.start()
    import one.plugins.main as plugin  # type: ignore[import-not-found]

    manager = jumptable_pluggy.PluginManager("app")
    manager.load_setuptools_entrypoints(GROUP, lazy=True)
    kinds = {name: type(each) for name, each in manager._name2plugin.items()}
    assert kinds == {"one": plugin.Plugin, "two": StandIn}


def test_another_distribution_with_the_same_entry_point(site: Site) -> None:
    site.plugin("one", ONE)
    site.lazy()
    before = site.folder.parent / "before"
    shutil.copytree(site.folder / "one-1.dist-info", before / "one-2.dist-info")
    site.monkeypatch.setattr(sys, "path", [str(before), *sys.path])
    site.run()
    assert site.imported() == ["one"]
    site.run()
    assert site.imported() == []


def test_a_namespace_package(site: Site) -> None:
    site.install("one", {"space/one.py": ONE}, {"one": "space.one"})
    assert site.lazy().hook.each(value=1, more=2) == ["one"]


def test_a_zip_is_loaded(site: Site) -> None:
    site.plugin("one", ONE)
    archive = site.folder.parent / "site.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in site.folder.rglob("*"):
            if path.is_file():
                file.write(path, path.relative_to(site.folder))
    site.monkeypatch.setattr(sys, "path", [str(archive), *sys.path[1:]])
    for _ in range(2):
        assert site.run().hook.each(value=1, more=2) == ["one"]
        assert site.imported() == ["one"]


# ---- the file -------------------------------------------------------------------------------


def record_file(site: Site) -> Path:
    (found,) = (site.folder.parent / "cache").glob("hooks-*")
    return found


def replace(document: Any, *path: Any, by: Any) -> Any:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = by


DAMAGES: dict[str, Callable[[Any], Any]] = {
    "no list": lambda document: 5,
    "empty": lambda document: [],
    "another pluggy": lambda document: replace(document, 0, -1, by=[1, 2, 3, 4]),
    "another version": lambda document: replace(document, 0, 3, by="3"),
    "no entries": lambda document: replace(document, 1, by=None),
    "no record": lambda document: replace(document, 1, "one", by=None),
    "short record": lambda document: document[1]["one"].pop(),
    "no value": lambda document: replace(document, 1, "one", 0, by=5),
    "no origins": lambda document: replace(document, 1, "one", 2, by=5),
    "no files": lambda document: replace(document, 1, "one", 3, by=[]),
    "odd files": lambda document: replace(document, 1, "one", 3, by={"x": ["y"]}),
    "odd folders": lambda document: replace(document, 1, "one", 4, by={"x": [5]}),
    "odd holders": lambda document: replace(document, 1, "one", 5, by=[5]),
    "odd hooks": lambda document: replace(document, 1, "one", 6, by=[5]),
    "odd hook": lambda document: replace(document, 1, "one", 6, 0, 0, by=5),
    "odd options": lambda document: replace(document, 1, "one", 6, 0, 1, "wrapper", by=5),
    "no options": lambda document: replace(document, 1, "one", 6, 0, 1, by={}),
    "odd names": lambda document: replace(document, 1, "one", 6, 0, 2, by=[5]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_says_something_else(site: Site, damage: str) -> None:
    """With a checksum that is right, as somebody else's program would write it."""
    site.plugin("one", ONE)
    site.lazy()
    name = record_file(site).name
    content = cache.read(name)
    assert content is not None
    document = json.loads(content)
    changed = DAMAGES[damage](document)
    document = changed if damage in ("no list", "empty") else document
    assert cache.write(name, json.dumps(document).encode())
    assert site.run().hook.each(value=1, more=2) == ["one"]
    assert site.imported() == ["one"]
    site.run()
    assert site.imported() == []


@pytest.mark.parametrize("content", [b"", b"\x00", b"[" * 100_000, b"\xff\xfe", b"{}"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_damaged_file(site: Site, content: bytes, whole: bool) -> None:
    site.plugin("one", ONE)
    site.lazy()
    if whole:
        assert cache.write(record_file(site).name, content)
    else:
        record_file(site).write_bytes(content)
    assert site.run().hook.each(value=1, more=2) == ["one"]
    assert site.imported() == ["one"]


def test_a_folder_that_cannot_be_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.plugin("one", ONE)
    monkeypatch.setenv(cache.VARIABLE, str(site.folder / "one.py/cache"))
    for _ in range(2):
        assert site.run().hook.each(value=1, more=2) == ["one"]
        assert site.imported() == ["one"]


def test_projects_and_groups_have_records_of_their_own(site: Site) -> None:
    site.plugin("one", ONE + "import pluggy\npluggy.HookimplMarker('zoo')(each)\n")
    site.lazy()
    site.start()
    manager = jumptable_pluggy.PluginManager("zoo")
    manager.load_setuptools_entrypoints(GROUP, lazy=True)
    assert site.imported() == ["one"] and manager.hook.each(value=2) == ["one"]
    assert len([*(site.folder.parent / "cache").glob("hooks-*")]) == 2


def test_what_was_not_asked_for_stays_on_record(site: Site) -> None:
    site.plugin("one", ONE)
    site.plugin("two", ONE)
    site.run()
    site.start()
    site.pass_time()
    site.write("two.py", OTHER)
    manager = jumptable_pluggy.PluginManager("app")
    manager.load_setuptools_entrypoints(GROUP, "two", lazy=True)
    assert site.imported() == ["two"]
    site.run()
    assert site.imported() == ["two"]  # it had changed in that run
    site.run()
    assert site.imported() == []
