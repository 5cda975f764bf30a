/* Values by exact types: the table behind every dispatch by type.
 *
 * A key is one type, or several (`arity`), compared by identity. The first entries are simply
 * compared one after the other, which is all that a function for a few types ever does; the others
 * are hashed by address, so a look-up costs the same among 10 types and 10,000.
 *
 * Invariants:
 *   - An entry owns its value and the weak references to its types, not the types. Whoever stores
 *     an entry has the callbacks of those references remove it, so it is gone before the memory of
 *     a type can become another's. A look-up is made with types that are alive.
 *   - A block of entries has a fixed size, and holds an empty entry at which a search ends.
 *   - An entry is an answer only for as long as `clear` has not been called; what was worked out
 *     before that and is stored after it is refused by its generation.
 *   - The table has a stamp, for what its owner must compare at a look-up, and not only when it
 *     stores: entries that are JT_STAMPED hold for this stamp. Only `clear` gives it another.
 *   - With a GIL all of this happens under it, and nothing that could run Python code happens
 *     while a table is changed. What `find` gives is borrowed: to be held before anything runs.
 *   - Without a GIL writers hold the lock, and readers take none: `sequence` is odd during a change
 *     and different after it, so a reader that sees it even and unchanged has read one state; if
 *     not, it asks again under the lock. Nothing that a reader may still be looking at is freed:
 *     the owner of the table keeps all values, and blocks that were outgrown stay until it goes
 *     (their sizes double, so together they are smaller than the last). */
#ifndef JUMPTABLE_TYPETABLE_H
#define JUMPTABLE_TYPETABLE_H

#include <Python.h>

#include "../binding/atomics.h"

#define JT_MAX_ARITY 8
#define JT_FRONT 4 /* entries that are compared before hashing */
#define JT_STAMPED ((uintptr_t)1)

/* The words of an entry; after these the types, then as many references. No value: empty. */
enum { JT_VALUE, JT_FLAGS, JT_TYPES };

typedef struct jt_typeblock {
    struct jt_typeblock *older; /* outgrown, but perhaps still being read */
    size_t size;                /* of the hashed part: a power of 2 */
    void *words[];              /* JT_FRONT entries, then `size` of them */
} jt_typeblock;

typedef struct {
    uintptr_t sequence;
    void *block; /* a jt_typeblock; NULL: no entries */
    uintptr_t stamp;
    uintptr_t generation;
    size_t hashed; /* entries past the front */
    int arity;
#ifdef Py_GIL_DISABLED
    PyMutex lock;
#endif
} jt_typetable;

typedef struct {
    PyObject *value; /* borrowed */
    uintptr_t flags, stamp;
} jt_typefound;

#ifdef Py_GIL_DISABLED
static inline void *jt_read(void *const *word) {
    return jt_load_pointer((void *volatile const *)word);
}
static inline void jt_lock(jt_typetable *table) { PyMutex_Lock(&table->lock); }
static inline void jt_unlock(jt_typetable *table) { PyMutex_Unlock(&table->lock); }
#else
static inline void *jt_read(void *const *word) { return *word; }
static inline void jt_lock(jt_typetable *table) { (void)table; }
static inline void jt_unlock(jt_typetable *table) { (void)table; }
#endif

/* Words from one entry to the next. */
static inline size_t jt_stride(int arity) { return JT_TYPES + 2 * (size_t)arity; }

/* Fibonacci hashing: the address of a type has its variety in the middle bits. */
static inline size_t jt_hash(int arity, void *const *types) {
    uint64_t hash = 0;
    for (int index = 0; index < arity; index++)
        hash = (hash ^ (uint64_t)(uintptr_t)types[index]) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(hash >> 32);
}

static inline int jt_same_types(void *const *entry, int arity, void *const *types) {
    for (int index = 0; index < arity; index++)
        if (jt_read(entry + JT_TYPES + index) != types[index])
            return 0;
    return 1;
}

/* The entry of `types`, or NULL. `arity` is the table's: a constant, where that is known. */
static inline void **jt_search(jt_typeblock *block, int arity, void *const *types) {
    size_t stride = jt_stride(arity);
    void **entry = block->words;
    for (int index = 0; index < JT_FRONT; index++, entry += stride)
        if (jt_same_types(entry, arity, types))
            return entry;
    for (size_t place = jt_hash(arity, types);; place++) {
        void **hashed = entry + (place & (block->size - 1)) * stride;
        if (jt_same_types(hashed, arity, types))
            return hashed;
        if (jt_read(hashed + JT_TYPES) == NULL)
            return NULL;
    }
}

/* Before working out what is to be stored. */
static inline uintptr_t jt_typetable_generation(const jt_typetable *table) {
    return jt_load_number(&table->generation);
}

static inline uintptr_t jt_typetable_stamp(const jt_typetable *table) {
    return jt_load_number(&table->stamp);
}

static inline int jt_find_now(const jt_typetable *table, int arity, void *const *types,
                              jt_typefound *found) {
    jt_typeblock *block = jt_read(&table->block);
    void **entry = block == NULL ? NULL : jt_search(block, arity, types);
    if (entry == NULL)
        return 0;
    found->value = jt_read(entry + JT_VALUE);
    found->flags = (uintptr_t)jt_read(entry + JT_FLAGS);
    found->stamp = jt_typetable_stamp(table);
    return 1;
}

/* What is stored for `types`; 0 if nothing is. No errors, no Python code. */
static inline int jt_typetable_find(jt_typetable *table, int arity, void *const *types,
                                    jt_typefound *found) {
#ifdef Py_GIL_DISABLED
    uintptr_t before = jt_load_number(&table->sequence);
    int is_there = jt_find_now(table, arity, types, found);
    if (!(before & 1) && jt_load_number(&table->sequence) == before)
        return is_there;
    jt_lock(table);
    is_there = jt_find_now(table, arity, types, found);
    jt_unlock(table);
    return is_there;
#else
    return jt_find_now(table, arity, types, found);
#endif
}

#endif
