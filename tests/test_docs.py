"""Every example in README.md, in docs and in the headers' first comments is compiled and run.

A comment behind a statement says what comes of it: ``# 5.0`` is its value, ``# TypeError: ...`` or
``# SignatureError, before any call`` what it raises. Any other is prose.
"""

from __future__ import annotations

import ast
import ctypes
import inspect
import io
import pydoc
import re
import shlex
import shutil
import subprocess
import sys
import time
import tokenize
import types
import typing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import jumptable as jt
from jumptable import cli
from jumptable.calling import hookrecords
from jumptable.measuring import ladder
from jumptable.measuring.experiments import EXPERIMENTS
from tests.conftest import compiler
from tests.hosts import build

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "docs/benchmarks.md", "docs/counters.md", "docs/doctor.md",
         "docs/hot-path.md", "docs/interfaces-and-tables.md", "docs/lazy-loading.md",
         "docs/native-plugins.md", "docs/pluggy.md", "docs/single-dispatch.md"]  # fmt: skip
HEADERS = Path(jt.get_include()) / "jumptable"
# Statements that use one of these words need the module, which may be missing.
OPTIONAL = {"np": "numpy", "scipy": "scipy", "CounterCollector": "prometheus_client",
            "REGISTRY": "prometheus_client", "generate_latest": "prometheus_client"}  # fmt: skip

needs_compiler = pytest.mark.skipif(shutil.which(compiler()[0]) is None, reason="no C compiler")
needs_cython = pytest.mark.skipif(find_spec("Cython") is None, reason="no Cython")


# ---- finding examples -----------------------------------------------------------------------


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each fenced block."""
    path = ROOT / page
    if not path.exists():
        pytest.skip(f"{page} is not here: only the tests are")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no examples any more"
    return found


def block(page: str, language: str, containing: str) -> str:
    found = [text for kind, text in blocks(page) if kind == language and containing in text]
    assert len(found) == 1, (
        f"{page} should have one block of {language or 'commands'} with {containing!r}, "
        f"it has {len(found)}"
    )
    return found[0]


def first_comment(path: Path) -> str:
    """The example in the comment that a header begins with: what is indented by five."""
    lines: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        content = re.sub(r"^(#| \*|/\*)", "", line)
        if content.startswith(" " * 5):
            lines.append(content[5:])
        elif lines and content:
            break
        elif lines:
            lines.append("")
    assert any("import" in line or "include" in line for line in lines), (
        f"{path.name} no longer begins with an example, indented by five"
    )
    return "\n".join(lines).rstrip() + "\n"


@pytest.mark.parametrize("page", sorted({*PAGES, *(
    path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))}))  # fmt: skip
def test_every_example_is_one_that_is_tested(page: str) -> None:
    """Each kind of block, on each page, is some test's here; a new page or kind needs one."""
    tested = {
        "README.md": {"python"},
        "docs/benchmarks.md": {"text"},
        "docs/counters.md": {"python", "c", "cython"},
        "docs/doctor.md": {"python", "text"},
        "docs/hot-path.md": {"python", "text"},
        "docs/interfaces-and-tables.md": {"python"},
        "docs/lazy-loading.md": {"python"},
        "docs/native-plugins.md": {"python", "c", "cython"},
        "docs/pluggy.md": {"python", "ini"},
        "docs/single-dispatch.md": {"python"},
    }
    assert page in tested, f"no test runs the examples of {page}"
    assert {kind for kind, _ in blocks(page)} - {""} == tested[page]
    for kind, text in blocks(page):
        if kind == "c" and page == "docs/native-plugins.md":
            assert ("<jumptable/plugin.h>" in text) != ("<jumptable/host.h>" in text), text


# ---- Python ---------------------------------------------------------------------------------


def run_statements(text: str, names: dict[str, Any]) -> int:
    """Run an example, and compare with what its comments promise. How many promised something."""
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    missing = [word for word, module in OPTIONAL.items() if find_spec(module) is None]
    promises = 0
    for statement in ast.parse(text).body:
        source = ast.get_source_segment(text, statement) or ""
        if any(re.search(rf"\b{word}\b", source) for word in missing):
            continue
        comment = comments.get(statement.end_lineno or 0, "")
        if error := re.match(r"([A-Z]\w*Errors?\b)(?:: (.*))?", comment):
            promises += 1
            check_error(source, names, *error.groups())
        elif isinstance(statement, ast.Expr):
            value = eval(source, names)
            try:
                expected = ast.literal_eval(comment)
            except (SyntaxError, ValueError):
                continue
            promises += 1
            assert value == expected and type(value) is type(expected), f"{source}  # {value!r}"
        else:
            exec(compile(ast.Module([statement], []), "<example>", "exec"), names)
    return promises


