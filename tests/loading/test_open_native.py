"""Opening native libraries: one Plugin for one file, and what is said of those that fail."""

from __future__ import annotations

import builtins
import ctypes.util
import os
import pathlib
import shutil
import sys
from pathlib import Path

import pytest

import jumptable as jt
from tests.conftest import Compile, Run


@pytest.fixture
def library(compile_plugin: Compile, tmp_path: Path) -> Path:
    """A file of its own for each test, so that nothing has opened it before."""
    return Path(shutil.copy(compile_plugin("basic"), tmp_path / "libown.so"))


def test_a_plugin(library: Path) -> None:
    plugin = jt.open(str(library))
    assert (plugin.name, plugin.kind) == ("libown.so", "native")
    assert plugin.path == os.path.realpath(library)
    assert plugin.init_seconds > 0
    assert repr(plugin) == f"<Plugin 'libown.so', native from {plugin.path!r}>"
    for attribute in ("name", "kind", "path", "init_seconds", "other"):
        with pytest.raises(AttributeError):
            setattr(plugin, attribute, 1)


def test_one_file_is_one_plugin(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "symlink.so").symlink_to("libown.so")
    (tmp_path / "loop").symlink_to(".")
    os.link(library, tmp_path / "hardlink.so")
    monkeypatch.chdir(tmp_path)
    plugin = jt.open(library)
    for spelling in (
        str(library),
        library,
        pathlib.PurePosixPath(library),
        "./libown.so",
        "sub/../libown.so",
        str(tmp_path / "sub" / ".." / "libown.so"),
        tmp_path / "symlink.so",
        tmp_path / "hardlink.so",
        tmp_path / "loop" / "loop" / "libown.so",
        Path("libown.so"),
    ):
        assert jt.open(spelling) is plugin
        assert jt.open(spelling) is plugin


