"""Compile the plugin or one competitor: ``python build.py NAME FOLDER``, in a process of its own.

Run by conftest.py. Prints the path of what was built.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

NATIVE = Path(__file__).with_name("native")
WINDOWS = sys.platform == "win32"
OPTIMISED = ["/O2"] if WINDOWS else ["-O3", "-fvisibility=hidden", "-g0"]
CPLUSPLUS = ["/std:c++17", "/EHsc"] if WINDOWS else ["-std=c++17"]


def plugin(folder: Path) -> str:
    from distutils.ccompiler import new_compiler
    from distutils.sysconfig import customize_compiler

    import setuptools  # noqa: F401 - brings distutils where the standard library has none

    compiler: Any = new_compiler()
    customize_compiler(compiler)
    objects = compiler.compile(
        [str(NATIVE / "plugin.c")], output_dir=str(folder), extra_preargs=OPTIMISED
    )
    name = {"win32": "plugin.dll", "darwin": "libplugin.dylib"}.get(sys.platform, "libplugin.so")
    compiler.link_shared_object(objects, str(folder / name))
    return str(folder / name)


def extension(folder: Path, name: str, sources: list[str], **options: Any) -> str:
    from setuptools import Distribution, Extension

    made = Extension(
        name,
        sources,
        include_dirs=[str(NATIVE), *options.pop("include_dirs", [])],
        libraries=["plugin"],
        library_dirs=[str(folder)],
        runtime_library_dirs=[] if WINDOWS else [str(folder)],
        extra_compile_args=OPTIMISED + options.pop("extra_compile_args", []),
        **options,
    )
    command: Any = Distribution({"ext_modules": [made]}).get_command_obj("build_ext")
    command.build_lib = str(folder)
    command.build_temp = str(folder / "temporary")
    command.ensure_finalized()
    command.run()
    return str(command.get_ext_fullpath(name))


def builtin(folder: Path) -> str:
    return extension(folder, "builtin", [str(NATIVE / "builtin.c")])


def with_nanobind(folder: Path) -> str:
    import nanobind

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
    import pybind11

    return extension(
        folder,
        "with_pybind11",
        [str(NATIVE / "with_pybind11.cpp")],
        include_dirs=[pybind11.get_include()],
        define_macros=[("NDEBUG", None)],
        extra_compile_args=CPLUSPLUS,
    )


def with_cython(folder: Path) -> str:
    from Cython.Build import cythonize

    source = folder / "with_cython.pyx"
    source.write_bytes((NATIVE / source.name).read_bytes())
    directives = {"language_level": "3", "freethreading_compatible": True, "boundscheck": False}
    (made,) = cythonize([str(source)], compiler_directives=directives, quiet=True)
    return extension(folder, "with_cython", made.sources)


def with_cffi(folder: Path) -> str:
    from cffi import FFI

    from signatures import ALL

    ffi = FFI()
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
    for build in (plugin, builtin, with_nanobind, with_pybind11, with_cython, with_cffi)
}

if __name__ == "__main__":
    name, folder = sys.argv[1:]
    where = Path(folder).resolve()
    os.chdir(where)
    print(BUILDERS[name](where))