def check_error(source: str, names: dict[str, Any], kind: str, message: str | None) -> None:
    try:
        exec(source, names)
    except Exception as raised:
        found = raised
    else:
        raise AssertionError(f"{source} raises nothing, not {kind}")
    assert type(found).__name__ == kind, f"{source} raises {found!r}"
    if message is not None and message.endswith("..."):
        assert str(found).startswith(message[:-3]), f"{source} raises {found!r}"
    elif message is not None:
        assert str(found) == message, f"{source} raises {found!r}"


@pytest.mark.parametrize(
    "wrong",
    [
        "1 + 1  # 3\n",
        "1 + 1  # 2.0\n",
        "(\n    1 + 1\n)  # 3\n",
        "len('x')  # TypeError\n",
        "len(5)\n",
        "len(5)  # ValueError, at once\n",
        "len(5)  # TypeError: len() is not of this opinion\n",
        "len(5)  # TypeError: len() ...\n",
        "nothing = unknown\n",
    ],
)
def test_a_wrong_example_is_noticed(wrong: str) -> None:
    with pytest.raises((AssertionError, NameError, TypeError)):
        run_statements(wrong, {})


def test_a_right_example_passes() -> None:
    right = (
        "x = 1 + 1  # three\nx  # 2\nlen(5)  # TypeError: object of ...\n"
        "len(5)  # TypeError, always\nlen(5)  # TypeError: object of type 'int' has no len()\n"
    )
    assert run_statements(right, {}) == 4


FILTERS = """
class Filter:
    def apply(self, x, gain=1.0): return 10 * x * gain
    def flush(self): pass
    def channel(self, number): pass
"""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What pages take for granted, in a folder where libfilter.so and mypkg are looked for."""
    (tmp_path / "mypkg").mkdir()
    (tmp_path / "mypkg/__init__.py").touch()
    (tmp_path / "mypkg/filters.py").write_text(FILTERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    for imported in ("mypkg", "mypkg.filters"):
        monkeypatch.delitem(sys.modules, imported, raising=False)
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("reader")
    monkeypatch.setitem(sys.modules, "reader", module)
    labs = ctypes.CDLL(None).labs
    labs.argtypes, labs.restype = [ctypes.c_long], ctypes.c_long
    vars(module).update(
        jt=jt, jumptable=jt, Protocol=typing.Protocol, some_ctypes_function=labs,
    )  # fmt: skip
    return vars(module)


def compile_library(folder: Path, text: str) -> None:
    source = folder / "filter.c"
    source.write_text(text)
    target = folder / "libfilter.so"
    subprocess.run([*compiler(), "-shared", "-fPIC", "-o", target, source], check=True)


def run_page(page: str, names: dict[str, Any], *containing: str) -> int:
    """All of a page's blocks of Python in turn, which are one program, and surely these."""
    for one in containing:
        block(page, "python", one)
    return sum(run_statements(text, names) for kind, text in blocks(page) if kind == "python")


@needs_compiler
def test_readme(names: dict[str, Any], tmp_path: Path) -> None:
    compile_library(
        tmp_path,
        "#include <stddef.h>\n#include <stdint.h>\n"
        "int32_t abi_version = 3;\n"
        "double total(const double *items, size_t count) {\n"
        "    double sum = 0;\n"
        "    for (size_t i = 0; i < count; i++) sum += items[i];\n"
        "    return sum;\n"
        "}\n"
        "double solve(double x) { return -x; }\n"
        "double apply(double x) { return 2 * x; }\n"
        "void flush(void) {}\n"
        "struct { int64_t value; char reserved[120]; } Counter __attribute__((aligned(128)));\n",
    )
    assert run_page("README.md", names, "libm.so.6", "from_pointer", "jt.Table(", "jt.lazy(") >= 2
    assert names["f"].apply(1.0) == 2.0
    assert names["filter"].apply(1.0) == 10.0


