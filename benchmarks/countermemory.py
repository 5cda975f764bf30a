"""What one more counter takes, in bytes: a process for bench_counters.py, which starts afresh.

``python countermemory.py PREPARE MAKE PER``: statements, an expression that makes counters, and how
many it makes at once.
"""

import gc
import sys

from growth import status

MANY = 40_000
NAMES = [f"counter_{number}" for number in range(1000)]

if __name__ == "__main__":
    prepare, make, per = sys.argv[1:]
    names = {"NAMES": NAMES}
    exec(prepare, names)
    code = compile(make, "<make>", "eval")
    count = MANY // int(per)
    gc.disable()
    kept = [eval(code, names) for _ in range(count)]  # room that is there already would be used
    more = [None] * count
    before = status("RssAnon")
    for index in range(count):
        more[index] = eval(code, names)
    print((status("RssAnon") - before) / count / int(per))
