from types import BuiltinFunctionType
from typing import Any, final

from ..loading.plugin import Plugin
from .signatures import CType, Signature

NUMBERS: dict[str, tuple[str, int]]
EVIDENCE: tuple[str, ...]

@final
class Plan:
    @property
    def signature(self) -> Signature: ...
    @property
    def needs_generic(self) -> bool: ...
    def __init__(
        self, signature: Signature, *, checked: bool = False, generic: bool = False
    ) -> None: ...

@final
class Symbol:
    @property
    def plugin(self) -> Plugin | None: ...
    @property
    def name(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def address(self) -> int: ...
    @property
    def evidence(self) -> str: ...

@final
class Variable:
    # Whatever the C type stands for in Python; only the plugin's author knows.
    value: Any
    def __init__(
        self, name: str, ctype: CType, address: int, plugin: Plugin, *, writable: bool
    ) -> None: ...
    @property
    def plugin(self) -> Plugin: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def address(self) -> int: ...
    @property
    def writable(self) -> bool: ...

def make_function(
    name: str,
    plan: Plan,
    address: int,
    owner: object,
    *,
    from_plugin: bool,
    evidence: str = "asserted",
) -> BuiltinFunctionType: ...
def is_capsule(candidate: object) -> bool: ...
def capsule_contents(capsule: object) -> tuple[int, str | None]: ...