@needs_compiler
def test_interfaces_and_tables(names: dict[str, Any], tmp_path: Path) -> None:
    compile_library(
        tmp_path,
        "double apply(double x, double gain) { return 2 * x * gain; }\n"
        "void channel(unsigned number) { (void)number; }\n",
    )
    names["plugin"] = jt.open("./libfilter.so")
    names["other"] = jt.open("mypkg.filters:Filter")
    run_page("docs/interfaces-and-tables.md", names, "Annotated", "jt.Table(")
    assert names["f"].apply(1.0) == 2.0
    assert names["filter"].apply(1.0) == 1.0  # neither plugin's: what was bound last
    names["filter"].channel(1)


def compile_as_the_page_says(page: str, source: Path, containing: str) -> None:
    source.write_text(block(page, "c", containing))
    command = block(page, "", source.name)
    command = re.sub(r"^cc ", lambda _: shlex.join(compiler()) + " ", command)
    command = command.replace("python ", shlex.quote(sys.executable) + " ")
    subprocess.run(command, shell=True, check=True, env=build.ENVIRONMENT, cwd=source.parent)


@needs_compiler
def test_a_plugin_that_says_what_it_is(names: dict[str, Any], tmp_path: Path) -> None:
    page = "docs/native-plugins.md"
    compile_as_the_page_says(page, tmp_path / "filter.c", "<jumptable/plugin.h>")
    assert run_page(page, names, "SignatureError") >= 3
    assert names["apply"](1.5) == 3.0
    assert names["plugin"].lookup("scale")(1.5, 3) == 4.5


@needs_compiler
def test_counters(names: dict[str, Any], tmp_path: Path) -> None:
    page = "docs/counters.md"
    compile_as_the_page_says(page, tmp_path / "worker.c", "<jumptable/counter.h>")
    try:
        assert run_page(page, names, "import jumptable as jt") >= 15
    finally:
        if find_spec("prometheus_client"):
            from prometheus_client import REGISTRY

            for collector in list(REGISTRY._collector_to_names):
                if type(collector).__module__.startswith("jumptable."):
                    REGISTRY.unregister(collector)


@needs_compiler
def test_lazy_loading(names: dict[str, Any], tmp_path: Path) -> None:
    compile_library(tmp_path, "double apply(double x) { return 2 * x; } void flush(void) {}")
    metadata = tmp_path / "filters-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: filters\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[myapp.filters]\nown = mypkg.filters:Filter\n")
    assert run_page("docs/lazy-loading.md", names, "import jumptable as jt") >= 8


@needs_compiler
@needs_cython
def test_a_counter_in_cython(tmp_path: Path) -> None:
    host = cython_host(tmp_path, block("docs/counters.md", "cython", "cimport"))
    counter = jt.Counter()
    counter.add(2)
    assert host.count(counter.address, 1000) == 1002
    assert counter.value == 1002


GIFTS = """
from pluggy import HookimplMarker

@HookimplMarker("shop")
def discount(price):
    return 1.0
"""