def test_a_relative_path_follows_the_current_directory(
    compile_plugin: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(compile_plugin("basic"), tmp_path / name / "libsame.so")
        monkeypatch.chdir(tmp_path / name)
        plugins.append(jt.open("./libsame.so"))
        assert jt.open("./libsame.so") is plugins[-1]
    assert plugins[0] is not plugins[1]
    monkeypatch.chdir(tmp_path / "one")
    assert jt.open("./libsame.so") is plugins[0]


def test_copies_are_different_plugins(library: Path, tmp_path: Path) -> None:
    copy = shutil.copy(library, tmp_path / "copy.so")
    assert jt.open(library) is not jt.open(copy)
    calls = [jt.open(file).lookup("calls", "int") for file in (library, copy)]
    calls[0].value = 5
    assert calls[1].value == 0


def test_a_bare_name_is_the_loaders_to_find() -> None:
    name = ctypes.util.find_library("m")
    assert name is not None
    libm = jt.open(name)
    assert libm.path is not None
    assert jt.open(libm.path) is libm
    assert jt.open(name) is libm
    assert libm.lookup("hypot", "double(double, double)")(3.0, 4.0) == 5.0


def test_a_bare_name_is_not_looked_for_in_the_current_directory(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(jt.PluginNotFoundError, match=r"open '\./libown\.so'"):
        jt.open("libown.so")


def test_a_bare_name_on_the_library_path(library: Path, run_python: Run) -> None:
    program = """
import os, sys
if "again" not in sys.argv:
    os.environ["LD_LIBRARY_PATH"] = os.path.dirname(sys.argv[1])
    os.execv(sys.executable, [sys.executable, *sys.argv, "again"])
import jumptable as jt
plugin = jt.open("libown.so")
assert plugin is jt.open(sys.argv[1])
open(sys.argv[1] + ".so", "w").write("no library")
try:
    jt.open("libown.so.so")
except jt.PluginFormatError as error:
    print(error.target)
"""
    assert run_python(program, library).stdout == "libown.so.so\n"


BARE = """
import os, sys
if "again" not in sys.argv:
    os.environ["LD_LIBRARY_PATH"] = sys.argv[1]
    os.execv(sys.executable, [sys.executable, *sys.argv, "again"])
import jumptable as jt
from jumptable.loading.system import search_path
assert sys.argv[1] in "".join(search_path()), search_path()
"""


def test_truncated_libraries_on_the_library_path(library: Path, run_python: Run) -> None:
    """The loader itself dies of SIGBUS on most of these."""
    data = library.read_bytes()
    for cut in range(60):
        (library.parent / f"libcut{cut}.so").write_bytes(data[: len(data) * cut // 60])
    program = f"""{BARE}
for cut in range(60):
    try:
        jt.open(f"libcut{{cut}}.so")
    except jt.PluginFormatError as error:
        assert error.target == f"libcut{{cut}}.so"
    else:
        raise AssertionError(cut)
"""
    run_python(program, library.parent)


def test_a_pipe_on_the_library_path(tmp_path: Path, run_python: Run) -> None:
    os.mkfifo(tmp_path / "libpipe.so")
    program = f"""{BARE}
try:
    jt.open("libpipe.so")
except jt.PluginFormatError as error:
    print("pipe" in str(error))
"""
    assert run_python(program, tmp_path).stdout == "True\n"


def test_another_machines_library_on_the_library_path_is_passed_over(
    library: Path, tmp_path: Path, run_python: Run
) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    data = bytearray(library.read_bytes())
    shutil.copy(library, tmp_path / "second" / "libboth.so")
    data[18] ^= 0xFF  # e_machine
    (tmp_path / "first" / "libboth.so").write_bytes(data)
    program = f"{BARE}\nprint(jt.open('libboth.so').path)"
    path = f"{tmp_path}/first:{tmp_path}/second"
    program = program.replace('assert sys.argv[1] in "".join', "assert search_path() and ''.join")
    assert run_python(program, path).stdout == f"{os.path.realpath(tmp_path)}/second/libboth.so\n"


def test_a_relative_path_is_not_a_name(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (ctypes.util.find_library("m"), "json"):
        assert name is not None
        shutil.copy(library, tmp_path / name)
        other = jt.open(name)
        plugin = jt.open(Path(name))
        assert plugin is not other
        assert plugin.path == os.path.realpath(tmp_path / name)


@pytest.mark.parametrize("kind", ["fifo", "directory", "text", "empty", "truncated"])
def test_what_is_no_library(library: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing.so"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        data = {"text": b"print()\n", "empty": b"", "truncated": library.read_bytes()[:9000]}
        path.write_bytes(data[kind])
    with pytest.raises(jt.PluginFormatError) as raised:
        jt.open(path)
    assert raised.value.target == str(path)


@pytest.mark.thread_unsafe(reason="changes the file that it opens")
def test_another_machine(library: Path) -> None:
    data = bytearray(library.read_bytes())
    data[18] ^= 0xFF
    library.write_bytes(data)
    with pytest.raises(jt.PluginArchError, match="built for"):
        jt.open(library)


def test_a_dependency_that_uses_python(
    compile_plugin: Compile, python_flags: list[str], tmp_path: Path, run_python: Run
) -> None:
    """The library itself uses nothing of Python's; its dependency's constructor and function do."""
    needed = compile_plugin(
        "usingpython",
        """
        #include <Python.h>
        __attribute__((constructor)) static void construct(void) {
            PyRun_SimpleString("import sys; sys.constructed = True");
        }
        int fail(void) { PyErr_SetString(PyExc_KeyError, "from below"); return -1; }
        """,
        *python_flags,
    )
    user = compile_plugin(
        "indirect",
        "int fail(void); int use(void) { return fail(); }\n",
        f"-L{needed.parent}",
        "-lusingpython",
        f"-Wl,-rpath,{needed.parent}",
    )
    program = """
import sys, jumptable as jt
use = jt.open(sys.argv[1]).lookup("use", "int()")
try:
    use()
except KeyError as error:
    print(sys.constructed, error)
"""
    assert run_python(program, user).stdout == "True 'from below'\n"


def test_a_library_that_was_loaded_by_a_relative_path(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ctypes.CDLL("./libown.so")
    monkeypatch.chdir("/")
    assert jt.open(library).path == os.path.realpath(library)


@pytest.mark.thread_unsafe(reason="changes the file that it opens")
def test_a_library_that_was_loaded_by_another_and_replaced(
    compile_plugin: Compile, library: Path
) -> None:
    ctypes.CDLL(str(library))
    os.unlink(library)
    shutil.copy(compile_plugin("data"), library)
    with pytest.raises(jt.PluginTrustError, match="replaced on disk"):
        jt.open(library)


def test_a_library_whose_file_is_gone(compile_plugin: Compile, tmp_path: Path) -> None:
    text = "int answer(void) { return 42; }\n"
    named = compile_plugin("named", text, "-Wl,-soname,libgone.so.7")
    library = shutil.copy(named, tmp_path / "libgone.so.7")
    ctypes.CDLL(str(library))
    os.unlink(library)
    plugin = jt.open("libgone.so.7")
    assert plugin.lookup("answer", "int()")() == 42
    assert jt.open("libgone.so.7") is plugin


def test_a_repeated_open_asks_nobody(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No system call, no lock, no import machinery: their Python entry points are all broken."""
    from jumptable.loading import registry

    targets = [str(library), ctypes.util.find_library("m"), "json.decoder", "json:loads"]
    plugins = [jt.open(target) for target in targets if target]

    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("a repeated open must be a dictionary probe")

    class RefusingLock:
        __enter__ = __exit__ = refuse

    events: list[str] = []
    sys.addaudithook(lambda event, arguments: events.append(event) if recording else None)
    recording = False
    with monkeypatch.context() as patch:
        patch.setattr(registry, "_lock", RefusingLock())
        patch.setattr(registry, "examine", refuse)
        for name in ("stat", "lstat", "open", "fspath", "fsdecode", "getcwd"):
            patch.setattr(os, name, refuse)
        patch.setattr(builtins, "__import__", refuse)
        recording = True
        again = [jt.open(target) for target in targets if target]
        recording = False
    assert all(a is b for a, b in zip(again, plugins, strict=True))
    assert events == []


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "dangling.so").symlink_to("nothing.so")
    (tmp_path / "file").write_text("x")
    for path in ("missing.so", "no/such/folder.so", "dangling.so", "file/below.so", "a\0b.so"):
        with pytest.raises(jt.PluginNotFoundError) as raised:
            jt.open(f"{tmp_path}/{path}")
        assert isinstance(raised.value, FileNotFoundError)
        assert isinstance(raised.value, jt.PluginError)
        assert raised.value.target == f"{tmp_path}/{path}"
    for name in ("libnope.so.9", "libm.so.6\0.so", "\ud800.so", "x" * 300 + ".so"):
        with pytest.raises(FileNotFoundError) as missing:
            jt.open(name)
        assert repr(name) in str(missing.value)


def test_a_failed_open_leaves_nothing_behind(compile_plugin: Compile, tmp_path: Path) -> None:
    path = tmp_path / "later.so"
    with pytest.raises(jt.PluginNotFoundError):
        jt.open(path)
    path.write_bytes(b"not yet")
    with pytest.raises(jt.PluginFormatError):
        jt.open(path)
    os.unlink(path)
    shutil.copy(compile_plugin("basic"), path)
    assert jt.open(path).lookup("half", "double(double)")(3.0) == 1.5


@pytest.mark.thread_unsafe(reason="a process has one list of loaded libraries")
def test_a_missing_dependency_is_named(compile_plugin: Compile, tmp_path: Path) -> None:
    needed = compile_plugin("needed", "int needed(void) { return 1; }\n")
    user = compile_plugin(
        "user",
        "int needed(void); int use(void) { return needed(); }\n",
        f"-L{needed.parent}",
        "-lneeded",
        f"-Wl,-rpath,{tmp_path}",
    )
    with pytest.raises(jt.PluginDependencyError, match=r"needs the library 'libneeded\.so'"):
        jt.open(user)
    shutil.copy(needed, tmp_path)
    plugin = jt.open(user)
    assert plugin.lookup("use", "int()")() == 1
    with pytest.raises(jt.SymbolNotFoundError, match=r"no symbol 'needed' of its own; .*libneeded"):
        plugin.lookup("needed", "int()")


def test_an_undefined_symbol_is_named(compile_plugin: Compile) -> None:
    library = compile_plugin("undefined", "int nowhere(void); int f(void) { return nowhere(); }\n")
    with pytest.raises(jt.PluginDependencyError, match="needs the symbol 'nowhere'"):
        jt.open(library)


def test_a_constructor_that_raises(compile_plugin: Compile, python_flags: list[str]) -> None:
    """It runs once in a process, so the second open fails as the first did."""
    library = compile_plugin("raising", None, *python_flags)
    for _ in range(2):
        with pytest.raises(jt.PluginInitError, match="RuntimeError: from the constr") as raised:
            jt.open(library)
        assert isinstance(raised.value.__cause__, RuntimeError)


def test_ctrl_c_in_a_constructor_is_told_once(
    compile_plugin: Compile, python_flags: list[str]
) -> None:
    text = """
        #include <Python.h>
        __attribute__((constructor)) static void construct(void) {
            PyErr_SetNone(PyExc_KeyboardInterrupt);
        }
        int f(void) { return 1; }
    """
    library = compile_plugin("interrupted_constructor", text, *python_flags)
    table = jt.lazy(library, {"f": "int()"})
    with pytest.raises(KeyboardInterrupt):
        table.facade.f()
    for call in (table.facade.f, lambda: jt.open(library)):
        with pytest.raises(jt.PluginInitError, match="raised KeyboardInterrupt") as raised:
            call()
        assert isinstance(raised.value.__cause__, KeyboardInterrupt)


def test_a_constructor_that_opens_its_library_and_raises(
    compile_plugin: Compile, python_flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        #include <Python.h>
        __attribute__((constructor)) static void construct(void) {
            PyRun_SimpleString("import os, jumptable; jumptable.open(os.environ['OWN'])");
            PyErr_SetString(PyExc_SystemExit, "enough");
        }
    """
    library = compile_plugin("both", text, *python_flags)
    monkeypatch.setenv("OWN", str(library))
    for target in (
        library,
        str(library),
        library.parent / ".." / library.parent.name / library.name,
    ):
        with pytest.raises(jt.PluginInitError, match="exited: enough"):
            jt.open(target)


def test_a_file_that_was_replaced(
    compile_plugin: Compile, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = jt.open(library)
    os.unlink(library)
    shutil.copy(compile_plugin("data"), library)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(jt.PluginTrustError, match="replaced on disk .* under another name"):
        jt.open("./libown.so")
    assert jt.open(str(library)) is plugin  # by absolute path: open once


def test_wrong_targets() -> None:
    for target in (None, 3, b"libm.so.6", ["os"], 1.5):
        with pytest.raises(TypeError, match=r"jumptable.open\(\) takes a path"):
            jt.open(target)  # type: ignore[arg-type]


@pytest.mark.thread_unsafe(reason="hears the events of all threads")
def test_audit_events(library: Path) -> None:
    seen = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith("jumptable.") and str(library) in map(str, arguments):
            seen.append((event, *arguments))

    sys.addaudithook(hook)
    jt.open(library).lookup("half", "double(double)")
    path = os.path.realpath(library)
    assert seen == [
        ("jumptable.open", path),
        ("jumptable.lookup", path, "half", "double(double)"),
    ]


def test_an_audit_hook_can_forbid(library: Path, run_python: Run) -> None:
    program = """
import sys, jumptable as jt
def forbid(event, arguments):
    if event == "jumptable.open":
        raise PermissionError(arguments[0])
sys.addaudithook(forbid)
try:
    jt.open(sys.argv[1])
except PermissionError:
    print("forbidden")
"""
    assert run_python(program, library).stdout == "forbidden\n"


def test_racing_threads_construct_once(compile_plugin: Compile, run_python: Run) -> None:
    program = """
import sys, threading, jumptable as jt
barrier = threading.Barrier(32)
plugins = []
def race():
    barrier.wait()
    plugins.append(jt.open(sys.argv[1]))
threads = [threading.Thread(target=race) for _ in range(32)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(plugins) == 32
assert len(set(map(id, plugins))) == 1
print(plugins[0].lookup("constructed", "int").value)
"""
    assert run_python(program, compile_plugin("counting")).stdout == "1\n"


def test_racing_spellings_are_one_plugin(
    compile_plugin: Compile, tmp_path: Path, run_python: Run
) -> None:
    library = shutil.copy(compile_plugin("counting"), tmp_path / "libcounting.so")
    for k in range(16):
        os.link(library, tmp_path / f"link{k}.so")
    program = """
import sys, threading, jumptable as jt
barrier = threading.Barrier(16)
plugins = []
def race(k):
    barrier.wait()
    plugins.append(jt.open(f"{sys.argv[1]}/link{k}.so"))
threads = [threading.Thread(target=race, args=(k,)) for k in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(set(map(id, plugins))), plugins[0].lookup("constructed", "int").value)
"""
    assert run_python(program, tmp_path).stdout == "1 1\n"


def test_a_constructor_opens_plugins(
    compile_plugin: Compile, python_flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = compile_plugin("reopening", None, *python_flags)
    other = compile_plugin("counting")
    monkeypatch.setenv("OWN", str(own))
    monkeypatch.setenv("OTHER", str(other))
    plugin = jt.open(own)
    assert sys.reopened == [plugin, jt.open(other), jt.open("json")]  # type: ignore[attr-defined]
    assert plugin.lookup("constructed", "int").value == 1
    assert plugin.init_seconds > jt.open(other).init_seconds > 0.04


def test_importing_waits_for_no_constructor(
    compile_plugin: Compile, python_flags: list[str], tmp_path: Path, run_python: Run
) -> None:
    """A constructor imports a module that another thread is importing, which opens a plugin."""
    text = """
        #include <Python.h>
        __attribute__((constructor)) static void construct(void) {
            PyRun_SimpleString("import sys; sys.inside.set(); import opening");
        }
    """
    (tmp_path / "opening.py").write_text(
        "import sys, jumptable\nsys.inside.wait()\nimport time; time.sleep(0.1)\n"
        "sys.opened = jumptable.open('os')\n"
    )
    program = """
import faulthandler, sys, threading, jumptable as jt
faulthandler.dump_traceback_later(30, exit=True)
sys.path.insert(0, sys.argv[1])
sys.inside = threading.Event()
thread = threading.Thread(target=__import__, args=("opening",))
thread.start()
jt.open(sys.argv[2])
thread.join()
print(sys.opened.name)
"""
    plugin = compile_plugin("importing", text, *python_flags)
    assert run_python(program, tmp_path, plugin).stdout == "os\n"


def test_opening_after_a_fork(compile_plugin: Compile, run_python: Run) -> None:
    """The child of a process in which another thread was opening must not wait for it."""
    text = """
        #include <stdlib.h>
        #include <unistd.h>
        __attribute__((constructor)) static void construct(void) {
            if (write(atoi(getenv("READY")), "x", 1) == 1)
                usleep(300000);
        }
    """
    program = """
import os, signal, sys, threading, jumptable as jt
read, write = os.pipe()
os.environ["READY"] = str(write)
thread = threading.Thread(target=jt.open, args=(sys.argv[1],))
thread.start()
os.read(read, 1)  # the thread is inside of the constructor, and holds the lock
pid = os.fork()
if pid == 0:
    signal.alarm(10)
    try:
        jt.open("libnothing.so")
    except jt.PluginNotFoundError:
        os._exit(0)
thread.join()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    run_python(program, compile_plugin("forking", text))
