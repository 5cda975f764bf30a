/* dlopen and ELF images in memory: Linux with glibc or musl, and the BSDs.
 *
 * dlsym also finds symbols of a library's dependencies, and says nothing of what a symbol is. So
 * the library's own dynamic symbol table is searched, in memory, through its hash table: it tells
 * whose the symbol is, whether it is code or data, and how large. dlsym still gives the address,
 * because it resolves indirect functions and versions.
 *
 * Specification: System V gABI, chapters 4 and 5; the GNU hash section as glibc reads it.
 */
#ifndef JUMPTABLE_SYSTEM_ELF_H
#define JUMPTABLE_SYSTEM_ELF_H

#include "system_dlopen.h"
#include <elf.h>
#include <link.h>

#ifndef STT_GNU_IFUNC
#define STT_GNU_IFUNC 10
#endif
#ifndef STB_GNU_UNIQUE
#define STB_GNU_UNIQUE 10
#endif

#define JT_MAX_SEGMENTS 32
#define JT_TELLS_SIZES 1

typedef struct {
    uintptr_t start, end;
    int executable, writable;
} jt_segment;

typedef struct {
    void *handle;
    const char *path; /* the loader's own, alive as long as the library */
    uintptr_t base;
    const ElfW(Sym) *symbols;
    const char *strings;
    const uint32_t *gnu_hash, *sysv_hash;
    jt_segment segments[JT_MAX_SEGMENTS];
    int segment_count;
    uintptr_t relro_start, relro_end; /* writable only until the loader is done */
} jt_image;

static int jt_note_segments(struct dl_phdr_info *info, size_t size, void *context) {
    jt_image *image = context;
    const struct link_map *map = image->handle;
    (void)size;
    if (info->dlpi_addr != image->base || strcmp(info->dlpi_name, map->l_name) != 0)
        return 0;
    for (int k = 0; k < info->dlpi_phnum; k++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[k];
        uintptr_t start = image->base + header->p_vaddr, end = start + header->p_memsz;
        if (header->p_type == PT_GNU_RELRO) {
            image->relro_start = start;
            image->relro_end = end;
        } else if (header->p_type == PT_LOAD && image->segment_count < JT_MAX_SEGMENTS) {
            jt_segment *segment = &image->segments[image->segment_count++];
            segment->start = start;
            segment->end = end;
            segment->executable = (header->p_flags & PF_X) != 0;
            segment->writable = (header->p_flags & PF_W) != 0;
        }
    }
    return 1;
}

/* glibc has relocated the pointers of the dynamic section by now, musl leaves them as they are. */
static const void *jt_dynamic_pointer(const jt_image *image, const ElfW(Dyn) *entry) {
    uintptr_t value = (uintptr_t)entry->d_un.d_ptr;
    return (const void *)(value < image->base ? value + image->base : value);
}

/* 0, or -1 if the loader doesn't describe the image: no symbol will be found in it. */
static int jt_image_init(jt_image *image, void *handle) {
    struct link_map *map = NULL;
    memset(image, 0, sizeof(*image));
    image->handle = handle;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == NULL)
        return -1;
    image->path = map->l_name;
    image->base = map->l_addr;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB: image->symbols = jt_dynamic_pointer(image, entry); break;
        case DT_STRTAB: image->strings = jt_dynamic_pointer(image, entry); break;
        case DT_GNU_HASH: image->gnu_hash = jt_dynamic_pointer(image, entry); break;
        case DT_HASH: image->sysv_hash = jt_dynamic_pointer(image, entry); break;
        default: break;
        }
    }
    image->handle = map;
    dl_iterate_phdr(jt_note_segments, image);
    image->handle = handle;
    return image->symbols != NULL && image->strings != NULL ? 0 : -1;
}

static uintptr_t jt_base(const jt_image *image) {
    return image->base;
}

/* Where a bare name would be looked for, apart from the loader's cache: a list of str. */
static PyObject *jt_search(void) {
    PyObject *folders = PyList_New(0);
#if defined(__GLIBC__) || defined(RTLD_DI_SERINFO) /* glibc has an enumeration for it */
    Dl_serinfo size, *info = NULL;
    void *self = dlopen(NULL, RTLD_LAZY);
    if (folders == NULL || self == NULL || dlinfo(self, RTLD_DI_SERINFOSIZE, &size) != 0)
        return folders;
    info = PyMem_Malloc(size.dls_size);
    if (info == NULL) {
        Py_DECREF(folders);
        return PyErr_NoMemory();
    }
    *info = size;
    if (dlinfo(self, RTLD_DI_SERINFOSIZE, info) == 0 && dlinfo(self, RTLD_DI_SERINFO, info) == 0) {
        for (unsigned k = 0; k < info->dls_cnt; k++) {
            PyObject *folder = PyUnicode_DecodeFSDefault(info->dls_serpath[k].dls_name);
            if (folder == NULL || PyList_Append(folders, folder) < 0)
                Py_CLEAR(folders);
            Py_XDECREF(folder);
            if (folders == NULL)
                break;
        }
    }
    PyMem_Free(info);
#endif
    return folders;
}

