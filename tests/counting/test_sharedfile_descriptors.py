"""What shared counters do with descriptors, where a program closes them or they are closed."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Run

from .programs import needs_fork, run_program


@needs_fork
def test_a_fork_leaves_alone_what_got_its_number(tmp_path: Path, run_python: Run) -> None:
    """A socket cannot be opened again by its number, as a file can."""
    text = """
import socket
stats = jt.Counters(["hits"], path=path)
taken = stats._file.descriptor
os.closerange(3, 256)
listening = [socket.socket() for _ in range(taken - 2)]
assert listening[-1].fileno() == taken

def forked():
    stats.hits.add(10)
    listening[-1].bind(("127.0.0.1", 0))
    assert stats.hits.value == 10
    listening[-1].getsockname()

in_child(forked)
assert slabs() == [0, 10]
"""
    run_program(run_python, text, tmp_path / "stats")


@needs_fork
def test_the_standard_streams_are_not_the_file(tmp_path: Path, run_python: Run) -> None:
    """Where they are closed, their numbers come next, and what C prints would end up in it."""
    text = """
out, err = os.dup(1), os.dup(2)
os.closerange(0, 3)
stats = jt.Counters(["hits"], path=path)
number = stats._file.descriptor
assert os.open(os.devnull, os.O_RDONLY) == 0
os.dup2(out, 1)
os.dup2(err, 2)
assert number > 2
assert stats.hits.value == 0
"""
    run_program(run_python, text, tmp_path / "stats")
