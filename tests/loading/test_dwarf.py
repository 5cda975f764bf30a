"""Signatures from debug information: DWARF 4 and 5, of C, C++ and Rust."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

import jumptable as jt
from jumptable.loading.debuginfo import DebugInfo
from jumptable.loading.files import examine
from tests.conftest import SOURCES, Compile, Run, one_at_a_time
from tests.loading.elf_patching import Elf

if TYPE_CHECKING:
    from elftools.dwarf.die import DIE

ELFFile = pytest.importorskip("elftools.elf.elffile").ELFFile
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads ELF libraries")

C_TYPES = {
    "apply": "double(double)",
    "nothing": "void()",
    "fixed": "int32_t(int8_t, uint8_t, int16_t, uint16_t, int64_t, uint64_t)",
    "plain": "long(char, signed char, unsigned char, short, unsigned short, int, unsigned int)",
    "wide": "unsigned long long(long long, unsigned long long)",
    "sizes": "size_t(size_t, long, intptr_t, uintptr_t)",
    "truth": "float(bool, float)",
    "turned": "unsigned int(unsigned int, int)",
    "aliased": "int32_t(int32_t, int, int)",
    "text": "const char *(const char *, const char *, char *)",
    "memory": "void *(void *, const void *, void *, void *, void *)",
    "arrays": "void(double *, const float *, uint8_t *, const int32_t *)",
    "object": "void *(void *, int)",
    "opaque": "void *(void *, bool *)",
}
C_PROBLEMS = {
    "by_value": "its result is a struct, passed by value; pass its address instead",
    "takes_union": "its argument 1 is a union, passed by value",
    "precise": "its result is of type 'long double', which has no Python counterpart",
    "takes_complex": "its argument 1 is of type",
    "huge": "its result is of type '__int128'",
    "variadic": "it is variadic; export a function with fixed arguments",
}
CPP_TYPES = {
    "_ZN6Filter5applyEd": "double(void *, double)",
    "_ZN6Filter5countEPKc": "int32_t(const char *)",
    "_ZN5outer4modeER6Filterh": "int(void *, uint8_t)",
    "plain": "double(double, uint16_t)",
    "inlined": "double(double, int)",
}
Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("dwarf")
    done: dict[tuple[str, ...], Path] = {}

    @one_at_a_time
    def build(compiler: str, source: str, *flags: str) -> Path:
        if shutil.which(compiler) is None:
            pytest.skip(f"needs {compiler}")
        key = (compiler, source, *flags)
        if key not in done:
            done[key] = folder / f"lib{len(done)}.so"
            command = [compiler, "-shared", "-fPIC", "-w", "-o", str(done[key]), *flags]
            subprocess.run([*command, str(SOURCES / source)], check=True)
        return done[key]

    return build


@pytest.fixture
def library(build: Build) -> Path:
    return build("cc", "dwarf.c", "-g")


@pytest.fixture
def plugin(library: Path, tmp_path: Path) -> jt.Plugin:
    """A plugin in which nothing was looked up yet."""
    return jt.open(shutil.copy(library, tmp_path / "libdwarf.so"))


def refused(plugin: jt.Plugin, name: str, signature: str | None = None) -> str:
    with pytest.raises(jt.SignatureError) as caught:
        plugin.lookup(name, signature)
    return str(caught.value)


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("optimise", ["-O0", "-O2"])
def test_c(build: Build, version: str, compiler: str, optimise: str) -> None:
    # Identical code must not become one function, whose debug information names only one.
    flags = [optimise, "-fno-ipa-icf"] if compiler == "gcc" else [optimise]
    plugin = jt.open(build(compiler, "dwarf.c", "-g", version, *flags))
    for name, signature in C_TYPES.items():
        function = plugin.lookup(name)
        assert (name, function.__self__.signature) == (name, signature)
        assert function.__self__.evidence == "dwarf"
        assert plugin.lookup(name, signature) is function
    for name, problem in C_PROBLEMS.items():
        assert problem in refused(plugin, name)
    assert plugin.lookup("apply")(1.5) == 3.0
    assert plugin.lookup("fixed")(-1, 2, -3, 4, -5, 6) == 3


@pytest.mark.parametrize(
    "flags",
    [
        ["-gdwarf-4"],
        ["-gdwarf-5", "-O2"],
        ["-gdwarf-4", "-O2", "-flto"],
        ["-gdwarf-4", "-fdebug-types-section"],
        ["-gdwarf-5", "-fdebug-types-section"],
        ["-g", "-gz"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_cpp(build: Build, compiler: str, flags: list[str]) -> None:
    plugin = jt.open(build(compiler, "dwarf.cpp", "-g", *flags))
    for name, signature in CPP_TYPES.items():
        assert (name, plugin.lookup(name).__self__.signature) == (name, signature)
    assert "a class, passed by value" in refused(plugin, "by_value")


def test_rust(tmp_path: Path) -> None:
    rustc = shutil.which("rustc")
    if rustc is None:
        pytest.skip("needs rustc")
    target = tmp_path / "librusty.so"
    command = [rustc, "--crate-type", "cdylib", "-g", "-Cpanic=abort", "-o", str(target)]
    subprocess.run([*command, str(SOURCES / "embedded.rs")], check=True)
    plugin = jt.open(target)
    assert plugin.lookup("sum").__self__.signature == "double(const double *, uint64_t, bool)"
    assert plugin.lookup("sum").__self__.evidence == "dwarf"
    assert plugin.lookup("apply").__self__.evidence == "embedded"


def test_several_compile_units(build: Build, tmp_path: Path) -> None:
    """By the table of addresses that GCC makes, and without one."""
    other = tmp_path / "other.c"
    other.write_text("float other(float x) { return x; }\nint last(char x) { return x; }\n")
    for compiler in ("gcc", "clang"):
        plugin = jt.open(build(compiler, "dwarf.c", "-g", str(other)))
        assert plugin.lookup("other").__self__.signature == "float(float)"
        assert plugin.lookup("last").__self__.signature == "int(char)"
        assert plugin.lookup("apply").__self__.signature == "double(double)"


# Signatures that are given.


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("apply", "double(double) nogil"),
        ("plain", "int64_t(int8_t, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t)"),
        ("turned", "int(int, unsigned int)"),
        ("memory", "void *(const double *, void *, uint8_t *, void *, void *)"),
        ("arrays", "void(void *, const float *, const char *, int *)"),
        ("object", "object(object, int)"),
        ("opaque", "object(object, bool *)"),
    ],
)
def test_a_signature_that_agrees(plugin: jt.Plugin, name: str, signature: str) -> None:
    assert plugin.lookup(name, signature).__self__.evidence == "dwarf"


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("apply", "double(float)"),
        ("apply", "double()"),
        ("apply", "double(double, double)"),
        ("apply", "float(double)"),
        ("apply", "void(double)"),
        ("turned", "int(int, int64_t)"),
        ("arrays", "void(float *, const float *, uint8_t *, const int32_t *)"),
        ("arrays", "void(double, const float *, uint8_t *, const int32_t *)"),
        ("truth", "float(int, float)"),
        ("memory", "uint64_t(void *, const void *, void *, void *, void *)"),
    ],
)
def test_a_signature_that_contradicts(plugin: jt.Plugin, name: str, signature: str) -> None:
    message = refused(plugin, name, signature)
    assert f"{name!r} of libdwarf.so is '{C_TYPES[name]}' by its debug information" in message
    assert repr(signature) in message


def test_what_no_signature_can_say_is_asserted(plugin: jt.Plugin) -> None:
    function = plugin.lookup("variadic", "int(const char *, int)")
    assert function.__self__.evidence == "asserted"


OBJECTS = """
#include <Python.h>
PyObject *first(PyObject *list) { return PyList_GetItem(list, 0); }
int size(PyObject *list) { return (int)PyList_Size(list); }
"""


def test_who_owns_an_object_is_not_said(compile_plugin: Compile, python_flags: list[str]) -> None:
    plugin = jt.open(compile_plugin("objects", OBJECTS, "-g", *python_flags))
    assert plugin.lookup("size").__self__.signature == "int(object)"
    assert plugin.lookup("size")([1, 2]) == 2
    assert "does not say whether the object that it returns is a new reference" in refused(
        plugin, "first"
    )
    assert plugin.lookup("first", "object(object)").__self__.evidence == "dwarf"
    message = refused(plugin, "first", "object(object, int)")
    assert "is 'object(object)' by its debug information" in message


def test_a_struct_that_only_has_the_name_of_pythons(compile_plugin: Compile) -> None:
    text = (
        "struct _object { double *data; };\ndouble peek(struct _object *x) { return *x->data; }\n"
    )
    plugin = jt.open(compile_plugin("peek", text, "-g"))
    assert plugin.lookup("peek").__self__.signature == "double(void *)"


WITHOUT_PROTOTYPE = """
double mix(a, b) float a; double b; { return a * 10 + b; }
int narrow(a) short a; { return a; }
double wide(a, b) double a; int b; { return a * b; }
float bare() { return 0.5f; }
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_what_has_no_prototype(build: Build, tmp_path: Path, compiler: str) -> None:
    """A float is passed as a double, whatever the definition calls it."""
    source = tmp_path / "old.c"
    source.write_text(WITHOUT_PROTOTYPE)
    plugin = jt.open(build(compiler, str(source), "-g", "-std=gnu89"))
    assert "without a prototype, and takes a float" in refused(plugin, "mix")
    mix = plugin.lookup("mix", "double(double, double)")
    assert (mix(3.0, 1.0), mix.__self__.evidence) == (31.0, "asserted")
    assert "without a prototype, and takes a short" in refused(plugin, "narrow")
    assert plugin.lookup("wide")(1.5, 2) == 3.0
    assert plugin.lookup("bare")() == 0.5


