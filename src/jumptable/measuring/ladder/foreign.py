"""Other ways to call: foreign function interfaces, and reflection."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import sysconfig
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from .. import example_python
from ..results import Guide
from ..timing import Contestant
from .building import built, c_compiler, scratch
from .mathlibrary import math_library
from .packages import package
from .rung import Preparation, Rung, UnavailableError, expression

__all__ = ["RUNGS"]

GROUP = "Other ways to call"
DECLARED = "double fabs(double);"


def _library_name() -> str:
    library = math_library()
    return library.path or library.name


def _ctypes(preparation: Preparation) -> Contestant:
    try:
        import ctypes
    except ImportError:
        raise UnavailableError(
            "this Python has no ctypes: one that is built where libffi's headers are has it"
        ) from None

    fabs = ctypes.CDLL(_library_name()).fabs
    fabs.argtypes, fabs.restype = [ctypes.c_double], ctypes.c_double
    return expression(preparation.name, "f(x)", {"f": fabs})


def _cffi(preparation: Preparation) -> Contestant:
    ffi = package("cffi", "cffi").FFI()
    ffi.cdef(DECLARED)
    library: Any = ffi.dlopen(_library_name())
    return expression(preparation.name, "f(x)", {"f": library.fabs})


def _cffi_compiled(preparation: Preparation) -> Contestant:
    ffi = package("cffi", "cffi").FFI()
    if preparation.quick:
        raise UnavailableError("it is compiled: a bench without --quick does so")
    if os.name != "posix":
        raise UnavailableError("it is compiled as on Linux and macOS only")
    headers = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(headers, "Python.h")):
        raise UnavailableError(f"no Python.h in {headers}: install python3-dev, or the like")
    folder = preparation.closing.enter_context(
        tempfile.TemporaryDirectory(prefix="jumptable-bench-", ignore_cleanup_errors=True)
    )
    name = "jumptable_bench_cffi"
    source, target = (os.path.join(folder, f"{name}{suffix}") for suffix in (".c", ".so"))
    ffi.cdef(DECLARED)
    ffi.set_source(name, "#include <math.h>")
    with redirect_stdout(StringIO()):  # it prints what it does
        ffi.emit_c_code(source)
    kind = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    command = [*c_compiler(), *kind, "-fPIC", "-O2", f"-I{headers}", "-o", target, source, "-lm"]
    built(command, {**os.environ, **scratch(folder)}, "the C compiler does not make it")
    found = importlib.util.spec_from_file_location(name, target)
    assert found is not None and found.loader is not None
    module: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return expression(preparation.name, "f(x)", {"f": module.lib.fabs})


def _bind(preparation: Preparation) -> Contestant:
    function = example_python.magnitude
    names = {"signature": inspect.signature(function), "f": function}
    code = "bound = signature.bind(x)\nf(*bound.args, **bound.kwargs)"
    return expression(preparation.name, code, names)


def _signature(preparation: Preparation) -> Contestant:
    names = {"signature": inspect.signature, "f": example_python.magnitude}
    code = "bound = signature(f).bind(x)\nf(*bound.args, **bound.kwargs)"
    return expression(preparation.name, code, names)


def _by_name(preparation: Preparation) -> Contestant:
    module = sys.modules[example_python.__name__]
    names = {"getattr": getattr, "module": module, "name": "magnitude"}
    return expression(preparation.name, "getattr(module, name)(x)", names)


RUNGS = (
    Rung(
        "ctypes, argtypes set",
        GROUP,
        "The C library's fabs by ctypes, which was told its types.",
        _ctypes,
    ),
    Rung("cffi, ABI mode", GROUP, "The C library's fabs by cffi, with nothing compiled.", _cffi),
    Rung(
        "cffi, API mode",
        GROUP,
        "The same by an extension that cffi wrote and a C compiler compiled, as cffi advises.",
        _cffi_compiled,
    ),
    Rung(
        "reflection: getattr by name",
        GROUP,
        "A Python function, fetched from its module by name for each call.",
        _by_name,
    ),
    Rung(
        "reflection: signature.bind",
        GROUP,
        "signature.bind(x) and then the call, with a signature that was made once.",
        _bind,
        Guide("reflect.Value.Call", 500, 1000),
    ),
    Rung(
        "reflection: inspect.signature",
        GROUP,
        "inspect.signature(f).bind(x) and then the call: the signature is made each time too.",
        _signature,
    ),
)
