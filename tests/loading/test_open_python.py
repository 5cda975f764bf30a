"""Opening Python modules and objects."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import textwrap
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Run

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module of a fresh name to a folder that is on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write_module(name: str, text: str) -> str:
        unique = f"{name}_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{unique}.py").write_text(text)
        return unique

    yield write_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module(write: Write, tmp_path: Path) -> None:
    name = write("plain", "def apply(x): return x + 1\nVERSION = 3\n")
    plugin = jt.open(name)
    assert (plugin.name, plugin.kind) == (name, "python")
    assert plugin.path == os.path.realpath(tmp_path / f"{name}.py")
    assert plugin.init_seconds > 0
    module = sys.modules[name]
    assert plugin.lookup("apply") is module.apply
    assert plugin.lookup("VERSION") == 3
    assert jt.open(name) is plugin
    assert jt.open(module) is plugin


def test_an_object_in_a_module(write: Write) -> None:
    name = write("holder", "class Filter:\n    class Inner:\n        def apply(self): pass\n")
    plugin = jt.open(f"{name}:Filter")
    module = sys.modules[name]
    assert plugin.lookup("Inner") is module.Filter.Inner
    assert jt.open(f"{name}:Filter") is plugin
    assert jt.open(f"{name}:Filter.Inner").lookup("apply") is module.Filter.Inner.apply
    assert jt.open(name) is not plugin


def test_entry_points(write: Write) -> None:
    name = write("entered", "class Filter: pass\n")
    for value, target in ((f"{name}:Filter", f"{name}:Filter"), (name, name),
                          (f"{name}:Filter [extra]", f"{name}:Filter")):  # fmt: skip
        entry_point = importlib.metadata.EntryPoint("f", value, "group")
        assert jt.open(entry_point) is jt.open(target)


def test_a_module_by_two_names_is_one_plugin() -> None:
    assert jt.open("os.path") is jt.open(os.path.__name__) is jt.open(os.path)


def test_a_module_that_was_never_imported() -> None:
    module = types.ModuleType("made_up")
    module.apply = abs  # type: ignore[attr-defined]
    plugin = jt.open(module)
    assert plugin.lookup("apply") is abs
    assert plugin.path is None
    assert jt.open(module) is plugin
    with pytest.raises(jt.PluginNotFoundError):
        jt.open("made_up")
    assert jt.open(types.ModuleType("made_up")) is not plugin


def test_an_extension_module_is_opened_by_its_name() -> None:
    plugin = jt.open("jumptable.loading.plugin")
    assert plugin.kind == "python"
    assert plugin.lookup("Plugin") is jt.Plugin


def test_modules_that_are_not_there(write: Write) -> None:
    name = write("there", "")
    for missing, hint in (
        (name[:-1], f"did you mean '{name}'"),
        ("no_such_package.module", "there is no module 'no_such_package'"),
        (f"{name}.child", f"'{name}' is a module, and no package"),
        ("json.decoderr", "did you mean 'decoder'"),
        (f"{name}.py", f"a module is opened by its name, without '.py': '{name}'"),
    ):
        with pytest.raises(jt.PluginNotFoundError, match=hint) as raised:
            jt.open(missing)
        assert isinstance(raised.value, ModuleNotFoundError)
        assert not isinstance(raised.value, FileNotFoundError)
        assert raised.value.target == missing
        assert raised.value.name


@pytest.mark.parametrize(
    "target", ["", " ", "a b", ".relative", "os:", ":os", "os.", "1x", "os\0", "\ud800", "x" * 300]
)
def test_targets_that_name_nothing(target: str) -> None:
    with pytest.raises(jt.PluginNotFoundError) as raised:
        jt.open(target)
    assert isinstance(raised.value, ModuleNotFoundError)


def test_attributes_that_are_not_there(write: Write) -> None:
    name = write("lacking", "class Filter: pass\n")
    with pytest.raises(
        jt.SymbolNotFoundError, match="has no attribute 'Fliter'; did you mean 'Filt"
    ):
        jt.open(f"{name}:Fliter")
    with pytest.raises(AttributeError, match="did you mean 'Filter'"):
        jt.open(name).lookup("Filtre")
    with pytest.raises(jt.SignatureError, match="leave out the signature"):
        jt.open(name).lookup("Filter", "double(double)")


def test_a_missing_import_is_a_dependency(write: Write) -> None:
    name = write("needing", "import no_such_library_at_all.part\n")
    with pytest.raises(
        jt.PluginDependencyError, match="imports 'no_such_library_at_all'"
    ) as raised:
        jt.open(name)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("text", "cause", "message"),
    [
        ("1 / 0", ZeroDivisionError, "raised ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", SystemExit, "exited: 3"),
        ("def broken(:", SyntaxError, "raised SyntaxError"),
        ("import sys; sys.modules.pop(__name__)", KeyError, "raised KeyError"),
    ],
)
def test_an_import_that_fails(
    write: Write, text: str, cause: type[BaseException], message: str
) -> None:
    name = write("failing", text)
    with pytest.raises(jt.PluginInitError, match=message) as raised:
        jt.open(name)
    assert isinstance(raised.value.__cause__, cause)
    assert raised.value.target == name


def test_ctrl_c_passes_through(write: Write) -> None:
    name = write("interrupted", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        jt.open(name)


def test_a_module_that_works_the_second_time(write: Write) -> None:
    name = write("flaky", "import sys\nif not hasattr(sys, __name__):\n"
                 "    setattr(sys, __name__, 1); raise RuntimeError('not yet')\n")  # fmt: skip
    with pytest.raises(jt.PluginInitError, match="not yet"):
        jt.open(name)
    assert jt.open(name).name == name


def test_a_module_that_opens_itself(write: Write) -> None:
    name = write("selfish", "import jumptable\nME = jumptable.open(__name__)\nAPPLY = abs\n")
    plugin = jt.open(name)
    assert plugin.lookup("ME") is plugin
    assert plugin.lookup("APPLY") is abs
    assert jt.open(name) is plugin


def test_a_module_that_opens_itself_and_fails(write: Write) -> None:
    text = "import sys, jumptable\nsys.opened = jumptable.open(__name__)\n1 / 0\n"
    name = write("doomed", text)
    with pytest.raises(jt.PluginInitError):
        jt.open(name)
    doomed = sys.opened  # type: ignore[attr-defined]
    with pytest.raises(jt.PluginInitError):
        jt.open(name)
    assert sys.opened is not doomed  # type: ignore[attr-defined]


def test_modules_that_open_each_other(write: Write) -> None:
    first, second = write("first", ""), write("second", "")
    write("first", f"import jumptable\nOTHER = jumptable.open({second!r})\n")
    write("second", f"import jumptable\nOTHER = jumptable.open({first!r})\n")
    one, two = jt.open(first), jt.open(second)
    assert one.lookup("OTHER") is two
    assert two.lookup("OTHER") is one


def test_racing_threads_import_once(write: Write) -> None:
    name = write("slow", "import sys, time\ntime.sleep(0.05)\n"
                 "sys.slow_imports = getattr(sys, 'slow_imports', 0) + 1\nDONE = 1\n")  # fmt: skip
    barrier = threading.Barrier(32)
    plugins = []

    def race() -> None:
        barrier.wait()
        plugin = jt.open(name)
        assert plugin.lookup("DONE") == 1
        plugins.append(plugin)

    threads = [threading.Thread(target=race) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plugins) == 32
    assert len(set(map(id, plugins))) == 1
    assert sys.slow_imports == 1  # type: ignore[attr-defined]


def test_a_module_whose_attributes_raise(write: Write) -> None:
    name = write("dynamic", "def __getattr__(name):\n    raise RuntimeError(name)\n")
    with pytest.raises(jt.PluginInitError, match="reading 'apply' of .* RuntimeError") as raised:
        jt.open(name).lookup("apply")
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_an_interrupted_import_can_be_repeated(run_python: Run, tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(
        "import signal, sys\n"
        "if not hasattr(sys, 'interrupted'):\n"
        "    sys.interrupted = True\n"
        "    signal.raise_signal(signal.SIGINT)\n"
    )
    program = """
