"""What a plugin says about itself with jumptable/plugin.h is read before it is loaded."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from struct import pack, pack_into

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jumptable as jt
from jumptable.errors import PluginError, PluginFormatError, PluginVersionError
from jumptable.loading import elf, embedded, macho, pe, system
from jumptable.loading.files import Reader, examine
from tests.conftest import SOURCES, Compile, Run, one_at_a_time
from tests.loading.elf_patching import Elf
from tests.loading.test_files import dll, dylib

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads ELF libraries")
pytestmark = linux

INCLUDE = f"-I{Path(jt.__file__).parent / 'include'}"
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")
SMALL = ("-O2", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections")
BUILDS = {
    "plain": ("-O0",),
    "stripped": ("-O2", "-s"),
    "small": (*SMALL, "-flto", "-Wl,--gc-sections", "-s"),
    "sysv": ("-Wl,--hash-style=sysv", "-Wl,-z,noseparate-code"),
    "gold": (*SMALL, "-fuse-ld=gold", "-Wl,--gc-sections"),
    "lld": (*SMALL, "-fuse-ld=lld", "-Wl,--gc-sections"),
}
Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a library with the headers; skips where a compiler or linker is missing."""
    folder = tmp_path_factory.mktemp("embedded")
    built: dict[tuple[str, ...], Path] = {}

    @one_at_a_time
    def build(compiler: str, sources: list[str], *flags: str) -> Path:
        if shutil.which(compiler) is None:
            pytest.skip(f"needs {compiler}")
        key = (compiler, *sources, *flags)
        if key in built:
            return built[key]
        target = folder / f"lib{len(os.listdir(folder))}.so"
        # No relocation may be needed in read-only memory.
        command = [compiler, "-shared", "-fPIC", "-Wl,-z,text", INCLUDE, *STRICT, *flags]
        command += ["-o", str(target), *(str(SOURCES / source) for source in sources)]
        done = subprocess.run(command, capture_output=True, text=True)
        missing = ("cannot find 'ld'", "invalid linker", "LLVMgold")
        if done.returncode and any(text in done.stderr for text in missing):
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        built[key] = target
        return target

    return build


@pytest.fixture(scope="module")
def library(build: Build) -> Path:
    return build("cc", ["embedded.c", "embedded_more.c"], "-std=c99")


@pytest.fixture
def filter_plugin(library: Path, tmp_path: Path) -> jt.Plugin:
    """The plugin as a file of its own, in which nothing was looked up yet."""
    return jt.open(shutil.copy(library, tmp_path / "libcopy.so"))


def note(kind: int, first: str | bytes, second: str | bytes, abi: int = system.ABI) -> bytes:
    texts = [text.encode() if isinstance(text, str) else text for text in (first, second)]
    body = pack("=I", abi) + texts[0] + b"\0" + texts[1] + b"\0"
    body += bytes(-len(body) % 4)
    return pack("=III", 10, len(body), kind) + b"jumptable\0\0\0" + body


NAMED = note(1, "filter", "1.0")
APPLY = note(2, "apply", "double(double)")
# Opening a library that must be refused before any of its code runs would end this process.
DEADLY = "#include <stdlib.h>\n__attribute__((constructor)) static void die(void) { abort(); }\n"
NOTES = """
__attribute__((section(".note.jumptable"), used, aligned(4)))
static const unsigned char notes[] = {%s};
double apply(double x) { return 2 * x; }
"""


@pytest.fixture
def with_notes(compile_plugin: Compile) -> Callable[..., Path]:
    """A library with notes that no header would make."""

    def make(notes: bytes, *, before: str = DEADLY, source: str = NOTES) -> Path:
        return compile_plugin("notes", before + source % ",".join(map(str, notes)))

    return make


def refused(path: Path, kind: type[PluginError] = PluginFormatError) -> str:
    with pytest.raises(kind) as caught:
        jt.open(path)
    assert type(caught.value) is kind
    assert caught.value.target == str(path)
    assert path.name in str(caught.value)
    return str(caught.value)


# Plugins in C, C++, Rust and Go.


