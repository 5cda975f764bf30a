from typing import Final

WIDTH: Final[int]

def take(path: str, names: bytes = b"", follow: bool = True) -> bytes: ...
