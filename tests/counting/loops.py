"""C loops that add to counters, for Python threads: ctypes gives the GIL up as it calls them."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable

import jumptable as jt
from tests.conftest import Compile

TEXT = """
#include <jumptable/counter.h>

void add_many(int64_t *word, int64_t amount, int64_t times) {
    for (int64_t done = 0; done < times; done++)
        jt_word_add(word, amount);
}

int64_t load(const int64_t *word) { return jt_word_load(word); }
"""


def loops(compile_plugin: Compile) -> ctypes.CDLL:
    library = ctypes.CDLL(str(compile_plugin("loops", TEXT, f"-I{jt.get_include()}")))
    library.add_many.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64]
    library.add_many.restype = None
    library.load.argtypes = [ctypes.c_void_p]
    library.load.restype = ctypes.c_int64
    return library


def run_threads(targets: Iterable[Callable[[], object]]) -> None:
    """Each in a thread of its own, all let go at once; what one raises is raised here."""
    jobs = list(targets)
    start = threading.Barrier(len(jobs))
    failures: list[BaseException] = []

    def run(job: Callable[[], object]) -> None:
        try:
            start.wait()
            job()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