def test_a_function_is_no_variable(plugin: jt.Plugin) -> None:
    with pytest.raises(jt.SymbolKindError, match=r"lookup\('truth', 'float\(bool, float\)'\)"):
        plugin.lookup("truth", "float")


def test_variables_need_their_type(plugin: jt.Plugin) -> None:
    assert "for instance plugin.lookup('variable', 'int32_t')" in refused(plugin, "variable")
    assert plugin.lookup("variable", "double").value == 0.5


def test_another_functions_description_does_not_count(compile_plugin: Compile) -> None:
    """An alias shares the address with a function, and may have another type."""
    text = (
        "int same(void *x) { return x != 0; }\n"
        'int renamed(const char *x) __attribute__((alias("same")));\n'
    )
    plugin = jt.open(compile_plugin("alias", text, "-g"))
    assert plugin.lookup("renamed", "int(uint64_t)").__self__.evidence == "asserted"
    assert "does not describe it" in refused(plugin, "renamed")


def test_a_language_without_types(build: Build, tmp_path: Path) -> None:
    """The assembler describes functions as if they had neither a result nor arguments."""
    source = tmp_path / "bare.s"
    source.write_text(
        ".text\n.globl bare\n.type bare, %function\nbare:\n ret\n.size bare, .-bare\n"
        '.section .note.GNU-stack,"",%progbits\n'
    )
    plugin = jt.open(build("cc", str(source), "-g"))
    assert plugin.lookup("bare", "double(double)").__self__.evidence == "asserted"
    refused(plugin, "bare")


