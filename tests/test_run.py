"""``jumptable run``, each time beside what ``python`` itself does with the same words."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pluggy
import pytest

from jumptable import run

pytestmark = pytest.mark.thread_unsafe(reason="programs in processes of their own")

RUN = ("-m", "jumptable", "run")
Done = subprocess.CompletedProcess[str]

# What the two may differ in: addresses, and the words that started them.
SHOW = """
import sys
names = {k: repr(v).split(" at 0x")[0] for k, v in sorted(globals().items())}
print(names, sys.argv, sys.path, sys.modules["__main__"].__dict__ is globals())
"""


def python(*words: str, cwd: Path, input: str | None = None, **environment: str) -> Done:
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def same(*words: str, cwd: Path, input: str | None = None) -> Done:
    """Run it both ways and compare everything; returns what ``run`` did."""
    expected = python(*words, cwd=cwd, input=input)
    done = python(*RUN, *words, cwd=cwd, input=input)
    assert done.stdout == expected.stdout
    assert done.stderr == expected.stderr
    assert done.returncode == expected.returncode
    return done


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the same program in every form that python takes."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "script.py").write_text(SHOW)
    (tmp_path / "sub/script.py").write_text(SHOW)
    (tmp_path / "link.py").symlink_to("sub/script.py")
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import sys; print('package', sys.argv)\n")
    (package / "__main__.py").write_text(SHOW)
    (package / "part.py").write_text("from . import __name__ as parent; print(parent)\n" + SHOW)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/__main__.py").write_text("import beside\n" + SHOW)
    (tmp_path / "folder/beside.py").write_text("print('beside')\n")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("__main__.py", "import beside\n" + SHOW)
        archive.writestr("beside.py", "print('beside')\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("script.py", "a", "-m", "b"),
        ("./script.py", "--help"),
        ("sub/script.py", "-c", "x"),
        ("sub/../script.py",),
        ("link.py", "-q", "--", "z"),
        ("folder", "a", "-h"),
        ("program.zip", "a"),
        ("-m", "package", "--help", "-c", "x"),
        ("-mpackage", "x"),
        ("-m", "package.part"),
        ("-m", "package.part", "--", "-h"),
        ("-c", SHOW, "a", "-h", "-m", "x"),
        ("-c" + SHOW, "a"),
    ],
    ids=" ".join,
)
def test_a_program_finds_all_as_under_python(place: Path, words: tuple[str, ...]) -> None:
    done = same(*words, cwd=place)
    assert done.returncode == 0
    assert "True" in done.stdout


def test_files_of_the_working_folder_do_not_get_in_between(place: Path) -> None:
    names = ("typing", "argparse", "inspect", "re", "pkgutil", "threading", "atexit", "linecache",
             "pluggy", "code")  # fmt: skip
    for name in names:
        (place / f"{name}.py").write_text(f"raise AssertionError('imported {name}')\n")
    assert "True" in same("sub/script.py", cwd=place).stdout
    if sys.version_info < (3, 13):  # from there on python -c itself takes linecache from there
        assert same("-c", "print('ran')", cwd=place).stdout == "ran\n"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs exceptiongroup there as well")
def test_a_pluggy_that_is_only_in_the_working_folder(tmp_path: Path) -> None:
    # As after "pip install --target .".
    installed = Path(pluggy.__file__).parent
    shutil.copytree(installed, tmp_path / "pluggy")
    program = (
        "import sys, jumptable.run; sys.path.remove(sys.argv[1])\n"
        "sys.exit(jumptable.run.main(sys.argv[2:]))"
    )
    words = ("-c", program, str(installed.parent), "-c", "import pluggy; print(pluggy.__file__)")
    assert python(*words, cwd=tmp_path).stdout == f"{tmp_path / 'pluggy/__init__.py'}\n"


@pytest.mark.parametrize("words", [("script.py", "a"), ("-m", "package"), ("script.py",)])
def test_a_working_folder_that_is_gone(place: Path, words: tuple[str, ...]) -> None:
    if words[0] != "-m" and len(words) > 1:
        words = (str(place / words[0]), *words[1:])
    paths = [str(place), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths))}
    (place / "gone").mkdir()

    def gone(*more: str) -> Done:
        return subprocess.run(
            ["sh", "-c", 'mkdir -p "$0" && cd "$0" && rmdir "$0" && exec "$@"', place / "gone",
             sys.executable, *more],
            capture_output=True, text=True, timeout=120, check=False, env=environment,
        )  # fmt: skip

    expected, done = gone(*words), gone(*RUN, *words)
    if words == ("script.py",):
        assert done.stderr.startswith("jumptable run: can't open file 'script.py': [Errno 2]")
    else:
        assert "True" in done.stdout and done.stderr == expected.stderr
    assert (done.stdout, done.returncode) == (expected.stdout, expected.returncode)


@pytest.mark.parametrize("words", [("script.py", "a"), ("-c", SHOW), ("folder",), ("program.zip",)])
def test_an_isolated_interpreter_stays_isolated(place: Path, words: tuple[str, ...]) -> None:
    # -I shuts out PYTHONPATH, by which this package may be found: it comes and goes by hand.
    start = (
        "import sys; before = list(sys.path); sys.path[:0] = sys.argv.pop(1).split(':')\n"
        "import jumptable.pluggy, jumptable.run; sys.path[:] = before\n"
        "sys.exit(jumptable.run.main(sys.argv[1:]))"
    )
    paths = ":".join(filter(None, sys.path))
    expected = python("-I", *words, cwd=place)
    done = python("-I", "-c", start, paths, *words, cwd=place)
    assert (done.stdout, done.stderr, done.returncode) == (expected.stdout, expected.stderr, 0)


def test_the_console_script(place: Path) -> None:
    (place / "bin").mkdir()
    script = place / "bin/jumptable"
    script.write_text("import sys\nfrom jumptable.cli import main\nsys.exit(main())\n")
    expected = python("-m", "package", "--help", cwd=place)
    done = python(str(script), "run", "-m", "package", "--help", cwd=place)
    assert (done.stdout, done.stderr, done.returncode) == (expected.stdout, "", 0)
    assert str(script.parent) not in done.stdout


@pytest.mark.parametrize("text", [SHOW, "print('ünïcode')", "1/0", "x ="], ids=[*"abcd"])
def test_a_program_from_standard_input(place: Path, text: str) -> None:
    same("-", "a", "-h", cwd=place, input=text)


def test_a_terminal_as_standard_input_is_talked_to(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, terminal = pty.openpty()
    with open(ours, "wb", buffering=0) as keyboard, open(terminal) as standard_input:
        keyboard.write(b"6 * 7\n__name__, __import__('sys').argv\n\x04")
        done = subprocess.run(
            [sys.executable, *RUN, "-", "a"], stdin=standard_input, capture_output=True, text=True,
            cwd=tmp_path, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    assert "42" in done.stdout and "('__main__', ['-', 'a'])" in done.stdout


def test_a_closed_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, *RUN, "-"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == (
        "jumptable run: cannot read a program from standard input: it is closed\n"
    )
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("text", ["x = 1\nx ++", "def f(:\n", "if 1:\n\tx\n        y"])
def test_text_that_is_no_program(place: Path, text: str) -> None:
    (place / "bad.py").write_text(text)
    assert same("bad.py", cwd=place).returncode == 1


@pytest.mark.parametrize("text", ["a\0b", "# coding: nowhere\n", "# coding: ascii\n'\xfc'"])
def test_bytes_that_are_no_program(place: Path, text: str) -> None:
    (place / "bad.py").write_bytes(text.encode("latin-1"))
    done = python(*RUN, "bad.py", cwd=place)
    assert done.returncode == 1
    assert "Error: " in done.stderr and "jumptable" not in done.stderr


def test_an_excepthook_that_raises_does_not_hide_the_error(tmp_path: Path) -> None:
    text = "import sys\ndef hook(*a): raise OSError('hook')\nsys.excepthook = hook\n1/0"
    done = python(*RUN, "-c", text, cwd=tmp_path)
    assert done.returncode == 1
    assert "OSError: hook" in done.stderr and "ZeroDivisionError" in done.stderr


ENDS = [
    "import sys; sys.exit()",
    "import sys; sys.exit(0)",
    "import sys; sys.exit(7)",
    "import sys; sys.exit(-1)",
    "import sys; sys.exit('said so')",
    "import sys; sys.exit(('a', 1))",
    "raise SystemExit",
    "raise SystemExit(True)",
    "import os; os._exit(5)",
    "def f(): 1 / 0\nf()",
    "def f(): 1 / 0\ntry: f()\nexcept ArithmeticError as e: raise KeyError('k') from e",
    "def f(): 1 / 0\ntry: f()\nexcept ArithmeticError: raise KeyError('k')",
    "raise KeyboardInterrupt",
    "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)\nwhile True: pass",
    "import sys; sys.excepthook = lambda *a: print(a[0], a[2].tb_frame.f_code.co_name)\n1/0",
    "import sys; del sys.excepthook\ntry: 1/0\nfinally: sys.excepthook = sys.__excepthook__",
    "import atexit, sys; atexit.register(lambda: print(sys.modules['__main__'].x)); x = 1",
    "import threading, time\ndef f():\n time.sleep(.1); print(__name__, x)\n"
    "x = 3\nthreading.Thread(target=f).start()\n1/0",
    "import threading; threading.Thread(target=lambda: 1/0, name='t').start()",
    "import atexit, sys\ndef late():\n try: 1/0\n"
    " except ArithmeticError: sys.excepthook(*sys.exc_info())\n"
    "atexit.register(late)\nraise KeyError('k')",
    "import sys, warnings; sys.stderr = sys.stdout; "
    "warnings.showwarning = lambda *a: print(a[1:4]); warnings.warn('', DeprecationWarning)",
    "x: int = 1; print(__annotations__)" if sys.version_info < (3, 14) else "x: int = 1",
    "import sys; sys.stdout.write('no newline')",
]


@pytest.mark.parametrize(
    ("form", "text"),
    # Each as a script and in one other form.
    [("script", text) for text in ENDS]
    + [(("module", "folder", "code")[place % 3], text) for place, text in enumerate(ENDS)],
)
def test_it_ends_as_under_python(tmp_path: Path, form: str, text: str) -> None:
    (tmp_path / "program.py").write_text(text)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/__main__.py").write_text(text)
    words = {"script": ["program.py"], "module": ["-m", "program"], "folder": ["folder"],
             "code": ["-c", text]}[form]  # fmt: skip
    same(*words, cwd=tmp_path)


def test_an_interrupt_ends_it_by_the_signal(tmp_path: Path) -> None:
    done = python(*RUN, "-c", "raise KeyboardInterrupt", cwd=tmp_path)
    assert done.returncode == -signal.SIGINT
    assert "jumptable" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [("-m", "no_such_module"), ("-m", "package.nothing"), ("-m", "os.nothing"), ("empty",)],
    ids=" ".join,
)
def test_a_module_that_is_not_there(place: Path, words: tuple[str, ...]) -> None:
    done = same(*words, cwd=place)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "no program: expected -m MODULE, -c CODE, a script, or '-'"),
        (("--",), "no program"),
        (("-m",), "-m needs the name of a module after it"),
        (("-c",), "-c needs a program text after it"),
        (("-x", "script.py"), "unknown option '-x'"),
        (("--module", "pytest"), "unknown option '--module'"),
        (("nowhere.py",), "can't open file"),
        (("nowhere/at/all.py", "-h"), "[Errno 2] No such file or directory"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_run_is_one_line_and_status_2(
    place: Path, words: tuple[str, ...], expected: str
) -> None:
    done = python(*RUN, *words, cwd=place)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("jumptable run: ") and expected in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("-u", "x.py"), "-u"),
        (("-W", "error", "x.py"), "-W error"),
        (("-W",), "-W"),
        (("-Werror", "x.py"), "-Werror"),
        (("-X", "dev", "-m", "x"), "-X dev"),
        (("-V",), "-V"),
        (("-bbm", "x"), "-bb"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_the_interpreters_options_go_before(
    words: tuple[str, ...], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"jumptable run: {words[0]!r} is an option of the interpreter")
    assert said.endswith(f": python {shown} -m jumptable run ...\n")


def test_help(tmp_path: Path) -> None:
    done = python(*RUN, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-m MODULE" in done.stdout and "examples:" in done.stdout
    assert "run " in python("-m", "jumptable", "--help", cwd=tmp_path).stdout


def test_a_compiled_script(tmp_path: Path) -> None:
    import py_compile

    (tmp_path / "source.py").write_text(SHOW)
    py_compile.compile(str(tmp_path / "source.py"), str(tmp_path / "script.pyc"))
    assert "True" in same("script.pyc", "a", cwd=tmp_path).stdout


PICKLING = """
import multiprocessing, pickle

