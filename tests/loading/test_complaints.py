"""What loaders complain of, recorded, and the exceptions that it becomes.

The messages of glibc and musl were produced by libraries that are broken in these ways. Those of
macOS are spelled as in dyld's source, in its generations, and FreeBSD's as in rtld's. On Windows
only the number counts: the words are in the user's language.
"""

import os
import re
from pathlib import Path

import pytest

from jumptable.errors import (
    PluginArchError,
    PluginDependencyError,
    PluginError,
    PluginFileNotFoundError,
    PluginFormatError,
    PluginInitError,
)
from jumptable.loading.complaints import RECOGNISERS, explain

Row = tuple[str, str, type[PluginError], str]

GLIBC: list[Row] = [
    (
        "/opt/libplug.so",
        "libdep.so: cannot open shared object file: No such file or directory",
        PluginDependencyError,
        "'libdep.so'",
    ),
    (
        "libplug.so",
        "libplug.so: cannot open shared object file: No such file or directory",
        PluginFileNotFoundError,
        "'libplug.so'",
    ),
    (
        "/opt/libdep.so",  # needs another library of its own name
        "libdep.so: cannot open shared object file: No such file or directory",
        PluginDependencyError,
        "'libdep.so'",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: cannot open shared object file: Permission denied",
        PluginError,
        "Permission denied",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: undefined symbol: dep_value",
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: undefined symbol: dep_value, version V_1",
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: symbol dep_value, version V_1 not defined in file libdep.so with link "
        "time reference",
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
    (
        "/opt/libplug.so",
        "/opt/libdep.so: version `V_2' not found (required by /opt/libplug.so)",
        PluginDependencyError,
        "version 'V_2'",
    ),
    ("/opt/libplug.so", "libdep.so: wrong ELF class: ELFCLASS32", PluginArchError, "'libdep.so'"),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: wrong ELF class: ELFCLASS32",
        PluginArchError,
        "ELFCLASS32",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: ELF file data encoding not little-endian",
        PluginArchError,
        "not little-endian",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: cannot allocate memory in static TLS block",
        PluginError,
        "-ftls-model=initial-exec",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: invalid ELF header",
        PluginFormatError,
        "/opt/libplug.so",
    ),
    ("/opt/libplug.so", "libdep.so: file too short", PluginFormatError, "'libdep.so'"),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: cannot dynamically load position-independent executable",
        PluginFormatError,
        "executable",
    ),
    (
        "/opt/libplug.so",
        "/opt/libplug.so: cannot read file data: Is a directory",
        PluginFormatError,
        "directory",
    ),
]

MUSL: list[Row] = [
    (
        "/opt/libplug.so",
        "Error loading shared library libdep.so: No such file or directory (needed by "
        "/opt/libplug.so)",
        PluginDependencyError,
        "'libdep.so'",
    ),
    (
        "libplug.so",
        "Error loading shared library libplug.so: No such file or directory",
        PluginFileNotFoundError,
        "'libplug.so'",
    ),
    (
        "/opt/libplug.so",
        "Error relocating /opt/libplug.so: dep_value: symbol not found",
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
    (
        "/opt/libplug.so",
        "Error relocating /opt/libplug.so: big: initial-exec TLS resolves to dynamic definition "
        "in /opt/libplug.so",
        PluginError,
        "-ftls-model=initial-exec",
    ),
    (
        "/opt/libplug.so",
        "Error loading shared library libdep.so: Exec format error (needed by /opt/libplug.so)",
        PluginFormatError,
        "'libdep.so'",
    ),
]

FREEBSD: list[Row] = [
    (
        "/opt/libplug.so",
        'Shared object "libdep.so" not found, required by "libplug.so"',
        PluginDependencyError,
        "'libdep.so'",
    ),
    (
        "libplug.so",
        'Shared object "libplug.so" not found',
        PluginFileNotFoundError,
        "'libplug.so'",
    ),
    (
        "/opt/libplug.so",
        '/opt/libplug.so: Undefined symbol "dep_value"',
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
]

MACOS: list[Row] = [
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0006): Library not loaded: @rpath/libdep.dylib\n"
        "  Referenced from: <8F9A9B1D-4D2C-3C77-9F0B-5E8E2B1C7A11> /opt/libplug.dylib\n"
        "  Reason: tried: '/opt/libdep.dylib' (no such file), "
        "'/System/Volumes/Preboot/Cryptexes/OS/opt/libdep.dylib' (no such file)",
        PluginDependencyError,
        "'@rpath/libdep.dylib'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 6): Library not loaded: @rpath/libdep.dylib\n"
        "  Referenced from: /opt/libplug.dylib\n"
        "  Reason: image not found",
        PluginDependencyError,
        "'@rpath/libdep.dylib'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 6): Library not loaded: /opt/libdep.dylib\n"
        "  Referenced from: /opt/libplug.dylib\n"
        "  Reason: Incompatible library version: libplug.dylib requires version 2.0.0 or later, "
        "but libdep.dylib provides version 1.0.0",
        PluginDependencyError,
        "version '2.0.0'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0006): Symbol not found: _dep_value\n"
        "  Referenced from: <8F9A9B1D-4D2C-3C77-9F0B-5E8E2B1C7A11> /opt/libplug.dylib\n"
        "  Expected in:     <0A1B2C3D-5E6F-3A4B-8C9D-0E1F2A3B4C5D> /opt/libdep.dylib",
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0006): Symbol not found: (_dep_value)\n"
        "  Referenced from: '/opt/libplug.dylib'\n"
        "  Expected in: '/opt/libdep.dylib'",
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0002): symbol not found in flat namespace '_dep_value'",
        PluginDependencyError,
        "symbol 'dep_value'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0002): symbol not found in flat namespace '__Z3foov'",
        PluginDependencyError,
        "symbol '_Z3foov'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0006): tried: '/opt/libplug.dylib' (mach-o file, but is an "
        "incompatible architecture (have 'x86_64', need 'arm64')), "
        "'/System/Volumes/Preboot/Cryptexes/OS/opt/libplug.dylib' (no such file)",
        PluginArchError,
        "have 'x86_64', need 'arm64'",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0006): Library not loaded: @rpath/libdep.dylib\n"
        "  Referenced from: <8F9A9B1D-4D2C-3C77-9F0B-5E8E2B1C7A11> /opt/libplug.dylib\n"
        "  Reason: tried: '/usr/local/lib/libdep.dylib' (no such file), '/opt/libdep.dylib' "
        "(mach-o file, but is an incompatible architecture (have (x86_64), need (arm64e)))",
        PluginArchError,
        "'/opt/libdep.dylib' was built",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 6): no suitable image found.  Did find:\n"
        "\t/opt/libplug.dylib: mach-o, but wrong architecture",
        PluginArchError,
        "/opt/libplug.dylib",
    ),
    (
        "/opt/libplug.dylib",
        "dlopen(/opt/libplug.dylib, 0x0006): tried: '/opt/libplug.dylib' (slice is not valid "
        "mach-o file), '/System/Volumes/Preboot/Cryptexes/OS/opt/libplug.dylib' (no such file)",
        PluginFormatError,
        "/opt/libplug.dylib",
    ),
    (
        "libplug.dylib",
        "dlopen(libplug.dylib, 0x0006): tried: 'libplug.dylib' (no such file), "
        "'/System/Volumes/Preboot/Cryptexes/OSlibplug.dylib' (no such file), "
        "'/usr/lib/libplug.dylib' (no such file, not in dyld cache), 'libplug.dylib' "
        "(no such file)",
        PluginFileNotFoundError,
        "'libplug.dylib'",
    ),
    (
        "libplug.dylib",
        "dlopen(libplug.dylib, 6): image not found",
        PluginFileNotFoundError,
        "'libplug.dylib'",
    ),
]

