/* dlopen and Mach-O images in memory: macOS, 64 bits.
 *
 * Built to the contract in system.h, and untested on macOS itself.
 *
 * dlsym also finds symbols of a library's dependencies, and says nothing of what a symbol is. Where
 * its address lies tells both: in which image, and in which section of it. The library's own symbol
 * table is searched only for what has no address there. It may be stripped of names that dyld still
 * finds, and dyld may give a thread-local variable the address of this thread's copy.
 *
 * dyld does not say which image a handle stands for, but it gives the same handle for the same
 * image, up to flags in the lowest bits.
 *
 * Specification: mach-o/loader.h and mach-o/nlist.h; dyld's man page and its DyldAPIs.cpp.
 */
#ifndef JUMPTABLE_SYSTEM_MACHO_H
#define JUMPTABLE_SYSTEM_MACHO_H

#include "system_dlopen.h"
#include <mach-o/dyld.h>
#include <mach-o/loader.h>
#include <mach-o/nlist.h>
#include <mach/vm_prot.h>
#include <stdlib.h>

#ifndef __LP64__
#error "jumptable reads 64-bit Mach-O images only"
#endif

#define JT_TELLS_SIZES 0

#ifndef SG_READ_ONLY
#define SG_READ_ONLY 0x10
#endif

typedef struct {
    void *handle;
    const char *path; /* dyld's own, alive as long as the image */
    const struct mach_header_64 *header;
    uintptr_t slide; /* what to add to an address in the file */
    const struct nlist_64 *symbols;
    uint32_t symbol_count;
    const char *strings;
    uint32_t strings_size;
} jt_image;

typedef struct {
    const struct segment_command_64 *segment;
    const struct section_64 *section;
} jt_location;

/* The load command after this one, or the first; NULL after the last. */
static const struct load_command *jt_next_command(const jt_image *image,
                                                  const struct load_command *command) {
    const char *first = (const char *)(image->header + 1), *next = first;
    if (command != NULL)
        next = (const char *)command + command->cmdsize;
    return next < first + image->header->sizeofcmds ? (const struct load_command *)next : NULL;
}

static int jt_is_named(const struct segment_command_64 *segment, const char *name) {
    return strncmp(segment->segname, name, sizeof(segment->segname)) == 0;
}

/* The image among those that are loaded; other threads may load and unload some meanwhile. */
static int jt_find_header(jt_image *image) {
    for (uint32_t index = _dyld_image_count(); index-- > 0;) {
        const char *name = _dyld_get_image_name(index);
        const struct mach_header *header = _dyld_get_image_header(index);
        if (name == NULL || header == NULL || header->magic != MH_MAGIC_64)
            continue;
        void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
        if (handle == NULL)
            continue;
        int same = ((uintptr_t)handle | 3) == ((uintptr_t)image->handle | 3);
        dlclose(handle);
        if (same && _dyld_get_image_name(index) == name) {
            image->path = name;
            image->header = (const struct mach_header_64 *)header;
            return 0;
        }
    }
    return -1;
}

/* 0, or -1 if dyld doesn't describe the image: no symbol will be found in it. */
static int jt_image_init(jt_image *image, void *handle) {
    const struct segment_command_64 *linkedit = NULL;
    const struct symtab_command *table = NULL;
    memset(image, 0, sizeof(*image));
    image->handle = handle;
    if (jt_find_header(image) < 0)
        return -1;
    for (const struct load_command *command = jt_next_command(image, NULL); command != NULL;
         command = jt_next_command(image, command)) {
        if (command->cmd == LC_SYMTAB)
            table = (const struct symtab_command *)command;
        if (command->cmd != LC_SEGMENT_64)
            continue;
        const struct segment_command_64 *segment = (const struct segment_command_64 *)command;
        if (jt_is_named(segment, SEG_TEXT)) /* it begins with the header */
            image->slide = (uintptr_t)image->header - (uintptr_t)segment->vmaddr;
        else if (jt_is_named(segment, SEG_LINKEDIT))
            linkedit = segment;
    }
    if (table == NULL || linkedit == NULL)
        return 0;
    uint64_t start = linkedit->fileoff, end = start + linkedit->filesize;
    uint64_t symbols_end = table->symoff + (uint64_t)table->nsyms * sizeof(struct nlist_64);
    uint64_t strings_end = (uint64_t)table->stroff + table->strsize;
    if (table->symoff < start || symbols_end > end || table->stroff < start || strings_end > end)
        return 0;
    uintptr_t file = image->slide + (uintptr_t)linkedit->vmaddr - (uintptr_t)start;
    image->symbols = (const struct nlist_64 *)(file + table->symoff);
    image->symbol_count = table->nsyms;
    image->strings = (const char *)(file + table->stroff);
    image->strings_size = table->strsize;
    return 0;
}

/* Append the folders of a list with colons between them; empty ones mean nothing to dyld. */
static int jt_append_folders(PyObject *folders, const char *listed) {
    while (*listed != '\0') {
        size_t length = strcspn(listed, ":");
        if (length > 0) {
            PyObject *folder = PyUnicode_DecodeFSDefaultAndSize(listed, (Py_ssize_t)length);
            int status = folder != NULL ? PyList_Append(folders, folder) : -1;
            Py_XDECREF(folder);
            if (status < 0)
                return -1;
        }
        listed += length + (listed[length] == ':');
    }
    return 0;
}

