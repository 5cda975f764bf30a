"""The extensions: one per ``.pyx``. Everything else is in ``pyproject.toml``.

Environment switches, for developers:

``JUMPTABLE_DEBUG=1``       no optimisation, C assertions on
``JUMPTABLE_SANITIZE=...``  passed to ``-fsanitize=``: ``address``, ``thread``, ``undefined``
``JUMPTABLE_WERROR=1``      C warnings are errors (what CI uses)
"""

import os
import runpy
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

SOURCES = Path("src")
GENERATED = Path("build/generated")
GO = Path("benchmarks/go")

if sys.platform == "win32":
    compile_args, link_args = ["/std:c11", "/O2"], []
else:
    compile_args, link_args = ["-std=c11", "-O3", "-fvisibility=hidden", "-g0"], []
    if os.environ.get("JUMPTABLE_DEBUG"):
        compile_args += ["-O0", "-g", "-UNDEBUG"]
    if sanitizer := os.environ.get("JUMPTABLE_SANITIZE"):
        compile_args += [f"-fsanitize={sanitizer}", "-fno-omit-frame-pointer", "-g"]
        link_args += [f"-fsanitize={sanitizer}"]
    if os.environ.get("JUMPTABLE_WERROR"):
        compile_args += ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]


def generate(name: str, text: str) -> None:
    """Write ``build/generated/NAME``; left untouched when that would not change it."""
    target = GENERATED / name
    if not target.exists() or target.read_text("utf-8") != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")


generate("trampolines.h", runpy.run_path("generate/trampolines.py")["header"]())

extensions = [
    Extension(
        ".".join(source.relative_to(SOURCES).with_suffix("").parts),
        [str(source)],
        include_dirs=[str(source.parent), str(GENERATED)],
        depends=[
            str(header)
            for folder in (source.parent, GENERATED, SOURCES / "jumptable/include/jumptable")
            for header in folder.glob("*.h")
        ],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )
    for source in sorted(SOURCES.rglob("*.pyx"))
]


class BuildPython(build_py):
    """Installs Go's host and plugin too, which ``python -m jumptable bench`` builds."""

    def run(self):
        super().run()
        if not self.editable_mode:  # there they are found where they are
            for source, target in self._go():
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target), preserve_mode=False)

    def get_outputs(self, include_bytecode=True):
        return [*super().get_outputs(include_bytecode), *(str(target) for _, target in self._go())]

    def _go(self):
        folder = Path(self.build_lib, "jumptable/measuring/go")
        return [(source, folder / source.name) for source in sorted(GO.glob("*.go"))]


setup(
    cmdclass={"build_py": BuildPython},
    ext_modules=cythonize(
        extensions,
        build_dir="build/cython",
        compiler_directives={
            "language_level": "3",
            # CPython's own kinds of functions: their methods check `self`, Cython's own do not.
            "binding": False,
            "embedsignature": True,
            "embedsignature.format": "clinic",
            "freethreading_compatible": True,
        },
    ),
    options={"build_ext": {"parallel": True}},
)
