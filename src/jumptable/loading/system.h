/* The platform seam: everything that this package asks of a dynamic loader, and nothing else.
 *
 *   jt_load            open a library, or raise the given exception; may release the GIL. Returns -1
 *                      as well when a constructor has left an exception: then there is a handle
 *   jt_loaded          the handle of a library that is open already, or NULL; opens nothing
 *   jt_image_init      learn from an open library what jt_find and jt_each_name need
 *   jt_find            one symbol: is it the library's own, what is it, where is it
 *   jt_each_name       the names that a library exports, for suggestions
 *   jt_is_code         does an address lie in what this library itself can execute
 *   JT_TELLS_SIZES     does jt_find know how large data is
 *   jt_base            where its first page is
 *   jt_search          where the loader would look for a bare name, as far as it can be asked
 *
 * ELF (Linux, BSD) is built and tested. Mach-O and Windows are written to the same contract, and
 * untested.
 *
 * A jt_image is written once by jt_image_init and read by any number of threads afterwards; a
 * library is never closed, so that nothing it points to goes away.
 */
#ifndef JUMPTABLE_SYSTEM_H
#define JUMPTABLE_SYSTEM_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef enum {
    JT_NOTHING,      /* no such symbol */
    JT_FUNCTION,
    JT_DATA,
    JT_THREAD_LOCAL, /* a variable with one copy per thread: it has no address of its own */
    JT_NULL,         /* the symbol exists, and its value is NULL */
    JT_ABSOLUTE,     /* a number that only looks like an address */
    JT_FOREIGN       /* it belongs to another library, which this one depends on */
} jt_what;

typedef struct {
    jt_what what;
    void *address;
    size_t size;     /* of data, in bytes; 0 where the platform doesn't say */
    int writable;    /* data lies in writable memory */
    char owner[256]; /* of a foreign symbol: the library that it belongs to */
} jt_found;

/* Raise the exception `refusal` with the loader's message, whose reference is taken over. */
static void jt_refuse(PyObject *refusal, PyObject *message) {
    if (message != NULL)
        PyErr_SetObject(refusal, message);
    Py_XDECREF(message);
}

#if defined(_WIN32)
#include "system_windows.h"
#elif defined(__APPLE__)
#include "system_macho.h"
#else
#include "system_elf.h"
#endif

#endif
