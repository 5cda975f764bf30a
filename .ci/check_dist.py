"""Check what is in the wheel and in the sdist; arguments: their paths."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import PurePosixPath

wheel, sdist = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    inside = set(archive.namelist())
with tarfile.open(sdist) as tar:
    sources = {"/".join(PurePosixPath(name).parts[1:]) for name in tar.getnames()}

problems = [f"{name} is in the wheel" for name in inside if name.endswith((".c", ".cpp", ".pyx"))]
problems += [f"{name} is generated, and in the sdist" for name in sources if "build/" in name]
if "jumptable/py.typed" not in inside:
    problems.append("the wheel has no py.typed")
go = [name for name in sorted(sources) if name.startswith("benchmarks/go/")]
if {PurePosixPath(name).name for name in go} != {"host.go", "plugin.go"}:
    problems.append(f"benchmarks/go has {go} in the sdist, expected host.go and plugin.go")
for name in go:
    if name.replace("benchmarks", "jumptable/measuring") not in inside:
        problems.append(f"{name} is not in the wheel")
for name in sorted(sources):
    path = PurePosixPath(name)
    if not name.startswith("src/jumptable/"):
        continue
    installed = name.removeprefix("src/")
    if path.suffix in (".py", ".pyi", ".pxd", ".h") and installed not in inside:
        problems.append(f"{installed} is not in the wheel")
    if path.suffix == ".pyx":
        stem = installed.removesuffix(".pyx")
        if f"src/{stem}.pyi" not in sources:
            problems.append(f"{name} has no .pyi")
        if not any(other.startswith(stem + ".") and other.endswith(".so") for other in inside):
            problems.append(f"{stem} is not compiled in the wheel")
sys.exit("\n".join(problems) or None)
