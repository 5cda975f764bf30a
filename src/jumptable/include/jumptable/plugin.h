/* What a native plugin says about itself: its name, its version, and its functions' types.
 *
 *     #include <jumptable/plugin.h>
 *
 *     static double twice(double x) { return 2 * x; }
 *     int is_empty(const char *text) { return *text == 0; }
 *
 *     JUMPTABLE_PLUGIN("filter", "1.2.0");
 *     JUMPTABLE_EXPORT(is_empty, "int(const char *)");
 *     JUMPTABLE_EXPORT_AS(apply, twice, "double(double) nogil");
 *
 * Compile with -I"$(python -m jumptable include)". Then plugin.lookup("apply") in Python needs no
 * signature, and one that differs is refused before any call. There is nothing to link, nothing
 * runs when the library is loaded, and Python's headers are not needed.
 *
 *   JUMPTABLE_PLUGIN(name, version)                  once in a library: two string literals
 *   JUMPTABLE_EXPORT(name, signature)                a function, after its declaration
 *   JUMPTABLE_EXPORT_AS(name, function, signature)   the same under another name: for static
 *                                                    functions, and C++'s in classes, namespaces
 *                                                    and templates (an overloaded one needs a cast)
 *
 * They stand outside of functions, in any of the library's source files (C99 or C++11), and end in
 * a semicolon. A signature is a string literal in jumptable's notation: C's types without names.
 * Nobody but the library's debug information, if there is any, can tell whether it is right. In a
 * library that uses Python's C API, "nogil" at the end says that the function runs without Python's
 * global lock; elsewhere every function may.
 *
 * A name that is exported twice does not compile or link. A library that has exports but no
 * JUMPTABLE_PLUGIN, or a signature that cannot be read, is refused when it is opened.
 *
 * The layout, for those who write the same bytes in Rust, Zig, Go or assembler
 *
 * Each line above is one record, an ELF note, in the machine's byte order:
 *
 *     offset 0   uint32   10, the length of "jumptable" with its NUL
 *            4   uint32   the size of everything from offset 24 on, a multiple of 4
 *            8   uint32   1: the plugin itself; 2: an exported function
 *           12   char[12] "jumptable", and NULs
 *           24   uint32   JUMPTABLE_ABI
 *           28   char[]   two texts in UTF-8, each with a NUL at its end: name and version of the
 *                         plugin, or name and signature of the function; then NULs up to the size
 *
 * Later versions may append texts to a record, and add kinds: readers pass over what they do not
 * know. Records are aligned to 4 bytes; NULs may stand between them. They are found
 *
 *     in ELF      through the program headers (PT_NOTE), from the section .note.jumptable
 *     in Mach-O   in the section __jumptable of the segment __TEXT
 *     in PE       in the section jmptable
 *
 * The function is what the library exports as jumptable_entry_NAME: a struct jumptable_entry, whose
 * first word is the function's address. If there is none, it is the function that the library
 * exports as NAME, so records alone will do for functions that are exported under their own names.
 *
 * The macros keep a record alive through optimisers and linkers by its entry, whose symbol is
 * exported whatever -fvisibility says. A version script must let jumptable_* be global. With MinGW,
 * as always, one explicit export ends the export of everything else. Tested on Linux with GCC,
 * Clang and the usual linkers. For macOS and Windows it is tested that Clang and MinGW compile it,
 * and that the records can be read from what is linked; it has run on neither, nor through MSVC.
 */
#ifndef JUMPTABLE_PLUGIN_H
#define JUMPTABLE_PLUGIN_H

#include "abi.h"

struct jumptable_entry {
    void (*function)(void);
    const void *note;
};

#define JUMPTABLE_PLUGIN(name, version)                                                            \
    JUMPTABLE_NOTE_(jumptable_plugin_note, 1, name, version);                                      \
    JUMPTABLE_ENTRY_(jumptable_plugin, 0, jumptable_plugin_note)

#define JUMPTABLE_EXPORT(name, signature)                                                          \
    JUMPTABLE_NOTE_(jumptable_note_##name, 2, #name, signature);                                   \
    JUMPTABLE_ENTRY_(jumptable_entry_##name, (void (*)(void))(name), jumptable_note_##name)

#define JUMPTABLE_EXPORT_AS(name, function, signature)                                             \
    JUMPTABLE_NOTE_(jumptable_note_##name, 2, #name, signature);                                   \
    JUMPTABLE_ENTRY_(jumptable_entry_##name, (void (*)(void))(function), jumptable_note_##name)

/* The rest is not meant to be used by name. */

#if defined(_MSC_VER) && !defined(__clang__)
#pragma section("jmptable", read)
#define JUMPTABLE_IN_NOTES_ __declspec(allocate("jmptable")) __declspec(align(4))
#elif defined(__APPLE__)
#define JUMPTABLE_IN_NOTES_ __attribute__((section("__TEXT,__jumptable"), used, aligned(4)))
#elif defined(_WIN32) || defined(__CYGWIN__)
#define JUMPTABLE_IN_NOTES_ __attribute__((section("jmptable"), used, aligned(4)))
#else
#define JUMPTABLE_IN_NOTES_ __attribute__((section(".note.jumptable"), used, aligned(4)))
#endif

#if defined(_WIN32) || defined(__CYGWIN__)
#define JUMPTABLE_EXPORTED_ __declspec(dllexport)
#else
#define JUMPTABLE_EXPORTED_ __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define JUMPTABLE_EXTERN_ extern "C"
#else
#define JUMPTABLE_EXTERN_ extern
#endif

#define JUMPTABLE_PADDED_(text) ((sizeof(text) + 3) / 4 * 4)

#define JUMPTABLE_NOTE_(variable, which, first, second)                                            \
    JUMPTABLE_IN_NOTES_ static const struct {                                                      \
        unsigned int owner_size, body_size, kind;                                                  \
        char owner[12];                                                                            \
        unsigned int abi;                                                                          \
        char texts[JUMPTABLE_PADDED_(first "\0" second)];                                          \
    } variable = {10,                                                                              \
                  (unsigned int)(4 + JUMPTABLE_PADDED_(first "\0" second)),                        \
                  which,                                                                           \
                  "jumptable",                                                                     \
                  JUMPTABLE_ABI,                                                                   \
                  first "\0" second}

#define JUMPTABLE_ENTRY_(variable, address, record)                                                \
    JUMPTABLE_EXTERN_ JUMPTABLE_EXPORTED_ const struct jumptable_entry variable;                   \
    const struct jumptable_entry variable = {address, &record}

#endif
