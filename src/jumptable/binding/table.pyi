from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar, final, overload

from ..loading.plugin import Plugin
from .slot import Slot

T = TypeVar("T")

@final
class Table(Generic[T]):
    @overload
    def __new__(cls, interface: Callable[..., T], /, *, count: bool = False) -> Table[T]: ...
    @overload
    def __new__(
        cls, interface: Mapping[str, str | None], /, *, count: bool = False
    ) -> Table[Any]: ...
    @property
    def facade(self) -> T: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def plugin(self) -> Plugin | None: ...
    @property
    def generation(self) -> int: ...
    @property
    def calls(self) -> dict[str, int]: ...
    def bind(self, source: object, *, only: Iterable[str] | None = None) -> None: ...
    def slot(self, name: str) -> Slot: ...

host_api: object