static uintptr_t jt_base(const jt_image *image) {
    return (uintptr_t)image->header;
}

/* Where a bare name would be looked for, apart from the program's rpaths and dyld's cache. */
static PyObject *jt_search(void) {
    const char *first = getenv("DYLD_LIBRARY_PATH");
    const char *last = getenv("DYLD_FALLBACK_LIBRARY_PATH");
    PyObject *folders = PyList_New(0);
    if (folders != NULL &&
        (jt_append_folders(folders, first != NULL ? first : "") < 0 ||
         jt_append_folders(folders, last != NULL ? last : "/usr/local/lib:/usr/lib") < 0))
        Py_CLEAR(folders);
    return folders;
}

/* The C name of a symbol that the library exports, or NULL. */
static const char *jt_exported_name(const jt_image *image, const struct nlist_64 *symbol) {
    int defined = (symbol->n_type & N_TYPE) == N_SECT || (symbol->n_type & N_TYPE) == N_ABS;
    int visible = (symbol->n_type & (N_STAB | N_PEXT | N_EXT)) == N_EXT;
    if (!defined || !visible || symbol->n_un.n_strx >= image->strings_size)
        return NULL;
    const char *name = image->strings + symbol->n_un.n_strx;
    return *name == '_' ? name + 1 : NULL;
}

/* The library's own definition of a name. */
static const struct nlist_64 *jt_own_symbol(const jt_image *image, const char *name) {
    for (uint32_t index = 0; index < image->symbol_count; index++) {
        const char *candidate = jt_exported_name(image, &image->symbols[index]);
        if (candidate != NULL && strcmp(candidate, name) == 0)
            return &image->symbols[index];
    }
    return NULL;
}

/* The segment and section that hold an address, or that have this number, counted from 1. */
static jt_location jt_locate(const jt_image *image, const void *address, uint32_t number) {
    uintptr_t wanted = (uintptr_t)address - image->slide;
    uint32_t counted = 0;
    jt_location place = {NULL, NULL};
    for (const struct load_command *command = jt_next_command(image, NULL); command != NULL;
         command = jt_next_command(image, command)) {
        if (command->cmd != LC_SEGMENT_64)
            continue;
        const struct segment_command_64 *segment = (const struct segment_command_64 *)command;
        const struct section_64 *section = (const struct section_64 *)(segment + 1);
        if (number == 0 && wanted >= segment->vmaddr && wanted - segment->vmaddr < segment->vmsize)
            place.segment = segment;
        for (uint32_t k = 0; k < segment->nsects; k++, section++) {
            counted++;
            if (number != 0 ? counted == number
                            : wanted >= section->addr && wanted - section->addr < section->size) {
                place.segment = segment;
                place.section = section;
                return place;
            }
        }
    }
    return place;
}

static int jt_is_thread_local(const struct section_64 *section) {
    uint32_t type = section->flags & SECTION_TYPE;
    return type >= S_THREAD_LOCAL_REGULAR && type <= S_THREAD_LOCAL_INIT_FUNCTION_POINTERS;
}

/* Writable when dyld is done: it makes constants read-only that it has had to relocate. */
static int jt_is_writable(const struct segment_command_64 *segment) {
    return (segment->initprot & VM_PROT_WRITE) && !(segment->flags & SG_READ_ONLY) &&
           !jt_is_named(segment, "__DATA_CONST");
}

static int jt_has_code(const struct section_64 *section) {
    return section != NULL &&
           (section->flags & (S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS)) != 0;
}

static int jt_is_code(const jt_image *image, const void *address) {
    return image->header != NULL && jt_has_code(jt_locate(image, address, 0).section);
}

static void jt_find(const jt_image *image, const char *name, jt_found *found) {
    Dl_info info;
    jt_location place = {NULL, NULL};
    memset(found, 0, sizeof(*found));
    if (image->header == NULL)
        return;
    void *address = dlsym(image->handle, name);
    int known = address != NULL && dladdr(address, &info) != 0;
    if (known && info.dli_fbase == (const void *)image->header) {
        place = jt_locate(image, address, 0);
    } else {
        const struct nlist_64 *own = jt_own_symbol(image, name);
        if (own == NULL) {
            found->address = address;
            found->what = address != NULL ? JT_FOREIGN : JT_NOTHING;
            if (known && info.dli_fname != NULL)
                PyOS_snprintf(found->owner, sizeof(found->owner), "%s", info.dli_fname);
            return;
        }
        if (own->n_sect != NO_SECT)
            place = jt_locate(image, NULL, own->n_sect);
    }
    if (place.section != NULL && jt_is_thread_local(place.section)) {
        found->what = JT_THREAD_LOCAL;
        return;
    }
    if (address == NULL) {
        found->what = JT_NULL;
        return;
    }
    found->what = jt_has_code(place.section) ? JT_FUNCTION : JT_DATA;
    found->address = address;
    found->writable = place.segment != NULL && jt_is_writable(place.segment);
}

/* Calls visit for each exported name until it returns something other than 0; returns that. */
static int jt_each_name(const jt_image *image, int (*visit)(const char *, void *), void *context) {
    int status = 0;
    for (uint32_t index = 0; index < image->symbol_count && status == 0; index++) {
        const char *name = jt_exported_name(image, &image->symbols[index]);
        if (name != NULL)
            status = visit(name, context);
    }
    return status;
}

#endif
