"""Compile the plugin or one competitor: ``python build.py NAME FOLDER``, in a process of its own.

Run by conftest.py. Prints the path of what was built.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from importlib import import_module
from pathlib import Path
from typing import Any

from signatures import ALL

NATIVE = Path(__file__).with_name("native")
WINDOWS = sys.platform == "win32"
OPTIMISED = ["/O2"] if WINDOWS else ["-O3", "-fvisibility=hidden", "-g0"]
MANY = 100_000
CPLUSPLUS = ["/std:c++17", "/EHsc"] if WINDOWS else ["-std=c++17"]


def plugin(folder: Path) -> str:
    return library(folder, "plugin", NATIVE / "plugin.c")


def many(folder: Path) -> str:
    """A library of functions f0, f1, ..., each ``double(double)``."""
    return numbered(folder, "many", MANY)


def thousand(folder: Path) -> str:
    """The same, with 1,000 functions, where nothing is measured."""
    return numbered(folder, "thousand", 1_000)


def hundred(folder: Path) -> str:
    """The same, with 100 functions."""
    return numbered(folder, "hundred", 100)


def numbered(folder: Path, name: str, count: int) -> str:
    source = folder / f"{name}.c"
    functions = "\n".join(f"F({index})" for index in range(count))
    source.write_text(f'#include "many.h"\n{functions}\n', "utf-8")
    return library(folder, name, source)


def library(folder: Path, name: str, source: Path) -> str:
    # setuptools brings distutils where the standard library has none.
    for module in ("setuptools", "distutils.ccompiler", "distutils.sysconfig"):
        import_module(module)
    compiler = sys.modules["distutils.ccompiler"].new_compiler()
    sys.modules["distutils.sysconfig"].customize_compiler(compiler)
    os.chdir(source.parent)  # objects are placed by the source's path
    objects = compiler.compile(
        [source.name],
        output_dir=str(folder),
        include_dirs=[str(NATIVE)],
        extra_preargs=OPTIMISED,
    )
    forms = {"win32": "{}.dll", "darwin": "lib{}.dylib"}
    path = str(folder / forms.get(sys.platform, "lib{}.so").format(name))
    compiler.link_shared_object(objects, path)
    return path


def extension(folder: Path, name: str, sources: list[str], **options: Any) -> str:
    setuptools = import_module("setuptools")
    made = setuptools.Extension(
        name,
        sources,
        include_dirs=[str(NATIVE), *options.pop("include_dirs", [])],
        libraries=["plugin"],
        library_dirs=[str(folder)],
        runtime_library_dirs=[] if WINDOWS else [str(folder)],
        extra_compile_args=OPTIMISED + options.pop("extra_compile_args", []),
        **options,
    )
    command = setuptools.Distribution({"ext_modules": [made]}).get_command_obj("build_ext")
    command.build_lib = str(folder)
    command.build_temp = str(folder / "temporary")
    command.ensure_finalized()
    command.run()
    return str(command.get_ext_fullpath(name))


def builtin(folder: Path) -> str:
    return extension(folder, "builtin", [str(NATIVE / "builtin.c")])


def host(folder: Path) -> str:
    """The C host that calls slots."""
    include = import_module("jumptable").get_include()
    sources = [str(NATIVE / name) for name in ("host.c", "direct.c")]
    return extension(folder, "host", sources, include_dirs=[include])


def adding(folder: Path) -> str:
    """Loops that add to counters, in threads."""
    include = import_module("jumptable").get_include()
    return extension(folder, "adding", [str(NATIVE / "adding.c")], include_dirs=[include])


def empty(folder: Path) -> str:
    """A type whose methods do nothing, or only add."""
    include = import_module("jumptable").get_include()
    return extension(folder, "empty", [str(NATIVE / "empty.c")], include_dirs=[include])


def go(folder: Path) -> str:
    """The folder of the Go host and its plugin, built as `python -m jumptable bench` does."""
    from jumptable.measuring.ladder import UnavailableError, gobuild

    try:
        gobuild.build(gobuild.installed(), gobuild.sources(), folder / "go")
    except UnavailableError as error:
        sys.exit(str(error))
    return str(folder / "go")


def with_nanobind(folder: Path) -> str:
    nanobind = import_module("nanobind")
    source = Path(nanobind.source_dir())
    free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
    return extension(
        folder,
        "with_nanobind",
        [str(NATIVE / "with_nanobind.cpp"), str(source / "nb_combined.cpp")],
        include_dirs=[
            nanobind.include_dir(),
            str(source.parent / "ext" / "robin_map" / "include"),
        ],
        define_macros=[("NDEBUG", None)] + [("NB_FREE_THREADED", None)] * bool(free_threaded),
        extra_compile_args=CPLUSPLUS + ([] if WINDOWS else ["-fno-strict-aliasing"]),
    )


def with_pybind11(folder: Path) -> str:
    pybind11 = import_module("pybind11")
    return extension(
        folder,
        "with_pybind11",
        [str(NATIVE / "with_pybind11.cpp")],
        include_dirs=[pybind11.get_include()],
        define_macros=[("NDEBUG", None)],
        extra_compile_args=CPLUSPLUS,
    )


def with_cython(folder: Path) -> str:
    source = folder / "with_cython.pyx"
    source.write_bytes((NATIVE / source.name).read_bytes())
    directives = {"language_level": "3", "freethreading_compatible": True, "boundscheck": False}
    (made,) = import_module("Cython.Build").cythonize(
        [str(source)], compiler_directives=directives, quiet=True
    )
    return extension(folder, "with_cython", made.sources)


def with_cffi(folder: Path) -> str:
    ffi = import_module("cffi").FFI()
    ffi.cdef("\n".join(function.declaration for function in ALL))
    ffi.set_source(
        "with_cffi",
        '#include "plugin.h"',
        include_dirs=[str(NATIVE)],
        libraries=["plugin"],
        library_dirs=[str(folder)],
        runtime_library_dirs=[] if WINDOWS else [str(folder)],
        extra_compile_args=OPTIMISED,
    )
    return str(ffi.compile(tmpdir=str(folder)))


BUILDERS = {
    build.__name__: build
    for build in (
        *(plugin, many, thousand, hundred, builtin, host, adding, empty, go),
        *(with_nanobind, with_pybind11, with_cython, with_cffi),
    )
}

if __name__ == "__main__":
    name, folder = sys.argv[1:]
    where = Path(folder).resolve()
    os.chdir(where)
    print(BUILDERS[name](where))
