"""What says whether files are still the same: their stat, for all of a folder in one go.

Compiled because it is most of what a look into an index costs: an `os.stat` is two thirds Python.
The GIL is released meanwhile: what is written to is nobody else's until `take` returns it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.string cimport strlen

import os
import struct

cdef extern from "stats.h":
    const bint JT_HAS_FSTATAT
    const int JT_STAT_WORDS
    int jt_stats_open(const char *path) noexcept nogil
    void jt_stats_close(int folder) noexcept nogil
    void jt_stats_take(int folder, const char *name, bint follow, int64_t *words) noexcept nogil

WIDTH = JT_STAT_WORDS * sizeof(int64_t)


cdef object _time(nanoseconds):
    # As in stats.h. A time that is saturated is in the future, and believed by nobody.
    return max(-(1 << 63), min(nanoseconds, (1 << 63) - 1))


cdef bytes _one(path, bint follow):
    try:
        status = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        return struct.pack("=5q", error.errno or 0, 0, 0, 0, -1)
    # Of an inode of 128 bits, as ReFS has them, the lower half.
    return struct.pack(
        "=2q2Qq",
        _time(status.st_mtime_ns),
        _time(status.st_ctime_ns),
        status.st_ino & 0xFFFFFFFFFFFFFFFF,
        status.st_dev & 0xFFFFFFFFFFFFFFFF,
        status.st_size,
    )


def take(str path not None, bytes names not None=b"", bint follow=True):
    """``WIDTH`` bytes for ``path``, and for each of the names in it, which end in NUL.

    Five integers of 64 bits: times of modification and change in nanoseconds, inode, device, size;
    of what cannot be looked at the error's number, three zeros and -1. Raises ValueError for a path
    with a NUL.
    """
    cdef const char *folder_name
    cdef const char *name
    cdef const char *end
    cdef int64_t *words
    cdef int folder
    cdef bytes where = os.fsencode(path)
    cdef bytes taken
    if not names:
        return _one(path, follow)
    if names[-1] != 0:
        raise ValueError("names must each end in NUL")
    if not JT_HAS_FSTATAT:
        taken = _one(path, True)
        for one in names[:-1].split(b"\0"):
            taken += _one(os.path.join(path, os.fsdecode(one)), follow)
        return taken
    if b"\0" in where:
        raise ValueError("embedded null byte")
    taken = PyBytes_FromStringAndSize(NULL, (1 + names.count(b"\0")) * WIDTH)
    words = <int64_t *>PyBytes_AS_STRING(taken)
    folder_name = PyBytes_AS_STRING(where)
    name = PyBytes_AS_STRING(names)
    end = name + PyBytes_GET_SIZE(names)
    with nogil:
        folder = jt_stats_open(folder_name)
        jt_stats_take(folder, b"", True, words)
        while name < end:
            words += JT_STAT_WORDS
            jt_stats_take(folder, name, follow, words)
            name += strlen(name) + 1
        if folder >= 0:
            jt_stats_close(folder)
    return taken
