"""The check of an ELF shared library before ld.so trusts it.

Dynamic section: gABI chapter 5, and what glibc (``elf/dl-load.c``, ``elf/get-dynamic-info.h``)
takes for granted and would assert or crash on. Where in doubt a library passes: a refused good
one is worse than a missed bad one. No state: safe from any thread.
"""

from os import fsdecode
from struct import iter_unpack
from sys import byteorder

from libc.stdint cimport int64_t, uint64_t

from jumptable.loading.elfimage cimport PF_W, PF_X, Image
from jumptable.loading.elfsymbols cimport Symbols

from jumptable.loading import elfimage
from jumptable.loading.elfrelocations import Relocations
from jumptable.loading.elfversions import check_versions

MACHINE = elfimage.MACHINE

cdef enum:
    DT_NEEDED = 1
    DT_PLTRELSZ = 2
    DT_HASH = 4
    DT_STRTAB = 5
    DT_SYMTAB = 6
    DT_RELA = 7
    DT_RELASZ = 8
    DT_RELAENT = 9
    DT_STRSZ = 10
    DT_SYMENT = 11
    DT_INIT = 12
    DT_FINI = 13
    DT_SONAME = 14
    DT_RPATH = 15
    DT_PLTREL = 20
    DT_JMPREL = 23
    DT_INIT_ARRAY = 25
    DT_FINI_ARRAY = 26
    DT_INIT_ARRAYSZ = 27
    DT_FINI_ARRAYSZ = 28
    DT_RUNPATH = 29
    DT_RELRSZ = 35
    DT_RELR = 36
    DT_RELRENT = 37
    DT_GNU_HASH = 0x6FFFFEF5
    DT_CONFIG = 0x6FFFFEFA
    DT_DEPAUDIT = 0x6FFFFEFB
    DT_AUDIT = 0x6FFFFEFC
    DT_VERSYM = 0x6FFFFFF0
    DT_FLAGS_1 = 0x6FFFFFFB
    DT_VERDEF = 0x6FFFFFFC
    DT_VERNEED = 0x6FFFFFFE
    DT_AUXILIARY = 0x7FFFFFFD
    DT_FILTER = 0x7FFFFFFF
    DF_1_PIE = 0x08000000
    SHT_RELA = 4
    SHT_HASH = 5
    SHT_DYNAMIC = 6
    SHT_DYNSYM = 11
    SHT_INIT_ARRAY = 14
    SHT_FINI_ARRAY = 15
    SHT_RELR = 19
    SHT_GNU_HASH = 0x6FFFFFF6
    SHT_GNU_VERDEF = 0x6FFFFFFD
    SHT_GNU_VERNEED = 0x6FFFFFFE
    SHT_GNU_VERSYM = 0x6FFFFFFF
    SHF_ALLOC = 2
    DT_LOOS = 0x6000000D
    DT_HIPROC = 0x7FFFFFFF
    # Beyond what the gABI has numbered so far, with room for what it will.
    MAX_TAG = 47
    # Room for 65,536 entries; real sections have a few dozen.
    MAX_DYNAMIC_SIZE = 1 << 20

cdef bytes NOTES_OWNER = b"jumptable\0"

# May occur more than once; all name strings.
cdef frozenset STRING_LISTS = frozenset(
    (DT_NEEDED, DT_AUXILIARY, DT_FILTER, DT_AUDIT, DT_DEPAUDIT, DT_CONFIG)
)
cdef tuple STRINGS = (DT_SONAME, DT_RPATH, DT_RUNPATH)

# Tags that ld.so reads together, without a look whether each is there; and entry sizes.
cdef tuple TOGETHER = (
    ("relocations", (DT_RELA, DT_RELASZ, DT_RELAENT)),
    ("relocations of calls", (DT_JMPREL, DT_PLTRELSZ, DT_PLTREL)),
    ("packed relocations", (DT_RELR, DT_RELRSZ, DT_RELRENT)),
    ("initialisers", (DT_INIT_ARRAY, DT_INIT_ARRAYSZ)),
    ("finalisers", (DT_FINI_ARRAY, DT_FINI_ARRAYSZ)),
)
cdef dict EXACT = {DT_SYMENT: 24, DT_RELAENT: 24, DT_RELRENT: 8}
cdef dict ENTRIES = {DT_INIT: ".init", DT_FINI: ".fini"}
cdef dict ARRAYS = {DT_INIT_ARRAY: DT_INIT_ARRAYSZ, DT_FINI_ARRAY: DT_FINI_ARRAYSZ}