class Thing:
    def __init__(self, value): self.value = value

def double(thing): return Thing(thing.value * 2)

if __name__ == "__main__":
    print(pickle.loads(pickle.dumps(Thing(4))).value)
    for method in ("spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            print([thing.value for thing in pool.map(double, [Thing(1), Thing(2)])])
"""


@pytest.mark.parametrize("form", ["script", "module"])
def test_what_main_defines_reaches_other_processes(tmp_path: Path, form: str) -> None:
    (tmp_path / "program.py").write_text(PICKLING)
    words = ["program.py"] if form == "script" else ["-m", "program"]
    assert same(*words, cwd=tmp_path).stdout == "4\n[2, 4]\n[2, 4]\n"


def test_the_managers_of_the_program_are_compiled(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import pluggy, sys
        hookspec, hookimpl = pluggy.HookspecMarker("p"), pluggy.HookimplMarker("p")
        class Spec:
            @hookspec
            def hook(self, x): pass
        class Plugin:
            @hookimpl
            def hook(self, x): return x + 1
        manager = pluggy.PluginManager("p")
        manager.add_hookspecs(Spec)
        manager.register(Plugin())
        print(manager.hook.hook(x=1), type(manager.hook.hook) is pluggy.HookCaller)
    """)
    assert python("-c", program, cwd=tmp_path).stdout == "[2] True\n"
    assert python(*RUN, "-c", program, cwd=tmp_path).stdout == "[2] False\n"


