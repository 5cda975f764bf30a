/* Changing what typetable.h looks up: for the one module that owns tables. Its invariants are
 * there. */
#ifndef JUMPTABLE_TYPESTORE_H
#define JUMPTABLE_TYPESTORE_H

#include "typetable.h"

#define JT_SMALLEST 8 /* hashed entries of the smallest block */

#ifdef Py_GIL_DISABLED
static inline void jt_write(void **word, void *value) {
    jt_store_pointer((void *volatile *)word, value);
}
static inline void jt_change_begins(jt_typetable *table) {
    jt_store_number(&table->sequence, table->sequence + 1);
}
static inline void jt_change_ends(jt_typetable *table) {
    jt_store_number(&table->sequence, table->sequence + 1);
}
#else
static inline void jt_write(void **word, void *value) { *word = value; }
static inline void jt_change_begins(jt_typetable *table) { (void)table; }
static inline void jt_change_ends(jt_typetable *table) { (void)table; }
#endif

static inline size_t jt_entries(const jt_typeblock *block) {
    return block == NULL ? 0 : JT_FRONT + block->size;
}

static inline void **jt_entry_at(jt_typeblock *block, int arity, size_t index) {
    return block->words + index * jt_stride(arity);
}

/* For the owner's own: what the garbage collector is to know. */
static int jt_typetable_traverse(jt_typetable *table, visitproc visit, void *arg) {
    for (size_t index = 0; index < jt_entries(table->block); index++) {
        void **entry = jt_entry_at(table->block, table->arity, index);
        Py_VISIT((PyObject *)entry[JT_VALUE]);
        for (int of = 0; of < table->arity; of++)
            Py_VISIT((PyObject *)entry[JT_TYPES + table->arity + of]);
    }
    return 0;
}

static size_t jt_typetable_count(jt_typetable *table) {
    jt_lock(table);
    size_t count = table->hashed;
    for (size_t index = 0; table->block != NULL && index < JT_FRONT; index++)
        count += jt_entry_at(table->block, table->arity, index)[JT_VALUE] != NULL;
    jt_unlock(table);
    return count;
}

static void jt_drop(void *const *entry, int arity) {
    Py_XDECREF((PyObject *)entry[JT_VALUE]);
    for (int index = 0; index < arity; index++)
        Py_XDECREF((PyObject *)entry[JT_TYPES + arity + index]);
}

static void jt_copy(void **to, void *const *from, int arity) {
    for (size_t word = 0; word < jt_stride(arity); word++)
        jt_write(to + word, from[word]);
}

static void jt_empty(void **entry, int arity) {
    for (size_t word = 0; word < jt_stride(arity); word++)
        jt_write(entry + word, NULL);
}

/* Into an empty place: the front's, or the hashed part's, which has one. */
static void jt_place(jt_typetable *table, jt_typeblock *block, void *const *new_entry) {
    int arity = table->arity;
    size_t index = 0;
    while (index < JT_FRONT && jt_entry_at(block, arity, index)[JT_VALUE] != NULL)
        index++;
    if (index == JT_FRONT) {
        size_t place = jt_hash(arity, new_entry + JT_TYPES);
        do
            index = JT_FRONT + (place++ & (block->size - 1));
        while (jt_entry_at(block, arity, index)[JT_VALUE] != NULL);
        table->hashed++;
    }
    jt_copy(jt_entry_at(block, arity, index), new_entry, arity);
}

/* A block with room for one more; at most half of the hashed part is used. 0, or -1: no memory. */
static int jt_make_room(jt_typetable *table) {
    jt_typeblock *old = table->block;
    size_t size = old == NULL ? JT_SMALLEST : old->size;
    if (old != NULL && 2 * (table->hashed + 1) <= size)
        return 0;
    if (old != NULL)
        size *= 2;
    size_t words = (JT_FRONT + size) * jt_stride(table->arity);
    jt_typeblock *block = PyMem_RawCalloc(1, sizeof *block + words * sizeof(void *));
    if (block == NULL)
        return -1;
    block->size = size;
    block->older = old;
    table->hashed = 0;
    for (size_t index = 0; index < jt_entries(old); index++) {
        void **entry = jt_entry_at(old, table->arity, index);
        if (entry[JT_VALUE] != NULL)
            jt_place(table, block, entry);
    }
    jt_write(&table->block, block);
#ifndef Py_GIL_DISABLED
    block->older = NULL;
    PyMem_RawFree(old);
#endif
    return 0;
}

