"""Interfaces of many methods, and Python plugins that fit them, made from text."""

from __future__ import annotations

from types import ModuleType

__all__ = ["interface", "python_plugin"]

# Ten signatures in turn: a real interface is neither all alike nor all different.
PARAMETERS = (
    "(self, x: float) -> float",
    "(self, x: float, y: float) -> float",
    "(self, n: int) -> int",
    "(self) -> None",
    "(self, text: str) -> int",
    "(self, flag: bool) -> bool",
    "(self, n: Annotated[int, 'uint32_t']) -> Annotated[int, 'uint32_t']",
    "(self, data: Annotated[bytes, 'const double *'], n: Annotated[int, 'size_t']) -> float",
    "(self, a: int, b: int, c: int) -> float",
    "(self, x: float, by: int) -> None",
)


def methods(count: int) -> str:
    return "\n".join(
        f"    def f{index}{PARAMETERS[index % len(PARAMETERS)]}: ..." for index in range(count)
    )


def interface(count: int, *, strings: bool = False) -> type:
    """A Protocol with the methods f0, f1, ...; annotations may be left as strings."""
    future = "from __future__ import annotations\n" if strings else ""
    module = ModuleType("interfaces")
    source = "from typing import Annotated, Protocol\n\nclass Interface(Protocol):\n"
    text = f"{future}{source}{methods(count)}"
    exec(compile(text, "<interface>", "exec", dont_inherit=True), vars(module))
    made: type = module.Interface
    return made


def python_plugin(count: int) -> str:
    """The source of a module whose class Plugin has the same methods."""
    return f"from typing import Annotated\n\nclass Plugin:\n{methods(count)}\n"
