from typing import Any, final

from ..loading.plugin import Plugin
from .signatures import CType

@final
class Variable:
    # Whatever the C type stands for in Python; only the plugin's author knows.
    value: Any
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

def variable_of(plugin: Plugin, name: str, ctype: str) -> Variable: ...
def make_variable(
    name: str, ctype: CType, address: int, plugin: Plugin, *, writable: bool
) -> Variable: ...