/* Closes the gap that a removed entry leaves in the hashed part, so that no search ends early. */
static void jt_close_gap(jt_typeblock *block, int arity, size_t gap) {
    size_t last = block->size - 1, place = gap;
    for (;;) {
        place = (place + 1) & last;
        void **entry = jt_entry_at(block, arity, JT_FRONT + place);
        if (entry[JT_VALUE] == NULL)
            break;
        size_t home = jt_hash(arity, entry + JT_TYPES) & last;
        if (((place - home) & last) >= ((place - gap) & last)) {
            jt_copy(jt_entry_at(block, arity, JT_FRONT + gap), entry, arity);
            gap = place;
        }
    }
    jt_empty(jt_entry_at(block, arity, JT_FRONT + gap), arity);
}

static void jt_take_out(jt_typetable *table, void **entry) {
    jt_typeblock *block = table->block;
    size_t index = (size_t)(entry - block->words) / jt_stride(table->arity);
    if (index < JT_FRONT)
        jt_empty(entry, table->arity);
    else {
        jt_close_gap(block, table->arity, index - JT_FRONT);
        table->hashed--;
    }
}

#ifdef Py_GIL_DISABLED
/* Under the lock: the owner keeps the values, so no Python code runs. */
static void jt_clear_in_place(jt_typetable *table) {
    for (size_t index = 0; index < jt_entries(table->block); index++) {
        void **entry = jt_entry_at(table->block, table->arity, index);
        if (entry[JT_VALUE] != NULL) {
            void *gone[JT_TYPES + 2 * JT_MAX_ARITY];
            for (size_t word = 0; word < jt_stride(table->arity); word++)
                gone[word] = entry[word];
            jt_empty(entry, table->arity);
            jt_drop(gone, table->arity);
        }
    }
    table->hashed = 0;
}
#endif

/* Forgets everything. With a `stamp`, only if `*generation` is still that of the table; the stamp is
 * the table's from then on, and `*generation` the new one. Whether it did. With a GIL, may run
 * Python code at the end, when that is done. */
static int jt_typetable_clear(jt_typetable *table, const uintptr_t *stamp, uintptr_t *generation) {
    jt_lock(table);
    if (stamp != NULL && table->generation != *generation) {
        jt_unlock(table);
        return 0;
    }
    jt_store_number(&table->generation, table->generation + 1);
    jt_change_begins(table);
    if (stamp != NULL) {
        *generation = table->generation;
        jt_store_number(&table->stamp, *stamp);
    }
#ifdef Py_GIL_DISABLED
    jt_clear_in_place(table);
    jt_change_ends(table);
    jt_unlock(table);
#else
    jt_typeblock *block = table->block;
    table->block = NULL;
    table->hashed = 0;
    for (size_t index = 0; index < jt_entries(block); index++)
        jt_drop(jt_entry_at(block, table->arity, index), table->arity);
    PyMem_RawFree(block);
#endif
    return 1;
}

/* 1: stored; 0: not, because the table was cleared after `generation` was read, or because another
 * thread has stored these types meanwhile; -1: no memory. Takes over the references in
 * `new_entry` if it returns 1. */
static int jt_typetable_store(jt_typetable *table, void *const *new_entry,
                              uintptr_t generation) {
    int outcome = 0;
    jt_lock(table);
    if (table->generation == generation &&
        (table->block == NULL ||
         jt_search(table->block, table->arity, new_entry + JT_TYPES) == NULL)) {
        jt_change_begins(table);
        outcome = jt_make_room(table);
        if (outcome == 0) {
            jt_place(table, table->block, new_entry);
            outcome = 1;
        }
        jt_change_ends(table);
    }
    jt_unlock(table);
    return outcome;
}

/* Forgets what holds for a type that is gone: the entry that has `reference`, at `hash`. Afterwards
 * may run Python code. */
static void jt_typetable_remove(jt_typetable *table, size_t hash, PyObject *reference) {
    void *gone[JT_TYPES + 2 * JT_MAX_ARITY];
    int arity = table->arity, found = 0;
    jt_lock(table);
    jt_typeblock *block = table->block;
    size_t entries = jt_entries(block);
    for (size_t step = 0; step < entries && !found; step++) {
        size_t index = step < JT_FRONT
                           ? step
                           : JT_FRONT + ((hash + step - JT_FRONT) & (block->size - 1));
        void **entry = jt_entry_at(block, arity, index);
        if (step >= JT_FRONT && entry[JT_VALUE] == NULL)
            break;
        for (int of = 0; of < arity; of++)
            found |= entry[JT_TYPES + arity + of] == reference;
        if (found) {
            for (size_t word = 0; word < jt_stride(arity); word++)
                gone[word] = entry[word];
            jt_change_begins(table);
            jt_take_out(table, entry);
            jt_change_ends(table);
        }
    }
    jt_unlock(table);
    if (found)
        jt_drop(gone, arity);
}

/* Once no thread can be looking anything up. */
static void jt_typetable_free(jt_typetable *table) {
    jt_typetable_clear(table, NULL, NULL);
    for (jt_typeblock *block = table->block, *older; block != NULL; block = older) {
        older = block->older;
        PyMem_RawFree(block);
    }
}

#endif
