from jumptable.loading.elfimage import Image

class Symbols:
    count: int
    uses_python: bool

    def __init__(
        self, image: Image, tags: dict[int, int], strings: bytes, referenced: int, versions: int
    ) -> None: ...
