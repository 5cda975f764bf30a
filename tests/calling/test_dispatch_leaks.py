"""Single dispatch keeps nothing alive: no class, no instance, no dispatcher, nothing replaced.

The long battery makes a million short-lived classes.
"""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Run

FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()

CLASSES = """
import abc, gc, sys, weakref
from jumptable.functools import singledispatch, singledispatchmethod

kind, count, batch = sys.argv[1], int(sys.argv[2]), 250
has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()


class Registered: ...
class Abstract(abc.ABC): ...
class Other(abc.ABC): ...


class Hooked(abc.ABC):
    @classmethod
    def __subclasshook__(cls, other):
        return "mark" in vars(other) or NotImplemented


@singledispatch
def generic(x, key=None):
    return "default"


class Host:
    @singledispatchmethod
    def method(self, x, key=None):
        return "default"


host = Host()
for each in (generic, vars(Host)["method"]):
    each.register(Registered, lambda *args, key=None: "registered")
    if kind in ("abstract", "ambiguous"):
        each.register(Abstract, lambda *args, key=None: "abstract")
    if kind == "ambiguous":
        each.register(Other, lambda *args, key=None: "other")
    if kind == "hooked":
        each.register(Hooked, lambda *args, key=None: "hooked")
bases = (Registered,) if kind == "inheriting" else ()
expected = {"inheriting": "registered", "hooked": "hooked"}.get(kind, "default")


def use(cls):
    x = cls()
    if kind == "dispatch":
        assert generic.dispatch(cls)(x) == expected
    elif kind == "method":
        assert host.method(x) == expected
        assert host.method(x, key=1) == expected
    elif kind == "abstract":
        assert generic(x) == expected
        Abstract.register(cls)
        assert generic(x) == "abstract"
    elif kind == "ambiguous":
        Abstract.register(cls)
        Other.register(cls)
        try:
            generic(x)
        except RuntimeError:
            return
        raise AssertionError("not ambiguous")
    elif kind == "lying":
        class Liar:
            __class__ = cls
        assert generic(Liar()) == expected
        return weakref.ref(Liar)
    else:
        assert generic(x) == generic(x, key=1) == expected


def run(count):
    for first in range(0, count, batch):
        # In every other round each class goes before the next one comes, often where it was.
        alive, kept, together = [], [], first % (2 * batch) == 0
        for number in range(batch):
            cls = type("Short", bases, {"mark": 1})
            alive.append(weakref.ref(cls))
            alive.append(use(cls) or alive[-1])
            if together:
                kept.append(cls)
            del cls
            if not together and (has_gil or number % 50 == 0):
                gc.collect(0)
        kept.clear()
        gc.collect()
        left = [each() for each in alive if each() is not None]
        assert not left, left


def size():
    gc.collect()
    return sys.getallocatedblocks()


gc.collect()
gc.freeze()
run(4 * batch)
before = size()
run(count)
grown = size() - before
assert grown < (300 if has_gil else 3_000), f"{grown} blocks more after {count} classes"
generic("text")  # it is as usable as before
"""

KINDS = ["plain", "inheriting", "hooked", "abstract", "ambiguous", "dispatch", "method", "lying"]


@pytest.mark.parametrize("kind", KINDS)
def test_classes_go(run_python: Run, kind: str) -> None:
    run_python(CLASSES, kind, 20_000 if kind == "plain" and not FREE_THREADED else 3_000)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_million_classes_go(run_python: Run, kind: str) -> None:
    run_python(CLASSES, kind, 1_000_000 if kind == "plain" else 100_000)


