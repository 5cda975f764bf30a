from jumptable.loading.elfimage import Image
from jumptable.loading.elfsymbols import Symbols

class Relocations:
    referenced: int
    def __init__(self, image: Image, tags: dict[int, int]) -> None: ...
    def check(self, symbols: Symbols) -> None: ...