def patched(library: Path, copy: Path, offset: int, value: int) -> jt.Plugin:
    """The library with another byte at an offset of its debug information."""
    elf = Elf(str(library))
    start, _ = elf.sections[".debug_info"]
    data = bytearray(elf.data)
    data[start + offset] = value
    copy.write_bytes(data)
    return jt.open(copy)


def entries(library: Path, stream: BinaryIO) -> list[DIE]:
    """All entries of a library's first unit."""
    dwarf = ELFFile(stream).get_dwarf_info(relocate_dwarf_sections=False)
    return list(next(dwarf.iter_CUs()).iter_DIEs())


def test_languages_that_hide_how_arguments_are_passed(build: Build, tmp_path: Path) -> None:
    library = build("gcc", "dwarf.c", "-g", "-gdwarf-4")
    with library.open("rb") as stream:
        offset = entries(library, stream)[0].attributes["DW_AT_language"].offset
    plugin = patched(library, tmp_path / "libfortran.so", offset, 0x08)
    assert plugin.lookup("apply", "double(double *)").__self__.evidence == "asserted"
    assert "a language whose types say too little" in refused(plugin, "apply")


def test_an_instance_without_its_parameters(build: Build, tmp_path: Path) -> None:
    """Optimisers may leave them out where the abstract entry has them."""
    library = build("g++", "dwarf.cpp", "-g", "-gdwarf-4", "-O2")
    with library.open("rb") as stream:
        (instance,) = [
            entry
            for entry in entries(library, stream)
            if entry.tag == "DW_TAG_subprogram" and "DW_AT_abstract_origin" in entry.attributes
        ]
    end_of_children = instance.offset + instance.size
    plugin = patched(library, tmp_path / "libinstance.so", end_of_children, 0)
    assert plugin.lookup("inlined").__self__.signature == "double(double, int)"


