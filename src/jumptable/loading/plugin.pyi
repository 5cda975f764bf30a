from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, final, overload

from ..binding.interfaces import Interface, Member
from ..binding.signatures import CType, Signature

T = TypeVar("T")

class Source(Protocol):
    target: str
    def attribute(self, plugin: Plugin, name: str) -> object: ...
    def parse(self, signature: str) -> Signature | CType: ...
    # What `parse` gave is what `function` gets, of whichever kind the source works with.
    def function(self, plugin: Plugin, name: str, wanted: Any) -> object: ...
    def bound(
        self,
        plugin: Plugin,
        interface: Interface,
        members: Sequence[Member],
        factory: str | None,
    ) -> tuple[object, list[Any]]: ...

@final
class Plugin:
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str | None: ...
    @property
    def init_seconds(self) -> float: ...
    @property
    def _source(self) -> Source: ...
    # The type depends on the plugin and on the signature, neither of which a checker can see.
    def lookup(self, name: str, signature: str | None = None) -> Any: ...
    # As a callable and not as type[T], which would refuse abstract classes and Protocols.
    @overload
    def bind(self, interface: Callable[..., T], factory: str | None = None) -> T: ...
    @overload
    def bind(self, interface: Mapping[str, str | None], factory: str | None = None) -> Any: ...
    def _table_targets(
        self, interface: Interface, members: Sequence[Member], factory: str | None = None
    ) -> list[Any]: ...
    def _with_defaults(self, name: str, signature: str, defaults: tuple[object, ...]) -> Any: ...

def new_plugin(
    name: str,
    kind: str,
    path: str | None,
    init_seconds: float,
    source: Source,
    version: str | None = None,
) -> Plugin: ...
def set_init_seconds(plugin: Plugin, seconds: float) -> None: ...
