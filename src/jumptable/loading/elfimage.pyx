"""An ELF file's header, segments and sections: gABI chapters 4 and 5.

`Image` is what the other checks build on. Making one raises PluginFormatError or
PluginArchError; one object serves one check in one thread.
"""

from struct import Struct
from sys import byteorder

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cdef extern from *:
    """
    #if defined(__x86_64__) || defined(_M_X64)
    #define JUMPTABLE_ELF_MACHINE 62
    #elif defined(__aarch64__) || defined(_M_ARM64)
    #define JUMPTABLE_ELF_MACHINE 183
    #elif defined(__i386__) || defined(_M_IX86)
    #define JUMPTABLE_ELF_MACHINE 3
    #elif defined(__arm__) || defined(_M_ARM)
    #define JUMPTABLE_ELF_MACHINE 40
    #elif defined(__riscv)
    #define JUMPTABLE_ELF_MACHINE 243
    #elif defined(__powerpc64__)
    #define JUMPTABLE_ELF_MACHINE 21
    #elif defined(__powerpc__)
    #define JUMPTABLE_ELF_MACHINE 20
    #elif defined(__s390__)
    #define JUMPTABLE_ELF_MACHINE 22
    #elif defined(__loongarch__)
    #define JUMPTABLE_ELF_MACHINE 258
    #elif defined(__mips__)
    #define JUMPTABLE_ELF_MACHINE 8
    #else
    #define JUMPTABLE_ELF_MACHINE 0
    #endif
    """
    const int JUMPTABLE_ELF_MACHINE

cdef enum:
    ET_REL = 1
    ET_EXEC = 2
    ET_DYN = 3
    ET_CORE = 4
    PT_LOAD = 1
    PT_DYNAMIC = 2
    PT_NOTE = 4
    PT_TLS = 7
    PT_GNU_EH_FRAME = 0x6474E550
    PT_GNU_RELRO = 0x6474E552
    PT_GNU_PROPERTY = 0x6474E553
    SHT_NULL = 0
    SHT_NOBITS = 8
    SHF_WRITE = 1
    SHF_ALLOC = 2
    SHF_EXECINSTR = 4
    SHF_TLS = 0x400

# No thread has more data of its own, and ld.so's sums overflow far above it.
cdef uint64_t MAX_TLS_SIZE = 1 << 32

# Name, then the bits and byte order that go without saying.
cdef dict MACHINES = {
    2: ("SPARC", 32, "big"),
    3: ("x86", 32, "little"),
    8: ("MIPS", 32, "big"),
    20: ("PowerPC", 32, "big"),
    21: ("PowerPC64", 64, "little"),
    22: ("s390x", 64, "big"),
    40: ("Arm", 32, "little"),
    43: ("SPARC64", 64, "big"),
    50: ("Itanium", 64, "little"),
    62: ("x86-64", 64, "little"),
    183: ("AArch64", 64, "little"),
    190: ("NVIDIA CUDA", 64, "little"),
    224: ("AMD GPU", 64, "little"),
    243: ("RISC-V", 64, "little"),
    247: ("BPF", 64, "little"),
    258: ("LoongArch", 64, "little"),
}


def describe_machine(machine: int, bits: int, order: str) -> str:
    """The name of a machine, with its word size and byte order where they are not the usual."""
    name, usual_bits, usual_order = MACHINES.get(machine, (f"ELF machine {machine}", bits, order))
    if bits != usual_bits:
        name = f"{bits}-bit {name}"
    return name if order == usual_order else f"{order}-endian {name}"


NATIVE = (JUMPTABLE_ELF_MACHINE, 8 * sizeof(void*), byteorder)
MACHINE = describe_machine(*NATIVE)


def identify(reader) -> tuple:
    """Machine number, bits and byte order of the file; PluginFormatError if it names none."""
    cdef bytes header = reader.read(0, 20, "ELF header ends")
    if header[4] not in (1, 2):
        raise reader.damaged(f"its ELF class is {header[4]}, expected 1 or 2")
    if header[5] not in (1, 2):
        raise reader.damaged(f"its ELF byte order is {header[5]}, expected 1 or 2")
    order = "little" if header[5] == 1 else "big"
    return int.from_bytes(header[18:20], order), 32 * header[4], order


