from typing import final

from .signatures import Signature

NUMBERS: dict[str, tuple[str, int]]

@final
class Plan:
    @property
    def signature(self) -> Signature: ...
    @property
    def prototype(self) -> type | None: ...
    def __init__(
        self,
        signature: Signature,
        *,
        checked: bool = False,
        variable: bool = False,
        generic: bool = False,
    ) -> None: ...