@pytest.mark.parametrize("compiler", ["cc", "gcc", "clang"])
@pytest.mark.parametrize("flags", BUILDS)
def test_c(build: Build, compiler: str, flags: str) -> None:
    sources = ["embedded.c", "embedded_more.c"]
    plugin = jt.open(build(compiler, sources, "-std=c99", *BUILDS[flags]))
    assert (plugin.name, plugin.version, plugin.kind) == ("filter", "1.2.0", "native")
    assert plugin.lookup("apply")(1.5) == 3.0
    assert plugin.lookup("count")("abcdef", 4) == 4
    assert plugin.lookup("slow")(1.0) == 3.0
    items = memoryview(bytearray(32)).cast("d")
    plugin.lookup("store")(items, 4)
    assert items.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("compiler", ["c++", "g++", "clang++"])
@pytest.mark.parametrize("flags", ["plain", "small"])
def test_cpp(build: Build, compiler: str, flags: str) -> None:
    plugin = jt.open(build(compiler, ["embedded.cpp"], "-std=c++11", *BUILDS[flags]))
    assert (plugin.name, plugin.version) == ("shapes", "0.1")
    found = {name: plugin.lookup(name)(2.0) for name in ("area", "edge", "length", "scale")}
    assert found == {"area": 4.0, "edge": 3.0, "length": 12.0, "scale": 6.0}


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_nothing_runs_when_a_cpp_plugin_is_loaded(build: Build, compiler: str) -> None:
    path = build(compiler, ["embedded.cpp"], "-O0", "-std=c++11")
    symbols = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    assert "jumptable_entry_scale" in symbols
    assert "_GLOBAL__sub_I" not in symbols and "__cxx_global_var_init" not in symbols


@pytest.mark.thread_unsafe(reason="runs a slow compiler")
@pytest.mark.parametrize("strip", [False, True])
def test_rust(tmp_path: Path, strip: bool) -> None:
    rustc = shutil.which("rustc")
    if rustc is None:
        pytest.skip("needs rustc")
    target = tmp_path / "librusty.so"
    command = [rustc, "--crate-type", "cdylib", "-O", "-Cpanic=abort"]
    command.append("-Cstrip=symbols" if strip else "-g")
    subprocess.run([*command, "-o", target, SOURCES / "embedded.rs"], check=True)
    plugin = jt.open(target)
    assert (plugin.name, plugin.version) == ("rusty", "3.1")
    assert plugin.lookup("apply")(1.5) == 3.0
    assert plugin.lookup("times")(-7) == -21
    assert plugin.lookup("times").__self__.signature == "int32_t(int32_t)"