cdef class Section:
    """A section header."""

    def __init__(self, str name, tuple fields):
        self.name = name
        _, self.type, self.flags, self.address, self.offset = fields[:5]
        self.size, self.link, self.info, self.alignment, _ = fields[5:]


cdef class Image:
    """The loadable segments of one file; every one lies inside the file, and every section."""

    def __cinit__(self):
        self.loads = NULL

    def __dealloc__(self):
        free(self.loads)

    def __init__(self, reader, int machine, int bits):
        self.reader = reader
        self.machine = machine
        # "=" is native order without padding: the caller has compared order and class.
        header_format = Struct("=16sHHIQQQIHHHHHH" if bits == 64 else "=16sHHIIIIIHHHHHH")
        segment_format = Struct("=IIQQQQQQ" if bits == 64 else "=IIIIIIII")
        section_format = Struct("=IIQQQQIIQQ" if bits == 64 else "=IIIIIIIIII")
        header = header_format.unpack(reader.read(0, header_format.size, "ELF header ends"))
        ident, kind, _, version, _, phoff, shoff, _, _, phentsize, phnum = header[:11]
        if ident[6] != 1 or version != 1:
            raise reader.damaged("its ELF version is not 1")
        check_kind(reader, kind)
        if phentsize != segment_format.size:
            raise reader.damaged(
                f"its program headers are {phentsize} bytes each, expected {segment_format.size}"
            )
        if phnum in (0, 0xFFFF):
            raise reader.damaged(f"it has {phnum} program headers")
        table = reader.read(phoff, phnum * phentsize, "program headers end")
        segments = list(segment_format.iter_unpack(table))
        if bits == 32:  # here the flags come last but one
            for index, s in enumerate(segments):
                segments[index] = s[:1] + s[6:7] + s[1:6] + s[7:]
        self.check_segments(segments)
        self.sections = read_sections(reader, section_format, shoff, header[11:])
        self.check_sections()
        self.notes = []
        self.check_special_segments(segments)

    # The addresses: what the rest of the checks asks.

    cdef Load* find(self, uint64_t address) noexcept:
        """The segment that holds ``address``, or NULL."""
        cdef Py_ssize_t low = 0, high = self.load_count, middle
        cdef Load* load = &self.loads[self.last]
        # Tables are sorted by address, so the last answer is nearly always the next one.
        if address - load.address < load.memory_size:
            return load
        while low < high:
            middle = (low + high) // 2
            load = &self.loads[middle]
            if address < load.address:
                high = middle
            elif address - load.address >= load.memory_size:
                low = middle + 1
            else:
                self.last = middle
                return load
        return NULL

    cdef bint holds(self, uint64_t address, uint64_t size, uint32_t flags) noexcept:
        """Whether one segment with at least these rights holds the whole range."""
        cdef Load* load = self.find(address)
        if load == NULL or load.flags & flags != flags:
            return False
        return size <= load.memory_size - (address - load.address)

    cdef int64_t offset_of(self, uint64_t address, uint64_t size) noexcept:
        """Where the file holds the range, or -1 if it does not hold all of it."""
        cdef Load* load = self.find(address)
        cdef uint64_t into
        if load == NULL:
            return -1
        into = address - load.address
        if into > load.file_size or size > load.file_size - into:
            return -1
        return <int64_t>(load.offset + into)

    cdef uint64_t file_bytes_from(self, uint64_t address) noexcept:
        """How many bytes the file holds from this address to the end of its segment."""
        cdef Load* load = self.find(address)
        if load == NULL or address - load.address >= load.file_size:
            return 0
        return load.file_size - (address - load.address)

    cpdef bytes table(self, str what, object address, object size):
        """The bytes of a table that ld.so reads; PluginFormatError if it cannot."""
        cdef int64_t offset = -1
        if address + size < 1 << 63 and self.holds(address, size, PF_R):
            offset = self.offset_of(address, size)
        if offset < 0:
            raise self.reader.damaged(
                f"its {what} ({size} bytes at address {address:#x}) lies in no readable segment"
            )
        return self.reader.read(offset, size, f"{what} ends")

    def window(self, address, limit):
        """Up to ``limit`` bytes from an address, for a table that says nowhere how long it is."""
        return self.table("table", address, min(self.file_bytes_from(address), limit))

    # The program headers.

    cdef int check_segments(self, list segments) except -1:
        for segment in segments:
            _, _, offset, _, _, file_size, _, _ = segment
            if file_size and segment[0]:
                self.reader.require(offset, file_size, "segments end")
        loads = []
        for segment in segments:
            if segment[0] == PT_LOAD:
                loads.append(segment)
        if not loads:
            raise self.reader.damaged("it has no loadable segment")
        self.loads = <Load*>calloc(len(loads), sizeof(Load))
        if self.loads == NULL:
            raise MemoryError
        for segment in loads:
            self.add_load(segment)
        return 0

    cdef int add_load(self, tuple segment) except -1:
        _, flags, offset, address, _, file_size, memory_size, alignment = segment
        cdef Load* load = &self.loads[self.load_count]
        where = f"its loadable segment at address {address:#x}"
        if file_size > memory_size or (file_size < memory_size and not flags & PF_W):
            raise self.reader.damaged(
                f"{where} has {memory_size} bytes in memory and {file_size} in the file"
            )
        if address + memory_size >= 1 << 63:
            raise self.reader.damaged(f"{where} leaves the address space")
        if alignment & (alignment - 1) if alignment else 0:
            raise self.reader.damaged(f"{where} has alignment {alignment}, no power of two")
        if alignment > 1 and (address - offset) % alignment:
            raise self.reader.damaged(f"{where} and its offset {offset:#x} are not congruent")
        if self.load_count:
            before = self.loads[self.load_count - 1].address
            before += self.loads[self.load_count - 1].memory_size
            if address < before:
                raise self.reader.damaged(f"{where} overlaps the one before it")
            before = self.loads[self.load_count - 1].offset
            before += self.loads[self.load_count - 1].file_size
            if file_size and offset < before:
                raise self.reader.damaged(f"{where} overlaps the one before it in the file")
        # Execute-only code exists, but not on x86-64 and never under a table or data.
        if not flags & PF_R and (self.machine == 62 or not flags & PF_X) and memory_size:
            raise self.reader.damaged(f"{where} is not readable")
        load.alignment = max(alignment, 1)
        load.address, load.memory_size = address, memory_size
        load.offset, load.file_size, load.flags = offset, file_size, flags
        self.load_count += 1
        return 0

    cdef int check_special_segments(self, list segments) except -1:
        cdef bint dynamic = False
        cdef bint unwind = False
        for segment in segments:
            kind, flags, offset, address, _, file_size, memory_size, alignment = segment
            if kind == PT_DYNAMIC:
                if dynamic:
                    raise self.reader.damaged("it has two dynamic segments")
                dynamic = True
                self.check_backed(segment, "dynamic segment")
                if flags & PF_W and not self.holds(address, file_size, PF_W):
                    raise self.reader.damaged("its dynamic segment is writable, its pages are not")
                self.dynamic_address, self.dynamic_size = address, file_size
            elif kind == PT_TLS and memory_size:
                if self.has_tls:
                    raise self.reader.damaged("it has two thread-local segments")
                if alignment & (alignment - 1) if alignment else 0:
                    raise self.reader.damaged("its thread-local alignment is no power of two")
                if file_size > memory_size or max(alignment << 8, memory_size) > MAX_TLS_SIZE:
                    raise self.reader.damaged("its thread-local segment has an impossible size")
                if file_size:
                    self.check_backed(segment, "thread-local segment")
                self.has_tls = True
                self.tls_address, self.tls_size = address, memory_size
                self.check_tls_sections(alignment)
            elif kind == PT_GNU_RELRO and memory_size:
                self.check_relro(address, memory_size)
            elif kind == PT_GNU_EH_FRAME and file_size:
                self.check_backed(segment, "unwind segment")
                unwind, self.unwind_address = True, address
            elif kind in (PT_NOTE, PT_GNU_PROPERTY) and file_size:
                self.check_backed(segment, "note segment")
                if kind == PT_NOTE:
                    self.notes.append((offset, file_size))
        if not dynamic:
            raise self.reader.damaged("it has no dynamic segment")
        if not self.has_tls and any(s.flags & SHF_TLS for s in self.sections):
            raise self.reader.damaged("it has thread-local sections but no such segment")
        # Without it, the first exception that a C++ initialiser throws ends the process.
        if not unwind and any(s.name == ".eh_frame_hdr" and s.size for s in self.sections):
            raise self.reader.damaged("it has unwind tables but no such segment")
        return 0

    cdef int check_backed(self, tuple segment, str what) except -1:
        """The file must hold the segment where its address says, which is where ld.so looks."""
        _, _, offset, address, _, file_size, _, _ = segment
        if self.offset_of(address, file_size) != offset:
            raise self.reader.damaged(
                f"its {what} at address {address:#x} is not at offset {offset:#x} of the file"
            )
        return 0

    cdef int check_relro(self, uint64_t address, uint64_t size) except -1:
        cdef Load* load = self.find(address)
        cdef uint64_t end
        if load == NULL or not load.flags & PF_W:
            raise self.reader.damaged("its RELRO segment lies in no writable segment")
        # Linkers may round its end up to a page.
        end = load.address + load.memory_size + load.alignment - 1
        if address + size > end - end % load.alignment:
            raise self.reader.damaged("its RELRO segment leaves its writable segment")
        for section in self.sections:
            # Data that the program writes must stay writable.
            if section.name in (".data", ".bss") and section.size:
                if section.address < address + size and section.address + section.size > address:
                    raise self.reader.damaged(f"its RELRO segment covers {section.name}")
        return 0

    # The section headers: ld.so does not read them, which makes them a second witness.

    cdef int check_sections(self) except -1:
        for section in self.sections:
            if not section.flags & SHF_ALLOC or not section.size:
                continue
            if section.type == SHT_NOBITS and section.flags & SHF_TLS:
                continue  # takes no address space: it overlaps whatever follows
            rights = (PF_W if section.flags & SHF_WRITE else 0) | (
                PF_X if section.flags & SHF_EXECINSTR else 0
            )
            where = f"its section {section.name} at address {section.address:#x}"
            if not self.holds(section.address, section.size, rights):
                raise self.reader.damaged(f"{where} lies in no segment with the same rights")
            if section.type == SHT_NOBITS:
                continue
            if self.offset_of(section.address, section.size) != section.offset:
                raise self.reader.damaged(
                    f"{where} is not at offset {section.offset:#x} of the file"
                )
        return 0

    cdef int check_tls_sections(self, uint64_t alignment) except -1:
        sections = []
        for section in self.sections:
            if section.flags & SHF_TLS and section.size:
                sections.append(section)
        if not sections:
            return 0
        start = min(s.address for s in sections)
        end = max(s.address + s.size for s in sections)
        stop = self.tls_address + self.tls_size
        # Linkers may round the size up to the alignment.
        if start != self.tls_address or not end <= stop <= end + alignment:
            raise self.reader.damaged("its thread-local segment and sections do not agree")
        if alignment < max(s.alignment for s in sections):
            raise self.reader.damaged("its thread-local segment is less aligned than its sections")
        return 0