# Without it.


def test_what_is_compressed_the_old_way_is_not_read(library: Path, tmp_path: Path) -> None:
    """Its size is known only when it is there: a small file could fill the memory."""
    if shutil.which("objcopy") is None:
        pytest.skip("needs objcopy")
    content = tmp_path / "content"
    content.write_bytes(b"ZLIB" + (1 << 40).to_bytes(8, "big") + zlib.compress(bytes(1 << 20)))
    copies = [tmp_path / "liba.so", tmp_path / "libb.so"]
    for copy, name in zip(copies, (".zdebug_abbrev", ".zdebug_info"), strict=True):
        old = ["--remove-section", name.replace("z", "", 1)]
        command = ["objcopy", *old, "--add-section", f"{name}={content}", str(library), str(copy)]
        subprocess.run(command, check=True)
    first, second = map(jt.open, copies)
    assert "is compressed as before 2015" in refused(first, "apply")
    assert second._source.debug_info is None  # type: ignore[attr-defined]
    assert second.lookup("apply", "double(double)").__self__.evidence == "asserted"


def test_a_library_that_says_nothing(compile_plugin: Compile, run_python: Run) -> None:
    program = (
        "import sys, jumptable as jt; plugin = jt.open(sys.argv[1])\n"
        "assert plugin.lookup('scale', 'double(double, int)').__self__.evidence == 'asserted'\n"
        "try: plugin.lookup('scale')\n"
        "except jt.SignatureError as error: print(error)\n"
        "assert not any(name.startswith('elftools') for name in sys.modules)\n"
    )
    output = run_python(program, compile_plugin("files_plain", None, "-g0")).stdout
    assert "libfiles_plain.so does not say what type 'scale' has; give its C type" in output


def test_without_pyelftools(library: Path, run_python: Run) -> None:
    program = (
        "import sys, jumptable as jt; sys.modules['elftools'] = None\n"
        "plugin = jt.open(sys.argv[1])\n"
        "assert plugin.lookup('apply', 'double(double)').__self__.evidence == 'asserted'\n"
        "assert plugin.lookup('apply', 'double(float)')\n"
        "try: plugin.lookup('apply')\n"
        "except jt.SignatureError as error: print(error)\n"
    )
    assert "pip install pyelftools" in run_python(program, library).stdout


def test_a_file_that_changed_is_not_read(library: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(library, tmp_path / "libchanged.so"))
    plugin = jt.open(copy)
    copy.touch()
    assert "its file was changed since it was loaded" in refused(plugin, "apply")
    assert plugin.lookup("apply", "double(double)").__self__.evidence == "asserted"


DAMAGE = """
import random, sys
from jumptable.loading.debuginfo import DebugInfo
from jumptable.loading.files import examine
from jumptable.errors import PluginError
path, address = sys.argv[1], int(sys.argv[2])
places = [int(text) for text in sys.argv[3:]]
data = open(path, "rb").read()
changed = path + ".changed"
random.seed(5)
found = {"double(double)": 0}
for offset, size in zip(places[::2], places[1::2]):
    edits = [(offset, bytes(size)), (offset, b"\\xff" * size)]
    edits.append((offset + size // 2, bytes(size // 2)))
    for _ in range(90):
        edits.append((offset + random.randrange(size), bytes([random.randrange(256)])))
    edits += [(offset + k, bytes([value])) for k in range(min(size, 16)) for value in (0, 1, 255)]
    for place, content in edits:
        with open(changed, "wb") as file:
            file.write(data[:place] + content + data[place + len(content):])
        described = DebugInfo(examine(changed)).describe("apply", address)
        assert described.text or described.problem
        found[described.text] = found.get(described.text, 0) + 1
print(found["double(double)"], found.get("", 0))
"""


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
def test_damaged_debug_information(
    build: Build, tmp_path: Path, run_python: Run, version: str
) -> None:
    source = tmp_path / "small.c"
    source.write_text("double apply(double x) { return 2 * x; }\n")
    library = build("cc", str(source), "-g", version)
    plugin = jt.open(library)
    address = plugin.lookup("apply").__self__.address - plugin._source.image.base  # type: ignore[attr-defined]
    sections = Elf(str(library)).sections
    names = (".debug_info", ".debug_abbrev", ".debug_aranges", ".debug_str", ".debug_line_str")
    places = [place for name in names if name in sections for place in sections[name]]
    good, ignored = map(int, run_python(DAMAGE, library, address, *places).stdout.split())
    assert good > 50
    assert ignored > 50


