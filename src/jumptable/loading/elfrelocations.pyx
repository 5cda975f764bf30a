"""The relocations of an ELF file: what ld.so writes where, before any of its code runs.

Types: System V x86-64 psABI and ELF for AArch64; ``DT_RELR``: gABI. On other machines only
the places and symbols are checked. Raises PluginFormatError; one object serves one check in
one thread.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from jumptable.loading.elfimage cimport PF_W, PF_X, Image, Load
from jumptable.loading.elfsymbols cimport (
    SHN_UNDEF,
    STB_LOCAL,
    STT_TLS,
    Symbol,
    Symbols,
)

cdef enum:
    DT_PLTRELSZ = 2
    DT_RELA = 7
    DT_RELASZ = 8
    DT_REL = 17
    DT_TEXTREL = 22
    DT_JMPREL = 23
    DT_INIT_ARRAY = 25
    DT_FINI_ARRAY = 26
    DT_INIT_ARRAYSZ = 27
    DT_FINI_ARRAYSZ = 28
    DT_FLAGS = 30
    DT_RELRSZ = 35
    DT_RELR = 36
    DT_RELACOUNT = 0x6FFFFFF9
    DF_TEXTREL = 4
    EM_MIPS = 8
    EM_SPARC64 = 43
    EM_X86_64 = 62
    EM_AARCH64 = 183

# STT_OBJECT, STT_COMMON and STT_TLS: what a compiler asks the size of.
cdef tuple SIZED = (1, 5, 6)


cdef enum Kind:
    UNKNOWN
    NOTHING
    RELATIVE
    IRELATIVE
    NUMBER      # a symbol's size
    TEXT        # a part of a symbol's address, inside an instruction
    ADDRESS     # of a symbol, a whole word
    SLOT        # of a symbol, an aligned word that code reads or calls through
    TLS


cdef struct Rela:
    uint64_t place
    uint32_t type
    uint32_t symbol
    int64_t addend


cdef struct Array:
    uint64_t address
    uint64_t size
    uint64_t filled


cdef Kind x86_64_kind(uint32_t type) noexcept nogil:
    if type == 8:
        return RELATIVE
    if type == 6 or type == 7:
        return SLOT
    if type == 1:
        return ADDRESS
    if 16 <= type <= 18 or type == 36:
        return TLS
    if type == 37:
        return IRELATIVE
    if type == 0:
        return NOTHING
    if type == 32 or type == 33:
        return NUMBER
    # PC32, 32 and PC64: from code that was not compiled with -fPIC.
    if type == 2 or type == 10 or type == 24:
        return TEXT
    return RELATIVE if type == 38 else UNKNOWN


cdef Kind aarch64_kind(uint32_t type) noexcept nogil:
    if type == 1027:
        return RELATIVE
    if type == 1025 or type == 1026:
        return SLOT
    if type == 257:
        return ADDRESS
    if 1028 <= type <= 1031:
        return TLS
    if type == 1032:
        return IRELATIVE
    if type == 0 or type == 256:
        return NOTHING
    # ABS32 and ABS16, PREL64 to PREL16.
    return TEXT if 258 <= type <= 262 else UNKNOWN


cdef class Relocations:
    """The relocation tables of an image; ``referenced`` is one more than the greatest symbol."""

    cdef readonly Py_ssize_t referenced
    cdef Image image
    cdef Symbols symbols
    cdef dict tags
    cdef bytes table
    cdef bytes slots
    cdef bytes packed
    cdef uint32_t rights
    cdef uint8_t** written
    cdef uint8_t* slots_of
    cdef Array init
    cdef Array fini

    def __cinit__(self):
        self.written = NULL
        self.slots_of = NULL

    def __dealloc__(self):
        cdef Py_ssize_t i
        PyMem_Free(self.slots_of)
        if self.written != NULL:
            for i in range(self.image.load_count):
                PyMem_Free(self.written[i])
            PyMem_Free(self.written)

    def __init__(self, Image image, dict tags):
        self.image = image
        self.tags = tags
        # Their entries split the word of type and symbol in their own ways.
        if image.machine in (EM_MIPS, EM_SPARC64):
            self.table = self.slots = b""
        else:
            self.read_tables()
        self.packed = self.read("packed relocations", DT_RELR, DT_RELRSZ, 8)
        self.referenced = max(
            highest_symbol(<const Rela*>PyBytes_AS_STRING(table), len(table) // sizeof(Rela))
            for table in (self.table, self.slots)
        )

    def read_tables(self):
        if DT_REL in self.tags and self.image.machine in (EM_X86_64, EM_AARCH64):
            raise self.image.reader.damaged("it has relocations without addends (DT_REL)")
        self.table = self.read("relocations", DT_RELA, DT_RELASZ, sizeof(Rela))
        self.slots = self.read("relocations of its calls", DT_JMPREL, DT_PLTRELSZ, sizeof(Rela))
        # Either table may say that it includes the other one, which is then its end.
        end = self.tags.get(DT_RELA, 0) + len(self.table)
        if self.slots and self.tags[DT_JMPREL] + len(self.slots) == end:
            self.table = self.table[: -len(self.slots)]

    cdef bytes read(self, str what, address_tag, size_tag, uint64_t entry_size):
        size = self.tags.get(size_tag, 0)
        if size % entry_size:
            raise self.image.reader.damaged(
                f"its {what} take {size} bytes, no multiple of {entry_size}"
            )
        return self.image.table(what, self.tags[address_tag], size) if size else b""

    def check(self, Symbols symbols):
        """Every relocation, and that they fill the arrays of initialisers and finalisers."""
        cdef Py_ssize_t i
        cdef Image image = self.image
        self.symbols = symbols
        text_relocations = DT_TEXTREL in self.tags or self.tags.get(DT_FLAGS, 0) & DF_TEXTREL
        self.rights = 0 if text_relocations else PF_W
        self.init.address = self.tags.get(DT_INIT_ARRAY, 0)
        self.init.size = self.tags.get(DT_INIT_ARRAYSZ, 0)
        self.fini.address = self.tags.get(DT_FINI_ARRAY, 0)
        self.fini.size = self.tags.get(DT_FINI_ARRAYSZ, 0)
        self.written = <uint8_t**>PyMem_Calloc(image.load_count, sizeof(uint8_t*))
        self.slots_of = <uint8_t*>PyMem_Calloc(symbols.count, 1)
        if self.written == NULL or self.slots_of == NULL:
            raise MemoryError
        for i in range(image.load_count):
            if image.loads[i].flags & self.rights == self.rights:
                # One bit for each byte that the file holds; no size here exceeds the file's.
                self.written[i] = <uint8_t*>PyMem_Calloc(image.loads[i].file_size // 8 + 2, 1)
                if self.written[i] == NULL:
                    raise MemoryError
        self.check_packed()
        relative = self.tags.get(DT_RELACOUNT, 0)
        if relative > len(self.table) // sizeof(Rela):
            raise image.reader.damaged(f"it counts {relative} relative relocations, too many")
        self.check_table(self.table, relative)
        self.check_table(self.slots, 0)
        if image.machine in (EM_X86_64, EM_AARCH64):
            # An entry without a relocation is an address that nothing is at.
            if self.init.filled != self.init.size // 8 or self.fini.filled != self.fini.size // 8:
                raise image.reader.damaged("relocations do not fill its initialisers or finalisers")

    cdef int check_table(self, bytes table, Py_ssize_t relative) except -1:
        cdef const Rela* relocations = <const Rela*>PyBytes_AS_STRING(table)
        cdef Py_ssize_t i
        cdef Kind kind
        cdef str complaint
        for i in range(PyBytes_GET_SIZE(table) // <Py_ssize_t>sizeof(Rela)):
            if self.image.machine == EM_X86_64:
                kind = x86_64_kind(relocations[i].type)
            elif self.image.machine == EM_AARCH64:
                kind = aarch64_kind(relocations[i].type)
            else:
                kind = NUMBER
            complaint = self.complaint(&relocations[i], kind)
            # ld.so applies the first ones, as many as DT_RELACOUNT says, without a look.
            if complaint is None and i < relative and kind != RELATIVE and kind != NUMBER:
                complaint = "is counted as relative"
            if complaint is not None:
                raise self.image.reader.damaged(
                    f"its relocation {i} (type {relocations[i].type}) {complaint}"
                )
        return 0

    cdef str complaint(self, const Rela* relocation, Kind kind):
        """What is wrong with a relocation, or None."""
        cdef const Symbol* symbol = self.symbols.at(relocation.symbol)
        cdef uint64_t place = relocation.place
        cdef uint64_t target = <uint64_t>relocation.addend
        cdef uint64_t width = 4 if kind == NUMBER or kind == TEXT else 8
        if kind == NOTHING:
            return None
        if kind == UNKNOWN or (kind == TEXT and self.rights):
            return "is of a type that no shared library has"
        if not self.image.holds(place, width, self.rights):
            return f"is for address {place:#x}, which is not writable"
        if self.image.offset_of(place, width) < 0:
            return f"is for address {place:#x}, which is not in the file"
        if place < self.image.dynamic_address + self.image.dynamic_size:
            if place + width > self.image.dynamic_address:
                return "is for the dynamic section itself"
        if kind == NUMBER and self.image.machine == EM_X86_64:
            return None if symbol.info & 15 in SIZED else "is for the size of what has none"
        if kind == NUMBER or kind == TEXT:
            return None
        if not self.mark(place):
            return f"is for address {place:#x}, as another one is"
        if kind == RELATIVE or kind == IRELATIVE:
            if relocation.symbol:
                return "has a symbol, and no use for it"
            if kind == IRELATIVE and not self.image.holds(target, 1, PF_X):
                return f"has its resolver at {target:#x}, where no code is"
            if self.fill(place) and not self.image.holds(target, 1, PF_X):
                return f"starts the function at {target:#x}, where no code is"
            return None
        if kind == TLS:
            if relocation.symbol == 0:
                return None if self.image.has_tls else "is for thread-local data, which it lacks"
            return None if symbol.info & 15 == STT_TLS else "is for a symbol not thread-local"
        if symbol.info & 15 == STT_TLS:
            return "takes the address of a thread-local symbol"
        if relocation.symbol == 0 or (kind == SLOT and place & 7):
            return "has no symbol, or an odd place"
        # ld.so does not look up a symbol that binds here; it would take the image's start.
        if symbol.section == SHN_UNDEF and (symbol.info >> 4 == STB_LOCAL or symbol.other & 3):
            return "is for a symbol that is local and undefined"
        if kind == ADDRESS:
            self.fill(place)
        elif self.slotted(relocation):
            return "is the second of its kind for its symbol"
        return None

    cdef bint slotted(self, const Rela* relocation) noexcept:
        """Whether the symbol has a slot of this type already; linkers make one of each."""
        cdef uint8_t bit = 1 << (relocation.type & 3)
        if self.slots_of[relocation.symbol] & bit:
            return True
        self.slots_of[relocation.symbol] |= bit
        return False

    cdef bint mark(self, uint64_t place) noexcept:
        """False if one of the eight bytes is written for the second time."""
        cdef Load* load = self.image.find(place)
        cdef uint64_t byte = place - load.address
        cdef uint8_t* bits = self.written[load - self.image.loads]
        cdef uint32_t mask = 0xFF << (byte & 7)
        if bits == NULL:
            return True
        bits += byte >> 3
        if (bits[0] | bits[1] << 8) & mask:
            return False
        bits[0] |= mask & 0xFF
        bits[1] |= mask >> 8
        return True

    cdef bint fill(self, uint64_t place) noexcept:
        """Whether the place is in an array of functions to call; counts it."""
        if place - self.init.address < self.init.size:
            self.init.filled += 1
            return True
        if place - self.fini.address < self.fini.size:
            self.fini.filled += 1
            return True
        return False

    cdef int check_packed(self) except -1:
        """DT_RELR: an even word is a place, an odd one has a bit for each of the next 63 words."""
        cdef const uint64_t* words = <const uint64_t*>PyBytes_AS_STRING(self.packed)
        cdef uint64_t base = 0, entry
        cdef Py_ssize_t i
        cdef int bit
        for i in range(PyBytes_GET_SIZE(self.packed) // 8):
            entry = words[i]
            if entry & 1 == 0:
                self.check_relative(entry)
                base = entry + 8
                continue
            if i == 0:
                raise self.image.reader.damaged("its packed relocations start with a bitmap")
            for bit in range(63):
                if entry >> (bit + 1) & 1:
                    self.check_relative(base + 8 * bit)
            base += 8 * 63
        return 0

    cdef int check_relative(self, uint64_t place) except -1:
        cdef bytes data
        if (
            place & 7
            or not self.image.holds(place, 8, self.rights)
            or self.image.offset_of(place, 8) < 0
        ):
            raise self.image.reader.damaged(
                f"a packed relocation is for address {place:#x}, which is not writable"
            )
        if place < self.image.dynamic_address + self.image.dynamic_size:
            if place + 8 > self.image.dynamic_address:
                raise self.image.reader.damaged(
                    "a packed relocation is for the dynamic section itself"
                )
        if not self.mark(place):
            raise self.image.reader.damaged(
                f"a packed relocation is for address {place:#x}, as another one is"
            )
        if self.fill(place):
            data = self.image.table("array of functions", place, 8)
            if not self.image.holds((<const uint64_t*>PyBytes_AS_STRING(data))[0], 1, PF_X):
                raise self.image.reader.damaged("its array of functions leads to where no code is")
        return 0


cdef Py_ssize_t highest_symbol(const Rela* relocations, Py_ssize_t count) noexcept nogil:
    """One more than the greatest symbol index in a table, 0 if it has none."""
    cdef uint32_t highest = 0
    cdef Py_ssize_t i
    for i in range(count):
        highest = max(highest, relocations[i].symbol)
    return <Py_ssize_t>highest + 1 if count else 0