WINDOWS: list[Row] = [
    (
        r"C:\plugins\plug.dll",
        "[WinError 126] The specified module could not be found",
        PluginDependencyError,
        r"C:\plugins\plug.dll",
    ),
    (
        r"C:\plugins\plug.dll",
        "[WinError 2] The system cannot find the file specified",
        PluginFileNotFoundError,
        r"'C:\\plugins\\plug.dll'",
    ),
    (
        "plug.dll",
        "[WinError 126] Das angegebene Modul wurde nicht gefunden",
        PluginFileNotFoundError,
        "'plug.dll'",
    ),
    (
        r"C:\plugins\plug.dll",
        "[WinError 127] The specified procedure could not be found",
        PluginDependencyError,
        r"C:\plugins\plug.dll",
    ),
    (
        r"C:\plugins\plug.dll",
        "[WinError 193] %1 is not a valid Win32 application",
        PluginArchError,
        r"C:\plugins\plug.dll",
    ),
    (
        r"C:\plugins\plug.dll",
        "[WinError 1114] A dynamic link library (DLL) initialization routine failed",
        PluginInitError,
        r"C:\plugins\plug.dll",
    ),
    (
        r"C:\plugins\plug.dll",
        "[WinError 1260] This program is blocked by group policy",
        PluginError,
        "1260",
    ),
]


@pytest.mark.parametrize(
    ("path", "message", "expected", "named"),
    [
        pytest.param(*row, id=f"{loader}-{number}")
        for loader, rows in {
            "glibc": GLIBC,
            "musl": MUSL,
            "freebsd": FREEBSD,
            "macos": MACOS,
            "windows": WINDOWS,
        }.items()
        for number, row in enumerate(rows)
    ],
)
def test_each_complaint_has_its_exception_and_its_name(
    path: str, message: str, expected: type[PluginError], named: str
) -> None:
    error = explain(message, path, path)
    assert type(error) is expected
    assert named in str(error)
    assert error.target == path
    assert " ".join(message.split()) in str(error)


def test_each_recogniser_decides_some_complaint() -> None:
    """So that none is hidden by one before it."""
    rows = [*GLIBC, *MUSL, *FREEBSD, *MACOS, *WINDOWS]
    first = {
        next((pattern for pattern, _ in RECOGNISERS if re.search(pattern, message)), "")
        for _, message, _, _ in rows
    }
    assert first >= {pattern for pattern, _ in RECOGNISERS}


def test_a_library_in_the_current_directory_is_pointed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = "libplug.so: cannot open shared object file: No such file or directory"
    assert "current directory" not in str(explain(message, "libplug.so", "libplug.so"))
    (tmp_path / "libplug.so").touch()
    assert f"current directory: open {os.path.join('.', 'libplug.so')!r}" in str(
        explain(message, "libplug.so", "libplug.so")
    )
