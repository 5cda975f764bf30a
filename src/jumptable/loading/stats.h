/* What says whether a file is still the same, for many names in one folder.
 *
 * Where there is no fstatat, JT_HAS_FSTATAT is 0 and the others are never called. */
#ifndef JUMPTABLE_STATS_H
#define JUMPTABLE_STATS_H

#include <stdint.h>

#define JT_STAT_WORDS 5

#if defined(_WIN32)
#define JT_HAS_FSTATAT 0

static int jt_stats_open(const char *path) {
    (void)path;
    return -1;
}

static void jt_stats_close(int folder) { (void)folder; }

static void jt_stats_take(int folder, const char *name, int follow, int64_t *words) {
    (void)folder, (void)name, (void)follow, (void)words;
}

#else
#define JT_HAS_FSTATAT 1

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#define JT_MODIFIED st_mtimespec
#define JT_CHANGED st_ctimespec
#else
#define JT_MODIFIED st_mtim
#define JT_CHANGED st_ctim
#endif

/* The folder's descriptor, from which names are looked up, and not from the root for each; or -1. */
static int jt_stats_open(const char *path) {
    int flags = O_DIRECTORY | O_CLOEXEC;
#if defined(__linux__) && defined(O_PATH)
    flags |= O_PATH;
#else
    flags |= O_RDONLY | O_NONBLOCK;
#endif
    return open(path, flags);
}

static void jt_stats_close(int folder) { (void)close(folder); }

/* What is beyond 64 bits, from the year 2262 on, is the last that is not. */
static int64_t jt_stats_time(int64_t seconds, int64_t nanoseconds) {
    const int64_t most = INT64_MAX / 1000000000;
    if (seconds >= most)
        return INT64_MAX;
    return seconds <= -most ? INT64_MIN : seconds * 1000000000 + nanoseconds;
}

/* Times of modification and change in nanoseconds, inode, device, size; of what cannot be looked
 * at the error's number, three zeros and a size of -1. An empty name is the folder itself. */
static void jt_stats_take(int folder, const char *name, int follow, int64_t *words) {
    struct stat status;
    int failed = *name ? fstatat(folder, name, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW)
                       : fstat(folder, &status);
    if (failed) {
        words[0] = errno;
        words[1] = words[2] = words[3] = 0;
        words[4] = -1;
        return;
    }
    words[0] = jt_stats_time(status.JT_MODIFIED.tv_sec, status.JT_MODIFIED.tv_nsec);
    words[1] = jt_stats_time(status.JT_CHANGED.tv_sec, status.JT_CHANGED.tv_nsec);
    words[2] = (int64_t)status.st_ino;
    words[3] = (int64_t)status.st_dev;
    words[4] = (int64_t)status.st_size;
}

#endif
#endif
