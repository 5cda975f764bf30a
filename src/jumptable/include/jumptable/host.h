/* Call the slots of a jumptable.Table from C and C++, with or without the GIL.
 *
 *     #include <Python.h>
 *     #include <jumptable/host.h>
 *
 *     if (jt_import() < 0) return NULL;                               // once, with the GIL
 *     jt_slot *slot = jt_get_slot(table, "apply", "double(double) nogil");
 *     if (slot == NULL) return NULL;                                  // a Python exception is set
 *     double y = JT_CALL(slot, double (*)(double))(1.5);              // one load, one call
 *
 * Compile with -I"$(python -m jumptable include)"; there is nothing to link with.
 *
 * What holds
 * - A slot is never freed, never moves, and always has a function to call. Its table lives as long
 *   as the process from the first jt_get_slot on.
 * - `Table.bind` replaces the function by one atomic store. A call that starts after `bind` has
 *   returned reaches the new function; one that is under way finishes in the old one, whose code
 *   is never unloaded. Load the function for each call, or once for a batch that may use one
 *   generation throughout. (On free-threaded builds, what Python reads from the facade changes a
 *   moment before what C loads.)
 * - What is bound may be native code, called directly, or anything else that Python can call, or
 *   nothing yet: then the function is a callback that takes the GIL. An exception in it, also
 *   KeyboardInterrupt, goes to sys.unraisablehook, and the caller gets zero, NULL or false. So does
 *   the caller of an unbound slot: that exception is UnboundSlotError. A `const char *` that Python
 *   returned stays valid until the same thread calls that slot again. Pointers reach Python as
 *   addresses (int or None).
 *   A native function that uses Python's C API and is called directly may leave its exception set,
 *   as any C function may: look with PyErr_Occurred() where that can be.
 * - The signature says how the host calls. Without `nogil` it holds the GIL. With `nogil` it need
 *   not: native functions that may use Python's C API are then called through the callback as
 *   well, unless they were looked up as `nogil` themselves.
 *
 * Why no pointer to an entry that holds function, signature and generation: this word can be
 * called without a second, dependent load, and nothing has to be retired that a thread without the
 * GIL might still read. The signature is the slot's own and never changes; `jt_read` gives a
 * function and the generation that belongs to it.
 */
#ifndef JUMPTABLE_HOST_H
#define JUMPTABLE_HOST_H

#include <Python.h>
#include <stdint.h>

#include "abi.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Any function; cast it to the slot's own type to call it. */
typedef void (*jt_function)(void);

/* One slot: 128 bytes at a multiple of 128, so that it shares no cache line, nor the pair of lines
 * that some processors fetch, with anything else. Only jumptable writes to it. Fields are only ever
 * added, in `reserved`. */
typedef struct jt_slot {
    jt_function function;  /* what to call now: load it with jt_load */
    uintptr_t generation;  /* of the bind that stored it, or of the first jt_get_slot */
    uintptr_t sequence;    /* odd while the two above are being replaced */
    const char *name;      /* never changes */
    const char *signature; /* canonical; never changes */
    unsigned char reserved[128 - 5 * sizeof(void *)];
} jt_slot;

/* What jumptable offers, in a capsule. Append-only: `size` tells what this one has. */
typedef struct jt_host_api {
    uint32_t abi;
    uint32_t size;
    jt_slot *(*get_slot)(PyObject *table, const char *name, const char *signature);
} jt_host_api;

#define JT_HOST_CAPSULE "jumptable._host_api"

/* Private to each file that includes this: where jt_import keeps what it found. */
static const jt_host_api *jt_host = NULL;

/* Import jumptable, once per file and before any other call. Needs the GIL. 0, or -1 with an
 * exception: ImportError if jumptable is missing or older than this header, and whatever importing
 * it raises. */
static inline int jt_import(void) {
    const jt_host_api *found;
    PyObject *module;
    if (jt_host != NULL)
        return 0;
    module = PyImport_ImportModule("jumptable"); /* PyCapsule_Import hides why that failed */
    if (module == NULL)
        return -1;
    Py_DECREF(module);
    found = (const jt_host_api *)PyCapsule_Import(JT_HOST_CAPSULE, 0);
    if (found == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_SetString(PyExc_ImportError,
                            "the jumptable that is installed has no C interface; install the "
                            "version that this module was compiled for, or a later one");
        return -1;
    }
    if (found->abi != JUMPTABLE_ABI) {
        PyErr_Format(PyExc_ImportError,
                     "this module was compiled for jumptable ABI %d, and the jumptable that is "
                     "installed has ABI %d; compile it again, or install the other version",
                     JUMPTABLE_ABI, (int)found->abi);
        return -1;
    }
    if (found->size < sizeof(jt_host_api)) {
        PyErr_Format(PyExc_ImportError,
                     "this module was compiled for a later jumptable than the one that is "
                     "installed (its C interface has %d bytes, expected %d or more); install that "
                     "version, or compile it again",
                     (int)found->size, (int)sizeof(jt_host_api));
        return -1;
    }
    jt_host = found;
    return 0;
}

/* A slot of a jumptable.Table, as a function of this C signature. Needs the GIL. NULL with an
 * exception: AttributeError for a name that the table does not have, SignatureError for a
 * signature that is not the slot's own (or is malformed), TypeError for what is no table,
 * RuntimeError where jt_import was not called. A `table` that is NULL because of an exception
 * leaves that exception. The same arguments give the same slot. */
static inline jt_slot *jt_get_slot(PyObject *table, const char *name, const char *signature) {
    if (jt_host == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "call jt_import() before jt_get_slot()");
        return NULL;
    }
    return jt_host->get_slot(table, name, signature);
}

/* What the slot calls at this moment; never NULL. Safe in any thread, without the GIL. */
static inline jt_function jt_load(const jt_slot *slot) {
#if defined(_MSC_VER) && !defined(__clang__)
#if defined(_M_ARM64) || defined(_M_ARM64EC)
    return (jt_function)__ldar64((unsigned __int64 volatile *)&slot->function);
#else
    jt_function function = *(jt_function const volatile *)&slot->function;
    _ReadWriteBarrier();
    return function;
#endif
#else
    return __atomic_load_n(&slot->function, __ATOMIC_ACQUIRE);
#endif
}

/* Call a slot: JT_CALL(slot, double (*)(double))(1.5). */
#define JT_CALL(slot, type) ((type)jt_load(slot))

/* For jt_read: an acquire load of one of the slot's numbers. */
static inline uintptr_t jt_load_number_(const uintptr_t *number) {
#if defined(_MSC_VER) && !defined(__clang__)
#if defined(_M_ARM64) || defined(_M_ARM64EC)
    return (uintptr_t)__ldar64((unsigned __int64 volatile *)number);
#else
    uintptr_t value = *(const uintptr_t volatile *)number;
    _ReadWriteBarrier();
    return value;
#endif
#else
    return __atomic_load_n(number, __ATOMIC_ACQUIRE);
#endif
}

/* The function and the generation that stored it, which a jt_load and a look at the generation
 * could tear apart. Safe in any thread, without the GIL; waits while a bind is storing. */
static inline jt_function jt_read(const jt_slot *slot, uint64_t *generation) {
    for (;;) {
        uintptr_t before = jt_load_number_(&slot->sequence);
        jt_function function = jt_load(slot);
        uintptr_t found = jt_load_number_(&slot->generation);
        if (!(before & 1) && before == jt_load_number_(&slot->sequence)) {
            *generation = found;
            return function;
        }
    }
}

#ifdef __cplusplus
}
#endif

#endif
