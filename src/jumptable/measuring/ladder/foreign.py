"""Other ways to call: foreign function interfaces, and reflection."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from .. import example_python
from ..results import Guide
from ..timing import Contestant
from .mathlibrary import math_library
from .packages import package
from .rung import Preparation, Rung, UnavailableError, expression

__all__ = ["RUNGS"]

GROUP = "Other ways to call"


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
    ffi.cdef("double fabs(double);")
    library: Any = ffi.dlopen(_library_name())
    return expression(preparation.name, "f(x)", {"f": library.fabs})


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