# The tags that give a section's address, and its size where one does.
cdef dict WITNESSES = {
    SHT_HASH: (DT_HASH, None),
    SHT_GNU_HASH: (DT_GNU_HASH, None),
    SHT_DYNSYM: (DT_SYMTAB, None),
    SHT_INIT_ARRAY: (DT_INIT_ARRAY, DT_INIT_ARRAYSZ),
    SHT_FINI_ARRAY: (DT_FINI_ARRAY, DT_FINI_ARRAYSZ),
    SHT_RELR: (DT_RELR, DT_RELRSZ),
    SHT_GNU_VERSYM: (DT_VERSYM, None),
    SHT_GNU_VERNEED: (DT_VERNEED, None),
    SHT_GNU_VERDEF: (DT_VERDEF, None),
}


def identify(reader):
    """The name of the machine a file was built for; raises PluginFormatError if it has none."""
    return elfimage.describe_machine(*elfimage.identify(reader))


def check(reader):
    """What `files.LibraryFile` says of a library, from its machine on, if ld.so can open it safely.

    Raises PluginFormatError for a truncated or damaged file or one that is no shared library,
    PluginArchError for another machine's. On a 32-bit machine only the headers, segments and
    sections are checked, and the library is taken to use Python.
    """
    found = elfimage.identify(reader)
    # A machine that the C macros do not know is not compared.
    if found != elfimage.NATIVE and elfimage.NATIVE[0]:
        raise reader.foreign(elfimage.describe_machine(*found), MACHINE)
    cdef Image image = Image(reader, found[0], found[1])
    if found[1] == 32:
        return MACHINE, (), True, None, notes_of(image), has_debug_info(image)
    names, tags = read_dynamic(image)
    check_dynamic(image, tags)
    cdef bytes strings = image.table("string table", tags[DT_STRTAB], tags[DT_STRSZ])
    if not strings.endswith(b"\0"):
        raise reader.damaged("its string table does not end in NUL")
    for _, offset in [*names, *((tag, tags[tag]) for tag in STRINGS if tag in tags)]:
        if offset >= len(strings):
            raise reader.damaged("the name of a library lies outside its string table")
    check_witnesses(image, tags)
    found = []
    for tag, offset in names:
        if tag == DT_NEEDED:
            found.append(string_at(strings, offset))
    needed = tuple(found)
    relocations = Relocations(image, tags)
    versions = check_versions(image, tags, strings, needed)
    cdef Symbols symbols = Symbols(image, tags, strings, relocations.referenced, versions)
    relocations.check(symbols)
    soname = fsdecode(string_at(strings, tags[DT_SONAME])) if DT_SONAME in tags else None
    libraries = tuple(map(fsdecode, needed))
    uses_python = symbols.uses_python
    return MACHINE, libraries, uses_python, soname, notes_of(image), has_debug_info(image)


cdef bytes notes_of(Image image):
    """The segments of notes, if they hold some of jumptable's."""
    cdef bytes notes = image.reader.notes(image.notes)
    return notes if NOTES_OWNER in notes else b""


cdef bint has_debug_info(Image image):
    return any(section.name == ".debug_info" and section.size for section in image.sections)


cdef bytes string_at(bytes strings, offset):
    return strings[offset : strings.index(b"\0", offset)]


cdef tuple read_dynamic(Image image):
    """The tags that name libraries, as pairs, and all others, as a dictionary."""
    if image.dynamic_size > MAX_DYNAMIC_SIZE:
        raise image.reader.damaged(f"its dynamic section has {image.dynamic_size} bytes")
    # A part of an entry at the end is nothing that ld.so would read.
    table = image.table("dynamic section", image.dynamic_address, image.dynamic_size & ~15)
    names, tags = [], {}
    for tag, value in iter_unpack("=QQ", table):
        if tag == 0:
            return names, tags
        if tag in STRING_LISTS:
            names.append((tag, value))
        elif MAX_TAG < tag < DT_LOOS or tag > DT_HIPROC:
            raise image.reader.damaged(f"its dynamic section has the unknown tag {tag:#x}")
        elif tags.setdefault(tag, value) != value:
            raise image.reader.damaged(f"its dynamic section has tag {tag:#x} twice")
    raise image.reader.damaged("its dynamic section has no end")