@pytest.mark.thread_unsafe(reason="runs a slow compiler")
def test_go(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs go")
    for name in ("embedded.go", "embedded_go.c"):
        shutil.copy(SOURCES / name, tmp_path)
    (tmp_path / "go.mod").write_text("module gopher\n")
    target = tmp_path / "libgopher.so"
    subprocess.run(
        [go, "build", "-buildmode=c-shared", "-o", str(target), "."],
        cwd=tmp_path,
        env={**os.environ, "CGO_CFLAGS": INCLUDE, "CGO_ENABLED": "1"},
        check=True,
    )
    # Go's run time starts threads and never ends: it gets a process of its own.
    program = (
        "import sys, jumptable as jt; plugin = jt.open(sys.argv[1])\n"
        "print(plugin.name, plugin.version, plugin.lookup('apply')(1.5))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, target], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["gopher", "1.0", "3.0"]


PORTABLE = """
#include <jumptable/plugin.h>
static int twice(int x) { return 2 * x; }
JUMPTABLE_PLUGIN("port", "1");
JUMPTABLE_EXPORT_AS(apply, twice, "int(int)");
"""
MINGW = ["x86_64-w64-mingw32-gcc", "-shared", "-O2", "-Wl,--gc-sections", "-o"]
LLD_LINK = ["lld-link", "/dll", "/noentry", "/opt:ref", "/out:"]
LD64_LLD = ["ld64.lld", "-dylib", "-arch", "x86_64", "-platform_version", "macos", "11", "11"]
LD64_LLD += ["-dead_strip", "-undefined", "dynamic_lookup", "-o"]


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize(
    ("compiler", "linker", "check"),
    [
        (["x86_64-w64-mingw32-gcc"], MINGW, pe.check),
        (["clang", "--target=x86_64-pc-windows-msvc"], LLD_LINK, pe.check),
        (["clang", "--target=x86_64-w64-windows-gnu"], LLD_LINK, pe.check),
        (
            ["clang", "--target=x86_64-apple-macos11", "-Wno-stdlibcxx-not-found"],
            LD64_LLD,
            macho.check,
        ),
    ],
    ids=["mingw", "msvc", "windows-gnu", "macos"],
)
def test_other_systems(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    compiler: list[str],
    linker: list[str],
    check: Callable[..., tuple[object, ...]],
) -> None:
    """Cross compilers and linkers make libraries that nothing here can load, but read."""
    program = linker[0] if shutil.which(linker[0]) else f"{linker[0]}-14"
    if language == "cpp" and compiler[0].endswith("gcc"):
        compiler = [compiler[0].replace("gcc", "g++")]
    if shutil.which(compiler[0]) is None or shutil.which(program) is None:
        pytest.skip(f"needs {compiler[0]} and {linker[0]}")
    source, object_file = tmp_path / f"port.{language}", tmp_path / "port.o"
    source.write_text(PORTABLE)
    flags = [INCLUDE, *STRICT, "-O2", "-ffunction-sections", "-fdata-sections"]
    subprocess.run([*compiler, *flags, "-c", "-o", object_file, source], check=True)
    output = tmp_path / "port.bin"
    last = [f"{linker[-1]}{output}"] if linker[-1].endswith(":") else [linker[-1], str(output)]
    subprocess.run([program, *linker[1:-1], *last, str(object_file)], check=True)
    monkeypatch.setattr("jumptable.loading.elf.MACHINE", "x86-64")
    content = output.read_bytes()
    with output.open("rb") as stream:
        notes = check(Reader(stream.fileno(), str(output), len(content), output))[4]
    assert b"jumptable_entry_apply" in content
    file = examine(elf.__file__)
    file.notes = notes  # type: ignore[assignment]
    declared = embedded.read(file, output)
    assert declared is not None
    assert (declared.name, declared.version) == ("port", "1")
    assert declared.exports["apply"].text == "int(int)"


# Looking up.


def test_the_declared_signature_needs_not_be_given(filter_plugin: jt.Plugin) -> None:
    function = filter_plugin.lookup("apply")
    assert function is filter_plugin.lookup("apply", "double(double)")
    assert function is filter_plugin.lookup("apply")
    assert function.__self__.evidence == "embedded"
    assert pickle.loads(pickle.dumps(function)) is function
    assert filter_plugin.lookup("slow").__self__.signature == "double(double) nogil"


def test_an_equal_signature_is_the_callers_choice(filter_plugin: jt.Plugin) -> None:
    released = filter_plugin.lookup("apply", "double(double) nogil")
    assert released.__self__.signature == "double(double) nogil"
    assert filter_plugin.lookup("slow", "double(double)").__self__.evidence == "embedded"
    as_int = filter_plugin.lookup("count", "int(const char *, int)")
    assert as_int("ab", 7) == 2
    assert as_int.__self__.evidence == "embedded"


@pytest.mark.parametrize(
    "wrong", ["double(float)", "double(double, int)", "double()", "void(double)", "int64_t(double)"]
)
def test_a_wrong_signature(filter_plugin: jt.Plugin, wrong: str) -> None:
    with pytest.raises(jt.SignatureError) as caught:
        filter_plugin.lookup("apply", wrong)
    message = str(caught.value)
    assert "'double(double)'" in message and repr(wrong) in message and "'apply'" in message


def test_a_declared_function_is_no_variable(filter_plugin: jt.Plugin) -> None:
    for name, own in (("slow", "double(double) nogil"), ("store", "void(double *, unsigned long)")):
        with pytest.raises(jt.SymbolKindError) as caught:
            filter_plugin.lookup(name, "double")
        message = str(caught.value)
        assert f"{name!r} of filter is a function" in message
        assert f"plugin.lookup({name!r}, {own!r})" in message
        assert filter_plugin.lookup(name, own)


def test_what_is_not_declared_is_asserted(filter_plugin: jt.Plugin) -> None:
    function = filter_plugin.lookup("plain", "int(int)")
    assert function(1) == 2
    assert function.__self__.evidence == "asserted"
    with pytest.raises(jt.SignatureError, match="filter does not say what type 'plain' has"):
        filter_plugin.lookup("plain")


def test_close_names_are_those_that_can_be_looked_up(filter_plugin: jt.Plugin) -> None:
    with pytest.raises(jt.SymbolNotFoundError, match="did you mean 'apply'"):
        filter_plugin.lookup("aply")
    with pytest.raises(jt.SymbolNotFoundError) as caught:
        filter_plugin.lookup("jumptable_entry_aply")
    assert "did you mean" not in str(caught.value)


def test_one_plugin_whatever_it_is_called(library: Path, tmp_path: Path) -> None:
    plugin = jt.open(library)
    (tmp_path / "libother.so").symlink_to(library)
    assert jt.open(tmp_path / "libother.so") is plugin
    assert jt.open(str(library)) is plugin


def test_who_declares_nothing_has_no_version(compile_plugin: Compile) -> None:
    assert jt.open(compile_plugin("basic")).version is None
    assert jt.open("json").version is None
    assert not hasattr(jt.open("json"), "__dict__")
    with pytest.raises(AttributeError):
        jt.open("json").version = "1"  # type: ignore[misc]


def test_a_version_script_that_hides_the_entries(build: Build, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("{ global: plain; local: *; };")
    sources = ["embedded.c", "embedded_more.c"]
    plugin = jt.open(build("cc", sources, "-std=c99", f"-Wl,--version-script={script}"))
    assert plugin.version == "1.2.0"
    for name in ("apply", "count"):
        with pytest.raises(jt.SymbolNotFoundError, match="does a version script hide it"):
            plugin.lookup(name)


ENTRIES = {
    "too small": ("char jumptable_entry_apply = 1;", "has 1 bytes, expected at least 8"),
    "a function": ("void jumptable_entry_apply(void) {}", "is of the kind 'function'"),
    "thread-local": ("_Thread_local void *jumptable_entry_apply;", "of the kind 'thread-local'"),
    "NULL": ("void *jumptable_entry_apply;", "holds 0x0, expected an address in the library's own"),
    "a number": ("void *jumptable_entry_apply = (void *)0xfeed;", "holds 0xfeed, expected"),
    "data": ("static int x; void *jumptable_entry_apply = &x;", "holds 0x"),
    "another's": ("int puts(const char *); void *jumptable_entry_apply = puts;", "holds 0x"),
    "in code": (
        '__asm__(".text\\n.globl jumptable_entry_apply\\n.type jumptable_entry_apply, @object\\n"'
        '".balign 8\\n.size jumptable_entry_apply, 8\\njumptable_entry_apply: .quad 1\\n");',
        "lies among code, expected data",
    ),
    "no size": (
        '__asm__(".data\\n.globl jumptable_entry_apply\\n.type jumptable_entry_apply, @object\\n"'
        '".balign 8\\njumptable_entry_apply: .quad apply\\n.text\\n");',
        "has 0 bytes, expected at least 8",
    ),
    "misplaced": (
        "struct __attribute__((packed)) odd { char c; double (*f)(double); };"
        "static struct odd room __attribute__((used)) = {0, apply};"
        '__asm__(".globl jumptable_entry_apply\\n.type jumptable_entry_apply, @object\\n"'
        '".size jumptable_entry_apply, 8\\n.set jumptable_entry_apply, room + 1\\n");',
        "expected a multiple of 8",
    ),
}


@pytest.mark.skipif(sys.maxsize < 2**32, reason="words of eight bytes")
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_that_leads_to_no_function(with_notes: Callable[..., Path], entry: str) -> None:
    """Neither it nor the function of the plain name is called instead."""
    text, expected = ENTRIES[entry]
    plugin = jt.open(with_notes(NAMED + APPLY, before="double apply(double);\n" + text))
    with pytest.raises(jt.SymbolKindError) as caught:
        plugin.lookup("apply")
    assert "filter declares 'apply', and its 'jumptable_entry_apply'" in str(caught.value)
    assert expected in str(caught.value)


# What does not compile.


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('JUMPTABLE_EXPORT(apply, "int()"); JUMPTABLE_EXPORT(apply, "int()");', "redefinition"),
        ('JUMPTABLE_PLUGIN("a", "1"); JUMPTABLE_PLUGIN("b", "1");', "redefinition"),
        ('JUMPTABLE_EXPORT(missing, "int()");', "missing"),
        ("JUMPTABLE_EXPORT(apply, text);", "text"),
        ('JUMPTABLE_EXPORT(apply, "int()")', "expected"),
    ],
)
def test_misuse_that_the_compiler_finds(tmp_path: Path, lines: str, expected: str) -> None:
    source = tmp_path / "wrong.c"
    source.write_text(
        "#include <jumptable/plugin.h>\nextern const char *text;\n"
        f"int apply(void);\n{lines}\nint apply(void) {{ return 1; }}\n"
    )
    command = ["cc", "-c", INCLUDE, "-o", str(tmp_path / "wrong.o"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert expected in done.stderr


def test_one_name_in_two_files_does_not_link(tmp_path: Path) -> None:
    for name in ("one.c", "two.c"):
        (tmp_path / name).write_text(
            "#include <jumptable/plugin.h>\nstatic int apply(void) { return 1; }\n"
            'JUMPTABLE_EXPORT(apply, "int()");\n'
        )
    command = ["cc", "-shared", "-fPIC", INCLUDE, "-o", str(tmp_path / "lib.so")]
    command += [str(tmp_path / "one.c"), str(tmp_path / "two.c")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "multiple definition of `jumptable_entry_apply'" in done.stderr


# What is refused before any code runs.


def test_the_layout(library: Path) -> None:
    """Append-only: plugins that were compiled with it exist."""
    notes = examine(str(library)).notes
    assert note(1, "filter", "1.2.0", abi=1) in notes
    assert note(2, "count", "int32_t(const char *, int32_t)", abi=1) in notes
    assert note(2, "store", "void(double *, unsigned long)", abi=1) in notes
    assert notes.count(b"jumptable\0") == 5
    assert system.ABI == 1


def test_notes_by_hand(with_notes: Callable[..., Path]) -> None:
    plugin = jt.open(with_notes(NAMED + APPLY, before=""))
    assert plugin.name == "filter"
    assert plugin.lookup("apply")(2.0) == 4.0


def test_what_later_versions_append(with_notes: Callable[..., Path]) -> None:
    longer = pack("=I", 1) + b"apply\0double(double)\0more\0\0\0"
    longer = pack("=III", 10, len(longer), 2) + b"jumptable\0\0\0" + longer
    foreign = pack("=III", 4, 6, 7) + b"GNU\0abcdef\0\0"
    notes = NAMED + bytes(8) + foreign + note(99, "kind", "unknown") + longer + bytes(12)
    plugin = jt.open(with_notes(notes, before=""))
    assert plugin.lookup("apply").__self__.signature == "double(double)"


FOREIGN = {
    "no owner": pack("=IIIIIII", 0, 16, 7, 0x11223344, 0x7FFFFFFF, 0x55667788, 0x99),
    "odd sizes": pack("=III", 3, 5, 7) + b"abcabcde" + bytes(4),
    "eight-byte padding": pack("=III", 4, 3, 7) + b"GNU\0abc" + bytes(5),
    "leaves them": pack("=III", 4, 2**32 - 1, 7) + b"GNU\0",
    "another length": pack("=III", 2**32 - 1, 8, 1) + b"jumptable\0\0\0" + bytes(8),
    "another place": pack("=III", 4, 40, 7) + b"GNU\0" + b"\0\0" + NAMED[:38],
    "longer owner": pack("=III", 14, 4, 1) + b"not-jumptable\0\0\0" + bytes(4),
}


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_what_others_leave_there(with_notes: Callable[..., Path], foreign: str, place: str) -> None:
    parts = [NAMED, APPLY]
    parts.insert(["before", "between", "after"].index(place), FOREIGN[foreign])
    plugin = jt.open(with_notes(b"".join(parts), before=""))
    assert plugin.name == "filter"
    assert plugin.lookup("apply")(2.0) == 4.0


def test_headers_that_name_the_same_notes(with_notes: Callable[..., Path]) -> None:
    """What is read is limited for the file: many headers may name the same megabytes."""
    large = pack("=III", 4, 6 << 20, 7) + b"GNU\0"
    source = NOTES.replace("{%s}", "{%s, [6 << 20] = 0}")
    path = with_notes(NAMED + large, source=source)
    elf_file = Elf(str(path))
    note_header = elf_file.segment(4)
    headers = elf_file.data[elf_file.phoff : elf_file.phoff + 56 * elf_file.phnum]
    headers += elf_file.data[note_header : note_header + 56] * 2
    data = bytearray(elf_file.data + bytes(-len(elf_file.data) % 8))
    pack_into("<Q", data, 32, len(data))
    pack_into("<H", data, 56, elf_file.phnum + 2)
    path.write_bytes(data + headers)
    assert re.search(r"its notes have 188\d{5} bytes, expected at most 16777216", refused(path))


@pytest.mark.parametrize("abi", [0, system.ABI + 1, 2**32 - 1])
def test_another_abi(with_notes: Callable[..., Path], abi: int) -> None:
    path = with_notes(NAMED + note(2, "apply", "double(double)", abi))
    message = refused(path, PluginVersionError)
    assert f"ABI {abi} of jumptable" in message and f"this is ABI {system.ABI}" in message
    assert ("build the plugin again" if abi == 0 else "upgrade jumptable") in message


@pytest.mark.parametrize("form", ["mach-o", "pe"])
def test_headers_that_name_the_same_notes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("jumptable.loading.elf.MACHINE", "x86-64")
    size = 6 << 20
    if form == "mach-o":
        data = bytearray(dylib(notes=bytes(size)))
        pack_into("<Q", data, 64, 1 << 30)  # the segment's size in memory
        segment = data[32:184]
        more = 2 * len(segment)
        pack_into("<II", data, 16, 6, 240 + more)
        for place in (32 + 240 - 16, 32 + 240 - 8):  # where the symbols and their names are
            pack_into("<I", data, place, int.from_bytes(data[place : place + 4], "little") + more)
        data[32:32] = 2 * segment
        check: Callable[[Reader], object] = macho.check
    else:
        data = bytearray(dll(section_name=b"jmptable") + bytes(size))
        pack_into("<H", data, 70, 3)
        section = data.index(b"jmptable")
        pack_into("<IIII", data, section + 8, size, 0x1000, size, 512)
        data[section + 40 : section + 120] = 2 * data[section : section + 40]
        check = pe.check
    path = tmp_path / "library"
    path.write_bytes(data)
    with path.open("rb") as stream, pytest.raises(PluginFormatError) as caught:
        check(Reader(stream.fileno(), str(path), len(data), path))
    assert f"its notes have {3 * size} bytes, expected at most 16777216" in str(caught.value)


def edited(notes: bytes, offset: int, value: int) -> bytes:
    return notes[:offset] + pack("=I", value) + notes[offset + 4 :]


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (APPLY, r'add JUMPTABLE_PLUGIN\("name", "version"\)'),
        (NAMED + note(1, "other", "2"), "names itself twice, 'filter' and 'other'"),
        (NAMED + APPLY + note(2, "apply", "int()"), "declares the export 'apply' twice"),
        (NAMED + note(2, "apply", "dubble(double)"), "'apply'.*unknown type 'dubble'.*'double'"),
        (NAMED + note(2, "apply", ""), "'apply'.*it is empty"),
        (NAMED + note(2, "apply", "double"), "'apply' as 'double', which is no function's type"),
        (NAMED + note(2, "", "int()"), "a name is empty"),
        (note(1, "a\nb", "1"), "not printable"),
        (NAMED + note(2, b"a\xff", "int()"), "is not UTF-8"),
        (note(1, "filter", b"1\xe2\x82"), "is not UTF-8"),
        (edited(NAMED, 4, len(NAMED)), "a note of 40 bytes leaves them"),
        (edited(NAMED, 4, 2**32 - 1), "a note of 4294967295 bytes leaves them"),
        (edited(NAMED, 4, 3), "a note has 3 bytes, too few"),
        (edited(NAMED, 4, 13), "has no end"),
        (edited(NAMED, 4, 4), "has no end"),
    ],
    ids=range(15),
)
def test_bad_notes(with_notes: Callable[..., Path], notes: bytes, expected: str) -> None:
    assert re.search(expected, refused(with_notes(notes), PluginFormatError))


@given(st.binary(max_size=120), st.integers(0, 200), st.binary(max_size=8))
def test_no_bytes_lead_to_another_error(garbage: bytes, at: int, patch: bytes) -> None:
    file = examine(elf.__file__)
    notes = NAMED + APPLY + note(2, "flush", "void()")
    for data in (garbage, notes[:at] + patch + notes[at + len(patch) :], notes[:at]):
        file.notes = data
        try:
            found = embedded.read(file, "target")
        except PluginError as error:
            assert error.target == "target"
        else:
            assert found is None or found.name


MUTATIONS = """
import os, sys
import jumptable as jt
path, start, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = open(path, "rb").read()
count = refused = 0
for offset in range(start, start + size):
    for value in {0, 0xFF, data[offset] ^ 1, data[offset] ^ 0x80} - {data[offset]}:
        count += 1
        changed = f"{path}.{count}.so"
        with open(changed, "wb") as file:
            file.write(data[:offset] + bytes([value]) + data[offset + 1 :])
        try:
            plugin = jt.open(changed)
            assert plugin.lookup("plain", "int(int)")(1) == 2
            for name in ("apply", "count", "slow"):
                try:
                    function = plugin.lookup(name)
                except jt.SymbolError:
                    continue
                if function.__self__.signature == "double(double)":
                    assert function(2.0) in (4.0, 6.0)
        except jt.PluginError:
            refused += 1
        os.unlink(changed)
print(count, refused)
"""


def test_every_byte_changed(library: Path, tmp_path: Path, run_python: Run) -> None:
    copy = shutil.copy(library, tmp_path / "lib.so")
    start, size = Elf(str(copy)).sections[".note.jumptable"]
    count, refusals = map(int, run_python(MUTATIONS, copy, start, size).stdout.split())
    assert count > 3 * size
    assert count // 4 < refusals < count


USES_PYTHON = """
#include <Python.h>
#include <jumptable/plugin.h>

long held(long x) {
    PyObject *list = PyList_New(x);
    Py_ssize_t size = list == NULL ? -1 : PyList_GET_SIZE(list);
    Py_XDECREF(list);
    return (long)size;
}
long plain(long x) { return x; }

JUMPTABLE_PLUGIN("user", "1");
JUMPTABLE_EXPORT(held, "long(long)");
JUMPTABLE_EXPORT(plain, "long(long) nogil");
"""


def test_nogil_is_the_authors_word_where_python_is_used(
    compile_plugin: Compile, python_flags: list[str]
) -> None:
    plugin = jt.open(compile_plugin("user", USES_PYTHON, INCLUDE, *python_flags))
    assert plugin.lookup("held")(3) == 3
    assert plugin.lookup("plain", "long(long) nogil")(3) == 3
    with pytest.raises(jt.SignatureError, match="user, which uses Python's C API.*without 'nogil'"):
        plugin.lookup("held", "long(long) nogil")


def test_a_declaration_that_its_debug_information_contradicts(compile_plugin: Compile) -> None:
    pytest.importorskip("elftools")
    text = """
    #include <jumptable/plugin.h>
    float apply(float x) { return 2 * x; }
    float half(float x) { return x / 2; }
    JUMPTABLE_PLUGIN("liar", "1");
    JUMPTABLE_EXPORT(apply, "double(double)");
    JUMPTABLE_EXPORT(half, "float(float)");
    """
    plugin = jt.open(compile_plugin("liar", text, INCLUDE, "-g"))
    assert plugin.lookup("half").__self__.evidence == "embedded"
    for signature in (None, "double(double)"):
        with pytest.raises(jt.SignatureError, match=r"'double\(double\)'.*'float\(float\)'"):
            plugin.lookup("apply", signature)
