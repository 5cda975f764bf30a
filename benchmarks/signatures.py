"""The functions of native/plugin.h, as every competitor is told of them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

__all__ = ["ALL", "HEADLINE", "OTHERS", "SUM", "Function"]

CTYPES: dict[str, Any] = {
    "void": None,
    "bool": ctypes.c_bool,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "size_t": ctypes.c_size_t,
    "const char *": ctypes.c_char_p,
    "void *": ctypes.c_void_p,
    "const double *": ctypes.POINTER(ctypes.c_double),
}


@dataclass(frozen=True)
class Function:
    """A function, its C types, and the arguments it is timed with."""

    name: str
    result: str
    params: tuple[str, ...]
    arguments: tuple[object, ...]

    @property
    def signature(self) -> str:
        return f"{self.result}({', '.join(self.params)})"

    @property
    def declaration(self) -> str:
        return f"{self.result} {self.name}({', '.join(self.params) or 'void'});"

    def with_ctypes(self, library: ctypes.CDLL) -> Any:
        function = library[self.name]
        function.argtypes = [CTYPES[param] for param in self.params]
        function.restype = CTYPES[self.result]
        return function


HEADLINE = (
    Function("half", "double", ("double",), (1.5,)),
    Function("successor", "int64_t", ("int64_t",), (1000,)),
    Function("add", "double", ("double", "double"), (1.5, 2.5)),
    Function("scale", "double", ("double", "int32_t"), (1.5, 1000)),
    Function("nothing", "void", (), ()),
)
OTHERS = (
    Function("add3f", "float", ("float",) * 3, (1.5, 2.5, 3.5)),
    Function("add4", "double", ("double",) * 4, (1.5, 2.5, 3.5, 4.5)),
    Function("add6", "int64_t", ("int64_t",) * 6, (1000, 2000, 3000, 4000, 5000, 6000)),
    Function(
        "add14",
        "double",
        ("double",) * 8 + ("int64_t",) * 6,
        (*(index + 0.5 for index in range(8)), *(1000 * index for index in range(1, 7))),
    ),
    Function("length", "size_t", ("const char *",), ("a plugin's name",)),
    Function("same", "void *", ("void *",), (0x7F00_0000_1000,)),
    Function("negate", "bool", ("bool",), (True,)),
)
SUM = Function("sum", "double", ("const double *", "size_t"), ())
ALL = (*HEADLINE, *OTHERS, SUM)
