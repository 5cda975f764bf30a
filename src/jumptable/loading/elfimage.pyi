from jumptable.loading.files import Reader

MACHINE: str
NATIVE: tuple[int, int, str]

class Section:
    name: str
    type: int
    link: int
    info: int
    flags: int
    address: int
    offset: int
    size: int
    alignment: int

class Image:
    reader: Reader
    machine: int
    sections: list[Section]
    notes: list[tuple[int, int]]
    dynamic_address: int
    dynamic_size: int
    has_tls: bool
    tls_address: int
    tls_size: int

    def __init__(self, reader: Reader, machine: int, bits: int) -> None: ...
    def table(self, what: str, address: int, size: int) -> bytes: ...
    def window(self, address: int, limit: int) -> bytes: ...

def describe_machine(machine: int, bits: int, order: str) -> str: ...
def identify(reader: Reader) -> tuple[int, int, str]: ...
