"""What ThreadSanitizer finds in a program, for the tests of what threads share."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

INSTRUMENTED = [
    pytest.mark.long,
    pytest.mark.skipif(
        "--with-thread-sanitizer" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        reason="this interpreter was not built --with-thread-sanitizer",
    ),
]

# CPython 3.13's own, which it accepts. A thread that loads an attribute counts the object first
# and then looks whether the attribute still holds it; by that time the object may be gone, and its
# memory be that of a new one, whose creation is the "race". What the first thread besides the main
# one switches on is tested before it is locked. ctypes marks a type as final with each instance.
# Lists are changed by plain stores, under a lock that those who read an item do not take.
SUPPRESSIONS = """
race_top:^new_reference$
race:_PyType_AllocNoTrack
race_top:_PyGC_ImmortalizeDeferredObjects
race_top:generic_pycdata_new
race_top:PyCFuncPtr_new
race_top:^list_ass_slice_lock_held
race_top:^ins1
"""


def find_races(text: str, *arguments: object, folder: Path) -> list[str]:
    """The stacks of both sides of each race that is reported while a program runs.

    The program prints ``done`` when it has come to its end.
    """
    program, suppressions = folder / "program.py", folder / "suppressions.txt"
    program.write_text(text)
    suppressions.write_text(SUPPRESSIONS)
    done = subprocess.run(
        [sys.executable, program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        env={
            **os.environ,
            "PYTHON_GIL": "0",
            "TSAN_OPTIONS": f"exitcode=0 history_size=4 suppressions={suppressions}",
        },
    )
    assert done.returncode == 0 and "done" in done.stdout, done.stdout + done.stderr
    return re.findall(
        r"WARNING: ThreadSanitizer: .*?(?=\n  (?:Location|Thread|Mutex) )",
        done.stderr + "\n  Thread ",
        re.DOTALL,
    )