def test_pluggy(names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run of the page finds what the first has recorded of the plugin."""
    page = "docs/pluggy.md"
    (tmp_path / "shop_gifts.py").write_text(GIFTS)
    info = tmp_path / "shop_gifts-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-gifts\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[shop.plugins]\ngifts = shop_gifts\n")
    monkeypatch.setenv("JUMPTABLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hookrecords, "STARTED", time.time_ns() + 10 * hookrecords.SETTLED_NS)
    run_statements(block(page, "python", "lazy=True"), {**names, **prepared(page)})
    assert sys.modules.pop("shop_gifts")
    names["sys"] = sys
    assert run_page(page, names, "import jumptable.pluggy", "contain=True", "lazy=True") >= 9
    del sys.modules["shop_gifts"]


def prepared(page: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    run_statements(block(page, "python", "class Specifications"), given)
    return given


TEST = """
from pluggy import PluginManager

def test_pluggy_is_compiled(pytestconfig):
    assert type(pytestconfig.hook.pytest_runtest_setup).__module__.startswith("jumptable.")
"""
PROGRAM = """
import sys
from pluggy import PluginManager

def main():
    assert type(PluginManager("shop").hook).__module__.startswith("jumptable.")

if __name__ == "__main__":
    assert sys.argv == ["build.py", "--fast"]
    main()
"""


# Every other plugin of pytest that is installed takes a second to load.
ALONE = {**build.ENVIRONMENT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """What the commands of docs/pluggy.md are given: tests, a script and a module."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text(TEST)
    for name in ("app.py", "build.py"):
        (tmp_path / name).write_text(PROGRAM)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def commands(page: str, containing: str) -> list[str]:
    """A block's commands, each to be run by this interpreter."""
    python = shlex.quote(sys.executable)
    lines = block(page, "", containing).splitlines()
    return [re.sub("^python ", f"{python} ", re.sub("^pytest ", f"{python} -m pytest ", line))
            for line in lines]  # fmt: skip


@pytest.mark.parametrize(
    ("page", "containing"),
    [("README.md", "jumptable run"), ("docs/pluggy.md", "jumptable run"),
     ("docs/pluggy.md", "--hook-stats")],
)  # fmt: skip
def test_commands_of_pluggy(programs: Path, page: str, containing: str) -> None:
    found = commands(page, containing)
    assert len(found) >= 2
    for command in found:
        done = subprocess.run(
            command, shell=True, cwd=programs, env=ALONE,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(("options", "status"), [("", 0), (" -p no:jumptable.pytest", 1)])
def test_addopts_of_pluggy(programs: Path, options: str, status: int) -> None:
    """What the page says on how to have it in every run, and how to do without it once."""
    (programs / "pytest.ini").write_text(block("docs/pluggy.md", "ini", "addopts"))
    assert f"pytest{options}" in (ROOT / "docs/pluggy.md").read_text("utf-8")
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m pytest{options}",
        shell=True, cwd=programs, env=ALONE,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr


def test_single_dispatch(names: dict[str, Any]) -> None:
    assert run_page("docs/single-dispatch.md", names, "from functools", "install()") >= 20
    assert type(names["size"]) is type(names["text"]), "install() should have an effect"
    for documented in (names["text"], names["basket"].add, names["Basket"]):
        words = (inspect.getdoc(documented) or "Put something in").split(";")[0]
        assert words in pydoc.plain(pydoc.render_doc(documented))


GENERIC = """
import functools

@functools.singledispatch
def generic(x): ...

assert type(generic).__name__ == "singledispatch"
"""


def test_commands_of_single_dispatch(tmp_path: Path) -> None:
    for name in ("app.py", "build.py"):
        (tmp_path / name).write_text(GENERIC)
    found = commands("docs/single-dispatch.md", "jumptable run")
    assert len(found) == 2
    for command in found:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=build.ENVIRONMENT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture
def doctored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What docs/doctor.md examines: the plugin that it shows, a library and a group."""
    for needed in ("rich", "psutil"):
        pytest.importorskip(needed)
    (tmp_path / "mypkg").mkdir()
    (tmp_path / "mypkg/table.json").write_text("[1, 2, 3, 4]\n")
    (tmp_path / "mypkg/filters.py").write_text(block("docs/doctor.md", "python", "WORDS ="))
    metadata = tmp_path / "mypkg-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mypkg\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[myapp.plugins]\nfilters = mypkg.filters\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_compiler
def test_commands_of_the_doctor(doctored: Path) -> None:
    compile_library(doctored, "int answer(void) { return 42; }\n")
    for command in commands("docs/doctor.md", "doctor --group"):
        done = subprocess.run(
            f"{command} --runs 1", shell=True, env=build.ENVIRONMENT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (1, ""), f"{command}\n{done.stdout}{done.stderr}"
        said = done.stdout.replace(str(doctored), "/srv/app")
        expected = block("docs/doctor.md", "text", "starts 1 thread").partition("\n")[2]
        plain = [re.sub(r"[\d.]+ ms", "0.1 ms", text) for text in (expected, said)]
        assert plain[0] in plain[1], f"{command}\n{said}"
    assert run_statements(block("docs/doctor.md", "python", "report.json"), {}) >= 8
    for kind in ("html", "json"):
        assert (doctored / f"report.{kind}").stat().st_size


def test_what_the_doctor_has_nothing_to_say_of(doctored: Path) -> None:
    clean = block("docs/doctor.md", "python", "def words")
    (doctored / "mypkg/filters.py").write_text(clean)
    done = subprocess.run(
        [sys.executable, "-m", "jumptable", "doctor", "mypkg.filters", "--runs", "1"],
        env=build.ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "none" in done.stdout, done.stdout + done.stderr


@pytest.fixture
def hot(names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What docs/hot-path.md examines: its host and a library."""
    monkeypatch.delitem(sys.modules, "host", raising=False)
    (tmp_path / "host.py").write_text(block("docs/hot-path.md", "python", "__main__"))
    compile_library(
        tmp_path,
        "#include <stddef.h>\ndouble apply(double x) { return 2 * x; }\n"
        "double total(const double *items, size_t count) {\n"
        "    double sum = 0;\n"
        "    for (size_t i = 0; i < count; i++) sum += items[i];\n"
        "    return sum;\n"
        "}\n",
    )
    return names


@needs_compiler
def test_hot_path(hot: dict[str, Any]) -> None:
    assert run_page("docs/hot-path.md", hot, "jt.bench(handle, 1.5") >= 3


def shape(text: str) -> list[str]:
    """The lines of a report without what differs from one measurement to the next."""
    lines = []
    for line in text.splitlines():
        plain = re.sub(r"\d[\d,.]*( [num]?s\b)?", "N", re.sub(r"under 1 %", "N %", line))
        plain = " ".join(plain.split())
        if plain.strip("- "):
            lines.append(plain)
    return lines


@needs_compiler
def test_commands_of_the_benchmarks() -> None:
    """That they are ones; what they do is tests/measuring/test_cli.py's to run."""
    found = "".join(text for kind, text in blocks("docs/benchmarks.md") if kind == "")
    for line in found.splitlines():
        command, _ = re.split(r"\s{2,}", line)
        interpreter, *words = shlex.split(command)
        assert (interpreter, words[:3]) == ("python", ["-m", "jumptable", "bench"])
        assert cli._parser().parse_args(words[2:]).command == "bench"


def test_the_ladder_and_the_experiments_that_are_shown() -> None:
    (shown,) = (text for kind, text in blocks("README.md") if "x direct" in text)
    names = [re.split(r" \(unstable\)|\s{2,}", line.strip())[0] for line in shown.splitlines()]
    for rung in ladder.RUNGS:
        assert rung.name in names and rung.group in names
    (told,) = (text for kind, text in blocks("docs/benchmarks.md") if kind == "text")
    ideas = [line.partition(":")[0] for line in told.splitlines()]
    assert ideas == [experiment.idea for experiment in EXPERIMENTS]


def test_commands_of_the_hot_path(hot: dict[str, Any]) -> None:
    page = "docs/hot-path.md"
    found = [*commands(page, "--function"), *commands(page, "report.json")]
    found += commands(page, "./libfilter.so")
    assert len(found) == 6
    said = []
    for command in found:
        done = subprocess.run(
            f"{command.replace(' bench ', ' bench --quick ')}", shell=True, env=build.ENVIRONMENT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), f"{command}\n{done.stdout}{done.stderr}"
        said += shape(done.stdout)
    for kind, text in blocks(page):
        if kind == "text":
            assert set(shape(text)) <= set(said), "\n".join(said)
    assert Path("report.json").stat().st_size


# ---- hosts ----------------------------------------------------------------------------------

MODULE = """
static PyObject *py_example(PyObject *self, PyObject *argument) { (void)self; %s }
static PyMethodDef methods[] = {%s {"example", py_example, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "host", NULL, -1, methods,
                                    NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_host(void) {
    PyObject *made = PyModule_Create(&module);
#ifdef Py_GIL_DISABLED
    if (made) PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED);
#endif
    return made;
}
"""


def c_host(folder: Path, text: str, example: str, methods: str = "") -> Any:
    source = folder / "host.c"
    source.write_text(text + MODULE % (example, methods))
    build.compile_host(source, folder / "host.so", "-Wall", "-Wextra", "-Werror", "-O0")
    return build.load(folder / "host.so")


def cython_host(folder: Path, text: str) -> Any:
    (folder / "host.pyx").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "cython", "-Xfreethreading_compatible=True", "-3", "host.pyx"],
        cwd=folder, env=build.ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    build.compile_host(folder / "host.c", folder / "host.so", "-w", "-O0")
    return build.load(folder / "host.so")


def tables() -> tuple[jt.Table[Any], jt.Table[Any]]:
    """One that hosts of a double(double) can call, and one that they cannot."""
    table = jt.Table({"apply": "double(double)"})
    table.bind({"apply": lambda x: 10 * x})
    return table, jt.Table({"apply": "int64_t(int64_t)"})


@needs_compiler
def test_a_host_in_c(tmp_path: Path) -> None:
    host = c_host(
        tmp_path,
        block("docs/native-plugins.md", "c", "<jumptable/host.h>")
        + "static PyObject *py_set_up(PyObject *self, PyObject *table) {\n"
        "    (void)self;\n"
        "    return set_up(table) < 0 ? NULL : Py_NewRef(Py_None);\n"
        "}\n",
        "return PyFloat_FromDouble(run(PyFloat_AsDouble(argument)));",
        '{"set_up", py_set_up, METH_O, NULL},',
    )
    table, unfit = tables()
    with pytest.raises(jt.SignatureError):
        host.set_up(unfit)
    host.set_up(table)
    assert host.example(1.5) == 15.0
    table.bind({"apply": abs})
    assert host.example(-1.5) == 1.5


@needs_compiler
@needs_cython
def test_a_host_in_cython(tmp_path: Path) -> None:
    host = cython_host(tmp_path, block("docs/native-plugins.md", "cython", "cimport"))
    table, unfit = tables()
    assert host.total(table, 1.5, 3) == 45.0
    with pytest.raises(jt.SignatureError):
        host.total(unfit, 1.5, 3)


# ---- the headers' first comments ------------------------------------------------------------


@needs_compiler
def test_plugin_h(tmp_path: Path) -> None:
    example = first_comment(HEADERS / "plugin.h")
    source = tmp_path / "filter.c"
    source.write_text(example)
    command = [*compiler(), "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += [f"-I{jt.get_include()}", "-o", str(tmp_path / "libfilter.so"), str(source)]
    subprocess.run(command, check=True)
    plugin = jt.open(tmp_path / "libfilter.so")
    assert (plugin.name, plugin.version) == ("filter", "1.2.0")
    assert plugin.lookup("apply")(1.5) == 3.0
    exports = re.findall(r'^JUMPTABLE_EXPORT\w*\((\w+),.* "(.*)"\);$', example, re.MULTILINE)
    assert "apply" in dict(exports)
    for name, signature in exports:
        symbol = plugin.lookup(name).__self__
        assert (symbol.evidence, symbol.signature) == ("embedded", signature)
        with pytest.raises(jt.SignatureError):
            plugin.lookup(name, "float(float)")


@needs_compiler
def test_counter_h(tmp_path: Path) -> None:
    source = tmp_path / "counting.c"
    source.write_text(first_comment(HEADERS / "counter.h"))
    command = [*compiler(), "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += [f"-I{jt.get_include()}", "-o", str(tmp_path / "libcounting.so"), str(source)]
    subprocess.run(command, check=True)
    plugin = jt.open(tmp_path / "libcounting.so")
    plugin.lookup("work", "void()")()
    assert plugin.lookup("Counter", "jt_counter").value == 1


@needs_compiler
def test_host_h(tmp_path: Path) -> None:
    lines = first_comment(HEADERS / "host.h").splitlines()
    includes = "\n".join(line for line in lines if line.startswith("#"))
    statements = "\n".join(line for line in lines if not line.startswith("#"))
    statements = f"PyObject *table = argument;\n{statements}\nreturn PyFloat_FromDouble(y);\n"
    host = c_host(tmp_path, includes, statements)
    table, unfit = tables()
    assert host.example(table) == 15.0
    with pytest.raises(jt.SignatureError):
        host.example(unfit)


@needs_compiler
@needs_cython
def test_pxd(tmp_path: Path) -> None:
    lines = first_comment(Path(jt.__file__).parent / "__init__.pxd").splitlines()
    imports = [line for line in lines if line.startswith(("from ", "jt_import()"))]
    rest = [f"    {line}" for line in lines if line not in imports]
    assert len(imports) == 2, "the example should cimport and call jt_import first"
    host = cython_host(
        tmp_path, "\n".join([*imports, "def example(table):", *rest, "    return y", ""])
    )
    table, unfit = tables()
    assert host.example(table) == 15.0
    with pytest.raises(jt.SignatureError):
        host.example(unfit)
