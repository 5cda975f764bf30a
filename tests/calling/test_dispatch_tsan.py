"""ThreadSanitizer finds no race where threads call, register and drop classes; see the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.races import INSTRUMENTED, find_races

pytestmark = INSTRUMENTED

PROGRAM = """
import abc, gc, sys, threading
from jumptable.calling.typetable import TypeTable
from jumptable.functools import singledispatch, singledispatchmethod

part = sys.argv[1]
assert not sys._is_gil_enabled()
stopping = False
TURNS = 60


def run(writers, readers):
    def keep(call):
        while not stopping:
            call()
    threads = [threading.Thread(target=keep, args=(call,)) for call in readers]
    ending = [threading.Thread(target=write) for write in writers]
    for thread in threads + ending: thread.start()
    for thread in ending: thread.join()
    globals()["stopping"] = True
    for thread in threads: thread.join()


classes = [type(f"C{number}", (), {}) for number in range(20)]
instances = [each() for each in classes]

if part == "table":
    table = TypeTable(2)
    def find():
        for each in classes:
            try: table.find(each, int)
            except KeyError: pass
    def store():
        for turn in range(TURNS):
            for each in classes:
                table.store((each, int), turn)
            for _ in range(turn):
                table.store((type("short", (), {}), int), turn)
            if turn % 7 == 0: table.clear()
    run([store, store], [find, find])
elif part == "function":
    class Abstract(abc.ABC): pass
    generic = singledispatch(lambda x: -1)
    generic.register(Abstract, lambda x: -2)
    for number, each in enumerate(classes[:10]):
        generic.register(each, lambda x, number=number: number)
    def call():
        for each in instances: generic(each)
        generic(""); generic.dispatch(bytes)
    def register():
        for turn in range(TURNS):
            for each in classes[::3]: generic.register(each, lambda x, turn=turn: turn)
    def drop():
        for turn in range(TURNS):
            generic(type("short", (), {})())
            if turn % 9 == 0: Abstract.register(type("virtual", (), {}))
            if turn % 10 == 0: generic._clear_cache()
    run([register, drop], [call, call])
else:
    class Class:
        @singledispatchmethod
        def method(self, x): return -1
        @singledispatchmethod
        @classmethod
        def make(cls, x): return cls
    for each in classes[:10]: Class.method.register(each, lambda self, x: 1)
    one = Class()
    def call():
        held = one.method
        for each in instances:
            one.method(each); held(each); Class.make(each); held.register
    def register():
        descriptor = vars(Class)["method"]
        for turn in range(TURNS):
            for each in classes[::3]: Class.method.register(each, lambda self, x, turn=turn: turn)
            descriptor.dispatcher = singledispatch(lambda self, x: -2)
    run([register], [call, call])
print("done")
"""


@pytest.mark.parametrize("part", ["table", "function", "method"])
def test_no_race(part: str, tmp_path: Path) -> None:
    reports = find_races(PROGRAM, part, folder=tmp_path)
    assert [report for report in reports if re.search("jumptable|jt_", report)] == []