static uint32_t jt_gnu_hash(const char *name) {
    uint32_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

static uint32_t jt_sysv_hash(const char *name) {
    uint32_t hash = 0;
    for (; *name; name++) {
        hash = (hash << 4) + (unsigned char)*name;
        hash ^= (hash >> 24) & 0xF0;
    }
    return hash & 0x0FFFFFFF;
}

/* The parts of a GNU hash section: a header of four words, a Bloom filter, buckets, chains. */
static const uint32_t *jt_gnu_buckets(const uint32_t *section) {
    return section + 4 + section[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
}

static int jt_is_exported(const ElfW(Sym) *symbol) {
    int binding = symbol->st_info >> 4, visibility = symbol->st_other & 3;
    return symbol->st_shndx != SHN_UNDEF &&
           (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
           (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

/* The library's own definition of a name. */
static const ElfW(Sym) *jt_own_symbol(const jt_image *image, const char *name) {
    if (image->gnu_hash != NULL) {
        const uint32_t *section = image->gnu_hash, *buckets = jt_gnu_buckets(section);
        uint32_t count = section[0], first = section[1], hash = jt_gnu_hash(name);
        const uint32_t *chains = buckets + count;
        uint32_t index = count ? buckets[hash % count] : 0;
        if (index < first)
            return NULL;
        for (;; index++) {
            const ElfW(Sym) *symbol = &image->symbols[index];
            uint32_t chained = chains[index - first];
            if ((chained | 1) == (hash | 1) && jt_is_exported(symbol) &&
                strcmp(image->strings + symbol->st_name, name) == 0)
                return symbol;
            if (chained & 1)
                return NULL;
        }
    }
    if (image->sysv_hash != NULL) {
        const uint32_t *section = image->sysv_hash, *buckets = section + 2;
        const uint32_t *chains = buckets + section[0];
        uint32_t index = section[0] ? buckets[jt_sysv_hash(name) % section[0]] : 0;
        for (; index != 0; index = chains[index]) {
            const ElfW(Sym) *symbol = &image->symbols[index];
            if (jt_is_exported(symbol) && strcmp(image->strings + symbol->st_name, name) == 0)
                return symbol;
        }
    }
    return NULL;
}

static const jt_segment *jt_segment_of(const jt_image *image, const void *address) {
    for (int k = 0; k < image->segment_count; k++)
        if ((uintptr_t)address >= image->segments[k].start &&
            (uintptr_t)address < image->segments[k].end)
            return &image->segments[k];
    return NULL;
}

static int jt_is_code(const jt_image *image, const void *address) {
    const jt_segment *segment = jt_segment_of(image, address);
    return segment != NULL && segment->executable;
}

static void jt_find(const jt_image *image, const char *name, jt_found *found) {
    memset(found, 0, sizeof(*found));
    const ElfW(Sym) *own = jt_own_symbol(image, name);
    int type = own != NULL ? own->st_info & 0xF : STT_NOTYPE;
    if (type == STT_TLS) {
        found->what = JT_THREAD_LOCAL;
        return;
    }
    found->address = dlsym(image->handle, name);
    if (own == NULL) {
        Dl_info info;
        if (found->address != NULL) {
            found->what = JT_FOREIGN;
            if (dladdr(found->address, &info) != 0 && info.dli_fname != NULL)
                PyOS_snprintf(found->owner, sizeof(found->owner), "%s", info.dli_fname);
        }
        return;
    }
    if (found->address == NULL) {
        found->what = JT_NULL;
        return;
    }
    const jt_segment *segment = jt_segment_of(image, found->address);
    if (segment == NULL && type != STT_GNU_IFUNC) {
        found->what = JT_ABSOLUTE;
        return;
    }
    int executable = segment != NULL && segment->executable;
    int function = type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && executable);
    found->what = function ? JT_FUNCTION : JT_DATA;
    found->size = own->st_size;
    found->writable = segment != NULL && segment->writable &&
                      !((uintptr_t)found->address >= image->relro_start &&
                        (uintptr_t)found->address < image->relro_end);
}

/* Calls visit for each exported name until it returns something other than 0; returns that. */
static int jt_each_name(const jt_image *image, int (*visit)(const char *, void *), void *context) {
    int status = 0;
    if (image->gnu_hash != NULL) {
        const uint32_t *section = image->gnu_hash, *buckets = jt_gnu_buckets(section);
        const uint32_t *chains = buckets + section[0];
        for (uint32_t bucket = 0; bucket < section[0] && status == 0; bucket++) {
            uint32_t index = buckets[bucket];
            if (index < section[1])
                continue;
            for (;; index++) {
                const ElfW(Sym) *symbol = &image->symbols[index];
                if (jt_is_exported(symbol))
                    status = visit(image->strings + symbol->st_name, context);
                if (status != 0 || (chains[index - section[1]] & 1))
                    break;
            }
        }
    } else if (image->sysv_hash != NULL) {
        for (uint32_t index = 1; index < image->sysv_hash[1] && status == 0; index++)
            if (jt_is_exported(&image->symbols[index]))
                status = visit(image->strings + image->symbols[index].st_name, context);
    }
    return status;
}

#endif
