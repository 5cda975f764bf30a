"""The platform's dynamic loader, as Python sees it; `system.h` has the platforms."""

cimport cython
from libc.stdint cimport uintptr_t

cdef extern from "system.h":
    ctypedef enum jt_what:
        JT_NOTHING
        JT_FUNCTION
        JT_DATA
        JT_THREAD_LOCAL
        JT_NULL
        JT_ABSOLUTE
        JT_FOREIGN
    ctypedef struct jt_found:
        jt_what what
        void *address
        size_t size
        int writable
        char *owner
    ctypedef struct jt_image:
        void *handle
        const char *path
    int jt_load(object, int, object, void **) except -1
    void *jt_loaded(object) noexcept
    uintptr_t jt_base(const jt_image *) noexcept
    int jt_image_init(jt_image *, void *) noexcept
    void jt_find(const jt_image *, const char *, jt_found *) noexcept
    int jt_is_code(const jt_image *, const void *) noexcept
    const int JT_TELLS_SIZES
    int jt_each_name(
        const jt_image *, int (*)(const char *, void *) except -1, void *
    ) except -1
    list jt_search()

cdef extern from "exiting.h":
    void jt_watch_exit() noexcept
    void jt_leave_early() noexcept

cdef extern from "../include/jumptable/abi.h":
    const int JUMPTABLE_ABI

cdef extern from "Python.h":
    str PyUnicode_DecodeFSDefault(const char *)

# What plugins of this version are compiled with; ``include/jumptable/abi.h`` is where it is set.
ABI = JUMPTABLE_ABI

# In the order of jt_what.
KINDS = ("nothing", "function", "data", "thread-local", "NULL", "absolute", "foreign")


class LoadError(Exception):
    """The platform's loader refused; the message is the loader's own."""


class EntryError(Exception):
    """A library exports a ``jumptable_entry`` that leads to no function; the message is why."""


@cython.final
@cython.auto_pickle(False)
cdef class Found:
    """What a name is in a library: ``kind`` is one of `KINDS`.

    ``size`` is in bytes, 0 if unknown; ``owner`` is the path of the library that a foreign
    symbol belongs to.
    """

    cdef readonly str kind
    cdef readonly object address
    cdef readonly Py_ssize_t size
    cdef readonly bint writable
    cdef readonly str owner


@cython.final
cdef class Image:
    """An open library. Immutable, never closed, and safe to use from any thread."""

    cdef jt_image image
    cdef readonly str path
    cdef readonly object raised

    def __cinit__(self, str path not None, *, bint release_gil):
        """Open ``path`` with ``RTLD_NOW | RTLD_LOCAL``; raises `LoadError`.

        Code in the library runs: its constructors. What one of them raised, and left in the
        thread, is ``raised``. ``release_gil`` only if neither the library nor what it needs uses
        Python's C API.
        """
        cdef void *handle = NULL
        try:
            jt_load(path, release_gil, LoadError, &handle)
        except BaseException as error:
            if handle == NULL:
                raise
            self.raised = error
        jt_image_init(&self.image, handle)
        self.path = ""
        if self.image.path != NULL:
            self.path = PyUnicode_DecodeFSDefault(self.image.path)

    @property
    def handle(self):
        """The loader's handle, as an int: equal for two images of the same library."""
        return <uintptr_t>self.image.handle

    @property
    def base(self):
        """Where the library's first page is, as an int."""
        return jt_base(&self.image)

    def find(self, str name not None):
        """What ``name`` is in this library, a `Found`; UnicodeEncodeError for a lone surrogate."""
        cdef bytes encoded = name.encode()
        cdef jt_found found
        cdef Found answer = Found.__new__(Found)
        if 0 in encoded:
            encoded = b""  # C would find the name before the NUL; the empty name, nothing has
        jt_find(&self.image, encoded, &found)
        answer.kind = KINDS[<int>found.what]
        answer.address = <uintptr_t>found.address
        answer.size = found.size
        answer.writable = found.writable
        answer.owner = PyUnicode_DecodeFSDefault(found.owner)
        return answer

    def entry(self, str name not None):
        """Where the function is that the library exports by a ``jumptable_entry``; None if by none.

        ``include/jumptable/plugin.h`` describes it. What the library exports under that name may be
        anything; raises `EntryError` unless it is data that holds the address of its own code.
        """
        cdef Found found = self.find("jumptable_entry_" + name)
        cdef uintptr_t address, function
        if found.kind in ("nothing", "foreign"):
            return None
        if found.kind != "data":
            raise EntryError(f"is of the kind {found.kind!r}, expected data")
        address = found.address
        if jt_is_code(&self.image, <void *>address):
            raise EntryError("lies among code, expected data")
        if found.size < <Py_ssize_t>sizeof(void *) and (found.size or JT_TELLS_SIZES):
            raise EntryError(f"has {found.size} bytes, expected at least {sizeof(void *)}")
        # Aligned, so that it lies in the page that it begins in.
        if address % sizeof(void *):
            raise EntryError(f"lies at {address:#x}, expected a multiple of {sizeof(void *)}")
        function = (<uintptr_t *>address)[0]
        if not jt_is_code(&self.image, <void *>function):
            raise EntryError(f"holds {function:#x}, expected an address in the library's own code")
        return function

    def names(self):
        """The names of all symbols that the library exports, in no order."""
        cdef list names = []
        jt_each_name(&self.image, append_name, <void *>names)
        return names


cdef int append_name(const char *name, void *names) except -1:
    (<list>names).append(name.decode("utf-8", "replace"))
    return 0


def search_path():
    """The folders in which the loader looks for a bare name, apart from its own cache."""
    return jt_search()


def loaded_path(str name not None):
    """The path of a library that is open in this process, by name or path; None if it isn't."""
    cdef jt_image image
    cdef void *handle = jt_loaded(name)
    if handle == NULL or jt_image_init(&image, handle) < 0 or image.path == NULL:
        return None
    return PyUnicode_DecodeFSDefault(image.path)


def watch_exit():
    """Let `leave_early` be called later on; once in a process."""
    jt_watch_exit()


def leave_early():
    """Let the process's exit run no destructors of libraries: it would wait for one that hangs."""
    jt_leave_early()