def test_damage_makes_a_signature_asserted(library: Path, tmp_path: Path) -> None:
    elf = Elf(str(library))
    offset, size = elf.sections[".debug_abbrev"]
    copy = tmp_path / "libdamaged.so"
    copy.write_bytes(elf.data[:offset] + b"\xff" * size + elf.data[offset + size :])
    plugin = jt.open(copy)
    assert plugin.lookup("apply", "double(double)").__self__.evidence == "asserted"
    assert "its debug information cannot be read" in refused(plugin, "apply")


def test_threads(library: Path, request: pytest.FixtureRequest) -> None:
    """They share what pyelftools seeks in."""
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)
    for _ in range(5):
        info = DebugInfo(examine(str(library)))
        addresses = {
            name: jt.open(library).lookup(name).__self__.address
            - jt.open(library)._source.image.base  # type: ignore[attr-defined]
            for name in C_TYPES
        }
        found: list[bool] = []
        start = threading.Barrier(8)

        def work(
            info: DebugInfo = info,
            addresses: dict[str, int] = addresses,
            found: list[bool] = found,
            start: threading.Barrier = start,
        ) -> None:
            start.wait()
            for name, address in addresses.items():
                found.append(info.describe(name, address).text == C_TYPES[name])

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 8 * len(C_TYPES)


def test_looking_up_from_inside_a_look_up(library: Path, run_python: Run) -> None:
    """An import hook, an audit hook or a finaliser may do so; nobody waits for himself."""
    program = (
        "import sys, jumptable as jt\n"
        "plugin = jt.open(sys.argv[1])\n"
        "inner = []\n"
        "def hook(event, arguments):\n"
        "    if event == 'import' and arguments[0] == 'elftools' and not inner:\n"
        "        inner.append(1)\n"
        "        inner.append(plugin.lookup('truth', 'float(bool, float)'))\n"
        "sys.addaudithook(hook)\n"
        "outer = plugin.lookup('apply')\n"
        "print(outer.__self__.evidence, inner[1].__self__.evidence)\n"
    )
    assert run_python(program, library).stdout.split() == ["dwarf", "asserted"]


def test_after_a_fork(library: Path, run_python: Run) -> None:
    """A child does not wait for a thread of its parent's."""
    program = (
        "import os, sys, jumptable as jt\n"
        "plugin = jt.open(sys.argv[1])\n"
        "plugin.lookup('apply')\n"
        "plugin._source.debug_info.reading.lock.acquire()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if plugin.lookup('truth')(True, 2.0) == 2.0 else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert run_python(program, library).stdout.split() == ["0"]


THREADS_OF_A_CHILD = """
import os, sys, threading
from jumptable.loading.debuginfo import DebugInfo
from jumptable.loading.files import examine
path, types = sys.argv[1], dict(text.split("=") for text in sys.argv[2:])
addresses = {name: int(text) for name, text in types.items()}
parent = DebugInfo(examine(path))
want = {name: parent.describe(name, address).text for name, address in addresses.items()}
assert all(want.values())
info = DebugInfo(examine(path))
info.describe("apply", addresses["apply"])
sys.setswitchinterval(1e-6)
for _ in range(60):
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1]:
            sys.exit("wrong")
        continue
    start = threading.Barrier(4)
    found = []
    def work():
        start.wait()
        for name, address in addresses.items():
            described = info.describe(name, address)
            found.append(described.text == want[name] or print(name, described.problem))
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    sys.stdout.flush()
    os._exit(found != [True] * 4 * len(addresses))
"""


def test_threads_of_a_forked_child(library: Path, run_python: Run) -> None:
    """Each of them finds that the reading began in another process."""
    plugin = jt.open(library)
    base = plugin._source.image.base  # type: ignore[attr-defined]
    places = [f"{name}={plugin.lookup(name).__self__.address - base}" for name in C_TYPES]
    run_python(THREADS_OF_A_CHILD, library, *places)