CALLS = """
import abc, functools, gc, sys, weakref
from jumptable.functools import singledispatch, singledispatchmethod

kind, count = sys.argv[1], int(sys.argv[2])
has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()


class Problem(Exception): ...
class Value: ...
class Raising: ...
class Direct: ...
class Static: ...
class OfClass: ...


class Abstract(abc.ABC): ...
class Other(abc.ABC): ...


class Both: ...
Abstract.register(Both)
Other.register(Both)


class Liar:
    @property
    def __class__(self):
        raise Problem(self)


class Host:
    @singledispatchmethod
    def method(self, x, *rest, **names):
        return x

    @method.register
    def _(self, x: Raising, *rest, **names):
        raise Problem(x)

    method.register(Static, staticmethod(lambda x: x))
    method.register(OfClass, classmethod(lambda cls, x: x))


def make():
    @singledispatch
    def generic(x, *rest, **names):
        return x

    @generic.register
    def raising(x: Raising, *rest, **names):
        raise Problem(x)

    generic.register(Direct, functools.partial(raising, Raising()))
    generic.register(Abstract, len)
    generic.register(Other, len)
    return generic


generic, host, value, key = make(), Host(), Value(), object()
dead = weakref.proxy(Value())
raises = Raising(), Direct(), Both(), Liar(), dead
static, of_class = Static(), OfClass()


def failing(call, *args, **names):
    try:
        call(*args, **names)
    except (Problem, TypeError, RuntimeError, ReferenceError, IndexError):
        return
    raise AssertionError("no exception")


def calls():
    assert generic(value) is generic(value, key=key) is generic(value, *[key] * 9) is value


def raising():
    for each in raises:
        failing(generic, each)
        failing(generic, each, key=key)
    failing(generic)
    failing(generic, key=key)


def dispatchers():
    made = make()
    assert made(value) is value
    failing(made, raises[0])
    made.own = made.dispatch, made.register, made._clear_cache, made.registry
    alive = weakref.ref(made)
    del made
    gc.collect(0)
    return alive


def replaced():
    def first(x):
        return 1

    def second(x):
        return 2

    generic.register(Value, first)
    assert generic(value) == 1
    generic.register(Value, second)
    alive = weakref.ref(first)
    del first
    assert alive() is None, "a replaced implementation stays alive"
    assert generic(value) == 2


def cleared():
    generic._clear_cache()
    calls()


def methods():
    made = Host()
    assert made.method(value) is value
    assert made.method(value, key=key) is value
    bound = made.method
    assert bound(value) is [*map(bound, [value])][0] is value
    assert made.method(static) is static and made.method(of_class) is of_class
    failing(made.method, raises[0])
    failing(bound)
    failing(made.method)
    del bound
    alive = weakref.ref(made)
    del made
    if not has_gil:
        gc.collect(0)
    assert alive() is None, "an instance stays alive"
    return None


def attributes():
    made = Host()
    assert made.method.__name__ == Host.method.__name__ == "method"
    alive = weakref.ref(made)
    del made
    return alive


def method_dispatchers():
    class Local:
        @singledispatchmethod
        def method(self, x):
            return self, x

        @method.register
        def _(self, x: int):
            return self, x

    made = Local()
    assert made.method(1) == (made, 1)
    assert Local.method.register(str, lambda self, x: x) is not None
    alive = weakref.ref(vars(Local)["method"]), weakref.ref(Local)
    del made, Local
    gc.collect(0)
    return alive


def run(count):
    function, alive = globals()[kind], []
    for _ in range(count):
        found = function()
        if found is not None:
            alive.extend(found if isinstance(found, tuple) else [found])
    gc.collect()
    left = [each() for each in alive if each() is not None]
    assert not left, left


def state():
    gc.collect()
    watched = [value, key, generic, host, Value, Problem, Raising, *raises[:4], static, of_class]
    return sys.getallocatedblocks(), [sys.getrefcount(each) for each in watched]


gc.freeze()
run(max(200, count // 10))
before, counts = state()
run(count)
after, new_counts = state()
slack = 60 if has_gil else max(count // 4, 2_000)
assert after - before < slack, f"{after - before} blocks more"
assert all(abs(one - two) < 3 for one, two in zip(counts, new_counts)), (counts, new_counts)
"""

# What is slow, or collects garbage each time, is repeated less.
COUNTS = {
    "calls": 20_000,
    "raising": 2_000,
    "cleared": 3_000,
    "replaced": 2_000,
    "methods": 2_000,
    "attributes": 500,
    "dispatchers": 500,
    "method_dispatchers": 300,
}


def possible(kind: str) -> None:
    if FREE_THREADED and kind == "replaced":
        pytest.skip(
            "without a GIL, what was once registered is kept: a call may be about to use it"
        )


@pytest.mark.parametrize("kind", COUNTS)
def test_nothing_leaks(run_python: Run, kind: str) -> None:
    possible(kind)
    run_python(CALLS, kind, COUNTS[kind])


@pytest.mark.long
@pytest.mark.parametrize("kind", COUNTS)
def test_nothing_leaks_over_many_calls(run_python: Run, kind: str) -> None:
    possible(kind)
    run_python(CALLS, kind, 40 * COUNTS[kind])
