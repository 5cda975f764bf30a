"""The check of ELF libraries: good ones pass, whatever made them; cut and damaged ones do not.

A library that passed is opened in a child process, which must survive it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jumptable.errors import PluginArchError, PluginError, PluginFormatError
from jumptable.loading.files import LibraryFile, examine
from tests.conftest import compiler
from tests.loading.elf_patching import Elf, opened

Build = Callable[..., str]

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or sys.maxsize < 1 << 32 or sys.byteorder != "little",
    reason="the deep check is for 64-bit ELF; these tests patch little-endian files",
)


@pytest.fixture(scope="session")
def elf(plain: str) -> Elf:
    return Elf(plain)


@pytest.fixture
def refuses(tmp_path: Path) -> Callable[..., str]:
    """Examines bytes as a file, and gives the message of the refusal."""

    def refuses(data: bytes, kind: type[PluginError] = PluginFormatError) -> str:
        path = Path(tempfile.mkdtemp(dir=tmp_path)) / "libfilter.so"
        path.write_bytes(data)
        with pytest.raises(kind) as caught:
            examine(str(path))
        assert caught.value.target == str(path)
        return str(caught.value)

    return refuses


# Good libraries.

VARIANTS = [
    (),
    ("-s",),
    ("-g",),
    ("-nostartfiles",),
    ("-Wl,--hash-style=sysv",),
    ("-Wl,--hash-style=gnu",),
    ("-Wl,--hash-style=both",),
    ("-Wl,-z,norelro",),
    ("-Wl,-z,relro,-z,now",),
    ("-Wl,-z,lazy",),
    ("-Wl,-z,nocombreloc",),
    ("-Wl,-z,noseparate-code",),
    ("-Wl,-z,pack-relative-relocs",),
    ("-Wl,-z,max-page-size=65536",),
    ("-Wl,-Bsymbolic",),
    ("-Wl,--build-id=none",),
    ("-fuse-ld=gold",),
    ("-fuse-ld=lld",),
    ("-fuse-ld=mold",),
]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (source, options)
        for source in ("files_plain.c", "files_tls.c", "files_static.cpp")
        for options in VARIANTS
        if source != "files_static.cpp" or options != ("-nostartfiles",)  # C++ needs them
    ],
)
def test_what_linkers_make_passes(build: Build, source: str, options: tuple[str, ...]) -> None:
    path = build(source, *options)
    assert isinstance(examine(path), LibraryFile)
    assert opened([path]) == {path: 0}


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("files_bare.c", ("-nostdlib",)),
        ("files_bare.c", ("-nostdlib", "-fvisibility=hidden", "-s")),
        ("files_plain.c", ("-Wl,-init=scale",)),
        ("files_tls.c", ("-mtls-dialect=gnu2",)),
    ],
)
def test_unusual_libraries_pass(build: Build, source: str, options: tuple[str, ...]) -> None:
    path = build(source, *options)
    assert isinstance(examine(path), LibraryFile)
    assert opened([path]) == {path: 0}


@pytest.mark.parametrize("options", [(), ("-Wl,--hash-style=sysv",)], ids=" ".join)
@pytest.mark.parametrize("source", ["files_plain.c", "files_tls.c", "files_bare.c"])
def test_without_section_headers(
    build: Build, tmp_path: Path, source: str, options: tuple[str, ...]
) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(Elf(build(source, *options)).without_sections())
    assert isinstance(examine(str(path)), LibraryFile)
    assert opened([str(path)]) == {str(path): 0}


RUST = '#[no_mangle] pub extern "C" fn twice(x: f64) -> f64 { println!("{x}"); 2.0 * x }'


@pytest.mark.skipif(shutil.which("rustc") is None, reason="needs rustc")
def test_a_rust_library_passes(tmp_path: Path) -> None:
    path = str(tmp_path / "librust.so")
    command = ["rustc", "--crate-type=cdylib", "--crate-name=rust", "-o", path, "-"]
    # A sanitizer that is preloaded for Python is not for a compiler.
    clean = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run(command, input=RUST, text=True, check=True, capture_output=True, env=clean)
    assert isinstance(examine(path), LibraryFile)
    assert opened([path]) == {path: 0}


@pytest.mark.skipif(shutil.which("patchelf") is None, reason="needs patchelf")
@pytest.mark.parametrize(
    "edit", ["--set-rpath /" + "x" * 200, "--add-needed libm.so.6", "--set-soname libx.so"]
)
@pytest.mark.parametrize("source", ["files_plain.c", "files_tls.c", "files_static.cpp"])
def test_an_edited_library_passes(build: Build, tmp_path: Path, source: str, edit: str) -> None:
    path = str(tmp_path / "lib.so")
    shutil.copy(build(source), path)
    subprocess.run(["patchelf", *edit.split(), path], check=True)
    assert isinstance(examine(path), LibraryFile)
    assert opened([path]) == {path: 0}


def test_libraries_that_run_this_process_pass() -> None:
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    paths = sorted(path for path in mapped if ".so" in path and os.path.isfile(path))
    assert paths
    for path in paths:
        examine(path)


def test_what_it_says_about_itself(build: Build) -> None:
    named = examine(build("files_plain.c", "-Wl,-soname,libplain.so.1"))
    assert named.soname == "libplain.so.1"
    assert any(name.startswith("libc.so") for name in named.needed)
    assert not named.uses_python
    assert examine(build("files_python.c")).uses_python
    assert examine(build("files_bare.c", "-nostdlib")).needed == ()


# Cut libraries.


def test_every_prefix_is_refused(elf: Elf, tmp_path: Path) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(elf.data)
    for length in range(len(elf.data) - 1, -1, -1):
        os.truncate(path, length)
        with pytest.raises(PluginFormatError):
            examine(str(path))


def test_a_truncated_library_says_what_to_do(elf: Elf, refuses: Callable[..., str]) -> None:
    message = refuses(elf.data[:15000])
    end = elf.shoff + 64 * elf.shnum
    assert message == (
        f"libfilter.so is truncated: its section headers end at byte {end}, "
        "the file has 15000 bytes; copy or build it again"
    )


# Other machines, and files that are no shared library.


@pytest.mark.parametrize(
    ("patch", "machine"),
    [
        ({18: 0xB7}, "AArch64"),
        ({18: 0xF3}, "RISC-V"),
        ({4: 1}, "32-bit "),
        ({5: 2, 18: 0, 19: 0x3E}, "big-endian x86-64"),
        ({18: 3, 4: 1}, "x86"),
        ({18: 8, 4: 1, 5: 1}, "little-endian MIPS"),
        ({18: 0xFE, 19: 0x12}, "ELF machine 4862"),
    ],
)
def test_another_machine_names_both(
    elf: Elf, refuses: Callable[..., str], patch: dict[int, int], machine: str
) -> None:
    data = bytearray(elf.data)
    data[18:20] = b"\0\0" if 18 in patch else data[18:20]
    for offset, value in patch.items():
        data[offset] = value
    if bytes(data[:20]) == elf.data[:20]:
        pytest.skip("this is the machine")
    message = refuses(bytes(data), PluginArchError)
    assert f"built for {machine}" in message and "this Python is " in message


def test_an_object_file(tmp_path: Path) -> None:
    source = Path(__file__).parent.parent / "plugins" / "files_plain.c"
    target = tmp_path / "plain.o"
    subprocess.run([*compiler(), "-c", "-o", str(target), str(source)], check=True)
    with pytest.raises(PluginFormatError, match=r"an object file.*-shared"):
        examine(str(target))


def test_executables() -> None:
    with pytest.raises(PluginFormatError, match="an executable"):
        examine(os.path.realpath(sys.executable))


# Damage, one kind after the other: each of these checks has a crash or abort of ld.so behind it.

PT_LOAD, PT_DYNAMIC, PT_TLS, PT_EH_FRAME, PT_RELRO = 1, 2, 7, 0x6474E550, 0x6474E552
FAR = 1 << 40
DAMAGE: dict[str, tuple[Callable[[Elf], bytes], str]] = {
    "elf version": (lambda e: e.with_word(20, 2, "<I"), "ELF version"),
    "type": (lambda e: e.with_word(16, 9, "<H"), "ELF type is 9"),
    "size of program headers": (lambda e: e.with_word(54, 55, "<H"), "program headers are 55"),
    "no program headers": (lambda e: e.with_word(56, 0, "<H"), "0 program headers"),
    "program headers far": (lambda e: e.with_word(32, (1 << 64) - 1), "program headers end"),
    "section headers far": (lambda e: e.with_word(40, (1 << 64) - 1), "section headers end"),
    "size of section headers": (lambda e: e.with_word(58, 65, "<H"), "section headers are 65"),
    "section names": (lambda e: e.with_word(62, 0xFFF0, "<H"), "section names are in"),
    "huge section": (lambda e: e.with_word(e.shoff + 64 + 32, 1 << 63), "sections end"),
    "huge segment": (lambda e: e.with_word(e.segment(PT_LOAD) + 32, 1 << 63), "segments end"),
    "no loads": (
        lambda e: e.with_word(e.segment(PT_LOAD), 0, "<I"),
        "lies in no segment with the same rights",
    ),
    "load larger in the file": (
        lambda e: e.with_word(e.segment(PT_LOAD) + 40, 1),
        "bytes in memory and",
    ),
    "load not aligned": (
        lambda e: e.with_word(e.segment(PT_LOAD) + 48, 0x1003),
        "no power of two",
    ),
    "load not congruent": (
        lambda e: e.with_word(e.segment(PT_LOAD, 1) + 16, 0x1008),
        "not congruent",
    ),
    "load backwards": (lambda e: e.with_word(e.segment(PT_LOAD, 1) + 16, 0), "overlaps the one"),
    "load beyond all addresses": (
        lambda e: e.with_word(e.segment(PT_LOAD, 3) + 40, 1 << 63),
        "leaves the address space",
    ),
    "load not readable": (lambda e: e.with_word(e.segment(PT_LOAD) + 4, 0, "<I"), "not readable"),
    "code not executable": (
        lambda e: e.with_word(e.segment(PT_LOAD, 1) + 4, 4, "<I"),
        "same rights",
    ),
    "no dynamic segment": (
        lambda e: e.with_word(e.segment(PT_DYNAMIC), 0, "<I"),
        "no dynamic segment",
    ),
    "dynamic segment elsewhere": (
        lambda e: e.with_word(e.segment(PT_DYNAMIC) + 16, FAR),
        "its dynamic segment at address",
    ),
    "relro over data": (lambda e: e.with_word(e.segment(PT_RELRO) + 40, 0x100000), "RELRO"),
    "no unwind tables": (
        lambda e: e.with_word(e.segment(PT_EH_FRAME), 0, "<I"),
        "unwind tables but no such segment",
    ),
    "no symbol table": (lambda e: e.with_word(e.tag(6), 0x6FFF0000), "lacks the symbol"),
    "no string table": (lambda e: e.with_word(e.tag(5), 0x6FFF0000), "lacks the symbol"),
    "unknown tag": (lambda e: e.with_word(e.tag(6), 0x106), "unknown tag 0x106"),
    "half of the relocations": (lambda e: e.with_word(e.tag(9), 0x6FFF0000), "only a part"),
    "half of the calls": (lambda e: e.with_word(e.tag(20), 0x6FFF0000), "only a part"),
    "half of an array": (lambda e: e.with_word(e.tag(27), 0x6FFF0000), "only a part"),
    "size of a relocation": (lambda e: e.with_word(e.tag(9) + 8, 23), "has 23 for tag 9"),
    "kind of the calls": (lambda e: e.with_word(e.tag(20) + 8, 17), "another kind"),
    "strings cut": (lambda e: e.with_word(e.tag(10) + 8, 8), "does not end in NUL"),
    "strings far": (lambda e: e.with_word(e.tag(5) + 8, FAR), "its string table"),
    "strings huge": (lambda e: e.with_word(e.tag(10) + 8, (1 << 64) - 8), "its string table"),
    "needed name": (lambda e: e.with_word(e.tag(1) + 8, 1 << 63), "outside its string table"),
    "symbols elsewhere": (lambda e: e.with_word(e.tag(6) + 8, FAR), "do not agree"),
    "relocations huge": (lambda e: e.with_word(e.tag(8) + 8, 24 << 58), "its relocations"),
    "initialiser not code": (lambda e: e.with_word(e.tag(12) + 8, 0x10), "no code"),
    "initialisers not writable": (lambda e: e.with_word(e.tag(25) + 8, 0), "not writable"),
    "versions without a table": (lambda e: e.with_word(e.tag(0x6FFFFFF0), 0x6FFF0000), "versions"),
    "relative count": (lambda e: e.with_word(e.tag(0x6FFFFFF9) + 8, 1 << 62), "counts"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named(elf: Elf, refuses: Callable[..., str], kind: str) -> None:
    damage, expected = DAMAGE[kind]
    message = refuses(damage(elf))
    assert expected in message
    assert message.endswith("copy or build it again")


def section_word(name: str, at: int, value: int, form: str) -> Callable[[Elf], bytes]:
    return lambda e: e.with_word(e.sections[name][0] + at, value, form)


# Of the tables. The first relocation is relative, and starts the array of initialisers.
TABLES: dict[str, tuple[Callable[[Elf], bytes], str]] = {
    "name of a symbol": (section_word(".dynsym", 24, 1 << 31, "<I"), "outside the names"),
    "value of an undefined symbol": (section_word(".dynsym", 32, 5, "<Q"), "has a value"),
    "type of a symbol": (section_word(".dynsym", 28, 0x13, "<B"), "is of type 3"),
    "hidden undefined symbol": (section_word(".dynsym", 29, 2, "<B"), "local and undefined"),
    "bloom size": (section_word(".gnu.hash", 8, 3, "<I"), "Bloom words"),
    "bloom huge": (section_word(".gnu.hash", 8, 1 << 31, "<I"), "its GNU hash table"),
    "buckets huge": (section_word(".gnu.hash", 0, 0xFFFFFFFF, "<I"), "its GNU hash table"),
    "bloom bits": (section_word(".gnu.hash", 16, 0, "<Q"), "does not find symbol"),
    "version of a symbol": (section_word(".gnu.version", 2, 0x7FFF, "<H"), "has version 32767"),
    "needed version": (section_word(".gnu.version_r", 0, 2, "<H"), "of revision 2"),
    "needed version's parts": (section_word(".gnu.version_r", 8, 1 << 31, "<I"), "lead out"),
    "needed version's next": (section_word(".gnu.version_r", 12, 1, "<I"), "overlap"),
    "needed version's library": (section_word(".gnu.version_r", 4, 0, "<I"), "not link to"),
    "needed version's name": (section_word(".gnu.version_r", 24, 1 << 31, "<I"), "outside"),
    "needed version's hash": (section_word(".gnu.version_r", 16, 1, "<I"), "misspelt"),
    "place not writable": (section_word(".rela.dyn", 0, 0x40, "<Q"), "not writable"),
    "place far": (section_word(".rela.dyn", 0, FAR, "<Q"), "not writable"),
    "place at the end of addresses": (section_word(".rela.dyn", 0, -4, "<q"), "not writable"),
    "type of a relocation": (section_word(".rela.dyn", 8, 999, "<I"), "no shared library has"),
    "relative with a symbol": (section_word(".rela.dyn", 12, 1, "<I"), "no use for it"),
    "symbol out of range": (section_word(".rela.dyn", 12, 1 << 31, "<I"), "use symbol"),
    "counted as relative": (section_word(".rela.dyn", 8, 0, "<Q"), "counted as relative"),
    "initialiser": (section_word(".rela.dyn", 16, 0x10, "<Q"), "where no code is"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_damage_of_tables_is_named(elf: Elf, refuses: Callable[..., str], kind: str) -> None:
    damage, expected = TABLES[kind]
    assert expected in refuses(damage(elf))


def test_two_relocations_of_one_place(elf: Elf, refuses: Callable[..., str]) -> None:
    table = elf.sections[".rela.dyn"][0]
    assert "as another one is" in refuses(elf.with_word(table, elf.word(table + 24)))
    assert "as another one is" in refuses(elf.with_word(table, elf.word(table + 24) + 1))


def test_an_unfilled_initialiser(elf: Elf, refuses: Callable[..., str]) -> None:
    offset, size = elf.sections[".data"]
    load = elf.segment(PT_LOAD, 3)
    address = offset + size - 8 + elf.word(load + 16) - elf.word(load + 8)
    table = elf.sections[".rela.dyn"]
    free = [elf.word(place) for place in range(table[0], sum(table), 24)]
    assert elf.word(table[0]) == elf.word(elf.tag(25) + 8)
    while address in free:
        address -= 8
    assert "do not fill" in refuses(elf.with_word(table[0], address))


def test_a_relocation_of_the_dynamic_section(elf: Elf, refuses: Callable[..., str]) -> None:
    address = elf.word(elf.segment(PT_DYNAMIC) + 16)
    message = refuses(elf.with_word(elf.sections[".rela.dyn"][0], address))
    assert "the dynamic section itself" in message


def test_a_circle_in_the_hash_table(build: Build, refuses: Callable[..., str]) -> None:
    elf = Elf(build("files_plain.c", "-Wl,--hash-style=sysv"))
    offset = elf.sections[".hash"][0]
    buckets, symbols = elf.word(offset, "<I"), elf.word(offset + 4, "<I")
    first = next(
        elf.word(offset + 8 + 4 * i, "<I")
        for i in range(buckets)
        if elf.word(offset + 8 + 4 * i, "<I")
    )
    chain = offset + 8 + 4 * (buckets + first)
    assert "twice" in refuses(elf.with_word(chain, first, "<I"))
    assert f"of {symbols}" in refuses(elf.with_word(chain, symbols, "<I"))
    assert "its hash table" in refuses(elf.with_word(offset, 0xFFFFFFFF, "<I"))


def test_thread_local_damage(build: Build, refuses: Callable[..., str]) -> None:
    elf = Elf(build("files_tls.c"))
    segment = elf.segment(PT_TLS)
    assert "thread-local" in refuses(elf.with_word(segment, 0, "<I"))
    assert "impossible size" in refuses(elf.with_word(segment + 40, 1 << 50))
    assert "power of two" in refuses(elf.with_word(segment + 48, 3))
    assert "do not agree" in refuses(elf.with_word(segment + 40, 1 << 16))


def test_packed_relocations(build: Build, refuses: Callable[..., str]) -> None:
    elf = Elf(build("files_plain.c", "-Wl,-z,pack-relative-relocs"))
    offset = elf.sections[".relr.dyn"][0]
    assert "start with a bitmap" in refuses(elf.with_word(offset, 1))
    assert "not writable" in refuses(elf.with_word(offset, 0x40))
    array = elf.sections[".init_array"][0]
    assert "where no code is" in refuses(elf.with_word(array, 0x10))


# Random damage.


def mutants(elf: Elf, positions: list[int], count: int, seed: int) -> Iterable[bytes]:
    rng = random.Random(seed)
    for _ in range(count):
        position = rng.choice(positions)
        value = elf.data[position] ^ rng.randrange(1, 256)
        yield elf.data[:position] + bytes([value]) + elf.data[position + 1 :]


@pytest.mark.parametrize("source", ["files_plain.c", "files_tls.c", "files_static.cpp"])
def test_changed_bytes_of_what_has_a_witness(build: Build, tmp_path: Path, source: str) -> None:
    check_changed_bytes(build, tmp_path, source, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 22))
@pytest.mark.parametrize("source", ["files_plain.c", "files_tls.c", "files_static.cpp"])
def test_many_changed_bytes_of_what_has_a_witness(
    build: Build, tmp_path: Path, source: str, seed: int
) -> None:
    check_changed_bytes(build, tmp_path, source, seed)


def check_changed_bytes(build: Build, tmp_path: Path, source: str, seed: int) -> None:
    """500 copies with one byte changed: each is refused, or opens and ends without a signal."""
    elf = Elf(build(source))
    # Nothing can tell that a library calls another function than it once did.
    positions = sorted(set(elf.structure()) - elf.unwitnessed())
    passed = []
    for number, data in enumerate(mutants(elf, positions, 500, seed)):
        path = str(tmp_path / f"{number}.so")
        Path(path).write_bytes(data)
        try:
            examine(path)
        except PluginError:
            os.unlink(path)
        else:
            passed.append(path)
    ends = opened(passed)
    assert len(ends) == len(passed)
    assert {path: code for path, code in ends.items() if code not in (0, 3)} == {}


@pytest.mark.parametrize("options", [(), ("-Wl,--hash-style=sysv",)], ids=" ".join)
def test_changed_bytes_without_section_headers(
    build: Build, tmp_path: Path, options: tuple[str, ...]
) -> None:
    elf = Elf(build("files_tls.c", *options))
    positions = elf.structure()
    elf.data = elf.without_sections()
    path = tmp_path / "lib.so"
    for data in mutants(elf, positions, 2000, seed=2):
        path.write_bytes(data)
        with contextlib.suppress(PluginError):
            examine(str(path))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(patches=st.lists(st.tuples(st.integers(0, 4095), st.binary(max_size=16)), max_size=8))
def test_any_damage_is_a_plugin_error(
    elf: Elf, tmp_path: Path, patches: list[tuple[int, bytes]]
) -> None:
    data = bytearray(elf.data)
    for offset, patch in patches:
        data[20 + offset : 20 + offset + len(patch)] = patch
    (tmp_path / "lib.so").write_bytes(data)
    with contextlib.suppress(PluginError):
        examine(str(tmp_path / "lib.so"))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rest=st.binary(max_size=400), machine=st.booleans())
def test_anything_after_the_magic_is_a_plugin_error(
    elf: Elf, tmp_path: Path, rest: bytes, machine: bool
) -> None:
    start = elf.data[:24] if machine else b"\x7fELF"
    (tmp_path / "lib.so").write_bytes(start + rest)
    with pytest.raises(PluginError):
        examine(str(tmp_path / "lib.so"))