cdef int check_kind(reader, int kind) except -1:
    if kind == ET_DYN:
        return 0
    if kind == ET_REL:
        raise reader.unfit("an object file, not a library; link it with -shared")
    if kind == ET_EXEC:
        raise reader.unfit("an executable, not a library; compile with -fPIC, link with -shared")
    if kind == ET_CORE:
        raise reader.unfit("a core dump, not a library; give the path of the library")
    raise reader.damaged(f"its ELF type is {kind}, expected 3 (shared object)")


cdef list read_sections(reader, header_format, offset, tuple rest):
    """Every section header; PluginFormatError if one, or what it describes, is cut off."""
    entry_size, count, names_index = rest
    if not offset:
        return []
    what = "section headers end"
    if entry_size != header_format.size:
        raise reader.damaged(
            f"its section headers are {entry_size} bytes each, expected {header_format.size}"
        )
    first = header_format.unpack(reader.read(offset, entry_size, what))
    # Numbers that do not fit the ELF header are in section 0.
    count = count or first[5]
    names_index = first[6] if names_index == 0xFFFF else names_index
    table = list(header_format.iter_unpack(reader.read(offset, count * entry_size, what)))
    for fields in table:
        if fields[1] not in (SHT_NULL, SHT_NOBITS):
            reader.require(fields[4], fields[5], "sections end")
    if names_index >= max(count, 1):
        raise reader.damaged(f"its section names are in section {names_index} of {count}")
    names = b""
    if names_index:
        names = reader.read(table[names_index][4], table[names_index][5], "section names end")
    sections = []
    for fields in table:
        name = names[fields[0] : names.find(b"\0", fields[0])]
        sections.append(Section(name.decode("latin-1"), fields))
    return sections
