from collections.abc import Callable, Mapping, Sequence

from pluggy import HookImpl

def new_multicall(
    contained: bool | frozenset[str],
) -> Callable[[str, Sequence[HookImpl], Mapping[str, object], bool], object | list[object]]: ...
def is_multicall(executor: object) -> bool: ...