def test_pytest_takes_all_its_options(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass\ndef test_no(): assert 0\n")
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = python(*RUN, "-m", "pytest", "-q", "--help", cwd=tmp_path, **alone)
    assert done.returncode == 0 and "--maxfail" in done.stdout
    done = python(*RUN, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path, **alone)
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout


def test_the_generic_functions_of_the_program_are_compiled(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import functools

        @functools.singledispatch
        def generic(x): return "object"
        generic.register(int, lambda x: "int")

        class Class:
            @functools.singledispatchmethod
            def method(self, x): return "object"
            method.register(int, lambda self, x: "int")

        print(generic(1), generic(""), Class().method(1), Class().method(""))
        print(type(generic).__name__, functools.singledispatchmethod.__mro__[1].__name__)
        print(functools.singledispatch.__module__)
    """)
    results = "int object int object\n"
    stock = f"{results}function object\nfunctools\n"
    assert python("-c", program, cwd=tmp_path).stdout == stock
    compiled = f"{results}singledispatch GenericMethod\njumptable.functools\n"
    assert python(*RUN, "-c", program, cwd=tmp_path).stdout == compiled


def test_without_pluggy_the_rest_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pluggy'] = None\n")
    path = os.pathsep.join([str(tmp_path), os.path.abspath(os.environ.get("PYTHONPATH", ""))])
    program = "import functools; print(functools.singledispatch.__module__)"
    done = python(*RUN, "-c", program, cwd=tmp_path, PYTHONPATH=path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "jumptable.functools\n", "")


@pytest.mark.parametrize(
    ("broken", "status", "expected"),
    [
        # An older one has no such slot.
        ("", 2, "jumptable run: found a pluggy that is older than 1.5"),
        # One that is broken is not one that is missing, and not one that is too old.
        ("import no_such_module", 1, "No module named 'no_such_module'"),
        ("from os import no_such", 1, "cannot import name 'no_such' from 'os'"),
    ],
)
def test_a_pluggy_that_will_not_do(tmp_path: Path, broken: str, status: int, expected: str) -> None:
    shutil.copytree(Path(pluggy.__file__).parent, tmp_path / "pluggy")
    for source in (tmp_path / "pluggy").glob("*.py"):
        text = source.read_text()
        if broken and source.stem == "_result":
            text = f"{text}\n{broken}\n"
        elif not broken:
            text = text.replace("warn_on_impl_args", "no_such_slot")
        source.write_text(text)
    path = os.pathsep.join([str(tmp_path), os.path.abspath(os.environ.get("PYTHONPATH", ""))])
    done = python(*RUN, "-c", "print('ran')", cwd=tmp_path, PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (status, "")
    assert expected in done.stderr and "not installed" not in done.stderr
    assert (done.stderr.count("\n") == 1) == (status == 2)
    assert ("'pluggy>=1.5,<1.8'" in done.stderr) == (status == 2)


def test_nothing_else_imports_pluggy(tmp_path: Path) -> None:
    code = "import sys, jumptable, jumptable.cli as c; c.main(['bench', '--quick', '--json', '-'])"
    done = python("-c", f"{code}; print('pluggy' in sys.modules)", cwd=tmp_path)
    assert done.stdout.endswith("False\n")
