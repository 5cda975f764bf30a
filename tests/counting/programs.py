"""What the programs of these tests begin with: processes made by fork, and what they count."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Run

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="no fork")

# Not in pytest's own process, which may have threads.
BEGIN = """
import json, os, signal, sys, time
import jumptable as jt
from jumptable.counting.layout import Layout
from jumptable.counting.sharedfile import PAGE

path = sys.argv[1]

def child(function, *arguments):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            if status:
                sys.excepthook(*sys.exc_info())
            os._exit(status)
    return pid

def ended(pid):
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status

def in_child(function, *arguments):
    ended(child(function, *arguments))

def adding(count, name="hits", **given):
    stats = jt.Counters(**{"path": path, **given})
    add = stats[name].add
    for _ in range(count):
        add()
    return stats

def slabs(path=path):
    # The sum of the first counter's words in each slab of the file, by its bytes.
    layout = Layout(jt.Counters(path=path).names, stripes(path), PAGE)
    with open(path, "rb") as file:
        content = file.read()
    found = []
    for start in range(layout.head_size, len(content), layout.slab_size):
        words = [
            content[start + stripe * layout.stripe_size :][:8] for stripe in range(layout.stripes)
        ]
        found.append(sum(int.from_bytes(word, sys.byteorder, signed=True) for word in words))
    return found

def stripes(path):
    with open(path, "rb") as file:
        return int.from_bytes(file.read()[32:40], sys.byteorder)
"""


def run_program(run_python: Run, text: str, *arguments: object) -> str:
    """What a program prints that begins with `BEGIN` and comes to its end."""
    return run_python(BEGIN + text + "\nprint('done')", *arguments).stdout.removesuffix("done\n")
