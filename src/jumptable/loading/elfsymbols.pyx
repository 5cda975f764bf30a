"""The dynamic symbols of an ELF file, and the hash tables that ld.so finds them by.

Symbols: gABI chapter 4; ``DT_HASH``: gABI chapter 5; ``DT_GNU_HASH``: as glibc reads it
(``elf/dl-lookup.c``). Making a `Symbols` raises PluginFormatError; one object serves one check
in one thread.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport strncmp

from jumptable.loading.elfimage cimport PF_X, Image

cdef enum:
    DT_HASH = 4
    DT_SYMTAB = 6
    DT_GNU_HASH = 0x6FFFFEF5
    DT_VERSYM = 0x6FFFFFF0
    SHT_DYNSYM = 11
    SHN_LORESERVE = 0xFF00
    VERSION_INDEX = 0x7FFF
    EM_ALPHA = 0x9026
    EM_S390 = 22
    EM_X86_64 = 62
    EM_AARCH64 = 183
    # NOTYPE, OBJECT, FUNC, COMMON, TLS, IFUNC: ld.so passes over any other.
    FOUND_TYPES = 0b10001100111


cdef class Symbols:
    """The symbols of an image, each checked.

    ``referenced`` is how many symbols the relocations need: nothing else counts those of a
    stripped library that exports none. ``versions`` is the greatest version index defined.
    """

    def __init__(
        self, Image image, dict tags, bytes strings, Py_ssize_t referenced, uint32_t versions
    ):
        cdef Py_ssize_t count = -1
        self.image = image
        self.strings = strings
        for section in image.sections:
            if section.type == SHT_DYNSYM:
                count = section.size // sizeof(Symbol)
        # These two made the entries of DT_HASH 64 bits wide.
        if DT_HASH in tags and image.machine not in (EM_ALPHA, EM_S390):
            hashed = self.sysv_count(tags[DT_HASH])
            if count not in (-1, hashed):
                raise image.reader.damaged(f"its hash table is for {hashed} symbols, not {count}")
            count = hashed
        if DT_GNU_HASH in tags:
            hashed = self.gnu_count(tags[DT_GNU_HASH])
            if hashed and count not in (-1, hashed):
                raise image.reader.damaged(
                    f"its GNU hash table is for {hashed} symbols, not {count}"
                )
            count = hashed or count
        self.count = referenced if count == -1 else count
        if referenced > self.count:
            raise image.reader.damaged(
                f"its relocations use symbol {referenced - 1} of {self.count}"
            )
        self.table = image.table("symbol table", tags[DT_SYMTAB], self.count * sizeof(Symbol))
        self.check_symbols()
        if self.chains is not None:
            self.check_gnu_hash()
        if DT_VERSYM in tags:
            self.check_versions(tags[DT_VERSYM], versions)

    cdef const Symbol* at(self, Py_ssize_t index) noexcept:
        return <const Symbol*>PyBytes_AS_STRING(self.table) + index

    # Counting: no entry of the dynamic section says how many symbols there are.

    cdef Py_ssize_t sysv_count(self, uint64_t address) except -1:
        """The number of symbols, after a check that every lookup ends."""
        cdef const uint32_t* words
        cdef uint32_t bucket_count, count, i, symbol
        cdef bytes table = self.image.table("hash table", address, 8)
        words = <const uint32_t*>PyBytes_AS_STRING(table)
        bucket_count, count = words[0], words[1]
        size = 8 + 4 * (<object>bucket_count + count)
        table = self.image.table("hash table", address, size)
        # A symbol with two predecessors is the only way into a circle.
        cdef bytearray seen = bytearray(count)
        cdef uint8_t* marks = seen
        words = <const uint32_t*>PyBytes_AS_STRING(table) + 2
        for i in range(bucket_count + count):
            symbol = words[i]
            if symbol == 0:
                continue
            if symbol >= count:
                raise self.image.reader.damaged(f"its hash table has symbol {symbol} of {count}")
            if marks[symbol]:
                raise self.image.reader.damaged(f"its hash table has symbol {symbol} twice")
            marks[symbol] = 1
        return count

    cdef Py_ssize_t gnu_count(self, uint64_t address) except -1:
        """The number of symbols, or 0 if none is in the table."""
        cdef bytes header = self.image.table("GNU hash table", address, 16)
        cdef const uint32_t* words = <const uint32_t*>PyBytes_AS_STRING(header)
        cdef uint32_t bucket_count = words[0], bloom_size = words[2], greatest = 0, i
        self.first_hashed, self.bloom_shift = words[1], words[3]
        # glibc asserts the power of two, and takes the size minus one for a mask.
        if bloom_size & (bloom_size - 1) or (bucket_count and not bloom_size):
            raise self.image.reader.damaged(f"its GNU hash table has {bloom_size} Bloom words")
        start = <object>address + 16
        self.bloom = self.image.table("GNU hash table", start, 8 * <object>bloom_size)
        start += 8 * <object>bloom_size
        self.buckets = self.image.table("GNU hash table", start, 4 * <object>bucket_count)
        start += 4 * <object>bucket_count
        words = <const uint32_t*>PyBytes_AS_STRING(self.buckets)
        for i in range(bucket_count):
            if words[i] and words[i] < self.first_hashed:
                raise self.image.reader.damaged(f"its GNU hash table has symbol {words[i]}")
            greatest = max(greatest, words[i])
        if greatest == 0:
            return 0
        greatest = self.chain_end(start, greatest - self.first_hashed)
        self.chains = self.image.table("GNU hash table", start, 4 * <object>greatest)
        return <Py_ssize_t>self.first_hashed + greatest

    cdef uint32_t chain_end(self, uint64_t address, uint32_t index) except 0:
        """Where the last chain ends; the table itself ends there too."""
        cdef uint64_t available = self.image.file_bytes_from(address) // 4
        cdef uint64_t count, i
        cdef bytes chunk
        while index < available:
            count = min(available - index, <uint64_t>1024)
            chunk = self.image.table("GNU hash table", <object>address + 4 * index, 4 * count)
            for i in range(count):
                if (<const uint32_t*>PyBytes_AS_STRING(chunk))[i] & 1:
                    return <uint32_t>(index + i + 1)
            index += <uint32_t>count
        raise self.image.reader.damaged("its GNU hash table has no end")

    # The symbols.

    cdef int check_symbols(self) except -1:
        cdef const char* strings = PyBytes_AS_STRING(self.strings)
        cdef uint64_t size = PyBytes_GET_SIZE(self.strings)
        cdef const Symbol* symbol
        cdef Py_ssize_t i
        # Processors may define types of their own; these two do not.
        cdef bint found
        cdef bint usual = self.image.machine in (EM_X86_64, EM_AARCH64)
        for i in range(self.count):
            symbol = self.at(i)
            if symbol.name >= size:
                raise self.image.reader.damaged(f"the name of symbol {i} lies outside the names")
            found = symbol.info >> 4 == STB_LOCAL or FOUND_TYPES >> (symbol.info & 15) & 1
            if usual and not found:
                raise self.image.reader.damaged(f"its symbol {i} is of type {symbol.info & 15}")
            if symbol.section != SHN_UNDEF:
                self.check_definition(i, symbol)
            elif usual and symbol.value and i:
                # Only in executables does an undefined function have an address.
                raise self.image.reader.damaged(f"its undefined symbol {i} has a value")
            elif not self.uses_python and symbol.name:
                # The names end in NUL, so neither comparison leaves them.
                self.uses_python = (
                    strncmp(strings + symbol.name, b"Py", 2) == 0
                    or strncmp(strings + symbol.name, b"_Py", 3) == 0
                )
        return 0

    cdef int check_definition(self, Py_ssize_t index, const Symbol* symbol) except -1:
        cdef uint8_t kind = symbol.info & 15
        cdef uint64_t value = symbol.value
        if symbol.section >= SHN_LORESERVE:
            return 0
        if kind == STT_TLS:
            if not self.image.has_tls or value > self.image.tls_size:
                raise self.image.reader.damaged(
                    f"its symbol {index} lies outside the thread-local data"
                )
            return 0
        # A function's address is code, except where it is a descriptor.
        if kind in (STT_FUNC, STT_GNU_IFUNC) and self.image.machine in (EM_X86_64, EM_AARCH64):
            if not self.image.holds(value, 1, PF_X):
                raise self.image.reader.damaged(f"its function symbol {index} is not in its code")
            return 0
        # Symbols such as _end name the first byte after a segment.
        if self.image.find(value) == NULL and (value == 0 or self.image.find(value - 1) == NULL):
            raise self.image.reader.damaged(f"its symbol {index} lies in no segment")
        return 0

    cdef int check_gnu_hash(self) except -1:
        """Every hashed symbol must be found where ld.so would look for it."""
        cdef const uint32_t* chains = <const uint32_t*>PyBytes_AS_STRING(self.chains)
        cdef const uint32_t* buckets = <const uint32_t*>PyBytes_AS_STRING(self.buckets)
        cdef const uint64_t* bloom = <const uint64_t*>PyBytes_AS_STRING(self.bloom)
        cdef uint32_t bucket_count = <uint32_t>(PyBytes_GET_SIZE(self.buckets) // 4)
        cdef uint32_t bloom_mask = <uint32_t>(PyBytes_GET_SIZE(self.bloom) // 8 - 1)
        cdef const uint8_t* strings = <const uint8_t*>PyBytes_AS_STRING(self.strings)
        cdef const uint8_t* name
        cdef Py_ssize_t start = self.first_hashed, i
        cdef uint32_t hash, word
        cdef uint64_t filter
        # Names may share their ends; damaged ones could share so much that this takes forever.
        cdef Py_ssize_t budget = 8 * PyBytes_GET_SIZE(self.strings) + (1 << 20)
        for i in range(start, self.count):
            hash = 5381
            name = strings + self.at(i).name
            while name[0]:
                hash = hash * 33 + name[0]
                name += 1
            budget -= name - strings - self.at(i).name
            if budget < 0:
                return 0
            word = chains[i - self.first_hashed]
            filter = bloom[(hash >> 6) & bloom_mask]
            if (
                (word ^ hash) >> 1
                or buckets[hash % bucket_count] != start
                or not filter >> (hash & 63) & 1
                or not filter >> ((hash >> (self.bloom_shift & 31)) & 63) & 1
            ):
                raise self.image.reader.damaged(f"its GNU hash table does not find symbol {i}")
            if word & 1:
                start = i + 1
        return 0

    cdef int check_versions(self, uint64_t address, uint32_t greatest) except -1:
        """ld.so takes a symbol's version for an index into what it made of the definitions."""
        cdef bytes table = self.image.table("symbol versions", address, 2 * self.count)
        cdef const uint16_t* versions = <const uint16_t*>PyBytes_AS_STRING(table)
        cdef Py_ssize_t i
        for i in range(self.count):
            if versions[i] & VERSION_INDEX > greatest:
                raise self.image.reader.damaged(
                    f"its symbol {i} has version {versions[i] & VERSION_INDEX} of {greatest}"
                )
        return 0
