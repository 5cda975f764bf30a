"""Adds to shared counters for as long as it runs: a process for bench_counters.py.

``python countermore.py ADDING PATH``, with the path of the compiled native/adding.c.
"""

import importlib.util
import sys
from typing import Any

import jumptable

SECOND = 1_000_000_000

if __name__ == "__main__":
    library, path = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("adding", library)
    assert spec is not None
    assert spec.loader is not None
    adding: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adding)
    stats = jumptable.Counters(path=path)
    address = stats.hits.address
    print("counting", flush=True)
    while True:
        now = adding.now()
        adding.word(address, now + SECOND // 1000, now + SECOND)