cdef int check_dynamic(Image image, dict tags) except -1:
    reader = image.reader
    if tags.get(DT_FLAGS_1, 0) & DF_1_PIE:
        raise reader.unfit("an executable, not a library; link it with -shared, not with -pie")
    if not (DT_STRTAB in tags and DT_STRSZ in tags and DT_SYMTAB in tags):
        raise reader.damaged("its dynamic section lacks the symbol or the string table")
    for what, group in TOGETHER:
        if any(tag in tags for tag in group) and not all(tag in tags for tag in group):
            raise reader.damaged(f"its dynamic section has only a part of what its {what} need")
    for tag, size in EXACT.items():
        if tags.get(tag, size) != size:
            raise reader.damaged(f"its dynamic section has {tags[tag]} for tag {tag}, not {size}")
    if tags.get(DT_PLTREL, DT_RELA) != DT_RELA and DT_RELA in tags:
        raise reader.damaged("its relocations of calls are of another kind than the others")
    for tag in (DT_INIT, DT_FINI):
        if tag in tags and not is_function(image, tags[tag], ENTRIES[tag]):
            raise reader.damaged(f"its function at {tags[tag]:#x}, to run when loaded, is no code")
    for tag, size_tag in ARRAYS.items():
        size = tags.get(size_tag, 0)
        if size % 8 or (size and not image.holds(tags[tag], size, PF_W)):
            raise reader.damaged(f"its array of {size} bytes at {tags[tag]:#x} is not writable")
    if DT_HASH not in tags and DT_GNU_HASH not in tags:
        raise reader.damaged("its dynamic section lacks a hash table of the symbols")
    if (DT_VERSYM in tags) != (DT_VERNEED in tags or DT_VERDEF in tags):
        raise reader.damaged("its dynamic section has only a part of the symbol versions")
    return 0


cdef bint is_function(Image image, uint64_t address, str usual) except -1:
    """Whether a function may start here: the section made for it, or what unwind tables name."""
    if not image.holds(address, 1, PF_X):
        return False
    sections = []
    for section in image.sections:
        if section.name == usual:
            sections.append(section)
    # A linker option names another function; then there are unwind tables, or it is unknown.
    if not sections or sections[0].address == address or not image.unwind_address:
        return True
    # LLVM's optimiser BOLT moves the function and leaves the section.
    if any(section.name.startswith(".bolt.") for section in image.sections):
        return True
    header = image.window(image.unwind_address, 12)
    count = int.from_bytes(header[8:], byteorder)
    # The usual form, LSB "Exception Frames": a sorted table of pairs, relative to itself.
    if header[:4] != b"\x01\x1b\x03\x3b" or image.file_bytes_from(image.unwind_address) < 8 * count:
        return True
    table = image.table("unwind table", image.unwind_address + 12, 8 * count)
    start = <int64_t>(address - image.unwind_address)
    return any(pair[0] == start for pair in iter_unpack("=ii", table))


cdef int check_witnesses(Image image, dict tags) except -1:
    """The section headers must tell the same as the dynamic section, where there are any."""
    reader = image.reader
    for section in image.sections:
        if section.type in WITNESSES and section.size and section.flags & SHF_ALLOC:
            tag, size_tag = WITNESSES[section.type]
            if tags.get(tag) != section.address or tags.get(size_tag, section.size) != section.size:
                raise reader.damaged(
                    f"its dynamic section and its section {section.name} do not agree"
                )
        if section.type == SHT_DYNAMIC and section.address != image.dynamic_address:
            raise reader.damaged("its dynamic segment and its dynamic section do not agree")
        if section.type == SHT_DYNSYM and section.link < len(image.sections):
            strings = image.sections[section.link]
            if (strings.address, strings.size) != (tags[DT_STRTAB], tags[DT_STRSZ]):
                raise reader.damaged(
                    f"its dynamic section and its section {strings.name} do not agree"
                )
        if section.type == SHT_RELA and section.flags & SHF_ALLOC and section.size:
            check_rela_section(image, section, tags)
    return 0


cdef int check_rela_section(Image image, section, dict tags) except -1:
    """One table may cover several sections, but none partly."""
    for tag, size_tag in ((DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)):
        if tag in tags:
            end = tags[tag] + tags[size_tag]
            if tags[tag] <= section.address and section.address + section.size <= end:
                return 0
    raise image.reader.damaged(f"its dynamic section does not cover its section {section.name}")