import sys, jumptable as jt
sys.path.insert(0, sys.argv[1])
try:
    jt.open("waiting")
except KeyboardInterrupt:
    print("interrupted", "waiting" in sys.modules)
print(jt.open("waiting").name)
"""
    assert run_python(program, tmp_path).stdout == "interrupted False\nwaiting\n"


def test_names_that_only_importlib_can_import(write: Write, tmp_path: Path) -> None:
    for name in ("0001_initial", "my-module"):
        (tmp_path / f"{name}.py").write_text("class Filter: pass")
        assert jt.open(name).kind == "python"
        assert jt.open(f"{name}:Filter") is jt.open(f"{name}:Filter")


def test_entry_points_with_spaces(write: Write) -> None:
    name = write("spaced", "class Filter: pass\n")
    entry_point = importlib.metadata.EntryPoint("f", f"{name} : Filter", "group")
    assert jt.open(entry_point) is jt.open(f"{name}:Filter")


def test_a_module_by_an_attribute_is_that_module() -> None:
    assert jt.open("json:decoder") is jt.open("json.decoder")
    assert jt.open("json:decoder") is jt.open("json:decoder")


MISBEHAVING = {
    "lazy": """
        import sys
        class Lazy:
            def __getattr__(self, name): raise RuntimeError(name)
        sys.modules[__name__] = Lazy()
    """,
    "no_path": """
        __file__ = "a\\0b"
    """,
    "surrogate_path": """
        __file__ = "\\ud800"
    """,
    "spec": """
        class Spec:
            def __getattr__(self, name): raise RuntimeError(name)
        __spec__ = Spec()
    """,
}


@pytest.mark.parametrize("kind", MISBEHAVING)
def test_modules_that_misbehave_are_opened(write: Write, kind: str) -> None:
    name = write(kind, textwrap.dedent(MISBEHAVING[kind]))
    plugin = jt.open(name)
    assert plugin.kind == "python"
    assert plugin.path is None or plugin.path.endswith(".py")


def test_exceptions_that_cannot_be_shown(write: Write) -> None:
    text = "class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute\n"
    with pytest.raises(jt.PluginInitError, match="raised Mute;"):
        jt.open(write("mute", text))


def test_a_path_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, 3, None])
    with pytest.raises(jt.PluginNotFoundError):
        jt.open("no_such_module_at_all")


def test_a_plugin_that_says_itself_what_it_lacks(write: Write) -> None:
    name = write("telling", "raise ModuleNotFoundError('please install the foo extra')")
    with pytest.raises(jt.PluginDependencyError, match="please install the foo extra"):
        jt.open(name)


def test_an_extension_module_that_lacks_a_library(write: Write) -> None:
    text = "raise ImportError('libfoo.so.1: cannot open shared object file: No such file')"
    with pytest.raises(jt.PluginDependencyError, match=r"needs the library 'libfoo\.so\.1'"):
        jt.open(write("lacking", text))
    with pytest.raises(jt.PluginInitError, match="raised ImportError: cannot import name"):
        jt.open(write("circular", "from os import nothing_of_that_name"))


@pytest.mark.thread_unsafe(reason="hears the events of all threads")
def test_opening_a_module_is_audited() -> None:
    seen = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "jumptable.open" and arguments[0] == "audited":
            seen.append(arguments)

    sys.addaudithook(hook)
    module = types.ModuleType("audited")
    jt.open(module)
    jt.open(module)
    assert seen == [("audited",)]
