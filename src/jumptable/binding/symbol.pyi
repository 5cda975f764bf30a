from types import BuiltinFunctionType
from typing import final

from ..loading.plugin import Plugin
from .plan import Plan
from .signatures import Signature

EVIDENCE: tuple[str, ...]

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

def make_function(
    name: str,
    plan: Plan,
    address: int,
    owner: object,
    *,
    from_plugin: bool,
    evidence: str = "asserted",
    defaults: tuple[object, ...] = (),
) -> BuiltinFunctionType: ...
def checked_defaults(
    function: BuiltinFunctionType, defaults: tuple[object, ...]
) -> tuple[object, ...]: ...
def with_defaults(
    function: BuiltinFunctionType, defaults: tuple[object, ...]
) -> BuiltinFunctionType: ...
def direct_address(function: object, signature: Signature, nogil: bool) -> tuple[int, object]: ...
def is_capsule(candidate: object) -> bool: ...
def capsule_contents(capsule: object) -> tuple[int, str | None]: ...
