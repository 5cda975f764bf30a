/* A part of a file as memory that processes share, and a lock on one of its bytes.
 *
 * A lock belongs to the open file: it ends when the process does, however that comes about, or when
 * the last copy of the descriptor is closed. Where systems have no such locks (F_OFD_SETLK), it
 * belongs to the process, and ends as soon as the process closes any descriptor of that file.
 *
 * Functions give 0, or an error number of errno (of GetLastError on Windows). */
#ifndef JUMPTABLE_MAPPING_H
#define JUMPTABLE_MAPPING_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Locks are on bytes that no file has, so that nobody is kept from reading and writing. */
#define JT_FIRST_LOCK ((int64_t)1 << 61)

#if defined(_WIN32)
#include <io.h>
#include <windows.h>

static int jt_map(int fd, int64_t offset, size_t size, int writable, void *at, void **address) {
    HANDLE mapping;
    if (at != NULL)
        return ERROR_NOT_SUPPORTED; /* nobody forks */
    mapping = CreateFileMappingW((HANDLE)_get_osfhandle(fd), NULL,
                                 writable ? PAGE_READWRITE : PAGE_READONLY, 0, 0, NULL);
    if (mapping == NULL)
        return (int)GetLastError();
    *address = MapViewOfFile(mapping, writable ? FILE_MAP_WRITE : FILE_MAP_READ,
                             (DWORD)(offset >> 32), (DWORD)offset, size);
    if (*address == NULL) {
        int error = (int)GetLastError();
        CloseHandle(mapping);
        return error;
    }
    CloseHandle(mapping); /* the view keeps it */
    return 0;
}
static void jt_unmap(void *address, size_t size) {
    (void)size;
    UnmapViewOfFile(address);
}
/* Whether the lock was free; -1 for an error. */
static int jt_try_lock(int fd, int64_t index, int *error) {
    OVERLAPPED where;
    memset(&where, 0, sizeof(where));
    where.Offset = (DWORD)(JT_FIRST_LOCK + index);
    where.OffsetHigh = (DWORD)((JT_FIRST_LOCK + index) >> 32);
    if (LockFileEx((HANDLE)_get_osfhandle(fd), LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY,
                   0, 1, 0, &where))
        return 1;
    *error = (int)GetLastError();
    return *error == ERROR_LOCK_VIOLATION || *error == ERROR_IO_PENDING ? 0 : -1;
}
#else
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* With `at`, in place of what is mapped there, in one step. */
static int jt_map(int fd, int64_t offset, size_t size, int writable, void *at, void **address) {
    void *found = mmap(at, size, PROT_READ | (writable ? PROT_WRITE : 0),
                       MAP_SHARED | (at ? MAP_FIXED : 0), fd, (off_t)offset);
    if (found == MAP_FAILED)
        return errno;
    *address = found;
    return 0;
}
static void jt_unmap(void *address, size_t size) { munmap(address, size); }

static int jt_try_lock(int fd, int64_t index, int *error) {
    struct flock lock;
    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = (off_t)(JT_FIRST_LOCK + index);
    lock.l_len = 1;
#if defined(F_OFD_SETLK)
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
#else
    if (fcntl(fd, F_SETLK, &lock) == 0)
#endif
        return 1;
    *error = errno;
    return errno == EAGAIN || errno == EACCES ? 0 : -1;
}
#endif

/* In order with all loads before and after it, which a plain atomic load need not be. */
static inline int64_t jt_word_load_in_order(const int64_t *word) {
#if defined(_MSC_VER) && !defined(__clang__)
    return _InterlockedCompareExchange64((__int64 volatile *)word, 0, 0);
#else
    int64_t value;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    value = __atomic_load_n(word, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return value;
#endif
}

static inline int jt_word_swap(int64_t *word, int64_t from, int64_t to) {
#if defined(_MSC_VER) && !defined(__clang__)
    return _InterlockedCompareExchange64((__int64 volatile *)word, to, from) == from;
#else
    return __atomic_compare_exchange_n(word, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
#endif
}

#endif
