/* Leaving a process in which a library's constructor hangs.
 *
 * glibc's exit() ends with the destructors of libraries, for which it waits for the loader's lock,
 * and a constructor that hangs holds that. So all other exit handlers run, and then the process
 * ends without the destructors of libraries. Elsewhere nothing can be done: there is no handler
 * that knows the status. */
#ifndef JUMPTABLE_EXITING_H
#define JUMPTABLE_EXITING_H

#include <stdlib.h>

#if defined(__GLIBC__)
#include <stdio.h>
#include <unistd.h>

static volatile int jt_hangs;

static void jt_leave(int status, void *unused) {
    (void)unused;
    if (jt_hangs) {
        fflush(NULL);
        _exit(status);
    }
}

/* Handlers run in the reverse of their order: the sooner this is called, the less is left out. */
static void jt_watch_exit(void) { on_exit(jt_leave, NULL); }
static void jt_leave_early(void) { jt_hangs = 1; }
#else
static void jt_watch_exit(void) {}
static void jt_leave_early(void) {}
#endif

#endif
